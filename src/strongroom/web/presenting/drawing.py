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
    """Drawings of every file, with the cells that the checks flagged marked.

    ``previews`` are the checker's own drawings; ``files`` the short form (name, rows, one image, text) of a warden that
    leaves row numbers and flags out: the findings then say which cells are flagged.
    """
    items = preview["previews"] if "previews" in preview else [_whole(item, findings) for item in preview["files"]]
    return tuple(_file(item, findings) for item in items)


def _whole(item: Mapping[str, Any], findings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The checker's form of a file in the short form."""
    name = str(item["name"])
    worst: dict[Place, str] = {}
    for one in findings:
        place = _place(one)
        if one.get("file") == name and place is not None and worst.get(place) != "fail":
            worst[place] = str(one.get("severity", "review"))
    tables = []
    for table in item["tables"]:
        rows = [
            {
                "row": number,
                "cells": cells,
                "flags": [
                    {"column": column, "severity": worst[table["sheet"], number, column], "rule": ""}
                    for column in range(1, len(cells) + 1)
                    if (table["sheet"], number, column) in worst
                ],
            }
            for number, cells in enumerate(table["rows"], start=1)
        ]
        tables.append({"name": table["sheet"], "rows": rows})
    images = [{"name": name, "png": item["image"]}] if item["image"] else []
    return {"file": name, "tables": tables, "images": images, "text": item["text"]}


def _place(finding: Mapping[str, Any]) -> Place | None:
    locator = finding.get("locator") or {}
    row, column = locator.get("row"), locator.get("column")
    return (locator.get("sheet"), int(row), int(column)) if row and column else None


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
        if (place := _place(item)) is not None:
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
