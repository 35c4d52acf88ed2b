"""What reviewers see of a file: cells as text with their flags, pictures rebuilt from pixels, text of bounded size."""

from __future__ import annotations

from typing import Any, Final

from strongroom.disclosure import pictures
from strongroom.disclosure.context import Context, Grid
from strongroom.disclosure.model import ORDER, Finding

ROWS: Final = 200
MORE_ROWS: Final = 100
COLUMNS: Final = 60
CELL: Final = 200
TABLES: Final = 20
PICTURES: Final = 10
TEXT: Final = 100_000

Flags = dict[tuple[str | None, int, int | None], tuple[str, str]]


def of_file(
    context: Context, kind: str, grids: list[Grid], images: list[tuple[str, str, bytes]], text: str | None,
    findings: list[Finding],
) -> dict[str, Any]:
    """The preview of one file as JSON values; ``cut`` says that something is not shown."""
    flags: Flags = {}
    for finding in findings:
        place = finding.locator
        if place.row is not None:
            key = (place.sheet, place.row, place.column)
            if key not in flags or ORDER.index(finding.severity) > ORDER.index(flags[key][0]):
                flags[key] = (finding.severity, finding.rule)
    shown = [{"name": name, **image} for name, image_kind, data in images[:PICTURES]
             if (image := pictures.preview(context, data, image_kind)) is not None]
    prose = text if text is not None and kind not in ("csv", "tsv") else None
    return {
        "file": context.file,
        "kind": kind,
        "tables": [_table(grid, flags) for grid in grids[:TABLES]],
        "images": shown,
        "text": None if prose is None else prose[:TEXT],
        "text_flags": [] if prose is None else sorted(
            [row, severity, rule] for (_, row, column), (severity, rule) in flags.items() if column is None
        )[:500],
        "cut": len(grids) > TABLES or len(images) > PICTURES or len(prose or "") > TEXT,
    }


def _table(grid: Grid, flags: Flags) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    extra = 0
    for place, cells in enumerate(grid.rows):
        number = grid.at(place).row or 0
        marked = {
            column: flags[key] for column in range(min(len(cells), COLUMNS))
            if (key := (grid.sheet, number, grid.first_column + column)) in flags
        }
        if place >= ROWS:
            if not marked or extra >= MORE_ROWS:
                continue
            extra += 1
        rows.append({
            "row": number,
            "cells": [cell[:CELL] for cell in cells[:COLUMNS]],
            "flags": [{"column": grid.first_column + column, "severity": severity, "rule": rule}
                      for column, (severity, rule) in marked.items()],
        })
    width = max((len(row) for row in grid.rows), default=0)
    return {"name": grid.sheet, "first_column": grid.first_column, "rows": rows, "total_rows": len(grid.rows),
            "cut": len(rows) < len(grid.rows) or width > COLUMNS}
