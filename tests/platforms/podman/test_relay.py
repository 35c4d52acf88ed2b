"""The relay between a hostile desktop and a hostile viewer: only listed messages pass."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from strongroom.platforms.podman import session
from strongroom.platforms.podman.driver import HAND_OVER
from strongroom.platforms.podman.images import RELAY
from tests.platforms.podman.rfb import Viewer
from tests.proves import proves

pytestmark = pytest.mark.real

PIXELS = struct.pack(">BBBBHHHBBB3x", 32, 24, 0, 1, 255, 255, 255, 0, 8, 16)
RED = b"\0\0\xff\0"


def cut_text(kind: int, text: bytes) -> bytes:
    """A clipboard message, of either side."""
    return struct.pack(">B3xI", kind, len(text)) + text


def update(*rectangles: bytes) -> bytes:
    """A framebuffer update."""
    return struct.pack(">BxH", 0, len(rectangles)) + b"".join(rectangles)


def rectangle(encoding: int, data: bytes, width: int = 1, height: int = 1) -> bytes:
    """One rectangle of an update."""
    return struct.pack(">HHHHi", 0, 0, width, height, encoding) + data


class Desktop:
    """An RFB server that says what a test wants and remembers what it is told."""

    def __init__(self, path: Path) -> None:
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(str(path))
        self.listening.listen()
        self.listening.settimeout(10)
        self.connection: socket.socket | None = None

    def greet(self) -> None:
        """Accept one client and go through the beginning."""
        connection, _ = self.listening.accept()
        connection.settimeout(10)
        connection.sendall(b"RFB 003.008\n")
        assert connection.recv(12) == b"RFB 003.008\n"
        connection.sendall(b"\2\x02\x01")
        assert connection.recv(1) == b"\1"
        connection.sendall(bytes(4))
        assert connection.recv(1) == b"\1"
        connection.sendall(struct.pack(">HH", 1, 1) + PIXELS + struct.pack(">I", 6) + b"secret")
        self.connection = connection

    def say(self, data: bytes) -> None:
        """Send to the relay."""
        assert self.connection
        self.connection.sendall(data)

    def hear(self, count: int) -> bytes:
        """What the relay passed on."""
        assert self.connection
        got = b""
        while len(got) < count and (more := self.connection.recv(count - len(got))):
            got += more
        return got


@pytest.fixture
def allowed() -> bool:
    """Whether the clipboard passes; tests override it."""
    return False


@pytest.fixture
def desktop(tmp_path: Path, allowed: bool) -> Iterator[Desktop]:
    """A relay at ``tmp_path/session.sock`` before a desktop under the test's control."""
    desktop = Desktop(tmp_path / "rfb.sock")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "session.sock"))
    listening.listen()
    env = {
        **os.environ,
        "STRONGROOM_RFB": str(tmp_path / "rfb.sock"),
        "STRONGROOM_CLIPBOARD": "allowed" if allowed else "refused",
    }
    command = [sys.executable, "-c", HAND_OVER, str(listening.fileno()), sys.executable, str(RELAY)]
    relay = subprocess.Popen(command, env=env, pass_fds=(listening.fileno(),))
    try:
        with closing(listening), closing(desktop.listening):
            yield desktop
    finally:
        if desktop.connection:
            desktop.connection.close()
        relay.kill()
        relay.wait()


@pytest.fixture
def viewer(desktop: Desktop, tmp_path: Path) -> Iterator[Viewer]:
    """A viewer past the greeting."""
    greeting = threading.Thread(target=desktop.greet)
    greeting.start()
    with Viewer(tmp_path / "session.sock") as viewer:
        greeting.join()
        yield viewer


def test_the_name_from_inside_does_not_come_out(viewer: Viewer) -> None:
    assert viewer.name == b"Strongroom"


