"""A browser's part at an environment's host: hand in the ticket, open the stream, see pixels, try the clipboard."""

from __future__ import annotations

import socket
import ssl
import struct
from dataclasses import dataclass

import httpx
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from strongroom.layout import Layout
from strongroom.operate.demo.person import Page, PageError

RAW_32_BITS = struct.pack(">B3xBBBBHHHBBB3x", 0, 32, 24, 0, 1, 255, 255, 255, 16, 8, 0)
CUT_TEXT = 3
PATIENCE = 20.0
TRIES = 3


@dataclass(frozen=True)
class Seen:
    """What the viewer saw: size of the screen, whether more than one colour was drawn, whether a clipboard came back."""

    width: int
    height: int
    drawn: bool
    clipboard_answered: bool


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


def stream(layout: Layout, environment: str, cookie: str) -> ClientConnection:
    """Open the environment's stream as its page does, through the gateway."""
    host = layout.environment_host(environment)
    name = host.partition(":")[0]
    plain = socket.create_connection(("127.0.0.1", layout.port), PATIENCE)
    trusted = ssl.create_default_context(cafile=str(layout.authority))
    return connect(
        f"wss://{host}/websockify",
        sock=plain,
        ssl=trusted,
        server_hostname=name,
        origin=Origin(f"https://{host}"),
        additional_headers={"Cookie": cookie},
        max_size=None,
        open_timeout=PATIENCE,
        close_timeout=1,
    )


class Viewer:
    """The least of a remote desktop viewer (RFB 3.8, raw pixels)."""

    def __init__(self, connection: ClientConnection) -> None:
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
            more = self._connection.recv(timeout=PATIENCE)
            self._buffer += more if isinstance(more, bytes) else more.encode()
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def pixels(self) -> tuple[set[bytes], bool]:
        """Colours of the whole screen now, and whether clipboard content came along unasked."""
        self.send(struct.pack(">BBHHHH", 3, 0, 0, 0, self.width, self.height))
        clipboard = False
        while (kind := self._read(1)[0]) != 0:
            if kind != CUT_TEXT:
                raise PageError(f"the desktop sent a message of kind {kind}")
            clipboard = True
            self._read(struct.unpack(">3xI", self._read(7))[0])
        colours: set[bytes] = set()
        for _ in range(struct.unpack(">xH", self._read(3))[0]):
            _, _, width, height, _ = struct.unpack(">HHHHi", self._read(12))
            data = self._read(width * height * 4)
            colours.update(data[place : place + 3] for place in range(0, len(data), 4 * 101))
        return colours, clipboard

    def paste(self, text: bytes) -> None:
        """Offer clipboard content, as a viewer would."""
        self.send(struct.pack(">B3xI", 6, len(text)) + text)


def look(client: httpx.Client, page: Page, layout: Layout, environment: str) -> Seen:
    """Open the desktop behind a ticket page, look at it, and try to move a text through the clipboard."""
    cookie = enter(client, page)
    broke: Exception | None = None
    # The environment's page connects again by itself when a stream does not come up; so does this.
    for _ in range(TRIES):
        try:
            with stream(layout, environment, cookie) as connection:
                viewer = Viewer(connection)
                viewer.paste(b"a text from outside")
                colours, clipboard = viewer.pixels()
                return Seen(viewer.width, viewer.height, len(colours) > 1, clipboard)
        except (WebSocketException, TimeoutError, OSError) as error:
            broke = error
    raise PageError(f"the desktop's stream broke: {broke}") from broke
