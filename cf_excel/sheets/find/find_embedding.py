"""Find the sheet `movielens_emb` in a workbook that somebody has worked in.

A prediction multiplies two rows of looked-up factors; what their formulas name says where the tables of ids and factors
are, wherever these went.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from cf_excel.errors import LayoutError
from cf_excel.model.parameters import Parameters
from cf_excel.sheets.find.found_sheet import (
    CellLink,
    FoundSheet,
    left_out,
    left_out_note,
    number_in,
    paired,
    rmse_look,
    rmse_results,
)
from cf_excel.sheets.find.look_up import UNCLEAR, IdTable, LookUpSide, moved, read_side
from cf_excel.sheets.find.prediction_form import PredictionForm, different, form_of
from cf_excel.sheets.find.sheet import Sheet
from cf_excel.xlsx.cells import Block, cell
from cf_excel.xlsx.edit.new_values import Results
from cf_excel.xlsx.edit.sheet_xml import Address, CellValue
from cf_excel.xlsx.formulas import CellFormula

_OF_ARRAYS = "SUM(#*#)"
LOOK_UPS = ("INDEX(", "OFFSET(", "VLOOKUP(", "XLOOKUP(")
# Squared errors, plain or "" where an id is in no table.
_ERROR, _GUARDED_ERROR = "(#-#)^2", 'IF(AND(ISNUMBER(#),ISNUMBER(#)),(#-#)^2,"")'
_MOST_NAMED = 8


@dataclass(frozen=True)
class _RatingRow:
    form: PredictionForm
    prediction: Address
    user: LookUpSide
    movie: LookUpSide
    rating: Address
    error: Address | None
    error_is_guarded: bool

    def below(self, rows: int) -> "_RatingRow":
        """Return what it is in a row that so many rows below is the same."""
        prediction, rating = ((row + rows, column) for row, column in (self.prediction, self.rating))
        error = self.error and (self.error[0] + rows, self.error[1])
        user, movie = self.user.below(rows), self.movie.below(rows)
        return replace(self, prediction=prediction, user=user, movie=movie, rating=rating, error=error)


@dataclass(frozen=True)
class _Run:
    """Rows of ratings below each other that are the same but for their numbers: the first of them, and how many."""

    first: _RatingRow
    n: int

    def places(self, first: Address) -> list[Address]:
        """Return what a place in the first row is in each of them."""
        return [(row, first[1]) for row in range(first[0], first[0] + self.n)]


def find_embedding(title: str, sheet: Sheet) -> FoundSheet | None:
    """Return the ratings, tables of factors and predictions of a sheet, None where it has no such predictions.

    Raises LayoutError where the formulas can't be followed or the tables don't fit together.
    """
    reader = _Reader(title, sheet)
    runs = list(reader.runs())
    if not runs:
        if reader.refused:
            raise reader.refused[0]
        return None
    tables = []
    for side in ("user", "movie"):
        named = {getattr(run.first, side).table for run in runs}
        if len(named) > 1:
            raise LayoutError(f"sheet {title}: its ratings look {side}s up in different tables, expected one")
        tables.append(IdTable(title, sheet, named.pop()))
    users, movies = tables
    _check_apart(title, users, movies)
    user_rows = np.array([users.row(place) for run in runs for place in run.places(run.first.user.wanted)])
    movie_rows = np.array([movies.row(place) for run in runs for place in run.places(run.first.movie.wanted)])
    ratings = np.array([number_in(sheet, place) for run in runs for place in run.places(run.first.rating)])
    known, blank = (user_rows >= 0) & (movie_rows >= 0), np.isnan(ratings)
    forms = _by_form(runs)
    counted = known & ~blank
    for form, chosen in forms:
        counted[chosen] &= form.predicts(ratings[chosen])
    notes = [*_notes(title, "user", users), *_notes(title, "movie", movies), *reader.notes(runs)]
    n = sum((known & blank)[chosen].sum() for form, chosen in forms if form.rating is None)
    if n:
        notes.append(f"sheet {title}: {n:,} ratings are blank and left out, while the sheet's RMSE takes them for 0")
    emb = _Embedding(sheet, runs, users, movies, user_rows, movie_rows, ratings, forms)
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
        link=None if forms[0][0].is_plain else CellLink(lambda sums: forms[0][0].link(sums, ()), forms[0][0].is_smooth),
        looks={
            "rating": runs[0].first.rating,
            "prediction": runs[0].first.prediction,
            "input": users.places[0][0],
            "id": users.first,
        }
        | rmse_look(title, sheet),
        notes=notes,
    )
    return found


def _by_form(runs: list[_Run]) -> list[tuple[PredictionForm, np.ndarray]]:
    """Return the forms of predictions, each with the numbers of the ratings that are predicted so."""
    of_each = np.repeat(np.array([run.first.form for run in runs]), [run.n for run in runs])
    return [(form, np.flatnonzero(of_each == form)) for form in dict.fromkeys(run.first.form for run in runs)]


class _Reader:
    """Finds the rows of ratings in a sheet."""

    def __init__(self, title: str, sheet: Sheet) -> None:
        self.title, self.sheet = title, sheet
        self.refused: list[LayoutError] = []  # rows that look like ratings, but can't be followed
        self._paired = paired(title, sheet)
        # what a row with such formulas was, and whether another one was the same, so many rows below
        self._known: dict[tuple, tuple[_RatingRow, bool]] = {}

    def notes(self, runs: list[_Run]) -> list[str]:
        """Say which ratings are left out."""
        if self.refused:
            return [f"{len(self.refused):,} predictions are left out, the first because {self.refused[0]}"]
        predicted = {place for run in runs for place in run.places(run.first.prediction)}
        errors = {place for run in runs if run.first.error for place in run.places(run.first.error)}
        return left_out_note(self.title, left_out(self.title, self.sheet, predicted, errors))

    def runs(self) -> Iterator[_Run]:
        """Give the rows with predictions; rows of one shape are read once, where what they name moves along."""
        for top, bottom in self.sheet.runs():
            first = self._read(top)
            last = first if top == bottom else self._read(bottom)
            if len(first) == 1 and isinstance(first[0], _RatingRow) and [first[0].below(bottom - top)] == last:
                yield _Run(first[0], bottom - top + 1)
                continue
            for found in (found for row in range(top, bottom + 1) for found in self._read(row)):
                if isinstance(found, LayoutError):
                    self.refused.append(found)
                else:
                    yield _Run(found, 1)

    def _read(self, row: int) -> list[_RatingRow | LayoutError]:
        """Return the ratings of a row; what is filled from the same formulas as two rows before is not read again.

        What a formula names moves along as it is filled, or stays: two rows tell which.
        """
        formulas = self.sheet.formulas_in(row)
        if not any(formula.rows for formula in formulas.values()):
            return list(self._rows_in(row, formulas))
        key = tuple((column, f.text, f.columns, f.rows - row) for column, f in formulas.items())
        first, is_sure = self._known.get(key, (None, False))
        moved_along = first and first.below(row - first.prediction[0])
        if moved_along and is_sure:
            # where no formula of the row names the rating, another cell does
            paired = self._paired.get(moved_along.prediction) == moved_along.rating
            if moved_along.error or moved_along.form.rating is not None or paired:
                return [moved_along]
        found = list(self._rows_in(row, formulas))
        if len(found) == 1 and isinstance(found[0], _RatingRow):
            self._known[key] = found[0], first is not None and moved_along == found[0]
        return found

    def _rows_in(self, row: int, formulas: dict[int, CellFormula]) -> Iterator[_RatingRow | LayoutError]:
        """Give the ratings of a row, and why those that can't be followed can't."""
        for column, formula in formulas.items():
            form = form_of(formula)
            if form and self._multiplies_factors(row, formula, form, formulas):
                try:
                    yield self._rating_row(row, column, form, formulas)
                except LayoutError as error:
                    yield error

    def _multiplies_factors(
        self, row: int, formula: CellFormula, form: PredictionForm, formulas: dict[int, CellFormula]
    ) -> bool:
        """Whether a formula multiplies cells of its own row that look something up."""
        if formula.other_sheet(self.title) is not None:
            return False
        blocks = _multiplied(formula, form)
        if any(block.n_rows != 1 or block.top != row for block in blocks):
            return False
        texts = (formulas[c].text for b in blocks for c in range(b.left, b.right + 1) if c in formulas)
        return any(name in text for text in texts for name in LOOK_UPS)

    def _rating_row(self, row: int, column: int, form: PredictionForm, formulas: dict[int, CellFormula]) -> _RatingRow:
        predicted, where = formulas[column], f"sheet {self.title}: {cell(row, column)}"
        # what is open in Excel doesn't say which formulas are for arrays
        if _OF_ARRAYS in predicted.skeleton and not predicted.array and self.sheet.marks_arrays:
            raise LayoutError(f"{where} multiplies cells without being an array formula: expected SUMPRODUCT")
        if form.biases:
            raise LayoutError(f"{where} adds to a product of factors that are looked up: expected the product alone")
        user, movie = (read_side(self.title, self.sheet, block, formulas) for block in _multiplied(predicted, form))
        rating, error, guarded = self._paired.get((row, column)), None, False
        if form.rating is not None:
            asked = predicted.blocks[different(predicted)[1][form.rating]]
            rating = asked.top, asked.left
        for place, formula in formulas.items():
            if formula.skeleton not in (_ERROR, _GUARDED_ERROR) or formula.other_sheet(self.title) is not None:
                continue
            *tested, first, second = formula.blocks
            if (second.top, second.left) != (row, column):
                continue
            if not tested or {(block.top, block.left) for block in tested} == {user.index, movie.index}:
                rating, error, guarded = rating or (first.top, first.left), (row, place), bool(tested)
        if rating is None:
            raise LayoutError(f"{where} is compared with no rating: expected (rating-prediction)^2 in its row")
        return _RatingRow(form, (row, column), user, movie, rating, error, guarded)


def _multiplied(formula: CellFormula, form: PredictionForm) -> list[Block]:
    """Return the two rectangles that a prediction multiplies."""
    firsts = different(formula)[1]
    return [formula.blocks[firsts[number]] for number in form.factors]


def _check_apart(title: str, users: IdTable, movies: IdTable) -> None:
    """Raise LayoutError where both tables have the same factor cells, as where MATCH names a whole column of ids."""
    both = {place for row in users.places for place in row} & {place for row in movies.places for place in row}
    if both:
        raise LayoutError(
            f"sheet {title}: {cell(*min(both))} is a factor of a user and of a movie, as where MATCH searches a whole "
            "column: name each table's own rows in MATCH"
        )


def _notes(title: str, side: str, table: IdTable) -> Iterator[str]:
    """Say which ids the sheet's formulas don't find, and for which they take others."""
    if table.missing:
        named = ", ".join([*table.missing][:_MOST_NAMED]) + (" and more" if len(table.missing) > _MOST_NAMED else "")
        kinds = " (numbers and texts are different ids)" if any(table.missing.values()) else ""
        yield f"sheet {title}: MATCH finds no {side} {named}{kinds}: the ratings are left out"
    if table.neighbours:
        named = ", ".join(f"{taken} for {wanted}" for wanted, taken in [*table.neighbours.items()][:_MOST_NAMED])
        yield f"sheet {title}: MATCH without a third argument takes {side} {named}: add ,0 to find equal ids only"


@dataclass(frozen=True, eq=False)
class _Embedding:
    sheet: Sheet
    runs: list[_Run]
    users: IdTable
    movies: IdTable
    user_rows: np.ndarray
    movie_rows: np.ndarray
    ratings: np.ndarray
    forms: list[tuple[PredictionForm, np.ndarray]]  # and which ratings are predicted in each

    def results(self, found: FoundSheet, numbers: Parameters) -> Results:
        """Return the results for new numbers; NaN stands for those that are left to the programs."""
        results = Results(sources=lambda: found.input_cells() | self._asked())
        numbers = numbers.without_blanks()
        sides = (
            ("user", self.users, numbers.user_factors, self.user_rows),
            ("movie", self.movies, numbers.movie_factors, self.movie_rows),
        )
        unknown = np.zeros(len(self.ratings), bool)
        for name, table, factors, rows in sides:
            left = rows == UNCLEAR if table.form.guarded else rows < 0
            unknown |= left
            # behind the table's stand the factors of an id that is not in it, and those that are not known
            extra = [np.zeros(factors.shape[1]), np.full(factors.shape[1], np.nan)][: 1 + left.any()]
            shown = np.where(left, len(factors) + 1, np.where(rows < 0, len(factors), rows))
            values = np.vstack([factors, *extra])
            self._put_looked_up([getattr(run.first, name) for run in self.runs], values, shown, results)
        known = (self.user_rows >= 0) & (self.movie_rows >= 0)
        products = np.where(known, numbers.products(self.user_rows, self.movie_rows), 0.0)
        products[unknown] = np.nan
        values = np.empty(len(products), object)
        for form, chosen in self.forms:
            values[chosen] = form.shown(self.ratings[chosen], products[chosen], ())
        places = [place for run in self.runs for place in run.places(run.first.prediction)]
        results.put_places(places, values.tolist())
        values = np.array([value if isinstance(value, float) else np.nan for value in values.tolist()])
        errors = self._errors((np.nan_to_num(self.ratings) - values) ** 2, known | unknown)
        if errors:
            results.put_places(list(errors), list(errors.values()))
        predicted = dict(zip(places, values.tolist(), strict=True))
        results.put_cells(rmse_results(found.title, self.sheet, predicted, errors))
        return results

    def _asked(self) -> set[Address]:
        """Return the cells that ids and ratings are read from."""
        asked = {place for table in (self.users, self.movies) for place in table.id_places}
        for run in self.runs:
            first = run.first
            for place in (first.user.wanted, first.movie.wanted, first.rating):
                asked.update(run.places(place))
        return asked

    def _errors(self, squares: np.ndarray, is_number: np.ndarray) -> dict[Address, CellValue]:
        """Return what the cells with squared errors show: where they say so, nothing for an id that is in no table."""
        guarded = np.repeat([run.first.error_is_guarded for run in self.runs], [run.n for run in self.runs])
        shown: list[CellValue] = [
            square if counts else "" for square, counts in zip(squares.tolist(), is_number | ~guarded, strict=True)
        ]
        errors: dict[Address, CellValue] = {}
        start = 0
        for run in self.runs:
            if run.first.error:
                errors.update(zip(run.places(run.first.error), shown[start : start + run.n], strict=True))
            start += run.n
        return errors

    def _put_looked_up(self, sides: list[LookUpSide], values: np.ndarray, rows: np.ndarray, results: Results) -> None:
        """Set the looked-up factors, rows below each other as one table.

        values: (n, n_factors). rows: (n_ratings,), which of them each rating has.
        """
        ends = np.cumsum([run.n for run in self.runs]).tolist()
        start, top = 0, sides[0].looked_up.top
        for side, below, end in zip(sides, [*sides[1:], None], ends, strict=True):
            block, bottom = side.looked_up, top + end - start - 1
            if below and below.looked_up == moved(block, bottom + 1 - block.top):
                continue
            results.put(Block(top, block.left, bottom, block.right), values, rows[start:end])
            if below:
                start, top = end, below.looked_up.top
