"""Signed checkpoints: C2SP signed notes (Ed25519) over origin, size and root, and the line that names a public key."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from strongroom.ledger.store import Execute, Hashes, size

_ED25519 = b"\x01"
_ORIGIN = re.compile(r"[^\s+]{1,200}")


class BadNote(ValueError):
    """A checkpoint that is malformed, or not signed by the key it should be."""


@dataclass(frozen=True)
class Checkpoint:
    """What a signed checkpoint says: this log had ``size`` entries with this root at this time."""

    origin: str
    size: int
    root: bytes
    at: str

    def text(self) -> str:
        """The signed lines."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n{self.at}\n"


def key_line(origin: str, public_key: Ed25519PublicKey) -> str:
    """A log's name and public key as one line (a C2SP verifier key)."""
    raw = public_key.public_bytes_raw()
    return f"{origin}+{_key_hash(origin, raw).hex()}+{base64.b64encode(_ED25519 + raw).decode()}"


def read_key_line(line: str) -> tuple[str, Ed25519PublicKey]:
    """Origin and public key of a key line; raises BadNote when it is malformed."""
    try:
        origin, digest, coded = line.rstrip("\n").split("+", 2)
        blob = base64.b64decode(coded, validate=True)
        if blob[:1] != _ED25519 or _key_hash(origin, blob[1:]).hex() != digest:
            raise ValueError("name, key and hash do not belong together")
        key = Ed25519PublicKey.from_public_bytes(blob[1:])
    except (ValueError, binascii.Error) as error:
        raise BadNote(f"the key line is malformed ({error}): it is <origin>+<hash>+<base64 key>") from error
    if not _ORIGIN.fullmatch(origin) or key_line(origin, key) != line.rstrip("\n"):
        raise BadNote("the key line is not in its one proper form: <origin>+<hash>+<base64 key>")
    return origin, key


def sign(point: Checkpoint, private_key: Ed25519PrivateKey) -> str:
    """The signed note of a checkpoint."""
    if not _ORIGIN.fullmatch(point.origin):
        raise BadNote("a log's origin is one word without spaces and '+', such as strongroom/main/app")
    text = point.text()
    blob = _key_hash(point.origin, private_key.public_key().public_bytes_raw()) + private_key.sign(text.encode())
    return f"{text}\n\u2014 {point.origin} {base64.b64encode(blob).decode()}\n"


def verify_note(note: str, public_key: Ed25519PublicKey) -> Checkpoint:
    """What a signed note says; raises BadNote unless it is well formed and signed by ``public_key``."""
    text, gap, signature = note.partition("\n\n")
    lines = text.split("\n")
    if not gap or len(lines) != 4:
        raise BadNote("not a checkpoint: it has the lines origin, size, root and time, an empty line, a signature line")
    try:
        point = Checkpoint(lines[0], int(lines[1]), base64.b64decode(lines[2], validate=True), lines[3])
        blob = base64.b64decode(signature.removeprefix(f"\u2014 {point.origin} ").removesuffix("\n"), validate=True)
    except (ValueError, binascii.Error) as error:
        raise BadNote(f"not a checkpoint: {error}") from error
    again = f"{point.text()}\n\u2014 {point.origin} {base64.b64encode(blob).decode()}\n"
    if again != note or len(point.root) != 32 or point.size < 0:
        raise BadNote("the checkpoint is not in its one proper form: it was changed after signing")
    if blob[:4] != _key_hash(point.origin, public_key.public_bytes_raw()):
        raise BadNote(f"the checkpoint of {point.origin} at {point.size} entries is signed with another key")
    try:
        public_key.verify(blob[4:], point.text().encode())
    except InvalidSignature as error:
        raise BadNote(f"the signature of {point.origin} at {point.size} entries does not fit its text") from error
    return point


def checkpoint(
    execute: Execute, origin: str, private_key: Ed25519PrivateKey, *, at: str | None = None, placeholder: str = "?"
) -> str:
    """Sign the log as it stands in the open transaction, store and return the note; without new entries, the last one.

    ``at`` (RFC 3339 UTC) is the clock's time unless given.
    """
    now = size(execute)
    kept = latest(execute)
    if kept is not None and kept[0] == now:
        return kept[1]
    at = at or datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    point = Checkpoint(origin, now, Hashes(execute, placeholder=placeholder).root(now), at)
    note = sign(point, private_key)
    execute(
        f"INSERT INTO ledger_checkpoint (size, root, at, signature) VALUES ({', '.join([placeholder] * 4)})",  # noqa: S608
        (now, point.root, at, note),
    )
    return note


def latest(execute: Execute) -> tuple[int, str] | None:
    """Size and note of the last stored checkpoint."""
    row = execute("SELECT size, signature FROM ledger_checkpoint ORDER BY size DESC LIMIT 1", ()).fetchone()
    return None if row is None else (int(row[0]), str(row[1]))


def _key_hash(origin: str, raw: bytes) -> bytes:
    return hashlib.sha256(origin.encode() + b"\n" + _ED25519 + raw).digest()[:4]
