"""Verifying a folder of exports from the command line, in plain words: ``python -m strongroom.ledger.cli FOLDER``."""

from __future__ import annotations

import sys
from pathlib import Path

from strongroom.ledger.export import Report, cross_check, verify_against, verify_export
from strongroom.ledger.note import BadNote, read_key_line

LOGS = ("warden", "app")


def verify(path: Path) -> int:
    """Verify the exports ``app.jsonl`` and ``warden.jsonl`` of a folder; print what was found; 0 when all holds, else 1.

    The folder may also hold what was kept elsewhere: ``app.key`` and ``warden.key`` (key lines), and checkpoints
    ``app*.note`` and ``warden*.note``.
    """
    path = Path(path)
    reports = {name: _verify_log(path, name) for name in LOGS}
    sound = all(report.holds for report in reports.values())
    if not sound:
        print("The logs were not compared with each other, because one of them does not verify.")
    else:
        check = cross_check(path / "warden.jsonl", path / "app.jsonl")
        print(f"Acts witnessed by the warden and found in the app's log: {check.matched}.")
        if check.not_adopted:
            print(f"Witnessed but not adopted yet: {', '.join(map(str, check.not_adopted))} (numbers in the warden's log).")
        for problem in check.problems:
            print(f"  PROBLEM: {problem}")
        sound = check.holds
    print("VERIFIED: both logs hold." if sound else "NOT VERIFIED: see the problems above.")
    return 0 if sound else 1


def _verify_log(folder: Path, name: str) -> Report:
    export = folder / f"{name}.jsonl"
    key_file = folder / f"{name}.key"
    try:
        key = read_key_line(key_file.read_text()) if key_file.exists() else None
    except (BadNote, OSError, UnicodeDecodeError) as error:
        return _say(name, Report(0, "", (f"{key_file.name} is not a key line: {error}",)), known=False)
    report = _say(name, verify_export(export, key[1] if key else None), known=key is not None)
    for kept in sorted(folder.glob(f"{name}*.note")):
        if not report.holds:
            break
        public_key = key[1] if key else read_key_line(report.key)[1]
        against = verify_against(export, kept.read_text(errors="replace"), public_key)
        print(f"  kept checkpoint {kept.name}: {'this log continues it' if against.holds else 'DOES NOT FIT'}")
        for problem in against.problems:
            print(f"  PROBLEM: {problem}")
        report = against
    return report


def _say(name: str, report: Report, *, known: bool) -> Report:
    print(f"{name}.jsonl: {report.entries} entries, {report.checkpoints} signed checkpoints, root {report.root or 'none'}")
    if report.key:
        print(f"  signed by {report.key}")
        print("  which is the key you hold." if known else "  Compare this line with the key published by the operator.")
    for problem in report.problems:
        print(f"  PROBLEM: {problem}")
    return report


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m strongroom.ledger.cli FOLDER (holding app.jsonl and warden.jsonl)")
    sys.exit(verify(Path(sys.argv[1])))
