"""Check a folder of outputs: ``python -m strongroom.disclosure FOLDER [--json] [--previews] [--profile NAME]``.

Prints what was found in plain words, or one JSON object ``{"result": …, "previews": […]}``. Exits 0 when nothing
fails (people still approve), 1 when something fails, 2 for a wrong call.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from strongroom.disclosure.check import check, check_and_render
from strongroom.disclosure.model import Locator, Result
from strongroom.disclosure.profile import DEFAULT, BadProfile, load


def main(arguments: list[str] | None = None) -> int:
    """Run one check; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m strongroom.disclosure", description="Check a folder of outputs.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--previews", action="store_true", help="with --json: add what a review page shows")
    parser.add_argument("--profile", default=DEFAULT, help="name of a rule profile")
    given = parser.parse_args(arguments)
    try:
        profile = load(given.profile)
        previews = None
        if given.previews:
            result, previews = check_and_render(given.folder, profile)
        else:
            result = check(given.folder, profile)
    except (BadProfile, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    if given.json:
        told = {"result": result.to_json()} | ({"previews": previews} if previews is not None else {})
        print(json.dumps(told))
    else:
        _say(result)
    return 1 if result.verdict == "fail" else 0


def _say(result: Result) -> None:
    for finding in result.findings:
        print(f"{finding.severity.upper():6} {finding.file}{_place(finding.locator)}: {finding.words}")
        print(f"       {finding.mend} ({finding.rule})")
    print(f"{len(result.files)} files under {result.profile} {result.profile_version}: {result.verdict.upper()}")


def _place(place: Locator) -> str:
    parts = [place.sheet or "", f"row {place.row}" if place.row else "", f"column {place.column}" if place.column else ""]
    said = ", ".join(part for part in parts if part)
    return f" ({said})" if said else ""


if __name__ == "__main__":
    sys.exit(main())
