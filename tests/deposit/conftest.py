"""A real receiver as its own unprivileged process, behind a real gateway, asking a small warden on a Unix socket."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.deposit.manifest import Manifest
from strongroom.deposit.receipt import sign
from strongroom.deposit.transport import LoopbackNames
from strongroom.deposit.transport import transport as gateway_transport
from strongroom.layout import Layout
from strongroom.warden.receiver import process, tokens
from strongroom.warden.volumes import tree

NOBODY = 65534
MIB = 1 << 20


class _Warden(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    station: Station


class _Answers(BaseHTTPRequestHandler):
    server: _Warden

    def do_POST(self) -> None:
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, fields = self.server.station.answer(self.path.rpartition("/")[2], content)
        body = json.dumps(fields).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Quiet."""


@dataclass
class Station:
    """One deposit from opening to receipt: what a test sets, and what it can reach."""

    layout: Layout
    folder: Path
    limit: int = 300 * MIB
    window: timedelta = timedelta(hours=1)
    networks: tuple[str, ...] = ("127.0.0.0/8",)
    deposit: str = "d1"
    token: str = field(default_factory=tokens.fresh)
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    hashing: int = 0
    tampers: bool = False
    claimed: list[str | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.grant = tokens.Grant(self.deposit, tokens.sha256(self.token), datetime.now(UTC) + self.window)
        self.folder.mkdir()
        os.chown(self.folder, NOBODY, NOBODY)
        self.warden_socket = self.layout.run / "warden.sock"
        self._warden = _Warden(os.fspath(self.warden_socket), _Answers)
        os.chown(self.warden_socket, NOBODY, NOBODY)
        self._warden.station = self
        threading.Thread(target=self._warden.serve_forever, daemon=True).start()

    def answer(self, act: str, content: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        now, secret = datetime.now(UTC), tokens.fresh()
        try:
            if act == "open":
                self.grant = tokens.exchange(self.grant, content["token"], secret, now)
                return 200, {"secret": secret}
            self.grant = tokens.complete(self.grant, content["secret"], now)
        except tokens.TokenRefused as refused:
            return refused.status, {"error": "token", "message": str(refused)}
        self.claimed.append(content["digest"])
        if self.hashing:
            self.hashing -= 1
            return 202, {"message": "hashing"}
        process.seal(self.folder, 0)
        if self.tampers:
            for path in self.folder.iterdir():
                path.write_bytes(b"altered")
        return 200, {"receipt": sign(self.key, self.deposit, self.manifest(), now.isoformat()).to_json()}

    def manifest(self) -> Manifest:
        return tree.manifest(self.folder)

    @property
    def socket_path(self) -> Path:
        return self.layout.receivers / f"{self.deposit}.sock"

    def start(self) -> subprocess.Popen[bytes]:
        self.receiver = process.start(
            self.layout,
            process.Opening(
                self.deposit, self.folder, self.warden_socket, self.limit, self.grant.expires, self.networks,
                NOBODY, NOBODY, 0, self.grant.secret_sha256,
            ),
        )  # fmt: skip
        return self.receiver

    def kill(self) -> None:
        """As a crash would end it."""
        self.receiver.send_signal(signal.SIGKILL)
        self.receiver.wait()

    def client(self, address: str = "127.0.0.1", **headers: str) -> httpx.Client:
        """Straight to the receiver, with the header that the gateway writes."""
        common = {"X-Forwarded-For": address, "Tus-Resumable": "1.0.0", **headers}
        transport = httpx.HTTPTransport(uds=os.fspath(self.socket_path))
        return httpx.Client(base_url="http://d1", transport=transport, headers=common, timeout=30)

    def opened(self) -> httpx.Client:
        """A client that exchanged the token."""
        with self.client() as client:
            secret = client.post("/open", json={"token": self.token}).json()["secret"]
        return self.client(Authorization=f"Bearer {secret}")

    def close(self) -> None:
        process.stop_all(self.layout)
        self.receiver.wait()
        self._warden.shutdown()
        self._warden.server_close()

    def again(self, **changes: Any) -> Station:
        """Another deposit in place of this one."""
        self.close()
        self.warden_socket.unlink()
        shutil.rmtree(self.folder)
        return replace(self, **changes)


@pytest.fixture
def station() -> Iterator[Station]:
    layout = Layout(f"t{secrets.token_hex(4)}", 0)
    layout.run.mkdir(parents=True)
    station = Station(layout, layout.run / "volume")
    stations = [station]
    station.start()
    yield station
    for each in stations:
        each.close()
    shutil.rmtree(layout.run)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Gateway:
    """A running gateway for the station's deposit."""

    url: str
    authority: Path


@pytest.fixture
def gateway(station: Station, tmp_path: Path) -> Iterator[Gateway]:
    port = _free_port()
    url = f"https://{station.deposit}.deposit.localhost:{port}"
    (tmp_path / "Caddyfile").write_text(
        f"{{\n admin off\n skip_install_trust\n auto_https disable_redirects\n storage file_system {tmp_path}/caddy\n}}\n"
        f"{url} {{\n bind 127.0.0.1\n tls internal\n reverse_proxy unix/{station.socket_path}\n}}\n"
    )
    command = [Path(sys.executable).with_name("caddy"), "run", "--config", tmp_path / "Caddyfile"]
    caddy = subprocess.Popen([*map(str, command), "--adapter", "caddyfile"], stderr=subprocess.DEVNULL)
    authority = tmp_path / "caddy" / "pki" / "authorities" / "local" / "root.crt"
    try:
        deadline = time.monotonic() + 30
        while not _answers(url, authority):
            assert time.monotonic() < deadline and caddy.poll() is None
            time.sleep(0.1)
        yield Gateway(url, authority)
    finally:
        caddy.kill()
        caddy.wait()


def _answers(url: str, authority: Path) -> bool:
    if not authority.exists():
        return False
    try:
        with httpx.Client(transport=gateway_transport(authority)) as client:
            return client.options(url).status_code == 204
    except httpx.TransportError:
        return False


class Cutting(httpx.BaseTransport):
    """A transport that loses the connection after some bytes of every so-many-th body."""

    def __init__(self, station: Station, every: int) -> None:
        self._inner = LoopbackNames(httpx.HTTPTransport(uds=os.fspath(station.socket_path)))
        self._every, self._seen, self.cuts = every, 0, 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.headers["X-Forwarded-For"] = "127.0.0.1"
        if request.method == "PATCH":
            self._seen += 1
            if self._seen % self._every == 0:
                self.cuts += 1
                body = request.read()
                request.stream = _Half(body)
        return self._inner.handle_request(request)


class _Half(httpx.SyncByteStream):
    def __init__(self, body: bytes) -> None:
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        yield self._body[: len(self._body) // 2]
        raise httpx.WriteError("cut on purpose")
