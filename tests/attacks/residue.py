"""Looking for bytes on the host where none may be: whole files, unallocated parts and write-ahead logs included."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from io import FileIO
from pathlib import Path

BLOCK = 4 << 20


def files_below(root: Path, changed_since: float = 0.0) -> Iterator[Path]:
    """Plain files below a folder that were written at or after a moment, other file systems mounted there left out."""
    if not root.exists():
        return
    device = root.stat().st_dev
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if _same(Path(folder, name), device)]
        for name in names:
            path = Path(folder, name)
            try:
                status = path.lstat()
            except FileNotFoundError:
                continue
            if stat.S_ISREG(status.st_mode) and status.st_size and status.st_mtime >= changed_since:
                yield path


def _same(path: Path, device: int) -> bool:
    try:
        return path.lstat().st_dev == device
    except FileNotFoundError:
        return False


def found(paths: Iterable[Path], wanted: Mapping[str, bytes]) -> dict[str, list[str]]:
    """Which of the wanted bytes stand in which files, by the name they were given; holes of sparse files are passed over."""
    hits: dict[str, list[str]] = {}
    longest = max(len(value) for value in wanted.values())
    for path in paths:
        try:
            with path.open("rb", buffering=0) as file:
                names = {name for piece in _pieces(file, longest) for name, value in wanted.items() if value in piece}
        except FileNotFoundError:
            continue
        for name in names:
            hits.setdefault(name, []).append(str(path))
    return hits


def _pieces(file: FileIO, overlap: int) -> Iterator[bytes]:
    """What was really written of a file, in pieces that overlap."""
    place, size = 0, os.fstat(file.fileno()).st_size
    while place < size:
        try:
            start = os.lseek(file.fileno(), place, os.SEEK_DATA)
        except OSError:
            return
        start = start if start > place + overlap else max(place, 0)
        piece = os.pread(file.fileno(), BLOCK, start)
        yield piece
        if len(piece) < BLOCK:
            return
        place = start + BLOCK - overlap
