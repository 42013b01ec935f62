"""Find the sheet `movielens_emb` in a workbook that somebody has worked in.

A prediction multiplies two rows of looked-up factors; at the left of each stands the MATCH that names the id and the
table it is looked up in, and the factors are the columns beside that table's ids.
"""

import re
from dataclasses import dataclass

import numpy as np

from cf_excel.book.cells import Block
from cf_excel.book.edit.found import FoundSheet, Identity, Numbers, id_in, number_in, rmse_look, rmse_results
from cf_excel.book.edit.sheet_xml import Address, CellFormula, CellValue, SheetXml
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


@dataclass(frozen=True)
class _RatingRow:
    prediction: Address
    user: _Side
    movie: _Side
    rating: Address
    error: Address | None


def find_embedding(title: str, sheet: SheetXml) -> FoundSheet | None:
    """Return the ratings, tables of factors and predictions of a sheet, None where it has no such predictions.

    Raises InputError where the tables don't fit together.
    """
    rows = _rating_rows(sheet)
    if not rows:
        return None
    tables = []
    for side in ("user", "movie"):
        ids = {getattr(row, side).ids for row in rows}
        if len(ids) > 1:
            raise InputError(f"sheet {title}: its ratings look {side}s up in different tables, expected one")
        tables.append(_Table(sheet, ids.pop(), getattr(rows[0], side).looked_up))
    users, movies = tables
    user_rows = np.array([users.row(sheet, row.user.wanted) for row in rows])
    movie_rows = np.array([movies.row(sheet, row.movie.wanted) for row in rows])
    ratings = np.array([number_in(sheet, row.rating) for row in rows])
    known = (user_rows >= 0) & (movie_rows >= 0)
    counted = known & ~np.isnan(ratings)
    emb = _Embedding(sheet, rows, user_rows, movie_rows, np.nan_to_num(ratings), known)
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
            "rating": rows[0].rating,
            "prediction": rows[0].prediction,
            "input": users.places[0][0],
            "id": (users.block.top, users.block.left),
        }
        | rmse_look(sheet),
    )
    return found


class _Table:
    """Ids in a column and their factors beside them."""

    def __init__(self, sheet: SheetXml, block: Block, looked_up: Block) -> None:
        self.block = block
        self.ids: list[Identity] = [id_in(sheet, [(row, block.left)]) for row in range(block.top, block.bottom + 1)]
        self._rows = {identity: row for row, identity in reversed(list(enumerate(self.ids)))}
        columns = [
            _factor_column(sheet.formulas.get((looked_up.top, column)), block) or block.left + 1 + k
            for k, column in enumerate(range(looked_up.left, looked_up.right + 1))
        ]
        self.places = [[(row, column) for column in columns] for row in range(block.top, block.bottom + 1)]

    def row(self, sheet: SheetXml, place: Address) -> int:
        """Return the row of the id in a cell, -1 where the table has none."""
        identity = id_in(sheet, [place])
        return -1 if identity is None else self._rows.get(identity, -1)


@dataclass(frozen=True, eq=False)
class _Embedding:
    sheet: SheetXml
    rows: list[_RatingRow]
    user_rows: np.ndarray
    movie_rows: np.ndarray
    ratings: np.ndarray
    known: np.ndarray

    def results(self, found: FoundSheet, numbers: Numbers) -> dict[Address, CellValue]:
        results: dict[Address, CellValue] = {}
        predicted: dict[Address, float] = {}
        errors: dict[Address, CellValue] = {}
        products = found.products(numbers, self.user_rows, self.movie_rows)
        # an id that is in no table has factors of 0
        values = np.where(self.known, products, 0.0)
        squares = (self.ratings - values) ** 2
        sides = (("user", numbers.user_factors, self.user_rows), ("movie", numbers.movie_factors, self.movie_rows))
        factors = [(side, np.where(rows[:, None] >= 0, np.nan_to_num(table)[rows], 0.0)) for side, table, rows in sides]
        for i, row in enumerate(self.rows):
            for side, looked_up in factors:
                block = getattr(row, side).looked_up
                results.update(((block.top, block.left + k), v) for k, v in enumerate(looked_up[i].tolist()))
            predicted[row.prediction] = float(values[i])
            if row.error:
                errors[row.error] = float(squares[i]) if self.known[i] else ""
        own = {
            place: value
            for place, value in results.items()
            if place in self.sheet.formulas and any(name in self.sheet.formulas[place].text for name in _LOOK_UPS)
        }
        return own | predicted | errors | rmse_results(self.sheet, predicted, errors)


def _rating_rows(sheet: SheetXml) -> list[_RatingRow]:
    by_row: dict[int, dict[int, CellFormula]] = {}
    for (row, column), formula in sheet.formulas.items():
        by_row.setdefault(row, {})[column] = formula
    found = []
    for row, formulas in by_row.items():
        for column, formula in formulas.items():
            if formula.skeleton in _PREDICTIONS and (one := _rating_row(row, column, formulas)):
                found.append(one)
    return found


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
            return _Side((wanted.top, wanted.left), ids, looked_up) if ids.n_columns == 1 else None
    return None


def _factor_column(formula: CellFormula | None, ids: Block) -> int | None:
    """Return the column that a look-up reads, where it names one beside the ids."""
    for block in formula.blocks if formula else []:
        if (block.top, block.bottom, block.n_columns) == (ids.top, ids.bottom, 1) and block.left != ids.left:
            return block.left
    return None
