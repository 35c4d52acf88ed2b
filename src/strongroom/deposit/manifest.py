"""What files there are, by hash, and one digest over all: the same on the sender's machine and in the volume."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import BinaryIO

import rfc8785

BLOCK = 1 << 20


@dataclass(frozen=True, order=True)
class FileHash:
    """One file: its path with ``/`` relative to the folder, its size and its SHA-256 in hexadecimal."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """All files, sorted by the UTF-8 bytes of their names."""

    files: tuple[FileHash, ...]

    @classmethod
    def of(cls, files: Iterable[FileHash]) -> Manifest:
        """Sorted; ValueError when a name occurs twice."""
        ordered = tuple(sorted(files, key=lambda file: file.name.encode()))
        if len({file.name for file in ordered}) != len(ordered):
            raise ValueError("two files have the same name: rename one")
        return cls(ordered)

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON (RFC 8785) of ``[{"name", "sha256", "size"}, …]``."""
        # The size travels as text, because RFC 8785 numbers end at 2**53.
        rows = [{**asdict(file), "size": str(file.size)} for file in self.files]
        return hashlib.sha256(rfc8785.dumps(rows)).hexdigest()


def hash_file(name: str, file: BinaryIO) -> FileHash:
    """Size and SHA-256 of an open file, read in blocks from where it stands."""
    state, size = hashlib.sha256(), 0
    while block := file.read(BLOCK):
        state.update(block)
        size += len(block)
    return FileHash(name, size, state.hexdigest())
