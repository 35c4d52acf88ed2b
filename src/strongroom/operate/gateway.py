"""The gateway's configuration, as a pure function of the layout, and what may pass it from outside.

Everything a browser reaches passes here; so the addresses that others believe (the peer's, the listener's) are written
here, over whatever a client sent.
"""

from __future__ import annotations

import os
import socket
import ssl
import stat
import sys
import time
from pathlib import Path

from strongroom.domain.place import Places
from strongroom.layout import Layout

NOVNC = Path("/usr/share/novnc")
LARGEST_UPLOAD = "20MB"
# An open desktop is cut at this age and comes back by itself if its person may still be there.
STREAM_SECONDS = 60
# An address that no connection has.
NOBODY = "255.255.255.255/32"
# What the outside listener lets through to the web app; the app judges again by its own list of views.
OUTSIDE_PATHS = (
    "/",
    "/sign-in",
    "/signed-in",
    "/sign-out",
    "/static/*",
    "/deposits/*",
    "/register/*",
    "/releases/*",
    "/refused",
    "/training",
    "/demo",
    "/demo/*",
)
# Of a project: what a Representative needs for an agreement or a deposit, and what everyone reads and signs.
OUTSIDE_IN_PROJECT = r"^/projects/[a-z0-9-]+(/(training|terms|agreements/[a-z0-9-]+(/text)?|datasets/[a-z0-9-]+/withdraw|deposits/[a-z0-9-]+(/[a-z]+)?))?$"
DESKTOP_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

TEMPLATE = """# Written by `./strongroom up` from strongroom.operate.gateway; changes made here are lost.
{{
	admin off
	persist_config off
	auto_https disable_redirects
	local_certs
	skip_install_trust
	default_bind 127.0.0.1
	storage file_system {storage}
	# No proxy is trusted, so X-Forwarded-For, -Host and -Proto are always written anew from the connection itself.
	servers {{
		protocols h1 h2
	}}
	log {{
		output stderr
		level WARN
	}}
}}

(plain) {{
	bind 127.0.0.1
	tls internal
	header {{
		X-Content-Type-Options nosniff
		Referrer-Policy same-origin
		-Server
		-Via
		defer
	}}
	handle_errors {{
		header Content-Type "text/plain; charset=utf-8"
		respond "{{err.status_code}}: {{err.status_text}}. If this stays, tell the System Manager." {{err.status_code}}
	}}
}}

# {{args[0]}} socket, {{args[1]}} listener: to an application of ours, whose pages nobody may frame.
(application) {{
	header {{
		+Content-Security-Policy "frame-ancestors 'none'"
		defer
	}}
	request_body {{
		max_size {upload}
	}}
	reverse_proxy unix/{{args[0]}} {{
		header_up X-Strongroom-Listener {{args[1]}}
		header_up -Forwarded
		header_up -X-Real-Ip
	}}
}}

# One environment: its desktop for people with an entry, judged by the warden at each request.
(environment) {{
	header {{
		Content-Security-Policy "{desktop_policy}"
		Cross-Origin-Opener-Policy same-origin
		Cross-Origin-Resource-Policy same-origin
		Cache-Control no-store
		defer
	}}
	@enter {{
		method POST
		path /enter
	}}
	handle @enter {{
		request_body {{
			max_size 16KB
		}}
		reverse_proxy unix/{entry} {{
			header_up X-Environment-Host {{hostport}}
			header_up -Cookie
			@entered status 303
			handle_response @entered {{
				# A redirect would count as coming from the app's site, and browsers keep strict cookies from those.
				copy_response_headers {{
					include Set-Cookie
				}}
				header Content-Type "text/html; charset=utf-8"
				respond `{arriving}` 200
			}}
		}}
	}}
	handle {{
		forward_auth unix/{entry} {{
			uri /check
			header_up X-Environment-Host {{hostport}}
		}}
		@stream path /websockify
		handle @stream {{
			@foreign not expression `{{http.request.header.Origin}} == "https://" + {{http.request.hostport}}`
			respond @foreign "This stream opens from the desktop's own page alone." 403
			reverse_proxy unix/{sessions}/{{re.env.1}}.sock {{
				header_up -Cookie
				header_up -Authorization
				header_down -Set-Cookie
				stream_timeout {stream}s
			}}
		}}
		@reading method GET HEAD
		handle @reading {{
			@viewer path /novnc/core/* /novnc/vendor/*
			handle @viewer {{
				uri strip_prefix /novnc
				root * {novnc}
				file_server
			}}
			@page path / /index.html /desktop.js /desktop.css
			handle @page {{
				root * {desktop}
				file_server
			}}
			respond 404
		}}
		respond 405
	}}
}}

# The inside listener: the institution's own networks.
https://{app} {{
	import plain
	@inside remote_ip {inside}
	handle @inside {{
		import application {web} inside
	}}
	respond "These pages are for the institution's networks. From elsewhere: https://localhost:{outside}" 403
}}

https://{identity} {{
	import plain
	import application {identity_socket} inside
}}

https://*.env.localhost:{port} {{
	import plain
	@known header_regexp env Host ^([a-z0-9-]+)\\.env\\.localhost:{port}$
	handle @known {{
		import environment
	}}
	respond 404
}}

# The outside listener: anyone who can reach this machine.
https://localhost:{outside} {{
	import plain
	@named path {outside_paths}
	handle @named {{
		import application {web} outside
	}}
	@project path_regexp {outside_in_project}
	handle @project {{
		import application {web} outside
	}}
	respond "There is no such page here. Inside the institution's network: https://{app}" 404
}}

https://id.localhost:{outside} {{
	import plain
	import application {identity_socket} outside
}}

https://*.deposit.localhost:{outside} {{
	import plain
	@known header_regexp deposit Host ^([a-z0-9-]+)\\.deposit\\.localhost:{outside}$
	handle @known {{
		header {{
			+Content-Security-Policy "frame-ancestors 'none'"
			defer
		}}
		reverse_proxy unix/{receivers}/{{re.deposit.1}}.sock {{
			header_up -Cookie
			header_up X-Strongroom-Listener outside
			header_up -Forwarded
			header_up -X-Real-Ip
			header_down -Set-Cookie
		}}
	}}
	respond 404
}}

# Any other name on these ports.
https://:{port}, https://:{outside} {{
	import plain
	respond "There is no such host here. Open https://{app}" 421
}}
"""
ARRIVING = '<!doctype html><meta http-equiv="refresh" content="0;url=/"><title>Desktop</title><a href="/">Desktop</a>'


