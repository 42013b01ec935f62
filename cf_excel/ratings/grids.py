"""Find a grid of ratings within cells: users down, items across, or the other way round, with totals around it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite

import numpy as np

from cf_excel.errors import InputError
from cf_excel.ratings.cell_tables import Cell, ListOfGrid, TableCells, text_of
from cf_excel.ratings.column_names import USUAL_NAMES, columns_beside, is_other_number, is_usual, named_as
from cf_excel.ratings.rating_texts import as_number
from cf_excel.ratings.reading import Reading
from cf_excel.ratings.totals import is_no_answer, is_total

_SAMPLE_ROWS = 500
_HEADER_ROWS = 60
_USUAL_CORNERS = {
    *("name", "names", "nom", "nombre"),
    *("row labels", "zeilenbeschriftungen", "étiquettes de lignes", "etiquetas de fila"),  # of Excel's pivot tables
}
_LARGEST_RATIO = 100  # of the largest number in one column to that in another, where nothing else says it is a grid


@dataclass
class _Layout:
    """Where a grid is: the row of names across, the column of names down, the columns of ratings, other columns."""

    cells: TableCells
    header: list[str]
    first_row: int  # below the header
    at_label: int
    items: list[int]
    texts: list[int]
    others: list[int]  # prices, ages and other numbers that are no ratings
    items_down: bool

    @property
    def corner(self) -> str:
        return self.header[self.at_label]


def find_grid(cells: TableCells, how: Reading) -> ListOfGrid | None:
    """Return the grid of ratings that cells hold, None for none; what it leaves out, such as totals, is noted in how.

    Where no grid is asked for, it must look like one: names that differ, numbers beside them, no column of a list.
    Raises InputError for a row or a column of ratings without a name, and where another grid stands below.
    """
    layout = _lay_out(cells, how)
    if layout is None:
        return None
    is_asked_for = how.form == "grid" or how.items_down
    below = _below(layout)
    if below is not None and not how.skip_bad:
        above = replace(layout, cells=cells.part(slice(0, below), slice(None)))
        if is_asked_for or _looks_like_grid(above):
            first, second = cells.place(layout.first_row - 1), cells.place(below)
            raise InputError(
                f"{cells.name} has another table below the first (their headers: {first}, {second}): "
                "pass --range with the cells of one, its headers included"
            )
    if not is_asked_for and not _looks_like_grid(layout):
        return None
    return _read(layout, how)


def _below(layout: _Layout) -> int | None:
    """Return the row below a grid that is the header of another, None for none: it has names where ratings would be."""
    names = [layout.header[i] for i in layout.items]
    for row in range(layout.first_row, len(layout.cells.rows)):
        texts: list[str] = []
        for value in filter(_is_filled, (_at(layout.cells.rows[row], i) for i in layout.items)):
            if _is_number(value) or _is_no_answer(value):
                break
            texts.append(text_of(value).strip())
        else:
            is_distinct = len(set(texts)) == len(texts) > max(2, 0.6 * len(names))
            if is_distinct or (texts and texts == names):
                return row
    return None


def _lay_out(cells: TableCells, how: Reading) -> _Layout | None:
    at_header = _header_row(cells)
    if at_header is None:
        return None
    header = [text_of(value).strip() for value in cells.rows[at_header]]
    width = max(len(row) for row in cells.rows[at_header : at_header + _SAMPLE_ROWS])
    header += [""] * (width - len(header))
    first_row = at_header + 1 + _has_corner_below(cells, at_header, header)
    sample = [row for row in cells.rows[first_row : first_row + _SAMPLE_ROWS] if any(map(_is_filled, row))]
    columns = [[row[i] for row in sample if i < len(row) and _is_filled(row[i])] for i in range(width)]
    at_label = _label_column(header, columns, how.items_down)
    if at_label is None:
        return None
    items_down = how.items_down or (is_usual(header[at_label], "movie") and not is_usual(header[at_label], "user"))
    items: list[int] = []
    texts: list[int] = []
    others: list[int] = []
    for i in range(at_label + 1, width):
        if not header[i] and not columns[i]:
            if items:
                break  # what follows stands beside the grid
            continue
        answers = [value for value in columns[i] if not _is_no_answer(value)]
        n_numbers = sum(as_value(value, cells.decimal_comma) is not None for value in answers)
        is_beside = items_down and bool(columns_beside([header[i]], set()))
        if is_other_number(header[i]) and not is_total(header[i]):
            others.append(i)
            continue
        (texts if is_beside or n_numbers * 2 < len(answers) else items).append(i)
    return _Layout(cells, header, first_row, at_label, items, texts, others, items_down) if items else None


def _header_row(cells: TableCells) -> int | None:
    """Return the first row that is about as wide as the widest, or the last of several such rows of texts."""
    widths = [sum(map(_is_filled, row)) for row in cells.rows[:_SAMPLE_ROWS]]
    least = max(2, 0.6 * max(widths, default=0))
    found = next((i for i, width in enumerate(widths[:_HEADER_ROWS]) if width >= least), None)
    if found is None:
        return None
    for i in range(found + 1, len(widths)):
        has_number = any(as_value(value, cells.decimal_comma) is not None for value in cells.rows[i])
        if widths[i] >= least and not has_number:
            found = i
        elif widths[i]:
            break
    return found


def _has_corner_below(cells: TableCells, at_header: int, header: list[str]) -> bool:
    """Put the corner into its header where it has a row of its own below, as pandas writes names of several levels."""
    below = cells.rows[at_header + 1] if at_header + 1 < len(cells.rows) else []
    filled = [i for i, value in enumerate(below) if _is_filled(value)]
    name = text_of(below[filled[0]]).strip() if len(filled) == 1 else ""
    if not name or header[filled[0]] or not (is_usual(name, "user") or is_usual(name, "movie")):
        return False
    header[filled[0]] = name
    return True


def _label_column(header: list[str], columns: list[list[Cell]], items_down: bool) -> int | None:
    """Return the column of names: one that is called so, else the first, but for one of numbers of rows or of times."""
    kinds = ("movie",) if items_down else ("user", "movie")
    for kind in kinds:
        if named := named_as(header, USUAL_NAMES[kind]):
            return named[0]
    filled = [i for i, column in enumerate(columns) if column]
    if len(filled) < 2:
        return None
    first, second = ([text_of(value) for value in columns[i]] for i in filled[:2])
    counts_rows = any([str(start + i) for i in range(len(first))] == first for start in (0, 1))
    is_time = is_usual(header[filled[0]], "timestamp")
    has_names = len(set(second)) == len(second) and not any(map(_is_number, columns[filled[1]]))
    return filled[1] if (counts_rows or is_time) and has_names else filled[0]


def _looks_like_grid(layout: _Layout) -> bool:
    cells, header, items = layout.cells, layout.header, layout.items
    sample = cells.rows[layout.first_row : layout.first_row + _SAMPLE_ROWS]
    rated = [row for row in sample if any(_is_filled(_at(row, i)) for i in items)]
    labels = [text_of(_at(row, layout.at_label)).strip() for row in rated]
    others = ("user", "rating") if layout.items_down else ("movie", "rating")
    named = [i for i in (*items, *layout.texts) if any(is_usual(header[i], kind) for kind in others)]
    if not all(_sums_up(layout, i) for i in named):
        return False  # a list with other columns, or with one that has no usual name
    if len(items) < 2 or len(rated) < 2 or len(set(labels)) < 0.9 * len(labels) or len(layout.texts) > len(items):
        return False
    values = [[v for row in rated if _is_filled(v := _at(row, i)) and not _is_no_answer(v)] for i in items]
    numbers = [[n for value in column if (n := as_value(value, cells.decimal_comma)) is not None] for column in values]
    if sum(map(len, numbers)) < 0.7 * sum(map(len, values)):
        return False
    if is_known_corner(layout.corner):
        return True
    largest = [max(map(abs, column)) for column in numbers if any(column)]
    return len(items) > 2 and bool(largest) and max(largest) <= _LARGEST_RATIO * min(largest)


def _sums_up(layout: _Layout, column: int) -> bool:
    """Return whether a column is one of totals by its name, Count or Sum, and by its numbers."""
    rest = [j for j in layout.items if not is_total(layout.header[j])]
    if not is_total(layout.header[column]) or len(rest) < 2:
        return False
    rows = layout.cells.rows[layout.first_row : layout.first_row + _SAMPLE_ROWS]
    rated = [row for row in rows if not is_total(text_of(_at(row, layout.at_label)))]
    matrix = _matrix(layout, rated, rest)
    return _sum_up(layout.header[column], _matrix(layout, rated, [column])[:, 0], matrix.T)


def _matrix(layout: _Layout, rows: list[list[Cell]], columns: list[int]) -> np.ndarray:
    """Return the numbers in some columns of some rows, NaN where there is none."""
    numbers = [[as_value(_at(row, j), layout.cells.decimal_comma) for j in columns] for row in rows]
    return np.array([[np.nan if n is None else n for n in row] for row in numbers]).reshape(len(rows), len(columns))


def is_known_corner(corner: str) -> bool:
    """Return whether the corner of a table, where names meet, has what such corners usually have."""
    return (
        not corner
        or corner.casefold() in _USUAL_CORNERS
        or any(sign in corner for sign in "\\/")
        or any(is_usual(corner, kind) for kind in ("user", "movie"))
    )


def _read(layout: _Layout, how: Reading) -> ListOfGrid:
    cells, items = layout.cells, layout.items
    across_of = {j: across for across, j in enumerate(items)}
    names = [layout.header[j] for j in items]
    rows, labels, values = [], [], []
    for i in range(layout.first_row, len(cells.rows)):
        row = cells.rows[i]
        rated = [(across_of[j], v) for j, v in enumerate(row) if v != "" and j in across_of and _is_filled(v)]
        label = text_of(_at(row, layout.at_label)).strip()
        if label or rated:
            rows.append(i)
            labels.append(label)
            values.append(rated)
    doubtful = [[i for i, name in enumerate(some) if not name or is_total(name)] for some in (labels, names)]
    if any(doubtful):
        total_rows, total_columns = _find_totals(layout, rows, labels, doubtful)
        left_out = [f"row {labels[i]}" if labels[i] else cells.place(rows[i]) for i in total_rows]
        left_out += [f"column {names[j] or items[j] + 1}" for j in total_columns]
        if left_out:
            how.note(f"totals left out: {', '.join(left_out)}")
        values = [
            [] if down in total_rows else [(across, v) for across, v in rated if across not in total_columns]
            for down, rated in enumerate(values)
        ]
    if layout.others:
        how.note(f"no ratings, left out: column {', '.join(layout.header[j] for j in layout.others)}")
    triples = [(down, across, value) for down, rated in enumerate(values) for across, value in rated]
    if not layout.items_down:
        return ListOfGrid(cells, labels, names, {}, triples, rows, items, layout.corner)
    told = {
        kind: [text_of(_at(cells.rows[i], layout.texts[at])).strip() for i in rows]
        for kind, at in columns_beside([layout.header[j] for j in layout.texts], set()).items()
    }
    triples = [(across, down, value) for down, across, value in triples]
    return ListOfGrid(cells, names, labels, told, triples, rows, items, layout.corner, items_down=True)


def _find_totals(
    layout: _Layout, rows: list[int], labels: list[str], doubtful: list[list[int]]
) -> tuple[list[int], list[int]]:
    """Return which of the doubtful rows and columns, whose name says so or is blank, are sums, means and the like.

    Raises InputError for others that have no name.
    """
    cells, items = layout.cells, layout.items
    doubtful_rows, doubtful_columns = doubtful
    matrix = _matrix(layout, [cells.rows[i] for i in rows], items)
    rest = np.delete(np.delete(matrix, doubtful_rows, 0), doubtful_columns, 1)
    own_rows = np.delete(matrix, doubtful_columns, 1)
    own_columns = np.delete(matrix, doubtful_rows, 0)
    total_rows = [i for i in doubtful_rows if _are_totals(labels[i], own_rows[i], rest)]
    total_columns = [j for j in doubtful_columns if _are_totals(layout.header[items[j]], own_columns[:, j], rest.T)]
    for i in doubtful_rows:
        if not labels[i] and i not in total_rows:
            raise InputError(f"{cells.name} {cells.place(rows[i])}: ratings, but no name in front of them")
    for j in doubtful_columns:
        if not layout.header[items[j]] and j not in total_columns:
            raise InputError(f"{cells.name}: column {items[j] + 1} has ratings, but no name above them")
    return total_rows, total_columns


def _are_totals(name: str, values: np.ndarray, rest: np.ndarray) -> bool:
    """Return whether values (n,) are what their name says of the columns of the rest (m, n): sums, means, ...

    Others are, too, where they are beyond all ratings, because sums may be of rows that are hidden.
    """
    known = values == values
    if not known.any() or not rest[:, known].size or np.isnan(rest[:, known]).all():
        return not known.any()
    is_beyond = (values[known] > np.nanmax(rest)).any() or (values[known] < np.nanmin(rest)).any()
    return (is_beyond and not _is_extreme(name)) or _sum_up(name, values, rest)


def _is_extreme(name: str) -> bool:
    return name.casefold() in ("min", "max")


def _sum_up(name: str, values: np.ndarray, rest: np.ndarray) -> bool:
    """Return whether values (n,) are sums, means, medians or counts of the columns of the rest (m, n).

    The largest and the smallest are, where the name is Max or Min, or blank.
    """
    has_some = ~np.isnan(values) & ~np.isnan(rest).all(axis=0)
    if not has_some.any() or np.count_nonzero(has_some) < 0.9 * np.count_nonzero(~np.isnan(rest).all(axis=0)):
        return False  # a user who rated a few may well give the most to each of them
    columns, values = rest[:, has_some], values[has_some]
    extremes = [np.nanmin(columns, 0), np.nanmax(columns, 0)]
    middle = [np.nansum(columns, 0), np.nanmean(columns, 0), np.nanmedian(columns, 0), (~np.isnan(columns)).sum(0)]
    summaries = extremes if _is_extreme(name) else [*middle, *extremes] if not name else middle
    return any((abs(values - summary) < 0.051).mean() > 0.9 for summary in summaries)


def as_value(value: Cell, decimal_comma: bool | None) -> float | None:
    """Return the number in a cell, None where there is none: a text may be one, a date or a truth value is not."""
    if isinstance(value, str):
        return as_number(value, decimal_comma)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if isfinite(value) else None


def _is_number(value: Cell) -> bool:
    return as_value(value, decimal_comma=True) is not None


def _is_filled(value: Cell) -> bool:
    return not isinstance(value, str) or (value != "" and not value.isspace())


def _is_no_answer(value: Cell) -> bool:
    return isinstance(value, str) and is_no_answer(value)


def _at(row: Sequence[Cell], i: int) -> Cell:
    return row[i] if i < len(row) else ""
