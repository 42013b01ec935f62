"""Find the sheet `movielens_emb` in a workbook that somebody has worked in.

A prediction multiplies two rows of looked-up factors; at the left of each stands the MATCH that names the id and the
table it is looked up in, and the factors are the columns beside that table's ids.
"""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cf_excel.book.cells import Block
from cf_excel.book.edit.formulas import CellFormula
from cf_excel.book.edit.found import FoundSheet, Identity, Numbers, id_in, number_in, rmse_look, rmse_results
from cf_excel.book.edit.results import Results
from cf_excel.book.edit.sheet_xml import Address, CellValue, SheetXml
from cf_excel.errors import InputError

_PREDICTIONS = ("SUMPRODUCT(#,#)", "SUM(#*#)")
_MATCHES = re.compile(r"MATCH\(#,#|EXACT\(#,#\)")
_LOOK_UPS = ("INDEX(", "OFFSET(", "VLOOKUP(", "XLOOKUP(")
_ERROR = re.compile(r'(?:IF\(AND\(ISNUMBER\(#\),ISNUMBER\(#\)\),)?\(#-#\)\^2(?:,""\))?')


@dataclass(frozen=True)
class _Side:
    """The user's or the movie's part of a rating's row."""

    wanted: Address  # the cell with the id
    ids: Block  # the table's ids
    looked_up: Block  # the factors in the rating's row
    computed: tuple[bool, ...]  # which of these are formulas that look something up

    def below(self, rows: int) -> "_Side":
        """Return what it is in a row that so many rows below is the same."""
        wanted = self.wanted[0] + rows, self.wanted[1]
        return _Side(wanted, self.ids, _moved(self.looked_up, rows), self.computed)


@dataclass(frozen=True)
class _RatingRow:
    prediction: Address
    user: _Side
    movie: _Side
    rating: Address
    error: Address | None

    def below(self, rows: int) -> "_RatingRow":
        """Return what it is in a row that so many rows below is the same."""
        error = self.error and (self.error[0] + rows, self.error[1])
        places = [(place[0] + rows, place[1]) for place in (self.prediction, self.rating)]
        return _RatingRow(places[0], self.user.below(rows), self.movie.below(rows), places[1], error)


@dataclass(frozen=True)
class _Run:
    """Rows of ratings below each other that are the same but for their numbers: the first of them, and how many."""

    first: _RatingRow
    n: int

    def places(self, first: Address) -> list[Address]:
        """Return what a place in the first row is in each of them."""
        return [(row, first[1]) for row in range(first[0], first[0] + self.n)]


def find_embedding(title: str, sheet: SheetXml) -> FoundSheet | None:
    """Return the ratings, tables of factors and predictions of a sheet, None where it has no such predictions.

    Raises InputError where the tables don't fit together.
    """
    runs = list(_runs(sheet))
    if not runs:
        return None
    tables = []
    for side in ("user", "movie"):
        ids = {getattr(run.first, side).ids for run in runs}
        if len(ids) > 1:
            raise InputError(f"sheet {title}: its ratings look {side}s up in different tables, expected one")
        tables.append(_Table(sheet, ids.pop(), getattr(runs[0].first, side).looked_up))
    users, movies = tables
    user_rows = np.array([users.row(sheet, place) for run in runs for place in run.places(run.first.user.wanted)])
    movie_rows = np.array([movies.row(sheet, place) for run in runs for place in run.places(run.first.movie.wanted)])
    ratings = np.array([number_in(sheet, place) for run in runs for place in run.places(run.first.rating)])
    known = (user_rows >= 0) & (movie_rows >= 0)
    counted = known & ~np.isnan(ratings)
    emb = _Embedding(sheet, runs, user_rows, movie_rows, np.nan_to_num(ratings), known)
    found = FoundSheet(
        title=title,
        xml=sheet,
        user_ids=users.ids,
        movie_ids=movies.ids,
        user_places=users.places,
        movie_places=movies.places,
        user_bias=None,
        movie_bias=None,
        user_idx=user_rows[counted],
        movie_idx=movie_rows[counted],
        rating=ratings[counted],
        results=lambda numbers: emb.results(found, numbers),
        looks={
            "rating": runs[0].first.rating,
            "prediction": runs[0].first.prediction,
            "input": users.places[0][0],
            "id": (users.block.top, users.block.left),
        }
        | rmse_look(title, sheet),
    )
    return found


class _Table:
    """Ids in a column and their factors beside them."""

    def __init__(self, sheet: SheetXml, block: Block, looked_up: Block) -> None:
        self.block = block
        self.ids: list[Identity] = [id_in(sheet, [(row, block.left)]) for row in range(block.top, block.bottom + 1)]
        self._rows = {identity: row for row, identity in reversed(list(enumerate(self.ids)))}
        self._rows_of_values: dict[tuple[type, CellValue], int] = {}  # most ratings name an id that came up before
        columns = [
            _factor_column(sheet.formula((looked_up.top, column)), block) or block.left + 1 + k
            for k, column in enumerate(range(looked_up.left, looked_up.right + 1))
        ]
        self.places = [[(row, column) for column in columns] for row in range(block.top, block.bottom + 1)]

    def row(self, sheet: SheetXml, place: Address) -> int:
        """Return the row of the id in a cell, -1 where the table has none."""
        value = sheet.value(place)
        key = type(value), value
        if key not in self._rows_of_values:
            identity = id_in(sheet, [place])
            self._rows_of_values[key] = -1 if identity is None else self._rows.get(identity, -1)
        return self._rows_of_values[key]


