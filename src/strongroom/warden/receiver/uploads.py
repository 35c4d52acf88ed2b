"""The files of one deposit on disk: partial ones with the offset that is really on the disk, and finished ones.

Everything is done relative to one open folder. A partial file's offset is written only after its bytes are synced, so
what a sender is told survives any crash; bytes beyond it are cut off before the next are written.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace

from strongroom.deposit import names

INCOMING = ".incoming"
COMPLETED = "completed"
SYNC_EVERY = 8 << 20
BLOCK = 64 << 10
# All their names fit the receipt in the record.
MOST_FILES = 500
_ID = re.compile(r"[0-9a-f]{32}")
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OLD = os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC


class Refusal(Exception):
    """A request that is not done: HTTP status, short code, words that say what to do."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


@dataclass(frozen=True)
class Upload:
    """One file being received, or finished (``offset == length``)."""

    id: str
    name: str
    length: int
    offset: int = 0

    @property
    def finished(self) -> bool:
        return self.offset == self.length


class Uploads:
    """Uploads into one folder, of ``limit`` bytes in all."""

    def __init__(self, folder: int, limit: int) -> None:
        self.limit = limit
        self._folder = folder
        self._lock = threading.Lock()
        with contextlib.suppress(FileExistsError):
            os.mkdir(INCOMING, 0o700, dir_fd=folder)
        self._incoming = os.open(INCOMING, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        # Remembered here too: the warden takes the folder away while this process still runs.
        self.completed = COMPLETED in os.listdir(self._incoming)
        self._all = {upload.id: upload for upload in self._read()}
        for upload in self._all.values():
            if upload.finished:
                self._finish(upload)

    def _read(self) -> Iterator[Upload]:
        for entry in os.listdir(self._incoming):
            stem, _, ending = entry.partition(".")
            if ending == "json" and _ID.fullmatch(stem):
                with open(entry, "rb", opener=self._opener) as file:
                    yield Upload(**json.load(file))
            elif ending == "json.new":
                os.unlink(entry, dir_fd=self._incoming)

    def _opener(self, path: str, flags: int) -> int:
        return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=self._incoming)

    def _save(self, upload: Upload) -> None:
        temporary = f"{upload.id}.json.new"
        with open(temporary, "w", opener=self._opener) as file:
            json.dump(asdict(upload), file)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, f"{upload.id}.json", src_dir_fd=self._incoming, dst_dir_fd=self._incoming)
        os.fsync(self._incoming)
        self._all[upload.id] = upload

    # Completion of the whole deposit ------------------------------------------------------------------------
    def complete(self) -> None:
        """Take nothing more; refused while a file is unfinished or there is none."""
        with self._lock:
            if self.completed:
                return
            unfinished = [upload.name for upload in self._all.values() if not upload.finished]
            if unfinished:
                raise Refusal(409, "unfinished", f"{unfinished[0]} is not all here yet: finish or cancel it first")
            if not self._all:
                raise Refusal(409, "empty", "no file has arrived: upload at least one, then complete the deposit")
            os.close(os.open(COMPLETED, _NEW, 0o600, dir_fd=self._incoming))
            os.fsync(self._incoming)
            self.completed = True

    # One upload ---------------------------------------------------------------------------------------------
    def create(self, name: str, length: int) -> Upload:
        """Begin a file; refused for a bad or taken name, or more than the volume holds."""
        try:
            clean = names.clean(name)
        except ValueError as error:
            raise Refusal(400, "name", f"the file cannot be taken: {error}") from None
        with self._lock:
            begun = next((upload for upload in self._all.values() if upload.name == clean), None)
            if begun and not begun.finished and begun.length == length:
                # The answer to an earlier request got lost, or the sender forgot it: go on with the same upload.
                return begun
            if begun or self._lies_there(clean):
                raise Refusal(409, "exists", f"{clean} was sent already: a deposited file is never replaced")
            if len(self._all) >= MOST_FILES:
                raise Refusal(413, "many", f"more than {MOST_FILES} files: pack them into archives")
            left = self.limit - sum(upload.length for upload in self._all.values())
            if length > left:
                raise Refusal(413, "large", f"{clean} has {length} bytes and the volume has room for {max(left, 0)}: "
                                            "ask the Project Manager for a larger volume")  # fmt: skip
            upload = Upload(secrets.token_hex(16), clean, length)
            try:
                os.close(os.open(f"{upload.id}.part", _NEW, 0o600, dir_fd=self._incoming))
                self._save(upload)
            except OSError as error:
                raise _full(error) from None
            if upload.finished:
                self._finish(upload)
            return upload

    def _lies_there(self, name: str) -> bool:
        try:
            os.stat(name, dir_fd=self._folder, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def get(self, upload: str) -> Upload:
        """An upload by its id."""
        try:
            return self._all[upload]
        except KeyError:
            raise Refusal(404, "unknown", "there is no such upload: begin it again") from None

    def append(
        self, upload: str, offset: int, read: Callable[[int], bytes], count: int, sha256: bytes | None
    ) -> Upload:
        """Take ``count`` bytes at ``offset``; fewer when the connection is cut (then what was synced stays).

        With a checksum the bytes count only when all are there and it is right.
        """
        current = self.get(upload)
        if current.finished:
            raise Refusal(410, "finished", f"{current.name} is complete: it cannot be changed")
        if offset != current.offset:
            raise Refusal(409, "offset", f"bytes at {offset} were offered, the file goes on at {current.offset}")
        if count > current.length - offset:
            raise Refusal(413, "large", f"more bytes than the {current.length} announced for {current.name}")
        part = os.open(f"{upload}.part", _OLD, dir_fd=self._incoming)
        try:
            # What lies beyond the offset was never confirmed.
            os.ftruncate(part, offset)
            os.lseek(part, offset, os.SEEK_SET)
            current = self._take(part, current, read, count, sha256)
        except OSError as error:
            raise _full(error) from None
        finally:
            os.close(part)
        if current.finished:
            with self._lock:
                self._finish(current)
        return current

    def _take(
        self, part: int, upload: Upload, read: Callable[[int], bytes], count: int, sha256: bytes | None
    ) -> Upload:
        state, taken, unsynced = hashlib.sha256(), 0, 0
        while taken < count:
            block = read(min(BLOCK, count - taken))
            if not block:
                break
            _write_all(part, block)
            taken, unsynced = taken + len(block), unsynced + len(block)
            if sha256:
                state.update(block)
            elif unsynced >= SYNC_EVERY:
                upload, unsynced = self._sync(part, upload, unsynced), 0
        if sha256 and taken == count and state.digest() != sha256:
            raise Refusal(460, "checksum", "the bytes arrived altered and were discarded: send them again")
        if sha256 and taken < count:
            return upload
        return self._sync(part, upload, unsynced)

    def _sync(self, part: int, upload: Upload, more: int) -> Upload:
        os.fdatasync(part)
        moved = replace(upload, offset=upload.offset + more)
        self._save(moved)
        return moved

    def _finish(self, upload: Upload) -> None:
        """Give a finished file its name; also after a crash between its last byte and this."""
        try:
            part = os.open(f"{upload.id}.part", _OLD, dir_fd=self._incoming)
        except FileNotFoundError:
            return
        os.ftruncate(part, upload.length)
        os.fchmod(part, 0o400)
        os.fsync(part)
        os.close(part)
        os.rename(f"{upload.id}.part", upload.name, src_dir_fd=self._incoming, dst_dir_fd=self._folder)
        os.fsync(self._folder)

    def terminate(self, upload: str) -> None:
        """Drop an unfinished file."""
        with self._lock:
            current = self.get(upload)
            if current.finished:
                raise Refusal(410, "finished", f"{current.name} is complete: it cannot be removed")
            for ending in ("json", "part"):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(f"{upload}.{ending}", dir_fd=self._incoming)
            os.fsync(self._incoming)
            del self._all[upload]


def _write_all(descriptor: int, block: bytes) -> None:
    view = memoryview(block)
    while view:
        view = view[os.write(descriptor, view) :]


def _full(error: OSError) -> Exception:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Refusal(
            507, "full", "the volume is full: ask the Project Manager for a larger one; what arrived is kept"
        )
    return error
