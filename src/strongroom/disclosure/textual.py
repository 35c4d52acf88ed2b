"""Tables and small numbers in text: CSV, Markdown, HTML, JSON and printed output."""

from __future__ import annotations

import csv
import io
import json
import re
from importlib import import_module
from typing import Any, Final

from strongroom.disclosure.cells import invisible
from strongroom.disclosure.context import Broken, Context, Grid, TooMuch
from strongroom.disclosure.model import Locator

_PIPE_RULE: Final = re.compile(r"\s*\|?\s*:?-{2,}:?\s*(\|\s*:?-{2,}:?\s*)*\|?\s*")
_SMALL: Final = re.compile(r"\bn\s*=\s*(\d{1,7}(?:,\d{3})*)\b", re.IGNORECASE)
_SIZE: Final = re.compile(r"\b[Nn]\s*=\s*(\d{1,3}(?:,\d{3})+|\d{1,9})\b")
_NAMED: Final = re.compile(
    r"\b([1-9]|one|two|three|four|five|six|seven|eight|nine)\s+(?:\w{1,20}\s+)?(?:pupils?|people|persons?|patients?|students?|"
    r"children|child|respondents?|participants?|individuals?|cases?|men|women|boys?|girls?|deaths?)\b", re.IGNORECASE,
)


def decode(context: Context, data: bytes) -> str:
    """The text of a file; other than UTF-8 is noted."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        context.add("text.encoding")
        text = data.decode("cp1252", errors="replace")
    return text


def delimited(context: Context, text: str, delimiter: str | None) -> list[Grid]:
    """The grid of a CSV or TSV file."""
    if delimiter is None:
        first = text[:4000].split("\n", 1)[0]
        delimiter = max(",;\t|", key=first.count)
    limits = context.profile.limits
    rows: list[tuple[str, ...]] = []
    csv.field_size_limit(limits["file_bytes"])
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            if len(rows) >= limits["rows"]:
                context.add("file.limit", Locator(row=len(rows)), f"{limits['rows']} rows in a table")
                break
            if len(row) > limits["columns"]:
                context.add("file.limit", Locator(row=len(rows) + 1), f"{limits['columns']} columns in a table")
            rows.append(tuple(row[: limits["columns"]]))
            if len(rows) % 500 == 0:
                context.tick()
    except csv.Error as error:
        raise Broken(f"CSV: {error}") from error
    return [Grid(tuple(rows))] if rows else []


def markdown(context: Context, text: str) -> list[Grid]:
    """Pipe tables of a Markdown text, and HTML tables within it."""
    lines = text.split("\n")
    grids: list[Grid] = []
    place = 1
    while place < len(lines):
        if "|" in lines[place - 1] and "-" in lines[place] and len(lines[place]) < 5000 and _PIPE_RULE.fullmatch(lines[place]):
            start = place - 1
            rows, numbers = [_pipes(lines[start])], [start + 1]
            place += 1
            while place < len(lines) and "|" in lines[place] and len(rows) <= context.profile.limits["rows"]:
                rows.append(_pipes(lines[place]))
                numbers.append(place + 1)
                place += 1
            grids.append(Grid(tuple(rows), f"table {len(grids) + 1}", numbers=tuple(numbers)))
            _bound(context, grids)
        place += 1
        if place % 1000 == 0:
            context.tick()
    if re.search(r"<table\b", text, re.IGNORECASE):
        grids += html(context, text, "HTML ")
    return grids


def _pipes(line: str) -> tuple[str, ...]:
    parts = re.split(r"(?<!\\)\|", line.strip().removeprefix("|").removesuffix("|"))
    return tuple(part.strip().strip("*`").replace("\\|", "|") for part in parts[:1000])


def html(context: Context, text: str, prefix: str = "") -> list[Grid]:
    """Tables of an HTML text; what a reader does not see is noted."""
    try:
        etree: Any = import_module("lxml.etree")
        parser: Any = import_module("lxml.html")
    except ImportError:
        context.add("file.unchecked", what="lxml")
        return []
    try:
        root = parser.document_fromstring(text.encode(), parser=parser.HTMLParser(huge_tree=False, encoding="utf-8"))
    except (etree.LxmlError, ValueError) as error:
        raise Broken("HTML") from error
    if not prefix:
        _active(context, root)
    grids: list[Grid] = []
    for number, table in enumerate(root.iter("table"), 1):
        rows = _html_rows(context, table)
        if rows:
            grids.append(Grid(rows, f"{prefix}table {number}"))
            _bound(context, grids)
    return grids


def _active(context: Context, root: Any) -> None:
    found = {
        "scripts": root.iter("script", "object", "embed", "iframe"), "comments": root.xpath("//comment()"),
        "hidden parts": root.xpath("//*[@hidden or contains(translate(@style, ' ', ''), 'display:none')]"),
        "embedded data": root.xpath("//@*[starts-with(., 'data:')]"), "drawings": root.iter("svg", "canvas"),
    }
    for what, items in found.items():
        if next(iter(items), None) is not None:
            context.add("document.active", what=what)


def _html_rows(context: Context, table: Any) -> tuple[tuple[str, ...], ...]:
    limits = context.profile.limits
    rows: list[tuple[str, ...]] = []
    pending: dict[int, tuple[int, str]] = {}
    for line in table.iter("tr"):
        if next(line.iterancestors("table"), None) is not table:
            continue
        context.tick()
        if len(rows) >= limits["rows"]:
            context.add("file.limit", Locator(row=len(rows)), f"{limits['rows']} rows in a table")
            break
        row: list[str] = []
        for cell in line.iterchildren("td", "th"):
            _fill(row, pending)
            text = " ".join("".join(cell.itertext()).split())
            for _ in range(_span(cell.get("colspan"))):
                if len(row) >= limits["columns"]:
                    break
                if (down := _span(cell.get("rowspan"))) > 1:
                    pending[len(row)] = (down, text)
                row.append(text)
        _fill(row, pending)
        pending = {column: (left - 1, text) for column, (left, text) in pending.items() if left > 1}
        rows.append(tuple(row))
    return tuple(rows)


def _fill(row: list[str], pending: dict[int, tuple[int, str]]) -> None:
    # Only cells that span down from an earlier row; a cell of this row is put at its own place.
    while len(row) in pending:
        row.append(pending[len(row)][1])


def _span(text: str | None) -> int:
    return max(1, min(int(text), 500)) if text and text.isdigit() and len(text) < 6 else 1


def records(context: Context, text: str) -> list[Grid]:
    """A grid of a JSON list of flat objects, if that is what the text is."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Broken("JSON") from error
    if not (isinstance(data, list) and data and all(isinstance(item, dict) for item in data)):
        return []
    heads = list(dict.fromkeys(str(key) for item in data[:100] for key in item))[: context.profile.limits["columns"]]
    rows = [tuple(heads)]
    for item in data[: context.profile.limits["rows"]]:
        rows.append(tuple("" if item.get(head) is None else str(item[head])[:3000] for head in heads))
    return [Grid(tuple(rows))]


