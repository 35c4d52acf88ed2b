"""Walking folders whose contents somebody else may change while we look: never through a link, never by a path."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from strongroom.deposit.manifest import BLOCK, FileHash, Manifest, hash_file
from strongroom.warden.volumes.errors import UnexpectedEntry, VolumeError, VolumeFull

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_PARTIAL = ".copying"
DEEPEST = 64


@contextmanager
def directory(name: str | Path, within: int | None = None) -> Iterator[int]:
    """Descriptor of a folder that is no symlink."""
    descriptor = os.open(name, _DIRECTORY, dir_fd=within)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def regular_file(name: str, within: int) -> Iterator[BinaryIO]:
    """A plain file with one name, opened without following or waiting; UnexpectedEntry when it is anything else."""
    try:
        descriptor = os.open(name, _FILE, dir_fd=within)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise UnexpectedEntry("it is a symbolic link, socket or device") from None
        raise
    with os.fdopen(descriptor, "rb") as file:
        # Asked of the open file: what the name pointed to a moment ago proves nothing.
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise UnexpectedEntry(f"it is {kind_of(status.st_mode)}")
        if status.st_nlink > 1:
            raise UnexpectedEntry("it has a second name (hard link)")
        yield file


def kind_of(mode: int) -> str:
    """What a file that is not plain is called."""
    kinds = {stat.S_IFLNK: "a symbolic link", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket",
             stat.S_IFCHR: "a device", stat.S_IFBLK: "a device", stat.S_IFDIR: "a folder"}  # fmt: skip
    return kinds.get(stat.S_IFMT(mode), "no plain file")


def _walk(folder: int, prefix: str = "") -> Iterator[tuple[str, int, str]]:
    """Path, descriptor of the folder and name of every entry that is no folder, in order."""
    if prefix.count("/") > DEEPEST:
        raise UnexpectedEntry(f"{prefix}: folders deeper than {DEEPEST}")
    for name in sorted(os.listdir(folder), key=os.fsencode):
        if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            with directory(name, folder) as inner:
                yield from _walk(inner, f"{prefix}{name}/")
        else:
            yield f"{prefix}{name}", folder, name


def manifest(root: Path) -> Manifest:
    """Hash every file below a folder; UnexpectedEntry when something is neither a folder nor a plain file."""
    found: list[FileHash] = []
    with directory(root) as top:
        for path, folder, name in _walk(top):
            try:
                path.encode()
                with regular_file(name, folder) as file:
                    found.append(hash_file(path, file))
            except UnicodeError:
                raise UnexpectedEntry(f"{path!r}: its name is not valid UTF-8") from None
            except UnexpectedEntry as error:
                raise UnexpectedEntry(f"{path}: {error}") from None
    return Manifest.of(found)


def copy(source: Path, destination: Path, owner: int) -> Manifest:
    """Copy all files and compare by hash; goes on where a cut copy stopped. Files end up owned by ``owner``, read-only."""
    with directory(destination) as into:
        for _, folder, name in _walk(into):
            if name == _PARTIAL:
                os.unlink(name, dir_fd=folder)
        wanted, present = manifest(source), manifest(destination)
        strangers = set(present.files) - set(wanted.files)
        if strangers:
            raise VolumeError(f"the destination already holds {min(strangers).name}: copy into an empty volume")
        try:
            for file in wanted.files:
                if file not in present.files:
                    _copy_one(source, into, file.name, owner)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            for _, folder, name in _walk(into):
                if name == _PARTIAL:
                    os.unlink(name, dir_fd=folder)
            raise VolumeFull(f"the destination is too small for {file.name}: use a larger volume") from None
        os.fsync(into)
    copied = manifest(destination)
    if copied != wanted or manifest(source) != wanted:
        raise VolumeError("the copy differs from its source: the source changed meanwhile, copy again")
    return copied


def _copy_one(source: Path, into: int, path: str, owner: int) -> None:
    *folders, name = path.split("/")
    with _descend(source, folders) as from_folder, _make_folders(into, folders, owner) as to_folder:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with (
            regular_file(name, from_folder) as reading,
            os.fdopen(os.open(_PARTIAL, flags, 0o400, dir_fd=to_folder), "wb") as writing,
        ):
            while block := reading.read(BLOCK):
                writing.write(block)
            writing.flush()
            os.fchown(writing.fileno(), owner, owner)
            os.fchmod(writing.fileno(), 0o444)
            os.fsync(writing.fileno())
        os.rename(_PARTIAL, name, src_dir_fd=to_folder, dst_dir_fd=to_folder)
        os.fsync(to_folder)


@contextmanager
def _descend(root: Path, folders: list[str]) -> Iterator[int]:
    descriptor = os.open(root, _DIRECTORY)
    try:
        for folder in folders:
            inner = os.open(folder, _DIRECTORY, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _make_folders(root: int, folders: list[str], owner: int) -> Iterator[int]:
    descriptor = os.dup(root)
    try:
        for folder in folders:
            try:
                os.mkdir(folder, 0o755, dir_fd=descriptor)
            except FileExistsError:
                inner = os.open(folder, _DIRECTORY, dir_fd=descriptor)
            else:
                inner = os.open(folder, _DIRECTORY, dir_fd=descriptor)
                os.fchown(inner, owner, owner)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)
