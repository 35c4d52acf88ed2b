"""One log as one file that an outsider can verify with nothing else.

The file is UTF-8 text, one JSON object per line, each line in exactly one possible form (a changed byte is found):

1. ``{"format":"strongroom-ledger-1","key":"<key line>"}``: name and public key of the log
   (``<origin>+<hash>+<base64>``, a C2SP verifier key; Ed25519).
2. ``{"entry":<canonical JSON, RFC 8785>,"seq":<number>}``: entries numbered from 1 without gaps. The leaf hash of an
   entry is SHA-256 over a zero byte and exactly the bytes after ``{"entry":`` and before ``,"seq":``.
3. ``{"checkpoint":"<signed note>"}``: right after the last entry it covers; it signs the RFC 6962 root of all
   entries so far. The file ends with one, so every entry in it is signed for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from strongroom.ledger.entry import MAX_BYTES
from strongroom.ledger.note import BadNote, Checkpoint, key_line, read_key_line, verify_note
from strongroom.ledger.store import Execute, bodies
from strongroom.ledger.tree import Frontier, leaf_hash

FORMAT: Final = "strongroom-ledger-1"
_ENTRY: Final = b'{"entry":'
_CHECKPOINT: Final = b'{"checkpoint":'
_MAX_LINE: Final = MAX_BYTES + 1024
_MAX_PROBLEMS: Final = 50


@dataclass(frozen=True)
class Exported:
    """How many entries an export holds, and how many newer ones wait for the next checkpoint."""

    entries: int
    left_out: int


@dataclass(frozen=True)
class Report:
    """What verifying one export found; no problems means that it holds."""

    entries: int
    root: str
    problems: tuple[str, ...]
    origin: str = ""
    key: str = ""
    checkpoints: int = 0

    @property
    def holds(self) -> bool:
        return not self.problems


@dataclass(frozen=True)
class CrossCheck:
    """The two logs compared: acts in both, acts of the warden not adopted yet (their numbers), contradictions."""

    matched: int
    not_adopted: tuple[int, ...]
    problems: tuple[str, ...]

    @property
    def holds(self) -> bool:
        return not self.problems


def export(execute: Execute, path: Path, public_key: Ed25519PublicKey, *, placeholder: str = "?") -> Exported:
    """Write the log up to its last checkpoint to a new file; make a checkpoint first to have all of it.

    Raises ValueError without a checkpoint, FileExistsError when ``path`` exists.
    """
    notes = execute("SELECT size, signature FROM ledger_checkpoint ORDER BY size", ()).fetchall()
    if not notes:
        raise ValueError("the ledger has no checkpoint yet: make one, then export")
    stop = int(notes[-1][0])
    total = int(execute("SELECT MAX(seq) FROM ledger_entry", ()).fetchone()[0] or 0)
    origin = str(notes[-1][1]).split("\n", 1)[0]
    with path.open("xb") as out:
        out.write(_line({"format": FORMAT, "key": key_line(origin, public_key)}))
        waiting = 0
        while waiting < len(notes) and notes[waiting][0] == 0:
            out.write(_line({"checkpoint": notes[waiting][1]}))
            waiting += 1
        for seq, body in bodies(execute, stop, placeholder=placeholder):
            out.write(b'%s%s,"seq":%d}\n' % (_ENTRY, body.encode(), seq))
            while waiting < len(notes) and notes[waiting][0] <= seq:
                out.write(_line({"checkpoint": notes[waiting][1]}))
                waiting += 1
        for _, note in notes[waiting:]:
            out.write(_line({"checkpoint": note}))
    return Exported(stop, total - stop)


def verify_export(path: Path, public_key: Ed25519PublicKey | None = None) -> Report:
    """Verify one export by itself; with ``public_key``, also that it is the log of that key.

    Without ``public_key`` compare ``Report.key`` with a key obtained elsewhere: a forger can sign with a key of his own.
    """
    return _Verifier(public_key).run(path)


def verify_against(path: Path, kept_checkpoint_note: str, public_key: Ed25519PublicKey) -> Report:
    """Verify an export and that it continues the history which a checkpoint kept from earlier signed.

    Detects history rewritten or shortened since, even when it was signed again with the log's own key.
    """
    try:
        kept = verify_note(kept_checkpoint_note, public_key)
    except BadNote as error:
        return Report(0, "", (f"the kept checkpoint is of no use: {error}",))
    return _Verifier(public_key, kept).run(path)


def entries(path: Path) -> Iterator[tuple[int, Any]]:
    """Entries of an export as ``(seq, entry)``; verify it first."""
    with path.open("rb") as lines:
        for line in lines:
            if line.startswith(_ENTRY):
                record = json.loads(line)
                yield record["seq"], record["entry"]


def cross_check(warden_export: Path, app_export: Path) -> CrossCheck:
    """Compare two verified exports act by act.

    An entry of the warden's log with ``body.decision`` (a digest) is a witnessed act. The app's entry about it carries
    the same ``body.decision`` and the number of the warden's entry as ``body.warden_seq``.
    """
    witnessed: dict[int, tuple[str, str]] = {}
    for seq, entry in entries(warden_export):
        digest = (entry.get("body") or {}).get("decision")
        if digest is not None:
            witnessed[seq] = (digest, entry["actor"]["id"])
    adopted: set[int] = set()
    problems: list[str] = []
    for seq, entry in entries(app_export):
        body = entry.get("body") or {}
        number = body.get("warden_seq")
        if number is None:
            continue
        if number not in witnessed:
            problems.append(f"app entry {seq} cites act {number} of the warden, which the warden's log does not have")
        elif body.get("decision") != witnessed[number][0]:
            problems.append(f"app entry {seq} cites act {number} of the warden with another decision digest")
        elif entry["actor"]["kind"] == "person" and entry["actor"]["id"] != witnessed[number][1]:
            problems.append(f"app entry {seq} names another person than act {number} of the warden")
        else:
            adopted.add(number)
    return CrossCheck(len(adopted), tuple(sorted(witnessed.keys() - adopted)), tuple(problems[:_MAX_PROBLEMS]))


@dataclass
class _Verifier:
    public_key: Ed25519PublicKey | None
    kept: Checkpoint | None = None
    problems: list[str] = field(default_factory=list)
    tree: Frontier = field(default_factory=Frontier)
    key: Ed25519PublicKey | None = None
    key_line: str = ""
    origin: str = ""
    last: Checkpoint | None = None
    checkpoints: int = 0

    def run(self, path: Path) -> Report:
        try:
            with path.open("rb") as lines:
                self._header(lines.readline(_MAX_LINE))
                if self.key is not None:
                    self._check_kept()
                    self._lines(lines)
                    self._end()
        except OSError as error:
            self.problems.append(f"{path} cannot be read: {error.strerror}")
        return Report(self.tree.size, self.tree.root().hex(), tuple(self.problems[:_MAX_PROBLEMS]), self.origin,
                      self.key_line, self.checkpoints)

    def _header(self, line: bytes) -> None:
        record = _exact(line)
        if record is None or record.get("format") != FORMAT or set(record) != {"format", "key"}:
            self.problems.append(f"line 1 is not the head of an export of format {FORMAT}")
            return
        try:
            self.origin, self.key = read_key_line(str(record["key"]))
        except BadNote as error:
            self.problems.append(f"line 1: {error}")
            return
        self.key_line = str(record["key"])
        if self.public_key and self.public_key.public_bytes_raw() != self.key.public_bytes_raw():
            self.problems.append("this log is signed with another key than the one you hold")

    def _lines(self, lines: BinaryIO) -> None:
        number = 1
        while line := lines.readline(_MAX_LINE):
            number += 1
            if line.startswith(_ENTRY):
                wrong = self._entry(line)
            elif line.startswith(_CHECKPOINT):
                wrong = self._checkpoint(line)
            else:
                wrong = "neither an entry nor a checkpoint"
            if wrong:
                self.problems.append(f"line {number}: {wrong}")
                if len(self.problems) >= _MAX_PROBLEMS:
                    return

    def _entry(self, line: bytes) -> str:
        seq = self.tree.size + 1
        end = b',"seq":%d}\n' % seq
        if not line.endswith(end):
            return f"expected entry {seq}: an entry is missing, out of order, too long or cut"
        self.tree.add(leaf_hash(line[len(_ENTRY) : -len(end)]))
        self._check_kept()
        return ""

    def _checkpoint(self, line: bytes) -> str:
        record = _exact(line)
        if record is None or set(record) != {"checkpoint"} or self.key is None:
            return "a checkpoint is malformed"
        try:
            point = verify_note(str(record["checkpoint"]), self.key)
        except BadNote as error:
            return str(error)
        self.checkpoints += 1
        before, self.last = self.last, point
        if point.origin != self.origin:
            return f"a checkpoint of another log ({point.origin})"
        if before and before.size >= point.size:
            return f"the checkpoint of {point.size} entries comes after one of {before.size}"
        if point.size != self.tree.size:
            return f"a checkpoint of {point.size} entries stands after entry {self.tree.size}: entries are missing"
        if point.root != self.tree.root():
            return f"the first {point.size} entries are not those that were signed on {point.at}: history was changed"
        return ""

    def _check_kept(self) -> None:
        kept = self.kept
        if kept and kept.size == self.tree.size and kept.root != self.tree.root():
            self.problems.append(
                f"the first {kept.size} entries are not those of the checkpoint kept from {kept.at}: history was rewritten"
            )

    def _end(self) -> None:
        if self.last is None or self.last.size != self.tree.size:
            self.problems.append("the export does not end with a checkpoint over all its entries: its end was cut off")
        if self.kept and self.kept.size > self.tree.size:
            self.problems.append(
                f"the export has {self.tree.size} entries, the checkpoint kept from {self.kept.at} covers "
                f"{self.kept.size}: history was shortened"
            )
        if self.kept and self.kept.origin != self.origin:
            self.problems.append(f"the kept checkpoint is of another log ({self.kept.origin}, not {self.origin})")


def _line(record: dict[str, str]) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode() + b"\n"


def _exact(line: bytes) -> dict[str, str] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or not all(isinstance(value, str) for value in record.values()):
        return None
    return record if _line(record) == line else None
