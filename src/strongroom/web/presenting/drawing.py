"""What the throwaway container drew of frozen files, as a page shows it: tables with flagged cells, images, text."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from strongroom.web.presenting.requests import VERDICT_WORDS

PNG = b"\x89PNG\r\n\x1a\n"
Place = tuple[str | None, int, int]


@dataclass(frozen=True)
class Cell:
    """One cell of a drawn table; ``flags`` are the words of the findings about it, ``severity`` that of the worst."""

    text: str
    flags: tuple[str, ...] = ()
    severity: str = ""


@dataclass(frozen=True)
class DrawnTable:
    """``note`` says what of the table is not shown."""

    caption: str
    head: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]
    flagged: int
    note: str


@dataclass(frozen=True)
class DrawnImage:
    name: str
    address: str


@dataclass(frozen=True)
class Drawn:
    """One file as reviewers see it; ``words`` stand where nothing can be drawn."""

    name: str
    tables: tuple[DrawnTable, ...]
    images: tuple[DrawnImage, ...]
    text: str
    words: str
    cut: bool


def draw(preview: Mapping[str, Any], findings: Sequence[Mapping[str, Any]]) -> tuple[Drawn, ...]:
    """Drawings of every file, with the cells that the checks flagged marked."""
    return tuple(_file(item, findings) for item in preview["previews"])


def _file(item: Mapping[str, Any], findings: Sequence[Mapping[str, Any]]) -> Drawn:
    name = str(item["file"])
    words = _words(one for one in findings if one.get("file") == name)
    tables = tuple(_table(table, name, words) for table in item["tables"] if table["rows"])
    images = tuple(image for one in item["images"] if (image := _image(one, name)))
    text = str(item.get("text") or "")
    nothing = "" if tables or images or text else "There is nothing to draw of this file."
    return Drawn(name, tables, images, text, nothing, bool(item.get("cut")))


def _words(findings: Iterable[Mapping[str, Any]]) -> dict[Place, tuple[str, ...]]:
    """Words of the findings about single cells, by sheet, row and column counted from 1."""
    found: dict[Place, tuple[str, ...]] = {}
    for item in findings:
        locator = item.get("locator") or {}
        if locator.get("row") and locator.get("column"):
            place = locator.get("sheet"), int(locator["row"]), int(locator["column"])
            found[place] = (*found.get(place, ()), str(item.get("words", "")))
    return found


def _table(table: Mapping[str, Any], name: str, words: Mapping[Place, tuple[str, ...]]) -> DrawnTable:
    sheet = table.get("name")
    rows = [_row(row, sheet, int(table.get("first_column", 1)), words) for row in table["rows"]]
    total = int(table.get("total_rows", len(rows)))
    note = (
        f"{len(rows)} of {total} rows are shown, every flagged one among the first of them." if table.get("cut") else ""
    )
    return DrawnTable(
        f"{name}, {sheet}" if sheet else name,
        rows[0],
        tuple(rows[1:]),
        sum(bool(cell.severity) for row in rows for cell in row),
        note,
    )


def _row(
    row: Mapping[str, Any], sheet: str | None, first: int, words: Mapping[Place, tuple[str, ...]]
) -> tuple[Cell, ...]:
    flags = {int(flag["column"]): flag for flag in row["flags"]}
    cells = []
    for column, text in enumerate(row["cells"], start=first):
        if (flag := flags.get(column)) is None:
            cells.append(Cell(str(text)))
            continue
        said = words.get((sheet, int(row["row"]), column)) or (
            VERDICT_WORDS.get(str(flag["severity"]), str(flag["rule"])),
        )
        cells.append(Cell(str(text), said, str(flag["severity"])))
    return tuple(cells)


def _image(item: Mapping[str, Any], file: str) -> DrawnImage | None:
    """Only a PNG is shown: it is the one kind that the container draws."""
    encoded = str(item["png"])
    try:
        content = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
    if not content.startswith(PNG):
        return None
    name = str(item.get("name") or "")
    return DrawnImage(f"{file}, {name}" if name and name != file else file, f"data:image/png;base64,{encoded}")
