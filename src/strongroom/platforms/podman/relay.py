"""The only way into a desktop: WebSocket on one side, the X server's RFB socket on the other, listed messages only.

Runs in the display container, from the image, with Python's standard library alone. Its listening socket is made by
the host and handed over as file descriptor 3, so no container ever chooses what the gateway connects to.
A message that is not listed ends the session: its length is unknown, so nothing after it could be judged.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import os
import socket
import struct
from dataclasses import asdict, dataclass, field

RAW, COPY_RECT, TIGHT, CURSOR, DESKTOP_SIZE = 0, 1, 7, -239, -223
# Quality and compression levels ask for nothing but a way of packing pixels.
LEVELS = frozenset({*range(-32, -22), *range(-256, -246)})
ENCODINGS = frozenset({RAW, COPY_RECT, TIGHT, CURSOR, DESKTOP_SIZE}) | LEVELS
VERSION = b"RFB 003.008\n"
NO_AUTHENTICATION = 1
DESKTOP_NAME = b"Strongroom"
LARGEST_TEXT = 1024 * 1024
LARGEST_FRAME = 1024 * 1024
LARGEST_SIDE = 16_384
KEY = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Refused(Exception):
    """Something that may not pass; the session ends."""


@dataclass
class Counts:
    """What this relay has let through and stopped since it started."""

    sessions: int = 0
    clipboard_in_refused: int = 0
    clipboard_out_refused: int = 0
    other_refused: int = 0
    open: int = field(default=0)


@dataclass(frozen=True)
class PixelFormat:
    """How the client asked for pixels; ``compact`` is the three-byte form that Tight uses."""

    size: int = 4
    compact: int = 4

    @classmethod
    def parse(cls, data: bytes) -> PixelFormat:
        """From the sixteen bytes of the protocol; refuses colour maps, which would need another message."""
        bits, depth, _big, true_colour, red, green, blue = struct.unpack(">BBBBHHH", data[:10])
        if bits not in (8, 16, 32) or not true_colour:
            raise Refused(f"pixel format of {bits} bits, true colour {true_colour}")
        small = bits == 32 and depth == 24 and (red, green, blue) == (255, 255, 255)
        return cls(bits // 8, 3 if small else bits // 8)


class WebSocket:
    """One accepted WebSocket: bytes in and out; control frames answered."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._buffer = bytearray()

    async def readexactly(self, count: int) -> bytes:
        """The next bytes of the stream, whatever frames they came in."""
        while len(self._buffer) < count:
            self._buffer += await self._frame()
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    async def skip(self, count: int) -> None:
        """Read and forget."""
        while count:
            count -= len(await self.readexactly(min(count, 65_536)))

    async def send(self, data: bytes) -> None:
        """Send one binary message."""
        self._writer.write(_frame_head(2, len(data)) + data)
        await self._writer.drain()

    async def _frame(self) -> bytes:
        while True:
            first, second = await self._reader.readexactly(2)
            kind, length = first & 0x0F, second & 0x7F
            if not second & 0x80:
                raise Refused("a frame without mask")
            if length == 126:
                (length,) = struct.unpack(">H", await self._reader.readexactly(2))
            elif length == 127:
                (length,) = struct.unpack(">Q", await self._reader.readexactly(8))
            if length > LARGEST_FRAME:
                raise Refused("a frame that is too long")
            mask = await self._reader.readexactly(4)
            data = _unmask(await self._reader.readexactly(length), mask)
            if kind in (0, 2):
                return data
            if kind == 9:
                self._writer.write(_frame_head(10, len(data)) + data)
            elif kind == 8:
                self._writer.write(_frame_head(8, len(data)) + data)
                raise EOFError
            elif kind != 10:
                raise Refused(f"a frame of kind {kind}")


def _frame_head(kind: int, length: int) -> bytes:
    if length < 126:
        return struct.pack(">BB", 0x80 | kind, length)
    if length < 65_536:
        return struct.pack(">BBH", 0x80 | kind, 126, length)
    return struct.pack(">BBQ", 0x80 | kind, 127, length)