@proves("P174", "satre:2.1.01")
def test_text_passes_in_no_direction(viewer: Viewer, desktop: Desktop, tmp_path: Path) -> None:
    viewer.send(cut_text(6, b"paste me") + struct.pack(">BBxxI", 4, 1, 65))
    assert desktop.hear(8) == struct.pack(">BBxxI", 4, 1, 65), "the key is the first thing to arrive"
    extended = struct.pack(">B3xi", 6, -8) + b"EXTENDED"
    viewer.send(extended + struct.pack(">BBHH", 5, 1, 2, 3))
    assert desktop.hear(6) == struct.pack(">BBHH", 5, 1, 2, 3)
    desktop.say(cut_text(3, b"10 pupils") + update(rectangle(0, RED)))
    assert viewer.read(20) == update(rectangle(0, RED)), "the picture is the first thing to arrive"
    counts = session.counts(tmp_path / "session.sock")
    assert (counts["clipboard_in_refused"], counts["clipboard_out_refused"]) == (2, 1)


@proves("P186")
@pytest.mark.parametrize("allowed", [True])
def test_text_passes_where_the_spec_says_so(viewer: Viewer, desktop: Desktop) -> None:
    viewer.send(cut_text(6, b"paste me"))
    assert desktop.hear(16) == cut_text(6, b"paste me")
    desktop.say(cut_text(3, b"copied"))
    assert viewer.read(14) == cut_text(3, b"copied")


def test_only_listed_encodings_are_asked_for(viewer: Viewer, desktop: Desktop) -> None:
    asked = (7, 1, 0, -239, -223, -32, -256, -307, -308, -313, -1063131698, 16)
    viewer.send(struct.pack(f">BxH{len(asked)}i", 2, len(asked), *asked))
    kept = (7, 1, 0, -239, -223, -32, -256)
    assert desktop.hear(4 + 4 * len(kept)) == struct.pack(f">BxH{len(kept)}i", 2, len(kept), *kept)


def test_all_ways_of_packing_pixels_pass_unchanged(viewer: Viewer, desktop: Desktop) -> None:
    rectangles = [
        rectangle(0, RED * 6, 3, 2),
        rectangle(1, b"\0\1\0\2", 3, 2),
        rectangle(-239, RED * 6 + b"\0\0", 3, 2),
        rectangle(-223, b"", 640, 480),
        rectangle(7, b"\x80abc", 30, 20),
        rectangle(7, b"\x90\x81\x01" + bytes(129), 30, 20),
        rectangle(7, b"\x00" + b"\x05zlib5", 30, 20),
        rectangle(7, b"\x40\x01\x01abcdef" + b"\x00", 8, 1),
        rectangle(7, b"\x40\x01\x02abcdefghi" + b"\x07" + bytes(7), 30, 20),
        rectangle(7, b"\x40\x02" + b"\x03gra", 30, 20),
        rectangle(7, b"\x00" + b"abc", 1, 1),
    ]
    sent = update(*rectangles)
    desktop.say(sent)
    assert viewer.read(len(sent)) == sent
    desktop.say(update(rectangle(0, RED)))
    assert viewer.read(20) == update(rectangle(0, RED)), "the relay still knows where messages begin"


@pytest.mark.parametrize("message", [b"\xf8\0\0\0", b"\x96\1", b"\xfb", b"\xff\0"])
def test_another_message_of_a_viewer_ends_the_session(viewer: Viewer, desktop: Desktop, message: bytes) -> None:
    viewer.send(message + bytes(32))
    assert desktop.hear(1) == b""
    with pytest.raises(EOFError):
        viewer.read(1)


@pytest.mark.parametrize(
    "message",
    [b"\x96", b"\xf8" + bytes(8), update(rectangle(-307, b"\0\0\0\6secret")), update(rectangle(5, b"\0"))],
    ids=["continuous updates", "fence", "desktop name", "hextile"],
)
def test_another_message_of_a_desktop_ends_the_session(viewer: Viewer, desktop: Desktop, message: bytes) -> None:
    desktop.say(message)
    with pytest.raises(EOFError):
        viewer.read(1)


def test_plain_requests_get_nothing_but_counts(desktop: Desktop, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(tmp_path / "session.sock"))
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b""
        while more := client.recv(1000):
            answer += more
    assert answer.startswith(b"HTTP/1.1 404") and answer.endswith(b"{}")
