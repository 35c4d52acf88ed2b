"""Percentages that give back small counts with a number printed beside them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from strongroom.disclosure import headings
from strongroom.disclosure.cells import Cell
from strongroom.disclosure.context import Context
from strongroom.disclosure.headings import Says

if TYPE_CHECKING:
    from strongroom.disclosure.tables import Table


def candidates(percent: float, decimals: int, of: float) -> range:
    """Whole counts that round to this percentage of ``of``."""
    half = 0.5 * 10.0**-decimals
    low = max(0, math.ceil((percent - half) / 100 * of - 1e-9))
    high = min(int(of), math.floor((percent + half) / 100 * of + 1e-9))
    return range(low, high + 1)


def gives_back(percent: float, decimals: int, of: float, threshold: int) -> bool | None:
    """True: the count or its complement is surely below the threshold (and not zero); None: it may be; False: not.

    Surely means that every count that fits is; a range that reaches up to the threshold protects.
    """
    fits = candidates(percent, decimals, of)
    if not fits or of < 1:
        return False
    small = [0 < count < threshold or 0 < of - count < threshold for count in (fits[0], fits[-1])]
    if len(fits) <= 2 * threshold:
        small = [0 < count < threshold or 0 < of - count < threshold for count in fits]
    if all(small):
        return True
    return None if any(small) else False


def check_percent(
    context: Context, table: Table, counts: list[int], count_rows: list[int], numbers: tuple[int, ...]
) -> None:
    """Check every percentage against the number in its row, its column, or elsewhere in the file."""
    columns = [column for column in range(len(table.heads)) if column not in counts and _is_percent(table, column)]
    for column in columns:
        as_share = table.says[column] is Says.PERCENT and _proportions(table, column)
        base = _base_column(table, counts, column, as_share)
        for row in table.body:
            cell = table.cells[row][column]
            value = _percent(cell, as_share, table.says[column] is Says.PERCENT)
            if row in count_rows or value is None or headings.total(table.label(row)):
                continue
            if value[0] in (0.0, 100.0):
                context.add("percent.extreme", table.grid.at(row, column))
            of, sure = _base(table, row, column, base, count_rows, numbers)
            if of is None:
                continue
            found = gives_back(*value, of, context.profile.threshold)
            if found and sure:
                context.add("percent.small", table.grid.at(row, column))
            elif found or found is None:
                context.add("percent.perhaps", table.grid.at(row, column))
        context.tick()


def _is_percent(table: Table, column: int) -> bool:
    cells = [cell for cell in table.column(column) if not cell.empty]
    marked = sum(cell.percent is not None and cell.number is None for cell in cells)
    return bool(marked) or (
        table.says[column] is Says.PERCENT and any(cell.number is not None and cell.percent is None for cell in cells)
    )


def _proportions(table: Table, column: int) -> bool:
    numbers = [cell for cell in table.column(column) if cell.number is not None]
    return bool(numbers) and all(0 <= (cell.number or 0) <= 1 for cell in numbers) and any(cell.decimals for cell in numbers)


def _percent(cell: Cell, as_share: bool, headed: bool) -> tuple[float, int] | None:
    if cell.percent is not None and cell.number is None:
        value, decimals = cell.percent, cell.percent_decimals
    elif headed and cell.number is not None:
        value, decimals = (cell.number * 100, cell.decimals - 2) if as_share else (cell.number, cell.decimals)
    else:
        return None
    return (value, decimals) if 0 <= value <= 100 else None


def _base_column(table: Table, counts: list[int], column: int, as_share: bool) -> int | None:
    """The count column that this percentage is of; None when the percentage is that count's own share of all."""
    for base in sorted(counts, key=lambda count: abs(count - column)):
        rows = [row for row in table.body if not headings.total(table.label(row))]
        pairs = [(table.cells[row][base].number, _percent(table.cells[row][column], as_share, True)) for row in rows]
        known = [(count, share[0], share[1]) for count, share in pairs if count is not None and share is not None]
        everybody = sum(count for count, _, _ in known)
        if len(known) > 1 and everybody and all(
            abs(100 * count / everybody - share) <= 10.0**-decimals for count, share, decimals in known
        ):
            continue
        if len(counts) > 1 and _share_of_other(table, counts, base, known):
            continue
        return base
    return None


def _share_of_other(
    table: Table, counts: list[int], base: int, known: list[tuple[float, float, int]]
) -> bool:
    """Whether the percentage is ``base`` as a part of another count column; both are checked as counts themselves."""
    for other in counts:
        if other == base:
            continue
        bases = [cell.number for cell in table.column(other)][: len(known)]
        if len(bases) == len(known) and all(
            of and abs(100 * count / of - share) <= 10.0**-decimals
            for of, (count, share, decimals) in zip(bases, known, strict=True)
        ):
            return True
    return False


def _base(
    table: Table, row: int, column: int, base: int | None, count_rows: list[int], numbers: tuple[int, ...]
) -> tuple[float | None, bool]:
    if base is not None:
        return table.cells[row][base].number, True
    if count_rows:
        return table.cells[count_rows[0]][column].number, True
    if len(numbers) == 1:
        shares = [cell.percent for cell in table.column(column) if cell.percent is not None and cell.number is None]
        return float(numbers[0]), 98 <= sum(shares) <= 102
    return None, False
