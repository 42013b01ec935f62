"""Tables whose cells are all at hand, of a sheet or of a small text: a rectangle, and the list that was found in it."""

import datetime
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cf_excel.errors import InputError
from cf_excel.ratings.column_names import REQUIRED, noun_of
from cf_excel.ratings.columns import CHUNK_ROWS
from cf_excel.ratings.file_kinds import shorten
from cf_excel.ratings.table import GridOrder, canonical_id
from cf_excel.ratings.totals import is_total
from cf_excel.ratings.unread_cells import ERROR_VALUE, NEVER_CALCULATED, UnreadCell

_RANGE = re.compile(r"\$?([A-Z]{1,3})\$?([1-9][0-9]{0,6})?:\$?([A-Z]{1,3})\$?([1-9][0-9]{0,6})?", re.IGNORECASE)

Cell = str | int | float | bool | datetime.date | datetime.time | datetime.timedelta


@dataclass(frozen=True)
class TableCells:
    """A rectangle of values, "" for a blank one: rows that may end early, and what messages call each of them.

    numbers: of the rows, as people count them. unit: "row" of a sheet or "line" of a text.
    decimal_comma: whether a text may be a number with a comma for the point; None where that may be one of thousands.
    """

    name: str
    rows: list[list[Cell]]
    numbers: Sequence[int]
    unit: str = "row"
    decimal_comma: bool | None = None

    def place(self, row: int) -> str:
        """Return what messages call a row."""
        return f"{self.unit} {self.numbers[row]}"

    def part(self, rows: slice, columns: slice) -> "TableCells":
        """Return a part of the rectangle."""
        cut = self.rows[rows] if columns == slice(None) else [row[columns] for row in self.rows[rows]]
        return TableCells(self.name, cut, self.numbers[rows], self.unit, self.decimal_comma)


def cut(cells: TableCells, reference: str, left: int = 0) -> TableCells:
    """Return the range of a rectangle, whose first column is the sheet's left one from 0, that a reference names.

    Raises InputError for what is no range.
    """
    match = _RANGE.fullmatch(reference.strip())
    if match is None:
        raise InputError(f"--range {shorten(reference)}: expected two corners with a colon, or two columns")
    first_column, last_column = sorted(column_number(match[i]) - 1 - left for i in (1, 3))
    first_row, last_row = sorted((int(match[2] or 1), int(match[4] or 2**20)))
    kept = [i for i, number in enumerate(cells.numbers) if first_row <= number <= last_row]
    return cells.part(slice(kept[0], kept[-1] + 1) if kept else slice(0), slice(max(first_column, 0), last_column + 1))


def refuse_blank(cells: TableCells, reference: str) -> None:
    """Raise InputError for a range without a value."""
    if not any(value != "" for row in cells.rows for value in row):
        raise InputError(f"--range {reference}: {cells.name} has nothing there")


