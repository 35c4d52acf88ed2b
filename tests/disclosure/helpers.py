"""Short forms for the tests of this folder."""

from __future__ import annotations

from strongroom.disclosure import Finding, examine, load

Place = tuple[str, int | None, int | None]


def findings(file: str, content: str | bytes) -> list[Finding]:
    """Findings on one file."""
    return examine(load(), file, content.encode() if isinstance(content, str) else content)[1]


def rules(file: str, content: str | bytes) -> set[str]:
    """Names of the rules that a file does not meet."""
    return {finding.rule for finding in findings(file, content)}


def verdict(file: str, content: str | bytes) -> str:
    """Verdict on one file."""
    return examine(load(), file, content.encode() if isinstance(content, str) else content)[0].verdict


def places(file: str, content: str | bytes, rule: str) -> set[tuple[int | None, int | None]]:
    """Rows and columns where a rule is not met."""
    return {(found.locator.row, found.locator.column) for found in findings(file, content) if found.rule == rule}


def table(text: str) -> str:
    """CSV from an indented, readable text."""
    return "".join(line.strip() + "\n" for line in text.strip().splitlines())
