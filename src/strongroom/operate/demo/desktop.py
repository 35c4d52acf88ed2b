"""A browser's part at an environment's host: hand in the ticket, open the stream, see pixels, type, try the clipboard."""

from __future__ import annotations

import socket
import ssl
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import httpx
from websockets.client import ClientProtocol
from websockets.exceptions import WebSocketException
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.typing import Origin
from websockets.uri import parse_uri

from strongroom.layout import Layout
from strongroom.operate.demo.person import Page, PageError

RAW_32_BITS = struct.pack(">B3xBBBBHHHBBB3x", 0, 32, 24, 0, 1, 255, 255, 255, 16, 8, 0)
CUT_TEXT = 3
PATIENCE = 20.0
TRIES = 3
# Key symbols of X.
RETURN, SHIFT, CONTROL = 0xFF0D, 0xFFE1, 0xFFE3
LOOK_SECONDS = 0.2
RESTING_LOOKS = 3
# Colours in a sample once JupyterLab shows more than its empty page.
DRAWN = 40
# Shares of the screen: a window opens; a text cursor blinks.
OPENED, BLINKS = 0.01, 0.001
SAMPLED = 101
T = TypeVar("T")


@dataclass(frozen=True)
class Picture:
    """The whole screen at one moment, four bytes to a pixel, and whether clipboard content came along."""

    pixels: bytes
    clipboard: bool

    @property
    def sample(self) -> list[bytes]:
        """Every so many pixels, row by row."""
        return [self.pixels[at : at + 3] for at in range(0, len(self.pixels), 4 * SAMPLED)]

    @property
    def colours(self) -> int:
        """How many colours there are among those that were sampled."""
        return len(set(self.sample))

    def differs(self, other: Picture) -> float:
        """Share of the screen that is not as in another picture."""
        pairs = list(zip(self.sample, other.sample, strict=True))
        return sum(one != another for one, another in pairs) / len(pairs)


def enter(client: httpx.Client, page: Page) -> str:
    """Hand the ticket of a desktop page in at the environment's host; returns the cookie header for its stream."""
    form = next((form for form in page.forms if form.action.endswith("/enter")), None)
    if form is None:
        raise PageError(f"{page.url} has no ticket: {page.text[:300]}")
    answer = client.post(form.action, data={"ticket": form.fields["ticket"][0]})
    cookies = [value.split(";", 1)[0] for value in answer.headers.get_list("set-cookie")]
    if answer.status_code != 200 or not cookies:
        raise PageError(f"the ticket was not taken ({answer.status_code}): {answer.text[:300]}")
    return cookies[0]


class Stream:
    """A WebSocket over TLS that one thread reads and writes.

    The client of ``websockets`` that waits in a thread of its own reads and writes one TLS connection at the same
    time, which OpenSSL does not allow: about one opening in a thousand lost its request.
    """

    def __init__(self, connection: ssl.SSLSocket, protocol: ClientProtocol, headers: Mapping[str, str]) -> None:
        self._connection, self._protocol = connection, protocol
        request = protocol.connect()
        request.headers.update(headers)
        protocol.send_request(request)
        self._flush()
        while protocol.state is State.CONNECTING and protocol.handshake_exc is None:
            self._receive()
        if protocol.handshake_exc is not None:
            self.close()
            raise protocol.handshake_exc

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def send(self, message: bytes) -> None:
        """One message to the other end."""
        self._protocol.send_binary(message)
        self._flush()

    def read(self) -> bytes:
        """What came, at least a byte. Raises ConnectionError when the stream has ended, TimeoutError when nothing comes."""
        while True:
            frames = [one for one in self._protocol.events_received() if isinstance(one, Frame)]
            if came := b"".join(frame.data for frame in frames if frame.opcode in (Opcode.BINARY, Opcode.CONT)):
                return came
            if self._protocol.state is not State.OPEN:
                raise ConnectionError("the desktop's stream has ended")
            self._receive()

    def _receive(self) -> None:
        if came := self._connection.recv(1 << 16):
            self._protocol.receive_data(came)
        else:
            self._protocol.receive_eof()
        self._flush()

    def _flush(self) -> None:
        for part in self._protocol.data_to_send():
            if part:
                self._connection.sendall(part)


def stream(layout: Layout, environment: str, cookie: str, origin: str = "") -> Stream:
    """Open the environment's stream as its page does, through the gateway; of another origin if one is given."""
    host = layout.environment_host(environment)
    plain = socket.create_connection(("127.0.0.1", layout.port), PATIENCE)
    trusted = ssl.create_default_context(cafile=str(layout.authority))
    secure = trusted.wrap_socket(plain, server_hostname=host.partition(":")[0])
    address = parse_uri(f"wss://{host}/websockify")
    protocol = ClientProtocol(address, origin=Origin(origin or f"https://{host}"), max_size=None)
    return Stream(secure, protocol, {"Cookie": cookie})


