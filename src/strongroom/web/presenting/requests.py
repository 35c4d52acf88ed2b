"""An egress request as its page shows it: frozen files, findings of the first checks by file, tables with flagged cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from strongroom.domain.case import ROLE_WORDS
from strongroom.domain.project import Project, Request, Review
from strongroom.web.presenting.words import name_of

VERDICT_ORDER = {"fail": 0, "review": 1, "pass": 2}
VERDICT_WORDS = {"fail": "Must not leave", "review": "Look closely", "pass": "Nothing found"}
VERDICT_COLOURS = {"fail": "red", "review": "yellow", "pass": "green"}


@dataclass(frozen=True)
class Finding:
    """What one rule found at one place, and how the author could mend it."""

    locator: str
    rule: str
    words: str
    mend: str
    verdict: str
    verdict_words: str


@dataclass(frozen=True)
class CheckedFile:
    name: str
    verdict: str
    verdict_words: str
    colour: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class ReviewRow:
    name: str
    role: str
    decision: str
    tier: int | None
    note: str
    mine: bool


def findings_of(checks: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Findings of the first checks as a flat list, each naming its file."""
    return list(checks.get("findings", ()))


def checked_files(request: Request) -> tuple[CheckedFile, ...]:
    """Frozen files with what the first checks found in each, the worst first within a file."""
    found = findings_of(request.checks)
    names = [str(item["name"]) for item in request.frozen]
    names += [str(item["file"]) for item in found if item["file"] not in names]
    return tuple(_checked(name, [item for item in found if item["file"] == name]) for name in dict.fromkeys(names))


def _checked(name: str, found: Sequence[Mapping[str, Any]]) -> CheckedFile:
    findings = sorted((_finding(item) for item in found), key=lambda item: VERDICT_ORDER[item.verdict])
    verdict = findings[0].verdict if findings else "pass"
    return CheckedFile(name, verdict, VERDICT_WORDS[verdict], VERDICT_COLOURS[verdict], tuple(findings))


def _finding(item: Mapping[str, Any]) -> Finding:
    verdict = str(item.get("severity", "review"))
    verdict = verdict if verdict in VERDICT_ORDER else "review"
    return Finding(
        place_words(item.get("locator") or {}),
        str(item.get("rule", "")),
        str(item.get("words", "")),
        str(item.get("mend", "")),
        verdict,
        VERDICT_WORDS[verdict],
    )


def place_words(locator: Mapping[str, Any]) -> str:
    """A place in a file in words: ``Sheet 1, row 3, column 2``."""
    parts = [str(locator["sheet"])] if locator.get("sheet") else []
    parts += [f"{name} {locator[name]}" for name in ("row", "column") if locator.get(name)]
    words = ", ".join(parts)
    return words[:1].upper() + words[1:]


def reviews_seen(project: Project, request: Request, person: str) -> tuple[ReviewRow, ...]:
    """Reviews that somebody may see: all once the request is decided, and one's own; others' only after one's own.

    While a request is open a reviewer who has not decided yet sees nobody's decision, so that reviews stay independent.
    """
    decided = request.state not in ("freezing", "checking", "review")
    open_to_all = decided or request.disagreement
    shown = [item for item in request.reviews if open_to_all or item.person == person]
    return tuple(_review(project, item, person) for item in sorted(shown, key=lambda item: item.seq))


def _review(project: Project, item: Review, person: str) -> ReviewRow:
    return ReviewRow(
        item.name or name_of(project, item.person),
        ROLE_WORDS[item.role],
        "Approved" if item.decision == "approve" else "Returned",
        item.tier,
        item.note,
        item.person == person,
    )


def reviewers_awaited(project: Project, request: Request) -> tuple[str, ...]:
    """Who must still review, by role and name (Investigator, each Representative, a Referee)."""
    if request.state != "review":
        return ()
    given = set(request.opinions)
    package = project.work_packages[request.work_package]
    waiting = []
    for role in ("investigator", "referee"):
        if not any(held == role for held, _ in given):
            able = [item.name for item in project.holders(role) if item.person != request.author]
            waiting.append(f"{ROLE_WORDS[role]}: {' or '.join(able) or 'nobody who could is appointed'}")
    for person in project.representatives_of(package):
        if ("representative", person) not in given:
            waiting.append(f"{ROLE_WORDS['representative']}: {name_of(project, person)}")
    return tuple(waiting)
