"""The copy of an output folder that reviewers see and that is released: plain files only, fixed at one moment.

The folder belongs to researchers and may change under our hands, on purpose: everything is opened relative to an open
folder, without following links, without waiting, and judged by what was opened, never by what its name said before.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from strongroom.deposit import names
from strongroom.deposit.manifest import BLOCK, FileHash, Manifest
from strongroom.warden.volumes import durable, tree
from strongroom.warden.volumes.errors import UnexpectedEntry, VolumeError, VolumeFull

FrozenFile = FileHash


@dataclass(frozen=True)
class Limits:
    """How much may leave in one request."""

    files: int = 200
    file_bytes: int = 100 << 20
    total_bytes: int = 500 << 20
    depth: int = 4
    entries: int = 5000


@dataclass(frozen=True)
class NotFrozen:
    """Something in the folder that was left out, and why (with what to do about it)."""

    name: str
    reason: str


@dataclass(frozen=True)
class Frozen:
    """What was copied, by hash, and what was refused."""

    files: tuple[FrozenFile, ...]
    refused: tuple[NotFrozen, ...]

    @property
    def digest(self) -> str:
        """One digest over all files, as of a volume."""
        return Manifest.of(self.files).digest


@dataclass
class _Progress:
    limits: Limits
    destination: Path
    only: frozenset[str] | None = None
    files: list[FrozenFile] = field(default_factory=list)
    refused: list[NotFrozen] = field(default_factory=list)
    total: int = 0
    seen: int = 0

    def refuse(self, name: str, reason: str) -> None:
        self.refused.append(NotFrozen(name.encode(errors="backslashreplace").decode(), reason))


def freeze(source: Path, destination: Path, limits: Limits | None = None, only: frozenset[str] | None = None) -> Frozen:
    """Copy what may leave from ``source`` into the new folder ``destination`` (whole or not at all).

    With ``only``, files of other names are neither copied nor counted.
    """
    if destination.exists():
        raise VolumeError(f"{destination.name} is frozen already: a frozen copy is never changed, make another request")
    partial = destination.with_name(destination.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700, parents=True)
    progress = _Progress(limits or Limits(), partial, only)
    try:
        with tree.directory(source) as folder:
            _folder(progress, folder, ())
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise VolumeFull("the host has no room for the frozen copy: free some space, then ask again") from None
        if error.errno in (errno.ENOTDIR, errno.ELOOP, errno.ENOENT):
            raise VolumeError(f"{source.name} is no folder (or a symbolic link): nothing was frozen") from None
        raise
    for directory in [partial, *(path for path in partial.rglob("*") if path.is_dir())]:
        durable.sync_directory(directory)
    partial.rename(destination)
    durable.sync_directory(destination.parent)
    return Frozen(tuple(sorted(progress.files)), tuple(sorted(progress.refused, key=lambda entry: entry.name)))


def _entries(progress: _Progress, folder: int, shown: str) -> Iterator[str]:
    with os.scandir(folder) as scan:
        found = []
        for entry in scan:
            progress.seen += 1
            if progress.seen > progress.limits.entries:
                progress.refuse(shown or ".", f"more than {progress.limits.entries} entries in all: pack fewer files")
                break
            found.append(entry.name)
    yield from sorted(found)


def _folder(progress: _Progress, folder: int, above: tuple[str, ...]) -> None:
    for name in _entries(progress, folder, "/".join(above)):
        shown = "/".join((*above, name))
        try:
            clean = names.clean(name)
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                if len(above) + 1 >= progress.limits.depth:
                    raise UnexpectedEntry(f"it is deeper than {progress.limits.depth} levels: move it up")
                with tree.directory(name, folder) as inner:
                    _folder(progress, inner, (*above, clean))
            elif progress.only is not None and "/".join((*above, clean)) not in progress.only:
                continue
            elif not stat.S_ISREG(status.st_mode):
                raise UnexpectedEntry(f"it is {tree.kind_of(status.st_mode)}: only plain files can leave")
            else:
                with tree.regular_file(name, folder) as file:
                    _file(progress, file, (*above, clean))
        except (UnexpectedEntry, ValueError) as error:
            progress.refuse(shown, str(error))
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EACCES, errno.EIO, errno.ENXIO):
                raise
            progress.refuse(shown, "it changed while being copied: leave the folder alone, then ask again")


def _file(progress: _Progress, file: BinaryIO, path: tuple[str, ...]) -> None:
    limits, before = progress.limits, os.fstat(file.fileno())
    if len(progress.files) >= limits.files:
        raise UnexpectedEntry(f"more than {limits.files} files: ask for fewer at a time")
    room = min(limits.file_bytes, limits.total_bytes - progress.total)
    if before.st_size > room:
        raise UnexpectedEntry(_too_large(limits))
    target = progress.destination.joinpath(*path)
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        # Two source names can become one by normalisation; the first keeps it.
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o400)
    except (FileExistsError, NotADirectoryError):
        raise UnexpectedEntry("another entry has the same name in composed form: rename one") from None
    try:
        frozen = _copy(file, descriptor, "/".join(path), room, limits)
        after = os.fstat(file.fileno())
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or frozen.size != after.st_size:
            raise UnexpectedEntry("it changed while being copied: leave the folder alone, then ask again")
    except BaseException:
        target.unlink()
        raise
    progress.files.append(frozen)
    progress.total += frozen.size


def _copy(file: BinaryIO, descriptor: int, name: str, room: int, limits: Limits) -> FrozenFile:
    state, size = hashlib.sha256(), 0
    with os.fdopen(descriptor, "wb") as target:
        while block := file.read(BLOCK):
            size += len(block)
            if size > room:
                raise UnexpectedEntry(_too_large(limits))
            state.update(block)
            target.write(block)
        target.flush()
        os.fsync(target.fileno())
    return FrozenFile(name, size, state.hexdigest())


def _too_large(limits: Limits) -> str:
    return (
        f"it is too large: at most {limits.file_bytes} bytes a file and {limits.total_bytes} bytes in all; "
        "make it smaller or agree on another way with the Project Manager"
    )
