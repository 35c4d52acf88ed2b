"""Append-only Merkle log over canonical JSON: append in any open transaction, verify from an export alone."""

from __future__ import annotations

from strongroom.ledger.entry import BadEntry, canonical, validate
from strongroom.ledger.export import (
    CrossCheck,
    Exported,
    Report,
    cross_check,
    entries,
    export,
    verify_against,
    verify_export,
)
from strongroom.ledger.note import BadNote, Checkpoint, checkpoint, key_line, latest, read_key_line, verify_note
from strongroom.ledger.store import Appended, BrokenLedger, Execute, Hashes, append, read, schema, size

__all__ = [
    "Appended", "BadEntry", "BadNote", "BrokenLedger", "Checkpoint", "CrossCheck", "Execute", "Exported", "Hashes",
    "Report", "append", "canonical", "checkpoint", "cross_check", "entries", "export", "key_line", "latest", "read",
    "read_key_line", "schema", "size", "validate", "verify_against", "verify_export", "verify_note",
]
