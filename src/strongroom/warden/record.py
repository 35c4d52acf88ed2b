"""The decision record: append-only, Merkle-hashed, and the folded state of each project kept beside it in memory."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from strongroom import ledger
from strongroom.domain.acts import Actor, Entry
from strongroom.domain.project import Project, apply, fold
from strongroom.policy import tiers

WARDEN = Actor("process", "warden", "warden")
TABLES = """
CREATE TABLE IF NOT EXISTS record (seq INTEGER PRIMARY KEY, project TEXT NOT NULL, entry TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS record_project ON record (project, seq);
CREATE TABLE IF NOT EXISTS answered (key TEXT PRIMARY KEY, person TEXT NOT NULL, digest TEXT NOT NULL, outcome TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS used_login (hash TEXT PRIMARY KEY, at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS slot (environment TEXT PRIMARY KEY, number INTEGER NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS deposit_secret (deposit TEXT PRIMARY KEY, opening TEXT, upload TEXT);
CREATE TABLE IF NOT EXISTS session (cookie TEXT PRIMARY KEY, person TEXT, project TEXT, environment TEXT, address TEXT,
                                    ends REAL NOT NULL, ticket INTEGER NOT NULL);
"""


class Record:
    """One SQLite database, one writer at a time; every method may be called from any thread."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=20)
        path.chmod(0o600)
        self._lock = threading.RLock()
        self._states: dict[str, Project] = {}
        self.changed = threading.Condition()
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        for statement in ledger.schema():
            self._db.execute(statement)
        self._db.executescript(TABLES)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One write transaction; everything in it is kept or nothing is."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                # Also when the disk is full at the commit: nothing may count that is not kept.
                self._states.clear()
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        with self.changed:
            self.changed.notify_all()

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Nothing is added meanwhile: for rows, and for walking a state."""
        with self._lock:
            yield self._db

    def append(self, db: sqlite3.Connection, entry: Entry, relies_on: tuple[int, ...] = ()) -> Entry:
        """Add a line within an open transaction; returns it with its sequence number."""
        line = {
            "at": entry.at,
            "actor": {"kind": entry.actor.kind, "id": entry.actor.id, "name": entry.actor.name, "role": entry.role},
            "action": entry.kind,
            "subject": {"relies_on": list(relies_on)},
            "project": entry.project,
            "purpose": "",
            "outcome": entry.outcome,
            "reason": entry.reason,
            "policy": entry.policy,
            "body": {"content": dict(entry.body), **({"decision": entry.digest} if entry.digest else {})},
        }
        # Folded before and after: a line that the workflow does not allow is never kept, or nobody could read on.
        states = [self.state(entry.project)] if entry.project else list(self._states.values())
        kept = replace(entry, seq=ledger.append(db.execute, line).seq)
        db.execute(
            "INSERT INTO record (seq, project, entry) VALUES (?, ?, ?)",
            (kept.seq, kept.project, json.dumps(kept.to_json())),
        )
        for state in states:
            apply(state, kept)
        return kept

    def fact(self, kind: str, project: str, now: datetime, /, **body: Any) -> Entry:
        """State something about the world, as the warden saw it."""
        entry = Entry(0, stamp(now), WARDEN, kind, project, body, policy=tiers.digest())
        with self.transaction() as db:
            return self.append(db, entry)

    def state(self, project: str) -> Project:
        """The folded state of a project; read it, never change it."""
        with self._lock:
            if project not in self._states:
                rows = self._db.execute(
                    "SELECT entry FROM record WHERE project IN (?, '') ORDER BY seq", (project,)
                ).fetchall()
                state = fold(project, (Entry.from_json(json.loads(row[0])) for row in rows))
                if state.state == "-":
                    # Anybody can invent names; they are not remembered.
                    return state
                self._states[project] = state
            return self._states[project]

    def projects(self) -> list[str]:
        with self._lock:
            rows = self._db.execute(
                "SELECT DISTINCT project FROM record WHERE project != '' AND json_extract(entry, '$.outcome') = 'done'"
            ).fetchall()
        return [row[0] for row in rows]

    def project_of(self, part: str, ident: str) -> str:
        """Id of the project that holds an environment, deposit or request; "" for none."""
        for name in self.projects():
            if ident in getattr(self.state(name), part):
                return name
        return ""

    def entries(self, after: int, limit: int) -> list[Entry]:
        with self._lock:
            rows = self._db.execute(
                "SELECT entry FROM record WHERE seq > ? ORDER BY seq LIMIT ?", (after, max(0, min(limit, 500)))
            ).fetchall()
        return [Entry.from_json(json.loads(row[0])) for row in rows]

    def slot(self, environment: str) -> int:
        """Number of an environment's uid range, given once and never used again."""
        with self.transaction() as db:
            db.execute("INSERT OR IGNORE INTO slot SELECT ?, COALESCE(MAX(number), -1) + 1 FROM slot", (environment,))
            number: int = db.execute("SELECT number FROM slot WHERE environment = ?", (environment,)).fetchone()[0]
        return number

    def upload_secret(self, deposit: str) -> str:
        """SHA-256 of the secret that a deposit's upload is bound to; "" before its token was exchanged."""
        with self._lock:
            row = self._db.execute("SELECT upload FROM deposit_secret WHERE deposit = ?", (deposit,)).fetchone()
        return str(row[0]) if row else ""

    def answered(self, key: str) -> tuple[str, str, Mapping[str, Any]] | None:
        """Person, digest and outcome of an order that was sent before under this key."""
        with self._lock:
            row = self._db.execute("SELECT person, digest, outcome FROM answered WHERE key = ?", (key,)).fetchone()
        return (row[0], row[1], json.loads(row[2])) if row else None

    def close(self) -> None:
        with self._lock:
            self._db.close()


def stamp(now: datetime) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