def _unmask(data: bytes, mask: bytes) -> bytes:
    repeated = (mask * (len(data) // 4 + 1))[: len(data)]
    return (int.from_bytes(data, "big") ^ int.from_bytes(repeated, "big")).to_bytes(len(data), "big")


class Session:
    """One person's connection to the desktop."""

    def __init__(
        self, client: WebSocket, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, counts: Counts, text: bool
    ) -> None:
        self._client, self._reader, self._writer = client, reader, writer
        self._counts, self._text = counts, text
        self._format = PixelFormat()

    async def run(self) -> None:
        """Greet both sides, then pass messages until one of them ends."""
        await self._greet()
        tasks = [asyncio.create_task(self._from_client()), asyncio.create_task(self._from_server())]
        done, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        for task in done:
            task.result()

    async def _greet(self) -> None:
        if await self._reader.readexactly(12) != VERSION:
            raise Refused("a desktop of another protocol version")
        await self._client.send(VERSION)
        if await self._client.readexactly(12) != VERSION:
            raise Refused("a client of another protocol version")
        self._writer.write(VERSION)
        (kinds,) = await self._reader.readexactly(1)
        if NO_AUTHENTICATION not in await self._reader.readexactly(kinds):
            raise Refused("a desktop that asks for a password")
        await self._client.send(bytes([1, NO_AUTHENTICATION]))
        if await self._client.readexactly(1) != bytes([NO_AUTHENTICATION]):
            raise Refused("another kind of security")
        self._writer.write(bytes([NO_AUTHENTICATION]))
        if await self._reader.readexactly(4) != bytes(4):
            raise Refused("the desktop said no")
        await self._client.send(bytes(4))
        await self._client.readexactly(1)
        self._writer.write(b"\1")
        start = await self._reader.readexactly(24)
        await self._reader.readexactly(struct.unpack(">I", start[20:])[0])
        self._format = PixelFormat.parse(start[4:20])
        # The name is text that comes from inside; the client gets ours.
        await self._client.send(start[:20] + struct.pack(">I", len(DESKTOP_NAME)) + DESKTOP_NAME)

    # Client to desktop ------------------------------------------------------------------------------------
    async def _from_client(self) -> None:
        fixed = {3: 9, 4: 7, 5: 5}
        while True:
            (kind,) = await self._client.readexactly(1)
            if kind in fixed:
                self._writer.write(bytes([kind]) + await self._client.readexactly(fixed[kind]))
            elif kind == 0:
                await self._set_pixel_format()
            elif kind == 2:
                await self._set_encodings()
            elif kind == 6:
                await self._client_text()
            else:
                raise Refused(f"client message {kind}")
            await self._writer.drain()

    async def _set_pixel_format(self) -> None:
        data = await self._client.readexactly(19)
        self._format = PixelFormat.parse(data[3:])
        self._writer.write(b"\0" + data)

    async def _set_encodings(self) -> None:
        (count,) = struct.unpack(">xH", await self._client.readexactly(3))
        asked = struct.unpack(f">{count}i", await self._client.readexactly(4 * count))
        kept = [encoding for encoding in asked if encoding in ENCODINGS]
        self._writer.write(struct.pack(f">BxH{len(kept)}i", 2, len(kept), *kept))

    async def _client_text(self) -> None:
        head = await self._client.readexactly(7)
        (length,) = struct.unpack(">i", head[3:])
        if self._text and 0 <= length <= LARGEST_TEXT:
            self._writer.write(b"\6" + head + await self._client.readexactly(length))
            return
        self._counts.clipboard_in_refused += 1
        await self._client.skip(abs(length))

    # Desktop to client ------------------------------------------------------------------------------------
    async def _from_server(self) -> None:
        while True:
            (kind,) = await self._reader.readexactly(1)
            if kind == 0:
                await self._update()
            elif kind == 2:
                continue
            elif kind == 3:
                await self._server_text()
            else:
                raise Refused(f"desktop message {kind}")

    async def _server_text(self) -> None:
        head = await self._reader.readexactly(7)
        (length,) = struct.unpack(">i", head[3:])
        if self._text and 0 <= length <= LARGEST_TEXT:
            await self._client.send(b"\3" + head + await self._reader.readexactly(length))
            return
        self._counts.clipboard_out_refused += 1
        left = abs(length)
        while left:
            left -= len(await self._reader.readexactly(min(left, 65_536)))

    async def _update(self) -> None:
        head = await self._reader.readexactly(3)
        pieces = [b"\0" + head]
        for _ in range(struct.unpack(">xH", head)[0]):
            pieces += await self._rectangle()
        await self._client.send(b"".join(pieces))

    async def _rectangle(self) -> list[bytes]:
        head = await self._reader.readexactly(12)
        _x, _y, width, height, encoding = struct.unpack(">HHHHi", head)
        if width > LARGEST_SIDE or height > LARGEST_SIDE:
            raise Refused("a rectangle that is too large")
        if encoding == RAW:
            return [head, await self._reader.readexactly(width * height * self._format.size)]
        if encoding == COPY_RECT:
            return [head, await self._reader.readexactly(4)]
        if encoding == DESKTOP_SIZE:
            return [head]
        if encoding == CURSOR:
            mask = (width + 7) // 8 * height
            return [head, await self._reader.readexactly(width * height * self._format.size + mask)]
        if encoding == TIGHT:
            return [head, *await self._tight(width, height)]
        raise Refused(f"encoding {encoding}")

    async def _tight(self, width: int, height: int) -> list[bytes]:
        control = await self._reader.readexactly(1)
        kind = control[0] >> 4
        if kind == 8:
            return [control, await self._reader.readexactly(self._format.compact)]
        if kind == 9:
            return [control, *await self._counted()]
        if kind > 9:
            raise Refused(f"Tight packing {kind}")
        pieces, size = [control], width * height * self._format.compact
        if kind & 4:
            filtered = await self._reader.readexactly(1)
            pieces.append(filtered)
            if filtered[0] == 1:
                count = await self._reader.readexactly(1)
                colours = count[0] + 1
                pieces += [count, await self._reader.readexactly(colours * self._format.compact)]
                size = (width + 7) // 8 * height if colours <= 2 else width * height
            elif filtered[0] not in (0, 2):
                raise Refused(f"Tight filter {filtered[0]}")
        if size < 12:
            return [*pieces, await self._reader.readexactly(size)]
        return [*pieces, *await self._counted()]

    async def _counted(self) -> list[bytes]:
        """Data preceded by its length in one to three bytes of seven bits."""
        head, length = b"", 0
        for shift in (0, 7, 14):
            byte = await self._reader.readexactly(1)
            head += byte
            length |= (byte[0] & (0xFF if shift == 14 else 0x7F)) << shift
            if shift < 14 and not byte[0] & 0x80:
                break
        return [head, await self._reader.readexactly(length)]


class Relay:
    """Serves the session socket."""

    def __init__(self, rfb: str, text: bool) -> None:
        self._rfb, self._text = rfb, text
        self.counts = Counts()

    async def serve(self, listening: socket.socket) -> None:
        """Serve for ever."""
        async with await asyncio.start_unix_server(self._accept, sock=listening) as server:
            await server.serve_forever()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(10):
                key, protocol, target = await _request(reader)
            if not key:
                _answer(writer, target, self.counts)
                return
            accept = base64.b64encode(hashlib.sha1(key + KEY, usedforsecurity=False).digest()).decode()
            lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
            lines += [f"Sec-WebSocket-Accept: {accept}", *(["Sec-WebSocket-Protocol: binary"] if protocol else [])]
            writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
            await self._session(WebSocket(reader, writer))
        except Refused:
            self.counts.other_refused += 1
        except (EOFError, OSError, TimeoutError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _session(self, client: WebSocket) -> None:
        reader, writer = await asyncio.open_unix_connection(self._rfb, limit=1 << 20)
        self.counts.sessions += 1
        self.counts.open += 1
        try:
            await Session(client, reader, writer, self.counts, self._text).run()
        finally:
            self.counts.open -= 1
            writer.close()


async def _request(reader: asyncio.StreamReader) -> tuple[bytes, bool, str]:
    """WebSocket key (empty for an ordinary request), whether ``binary`` is offered, and the path."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise Refused("a request that is too long") from None
    first, *lines = head.decode("latin-1").split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3 or parts[0] != "GET":
        raise Refused("a request that is not GET")
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    key = fields.get("sec-websocket-key", "") if fields.get("upgrade", "").lower() == "websocket" else ""
    return key.encode(), "binary" in fields.get("sec-websocket-protocol", ""), parts[1]


def _answer(writer: asyncio.StreamWriter, target: str, counts: Counts) -> None:
    status = "200 OK" if target == "/counts" else "404 Not Found"
    body = json.dumps(asdict(counts)) if target == "/counts" else "{}"
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close"
    writer.write(f"{head}\r\n\r\n{body}".encode())


def main() -> None:
    """Serve file descriptor 3, for the RFB socket named in the environment."""
    listening = socket.socket(fileno=3)
    listening.setblocking(False)
    relay = Relay(os.environ["STRONGROOM_RFB"], os.environ.get("STRONGROOM_CLIPBOARD") == "allowed")
    asyncio.run(relay.serve(listening))


if __name__ == "__main__":
    main()
