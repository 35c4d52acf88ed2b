"""What a check answers: findings with their place, and a verdict."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Final

ORDER: Final = ("pass", "review", "fail")


def worst(verdicts: list[str]) -> str:
    """The strictest of the verdicts; ``pass`` of none."""
    return max(verdicts, key=ORDER.index, default="pass")


@dataclass(frozen=True)
class Locator:
    """A place in a file: sheet or table by name, row and column counted from 1."""

    sheet: str | None = None
    row: int | None = None
    column: int | None = None


@dataclass(frozen=True)
class Finding:
    """One rule that a file does not meet; holds no value of any cell."""

    rule: str
    severity: str
    source: str
    file: str
    locator: Locator
    words: str
    mend: str


@dataclass(frozen=True)
class FileResult:
    """One file: what it is by content, and its verdict."""

    file: str
    kind: str
    bytes: int
    sha256: str
    verdict: str


@dataclass(frozen=True)
class Result:
    """The verdict on a folder of outputs under one profile."""

    verdict: str
    profile: str
    profile_version: str
    files: tuple[FileResult, ...] = ()
    findings: tuple[Finding, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)