@dataclass(frozen=True, eq=False)
class _Embedding:
    sheet: SheetXml
    runs: list[_Run]
    user_rows: np.ndarray
    movie_rows: np.ndarray
    ratings: np.ndarray
    known: np.ndarray

    def results(self, found: FoundSheet, numbers: Numbers) -> Results:
        results = Results()
        values = np.where(self.known, found.products(numbers, self.user_rows, self.movie_rows), 0.0)
        squares = (self.ratings - values) ** 2
        predicted = [place for run in self.runs for place in run.places(run.first.prediction)]
        results.put_places(predicted, values.tolist())
        errors = self._errors(squares.tolist())
        if errors:
            results.put_places(list(errors), list(errors.values()))
        tables = (("user", numbers.user_factors, self.user_rows), ("movie", numbers.movie_factors, self.movie_rows))
        for name, table, rows in tables:
            # an id that is in no table has factors of 0, which stand last
            factors = np.vstack([np.nan_to_num(table), np.zeros(table.shape[1])])
            self._put_looked_up([getattr(run.first, name) for run in self.runs], factors, rows, results)
        results.put_cells(
            rmse_results(found.title, self.sheet, dict(zip(predicted, values.tolist(), strict=True)), errors)
        )
        return results

    def _errors(self, squares: list[float]) -> dict[Address, CellValue]:
        """Return what the cells with squared errors show: nothing where an id is in no table."""
        shown: list[CellValue] = [
            square if known else "" for square, known in zip(squares, self.known.tolist(), strict=True)
        ]
        errors: dict[Address, CellValue] = {}
        start = 0
        for run in self.runs:
            if run.first.error:
                errors.update(zip(run.places(run.first.error), shown[start : start + run.n], strict=True))
            start += run.n
        return errors

    def _put_looked_up(self, sides: list[_Side], values: np.ndarray, rows: np.ndarray, results: Results) -> None:
        """Set the looked-up factors, rows below each other as one table.

        values: (n, n_factors). rows: (n_ratings,), which of them each rating has, -1 for the last.
        """
        ends = np.cumsum([run.n for run in self.runs]).tolist()
        start, top = 0, sides[0].looked_up.top
        for side, below, end in zip(sides, [*sides[1:], None], ends, strict=True):
            block, bottom = side.looked_up, top + end - start - 1
            if below and below.computed == side.computed and below.looked_up == _moved(block, bottom + 1 - block.top):
                continue
            if all(side.computed):
                results.put(Block(top, block.left, bottom, block.right), values, rows[start:end])
            else:
                columns = [k for k, computed in enumerate(side.computed) if computed]
                cells = itertools.product(range(end - start), columns)
                shown = {(top + i, block.left + k): float(values[rows[start + i], k]) for i, k in cells}
                results.put_cells(shown)
            if below:
                start, top = end, below.looked_up.top


def _runs(sheet: SheetXml) -> Iterator[_Run]:
    """Give the rows with predictions; rows of one shape are read once, where what they name moves along with them."""
    for top, bottom in sheet.runs():
        first, last = (_rating_rows_in(row, sheet.formulas_in(row)) for row in (top, bottom))
        if len(first) == 1 and [first[0].below(bottom - top)] == last:
            yield _Run(first[0], bottom - top + 1)
            continue
        for row in range(top, bottom + 1):
            yield from (_Run(found, 1) for found in _rating_rows_in(row, sheet.formulas_in(row)))


def _rating_rows_in(row: int, formulas: dict[int, CellFormula]) -> list[_RatingRow]:
    return [
        found
        for column, formula in formulas.items()
        if formula.skeleton in _PREDICTIONS and (found := _rating_row(row, column, formulas))
    ]


def _rating_row(row: int, column: int, formulas: dict[int, CellFormula]) -> _RatingRow | None:
    blocks = formulas[column].blocks
    if any(block.n_rows != 1 or block.top != row for block in blocks) or blocks[0].n_columns != blocks[1].n_columns:
        return None
    sides = [_side(block, formulas) for block in blocks]
    if None in sides:
        return None
    user, movie = sides
    rating, error = (row, movie.wanted[1] + 1), None
    for place, formula in formulas.items():
        if _ERROR.fullmatch(formula.skeleton):
            first, second = formula.blocks[-2:]
            if (second.top, second.left) == (row, column):
                rating, error = (first.top, first.left), (row, place)
    return _RatingRow((row, column), user, movie, rating, error)


def _side(looked_up: Block, formulas: dict[int, CellFormula]) -> _Side | None:
    """Return what the nearest MATCH at the left of looked-up factors says."""
    for column in range(looked_up.left - 1, 0, -1):
        formula = formulas.get(column)
        if formula and _MATCHES.search(formula.skeleton):
            wanted, ids = formula.blocks[:2]
            if "EXACT(" in formula.skeleton:  # which names the table first
                wanted, ids = ids, wanted
            if ids.n_columns != 1:
                return None
            texts = [formulas[c].text if c in formulas else "" for c in range(looked_up.left, looked_up.right + 1)]
            computed = tuple(any(name in text for name in _LOOK_UPS) for text in texts)
            return _Side((wanted.top, wanted.left), ids, looked_up, computed)
    return None


def _factor_column(formula: CellFormula | None, ids: Block) -> int | None:
    """Return the column that a look-up reads, where it names one beside the ids."""
    for block in formula.blocks if formula else []:
        if (block.top, block.bottom, block.n_columns) == (ids.top, ids.bottom, 1) and block.left != ids.left:
            return block.left
    return None


def _moved(block: Block, rows: int) -> Block:
    return Block(block.top + rows, block.left, block.bottom + rows, block.right)
