"""Excel workbooks: their visible cells as grids, and everything a reader does not see."""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from importlib import import_module
from typing import Any, Final

from strongroom.disclosure.context import Broken, Context, Grid, TooMuch
from strongroom.disclosure.model import Locator

_HIDDEN_PARTS: Final = (
    (re.compile(r"xl/pivot", re.I), "the records behind a pivot table"), (re.compile(r"xl/externalLinks/", re.I), "links to other files"),
    (re.compile(r"(xl/embeddings/|xl/activeX)", re.I), "embedded files"), (re.compile(r"vbaProject|macrosheets", re.I), "macros"),
    (re.compile(r"xl/(comments|threadedComments|persons)", re.I), "comments"), (re.compile(r"(^|/)customXml/|xl/customData", re.I), "custom data"),
    (re.compile(r"xl/(model|queries|connections|queryTables)", re.I), "queries or a data model"),
    (re.compile(r"xl/charts/", re.I), "the values behind a chart"), (re.compile(r"xl/media/", re.I), "pictures inside the workbook"),
    (re.compile(r"docProps/(thumbnail|custom)", re.I), "a thumbnail or custom properties"),
)


def read(context: Context, data: bytes) -> list[Grid]:
    """Visible sheets of a workbook as grids."""
    try:
        openpyxl: Any = import_module("openpyxl")
    except ImportError:
        context.add("file.unchecked", what="openpyxl")
        return []
    _look_inside(context, data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book: Any = openpyxl.load_workbook(io.BytesIO(data), data_only=True, keep_links=False)
            parts = _sheets(data)
    except (MemoryError, RecursionError):
        raise
    except Exception as error:  # the library raises whatever its parts raise on broken files
        raise Broken(f"Excel workbook, {type(error).__name__}") from error
    if not book.sheetnames:
        raise Broken("Excel workbook without sheets")
    if len(parts) != len(book.worksheets):
        context.add("document.hidden", what="a sheet that the workbook does not list")
    if any(b"<f>" in part or b"<f " in part for part in parts):
        context.add("document.formula")
    grids = []
    for number, sheet in enumerate(book.worksheets, 1):
        name = f"sheet {number}"
        if sheet.sheet_state != "visible":
            context.add("document.hidden", Locator(name), "a hidden sheet")
        grids.append(_grid(context, sheet, name))
    if len(book.chartsheets):
        context.add("document.hidden", what="the values behind a chart")
    return [grid for grid in grids if grid.rows]


def _look_inside(context: Context, data: bytes) -> None:
    limit = context.profile.limits["unpacked_bytes"]
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            names = [item.filename for item in package.infolist()]
            if len(names) > 2000 or len(set(names)) != len(names):
                raise TooMuch("2000 differently named parts in a workbook")
            unpacked = 0
            for item in package.infolist():
                if item.flag_bits & 1:
                    raise Broken("protected by a password")
                # Sizes in the directory can lie: count what really comes out.
                with package.open(item) as part:
                    head = b""
                    while chunk := part.read(65536):
                        head = head or chunk
                        unpacked += len(chunk)
                        if unpacked > limit:
                            raise TooMuch(f"{limit} bytes unpacked in a workbook")
                if b"<!DOCTYPE" in head or b"<!ENTITY" in head:
                    raise Broken("declares entities")
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise Broken("Excel workbook, zip") from error
    except Exception as error:
        if type(error).__module__ == "zlib":
            raise Broken("Excel workbook, compression") from error
        raise
    for pattern, what in _HIDDEN_PARTS:
        if any(pattern.search(name) for name in names):
            context.add("document.hidden", what=what)


def _sheets(data: bytes) -> list[bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        return [package.read(name) for name in package.namelist() if name.startswith("xl/worksheets/") and name.endswith(".xml")]


def _grid(context: Context, sheet: Any, name: str) -> Grid:
    limits = context.profile.limits
    if sheet.max_row > limits["rows"]:
        context.add("file.limit", Locator(name), f"{limits['rows']} rows in a table")
    if sheet.max_column > limits["columns"]:
        context.add("file.limit", Locator(name), f"{limits['columns']} columns in a table")
    for number, row in sheet.row_dimensions.items():
        if row.hidden or row.height == 0:
            context.add("document.hidden", Locator(name, number), "a hidden row")
    for column in sheet.column_dimensions.values():
        if column.hidden or column.width == 0:
            context.add("document.hidden", Locator(name, None, column.min), "a hidden column")
    rows = []
    width = min(sheet.max_column, limits["columns"])
    for cells in sheet.iter_rows(max_row=min(sheet.max_row, limits["rows"]), max_col=width):
        context.tick()
        rows.append(tuple(_text(context, cell, name) for cell in cells))
    while rows and not any(rows[-1]):
        rows.pop()
    return Grid(tuple(rows), name)


def _text(context: Context, cell: Any, name: str) -> str:
    value = cell.value
    if value is None:
        return ""
    style = cell.number_format or ""
    if style.replace(" ", "") in (";;;", ";;", ";") or _white(cell):
        context.add("document.hidden", Locator(name, cell.row, cell.column), "a cell whose text is not shown")
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, (int, float)):
        if style.endswith("%"):
            decimals = len(style[:-1].partition(".")[2])
            return f"{value * 100:.{min(decimals, 10)}f}%"
        return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else str(value)
    return str(value)


def _white(cell: Any) -> bool:
    color = getattr(cell.font, "color", None)
    filled = getattr(cell.fill, "fill_type", None)
    return bool(color is not None and color.type == "rgb" and str(color.rgb).upper().endswith("FFFFFF") and not filled)
