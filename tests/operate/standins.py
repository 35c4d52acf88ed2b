"""Small stand-ins for the processes of other parts, for tests of the gateway and the supervisor alone."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import socketserver
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from strongroom.layout import Layout

DEADLINE = 30.0


def free_layout(word: str) -> Layout:
    """A layout that nothing else on this machine uses: its own name, two free neighbouring ports."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
        return Layout(f"{word}{os.getpid() % 100000}", port)


def wait_for(what: Callable[[], Any], why: str, seconds: float = DEADLINE) -> Any:
    """Ask again and again until the answer is true; fails with `why` when the time is over."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if answer := what():
            return answer
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {why}")


class _Echo(BaseHTTPRequestHandler):
    """Answers with what arrived, as JSON."""

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        arrived = len(self.rfile.read(length))
        said = {"path": self.path, "method": self.command, "body": arrived, "headers": dict(self.headers.items())}
        self.reply(200, json.dumps(said).encode())

    do_GET = do_POST = do_PUT = do_PATCH = do_HEAD = answer  # noqa: N815

    def reply(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (*headers, ("Content-Length", str(len(body))), ("Set-Cookie", "planted=1")):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_: Any) -> None:
        """Quiet."""


class Entry(_Echo):
    """The entry desk: the cookie `good` passes; the ticket `t` is exchanged for it."""

    asked: list[dict[str, str]] = []

    def answer(self) -> None:
        Entry.asked.append({**dict(self.headers.items()), "path": self.path})
        if self.path == "/check":
            good = "__Host-entry=good" in self.headers.get("Cookie", "")
            return self.reply(204 if good else 401, b"" if good else b"no entry")
        ticket = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/enter" and ticket == b"ticket=t":
            return self.reply(
                303,
                b"",
                ("Location", "/"),
                ("Set-Cookie", "__Host-entry=good; Secure; HttpOnly; Path=/; SameSite=Strict"),
            )
        return self.reply(403, b"this ticket does not count")

    do_GET = do_POST = answer  # noqa: N815


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 128


@contextmanager
def serving(path: Path, handler: type[BaseHTTPRequestHandler] = _Echo) -> Iterator[None]:
    """Serve on a Unix socket while the block runs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    server = _Server(str(path), handler)
    path.chmod(0o777)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def program(*arguments: str, environ: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program while the block runs."""
    with log.open("wb") as output:
        process = subprocess.Popen(arguments, env=environ, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def remove(layout: Layout) -> None:
    """Remove the folders of a test's instance."""
    for folder in (layout.state, layout.run, layout.code):
        shutil.rmtree(folder, ignore_errors=True)


class Client:
    """Speaks TLS to a port of this machine under any host name, trusting the gateway's own authority alone."""

    def __init__(self, authority: Path) -> None:
        self.context = ssl.create_default_context(cafile=str(authority))

    def ask(
        self, host: str, path: str = "/", method: str = "GET", body: bytes = b"", source: str = "", **headers: str
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Status, headers and body of the answer; `host` is NAME:PORT, `source` the address to come from."""
        name, _, port = host.partition(":")
        raw = socket.create_connection(("127.0.0.1", int(port)), 10, (source, 0) if source else None)
        connection = http.client.HTTPConnection(name, int(port), timeout=10)
        connection.sock = self.context.wrap_socket(raw, server_hostname=name)
        try:
            connection.putrequest(method, path, skip_host=True)
            connection.putheader("Host", host)
            connection.putheader("Content-Length", str(len(body)))
            for key, value in headers.items():
                connection.putheader(key.replace("_", "-"), value)
            connection.endheaders()
            if body:
                connection.send(body)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()
