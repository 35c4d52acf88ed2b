"""Append rate of the ledger against plain SQLite rows, at the same batch size: ``python benchmarks/ledger.py``.

Both sides write the same entries to a file in WAL mode with synchronous=FULL, one transaction per batch, interleaved;
figures are medians of five rounds. The plain side serialises the entry (standard JSON) and inserts two columns; the
ledger side validates, canonicalises, hashes, inserts and signs one checkpoint per batch.
"""

from __future__ import annotations

import json
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom import ledger

ROUNDS = 5
KEY = Ed25519PrivateKey.generate()


def entry(number: int) -> dict[str, Any]:
    """An entry of ordinary size (about 300 bytes)."""
    return {
        "at": "2026-01-31T09:30:00Z", "action": "dataset.view", "outcome": "done", "project": "alpha",
        "actor": {"kind": "person", "id": f"person-{number % 40}", "role": "researcher"},
        "subject": {"dataset": f"dataset-{number % 7}", "fields": ["pupil.sex", "pupil.score", "school.authority"]},
        "policy": "sha256:5d41402abc4b2a76b9719d911017c592", "body": {"number": number},
    }


def opened(path: Path, statements: list[str]) -> sqlite3.Connection:
    """A fresh database in the mode the platform uses."""
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in ["PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", *statements]:
        connection.execute(statement)
    return connection


def plain(connection: sqlite3.Connection, items: list[dict[str, Any]]) -> None:
    """One transaction of ordinary rows."""
    connection.execute("BEGIN IMMEDIATE")
    for item in items:
        connection.execute("INSERT INTO plain (at, body) VALUES (?, ?)", (item["at"], json.dumps(item)))
    connection.execute("COMMIT")


def merkle(connection: sqlite3.Connection, items: list[dict[str, Any]]) -> None:
    """One transaction of ledger entries."""
    connection.execute("BEGIN IMMEDIATE")
    for item in items:
        ledger.append(connection.execute, item)
    ledger.checkpoint(connection.execute, "bench/app", KEY)
    connection.execute("COMMIT")


def rate(write: Callable[..., None], connection: sqlite3.Connection, batch: int, total: int) -> tuple[float, float]:
    """Entries per second by the clock and by this process's CPU time."""
    batches = [[entry(number) for number in range(start, start + batch)] for start in range(0, total, batch)]
    wall, cpu = time.perf_counter(), time.process_time()
    for items in batches:
        write(connection, items)
    return total / (time.perf_counter() - wall), total / (time.process_time() - cpu)


def compare(batch: int, total: int) -> dict[str, float]:
    """Medians of the interleaved rounds."""
    rows: list[tuple[float, float, float, float]] = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            rows_of = opened(Path(folder, "plain.db"), ["CREATE TABLE plain (seq INTEGER PRIMARY KEY, at TEXT, body TEXT)"])
            log = opened(Path(folder, "ledger.db"), ledger.schema())
            rows.append((*rate(plain, rows_of, batch, total), *rate(merkle, log, batch, total)))
            rows_of.close()
            log.close()
    medians = [statistics.median(column) for column in zip(*rows, strict=True)]
    return {"batch": batch, "plain_per_s": medians[0], "ledger_per_s": medians[2], "ratio_wall": medians[2] / medians[0],
            "plain_per_cpu_s": medians[1], "ledger_per_cpu_s": medians[3], "ratio_cpu": medians[3] / medians[1]}


def proofs(total: int) -> dict[str, float]:
    """Microseconds per root, inclusion and consistency proof read from disk, and verified entries per second."""
    with tempfile.TemporaryDirectory() as folder:
        log = opened(Path(folder, "ledger.db"), ledger.schema())
        merkle(log, [entry(number) for number in range(total)])
        hashes = ledger.Hashes(log.execute)
        found: dict[str, float] = {"entries": total}
        for name, call in (("root_us", lambda number: hashes.root(total - number)),
                           ("inclusion_us", lambda number: hashes.inclusion(1 + number * (total // 50), total)),
                           ("consistency_us", lambda number: hashes.consistency(1 + number * (total // 50), total))):
            times = []
            for number in range(50):
                start = time.perf_counter()
                call(number)
                times.append((time.perf_counter() - start) * 1e6)
            found[name] = statistics.median(times)
        out = Path(folder, "log")
        ledger.export(log.execute, out, KEY.public_key())
        start = time.perf_counter()
        assert ledger.verify_export(out).holds
        found["verified_per_s"] = total / (time.perf_counter() - start)
        log.close()
        return found


if __name__ == "__main__":
    scale = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    for batch, total in ((1, 500 * scale), (100, 5_000 * scale), (1000, 10_000 * scale)):
        print(json.dumps({name: round(value, 2) for name, value in compare(batch, total).items()}))
    print(json.dumps({name: round(value) for name, value in proofs(50_000 * scale).items()}))
