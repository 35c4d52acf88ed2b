"""A real site for tests: identity, warden, web and worker of an instance of its own on their sockets; no gateway, no TLS."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from strongroom.identity.signin import SignIn
from strongroom.layout import Layout
from strongroom.operate.demo.person import Page, Person
from tests.identity.server import Provider, running_provider


class Sockets(httpx.BaseTransport):
    """What the gateway does: TLS ends, each host's requests go to its socket with the gateway's headers."""

    def __init__(self, layout: Layout, listener: str = "inside") -> None:
        self.listener = listener
        self._to = {
            "id.localhost": httpx.HTTPTransport(uds=str(layout.identity_socket)),
            "localhost": httpx.HTTPTransport(uds=str(layout.web_socket)),
        }

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        added = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "127.0.0.1", "X-Strongroom-Listener": self.listener}
        headers = [*request.headers.raw, *((name.encode(), value.encode()) for name, value in added.items())]
        url = request.url.copy_with(scheme="http")
        sent = httpx.Request(request.method, url, headers=headers, stream=request.stream, extensions=request.extensions)
        return self._to[request.url.host].handle_request(sent)

    def close(self) -> None:
        for transport in self._to.values():
            transport.close()


class Visitor(Person):
    """A person whose browser speaks to the sockets."""

    def __post_init__(self) -> None:
        self.client = httpx.Client(transport=Sockets(self.layout), timeout=60)
        self._signin = SignIn(self.client)

    def get(self, path: str) -> Page:
        """A page as it is, whatever its status."""
        return Page(self._follow(f"{self.layout.app_url}{path}"))


def _started(command: list[str], layout: Layout) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", *command], env={**os.environ, **layout.environ()})


def _until(what: Path, process: subprocess.Popen[bytes]) -> None:
    ends = time.monotonic() + 40
    while not what.exists():
        assert process.poll() is None, f"what should make {what} ended"
        assert time.monotonic() < ends, f"{what} does not appear"
        time.sleep(0.05)


@dataclass
class Site:
    """The running site; its processes by name, so that a test may kill one and start it again."""

    provider: Provider
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def layout(self) -> Layout:
        return self.provider.layout

    def start(self, name: str) -> None:
        """Start ``web``, ``warden`` or ``worker`` and wait until it serves."""
        layout = self.layout
        web = ["gunicorn", "--workers", "2", "--threads", "4", "--no-control-socket"]
        command = {
            "web": [*web, "--bind", f"unix:{layout.web_socket}", "strongroom.web.wsgi"],
            "warden": ["strongroom.warden"],
            "worker": ["strongroom.worker"],
        }[name]
        socket = {"web": layout.web_socket, "warden": layout.warden_socket}.get(name)
        if socket:
            socket.parent.mkdir(parents=True, exist_ok=True)
            socket.unlink(missing_ok=True)
        self.processes[name] = _started(command, layout)
        if socket:
            _until(socket, self.processes[name])

    def kill(self, name: str) -> None:
        """Kill -9."""
        process = self.processes.pop(name)
        process.kill()
        process.wait(20)

    def visitor(self, name: str, *groups: str) -> Visitor:
        """A new person with a browser of their own."""
        account = self.provider.person(name, *groups)
        return Visitor("", name, account.email, account.password, account.totp_secret, account.sub, self.layout)

    def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(20)
        down = [sys.executable, "-m", "strongroom.warden", "--down"]
        subprocess.run(down, env={**os.environ, **self.layout.environ()}, check=True)


@contextmanager
def running_site() -> Iterator[Site]:
    """Everything up; everything it made is gone afterwards."""
    with ExitStack() as stack:
        provider = stack.enter_context(running_provider())
        site = Site(provider)
        stack.callback(site.stop)
        for part in ("web", "worker", "warden"):
            provider.layout.state_of(part).mkdir(parents=True, exist_ok=True)
        migrate = [sys.executable, "-m", "strongroom.web.manage", "migrate", "-v0"]
        subprocess.run(migrate, env={**os.environ, **provider.layout.environ()}, check=True)
        for name in ("warden", "web", "worker"):
            site.start(name)
        yield site
