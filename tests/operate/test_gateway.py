"""The gateway as it runs: who reaches what, and which of a client's own words get through."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import websockets
from playwright.sync_api import sync_playwright

from strongroom.domain.place import Places
from strongroom.layout import Layout
from strongroom.operate import gateway
from tests.operate import standins
from tests.proves import proves

DESKTOP = Path(gateway.__file__).parent / "desktop"
CADDY = str(Path(sys.prefix) / "bin" / "caddy")
CUT_AFTER = 4
INSIDE = Places(institutional=(ipaddress.ip_network("127.0.0.0/29"),))
SEEN: list[dict[str, str]] = []


@dataclass(frozen=True)
class Running:
    """A gateway with stand-ins behind it."""

    layout: Layout
    client: standins.Client
    pid: int

    def echo(self, host: str, path: str = "/", **headers: str) -> dict[str, Any]:
        status, _, body = self.client.ask(host, path, **headers)
        assert status == 200, body
        said: dict[str, Any] = json.loads(body)
        return said


def _serve_session(path: Path, stop: threading.Event) -> None:
    async def talk(connection: websockets.ServerConnection) -> None:
        assert connection.request is not None
        SEEN.append(dict(connection.request.headers.raw_items()))
        async for message in connection:
            await connection.send(message)

    async def run() -> None:
        async with websockets.unix_serve(talk, str(path)):
            await asyncio.to_thread(stop.wait)

    asyncio.run(run())


def _start(layout: Layout, stack: ExitStack, folder: Path) -> Running:
    stack.callback(standins.remove, layout)
    for part in (layout.state_of("gateway"), layout.run / "gateway", layout.sessions):
        part.mkdir(parents=True)
    for path in (layout.web_socket, layout.identity_socket, layout.receivers / "d1.sock"):
        stack.enter_context(standins.serving(path))
    stack.enter_context(standins.serving(layout.entry_socket, standins.Entry))
    stop = threading.Event()
    session = threading.Thread(target=_serve_session, args=(layout.sessions / "wp1.sock", stop), daemon=True)
    session.start()
    stack.callback(session.join, 10)
    stack.callback(stop.set)
    configuration = gateway.caddyfile_path(layout)
    configuration.write_text(gateway.caddyfile(layout, INSIDE, desktop=DESKTOP, stream_seconds=CUT_AFTER))
    arguments = (CADDY, "run", "--adapter", "caddyfile", "--config", str(configuration))
    environ = {"HOME": str(folder), "PATH": os.environ["PATH"]}
    process = stack.enter_context(standins.program(*arguments, environ=environ, log=folder / "caddy.log"))
    standins.wait_for(lambda: gateway.serves(layout), (folder / "caddy.log").read_text())
    return Running(layout, standins.Client(layout.authority), process.pid)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with ExitStack() as stack:
        yield _start(standins.free_layout("gw"), stack, tmp_path_factory.mktemp("gateway"))


pytestmark = pytest.mark.real


def raw_get(running: Running, port: int, server_name: str, host: str) -> bytes:
    """Answer to a request whose Host header need not be the name of the TLS handshake."""
    raw = socket.create_connection(("127.0.0.1", port), timeout=10)
    with running.client.context.wrap_socket(raw, server_hostname=server_name) as tls:
        tls.sendall(
            f"GET / HTTP/1.1\r\nHost: {host}\r\nCookie: __Host-entry=good\r\nConnection: close\r\n\r\n".encode()
        )
        return b"".join(iter(lambda: tls.recv(4096), b""))


def test_only_two_loopback_ports_listen(running: Running) -> None:
    listing = subprocess.run(["ss", "-Hlnptu"], capture_output=True, text=True, check=True).stdout
    ours = sorted(line.split()[4] for line in listing.splitlines() if f"pid={running.pid}," in line)
    assert ours == [f"127.0.0.1:{running.layout.port}", f"127.0.0.1:{running.layout.outside_port}"]


@pytest.mark.parametrize("listener", ["inside", "outside"])
def test_a_client_cannot_say_its_own_address_or_listener(running: Running, listener: str) -> None:
    layout = running.layout
    port = layout.port if listener == "inside" else layout.outside_port
    lies = {"X_Forwarded_For": "9.9.9.9", "X_Strongroom_Listener": "inside", "Forwarded": "for=9.9.9.9"}
    lies |= {"X_Real_Ip": "9.9.9.9", "X_Forwarded_Host": "evil.example", "X_Forwarded_Proto": "http"}
    for name in ("localhost", "id.localhost"):
        headers = running.echo(f"{name}:{port}", "/sign-in", **lies)["headers"]
        assert headers["X-Forwarded-For"] == "127.0.0.1"
        assert headers["X-Strongroom-Listener"] == listener
        assert headers["X-Forwarded-Host"] == headers["Host"] == f"{name}:{port}"
        assert headers["X-Forwarded-Proto"] == "https"
        assert "Forwarded" not in headers
        assert "X-Real-Ip" not in headers


@proves("P132", "P144", "P145", "control:inbound_network")
def test_the_management_pages_are_for_the_institutions_networks(running: Running) -> None:
    layout = running.layout
    assert running.client.ask(layout.app_host, "/projects", source="127.0.0.6")[0] == 200
    status, _, body = running.client.ask(layout.app_host, "/projects", source="127.0.0.9", X_Forwarded_For="127.0.0.1")
    assert status == 403
    assert b"institution's networks" in body
    assert running.client.ask(f"localhost:{layout.outside_port}", "/sign-in", source="127.0.0.9")[0] == 200


def test_without_any_network_nobody_is_inside() -> None:
    assert f"remote_ip {gateway.NOBODY}" in gateway.caddyfile(Layout("none", 9480), Places())


def test_inside_reaches_every_page(running: Running) -> None:
    assert running.echo(running.layout.app_host, "/projects/p1?x=1")["path"] == "/projects/p1?x=1"


@proves("P132", "P133")
def test_outside_reaches_only_named_pages(running: Running) -> None:
    host = f"localhost:{running.layout.outside_port}"
    named = ["/", "/sign-in", "/static/app.css", "/deposits/d1", "/register/x", "/releases/r1", "/refused", "/training"]
    named += [
        f"/projects/p1{rest}" for rest in ("", "/terms", "/agreements/a1/text", "/deposits/d1", "/deposits/d1/token")
    ]
    for path in named:
        assert running.echo(host, path)["path"] == path
    others = ["/projects", "/projects/p1/history", "/projects/p1/requests/r1", "/projects/p1/environments/e1", "/audit"]
    others += [
        "/static/../projects",
        "/static/%2e%2e/projects",
        "/projects/p1/deposits/../history",
        "/deposits",
        "/mail",
    ]
    for path in others:
        assert running.client.ask(host, path)[0] == 404, path


@proves("P140", "D17")
def test_outside_never_reaches_an_environment(running: Running) -> None:
    outside = running.layout.outside_port
    for host in (running.layout.environment_host("wp1"), f"wp1.env.localhost:{outside}"):
        assert raw_get(running, outside, "localhost", host).startswith(b"HTTP/1.1 421")
    assert running.client.ask(f"wp1.env.localhost:{outside}", "/", Cookie="__Host-entry=good")[0] == 421


def test_pages_carry_security_headers(running: Running) -> None:
    _, headers, _ = running.client.ask(running.layout.app_host, "/")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "frame-ancestors 'none'" in headers.get_all("Content-Security-Policy", [])
    assert "Server" not in headers
    assert "Via" not in headers


@pytest.mark.parametrize("size,status", [(1_000_000, 200), (20_000_001, 413)])
def test_uploads_to_pages_are_limited(running: Running, size: int, status: int) -> None:
    assert running.client.ask(running.layout.app_host, "/x", "POST", bytes(size))[0] == status


def test_deposits_are_not_limited_and_reach_their_own_receiver(running: Running) -> None:
    host = running.layout.deposit_host("d1")
    sent = bytes(25_000_000)
    status, _, body = running.client.ask(
        host, "/files/a", "PATCH", sent, Cookie="__Host-entry=good", Authorization="Bearer s", X_Forwarded_For="9.9.9.9"
    )
    said = json.loads(body)
    assert (status, said["body"], said["path"]) == (200, len(sent), "/files/a")
    assert said["headers"]["X-Forwarded-For"] == "127.0.0.1"
    assert said["headers"]["Authorization"] == "Bearer s"
    assert "Cookie" not in said["headers"]
    assert running.client.ask(running.layout.deposit_host("d2"), "/")[0] == 502


@pytest.mark.parametrize("name", ["..%2fweb", "a_b", "a.b"])
def test_only_plain_names_become_part_of_a_socket_path(running: Running, name: str) -> None:
    for kind, port in (("env", running.layout.port), ("deposit", running.layout.outside_port)):
        answer = raw_get(running, port, f"x.{kind}.localhost", f"{name}.{kind}.localhost:{port}")
        assert answer.startswith((b"HTTP/1.1 404", b"HTTP/1.1 421", b"HTTP/1.1 400")), answer


@proves("P140")
def test_an_environment_without_an_entry_is_refused(running: Running) -> None:
    host = running.layout.environment_host("wp1")
    for path in ("/", "/websockify", "/novnc/core/rfb.js", "/desktop.js"):
        status, _, body = running.client.ask(host, path)
        assert (status, body) == (401, b"no entry")
    assert running.client.ask(host, "/", Cookie="__Host-entry=bad")[0] == 401


def test_the_entry_desk_is_asked_with_the_real_host_and_peer(running: Running) -> None:
    host = running.layout.environment_host("wp1")
    standins.Entry.asked.clear()
    running.client.ask(host, "/", Cookie="__Host-entry=good", X_Environment_Host="wp2", X_Forwarded_For="9.9.9.9")
    asked = standins.Entry.asked[-1]
    assert (asked["path"], asked["X-Environment-Host"], asked["X-Forwarded-For"]) == ("/check", host, "127.0.0.1")


def test_a_ticket_is_exchanged_for_an_entry_by_a_page_not_a_redirect(running: Running) -> None:
    host = running.layout.environment_host("wp1")
    assert running.client.ask(host, "/enter", "POST", b"ticket=wrong")[0] == 403
    status, headers, body = running.client.ask(host, "/enter", "POST", b"ticket=t", X_Forwarded_For="9.9.9.9")
    assert status == 200
    assert any(cookie.startswith("__Host-entry=good") for cookie in headers.get_all("Set-Cookie", []))
    assert b"url=/" in body
    assert standins.Entry.asked[-1]["X-Environment-Host"] == host
    assert standins.Entry.asked[-1]["X-Forwarded-For"] == "127.0.0.1"


@proves("P140")
def test_a_person_with_an_entry_gets_our_viewer_and_nothing_else(running: Running) -> None:
    host = running.layout.environment_host("wp1")
    for path, word in (("/", b"desktop.js"), ("/desktop.js", b"RFB"), ("/novnc/core/rfb.js", b"export default")):
        status, headers, body = running.client.ask(host, path, Cookie="__Host-entry=good")
        assert status == 200
        assert word in body
        assert headers.get_all("Content-Security-Policy") == [gateway.DESKTOP_POLICY]
    for path in ("/novnc/vnc.html", "/novnc/app/ui.js", "/novnc/core/../vnc.html", "/novnc/core/", "/x"):
        assert running.client.ask(host, path, Cookie="__Host-entry=good")[0] == 404, path
    assert running.client.ask(host, "/", "POST", b"x", Cookie="__Host-entry=good")[0] == 405


async def _stream(running: Running, origin: str) -> str:
    host = running.layout.environment_host("wp1")
    raw = socket.create_connection(("127.0.0.1", running.layout.port), timeout=10)
    headers = {"Cookie": "__Host-entry=good; other=1", "Authorization": "Bearer t", "X-Forwarded-For": "9.9.9.9"}
    context = running.client.context
    async with websockets.connect(
        f"wss://{host}/websockify", sock=raw, ssl=context, additional_headers=headers, origin=origin, proxy=None
    ) as stream:
        await stream.send("hello")
        return str(await stream.recv())


def test_a_stream_passes_without_cookies(running: Running) -> None:
    assert asyncio.run(_stream(running, f"https://{running.layout.environment_host('wp1')}")) == "hello"
    assert "Cookie" not in SEEN[-1]
    assert "Authorization" not in SEEN[-1]
    assert SEEN[-1]["X-Forwarded-For"] == "127.0.0.1"


def test_a_stream_opened_by_another_site_is_refused(running: Running) -> None:
    with pytest.raises(websockets.InvalidStatus) as refusal:
        asyncio.run(_stream(running, f"https://{running.layout.app_host}"))
    assert refusal.value.response.status_code == 403


def test_the_authority_is_readable_by_all_and_signs_for_localhost_alone(running: Running) -> None:
    assert running.layout.authority.stat().st_mode & 0o777 == 0o644
    with pytest.raises(ssl.SSLError):
        running.client.ask(f"example.org:{running.layout.port}")


@proves("satre:2.1.04")
def test_a_browser_comes_from_the_app_with_a_ticket_and_opens_a_stream(running: Running) -> None:
    """A browser keeps a strict cookie from what another site led to; here it must arrive all the same."""
    app, desktop = running.layout.app_url, f"https://{running.layout.environment_host('wp1')}"
    script = f"""() => {{
        const form = document.createElement("form");
        form.method = "POST"; form.action = "{desktop}/enter";
        form.innerHTML = '<input name="ticket" value="t">';
        document.body.append(form); form.submit();
    }}"""
    streams = len(SEEN)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        try:
            page = browser.new_context(ignore_https_errors=True).new_page()
            page.goto(f"{app}/x")
            page.evaluate(script)
            page.wait_for_url(f"{desktop}/", timeout=30_000)
            page.wait_for_selector("#screen canvas", state="attached", timeout=30_000)
            standins.wait_for(lambda: len(SEEN) > streams, "the page opened no stream")
            # Cut at its age, the stream comes back by itself; once the right is gone, it does not.
            standins.wait_for(lambda: len(SEEN) > streams + 1, "the page did not come back")
            page.context.clear_cookies()
            page.wait_for_selector("#words.refused", timeout=30_000)
            assert page.inner_text("#words") == "no entry"
        finally:
            browser.close()
