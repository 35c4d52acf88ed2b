"""Rows that look like records of single units, and columns that identify them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from strongroom.disclosure import headings
from strongroom.disclosure.context import Context
from strongroom.disclosure.headings import Says
from strongroom.disclosure.words import word_set

if TYPE_CHECKING:
    from strongroom.disclosure.tables import Table

_POSTCODE: Final = re.compile(r"[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}", re.IGNORECASE)
_NINO: Final = re.compile(r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]", re.IGNORECASE)
_UPN: Final = re.compile(r"[A-HJ-NP-RT-Z]\d{11}[\dA-HJ-NP-RT-Z]", re.IGNORECASE)
_EMAIL: Final = re.compile(r"[\w.+-]{1,64}@[\w-]{1,64}\.[\w.-]{2,64}")
_NHS: Final = re.compile(r"\d{3}[ -]?\d{3}[ -]?\d{4}")
_BIRTH: Final = word_set("dob birthdate birth born")


def nhs_number(text: str) -> bool:
    """Whether ten digits pass the check of NHS numbers (modulus 11)."""
    if not _NHS.fullmatch(text):
        return False
    digits = [int(digit) for digit in text if digit.isdigit()]
    check = 11 - sum(digit * weight for digit, weight in zip(digits, range(10, 1, -1), strict=False)) % 11
    return digits[9] == (0 if check == 11 else check) and len(set(digits)) > 1


_KINDS: Final[tuple[tuple[str, Callable[[str], object], int], ...]] = (
    ("full postcodes", _POSTCODE.fullmatch, 1),
    ("National Insurance numbers", _NINO.fullmatch, 1),
    ("unique pupil numbers", _UPN.fullmatch, 1),
    ("e-mail addresses", _EMAIL.fullmatch, 1),
    ("NHS numbers", nhs_number, 3),
)


def check_records(context: Context, table: Table, counts: list[int], count_rows: list[int]) -> None:
    """Find identifiers, and tables without anything aggregated."""
    for column in range(len(table.heads)):
        texts = [cell.text for cell in table.column(column) if not cell.empty]
        what = _identifies(table, column, texts)
        if what:
            context.add("records.identifier", table.grid.at(max(table.head - 1, 0), column), what)
        context.tick()
    aggregated = bool(counts) or bool(count_rows) or any(
        says in (Says.STATISTIC, Says.EXTREME, Says.PERCENT) for says in table.says
    ) or any(cell.percent is not None for row in table.body for cell in table.cells[row])
    numeric = sum(any(cell.number is not None for cell in table.column(column)) for column in range(len(table.heads)))
    if not aggregated and len(table.body) >= context.profile.thresholds["row_level_rows"] and numeric:
        context.add("records.rows" if len(table.heads) >= 3 else "records.perhaps", table.grid.at(0))


def _identifies(table: Table, column: int, texts: list[str]) -> str:
    for what, matches, least in _KINDS:
        hits = sum(1 for text in texts if matches(text))
        if hits >= least and hits * 2 >= len(texts):
            return what
    found = set(headings.words(table.heads[column]))
    if len(texts) < 2 or found & {"lea", "school", "urn", "laestab", "region", "authority"}:
        return ""
    if found & _BIRTH and not any(says is Says.COUNT for says in table.says):
        return "dates of birth"
    unique = len(set(texts)) == len(texts) >= 5
    if unique and table.says[column] is Says.IDENTIFIER and not any(says is Says.COUNT for says in table.says):
        return "one value for each row"
    return ""
