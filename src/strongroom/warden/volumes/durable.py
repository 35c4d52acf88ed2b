"""Small files that are either wholly old or wholly new after a crash, and files whose content is overwritten."""

from __future__ import annotations

import os
from pathlib import Path

TEMPORARY = ".new"


def sync_directory(directory: Path) -> None:
    """Make creations, renames and removals in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write(path: Path, content: bytes) -> None:
    """Replace a file atomically and durably, readable by its owner alone."""
    temporary = path.with_name(path.name + TEMPORARY)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    sync_directory(path.parent)


def shred(path: Path) -> None:
    """Overwrite a small file in place, then remove it; nothing happens when it is gone already.

    Whether the old blocks survive is the disk's affair: what counts is that no copy opens anything any more.
    """
    for candidate in (path, path.with_name(path.name + TEMPORARY)):
        try:
            descriptor = os.open(candidate, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        with os.fdopen(descriptor, "wb") as file:
            size = os.fstat(file.fileno()).st_size
            for filler in (os.urandom(size), bytes(size)):
                file.seek(0)
                file.write(filler)
                file.flush()
                os.fsync(file.fileno())
        candidate.unlink()
    sync_directory(path.parent)
