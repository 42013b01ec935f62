"""Find the table of ratings within a rectangle of cells, and its form: a list, a row a rating, or a grid."""

from collections import Counter
from collections.abc import Callable
from typing import NoReturn

from cf_excel.errors import InputError
from cf_excel.ratings.cell_tables import ListOfCells, ListOfGrid, TableCells, text_of
from cf_excel.ratings.column_names import MOVIE_COLUMNS, Headed, are_positions, find_columns, is_usual
from cf_excel.ratings.columns import are_data
from cf_excel.ratings.file_kinds import shorten
from cf_excel.ratings.grids import find_grid
from cf_excel.ratings.pick_tables import pick_columns
from cf_excel.ratings.rating_texts import as_number
from cf_excel.ratings.reading import Reading

HEAD_ROWS = 200  # a table is found by looking at them
_HEADER_ROWS = 60

Found = ListOfCells | ListOfGrid


def find_table(cells: TableCells, how: Reading) -> Found | None:
    """Return the list or the grid of ratings that cells hold, of the form that is asked for; None for none."""
    found: Found | None = None
    if how.form != "grid" and not how.items_down:
        found = _find_list(cells, how) or _find_picks(cells, how)
    if found is None and how.form != "list":
        found = find_grid(cells, how)
    return found


def find_movies(cells: TableCells) -> ListOfCells | None:
    """Return the list that tells of movies: an id and a title, genres or a year of each; None for none."""
    return first_list(cells, _tells_of_movies)


def _tells_of_movies(table: ListOfCells) -> bool:
    try:
        return len(set(find_columns(table, *MOVIE_COLUMNS).values())) > 1
    except InputError:
        return False


def first_list(cells: TableCells, is_wanted: Callable[[ListOfCells], bool]) -> ListOfCells | None:
    """Return the first list below a header, from the top and then from the left, that is wanted; None for none."""
    for i, row in enumerate(cells.rows[:_HEADER_ROWS]):
        header = _header(row)
        for part in _runs(header):
            table = ListOfCells(cells.part(slice(i + 1, None), part), header[part])
            if is_wanted(table):
                return table
    return None


def refuse(cells: TableCells, how: Reading) -> NoReturn:
    """Raise InputError for cells in which there is no table of ratings, saying what was found and what to pass."""
    if not how.is_of_pairs:
        _refuse_marks(cells)
    if how.form == "grid" or how.items_down:
        raise InputError(
            f"{cells.name} has no grid: expected names of items in a row, then a row of numbers for each user"
        )
    headers = [[name for name in _header(row) if name] for row in cells.rows[:HEAD_ROWS]]
    if not any(headers):
        raise InputError(f"{cells.name} is empty: expected a header such as userId,movieId,rating, then the rows")
    likeliest = max(headers, key=lambda header: sum(as_number(name, decimal_comma=True) is None for name in header))
    find_columns(ListOfCells(cells, likeliest), how.wanted, how.optional, how.names)
    raise InputError(f"{cells.name} has no table of {how.content}: name its place with --range, or its columns")


def _refuse_marks(cells: TableCells) -> None:
    """Raise InputError where a grid has crosses, ticks, or yes and no in the place of numbers."""
    values = [value for row in cells.rows[1:] for value in row[1:] if value != ""]
    kinds = Counter(text_of(value).strip().casefold() for value in values).most_common(2)
    marks = [kind for kind, n in kinds if n >= 10 and len(kind) <= len("false")]
    n_marked = sum(n for kind, n in kinds if kind in marks)
    if n_marked > 0.8 * len(values) and not any(as_number(kind, True) is not None for kind in marks):
        shown = " and ".join(shorten(kind) for kind in marks)
        raise InputError(f"{cells.name} has {shown} where numbers are expected: write 1 for yes, and nothing for no")


def _find_list(cells: TableCells, how: Reading) -> ListOfCells | None:
    is_first = True
    for i, row in enumerate(cells.rows[:_HEADER_ROWS]):
        header = _header(row)
        for part in _runs(header):
            names = header[part]
            if len(names) < len(how.wanted):
                continue
            has_header = not (is_first and is_first_row(names, how))
            if has_columns(ListOfCells(cells.part(slice(0), part), names, has_header), how):
                return ListOfCells(cells.part(slice(i + has_header, None), part), names, has_header)
        is_first = is_first and sum(map(bool, header)) < 2
    return None


def _find_picks(cells: TableCells, how: Reading) -> ListOfCells | None:
    found = _find_list(cells, how.of_picks) if how.may_be_picks else None
    return None if found is None or pick_columns(found, how) is None else found


def is_first_row(cells: list[str], how: Reading) -> bool:
    """Return whether cells are no header but a rating already."""
    if how.names and not are_positions(how.names):
        return False
    if how.is_of_pairs:
        return _are_ids(cells, how)
    if how.names and (at := int(how.names.get("rating", "3")) - 1) < len(cells):
        return are_data(["", "", cells[at].strip()])
    return are_data(cells) and not is_usual(cells[0], "user") and not is_usual(cells[0], "movie")


def _are_ids(cells: list[str], how: Reading) -> bool:
    """Return whether a first row of pairs is no header, but ids already: both have a digit."""
    at = [int(how.names.get(kind, str(i))) - 1 for i, kind in enumerate(how.wanted, 1)]
    return all(0 <= i < len(cells) and any(map(str.isdigit, cells[i])) for i in at)


def has_columns(table: Headed, how: Reading) -> bool:
    """Return whether a table has the columns of a list of ratings."""
    try:
        find_columns(table, how.wanted, how.optional, how.names)
    except InputError:
        return False
    return True


def _header(row: list) -> list[str]:
    return [text_of(value).strip() for value in row]


def _runs(header: list[str]) -> list[slice]:
    """Return the runs of cells that are not blank, then all: beside a table there may be another."""
    runs, start = [], None
    for i, name in enumerate([*header, ""]):
        if name and start is None:
            start = i
        elif not name and start is not None:
            runs.append(slice(start, i))
            start = None
    filled = [i for i, name in enumerate(header) if name]
    return [*runs, slice(filled[0], filled[-1] + 1)] if len(runs) > 1 else runs
