"""The two ways a volume is encrypted on disk, with one shape: fscrypt on ext4, or LUKS below ext4."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Protocol

from strongroom.warden.volumes import fscrypt, mounting
from strongroom.warden.volumes.errors import VolumeBusy, VolumeError, VolumeFull, VolumeLocked

MEBIBYTE = 1 << 20
DATA = "data"


class Method(Protocol):
    """What the store asks of a way to encrypt."""

    name: str

    def make(self, image: Path, size: int, mount: Path, key: bytes) -> None:
        """Make an image with room for ``size`` bytes, mount it unlocked, with an empty ``data/``."""

    def unlock(self, image: Path, mount: Path, key: bytes, options: tuple[str, ...]) -> None:
        """Mount and unlock; nothing changes when both are done already."""

    def lock(self, mount: Path, key_id: str, *, lazily: bool = False) -> None:
        """Take the key away, then unmount; VolumeBusy when files are open (and ``lazily`` is not set)."""


def key_id(key: bytes) -> str:
    """Public name of a volume key: the kernel's own identifier of it, in hexadecimal."""
    return fscrypt.identifier(key).hex()


def _journal(size: int) -> int:
    return max(4, min(64, size // (64 * MEBIBYTE)))


def image_size(size: int) -> int:
    """Bytes of an image whose file system has room for ``size`` bytes of files, and little more."""
    whole = size + size // 32 + (_journal(size) + 10) * MEBIBYTE
    return -(-whole // MEBIBYTE) * MEBIBYTE


def _allocate(image: Path, size: int) -> None:
    # Allocated in full: a host that fills up later must not turn into write errors inside an open volume.
    descriptor = os.open(image, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, size)
    except OSError as error:
        os.close(descriptor)
        image.unlink()
        raise VolumeFull(f"the host has no room for an image of {size} bytes: {error.strerror}") from None
    os.fsync(descriptor)
    os.close(descriptor)


def _format(device: Path, size: int, *features: str) -> None:
    options = ["-m", "0", "-b", "4096", "-J", f"size={_journal(size)}", "-E", "nodiscard,lazy_itable_init=0"]
    mounting.run("mkfs.ext4", "-q", "-F", *options, *features, str(device))


def _is_mounted(mount: Path) -> bool:
    return mount in mounting.mounted()


class Fscrypt:
    """An ext4 image whose ``data/`` the kernel encrypts by a version 2 policy."""

    name = "fscrypt"

    def make(self, image: Path, size: int, mount: Path, key: bytes) -> None:
        """See Method."""
        _allocate(image, image_size(size))
        _format(image, size, "-O", "encrypt")
        mounting.mount(image, mount, "loop", "nosuid", "nodev")
        name = fscrypt.add_key(mount, key)
        (mount / DATA).mkdir()
        fscrypt.set_policy(mount / DATA, name)

    def unlock(self, image: Path, mount: Path, key: bytes, options: tuple[str, ...]) -> None:
        """See Method."""
        if not _is_mounted(mount):
            mounting.mount(image, mount, "loop", *options)
        name = fscrypt.identifier(key)
        policy = fscrypt.policy_key(mount / DATA)
        if policy != name:
            raise VolumeLocked(
                f"{mount.name}: its folder is encrypted by {policy and policy.hex()}, not by its own key"
            )
        if fscrypt.key_state(mount, name) is not fscrypt.KeyState.PRESENT:
            fscrypt.add_key(mount, key)

    def lock(self, mount: Path, key_id: str, *, lazily: bool = False) -> None:
        """See Method."""
        if not _is_mounted(mount):
            return
        name = bytes.fromhex(key_id)
        if fscrypt.key_state(mount, name) is not fscrypt.KeyState.ABSENT:
            fscrypt.remove_key(mount, name)
        try:
            mounting.unmount(mount)
        except VolumeBusy:
            if not lazily:
                raise
            mounting.unmount(mount, lazily=True)


class Luks:
    """An ext4 file system on a LUKS 2 device on an image, for hosts with dm-crypt."""

    name = "luks"

    def _mapper(self, mount: Path) -> str:
        # Mount points are unique on a host; device-mapper names are limited to 127 bytes.
        return "strongroom-" + hashlib.sha256(os.fsencode(mount)).hexdigest()[:32]

    def _map(self, image: Path, mount: Path, key: bytes) -> Path:
        device = Path("/dev/mapper") / self._mapper(mount)
        if not device.exists():
            mounting.run("cryptsetup", "open", "--type", "luks2", "--key-file", "-", str(image), device.name, stdin=key)
        return device

    def make(self, image: Path, size: int, mount: Path, key: bytes) -> None:
        """See Method."""
        self.lock(mount, key_id(key))
        _allocate(image, image_size(size) + 16 * MEBIBYTE)
        # The key is random, so the slow derivation meant for passphrases adds nothing.
        fast = ["--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000"]
        mounting.run(
            "cryptsetup", "luksFormat", "-q", "--type", "luks2", *fast, "--key-file", "-", str(image), stdin=key
        )
        device = self._map(image, mount, key)
        _format(device, size)
        mounting.mount(device, mount, "nosuid", "nodev")
        (mount / DATA).mkdir()

    def unlock(self, image: Path, mount: Path, key: bytes, options: tuple[str, ...]) -> None:
        """See Method."""
        if _is_mounted(mount):
            return
        try:
            device = self._map(image, mount, key)
        except VolumeError as error:
            raise VolumeLocked(f"{mount.name}: {error}") from None
        mounting.mount(device, mount, *options)

    def lock(self, mount: Path, key_id: str, *, lazily: bool = False) -> None:
        """See Method."""
        if _is_mounted(mount):
            try:
                mounting.unmount(mount)
            except VolumeBusy:
                if not lazily:
                    raise
                mounting.unmount(mount, lazily=True)
        device = self._mapper(mount)
        if (Path("/dev/mapper") / device).exists():
            mounting.run("cryptsetup", "close", *(["--deferred"] if lazily else []), device)


METHODS: dict[str, Method] = {method.name: method for method in (Fscrypt(), Luks())}
