"""The warden's signed word on what lies in a deposit, which the depositor compares with their own hashes."""

from __future__ import annotations

import base64
from dataclasses import asdict, dataclass
from typing import Any

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from strongroom.deposit.manifest import FileHash, Manifest

_PURPOSE = b"strongroom deposit receipt 1\n"


class BadReceipt(ValueError):
    """Not a receipt, not signed by the key it names, or not consistent with itself."""


@dataclass(frozen=True)
class Receipt:
    """Deposit, files, digest and time, with the public key (base64 of 32 bytes) and its Ed25519 signature."""

    deposit: str
    files: tuple[FileHash, ...]
    digest: str
    at: str
    key: str
    signature: str = ""

    def to_json(self) -> dict[str, Any]:
        """As it travels."""
        return {**asdict(self), "files": [asdict(file) for file in self.files]}

    def signed_bytes(self) -> bytes:
        """What the signature covers: a line of purpose, then canonical JSON (RFC 8785) of all else."""
        fields = self.to_json()
        del fields["signature"]
        return _PURPOSE + rfc8785.dumps(fields)

    @classmethod
    def from_json(cls, fields: Any) -> Receipt:
        """Read and verify; BadReceipt says what is wrong."""
        try:
            files = tuple(FileHash(str(f["name"]), int(f["size"]), str(f["sha256"])) for f in fields["files"])
            text = {name: str(fields[name]) for name in ("deposit", "digest", "at", "key", "signature")}
        except (TypeError, KeyError, ValueError) as error:
            raise BadReceipt(f"this is not a receipt ({error!r} is missing or wrong)") from None
        receipt = cls(files=files, **text)
        receipt.verify()
        return receipt

    def verify(self) -> None:
        """BadReceipt unless the signature is the key's and the digest follows from the files."""
        try:
            public = Ed25519PublicKey.from_public_bytes(base64.b64decode(self.key, validate=True))
            public.verify(base64.b64decode(self.signature, validate=True), self.signed_bytes())
        except (ValueError, InvalidSignature):
            raise BadReceipt("the receipt is not signed by the key it names: tell the Project Manager") from None
        if Manifest.of(self.files).digest != self.digest:
            raise BadReceipt("the receipt's digest does not follow from its files: tell the Project Manager")


def sign(private: Ed25519PrivateKey, deposit: str, manifest: Manifest, at: str) -> Receipt:
    """The signed receipt for what the warden found in a deposit's volume."""
    key = base64.b64encode(private.public_key().public_bytes_raw()).decode()
    unsigned = Receipt(deposit, manifest.files, manifest.digest, at, key)
    signature = base64.b64encode(private.sign(unsigned.signed_bytes())).decode()
    return Receipt(deposit, manifest.files, manifest.digest, at, key, signature)
