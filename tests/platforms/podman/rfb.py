"""A small viewer for tests: WebSocket over a Unix socket, RFB inside, raw pixels only."""

from __future__ import annotations

import base64
import os
import socket
import struct
from pathlib import Path
from typing import Self

from PIL import Image

SET_PIXELS = struct.pack(">B3xBBBBHHHBBB3x", 0, 32, 24, 0, 1, 255, 255, 255, 0, 8, 16)


class Viewer:
    """One session; ``width`` and ``height`` are the desktop's."""

    def __init__(self, path: Path, patience: float = 20) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(patience)
        self._socket.connect(str(path))
        self._buffer = b""
        self._upgrade()
        assert self.read(12) == b"RFB 003.008\n"
        self.send(b"RFB 003.008\n")
        kinds = self.read(self.read(1)[0])
        assert kinds == b"\1", kinds
        self.send(b"\1")
        assert self.read(4) == bytes(4)
        self.send(b"\1")
        start = self.read(24)
        self.width, self.height = struct.unpack(">HH", start[:4])
        self.name = self.read(struct.unpack(">I", start[20:])[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _upgrade(self) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        head = f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13"
        self._socket.sendall(f"GET /websockify HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n".encode())
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += self._some(1)
        assert b" 101 " in answer, answer

    def _some(self, count: int) -> bytes:
        got = self._socket.recv(count)
        if not got:
            raise EOFError("the relay ended the session")
        return got

    def _exactly(self, count: int) -> bytes:
        got = bytearray()
        while len(got) < count:
            got += self._some(min(count - len(got), 1 << 20))
        return bytes(got)

    def read(self, count: int) -> bytes:
        """Bytes from the desktop."""
        while len(self._buffer) < count:
            _first, length = self._exactly(2)
            if length == 126:
                (length,) = struct.unpack(">H", self._exactly(2))
            elif length == 127:
                (length,) = struct.unpack(">Q", self._exactly(8))
            self._buffer += self._exactly(length)
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def send(self, data: bytes) -> None:
        """Bytes to the desktop, as one masked frame."""
        size = struct.pack(">B", 0x80 | len(data)) if len(data) < 126 else struct.pack(">BH", 0xFE, len(data))
        mask = os.urandom(4)
        self._socket.sendall(b"\x82" + size + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data)))

    def key(self, code: int) -> None:
        """Press and release a key."""
        self.send(struct.pack(">BBxxI", 4, 1, code) + struct.pack(">BBxxI", 4, 0, code))

    def click(self, x: int, y: int) -> None:
        """Press and release the first button."""
        for buttons in (0, 1, 0):
            self.send(struct.pack(">BBHH", 5, buttons, x, y))

    def screenshot(self) -> Image.Image:
        """The whole screen now."""
        self.send(SET_PIXELS)
        self.send(struct.pack(">BxHi", 2, 1, 0))
        self.send(struct.pack(">BBHHHH", 3, 0, 0, 0, self.width, self.height))
        picture = Image.new("RGB", (self.width, self.height))
        assert self.read(1) == b"\0"
        for _ in range(struct.unpack(">xH", self.read(3))[0]):
            x, y, width, height, encoding = struct.unpack(">HHHHi", self.read(12))
            assert encoding == 0, encoding
            pixels = self.read(width * height * 4)
            picture.paste(Image.frombytes("RGB", (width, height), pixels, "raw", "RGBX"), (x, y))
        return picture
