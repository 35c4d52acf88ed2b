"""All volumes of one installation: made, opened, closed, copied and destroyed, each step safe to be killed at."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from strongroom.deposit.manifest import Manifest
from strongroom.layout import Layout
from strongroom.warden.volumes import durable, fscrypt, mounting, tree
from strongroom.warden.volumes.errors import (
    NoEncryption,
    UnknownVolume,
    VolumeBusy,
    VolumeClosed,
    VolumeDestroyed,
    VolumeError,
    VolumeExists,
    VolumeLocked,
)
from strongroom.warden.volumes.keys import HostKeys, WrappedKey
from strongroom.warden.volumes.methods import DATA, MEBIBYTE, METHODS, Method, key_id

KINDS = frozenset({"data", "document", "scratch", "working", "output", "software", "home"})
NOTHING_RUNS_FROM = frozenset({"data", "document"})
CREATING, READY, DESTROYING, DESTROYED = "creating", "ready", "destroying", "destroyed"
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


@dataclass(frozen=True)
class Volume:
    """What is known of a volume; stays after its destruction."""

    id: str
    kind: str
    size_bytes: int
    owner_uid: int
    mode: int
    created: str
    state: str
    key_id: str
    method: str
    rotate_to: int = 0
    destroyed_at: str = ""


@dataclass(frozen=True)
class Destroyed:
    """What a certificate says of one destroyed volume: its key is gone, and so is the host key that wrapped it."""

    id: str
    kind: str
    created: str
    destroyed_at: str
    key_id: str
    method: str
    host_key_rotated: bool


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


class VolumeStore:
    """The volumes below ``layout.volumes``, mounted below ``layout.mounts``; the warden's alone (root)."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.keys = HostKeys(layout.state_of("warden") / "keys")
        self._thread_lock = threading.RLock()
        self._depth = 0
        self._lock_file = -1
        self._capability = ""

    # Where things are ---------------------------------------------------------------------------------------
    def _folder(self, volume: str) -> Path:
        if not _ID.fullmatch(volume):
            raise UnknownVolume(f"{volume!r} is no volume id: lower-case letters, digits and hyphens, at most 63")
        return self.layout.volumes / volume

    def _mount(self, volume: str) -> Path:
        return self.layout.mounts / volume

    def _image(self, volume: str) -> Path:
        return self._folder(volume) / "image"

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One change at a time, over threads and processes."""
        with self._thread_lock:
            if self._depth == 0:
                self.layout.volumes.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._lock_file = os.open(self.layout.volumes / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                fcntl.flock(self._lock_file, fcntl.LOCK_EX)
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0:
                    os.close(self._lock_file)

    # Records ------------------------------------------------------------------------------------------------
    def _save(self, volume: Volume) -> Volume:
        durable.write(self._folder(volume.id) / "volume.json", json.dumps(asdict(volume)).encode())
        return volume

    def find(self, volume: str) -> Volume | None:
        """What is known of a volume, if it ever existed."""
        try:
            return Volume(**json.loads((self._folder(volume) / "volume.json").read_bytes()))
        except FileNotFoundError:
            return None

    def _known(self, volume: str) -> Volume:
        found = self.find(volume)
        if found is None:
            raise UnknownVolume(f"there is no volume {volume}")
        return found

    def list(self) -> list[Volume]:
        """Every volume there is or was, by id."""
        if not self.layout.volumes.is_dir():
            return []
        names = sorted(name for name in os.listdir(self.layout.volumes) if _ID.fullmatch(name))
        return [volume for name in names if (volume := self.find(name))]

    # What the host can do -----------------------------------------------------------------------------------
    def capability(self) -> str:
        """``fscrypt``, ``luks`` or ``none``: found by making a small volume, locking it and looking for its text."""
        with self._alone():
            if not self._capability:
                working = (name for name, method in METHODS.items() if self._really_works(method))
                self._capability = next(working, "none")
            return self._capability

    def _really_works(self, method: Method) -> bool:
        folder = Path(tempfile.mkdtemp(prefix=".trial-", dir=self.layout.volumes))
        image, mount, key = folder / "image", folder / "mount", os.urandom(fscrypt.KEY_BYTES)
        canary = os.urandom(16).hex().encode()
        mount.mkdir()
        try:
            method.make(image, 4 * MEBIBYTE, mount, key)
            (mount / DATA / canary.decode()).write_bytes(canary)
            method.lock(mount, key_id(key))
            hidden = canary not in image.read_bytes()
            method.unlock(image, mount, key, ("nosuid", "nodev"))
            return hidden and (mount / DATA / canary.decode()).read_bytes() == canary
        except (OSError, VolumeError):
            return False
        finally:
            with contextlib.suppress(OSError, VolumeError):
                method.lock(mount, key_id(key), lazily=True)
            shutil.rmtree(folder, ignore_errors=True)

    # Making and opening -------------------------------------------------------------------------------------
    def create(self, volume: str, kind: str, size_bytes: int, owner_uid: int, mode: int) -> Path:
        """Make a volume and open it; the same call again just opens it. Returns the folder for its files."""
        if kind not in KINDS:
            raise VolumeError(f"{kind!r} is no kind of volume: one of {', '.join(sorted(KINDS))}")
        if size_bytes < MEBIBYTE:
            raise VolumeError(f"a volume has at least {MEBIBYTE} bytes (asked: {size_bytes})")
        with self._alone():
            known = self.find(volume)
            if known is None or known.state == CREATING:
                known = self._make(volume, kind, size_bytes, owner_uid, mode)
            asked = (kind, size_bytes, owner_uid, mode)
            if (known.kind, known.size_bytes, known.owner_uid, known.mode) != asked:
                raise VolumeExists(f"volume {volume} exists with another kind, size, owner or mode: choose another id")
            return self.open(volume)

    def _make(self, volume: str, kind: str, size: int, owner: int, mode: int) -> Volume:
        method = self.capability()
        if method == "none":
            raise NoEncryption
        folder, mount = self._folder(volume), self._mount(volume)
        folder.mkdir(mode=0o700, exist_ok=True)
        # Nothing was ever written to a volume that is not ready, so a half-made one is made again from the start.
        if mount in mounting.mounted():
            mounting.unmount(mount, lazily=True)
        key = os.urandom(fscrypt.KEY_BYTES)
        record = Volume(volume, kind, size, owner, mode, _now(), CREATING, key_id(key), method)
        self._save(record)
        durable.write(folder / "key.json", self.keys.wrap(volume, key).dump())
        self._make_mount_point(mount)
        METHODS[method].make(self._image(volume), size, mount, key)
        os.chown(mount / DATA, owner, owner)
        os.chmod(mount / DATA, mode)
        self._lock(record)
        with self._image(volume).open("rb") as image:
            os.fsync(image.fileno())
        return self._save(replace(record, state=READY))

    def _make_mount_point(self, mount: Path) -> None:
        mount.mkdir(parents=True, exist_ok=True)
        # To be passed through by an id that is known, never listed.
        self.layout.mounts.chmod(0o711)

    def open(self, volume: str) -> Path:
        """Mount and unlock a volume (also after a restart of the machine); returns the folder for its files."""
        with self._alone():
            record = self._known(volume)
            if record.state in (DESTROYING, DESTROYED):
                raise VolumeDestroyed(f"volume {volume} was destroyed: nobody can open it any more")
            if record.state == CREATING:
                raise VolumeClosed(f"volume {volume} is half made: create it again with the same parameters")
            key = self._key(record)
            options = ("nosuid", "nodev", *(["noexec"] if record.kind in NOTHING_RUNS_FROM else []))
            mount = self._mount(volume)
            self._make_mount_point(mount)
            METHODS[record.method].unlock(self._image(volume), mount, key, options)
            return mount / DATA

    def _key(self, record: Volume) -> bytes:
        try:
            wrapped = WrappedKey.load((self._folder(record.id) / "key.json").read_bytes())
        except FileNotFoundError:
            raise VolumeLocked(f"the wrapped key of volume {record.id} is missing: restore its key.json") from None
        key = self.keys.unwrap(record.id, wrapped)
        if key_id(key) != record.key_id:
            raise VolumeLocked(f"the key of volume {record.id} is not the one it was made with ({record.key_id})")
        return key

    def path(self, volume: str) -> Path:
        """The folder for the files of an open volume; VolumeClosed when it is locked."""
        record = self._known(volume)
        if not self.is_open(record):
            raise VolumeClosed(f"volume {volume} is not open: open it first")
        return self._mount(volume) / DATA

    def is_open(self, record: Volume) -> bool:
        """Whether the volume is mounted and unlocked now."""
        mount = self._mount(record.id)
        if mount not in mounting.mounted():
            return False
        if record.method != "fscrypt":
            return True
        return fscrypt.key_state(mount, bytes.fromhex(record.key_id)) is fscrypt.KeyState.PRESENT

    # Closing ------------------------------------------------------------------------------------------------
    def _lock(self, record: Volume, *, lazily: bool = False) -> None:
        mount = self._mount(record.id)
        METHODS[record.method].lock(mount, record.key_id, lazily=lazily)
        with contextlib.suppress(OSError):
            mount.rmdir()

    def close(self, volume: str) -> None:
        """Take the key out of the kernel, unmount, free the loop device. Twice is no error.

        VolumeBusy when something has its files open: new opens fail from then on, what is open stays readable there.
        """
        with self._alone():
            self._lock(self._known(volume))

    def close_all(self) -> tuple[str, ...]:
        """Leave no mount and no loop device, whatever was killed; returns ids that were still in use."""
        busy = []
        with self._alone():
            for record in self.list():
                try:
                    self._lock(record)
                except VolumeBusy:
                    busy.append(record.id)
                    self._lock(record, lazily=True)
            for mount in reversed(mounting.mounted()):
                if mount.is_relative_to(self.layout.mounts) or mount.is_relative_to(self.layout.volumes):
                    mounting.unmount(mount, lazily=True)
            for device in mounting.loops_of(self.layout.volumes):
                # Freed by the kernel already, or as soon as its last user is gone.
                with contextlib.suppress(VolumeError):
                    mounting.detach(device)
            for trial in self.layout.volumes.glob(".trial-*"):
                shutil.rmtree(trial, ignore_errors=True)
        return tuple(busy)

    # Destroying ---------------------------------------------------------------------------------------------
    def destroy(self, volume: str) -> Destroyed:
        """Destroy a volume by destroying its key and every host key that wrapped it. Killed at any step: call again."""
        with self._alone():
            for step in self.destruction(volume):
                step()
            record = self._known(volume)
        return Destroyed(
            record.id, record.kind, record.created, record.destroyed_at, record.key_id, record.method,
            host_key_rotated=self.keys.numbers()[:1] >= [record.rotate_to],
        )  # fmt: skip

    def destruction(self, volume: str) -> Sequence[Callable[[], object]]:
        """The steps of ``destroy``, in order; each may be repeated, and the whole may start again after any of them."""
        record = self._known(volume)
        if record.state == DESTROYED:
            return []
        folder = self._folder(volume)
        return [
            lambda: self._lock(record),
            lambda: self._condemn(volume),
            lambda: self.keys.ensure(self._known(volume).rotate_to),
            *(self._rewrapping(other.id) for other in self.list() if other.state in (CREATING, READY)),
            lambda: durable.shred(folder / "key.json"),
            self._retire_host_keys,
            lambda: (folder / "image").unlink(missing_ok=True),
            lambda: self._save(replace(self._known(volume), state=DESTROYED, destroyed_at=_now())),
        ]

    def _condemn(self, volume: str) -> None:
        record = self._known(volume)
        if record.state != DESTROYING:
            self._save(replace(record, state=DESTROYING, rotate_to=self.keys.current() + 1))

    def _rewrapping(self, volume: str) -> Callable[[], None]:
        def rewrap() -> None:
            record, stored = self._known(volume), self._folder(volume) / "key.json"
            if record.state in (DESTROYING, DESTROYED) or not stored.exists():
                return
            wrapped = WrappedKey.load(stored.read_bytes())
            if wrapped.host_key != self.keys.current():
                durable.write(stored, self.keys.wrap(volume, self.keys.unwrap(volume, wrapped)).dump())

        return rewrap

    def _retire_host_keys(self) -> None:
        for volume in self.list():
            self._rewrapping(volume.id)()
        for number in self.keys.numbers()[:-1]:
            self.keys.retire(number)

    # Contents -----------------------------------------------------------------------------------------------
    def sha256_tree(self, volume: str) -> Manifest:
        """Relative path, size and SHA-256 of every file of an open volume, and one digest over them all."""
        return tree.manifest(self.path(volume))

    def copy(self, source: str, destination: str) -> Manifest:
        """Copy one open volume into another empty one (or go on with a copy that was cut); hashes compared."""
        record = self._known(destination)
        return tree.copy(self.path(source), self.path(destination), record.owner_uid)
