"""The provider's secrets: one signing key, Django's secret and the key that seals one-time-code secrets at rest."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

SECRETS_FILE = "secrets.json"
SIGNING_FILE = "signing.pem"


@dataclass(frozen=True)
class Keys:
    """Everything secret that the provider needs to run."""

    django: str
    seal: str
    signing: str


def write_private(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a file that is complete or absent, with this mode from its first byte on."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.chmod(mode)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def make(folder: Path) -> None:
    """Make the secrets that are missing; those that exist stay."""
    if not (folder / SECRETS_FILE).exists():
        made = {"django": secrets.token_urlsafe(64), "seal": Fernet.generate_key().decode()}
        write_private(folder / SECRETS_FILE, json.dumps(made))
    if not (folder / SIGNING_FILE).exists():
        pem = rsa.generate_private_key(65537, 2048).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_private(folder / SIGNING_FILE, pem.decode())


def load(folder: Path) -> Keys:
    """Read the secrets. Raises FileNotFoundError saying how to make them."""
    try:
        made = json.loads((folder / SECRETS_FILE).read_text())
        return Keys(made["django"], made["seal"], (folder / SIGNING_FILE).read_text())
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"the identity provider has no keys in {folder}: run `python -m strongroom.identity.manage setup` first"
        ) from error
