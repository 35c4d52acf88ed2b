"""The warden's doors: small HTTP servers on Unix sockets, each for one neighbour alone."""

from __future__ import annotations

import json
import logging
import os
import re
import socketserver
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

LARGEST_JSON = 1024 * 1024
log = logging.getLogger("warden")


class NotAllowed(Exception):
    """Who asks may not see this; says why."""


@dataclass(frozen=True)
class Request:
    """One request as a door sees it."""

    match: re.Match[str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body as a JSON object. Raises ValueError."""
        value = json.loads(self.body)
        if not isinstance(value, dict):
            raise ValueError("needs a JSON object")
        return value

    @property
    def bearer(self) -> str:
        """The token of the Authorization header, or ""."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""


@dataclass(frozen=True)
class Reply:
    """Answer of a door."""

    status: int
    body: bytes = b""
    kind: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, value: Any, status: int = 200) -> Reply:
        return cls(status, json.dumps(value).encode())


@dataclass(frozen=True)
class Door:
    """One method and path (a whole-path regular expression), its handler, and the largest body (bytes) it takes."""

    method: str
    path: str
    handler: Callable[[Request], Reply]
    largest: int = LARGEST_JSON


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Serves doors on a socket that one group may open."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, path: Path, group: int, doors: tuple[Door, ...]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        self.doors = doors
        before = os.umask(0o177)
        try:
            super().__init__(str(path), _Handler)
        finally:
            os.umask(before)
        os.chown(path, 0, group)
        path.chmod(0o660)

    def start(self) -> None:
        """Serve from a thread of its own."""
        threading.Thread(target=self.serve_forever, daemon=True, name="door").start()


class _Handler(BaseHTTPRequestHandler):
    server: UnixServer
    protocol_version = "HTTP/1.1"
    timeout = 120

    def _serve(self) -> None:
        split = urlsplit(self.path)
        for door in self.server.doors:
            if door.method == self.command and (match := re.fullmatch(door.path, split.path)):
                return self._answer(self._run(door, match, split.query))
        return self._answer(Reply.of({"reason": "there is no such door"}, 404))

    do_GET = do_POST = do_PUT = _serve  # noqa: N815

    def _run(self, door: Door, match: re.Match[str], query: str) -> Reply:
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > door.largest or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            return Reply.of({"reason": f"the body may have at most {door.largest} bytes"}, 413)
        body = self.rfile.read(int(length))
        values = {name: value[0] for name, value in parse_qs(query).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            return door.handler(Request(match, values, headers, body))
        except NotAllowed as error:
            return Reply.of({"reason": str(error)}, 403)
        except (ValueError, KeyError, TypeError) as error:
            log.info("%s %s: %r", self.command, self.path, error)
            return Reply.of({"reason": f"this is not well formed: {error}"}, 400)
        except Exception:
            log.exception("%s %s", self.command, self.path)
            return Reply.of({"reason": "the warden could not do this; nothing was decided"}, 500)

    def _answer(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers:
            self.send_header(name, value)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_: Any) -> None:
        """Access lines are the gateway's; the record keeps what matters."""