def printed(context: Context, text: str, name: str | None = None) -> list[Grid]:
    """Tables printed with spaces: runs of lines with as many words as the heading (one fewer in the heading)."""
    grids: list[Grid] = []
    run: list[tuple[str, ...]] = []
    start = 0
    for number, line in enumerate([*text.split("\n"), ""]):
        parts = _parts(line, run)
        fits = not run or len(parts) == len(run[-1]) or (len(run) == 1 and len(parts) == len(run[0]) + 1)
        if not line.strip() or not fits:
            grids += _printed_grid(run, start, name, line)
            run = []
        if line.strip() and len(line) < 4000:
            if not run:
                start = number
            if len(run) < context.profile.limits["rows"]:
                run.append(parts)
            else:
                context.add("file.limit", Locator(name, start + 1), f"{len(run)} rows in a table")
        if number % 1000 == 0:
            context.tick()
            _bound(context, grids)
    _bound(context, grids)
    return grids


def _parts(line: str, run: list[tuple[str, ...]]) -> tuple[str, ...]:
    text = line.strip()
    wide = tuple(re.split(r"\s{2,}|\t", text)[:400])
    if not run:
        return wide if len(wide) > 1 else tuple(text.split()[:400])
    close = tuple(text.split()[:400])
    wanted = (len(run[0]), len(run[0]) + 1) if len(run) == 1 else (len(run[-1]),)
    return close if len(close) in wanted and len(wide) not in wanted else wide


def _printed_grid(run: list[tuple[str, ...]], start: int, name: str | None, after: str) -> list[Grid]:
    """The grid of a run of lines; ``after`` is the line below it, where pandas names a series."""
    width = max(map(len, run), default=0)
    if len(run) < 2 or width < 2 or not any(character.isdigit() for row in run for cell in row for character in cell):
        return []
    numbers = tuple(range(start + 1, start + 1 + len(run)))
    rows = [("",) * (width - len(row)) + row for row in run]
    if width == 2 and len(run[0]) == 1:
        named = re.match(r"Name: (\S{1,100}?),", after)
        rows[0] = (run[0][0], named[1] if named else "unnamed")
    if all(row[0].endswith((":", "=")) for row in rows):
        rows, numbers = [("",) * width, *rows], (start + 1, *numbers)
        rows[0] = ("label", *["value"] * (width - 1))
    return [Grid(tuple(rows), name, numbers=numbers)]


def sizes(text: str) -> tuple[int, ...]:
    """Different numbers printed as ``N = …`` in a text (at most a few matter)."""
    found = {int(match[1].replace(",", "")) for match in _SIZE.finditer(text[:1_000_000])}
    return tuple(sorted(found))[:50]


def check_prose(context: Context, text: str, sheet: str | None = None) -> None:
    """Small numbers of units and invisible characters in running text."""
    for number, line in enumerate(text.split("\n"), 1):
        if number % 500 == 0:
            context.tick()
        line = line[:20_000]
        for match in _SMALL.finditer(line):
            if 0 < int(match[1].replace(",", "")) < context.profile.threshold:
                context.add("text.small-n", Locator(sheet, number))
        if _NAMED.search(line):
            context.add("text.perhaps", Locator(sheet, number))
        if not line.isascii() and invisible(line):
            context.add("text.hidden-characters", Locator(sheet, number))


def _bound(context: Context, grids: list[Grid]) -> None:
    limit = context.profile.limits["tables"]
    if len(grids) > limit:
        raise TooMuch(f"{limit} tables in a file")
