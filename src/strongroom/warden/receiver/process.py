"""The warden's side of a receiver: start it without privilege, stop it, and take its files out of its reach."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import strongroom
from strongroom.layout import Layout
from strongroom.warden.receiver.uploads import INCOMING

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_STOP_SECONDS = 5.0


@dataclass(frozen=True)
class Opening:
    """What one open deposit's receiver is started with; ``secret_sha256`` is empty until the token was exchanged."""

    deposit: str
    directory: Path
    warden_socket: Path
    size_limit: int
    expires: datetime
    networks: tuple[str, ...]
    uid: int
    gid: int
    gateway_gid: int
    secret_sha256: str = ""


def _socket(layout: Layout, deposit: str) -> Path:
    return layout.receivers / f"{deposit}.sock"


def _pid_file(layout: Layout, deposit: str) -> Path:
    return layout.receivers / f"{deposit}.pid"


def start(layout: Layout, opening: Opening) -> subprocess.Popen[bytes]:
    """Start a deposit's receiver (an older one is stopped first); it listens when this returns.

    Keep what is returned: the receiver ends when its standard input closes, so it never outlives the warden.
    """
    stop(layout, opening.deposit)
    layout.receivers.mkdir(mode=0o711, parents=True, exist_ok=True)
    layout.receivers.chmod(0o711)
    path = _socket(layout, opening.deposit)
    folder = os.open(opening.directory, _DIRECTORY)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Made here, so that no receiver can take another's place.
        listening.bind(os.fspath(path))
        os.chown(path, 0, opening.gateway_gid)
        os.chmod(path, 0o660)
        listening.listen(64)
        descriptors = (folder, listening.fileno())
        process = subprocess.Popen(
            [*_unprivileged(opening), *_command(opening, *descriptors)],
            pass_fds=descriptors,
            stdin=subprocess.PIPE,
            cwd="/",
            env={**layout.environ(), "PYTHONPATH": str(Path(strongroom.__file__).parents[1]), "PATH": "/usr/bin:/bin"},
        )
    finally:
        os.close(folder)
        listening.close()
    # With its start time, because a number may be another process by the time it is read.
    _pid_file(layout, opening.deposit).write_text(f"{process.pid} {_started(process.pid)}")
    return process


def _unprivileged(opening: Opening) -> list[str]:
    user = [f"--reuid={opening.uid}", f"--regid={opening.gid}", "--clear-groups"]
    return ["setpriv", *user, "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all", "--"]


def _command(opening: Opening, folder: int, listening: int) -> list[str]:
    return [
        sys.executable, "-m", "strongroom.warden.receiver", "--deposit", opening.deposit,
        "--directory", f"fd:{folder}", "--socket", f"fd:{listening}", "--warden-socket", str(opening.warden_socket),
        f"--secret-sha256={opening.secret_sha256}", "--size-limit", str(opening.size_limit),
        "--expires", opening.expires.isoformat(), "--networks", ",".join(opening.networks), "--until-stdin-closes",
    ]  # fmt: skip


def stop(layout: Layout, deposit: str) -> None:
    """End a deposit's receiver, also one started by an earlier warden, and remove its socket. Twice is no error."""
    pid_file = _pid_file(layout, deposit)
    with contextlib.suppress(FileNotFoundError, ValueError):
        pid, started = pid_file.read_text().split()
        _end(int(pid), started)
    _socket(layout, deposit).unlink(missing_ok=True)
    pid_file.unlink(missing_ok=True)


def stop_all(layout: Layout) -> None:
    """End every receiver of this instance."""
    for pid_file in layout.receivers.glob("*.pid"):
        stop(layout, pid_file.stem)


def _started(pid: int) -> str:
    """When a process was started, in the kernel's ticks; empty when it has ended."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return ""
    return "" if state in "ZX" else fields[18]


def _end(pid: int, started: str) -> None:
    deadline = time.monotonic() + _STOP_SECONDS
    sent = signal.SIGTERM
    while started and _started(pid) == started:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, sent)
        if time.monotonic() > deadline:
            sent = signal.SIGKILL
        time.sleep(0.02)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def seal(directory: Path, owner: int) -> None:
    """Take finished files out of the receiver's reach: owned by ``owner``, read-only, nothing else left.

    Call after the receiver said complete and before hashing; stop the receiver and hash again before anyone mounts.
    """
    folder = os.open(directory, _DIRECTORY)
    try:
        os.fchown(folder, owner, owner)
        os.fchmod(folder, 0o755)
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(INCOMING, dir_fd=folder)
        for name in os.listdir(folder):
            file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
            try:
                if not stat.S_ISREG(os.fstat(file).st_mode):
                    raise ValueError(f"{name} is no plain file: the deposit cannot be taken, open a new one")
                os.fchown(file, owner, owner)
                os.fchmod(file, 0o444)
            finally:
                os.close(file)
        os.fsync(folder)
    finally:
        os.close(folder)
