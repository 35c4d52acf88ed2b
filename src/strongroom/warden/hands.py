"""What the reconcile loop works with: the record, the volumes, the platform, and the keys that sign."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from strongroom.domain.acts import Entry
from strongroom.domain.project import Project
from strongroom.layout import Layout
from strongroom.platforms.protocol import EnvironmentSpec, Platform
from strongroom.warden.record import Record
from strongroom.warden.volumes import VolumeStore


def signing_key(path: Path) -> Ed25519PrivateKey:
    """The warden's own key, made at the first start; only root can read it."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = Ed25519PrivateKey.generate().private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        fresh = path.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_bytes(made)
        fresh.replace(path)
    return Ed25519PrivateKey.from_private_bytes(path.read_bytes())


@dataclass
class Hands:
    """Everything a piece of work may use; the handlers in ``works`` are plain functions of this and an id."""

    layout: Layout
    record: Record
    volumes: VolumeStore
    platform: Platform
    key: Ed25519PrivateKey
    image: Callable[[], str]
    probe: Callable[[EnvironmentSpec], list[dict[str, Any]]]
    check: Callable[[Path, str], bytes]
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    receivers: dict[str, Any] = field(default_factory=dict)
    upload_secrets: dict[str, str] = field(default_factory=dict)
    tries: dict[str, int] = field(default_factory=dict)

    def fact(self, kind: str, project: str, /, **body: Any) -> Entry:
        """State a fact in the record."""
        return self.record.fact(kind, project, self.clock(), **body)

    @property
    def _now(self) -> str:
        return self.clock().isoformat(timespec="seconds")

    def state(self, project: str) -> Project:
        return self.record.state(project)

    @property
    def public_key(self) -> str:
        """The warden's public key, base64."""
        return base64.b64encode(self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()

    def signed(self, content: dict[str, Any]) -> dict[str, Any]:
        """The content with the warden's public key and its signature over the canonical JSON of all the rest."""
        whole = {**content, "key": self.public_key}
        signature = self.key.sign(rfc8785.dumps(whole))
        return {**whole, "signature": base64.b64encode(signature).decode()}

    def make_volume(
        self,
        project: str,
        volume: str,
        environment: str,
        mount: str,
        kind: str,
        size: int,
        owner: int,
        mode: int = 0o700,
    ) -> Path:
        """Say in the record that there is a volume, once, then make it: killed in between, it is still destroyed in the end."""
        if volume not in self.state(project).volumes:
            self.fact(
                "volume.created",
                project,
                volume=volume,
                environment=environment,
                mount=mount,
                kind=kind,
                size=size,
                encryption=self.volumes.capability(),
            )
        return self.volumes.create(volume, kind, size, owner, mode)

    def destroy_volume(self, project: str, volume: str) -> None:
        """Destroy a volume's key and then the volume, and say so in the record, once."""
        made = self.state(project).volumes.get(volume, {})
        if "destroyed" in made:
            return
        if self.volumes.find(volume) is None:
            # Said, and the warden killed before it was made: no key ever was.
            found = {"kind": made["kind"], "destroyed_at": self._now, "key_id": "", "method": "never made"}
        else:
            gone = self.volumes.destroy(volume)
            found = {"kind": gone.kind, "destroyed_at": gone.destroyed_at, "key_id": gone.key_id, "method": gone.method}
        self.fact("volume.destroyed", project, volume=volume, **found)
