"""Host keys, which wrap the keys of volumes and rotate at each destruction.

A volume's key exists at rest only wrapped (AES-256-GCM) by a host key. When a volume is destroyed every other key is
wrapped anew by a new host key and the old host key is overwritten: a wrapped key that survives in a backup opens nothing.
"""

from __future__ import annotations

import base64
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from strongroom.warden.volumes import durable
from strongroom.warden.volumes.errors import VolumeLocked

_HOST_KEY = re.compile(r"host-([0-9]+)\.key")


@dataclass(frozen=True)
class WrappedKey:
    """A volume's key as it lies on disk: useless without the host key of that number."""

    host_key: int
    nonce: bytes
    sealed: bytes

    def dump(self) -> bytes:
        """As stored in ``key.json``."""
        text = {"nonce": base64.b64encode(self.nonce).decode(), "sealed": base64.b64encode(self.sealed).decode()}
        return json.dumps({"host_key": self.host_key, **text}).encode()

    @classmethod
    def load(cls, content: bytes) -> WrappedKey:
        """Read back what ``dump`` wrote."""
        try:
            fields = json.loads(content)
            nonce, sealed = base64.b64decode(fields["nonce"]), base64.b64decode(fields["sealed"])
            return cls(int(fields["host_key"]), nonce, sealed)
        except (ValueError, KeyError, TypeError) as error:
            raise VolumeLocked(f"the wrapped key is damaged ({error}): restore key.json from a backup") from None


class HostKeys:
    """The host keys in one directory, by number; the highest is the one in use."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def _path(self, number: int) -> Path:
        return self.directory / f"host-{number}.key"

    def numbers(self) -> list[int]:
        """Numbers of the host keys that exist, ascending."""
        if not self.directory.is_dir():
            return []
        found = (_HOST_KEY.fullmatch(name) for name in os.listdir(self.directory))
        return sorted(int(match[1]) for match in found if match)

    def current(self) -> int:
        """Number of the key in use; the first is made here."""
        numbers = self.numbers()
        return numbers[-1] if numbers else self.ensure(1)

    def ensure(self, number: int) -> int:
        """The current key has at least this number afterwards (a new one is made if not)."""
        numbers = self.numbers()
        if numbers and numbers[-1] >= number:
            return numbers[-1]
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        durable.write(self._path(number), AESGCM.generate_key(256))
        return number

    def retire(self, number: int) -> None:
        """Overwrite and remove one host key."""
        durable.shred(self._path(number))

    def _cipher(self, number: int) -> AESGCM:
        try:
            return AESGCM(self._path(number).read_bytes())
        except FileNotFoundError:
            raise VolumeLocked(
                f"host key {number} is gone: what it wrapped cannot be opened again (it is destroyed on purpose "
                "whenever a volume is; a newer copy of the volume's key.json is wrapped by a newer host key)"
            ) from None

    def wrap(self, volume: str, key: bytes) -> WrappedKey:
        """Seal a volume's key with the current host key; bound to the volume's id."""
        number, nonce = self.current(), os.urandom(12)
        return WrappedKey(number, nonce, self._cipher(number).encrypt(nonce, key, _bound_to(volume, number)))

    def unwrap(self, volume: str, wrapped: WrappedKey) -> bytes:
        """The volume's key; VolumeLocked when the host key is gone or the wrapped key is another volume's."""
        try:
            return self._cipher(wrapped.host_key).decrypt(
                wrapped.nonce, wrapped.sealed, _bound_to(volume, wrapped.host_key)
            )
        except InvalidTag:
            raise VolumeLocked(f"the wrapped key of volume {volume} was altered or belongs to another volume") from None


def _bound_to(volume: str, number: int) -> bytes:
    return f"strongroom volume {volume} host key {number}".encode()
