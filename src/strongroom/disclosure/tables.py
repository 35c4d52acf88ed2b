"""The rules on one table: small counts, hidden counts that follow from totals, percentages, statistics, records."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from strongroom.disclosure import headings, percent
from strongroom.disclosure.cells import Cell, invisible, parse
from strongroom.disclosure.context import Context, Grid, blocks
from strongroom.disclosure.headings import Says
from strongroom.disclosure.records import check_records

_SMALL_N: Final = re.compile(r"\bn\s*=\s*(\d{1,6})\b", re.IGNORECASE)
_STATISTICS: Final = (Says.STATISTIC, Says.EXTREME)


@dataclass(frozen=True)
class Table:
    """A grid with its heading read: which columns hold what."""

    grid: Grid
    cells: tuple[tuple[Cell, ...], ...]
    head: int
    heads: tuple[str, ...]
    says: tuple[Says, ...]
    labels: int

    @property
    def body(self) -> range:
        """Row numbers (in the grid) below the heading."""
        return range(self.head, len(self.cells))

    def column(self, column: int) -> list[Cell]:
        """Cells of one column below the heading."""
        return [self.cells[row][column] for row in self.body]

    def label(self, row: int) -> str:
        """A row's label."""
        return " ".join(cell.text for cell in self.cells[row][: self.labels])


def check_grid(context: Context, grid: Grid, numbers: tuple[int, ...] = ()) -> None:
    """Check every table of a grid; ``numbers`` are sample sizes printed elsewhere in the file."""
    for block in blocks(grid):
        context.tick()
        table = read(block)
        _check_text(context, table)
        counts = count_columns(table)
        count_rows = [] if counts else [
            row for row in table.body if headings.counting_label(table.label(row)) and _numeric(table, row)
        ]
        _check_counts(context, table, counts)
        _check_rows(context, table, count_rows)
        _check_perhaps(context, table, counts, count_rows)
        _check_hidden(context, table, counts)
        percent.check_percent(context, table, counts, count_rows, numbers)
        _check_statistics(context, table, counts, count_rows)
        check_records(context, table, counts, count_rows)


def read(grid: Grid) -> Table:
    """Read a grid's heading and what its columns hold."""
    width = max(len(row) for row in grid.rows)
    cells = tuple(tuple(parse(text) for text in (*row, *[""] * (width - len(row)))) for row in grid.rows)
    head = _heading_rows(cells)
    heads = tuple(
        " ".join(dict.fromkeys(row[column].text for row in cells[:head] if row[column].text))[:300]
        for column in range(width)
    )
    says = tuple(headings.says(text) for text in heads)
    return Table(grid, cells, head, heads, says, _labels(cells[head:], says, width))


def count_columns(table: Table) -> list[int]:
    """Columns whose cells count units: by their heading, or as the body of a cross-table."""
    numeric = _numeric_columns(table)
    headed = [column for column in numeric if table.says[column] in (Says.COUNT, Says.TOTAL)]
    if len(numeric) >= 3 and all(len(table.heads[column].strip()) == 1 for column in numeric):
        return [column for column in numeric if _all_whole(table, column)]
    family = headings.alike([table.heads[column] for column in numeric])
    unknown = [
        column for place, column in enumerate(numeric)
        if (table.says[column] is Says.NOTHING or place in family) and column >= min(table.labels, 1)
        and _all_whole(table, column) and not _years(table, column)
    ]
    proper = [column for column in headed if table.says[column] is Says.COUNT]
    if headed and not proper and table.says[: table.labels].count(Says.TOTAL) == 0:
        return sorted({*headed, *unknown})
    if headed:
        margins = len(unknown) > 1 and all(place in family for place, column in enumerate(numeric) if column in unknown)
        return sorted({*headed, *(unknown if margins or _adds_up(table, unknown, headed) else ())})
    if any(table.says[column] in (*_STATISTICS, Says.PERCENT, Says.VALUE) and column not in unknown
           for column in numeric if column >= table.labels):
        return []
    if len(unknown) >= 2 or any(_is_number(table.heads[column]) for column in unknown):
        return unknown
    return []


