"""The virtual environment that everything runs in, built from requirements.lock (standard library only).

Built by root it lies in a root-owned place named after the lock's digest, where the services' users can read it,
and ``.venv`` in the checkout is a link to it; built by anyone else it is ``.venv`` itself.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SHARED = Path("/opt/strongroom")
PYTHON = Path("/usr/bin/python3")
MARKER = "strongroom-lock"


class BuildFailed(Exception):
    """The environment could not be built; the text says what to do."""


def digest(lock: Path) -> str:
    """Digest of the lock file and of the Python that would read it: a change of either asks for a new environment."""
    version = subprocess.run([PYTHON, "--version"], capture_output=True, check=True).stdout
    return hashlib.sha256(version + lock.read_bytes()).hexdigest()[:16]


def shared_path(lock: Path) -> Path:
    """Where root builds the environment of this lock."""
    return SHARED / f"venv-{digest(lock)}"


def is_complete(venv: Path, lock: Path) -> bool:
    """Whether the folder holds a finished environment of this lock."""
    marker = venv / MARKER
    return marker.is_file() and marker.read_text() == digest(lock)


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Two commands started together must not build into one folder."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def build(venv: Path, lock: Path) -> None:
    """Build the environment in place (its scripts name their own path) and mark it complete at the very end."""
    print(f"Building the virtual environment {venv}", flush=True)
    shutil.rmtree(venv, ignore_errors=True)
    environ = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    pip: list[str | Path] = [venv / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-input"]
    steps: list[list[str | Path]] = [
        [PYTHON, "-m", "venv", venv],
        [*pip, "--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", lock],
    ]
    for step in steps:
        if subprocess.run(step, env=environ, stdin=subprocess.DEVNULL, umask=0o022, check=False).returncode != 0:
            raise BuildFailed(
                f"The virtual environment {venv} could not be built: see the words of pip above. "
                "It needs the Python package index (or a mirror set in pip's configuration); run the command again."
            )
    (venv / MARKER).write_text(digest(lock))


def _link(checkout_venv: Path, target: Path) -> None:
    if checkout_venv.is_symlink() and checkout_venv.readlink() == target:
        return
    if checkout_venv.is_dir() and not checkout_venv.is_symlink():
        shutil.rmtree(checkout_venv)
    fresh = checkout_venv.with_name(f".venv-{os.getpid()}")
    fresh.symlink_to(target)
    fresh.replace(checkout_venv)


def ensure(checkout: Path) -> Path:
    """The environment of this checkout's lock, built if need be; returns its folder."""
    lock = checkout / "requirements.lock"
    here = checkout / ".venv"
    if is_complete(here, lock):
        return here
    if os.geteuid() != 0:
        if here.is_symlink() or not os.access(checkout, os.W_OK):
            raise BuildFailed(f"{here} is out of date and belongs to root. Run once: sudo ./strongroom doctor")
        with _only_one(checkout):
            if not is_complete(here, lock):
                build(here, lock)
        return here
    shared = shared_path(lock)
    with _only_one(SHARED):
        if not is_complete(shared, lock):
            build(shared, lock)
        _link(here, shared)
    return here
