"""Ledgers in memory and on disk for the tests of this folder."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from strongroom import ledger


def entry(number: int = 0, **fields: Any) -> dict[str, Any]:
    """A proper entry."""
    return {
        "at": f"2026-01-31T09:{number // 60 % 60:02}:{number % 60:02}Z",
        "actor": {"kind": "person", "id": "p1", "role": "investigator"},
        "action": "dataset.view",
        "subject": {"dataset": f"d{number}"},
        "project": "alpha",
        "outcome": "done",
        **fields,
    }


def opened(path: Path | str = ":memory:") -> sqlite3.Connection:
    """A connection to a ledger, in the mode the platform uses."""
    connection = sqlite3.connect(path, isolation_level=None)
    if path != ":memory:":
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
    for statement in ledger.schema():
        connection.execute(statement)
    return connection


@pytest.fixture
def log() -> Iterator[sqlite3.Connection]:
    connection = opened()
    yield connection
    connection.close()