def _heading_rows(cells: tuple[tuple[Cell, ...], ...]) -> int:
    if all(cell.number is not None for cell in cells[0] if not cell.empty):
        return 1 if cells[0][0].empty else 0
    numbers = [cell.number for cell in cells[0][1:] if cell.number is not None]
    if len(numbers) == len(cells[0]) - 1 and numbers != [0] and numbers != sorted(set(numbers)):
        return 0
    if len(numbers) == len(cells[0]) - 1 == 1 and numbers[0] != 0 and _small_number(numbers[0]):
        return 0
    head = 1
    while head < min(len(cells) - 1, 4):
        if any(cell.number is not None or cell.percent is not None or cell.hidden for cell in cells[head][1:]):
            break
        filled = [cell for cell in cells[head] if not cell.empty]
        below = cells[head + 1][1:]
        if len(filled) > 1 and not any(cell.number is not None for cell in below):
            break
        head += 1
    return head


def _small_number(number: float) -> bool:
    return number < 1900


def _labels(body: tuple[tuple[Cell, ...], ...], says: tuple[Says, ...], width: int) -> int:
    """How many leading columns name the row."""
    labels = 0
    while labels < width - 1:
        column = [row[labels] for row in body if not row[labels].empty]
        texts = sum(cell.number is None and cell.percent is None and not cell.hidden for cell in column)
        named = says[labels] in (Says.ATTRIBUTE, Says.IDENTIFIER) or (labels == 0 and says[0] in (Says.NOTHING, Says.VALUE))
        if not (texts * 2 > len(column) or named):
            break
        labels += 1
    return labels


def _numeric_columns(table: Table) -> list[int]:
    found = []
    for column in range(len(table.heads)):
        cells = [cell for cell in table.column(column) if not cell.empty]
        numbers = sum(cell.number is not None for cell in cells)
        hidden = sum(cell.hidden for cell in cells)
        if cells and (numbers or hidden) and (numbers + hidden) * 2 >= len(cells):
            found.append(column)
    return found


def _all_whole(table: Table, column: int) -> bool:
    return all(cell.whole or cell.hidden or cell.empty or cell.number is None for cell in table.column(column)) and any(
        cell.whole for cell in table.column(column)
    )


def _years(table: Table, column: int) -> bool:
    return all(1900 <= cell.number <= 2100 for cell in table.column(column) if cell.number is not None)


def _adds_up(table: Table, parts: list[int], totals: list[int]) -> bool:
    """Whether the parts add up to a total in every row that can be added."""
    if len(parts) < 2:
        return False
    for last in totals:
        rows = [row for row in table.body if all(table.cells[row][column].number is not None for column in (*parts, last))]
        if rows and all(
            sum(table.cells[row][column].number or 0 for column in parts) == table.cells[row][last].number for row in rows
        ):
            return True
    return False


def _is_number(text: str) -> bool:
    return parse(text).number is not None


def _numeric(table: Table, row: int) -> bool:
    return any(cell.number is not None for cell in table.cells[row][table.labels :])


def _small(context: Context, cell: Cell) -> bool:
    return cell.number is not None and 0 < cell.number < context.profile.threshold


def _rule_small(table: Table) -> str:
    return "statistic.small-n" if any(says in _STATISTICS for says in table.says) else "count.small"


def _check_counts(context: Context, table: Table, counts: list[int]) -> None:
    for column in counts:
        fractions = 0
        for row in table.body:
            cell = table.cells[row][column]
            if cell.number is not None and not cell.whole:
                fractions += 1
            _check_count(context, table, row, column)
        if fractions:
            context.add("count.fraction", table.grid.at(max(table.head - 1, 0), column))
        context.tick()


def _check_count(context: Context, table: Table, row: int, column: int) -> None:
    cell = table.cells[row][column]
    if _small(context, cell):
        context.add(_rule_small(table), table.grid.at(row, column))
    elif cell.number == 0:
        context.add("count.zero", table.grid.at(row, column))
    elif cell.below is not None and cell.below < context.profile.threshold:
        context.add("count.masked-narrowly", table.grid.at(row, column))


