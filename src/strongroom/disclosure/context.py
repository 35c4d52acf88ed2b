"""What one file's check carries along: the profile, the time left and the findings so far."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from strongroom.disclosure.model import Finding, Locator
from strongroom.disclosure.profile import Profile

NOWHERE = Locator()


class OutOfTime(Exception):
    """The file's time is used up."""


class TooMuch(Exception):
    """A limit is passed; says which."""


class Broken(Exception):
    """The file is not what it seems; says how."""


@dataclass
class Context:
    """Collects findings on one file, at most as many as the profile lists."""

    profile: Profile
    file: str
    findings: list[Finding] = field(default_factory=list)
    more: int = 0
    ends: float = 0.0
    _seen: set[tuple[str, Locator]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.ends = time.monotonic() + self.profile.limits["seconds"]

    def add(self, rule: str, locator: Locator = NOWHERE, what: str = "") -> None:
        """Note one finding; the same rule at the same place counts once."""
        if (rule, locator) in self._seen:
            return
        if len(self.findings) >= self.profile.limits["findings"]:
            # A flood of light findings must not hide a heavy one.
            if self.profile.rules[rule].severity == "fail" and not self._has_fail(rule):
                self._drop_lightest()
            else:
                self.more += 1
                return
        self._seen.add((rule, locator))
        self.findings.append(self.profile.finding(rule, self.file, locator, what))

    def tick(self) -> None:
        """Raise OutOfTime when the file's time is used up."""
        if time.monotonic() > self.ends:
            raise OutOfTime

    def finished(self) -> list[Finding]:
        """All findings, with a last one about those not listed."""
        if self.more:
            return [*self.findings, self.profile.finding("file.more", self.file, NOWHERE, str(self.more))]
        return self.findings

    def _has_fail(self, rule: str) -> bool:
        return any(finding.rule == rule for finding in self.findings)

    def _drop_lightest(self) -> None:
        place = next((at for at, finding in enumerate(self.findings) if finding.severity != "fail"), 0)
        self.findings.pop(place)
        self.more += 1


@dataclass(frozen=True)
class Grid:
    """Rows of cell texts; ``first_row`` and ``first_column`` say where they stand in the file (from 1)."""

    rows: tuple[tuple[str, ...], ...]
    sheet: str | None = None
    first_row: int = 1
    first_column: int = 1
    #: Row numbers when rows do not follow one another.
    numbers: tuple[int, ...] | None = None

    def at(self, row: int, column: int | None = None) -> Locator:
        """Place in the file of a row and column of this grid, both from 0."""
        number = self.numbers[row] if self.numbers else self.first_row + row
        return Locator(self.sheet, number, None if column is None else self.first_column + column)


def blocks(grid: Grid) -> Iterable[Grid]:
    """The tables of a sheet: parts between empty rows, without titles (lines above a table that hold a first cell alone)."""
    start = 0
    rows = grid.rows
    for stop in range(len(rows) + 1):
        if stop < len(rows) and any(cell.strip() for cell in rows[stop]):
            continue
        while start < stop - 1 and not _filled(rows[start][1:]) and any(_filled(row) > 1 for row in rows[start:stop]):
            start += 1
        if stop > start:
            numbers = grid.numbers[start:stop] if grid.numbers else None
            yield Grid(rows[start:stop], grid.sheet, grid.first_row + start, grid.first_column, numbers)
        start = stop + 1


def _filled(cells: tuple[str, ...]) -> int:
    return sum(bool(cell.strip()) for cell in cells)
