"""Mounts and loop devices of images: made, looked up in what the kernel says, and taken away."""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
from pathlib import Path

from strongroom.warden.volumes.errors import VolumeBusy, VolumeError

_OCTAL = re.compile(r"\\([0-7]{3})")
_DETACH = 2
_libc = ctypes.CDLL(None, use_errno=True)


def run(*command: str, stdin: bytes | None = None) -> str:
    """Output of a system tool; VolumeError with the tool's own words when it fails."""
    try:
        done = subprocess.run(
            command, input=stdin, capture_output=True, check=False, env={"PATH": _PATH, "LC_ALL": "C"}
        )
    except FileNotFoundError:
        raise VolumeError(f"{command[0]} is not installed: install e2fsprogs, util-linux and cryptsetup") from None
    if done.returncode:
        raise VolumeError(f"{' '.join(command[:2])}…: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode()


_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def mounted() -> list[Path]:
    """Every mount point of this process's namespace, in the order they were mounted."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [Path(_OCTAL.sub(lambda m: chr(int(m[1], 8)), line.split(" ")[4])) for line in lines]


def mount(source: Path, target: Path, *options: str) -> None:
    """Mount an ext4 image or device; the kernel frees the loop device by itself at unmount."""
    run("mount", "-t", "ext4", "-o", ",".join(options), str(source), str(target))


def unmount(target: Path, *, lazily: bool = False) -> None:
    """Unmount; VolumeBusy when something uses it (``lazily``: out of sight now, gone when the last user ends)."""
    if _libc.umount2(os.fsencode(target), ctypes.c_int(_DETACH if lazily else 0)) == 0:
        return
    code = ctypes.get_errno()
    if code == 16:
        raise VolumeBusy(f"{target.name} is still in use: stop what has its files open, then try again")
    raise VolumeError(f"unmounting {target}: {os.strerror(code)}")


def loops_of(below: Path) -> dict[Path, Path]:
    """Loop device → image, for every attached image below a directory."""
    found: dict[Path, Path] = {}
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            image = Path(backing.read_text().rstrip("\n").removesuffix(" (deleted)"))
        except OSError:
            continue
        if image.is_relative_to(below):
            found[Path("/dev") / backing.parts[3]] = image
    return found


def detach(device: Path) -> None:
    """Free a loop device."""
    run("losetup", "-d", str(device))
