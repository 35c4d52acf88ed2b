"""First process of the display container: the X server and the relay, out of reach of the researcher."""

from __future__ import annotations

import os
import secrets
import struct
from pathlib import Path

from processes import Kept, keep

X_FOLDER = Path("/tmp/.X11-unix")
AUTHORITY = X_FOLDER / "authority"
RFB = "/tmp/rfb.sock"
WILD_FAMILY = 0xFFFF
COOKIE_NAME = b"MIT-MAGIC-COOKIE-1"
NO_CLIPBOARD = ["-SendCutText=0", "-AcceptCutText=0", "-SendPrimary=0", "-SetPrimary=0", "-noclipboard"]


def write_authority() -> None:
    """A fresh secret that the work container, which may only read this folder, needs to draw on the screen."""
    part = lambda data: struct.pack(">H", len(data)) + data  # noqa: E731
    record = struct.pack(">H", WILD_FAMILY) + part(b"") + part(b"") + part(COOKIE_NAME) + part(secrets.token_bytes(16))
    fresh = AUTHORITY.with_suffix(".new")
    fresh.write_bytes(record)
    fresh.chmod(0o644)
    fresh.replace(AUTHORITY)


def x_server(clipboard: bool) -> list[str]:
    """Command of the X server: no TCP, no abstract socket, RFB on a socket of this container only."""
    geometry = os.environ.get("STRONGROOM_GEOMETRY", "1600x900")
    return [
        *("Xvnc", ":1", "-geometry", geometry, "-depth", "24", "-auth", str(AUTHORITY), "-desktop", "Strongroom"),
        *("-SecurityTypes", "None", "-rfbport", "-1", "-rfbunixpath", RFB, "-rfbunixmode", "0600"),
        *("-nolisten", "tcp", "-nolisten", "local", "-extension", "GLX", "-AcceptSetDesktopSize=0"),
        # Looking whether it is ready also counts as a failed attempt, after five of which nobody could enter.
        *("-AlwaysShared", "-UseBlacklist=0"),
        *([] if clipboard else NO_CLIPBOARD),
    ]


def main() -> None:
    """Start both and keep them."""
    for leftover in (X_FOLDER / "X1", Path("/tmp/.X1-lock")):
        leftover.unlink(missing_ok=True)
    write_authority()
    clipboard = os.environ.get("STRONGROOM_CLIPBOARD") == "allowed"
    env = {**os.environ, "HOME": "/tmp", "STRONGROOM_RFB": RFB}
    relay = ["python3", "/usr/local/lib/strongroom/relay.py"]
    keep([Kept(x_server(clipboard), env), Kept(relay, env, lambda: os.path.exists(RFB), pass_fds=(3,))])


if __name__ == "__main__":
    main()
