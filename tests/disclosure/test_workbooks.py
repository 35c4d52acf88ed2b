"""Excel workbooks: cells, and what a reader does not see."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

from tests.disclosure.helpers import findings, rules, verdict
from tests.proves import proves

openpyxl: Any = import_module("openpyxl")
Comment = import_module("openpyxl.comments").Comment
Font = import_module("openpyxl.styles").Font


def book(change: Callable[[Any, Any], object] | None = None, rows: list[list[Any]] | None = None) -> bytes:
    made = openpyxl.Workbook()
    sheet = made.active
    for row in rows or [["gender", "n"], ["F", 30], ["M", 40]]:
        sheet.append(row)
    if change:
        change(made, sheet)
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def with_part(name: str, data: bytes = b"x") -> bytes:
    out = io.BytesIO(book())
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as package:
        package.writestr(name, data)
    return out.getvalue()


def test_a_clean_workbook_passes() -> None:
    assert rules("a.xlsx", book()) == set()


def test_small_counts_have_sheet_row_and_column() -> None:
    def second(made: Any, sheet: Any) -> None:
        other = made.create_sheet("more")
        for row in [[], ["Table 2"], ["g", "n"], ["F", 3], ["M", "<10"], ["X", 12]]:
            other.append(row)

    found = [(item.locator.sheet, item.locator.row, item.locator.column) for item in findings("a.xlsx", book(second))]
    assert found == [("sheet 2", 4, 2)]


def test_formatted_percentages_are_read_as_shown() -> None:
    def percent(made: Any, sheet: Any) -> None:
        sheet["C2"].number_format = "0%"

    assert "percent.small" in rules("a.xlsx", book(percent, [["g", "n", "passed"], ["F", 100, 0.04], ["M", 200, 0.5]]))


@proves("U23")
@pytest.mark.parametrize(
    "change",
    [
        lambda made, sheet: setattr(made.create_sheet("h"), "sheet_state", "hidden"),
        lambda made, sheet: setattr(made.create_sheet("h"), "sheet_state", "veryHidden"),
        lambda made, sheet: setattr(sheet.row_dimensions[2], "hidden", True),
        lambda made, sheet: setattr(sheet.column_dimensions["B"], "hidden", True),
        lambda made, sheet: setattr(sheet["B2"], "number_format", ";;;"),
        lambda made, sheet: setattr(sheet["B2"], "font", Font(color="FFFFFFFF")),
        lambda made, sheet: setattr(sheet["B2"], "comment", Comment("x", "y")),
    ],
    ids=["hidden sheet", "very hidden sheet", "hidden row", "hidden column", "no format", "white", "comment"],
)
def test_hidden_content_fails(change: Callable[[Any, Any], object]) -> None:
    assert "document.hidden" in rules("a.xlsx", book(change))


@proves("U23")
@pytest.mark.parametrize(
    "part",
    [
        "xl/pivotCache/pivotCacheRecords1.xml",
        "xl/externalLinks/externalLink1.xml",
        "xl/embeddings/x.bin",
        "xl/vbaProject.bin",
        "customXml/item1.xml",
        "xl/charts/chart1.xml",
    ],
)
def test_hidden_parts_fail(part: str) -> None:
    assert "document.hidden" in rules("a.xlsx", with_part(part))


def test_formulas_are_for_people() -> None:
    assert "document.formula" in rules("a.xlsx", book(lambda made, sheet: sheet.append(["All", "=SUM(B2:B3)"])))


def test_a_bomb_is_a_finding() -> None:
    data = with_part("xl/worksheets/sheet9.xml", b"0" * 60_000_000)
    assert len(data) < 200_000
    assert "file.limit" in rules("a.xlsx", data)


def test_entities_fail() -> None:
    assert "file.broken" in rules(
        "a.xlsx", with_part("xl/x.xml", b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a/>')
    )


def test_broken_workbooks_fail() -> None:
    data = book()
    for bad in (data[:-30], data[:200], data.replace(b"xl/worksheets/sheet1.xml", b"xl/worksheets/sheet2.xml")):
        assert verdict("a.xlsx", bad) == "fail"


def test_too_many_rows_fail() -> None:
    assert "file.limit" in rules("a.xlsx", book(rows=[["g", "n"], *[["x", 20]] * 5001]))