class Viewer:
    """The least of a remote desktop viewer (RFB 3.8, raw pixels)."""

    def __init__(self, connection: Stream) -> None:
        self._connection = connection
        self._buffer = b""
        if self._read(12) != b"RFB 003.008\n":
            raise PageError("no remote desktop answers")
        self.send(b"RFB 003.008\n")
        self._read(self._read(1)[0])
        self.send(b"\x01")
        self._read(4)
        self.send(b"\x01")
        self.width, self.height = struct.unpack(">HH", self._read(4))
        self._read(16)
        self._read(struct.unpack(">I", self._read(4))[0])
        self.send(RAW_32_BITS)
        self.send(struct.pack(">BxHi", 2, 1, 0))

    def send(self, message: bytes) -> None:
        """One message to the desktop."""
        self._connection.send(message)

    def _read(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._buffer += self._connection.read()
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def picture(self) -> Picture:
        """The whole screen now."""
        self.send(struct.pack(">BBHHHH", 3, 0, 0, 0, self.width, self.height))
        clipboard = False
        while (kind := self._read(1)[0]) != 0:
            if kind != CUT_TEXT:
                raise PageError(f"the desktop sent a message of kind {kind}")
            clipboard = True
            self._read(struct.unpack(">3xI", self._read(7))[0])
        pixels, line = bytearray(self.width * self.height * 4), self.width * 4
        for _ in range(struct.unpack(">xH", self._read(3))[0]):
            x, y, width, height, _ = struct.unpack(">HHHHi", self._read(12))
            data = self._read(width * height * 4)
            for row in range(height):
                at = (y + row) * line + x * 4
                pixels[at : at + width * 4] = data[row * width * 4 : (row + 1) * width * 4]
        return Picture(bytes(pixels), clipboard)

    def paste(self, text: bytes) -> None:
        """Offer clipboard content, as a viewer would."""
        self.send(struct.pack(">B3xI", 6, len(text)) + text)

    def press(self, *keys: int) -> None:
        """Press keys together, as a shortcut is pressed."""
        for key in keys:
            self.send(struct.pack(">BBxxI", 4, 1, key))
        for key in reversed(keys):
            self.send(struct.pack(">BBxxI", 4, 0, key))

    def type(self, text: str) -> None:
        """Type a text, key by key; Latin-1 and line ends only."""
        for letter in text:
            self.press(RETURN if letter == "\n" else ord(letter))

    def rest(self, before: Picture | None = None) -> Picture:
        """Watch until JupyterLab is drawn and rests, and something has opened since an earlier picture, as a person does."""
        ends = time.monotonic() + PATIENCE
        seen, rested = self.picture(), 0
        while time.monotonic() < ends:
            time.sleep(LOOK_SECONDS)
            seen, last = self.picture(), seen
            rested = rested + 1 if seen.differs(last) < BLINKS else 0
            opened = before is None or seen.differs(before) > OPENED
            if opened and rested >= RESTING_LOOKS and seen.colours >= DRAWN:
                return seen
        raise PageError("the desktop does not answer to the keyboard" if before else "the desktop does not rest")

    def open_terminal(self) -> None:
        """Open a terminal of JupyterLab by its list of commands."""
        at_first = self.rest()
        self.press(CONTROL, SHIFT, ord("C"))
        asked = self.rest(at_first)
        self.type("New Terminal")
        found = self.rest(asked)
        self.press(RETURN)
        self.rest(found)


def look(viewer: Viewer) -> Picture:
    """Look at the desktop and try to move a text in and out through the clipboard."""
    viewer.paste(b"a text from outside")
    return viewer.picture()


def type_and_run(name: str, program: str, command: str) -> Callable[[Viewer], None]:
    """Type a program into a file at a terminal, then a command."""

    def at_the_keyboard(viewer: Viewer) -> None:
        viewer.open_terminal()
        viewer.type(f"cat > {name}\n{program}")
        viewer.press(CONTROL, ord("d"))
        viewer.type(f"{command}\n")
        viewer.picture()

    return at_the_keyboard


def sit(client: httpx.Client, page: Page, layout: Layout, environment: str, do: Callable[[Viewer], T]) -> T:
    """Open the desktop behind a ticket page and do something there. Raises PageError when its stream keeps breaking."""
    cookie = enter(client, page)
    broke: Exception | None = None
    # The environment's page connects again by itself when a stream does not come up; so does this.
    for _ in range(TRIES):
        try:
            with stream(layout, environment, cookie) as connection:
                return do(Viewer(connection))
        except (WebSocketException, TimeoutError, OSError) as error:
            broke = error
    raise PageError(f"the desktop's stream broke: {broke}") from broke