def column_number(letters: str) -> int:
    """Return the number, from 1 on, of the column that letters name."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def text_of(value: Cell) -> str:
    """Return a value as a text table has it: 5 and not 5.0, ISO dates."""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    return str(value)


def texts_of(values: list[Cell]) -> np.ndarray:
    """Return values as texts, an object array (n,), looking at each distinct one once."""
    column = np.empty(len(values), object)
    column[:] = values
    if not any(isinstance(value, bool) for value in values):  # True equals 1
        codes, uniques = pd.factorize(column, use_na_sentinel=False)
        return np.array([text_of(value) for value in uniques], object)[codes]
    return np.array([text_of(value) for value in values], object)


@dataclass(frozen=True)
class ListOfCells:
    """A list of ratings in cells: the header's names, or the first row where there is no header, and the rows."""

    cells: TableCells
    first_record: list[str]
    has_header: bool = True

    @property
    def name(self) -> str:
        return self.cells.name

    @property
    def n_columns(self) -> int:
        return len(self.first_record)

    @property
    def decimal_comma(self) -> bool | None:
        return self.cells.decimal_comma

    def places(self, rows: list[int]) -> list[str]:
        """Return where rows are, "row 7"."""
        return [self.cells.place(row) for row in rows]

    def records(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the number and the cells, as texts, of every row that is not blank."""
        for number, row in zip(self.cells.numbers, self.cells.rows, strict=True):
            if any(value != "" for value in row):
                yield number, [text_of(value) for value in row]

    def unread(self, column: dict[str, int]) -> list[tuple[str, UnreadCell]]:
        """Return where ratings have no value that can be read; where a total has none is no matter."""
        found = []
        for i, row in enumerate(self.cells.rows):
            if "" not in row:
                continue
            at = [column.get(kind) for kind in REQUIRED]  # picks may have no column of counts
            user, movie, rating = (row[i] if i is not None and i < len(row) else "" for i in at)
            if any(value == "" and value is not NEVER_CALCULATED for value in (user, movie)):
                continue
            if any(value is NEVER_CALCULATED for value in (user, movie, rating)):
                found.append((self.cells.place(i), NEVER_CALCULATED))
            elif rating is ERROR_VALUE:
                found.append((self.cells.place(i), ERROR_VALUE))
        return found

    def chunks(self, column: dict[str, int]) -> Iterator[pd.DataFrame]:
        """Yield the rows, as texts, piece by piece."""
        for start in range(0, len(self.cells.rows), CHUNK_ROWS):
            rows = self.cells.rows[start : start + CHUNK_ROWS]
            yield pd.DataFrame(
                {kind: texts_of([row[i] if i < len(row) else "" for row in rows]) for kind, i in column.items()},
                dtype=object,
            )


@dataclass(frozen=True)
class ListOfGrid:
    """The ratings of a grid, as a list: users, movies and ratings (n,), each with the place of its cell.

    beside: what the grid says of its movies, by the columns "title", "genres" and "year". rows, columns: where users
    and movies stand in the cells; the other way round where items go down.
    """

    cells: TableCells
    users: list[str]
    movies: list[str]
    beside: dict[str, list[str]]
    values: list[tuple[int, int, Cell]]  # user, movie, rating
    rows: list[int]
    columns: list[int]
    corner: str = ""
    items_down: bool = False

    first_record = ["user", "movie", "rating", "title", "genres", "year"]  # noqa: RUF012
    has_header = True
    n_columns = 3

    @property
    def name(self) -> str:
        return self.cells.name

    @property
    def decimal_comma(self) -> bool | None:
        return self.cells.decimal_comma

    def nouns(self, movie: str = "movie") -> tuple[str, str]:
        """Return what the corner calls those who rate and what is rated; else user and what is given.

        Whoever calls the one by another name than user has no movies, but items.
        """
        down, _, across = self.corner.replace("\\", "/").partition("/")
        if self.items_down:
            down, across = across, down
        user = noun_of(down, "user")
        return user, noun_of(across, movie if user == "user" else "item")

    def places(self, rows: list[int]) -> list[str]:
        """Return where ratings are: the row, and the name of the column."""
        cells = [self.values[row] for row in rows]
        return [self._place(movie, user) if self.items_down else self._place(user, movie) for user, movie, _ in cells]

    def _place(self, down: int, across: int) -> str:
        name = (self.users if self.items_down else self.movies)[across]
        return f"{self.cells.place(self.rows[down])}, column {name[:40]!r}"

    def unread(self, column: dict[str, int]) -> list[tuple[str, UnreadCell]]:
        """Return where ratings have no value that can be read; where a total has none is no matter."""
        labels, names = (self.movies, self.users) if self.items_down else (self.users, self.movies)
        found = []
        for down, i in enumerate(self.rows):
            row = self.cells.rows[i]
            if "" not in row or not labels[down] or is_total(labels[down]):
                continue
            for across, j in enumerate(self.columns):
                value = row[j] if j < len(row) else ""
                if isinstance(value, UnreadCell) and names[across] and not is_total(names[across]):
                    found.append((self._place(down, across), value))
        return found

    def order(self) -> GridOrder:
        """Return users and movies in their order, without totals and what stands apart below the ratings."""
        users, movies = {user for user, _, _ in self.values}, {movie for _, movie, _ in self.values}
        down, names = (movies, self.movies) if self.items_down else (users, self.users)
        last, at = max(down), [self.cells.numbers[row] for row in self.rows]
        while last + 1 < len(names) and at[last + 1] == at[last] + 1 and not is_total(names[last + 1]):
            last += 1
        down |= {i for i in range(last + 1) if not is_total(names[i])}
        across, names = (users, self.users) if self.items_down else (movies, self.movies)
        across |= {i for i, name in enumerate(names) if not is_total(name)}
        kept = [self.users[i] for i in sorted(users)], [self.movies[i] for i in sorted(movies)]
        user_ids, movie_ids = (list(dict.fromkeys(canonical_id(name) for name in some if name)) for some in kept)
        return GridOrder(user_ids, movie_ids, self.items_down)

    def chunks(self, column: dict[str, int]) -> Iterator[pd.DataFrame]:
        """Yield the ratings in one piece."""
        users, movies = np.array(self.users, object), np.array(self.movies, object)
        user, movie = (np.fromiter((cell[i] for cell in self.values), int, len(self.values)) for i in (0, 1))
        beside = {kind: np.array(texts, object)[movie] for kind, texts in self.beside.items()}
        yield pd.DataFrame(
            {
                "user": users[user],
                "movie": movies[movie],
                "rating": texts_of([value for _, _, value in self.values]),
                **beside,
            },
            dtype=object,
        )
