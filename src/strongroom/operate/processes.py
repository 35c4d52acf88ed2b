"""The one process table: what runs, as whom, in which order. The supervisor and the systemd units both read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from strongroom.layout import Layout
from strongroom.operate import gateway

ROOT = "root"
# Only the warden, which builds images, may need what the operator set to reach package mirrors.
PASSED_ON = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
PASSED_ON_PREFIXES = ("PIP_", "SSL_CERT_", "REQUESTS_CA_")


@dataclass(frozen=True)
class Process:
    """One process of an instance; `prepare` are commands run to their end before its first start, as `prepared_by`."""

    name: str
    user: str
    argv: tuple[str, ...]
    environ: dict[str, str] = field(hash=False)
    state: Path
    prepare: tuple[tuple[str, ...], ...] = ()
    prepared_by: str = ""
    groups: tuple[str, ...] = ()
    sockets: tuple[Path, ...] = ()
    ports: tuple[int, ...] = ()
    needs: tuple[str, ...] = ()
    umask: int = 0o077
    stop_seconds: int = 15


def venv(layout: Layout) -> Path:
    """The root-owned virtual environment that the services of this instance run in (a link beside their code)."""
    return layout.code / "venv"


def _python(layout: Layout, *arguments: str) -> tuple[str, ...]:
    return (str(venv(layout) / "bin" / "python"), *arguments)


def _environ(layout: Layout, home: Path) -> dict[str, str]:
    return {
        **layout.environ(),
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(layout.code / "src"),
        "PYTHONUNBUFFERED": "1",
    }


def _passed_on(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value for name, value in environ.items() if name in PASSED_ON or name.startswith(PASSED_ON_PREFIXES)
    }


def _gunicorn(layout: Layout, socket: Path, application: str, *options: str) -> tuple[str, ...]:
    # The socket itself is open to all: who may reach it is decided by its folder, as gunicorn resets its group.
    common = ("--workers", "2", "--umask", "0", "--timeout", "60", "--no-control-socket", "--worker-tmp-dir", "/dev/shm")
    return _python(layout, "-m", "gunicorn", *common, *options, "--bind", f"unix:{socket}", application)


def _identity(layout: Layout) -> Process:
    return Process(
        name="identity",
        user=layout.user("identity"),
        prepare=(_python(layout, "-m", "strongroom.identity.manage", "setup"),),
        # It changes to the identity user by itself; handing one file to web's group takes root.
        prepared_by=ROOT,
        argv=_gunicorn(layout, layout.identity_socket, "strongroom.identity.wsgi"),
        environ=_environ(layout, layout.state_of("identity")),
        sockets=(layout.identity_socket,),
        state=layout.state_of("identity"),
    )


def _warden(layout: Layout, environ: Mapping[str, str]) -> Process:
    return Process(
        name="warden",
        user=ROOT,
        argv=_python(layout, "-m", "strongroom.warden"),
        environ={**_environ(layout, Path("/root")), **_passed_on(environ)},
        sockets=(layout.warden_socket, layout.entry_socket),
        needs=("identity",),
        state=layout.state_of("warden"),
        stop_seconds=30,
    )


def _web(layout: Layout) -> Process:
    return Process(
        name="web",
        user=layout.user("web"),
        groups=(layout.user("identity"),),
        prepare=(_python(layout, "-m", "strongroom.web.manage", "migrate"),),
        argv=_gunicorn(layout, layout.web_socket, "strongroom.web.wsgi", "--threads", "4"),
        environ=_environ(layout, layout.state_of("web")),
        sockets=(layout.web_socket,),
        needs=("identity",),
        state=layout.state_of("web"),
        umask=0o007,
    )


def _worker(layout: Layout) -> Process:
    return Process(
        name="worker",
        user=layout.user("worker"),
        groups=(layout.user("web"),),
        argv=_python(layout, "-m", "strongroom.worker"),
        environ=_environ(layout, layout.state_of("worker")),
        needs=("web", "warden"),
        state=layout.state_of("worker"),
        umask=0o007,
    )


def _gateway(layout: Layout) -> Process:
    caddy = str(venv(layout) / "bin" / "caddy")
    return Process(
        name="gateway",
        user=layout.user("gateway"),
        groups=(layout.user("identity"),),
        argv=(caddy, "run", "--adapter", "caddyfile", "--config", str(gateway.caddyfile_path(layout))),
        environ=_environ(layout, gateway.storage(layout)),
        ports=(layout.port, layout.outside_port),
        needs=("web", "identity"),
        state=layout.state_of("gateway"),
        stop_seconds=5,
    )


def table(layout: Layout, environ: Mapping[str, str]) -> tuple[Process, ...]:
    """All processes of the instance, each after what it needs; `environ` is the operator's, of which little is kept."""
    return (_identity(layout), _warden(layout, environ), _web(layout), _worker(layout), _gateway(layout))
