"""Exports that verify by themselves, and every way of tampering that must be found."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom import ledger
from strongroom.ledger import cli
from tests.ledger.conftest import entry, opened
from tests.proves import proves

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))


def build(path: Path, items: list[dict[str, Any]], key: Ed25519PrivateKey = KEY, origin: str = "test/app") -> list[str]:
    """Export a log with a checkpoint after each third entry; returns the notes."""
    log = opened()
    notes = []
    for number, item in enumerate(items, 1):
        ledger.append(log.execute, item)
        if number % 3 == 0 or number == len(items):
            notes.append(ledger.checkpoint(log.execute, origin, key, at="2026-01-31T10:00:00Z"))
    ledger.export(log.execute, path, key.public_key())
    log.close()
    return notes


def history(count: int) -> list[dict[str, Any]]:
    return [entry(number, purpose="Größe “é” \u2028") for number in range(count)]


@proves("F11")
def test_an_export_verifies_alone(tmp_path: Path) -> None:
    build(tmp_path / "log", history(10))
    report = ledger.verify_export(tmp_path / "log")
    assert (report.entries, report.checkpoints, report.problems) == (10, 4, ())
    assert report.key == ledger.key_line("test/app", KEY.public_key())
    assert [seq for seq, _ in ledger.entries(tmp_path / "log")] == list(range(1, 11))


@proves("F11", "satre:2.5.03")
def test_every_changed_byte_is_found(tmp_path: Path) -> None:
    path = tmp_path / "log"
    build(path, history(4))
    good = path.read_bytes()
    for place in range(len(good)):
        for flip in (0x01,) if place % 4 else (0x01, 0x20):
            bad = bytearray(good)
            bad[place] ^= flip
            path.write_bytes(bad)
            assert not ledger.verify_export(path).holds, f"byte {place}: {good[place - 9 : place + 9]!r}"


def test_every_removed_or_added_byte_is_found(tmp_path: Path) -> None:
    path = tmp_path / "log"
    build(path, history(2))
    good = path.read_bytes()
    for place in range(len(good)):
        path.write_bytes(good[:place] + good[place + 1 :])
        assert not ledger.verify_export(path).holds, place
        path.write_bytes(good[:place] + b" " + good[place:])
        assert not ledger.verify_export(path).holds, place


@pytest.mark.parametrize("change", ["drop", "swap", "repeat", "cut", "forged head"])
def test_lines_moved_about_are_found(tmp_path: Path, change: str) -> None:
    path = tmp_path / "log"
    build(path, history(7))
    lines = path.read_bytes().splitlines(keepends=True)
    if change == "drop":
        del lines[2]
    elif change == "swap":
        lines[2], lines[3] = lines[3], lines[2]
    elif change == "repeat":
        lines.insert(2, lines[2])
    elif change == "cut":
        lines = lines[:-1]
    else:
        build(tmp_path / "other", history(7), OTHER)
        lines[0] = (tmp_path / "other").read_bytes().splitlines(keepends=True)[0]
    path.write_bytes(b"".join(lines))
    assert not ledger.verify_export(path).holds


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"{}\n", b"\xff\xfe", b"[" * 100_000, b'{"format":"strongroom-ledger-1","key":"x"}\n']
)
def test_what_is_no_export_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "log").write_bytes(content)
    assert ledger.verify_export(tmp_path / "log").problems


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    assert "cannot be read" in ledger.verify_export(tmp_path / "none").problems[0]


def test_a_log_signed_by_another_key_does_not_pass_for_ours(tmp_path: Path) -> None:
    build(tmp_path / "log", history(4), OTHER)
    assert ledger.verify_export(tmp_path / "log").holds
    assert "another key" in ledger.verify_export(tmp_path / "log", KEY.public_key()).problems[0]


@proves("F11", "satre:2.5.03")
def test_history_rewritten_with_all_keys_is_found_by_a_kept_checkpoint(tmp_path: Path) -> None:
    kept = build(tmp_path / "true", history(10))[1]
    assert ledger.verify_against(tmp_path / "true", kept, KEY.public_key()).holds
    rewritten = history(10)
    rewritten[2]["actor"] = {"kind": "person", "id": "somebody-else"}
    build(tmp_path / "false", rewritten)
    assert ledger.verify_export(tmp_path / "false", KEY.public_key()).holds
    report = ledger.verify_against(tmp_path / "false", kept, KEY.public_key())
    assert "history was rewritten" in report.problems[0]


def test_history_shortened_with_all_keys_is_found_by_a_kept_checkpoint(tmp_path: Path) -> None:
    kept = build(tmp_path / "true", history(10))[-1]
    build(tmp_path / "short", history(9))
    assert "history was shortened" in ledger.verify_against(tmp_path / "short", kept, KEY.public_key()).problems[0]


def test_a_change_after_the_kept_checkpoint_is_no_contradiction(tmp_path: Path) -> None:
    kept = build(tmp_path / "true", history(6))[0]
    longer = [*history(3), entry(99), entry(98)]
    build(tmp_path / "longer", longer)
    assert ledger.verify_against(tmp_path / "longer", kept, KEY.public_key()).holds


def test_a_kept_checkpoint_must_itself_be_signed(tmp_path: Path) -> None:
    kept = build(tmp_path / "log", history(4))[0]
    for bad in (kept.replace("\n3\n", "\n2\n"), "", kept + "\n", kept.replace("test/app", "test/other")):
        assert "of no use" in ledger.verify_against(tmp_path / "log", bad, KEY.public_key()).problems[0]


@proves("F11")
def test_a_changed_row_in_the_database_is_found(log: sqlite3.Connection, tmp_path: Path) -> None:
    for number in range(5):
        ledger.append(log.execute, entry(number))
    ledger.checkpoint(log.execute, "test/app", KEY)
    log.execute("DROP TRIGGER ledger_entry_no_update")
    log.execute("UPDATE ledger_entry SET body = replace(body, 'd3', 'd4')")
    ledger.export(log.execute, tmp_path / "log", KEY.public_key())
    assert "history was changed" in ledger.verify_export(tmp_path / "log").problems[0]


@proves("F11")
def test_a_deleted_row_in_the_database_is_found(log: sqlite3.Connection, tmp_path: Path) -> None:
    for number in range(5):
        ledger.append(log.execute, entry(number))
    ledger.checkpoint(log.execute, "test/app", KEY)
    log.execute("DROP TRIGGER ledger_entry_no_delete")
    log.execute("DELETE FROM ledger_entry WHERE seq = 5")
    ledger.export(log.execute, tmp_path / "log", KEY.public_key())
    assert "entries are missing" in ledger.verify_export(tmp_path / "log").problems[0]


def test_only_signed_entries_are_exported(log: sqlite3.Connection, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no checkpoint yet"):
        ledger.export(log.execute, tmp_path / "log", KEY.public_key())
    first = ledger.checkpoint(log.execute, "test/app", KEY)
    assert ledger.checkpoint(log.execute, "test/app", KEY) == first
    ledger.append(log.execute, entry())
    assert ledger.export(log.execute, tmp_path / "log", KEY.public_key()) == ledger.Exported(0, 1)
    assert ledger.verify_export(tmp_path / "log").holds
    with pytest.raises(FileExistsError):
        ledger.export(log.execute, tmp_path / "log", KEY.public_key())


def test_notes(log: sqlite3.Connection) -> None:
    ledger.append(log.execute, entry())
    note = ledger.checkpoint(log.execute, "test/app", KEY, at="2026-01-31T10:00:00Z")
    point = ledger.verify_note(note, KEY.public_key())
    assert (point.origin, point.size, point.at) == ("test/app", 1, "2026-01-31T10:00:00Z")
    with pytest.raises(ledger.BadNote, match="another key"):
        ledger.verify_note(note, OTHER.public_key())
    ledger.append(log.execute, entry())
    with pytest.raises(ledger.BadNote, match="one word"):
        ledger.checkpoint(log.execute, "two words", KEY)


def act(number: int, decision: str, **body: Any) -> dict[str, Any]:
    return entry(number, action="egress.approve", body={"decision": decision, **body})


def folder(path: Path, warden: list[dict[str, Any]], app: list[dict[str, Any]]) -> Path:
    build(path / "warden.jsonl", warden, OTHER, "test/warden")
    build(path / "app.jsonl", app)
    return path


@proves("F11")
def test_both_logs_agree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder(tmp_path, [act(1, "aa"), entry(2), act(3, "bb")], [entry(1), act(2, "aa", warden_seq=1)])
    check = ledger.cross_check(tmp_path / "warden.jsonl", tmp_path / "app.jsonl")
    assert check == ledger.CrossCheck(1, (3,), ())
    assert cli.verify(tmp_path) == 0
    said = capsys.readouterr().out
    assert "VERIFIED: both logs hold." in said
    assert "not adopted yet: 3" in said


@pytest.mark.parametrize(
    ("claimed", "words"),
    [
        (act(1, "aa", warden_seq=9), "does not have"),
        (act(1, "ff", warden_seq=1), "another decision digest"),
        (act(1, "aa", warden_seq=2), "does not have"),
        (act(1, "aa", warden_seq=1) | {"actor": {"kind": "person", "id": "p9"}}, "another person"),
    ],
)
def test_an_act_the_warden_did_not_witness(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], claimed: dict[str, Any], words: str
) -> None:
    folder(tmp_path, [act(1, "aa"), entry(2)], [claimed])
    assert cli.verify(tmp_path) == 1
    assert words in capsys.readouterr().out


def test_command_line_with_kept_keys_and_checkpoints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder(tmp_path, [act(1, "aa")], history(5))
    kept = build(tmp_path / "kept", history(3))[0]
    (tmp_path / "app-2026.note").write_text(kept)
    (tmp_path / "app.key").write_text(ledger.key_line("test/app", KEY.public_key()) + "\n")
    assert cli.verify(tmp_path) == 0
    assert "this log continues it" in capsys.readouterr().out
    (tmp_path / "app.key").write_text(ledger.key_line("test/app", OTHER.public_key()))
    assert cli.verify(tmp_path) == 1
    (tmp_path / "app.key").write_text("nonsense")
    assert cli.verify(tmp_path) == 1


def test_command_line_finds_a_rewrite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = build(tmp_path / "kept", history(3))[0]
    folder(tmp_path, [act(1, "aa")], [entry(50), *history(5)[1:]])
    assert cli.verify(tmp_path) == 0
    (tmp_path / "app.note").write_text(kept)
    assert cli.verify(tmp_path) == 1
    assert "history was rewritten" in capsys.readouterr().out


def test_command_line_with_one_changed_byte(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder(tmp_path, [act(1, "aa")], history(5))
    path = tmp_path / "app.jsonl"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert cli.verify(tmp_path) == 1
    assert "NOT VERIFIED" in capsys.readouterr().out