def storage(layout: Layout) -> Path:
    """Keys and certificates of the gateway's own authority; the gateway user's alone."""
    return layout.state_of("gateway") / "caddy"


def caddyfile_path(layout: Layout) -> Path:
    """Where the configuration is written for the gateway to read."""
    return layout.run / "gateway" / "Caddyfile"


def caddyfile(
    layout: Layout, places: Places, desktop: Path | None = None, stream_seconds: int = STREAM_SECONDS
) -> str:
    """The whole configuration; `desktop` is the folder of the viewer's page, by default in the services' code."""
    return TEMPLATE.format(
        inside=" ".join(dict.fromkeys(str(one) for one in places.inside)) or NOBODY,
        storage=storage(layout),
        upload=LARGEST_UPLOAD,
        app=layout.app_host,
        identity=layout.identity_host,
        port=layout.port,
        outside=layout.outside_port,
        outside_paths=" ".join(OUTSIDE_PATHS),
        outside_in_project=OUTSIDE_IN_PROJECT,
        web=layout.web_socket,
        identity_socket=layout.identity_socket,
        entry=layout.entry_socket,
        sessions=layout.sessions,
        receivers=layout.receivers,
        stream=stream_seconds,
        arriving=ARRIVING,
        desktop_policy=DESKTOP_POLICY,
        desktop=desktop or layout.code / "src" / "strongroom" / "operate" / "desktop",
        novnc=NOVNC,
    )


def publish_authority(layout: Layout) -> bool:
    """Copy the authority's certificate to where everyone on this machine may read it; False while there is none yet.

    The source lies in a folder of the gateway's user, so links are not followed.
    """
    source = storage(layout) / "pki" / "authorities" / "local" / "root.crt"
    try:
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW)
    except (FileNotFoundError, NotADirectoryError):
        return False
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return False
        certificate = file.read(65536)
    if b"-----END CERTIFICATE-----" not in certificate:
        return False
    fresh = layout.authority.with_suffix(".new")
    fresh.write_bytes(certificate)
    fresh.chmod(0o644)
    fresh.replace(layout.authority)
    return True


def serves(layout: Layout) -> bool:
    """Whether the authority is published and every kind of host answers with a certificate of it."""
    if not publish_authority(layout):
        return False
    inside = ("localhost", "id.localhost", "any.env.localhost")
    outside = ("localhost", "id.localhost", "any.deposit.localhost")
    context = ssl.create_default_context(cafile=str(layout.authority))
    try:
        for port, names in ((layout.port, inside), (layout.outside_port, outside)):
            for name in names:
                with (
                    socket.create_connection(("127.0.0.1", port), timeout=2) as raw,
                    context.wrap_socket(raw, server_hostname=name),
                ):
                    pass
    except OSError:
        return False
    return True


if __name__ == "__main__":
    ends = time.monotonic() + 60
    here = Layout.current()
    while not serves(here):
        if time.monotonic() > ends:
            sys.exit("the gateway does not serve after 60 s")
        time.sleep(0.2)
