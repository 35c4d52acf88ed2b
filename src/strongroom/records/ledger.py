"""The app's own ledger: lines join whichever transaction is open; the worker signs its checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connection, transaction

from strongroom import ledger
from strongroom.domain.acts import Actor

ORIGIN = "app"
KEY_LINE = "app-ledger.pub"


def line(
    at: str,
    actor: Actor,
    action: str,
    subject: Mapping[str, Any],
    *,
    project: str = "",
    outcome: str = "done",
    reason: str = "",
    role: str = "",
    body: Mapping[str, Any] | None = None,
) -> int:
    """Write one line and give its number."""
    who = {"kind": "person" if actor.kind == "person" else "process", "id": actor.id or "unknown"}
    who |= {key: value for key, value in (("name", actor.name), ("role", role)) if value}
    entry: dict[str, Any] = {"at": at, "actor": who, "action": action, "subject": dict(subject), "outcome": outcome}
    entry |= {key: value for key, value in (("project", project), ("reason", reason), ("body", body)) if value}
    with transaction.atomic(), connection.cursor() as cursor:
        return ledger.append(cursor.execute, entry, placeholder="%s").seq


def size() -> int:
    """How many lines the log has."""
    with connection.cursor() as cursor:
        return ledger.size(cursor.execute)


def sign_checkpoint(key: Ed25519PrivateKey) -> str:
    """Sign the log as it stands; without new lines the last checkpoint."""
    with transaction.atomic(), connection.cursor() as cursor:
        return ledger.checkpoint(cursor.execute, ORIGIN, key, placeholder="%s")


def newest_checkpoint() -> str:
    """The last signed checkpoint, "" before the first."""
    with connection.cursor() as cursor:
        found = ledger.latest(cursor.execute)
    return found[1] if found else ""


def publish_key(key: Ed25519PrivateKey, folder: Path) -> None:
    """Write the log's public key where the web app and auditors can read it."""
    path = folder / KEY_LINE
    text = ledger.key_line(ORIGIN, key.public_key()) + "\n"
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def public_key_line(folder: Path) -> str:
    """The log's name and public key as one line, "" before the worker has made it."""
    path = folder / KEY_LINE
    return path.read_text().strip() if path.exists() else ""


def export_to(path: Path, folder: Path) -> bool:
    """Write the log up to its newest checkpoint to a new file; False before the first checkpoint."""
    words = public_key_line(folder)
    if not words or not newest_checkpoint():
        return False
    _, public = ledger.read_key_line(words)
    with transaction.atomic(), connection.cursor() as cursor:
        ledger.export(cursor.execute, path, public, placeholder="%s")
    return True
