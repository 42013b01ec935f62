"""Read a range of a sheet as a grid of ratings or picks, with names above and at the left or without, or as a list."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from cf_excel.errors import InputError
from cf_excel.ratings.assembly import assemble
from cf_excel.ratings.cell_tables import Cell, ListOfCells, ListOfGrid, TableCells, text_of
from cf_excel.ratings.column_names import REQUIRED, find_columns, noun_of
from cf_excel.ratings.forms import find_table, has_columns
from cf_excel.ratings.grids import as_value, find_grid, is_known_corner
from cf_excel.ratings.nouns import Nouns
from cf_excel.ratings.pick_tables import as_picks, pick_columns
from cf_excel.ratings.rating_rows import read_rows
from cf_excel.ratings.reading import Reading
from cf_excel.ratings.table import Ratings, canonical_id
from cf_excel.ratings.totals import is_total

_EXPECTED = "expected numbers, users down and items across, blank where nobody rated, with or without names around them"
_HEAD_ROWS = 10  # a list shows its header in these
_AS_LIST = Reading(form="list", implicit=None, columns={"timestamp": "none"})


@dataclass(frozen=True, eq=False)
class RatedRange:
    """The ratings of a range, and where its users and items stand: rows and columns of the range, from 0.

    users, items: their names, no two alike. What is no part of the grid, such as a total, has no row or column here.
    A list has none at all. items_down: whether rows are of items, and columns of users.
    """

    ratings: Ratings
    users: list[str]
    items: list[str]
    rows: list[int]
    columns: list[int]
    items_down: bool = False

    @property
    def is_list(self) -> bool:
        """Whether the range has a row for each rating or pick, and no cell for each pair."""
        return not self.rows


def read_range(rows: Sequence[Sequence[Cell]]) -> RatedRange:
    """Return the ratings of a range of cells, "" for a blank one; names are found, and else made of row and column.

    Picks are told from ratings as in a file; they may be a list without numbers. Raises InputError where there is
    neither, for a cell that is no number, and for ratings beside names that lack one.
    """
    cells = [list(row) for row in rows]
    n_above = _count_titles(cells)
    if _find_list(cells[n_above : n_above + _HEAD_ROWS]) and (
        listed := _find_list(cells[n_above:])
    ):  # a grid is told at once
        return _read_list(listed)
    if not any(as_value(value, True) is not None for row in rows for value in row):
        raise InputError(f"the range has no ratings: {_EXPECTED}")
    has_top, has_left = _find_names(cells[n_above:])
    headed = cells[n_above:]
    if not has_left:
        headed = [["" if has_top and not i else f"row {n_above + i + 1}", *row] for i, row in enumerate(headed)]
    if not has_top:
        width = len(cells[0])
        headed = [["", *(f"column {j + 1}" for j in range(has_left, width))], *headed]
    up, left = n_above - (not has_top), -(not has_left)
    how = Reading(form="grid", implicit=None)
    found = find_grid(TableCells("the range", headed, range(up + 1, up + 1 + len(headed))), how)
    if found is None or not found.values:
        raise InputError(f"the range has no grid of ratings: {_EXPECTED}")
    told = replace(found, users=_told_apart(found.users), movies=_told_apart(found.movies))
    column = find_columns(told, REQUIRED, ())
    read = read_rows(told, column, how)
    ratings = assemble(read, {}, "the range", Nouns(*found.nouns("item")), as_picks(told, column, read, how))
    down, across = _rated(told)
    return RatedRange(
        ratings,
        [name for i, name in enumerate(told.users) if i in (across if told.items_down else down)],
        [name for i, name in enumerate(told.movies) if i in (down if told.items_down else across)],
        [found.rows[i] + up for i in sorted(down)],
        [found.columns[j] + left for j in sorted(across)],
        found.items_down,
    )


def _find_list(cells: list[list[Cell]]) -> ListOfCells | None:
    found = find_table(TableCells("the range", cells, range(len(cells))), _AS_LIST)
    return found if isinstance(found, ListOfCells) and found.has_header else None


def _read_list(listed: ListOfCells) -> RatedRange:
    """Return the ratings or picks of a list; times do not count, because a cell may hold them as mere numbers."""
    how = replace(_AS_LIST, notes=[])
    column = pick_columns(listed, how)
    if column is None or has_columns(listed, how):
        column = find_columns(listed, REQUIRED, ())
    read = read_rows(listed, column, how)
    user, item = (listed.first_record[column[kind]] for kind in ("user", "movie"))
    nouns = Nouns(noun_of(user, "user"), noun_of(item, "item"))
    ratings = assemble(read, {}, "the range", nouns, as_picks(listed, column, read, how))
    users, items = ([str(identity) for identity in ids.tolist()] for ids in (ratings.user_ids, ratings.movie_ids))
    return RatedRange(ratings, users, items, [], [])


def _count_titles(cells: list[list[Cell]]) -> int:
    """Return how many rows stand above a table: blank ones, and lines of one text."""
    for i, row in enumerate(cells):
        filled = [value for value in row if value != ""]
        is_title = len(filled) == 1 < len(row) - 1 and as_value(filled[0], True) is None
        if filled and not is_title:
            return i
    return 0


def _find_names(cells: list[list[Cell]]) -> tuple[bool, bool]:
    """Return whether the first row and the first column are names, and not ratings.

    Texts and dates are. Numbers are, where each stands once and the corner is that of a table, or where all are beyond
    the ratings; with nothing but numbers, a blank corner counts where both could be names.
    """
    corner, top, left = cells[0][0], cells[0][1:], [row[0] for row in cells[1:]]
    texts = [any(value != "" and as_value(value, True) is None for value in names) for names in (top, left)]
    corner_is_text = corner != "" and as_value(corner, True) is None
    is_corner = corner == "" or (corner_is_text and is_known_corner(text_of(corner).strip()))
    each_once = [bool(names) and "" not in names and len(set(names)) == len(names) for names in (top, left)]
    could_be = [text or once for text, once in zip(texts, each_once, strict=True)]
    if is_corner and all(could_be):
        return True, True
    if corner_is_text and is_corner:
        return True, could_be[1]
    if not corner_is_text and not any(texts):
        return False, False
    rest = _numbers(value for row in cells[1:] for value in row[1:])
    beyond = [
        once and bool(rest) and _are_beyond(names, rest) for once, names in zip(each_once, (top, left), strict=True)
    ]
    has_top, has_left = (text or far for text, far in zip(texts, beyond, strict=True))
    return has_top or (corner_is_text and not has_left), has_left


def _are_beyond(names: list[Cell], ratings: list[float]) -> bool:
    low, high = min(ratings), max(ratings)
    return not any(low <= number <= high for number in _numbers(names))


def _numbers(values: Iterable[Cell]) -> list[float]:
    return [number for value in values if value != "" and (number := as_value(value, True)) is not None]


def _rated(grid: ListOfGrid) -> tuple[set[int], set[int]]:
    """Return which rows and columns of a grid are users and items.

    All are but totals, which have values but no ratings or are called so, and what stands apart below the ratings.
    """
    rows, columns = {user for user, _, _ in grid.values}, {movie for _, movie, _ in grid.values}
    down, across = grid.users, grid.movies
    if grid.items_down:
        rows, columns, down, across = columns, rows, across, down
    content = [grid.cells.rows[row] for row in grid.rows]
    filled = [[j < len(row) and row[j] != "" for j in grid.columns] for row in content]
    last = max(rows)
    for i, name in enumerate(down):
        if i > last and grid.rows[i] > grid.rows[i - 1] + 1:
            break
        if not any(filled[i]) and not is_total(name):
            rows.add(i)
    for j, name in enumerate(across):
        if not any(row[j] for row in filled) and not is_total(name):
            columns.add(j)
    return rows, columns


def _told_apart(names: list[str]) -> list[str]:
    """Return the names with a number behind each that was there before; a grid's rows are different people."""
    seen: set[int | str] = set()
    told = []
    for name in names:
        unique, n = name, 1
        while unique and canonical_id(unique) in seen:
            n += 1
            unique = f"{name} ({n})"
        if unique:
            seen.add(canonical_id(unique))
        told.append(unique)
    return told
