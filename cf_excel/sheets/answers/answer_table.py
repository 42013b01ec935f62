"""Answers as a table, as every kind of file and the terminal show it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cf_excel.ratings.nouns import USUAL_NOUNS, Nouns, id_headers
from cf_excel.ratings.table import as_written
from cf_excel.xlsx.texts import CellValue, headers_apart

_ROWS_AT_ONCE = 5000
RANKS = ("rank",)
SCORES = ("prediction", "score", "lower_bound", "standard_deviation", "similarity")


@dataclass(frozen=True, eq=False)
class AnswerTable:
    """Answers: a title, columns by their names, arrays of one length, and what users and movies are called.

    Ids are whole numbers or texts (object) as the model has them; a NaN or a None is a blank. The names are those of
    recommend_all and similar_all, `own` those of columns that somebody's file had. counted: what n_ratings
    are called for people. tell: called with how many rows were taken for writing, and how many there are.
    """

    title: str
    columns: dict[str, np.ndarray]
    nouns: Nouns = USUAL_NOUNS
    own: frozenset[str] = frozenset()
    counted: str = "ratings"
    tell: Callable[[int, int], None] | None = None

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    @cached_property
    def headers(self) -> list[str]:
        """What the columns are called for people, no two alike in any case: customer for user_id."""
        ids = dict(zip(("user_id", "movie_id"), id_headers(self.nouns), strict=True))
        ids |= {"similar_movie_id": f"similar {ids['movie_id']}", "n_ratings": self.counted}
        usual = {name: name if name in self.own else ids.get(name, name.replace("_", " ")) for name in self.columns}
        return headers_apart(list(usual.values()))

    @cached_property
    def kinds(self) -> dict[str, str]:
        """What each column holds beside blanks: whole, number, text, or mixed, numbers and texts."""
        return {name: _kind(column) for name, column in self.columns.items()}

    def pieces(self, n_rows: int = _ROWS_AT_ONCE) -> Iterator[list[list[CellValue]]]:
        """Yield the columns of some rows at a time, as Python's own values; a number as it was written: 3.7."""
        for start in range(0, len(self), n_rows):
            yield [_values(column[start : start + n_rows]) for column in self.columns.values()]
            if self.tell:
                self.tell(start + n_rows, len(self))

    def shown_rows(self) -> Iterator[tuple[str, ...]]:
        """Yield the rows as a terminal shows them: scores with two decimals."""
        for piece in self.pieces():
            yield from zip(*map(_shown, self.columns, piece), strict=True)


def _kind(column: np.ndarray) -> str:
    if column.dtype != object:
        return "number" if column.dtype.kind == "f" else "whole"
    found = {type(value) for value in column.tolist()} - {type(None)}
    return "text" if found <= {str} else "whole" if found == {int} else "mixed"


def _shown(name: str, values: list[CellValue]) -> list[str]:
    number = "{:.2f}" if name in SCORES else "{}"
    return ["" if value is None else number.format(value) for value in values]


def _values(column: np.ndarray) -> list[CellValue]:
    values = (as_written(column) if column.dtype == np.float32 else column).tolist()
    return [None if value != value else value for value in values] if column.dtype.kind == "f" else values