def _check_rows(context: Context, table: Table, rows: list[int]) -> None:
    for row in rows:
        for column in range(table.labels, len(table.heads)):
            cell = table.cells[row][column]
            if _small(context, cell) and cell.whole:
                context.add("statistic.small-n", table.grid.at(row, column))
            elif cell.number == 0:
                context.add("count.zero", table.grid.at(row, column))


def _check_perhaps(context: Context, table: Table, counts: list[int], count_rows: list[int]) -> None:
    """One column of whole numbers without a telling heading beside labels."""
    if counts or count_rows:
        # A count with its percentage in one cell is a count whatever the heading says.
        unknown: list[int] = []
    else:
        unknown = [column for column in _numeric_columns(table) if column >= table.labels
                   and table.says[column] is Says.NOTHING and _all_whole(table, column) and not _years(table, column)]
    for row in table.body:
        for column, cell in enumerate(table.cells[row]):
            if column in counts:
                continue
            if cell.number is not None and cell.percent is not None:
                _check_count(context, table, row, column)
            elif column in unknown and _small(context, cell):
                context.add("count.perhaps", table.grid.at(row, column))


def _check_hidden(context: Context, table: Table, counts: list[int]) -> None:
    """A single hidden count in a line with a total follows by subtraction."""
    total_columns = [column for column in counts if headings.total(table.heads[column])]
    total_rows = [row for row in table.body if headings.total(table.label(row))]
    for last in total_columns:
        parts = [column for column in counts if column not in total_columns]
        for row in table.body:
            _check_line(context, table, [(row, column) for column in parts], (row, last))
    for last in total_rows[:1] if len(total_rows) == 1 else []:
        for column in counts:
            _check_line(context, table, [(row, column) for row in table.body if row != last], (last, column))


def _check_line(context: Context, table: Table, parts: list[tuple[int, int]], last: tuple[int, int]) -> None:
    whole = table.cells[last[0]][last[1]].number
    hidden = [place for place in parts if table.cells[place[0]][place[1]].hidden]
    shown = [table.cells[row][column].number for row, column in parts if not table.cells[row][column].hidden]
    if whole is None or len(hidden) != 1 or not shown or any(number is None for number in shown):
        return
    rest = whole - sum(number or 0 for number in shown)
    if 0 < rest < context.profile.threshold:
        context.add("count.recoverable", table.grid.at(*hidden[0]))


def _check_statistics(context: Context, table: Table, counts: list[int], count_rows: list[int]) -> None:
    numeric = _numeric_columns(table)
    statistics = [column for column in numeric if table.says[column] in _STATISTICS or _measured(table, column)]
    for column in numeric:
        if table.says[column] is Says.EXTREME:
            context.add("statistic.extreme", table.grid.at(max(table.head - 1, 0), column))
    for row in table.body:
        if headings.extreme_label(table.label(row)) and _numeric(table, row):
            context.add("statistic.extreme", table.grid.at(row))
    if statistics and not counts and not count_rows:
        context.add("statistic.no-n", table.grid.at(0))


def _measured(table: Table, column: int) -> bool:
    """Whether a column of values has fractions: means or the like, if not records."""
    return column >= table.labels and table.says[column] in (Says.VALUE, Says.NOTHING) and any(
        cell.number is not None and not cell.whole for cell in table.column(column)
    )


def _check_text(context: Context, table: Table) -> None:
    limit = context.profile.limits["cell_chars"]
    for row, texts in enumerate(table.grid.rows):
        if row % 500 == 0:
            context.tick()
        for column, text in enumerate(texts):
            if len(text) > limit:
                context.add("file.limit", table.grid.at(row, column), f"{limit} characters in a cell")
                continue
            if text.isascii() and text[:1] not in "=+@-n" and "=" not in text:
                continue
            if invisible(text):
                context.add("text.hidden-characters", table.grid.at(row, column))
            if text[:1] in ("=", "+", "@", "-") and table.cells[row][column].number is None and len(text) > 2 and (
                text[0] in "=@" or re.match(r"[-+][A-Za-z(]", text)
            ):
                context.add("text.formula", table.grid.at(row, column))
            for match in _SMALL_N.finditer(text):
                if 0 < int(match[1]) < context.profile.threshold:
                    context.add("text.small-n", table.grid.at(row, column))
