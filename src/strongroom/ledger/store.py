"""The log in a database: appending inside whichever transaction is open, roots and proofs without the whole tree.

Beside each entry's leaf hash, only the root of every complete group of 256 hashes is stored, level upon level: an
append costs one row and, each 256th time, one more; any root or proof reads at most some hundreds of hashes per level.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from strongroom.ledger import tree
from strongroom.ledger.entry import MAX_BYTES, BadEntry, canonical, validate

BITS: Final = 8
WIDTH: Final = 1 << BITS


class Execute(Protocol):
    """``execute`` of an open sqlite3 connection or of a Django cursor; the caller owns the transaction."""

    def __call__(self, sql: str, parameters: Sequence[Any], /) -> Any: ...


@dataclass(frozen=True)
class Appended:
    """Number of the new entry (from 1, without gaps) and its leaf hash."""

    seq: int
    leaf_hash: bytes


class BrokenLedger(RuntimeError):
    """The stored log lacks rows that it must have."""


def schema() -> list[str]:
    """Statements that make the tables in SQLite, one per item; they may be run again."""
    statements = [
        "CREATE TABLE IF NOT EXISTS ledger_entry "
        "(seq INTEGER PRIMARY KEY, at TEXT NOT NULL, body TEXT NOT NULL, leaf BLOB NOT NULL)",
        "CREATE TABLE IF NOT EXISTS ledger_node "
        "(level INTEGER NOT NULL, idx INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (level, idx)) WITHOUT ROWID",
        "CREATE TABLE IF NOT EXISTS ledger_checkpoint "
        "(size INTEGER PRIMARY KEY, root BLOB NOT NULL, at TEXT NOT NULL, signature TEXT NOT NULL)",
    ]
    for table in ("ledger_entry", "ledger_node", "ledger_checkpoint"):
        statements += [
            f"CREATE TRIGGER IF NOT EXISTS {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: {verb} on {table} is refused'); END"
            for verb in ("UPDATE", "DELETE")
        ]
    # REPLACE deletes without firing delete triggers.
    statements.append(
        "CREATE TRIGGER IF NOT EXISTS ledger_entry_no_replace BEFORE INSERT ON ledger_entry "
        "WHEN EXISTS (SELECT 1 FROM ledger_entry WHERE seq = NEW.seq) "
        "BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: REPLACE on ledger_entry is refused'); END"
    )
    return statements


def append(execute: Execute, entry: dict[str, Any], *, placeholder: str = "?") -> Appended:
    """Add one entry within the open transaction (IMMEDIATE, so that two writers cannot take one number).

    ``placeholder`` is ``?`` for sqlite3 and ``%s`` for a Django cursor. Raises BadEntry for an entry that is refused.
    """
    validate(entry)
    body = canonical(entry)
    if len(body) > MAX_BYTES:
        raise BadEntry([f"it is {len(body)} bytes, more than {MAX_BYTES}: keep content elsewhere, its digest here"])
    leaf = tree.leaf_hash(body)
    seq = size(execute) + 1
    execute(
        f"INSERT INTO ledger_entry (seq, at, body, leaf) VALUES ({', '.join([placeholder] * 4)})",  # noqa: S608
        (seq, entry["at"], body.decode(), leaf),
    )
    if seq % WIDTH == 0:
        _close_groups(execute, seq, placeholder)
    return Appended(seq, leaf)


def size(execute: Execute) -> int:
    """How many entries the log has."""
    return int(execute("SELECT MAX(seq) FROM ledger_entry", ()).fetchone()[0] or 0)


def read(execute: Execute, after: int = 0, limit: int = 100, *, placeholder: str = "?") -> list[tuple[int, Any]]:
    """Entries numbered above ``after``, oldest first, as ``(seq, entry)``."""
    sql = f"SELECT seq, body FROM ledger_entry WHERE seq > {placeholder} ORDER BY seq LIMIT {placeholder}"  # noqa: S608
    return [(int(seq), json.loads(body)) for seq, body in execute(sql, (after, limit)).fetchall()]


def bodies(execute: Execute, stop: int, *, placeholder: str = "?") -> Iterator[tuple[int, str]]:
    """Canonical text of the entries up to number ``stop``, in bounded memory."""
    sql = (
        f"SELECT seq, body FROM ledger_entry WHERE seq > {placeholder} AND seq <= {placeholder} "  # noqa: S608
        "ORDER BY seq LIMIT 1000"
    )
    after = 0
    while rows := execute(sql, (after, stop)).fetchall():
        yield from rows
        after = rows[-1][0]


class Hashes:
    """Roots and proofs of the stored log."""

    def __init__(self, execute: Execute, *, placeholder: str = "?") -> None:
        self._execute = execute
        self._mark = placeholder

    def root(self, size: int) -> bytes:
        """Tree hash of the first ``size`` entries."""
        return self.span(0, size)

    def inclusion(self, seq: int, size: int) -> list[bytes]:
        """Proof that entry ``seq`` (from 1) is among the first ``size``."""
        return tree.inclusion_proof(seq - 1, size, self.span)

    def consistency(self, old: int, size: int) -> list[bytes]:
        """Proof that the first ``size`` entries extend the first ``old``."""
        return tree.consistency_proof(old, size, self.span)

    def span(self, start: int, stop: int) -> bytes:
        """Tree hash over entries ``start + 1`` to ``stop``; ``start`` as the tree's own proofs split it."""
        pieces: list[bytes] = []
        while start < stop:
            height = (stop - start).bit_length() - 1
            if start:
                height = min(height, (start & -start).bit_length() - 1)
            pieces.append(self._subtree(height, start >> height))
            start += 1 << height
        if not pieces:
            return tree.EMPTY
        value = pieces.pop()
        while pieces:
            value = tree.node_hash(pieces.pop(), value)
        return value

    def _subtree(self, height: int, index: int) -> bytes:
        level, inner = divmod(height, BITS)
        return tree.root(_hashes(self._execute, level, index << inner, 1 << inner, self._mark))


def _hashes(execute: Execute, level: int, start: int, count: int, mark: str) -> list[bytes]:
    if level == 0:
        sql = f"SELECT leaf FROM ledger_entry WHERE seq > {mark} AND seq <= {mark} ORDER BY seq"  # noqa: S608
        rows = execute(sql, (start, start + count)).fetchall()
    else:
        sql = f"SELECT hash FROM ledger_node WHERE level = {mark} AND idx >= {mark} AND idx < {mark} ORDER BY idx"  # noqa: S608
        rows = execute(sql, (level, start, start + count)).fetchall()
    if len(rows) != count:
        raise BrokenLedger(
            f"the ledger's table has {len(rows)} of the {count} hashes from {start} on level {level}: rows were "
            "removed; keep the database as it is, export what is left and compare it with kept checkpoints"
        )
    return [bytes(row[0]) for row in rows]


def _close_groups(execute: Execute, seq: int, mark: str) -> None:
    level, index = 0, seq
    while index % WIDTH == 0:
        index //= WIDTH
        value = tree.root(_hashes(execute, level, (index - 1) * WIDTH, WIDTH, mark))
        level += 1
        execute(
            f"INSERT INTO ledger_node (level, idx, hash) VALUES ({mark}, {mark}, {mark})",  # noqa: S608
            (level, index - 1, value),
        )
