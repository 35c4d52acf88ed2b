"""Appending, refusing changes, and roots and proofs from what is stored."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strongroom import ledger
from strongroom.ledger import tree
from tests.ledger.conftest import entry, opened
from tests.proves import proves

ROOT = Path(__file__).parents[2]


def fill(log: sqlite3.Connection, count: int) -> list[bytes]:
    log.execute("BEGIN IMMEDIATE")
    leaves = [ledger.append(log.execute, entry(number)).leaf_hash for number in range(count)]
    log.execute("COMMIT")
    return leaves


def test_numbers_and_reading(log: sqlite3.Connection) -> None:
    assert ledger.size(log.execute) == 0
    fill(log, 5)
    assert ledger.size(log.execute) == 5
    assert [seq for seq, _ in ledger.read(log.execute, after=2)] == [3, 4, 5]
    assert ledger.read(log.execute, limit=1) == [(1, entry(0))]


@settings(max_examples=20, deadline=None)
@given(size=st.integers(1, 130), data=st.data())
def test_stored_proofs_equal_those_in_memory(size: int, data: st.DataObject) -> None:
    log = opened()
    leaves = fill(log, size)
    seq, old = data.draw(st.integers(1, size)), data.draw(st.integers(0, size))
    hashes = ledger.Hashes(log.execute)
    assert hashes.root(size) == tree.root(leaves)
    assert hashes.inclusion(seq, size) == tree.inclusion_proof(seq - 1, size, tree.span_of(leaves))
    assert hashes.consistency(old, size) == tree.consistency_proof(old, size, tree.span_of(leaves))
    log.close()


def test_beyond_two_levels_of_groups(log: sqlite3.Connection) -> None:
    leaves = fill(log, 256 * 256 + 300)
    hashes = ledger.Hashes(log.execute)
    assert log.execute("SELECT level, COUNT(*) FROM ledger_node GROUP BY level").fetchall() == [(1, 257), (2, 1)]
    for size in (255, 256, 257, 511, 512, 65535, 65536, 65537, len(leaves)):
        root = tree.root(leaves[:size])
        assert hashes.root(size) == root
        for seq in (1, size // 2, size):
            assert tree.verify_inclusion(leaves[seq - 1], seq - 1, size, hashes.inclusion(seq, size), root)
        proof = hashes.consistency(200, size)
        assert tree.verify_consistency(200, size, tree.root(leaves[:200]), root, proof)


def test_joins_the_open_transaction(log: sqlite3.Connection) -> None:
    log.execute("BEGIN IMMEDIATE")
    ledger.append(log.execute, entry())
    log.execute("ROLLBACK")
    assert ledger.size(log.execute) == 0


def test_a_refused_entry_leaves_no_trace(log: sqlite3.Connection) -> None:
    with pytest.raises(ledger.BadEntry):
        ledger.append(log.execute, entry(outcome="perhaps"))
    with pytest.raises(ledger.BadEntry, match="digest here"):
        ledger.append(log.execute, entry(body={"x": "y" * 300_000}))
    assert ledger.size(log.execute) == 0


@proves("F11")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_entry SET body = '{}'",
        "DELETE FROM ledger_entry",
        "DELETE FROM ledger_node",
        "UPDATE ledger_checkpoint SET at = ''",
        "DELETE FROM ledger_checkpoint",
        "REPLACE INTO ledger_entry VALUES (1, '', '', '')",
        "INSERT OR REPLACE INTO ledger_entry VALUES (2, '', '', '')",
        "UPDATE OR REPLACE ledger_entry SET seq = 2 WHERE seq = 1",
    ],
)
def test_changing_statements_are_refused(log: sqlite3.Connection, statement: str) -> None:
    fill(log, 256)
    log.execute("INSERT INTO ledger_checkpoint VALUES (1, 'r', 'a', 's')")
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        log.execute(statement)


@proves("F11")
def test_a_removed_row_is_noticed(log: sqlite3.Connection) -> None:
    fill(log, 10)
    log.execute("DROP TRIGGER ledger_entry_no_delete")
    log.execute("DELETE FROM ledger_entry WHERE seq = 4")
    with pytest.raises(ledger.BrokenLedger, match="rows were removed"):
        ledger.Hashes(log.execute).root(10)


def test_with_a_django_cursor(tmp_path: Path) -> None:
    script = """
import django
from django.conf import settings
settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}})
django.setup()
from django.db import connection, transaction
from strongroom import ledger
from tests.ledger.conftest import entry
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pathlib import Path
import sys
key = Ed25519PrivateKey.generate()
with connection.cursor() as cursor:
    for statement in ledger.schema():
        cursor.execute(statement)
    with transaction.atomic():
        for number in range(300):
            ledger.append(cursor.execute, entry(number), placeholder="%s")
        ledger.checkpoint(cursor.execute, "test/app", key, placeholder="%s")
    ledger.export(cursor.execute, Path(sys.argv[1]), key.public_key(), placeholder="%s")
"""
    out = tmp_path / "app.jsonl"
    subprocess.run(
        [sys.executable, "-c", script, str(out)],
        check=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
    )
    report = ledger.verify_export(out)
    assert (report.entries, report.problems) == (300, ())


@pytest.mark.real
def test_kill_9_while_appending_loses_nothing_acknowledged(tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
from strongroom import ledger
from tests.ledger.conftest import entry, opened
log = opened(Path(sys.argv[1]))
while True:
    log.execute("BEGIN IMMEDIATE")
    seq = ledger.append(log.execute, entry()).seq
    log.execute("COMMIT")
    sys.stdout.write(f"{seq}\\n")
    sys.stdout.flush()
"""
    path = tmp_path / "ledger.db"
    acknowledged = 0
    for round_ in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(path)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        )
        assert process.stdout is not None
        try:
            lines = [process.stdout.readline() for _ in range(100 + 57 * round_)]
        finally:
            process.send_signal(signal.SIGKILL)
        rest = process.stdout.read()
        process.wait()
        said = [line for line in "".join([*lines, rest]).splitlines(keepends=True) if line.endswith("\n")]
        acknowledged = max(acknowledged, *map(int, said))
        log = opened(path)
        kept = ledger.size(log.execute)
        assert acknowledged <= kept <= acknowledged + 1
        leaves = [bytes(row[0]) for row in log.execute("SELECT leaf FROM ledger_entry ORDER BY seq")]
        assert ledger.Hashes(log.execute).root(kept) == tree.root(leaves)
        log.close()
