"""The receiver's HTTP: tus 1.0.0 with creation, checksum (SHA-256) and termination, plus ``/open`` and ``/complete``.

There is no way to list or read anything: HEAD of an upload, for the holder of the secret, tells how far it got.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import socket
import socketserver
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from typing import Any

from strongroom.warden.receiver import tokens
from strongroom.warden.receiver.gate import Gate
from strongroom.warden.receiver.uploads import Refusal, Upload, Uploads
from strongroom.warden.receiver.warden_call import ask

VERSION = "1.0.0"
EXTENSIONS = "creation,checksum,termination"
MOST_CONNECTIONS = 64
LONGEST_JSON = 1 << 20
LONGEST_DRAIN = 1 << 20
IDLE_SECONDS = 30
PATIENCE_SECONDS = 10


@dataclass(frozen=True)
class Settings:
    """What one receiver is started with."""

    deposit: str
    gate: Gate
    warden_socket: str
    secret_sha256: str = ""


class Receiver(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Serves one deposit on a listening Unix socket."""

    daemon_threads = True

    def __init__(self, settings: Settings, uploads: Uploads, listening: socket.socket) -> None:
        super().__init__("", Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.settings, self.uploads = settings, uploads
        self.secret_sha256 = settings.secret_sha256
        self._places = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._sending: dict[str, socket.socket] = {}

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        kind = sys.exc_info()[0]
        if kind and not issubclass(kind, OSError):
            super().handle_error(request, client_address)

    @contextlib.contextmanager
    def holding(self, upload: str, connection: socket.socket | None = None) -> Any:
        """One request at a time per upload; an older one, probably of a cut connection, is ended first."""
        with self._guard:
            lock = self._locks.setdefault(upload, threading.Lock())
            if older := self._sending.get(upload):
                with contextlib.suppress(OSError):
                    older.shutdown(socket.SHUT_RD)
        if not lock.acquire(timeout=PATIENCE_SECONDS):
            raise Refusal(423, "locked", "another connection is sending this file: try again in a moment")
        try:
            if connection:
                with self._guard:
                    self._sending[upload] = connection
            yield
        finally:
            with self._guard:
                self._sending.pop(upload, None)
            lock.release()


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    server: Receiver
    _left = 0

    # Every request passes here ------------------------------------------------------------------------------
    def _serve(self, act: Callable[[], None], *, secret: bool = True, tus: bool = True) -> None:
        try:
            self._left = self._length()
            origin = self.headers.get("Origin")
            forwarded = self.headers.get_all("X-Forwarded-For") or []
            self.server.settings.gate.admit(forwarded, origin, datetime.now(UTC))
            if secret and not tokens.same(self._bearer(), self.server.secret_sha256):
                raise Refusal(401, "secret", "this is not the secret of this deposit: open it with your token first")
            if tus and self.server.uploads.completed:
                raise Refusal(410, "complete", "this deposit is complete: nothing can be added or changed")
            if tus and self.headers.get("Tus-Resumable") != VERSION:
                raise Refusal(412, "version", f"send Tus-Resumable: {VERSION}")
            act()
        except Refusal as refusal:
            self._json(refusal.status, {"error": refusal.code, "message": str(refusal)})
        except OSError as error:
            self.close_connection = True
            print(f"receiver: {self.command}: {error}", file=sys.stderr, flush=True)
            with contextlib.suppress(OSError):
                self._json(500, {"error": "disk", "message": "the file could not be written: try again later"})

    def do_OPTIONS(self) -> None:
        self._serve(self._options, secret=False, tus=False)

    def do_POST(self) -> None:
        match self.path:
            case "/open":
                self._serve(self._open, secret=False, tus=False)
            case "/complete":
                self._serve(self._complete, tus=False)
            case "/files":
                self._serve(self._create)
            case _:
                self._serve(self._nowhere)

    def do_HEAD(self) -> None:
        self._serve(self._offset)

    def do_PATCH(self) -> None:
        self._serve(self._append)

    def do_DELETE(self) -> None:
        self._serve(self._terminate)

    def do_GET(self) -> None:
        self._serve(self._write_only, secret=False, tus=False)

    do_PUT = do_GET

    # Requests -----------------------------------------------------------------------------------------------
    def _options(self) -> None:
        self._answer(204, self._discovery())

    def _discovery(self) -> dict[str, str]:
        limit = str(self.server.uploads.limit)
        algorithm = {"Tus-Max-Size": limit, "Tus-Checksum-Algorithm": "sha256"}
        return {"Tus-Version": VERSION, "Tus-Extension": EXTENSIONS, **algorithm}

    def _write_only(self) -> None:
        raise Refusal(405, "write-only", "a deposit takes files and gives nothing back")

    def _nowhere(self) -> None:
        raise Refusal(404, "unknown", "there is nothing here: files are sent to /files")

    def _open(self) -> None:
        token = self._body().get("token")
        if not isinstance(token, str) or not token:
            raise Refusal(400, "token", 'send {"token": "…"} with the token from the deposit\'s page')
        status, answer = self._warden("open", {"token": token})
        if status == 200:
            self.server.secret_sha256 = tokens.sha256(str(answer["secret"]))
            settings = self.server.settings
            expires = settings.gate.expires.isoformat()
            limit = self.server.uploads.limit
            answer = {"secret": answer["secret"], "deposit": settings.deposit, "limit": limit, "expires": expires}
        self._json(status, answer)

    def _complete(self) -> None:
        claimed = self._body().get("digest")
        self.server.uploads.complete()
        content = {"secret": self._bearer(), "digest": claimed if isinstance(claimed, str) else None}
        self._json(*self._warden("complete", content))

    def _create(self) -> None:
        length = self.headers.get("Upload-Length", "")
        if not (length.isascii() and length.isdigit() and len(length) < 19):
            raise Refusal(400, "length", "send Upload-Length, the size of the file in bytes")
        upload = self.server.uploads.create(self._file_name(), int(length))
        self._answer(201, {"Location": f"/files/{upload.id}", "Upload-Offset": str(upload.offset)})

    def _offset(self) -> None:
        uploads, name = self.server.uploads, self._upload_id()
        with self.server.holding(name):
            upload = uploads.get(name)
        progress = {"Upload-Offset": str(upload.offset), "Upload-Length": str(upload.length)}
        self._answer(200, {**progress, "Cache-Control": "no-store"})

    def _append(self) -> None:
        uploads, name = self.server.uploads, self._upload_id()
        if self.headers.get("Content-Type") != "application/offset+octet-stream":
            raise Refusal(415, "type", "send Content-Type: application/offset+octet-stream")
        if self.headers.get("Content-Length") is None:
            raise Refusal(411, "length", "send Content-Length, the number of bytes of this part")
        offset = self.headers.get("Upload-Offset", "")
        if not (offset.isascii() and offset.isdigit() and len(offset) < 19):
            raise Refusal(400, "offset", "send Upload-Offset, where these bytes belong")
        count, checksum = self._left, self._checksum()
        with self.server.holding(name, self.connection):
            upload = uploads.append(name, int(offset), self._read, count, checksum)
        if self._left:
            # The connection was cut; what was synced is kept, and nobody is there to hear more.
            self.close_connection = True
            return
        self._answer(204, {"Upload-Offset": str(upload.offset)})

    def _terminate(self) -> None:
        name = self._upload_id()
        with self.server.holding(name):
            self.server.uploads.terminate(name)
        self._answer(204, {})

    # Pieces of requests -------------------------------------------------------------------------------------
    def _length(self) -> int:
        if "Transfer-Encoding" in self.headers:
            self.close_connection = True
            raise Refusal(411, "length", "send Content-Length instead of a chunked body")
        lengths = self.headers.get_all("Content-Length") or ["0"]
        if len(lengths) != 1 or not (lengths[0].isascii() and lengths[0].isdigit() and len(lengths[0]) < 19):
            self.close_connection = True
            raise Refusal(400, "length", "send one Content-Length, a number of bytes")
        return int(lengths[0])

    def _read(self, most: int) -> bytes:
        try:
            block: bytes = self.rfile.read1(min(most, self._left))
        except OSError:
            # A cut connection is an end like any other; it must not look like an error of the disk.
            return b""
        self._left -= len(block)
        return block

    def _body(self) -> dict[str, Any]:
        if self._left > LONGEST_JSON:
            raise Refusal(413, "large", f"at most {LONGEST_JSON} bytes of JSON")
        content = bytearray()
        while self._left and (block := self._read(self._left)):
            content += block
        try:
            fields = json.loads(bytes(content) or b"{}")
        except ValueError:
            fields = None
        if not isinstance(fields, dict):
            raise Refusal(400, "json", "send a JSON object")
        return fields

    def _bearer(self) -> str:
        scheme, _, secret = self.headers.get("Authorization", "").partition(" ")
        return secret.strip() if scheme.lower() == "bearer" else ""

    def _upload_id(self) -> str:
        folder, _, name = self.path.removeprefix("/").partition("/")
        if folder != "files":
            raise Refusal(404, "unknown", "there is no such upload")
        upload: Upload = self.server.uploads.get(name)
        return upload.id

    def _file_name(self) -> str:
        for pair in self.headers.get("Upload-Metadata", "").split(","):
            key, _, value = pair.strip().partition(" ")
            if key == "filename":
                try:
                    return base64.b64decode(value, validate=True).decode()
                except (ValueError, binascii.Error):
                    raise Refusal(400, "name", "the file name in Upload-Metadata must be base64 of UTF-8") from None
        raise Refusal(400, "name", "send Upload-Metadata: filename, then the name in base64")

    def _checksum(self) -> bytes | None:
        header = self.headers.get("Upload-Checksum")
        if header is None:
            return None
        algorithm, _, value = header.partition(" ")
        with contextlib.suppress(ValueError, binascii.Error):
            digest = base64.b64decode(value, validate=True)
            if algorithm == "sha256" and len(digest) == 32:
                return digest
        raise Refusal(400, "checksum", "send Upload-Checksum: sha256, then the digest in base64")

    def _warden(self, act: str, content: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        settings = self.server.settings
        try:
            return ask(settings.warden_socket, settings.deposit, act, content)
        except OSError as error:
            print(f"receiver: warden: {error}", file=sys.stderr, flush=True)
            raise Refusal(503, "warden", "the platform is busy or restarting: try again in a minute") from None

    # Answers ------------------------------------------------------------------------------------------------
    def _json(self, status: int, fields: dict[str, Any]) -> None:
        self._answer(status, {"Content-Type": "application/json"}, json.dumps(fields).encode())

    def _answer(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self._drain()
        self.send_response_only(status)
        common = {"Tus-Resumable": VERSION, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        if status == 401:
            common["WWW-Authenticate"] = "Bearer"
        if status == 412:
            common["Tus-Version"] = VERSION
        cross = self.server.settings.gate.cross_origin(self.headers.get("Origin"))
        for name, value in {**common, **cross, **headers}.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _drain(self) -> None:
        """Read what little is left of a refused body, so that the sender hears why instead of a reset."""
        most = LONGEST_DRAIN
        while self._left and most > 0 and (block := self._read(min(1 << 16, most))):
            most -= len(block)
        if self._left:
            self.close_connection = True

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing: names of files do not belong in logs."""
