"""A sheet of the lesson's kind, as it was found in somebody's workbook: where its numbers are and what it computes."""

import math
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

import numpy as np

from cf_excel.errors import InputError
from cf_excel.model.parameters import Parameters
from cf_excel.ratings.table import canonical_id
from cf_excel.sheets.find.sheet import Sheet
from cf_excel.xlsx.cells import Block, cell
from cf_excel.xlsx.edit.new_values import Results
from cf_excel.xlsx.edit.sheet_xml import Address, CellValue
from cf_excel.xlsx.edit.workbook_file import OpenedBook
from cf_excel.xlsx.formulas import CellFormula

Identity = int | str | None
Places = list[list[Address]]


@dataclass(frozen=True, eq=False)
class CellLink:
    """What predictions show for sums of products and biases: shown maps sums (n,) to numbers (n,).

    is_smooth: whether it follows the sums everywhere, as a logistic does and ROUND does not.
    """

    shown: Callable[[np.ndarray], np.ndarray]
    is_smooth: bool

    @cached_property
    def shift(self) -> float | None:
        """Return what is shown beyond the sums where that is always the same, else None."""
        sums = np.array([0.0, 1.0, -3.0, 7.5, 40.0])
        beyond = self.shown(sums) - sums
        return float(beyond[0]) if self.is_smooth and np.ptp(beyond) < 1e-9 else None

    def slope(self, sums: np.ndarray) -> np.ndarray:
        """Return how fast what is shown grows with the sums, (n,)."""
        step = 1e-6 * np.maximum(1.0, np.abs(sums))
        return (self.shown(sums + step) - self.shown(sums - step)) / (2 * step)


@dataclass(eq=False)
class FoundSheet:
    """Places and ratings of one sheet.

    user_ids, movie_ids: raw ids, None where the header is blank. user_places (n_users, n_factors) and movie_places
    (n_movies, n_factors) are the cells of the factors; user_bias and movie_bias those of the biases, or None.
    user_idx, movie_idx, rating (n,): the ratings that the sheet's RMSE counts.
    results: gives the results of the sheet's own formulas for new numbers.
    link: what the predictions show, None where they show the sums themselves.
    conflict: why the ids can't be relied on, "" where they can.
    notes: what its owner may want to know or mend, a line each.
    """

    title: str
    xml: Sheet
    user_ids: list[Identity]
    movie_ids: list[Identity]
    user_places: Places
    movie_places: Places
    user_bias: list[Address] | None
    movie_bias: list[Address] | None
    user_idx: np.ndarray
    movie_idx: np.ndarray
    rating: np.ndarray
    results: Callable[[Parameters], Results] = field(repr=False)
    link: CellLink | None = None
    conflict: str = ""
    looks: dict[str, Address] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def with_bias(self) -> bool:
        return self.user_bias is not None

    @property
    def n_factors(self) -> int:
        return len(self.user_places[0])

    def numbers(self) -> Parameters:
        """Return what the factor cells hold now. Raises InputError where one holds a text."""
        biases = (self._column(self.user_bias), self._column(self.movie_bias)) if self.with_bias else (None, None)
        users, movies = self._idle
        return Parameters(self._table(self.user_places, users), self._table(self.movie_places, movies), *biases)

    def leave_idle(self, numbers: Parameters) -> Parameters:
        """Return numbers without those of users and movies that have neither an id nor a rating."""
        users, movies = self._idle
        if not users.any() and not movies.any():
            return numbers
        idle = {"user": users, "movie": movies}
        kept = {name: np.where(idle[name.partition("_")[0]], np.nan, a.T).T for name, a in numbers.arrays.items()}
        return Parameters(**kept)

    @cached_property
    def shown_factors(self) -> dict[Address, tuple[str, Address]]:
        """Return the cells that factors show, by the factors' own cells, where all of these are =dotprod!B25 or such.

        Each with its sheet's title. Nothing where some factors are constants: then this sheet's own numbers are fitted.
        """
        shown = {}
        for place in self.input_cells():
            formula = self.xml.formula(place)
            if formula is None and self.xml.value(place) is None:
                continue
            sheet = formula and formula.skeleton == "#" and formula.other_sheet(self.title)
            if not formula or not sheet or not formula.blocks[0].is_one_cell:
                return {}
            shown[place] = sheet, (formula.blocks[0].top, formula.blocks[0].left)
        return shown

    def numbers_of(self, values: dict[Address, float]) -> Parameters:
        """Return numbers from those of single cells, NaN for cells without one."""
        factors = (
            np.array([[values.get(place, math.nan) for place in row] for row in places])
            for places in (self.user_places, self.movie_places)
        )
        biases = (self.user_bias, self.movie_bias) if self.with_bias else ()
        return Parameters(*factors, *(np.array([values.get(p, math.nan) for p in column or []]) for column in biases))

    @cached_property
    def _idle(self) -> tuple[np.ndarray, np.ndarray]:
        """Which users and movies have neither an id nor a rating: their cells may hold anything and are left alone."""
        sides = (self.user_ids, self.user_idx), (self.movie_ids, self.movie_idx)
        users, movies = (
            np.array([identity is None for identity in ids]) & (np.bincount(rated, minlength=len(ids)) == 0)
            for ids, rated in sides
        )
        return users, movies

    def input_cells(self) -> set[Address]:
        """Return the cells of all factors and biases."""
        rows = [*self.user_places, *self.movie_places, self.user_bias or [], self.movie_bias or []]
        return {place for row in rows for place in row}

    def cells_of(self, numbers: Parameters) -> dict[Address, float]:
        """Return the value of every factor and bias cell, those that are NaN left out."""
        cells: dict[Address, float] = {}
        for places, values in ((self.user_places, numbers.user_factors), (self.movie_places, numbers.movie_factors)):
            for row, row_values in zip(places, values.tolist(), strict=True):
                cells.update(zip(row, row_values, strict=True))
        for column, biases in ((self.user_bias, numbers.user_bias), (self.movie_bias, numbers.movie_bias)):
            if column is not None and biases is not None:
                cells.update(zip(column, biases.tolist(), strict=True))
        return {address: value for address, value in cells.items() if value == value}

    def _table(self, places: Places, idle: np.ndarray) -> np.ndarray:
        """Return the numbers of rows; what an idle row holds besides numbers counts as blank."""
        table = np.full((len(places), len(places[0])), math.nan)
        for i, (row, is_idle) in enumerate(zip(places, idle.tolist(), strict=True)):
            kept = [k for k, place in enumerate(row) if not is_idle or isinstance(self.xml.value(place), float)]
            table[i, kept] = self._column([row[k] for k in kept])
        return table

    def _column(self, places: list[Address] | None) -> np.ndarray:
        return np.array([number_in(self.xml, address) for address in places or []])


def looks_of(book: OpenedBook, sheets: list[FoundSheet]) -> dict[str, int]:
    """Return style numbers by name, taken from cells of the lesson's sheets, so that no style has to be added."""
    styles = dict.fromkeys(("plain", "rating", "prediction", "input", "id", "upright", "result"), 0)
    for sheet in reversed(sheets):
        styles |= {name: book.sheet(sheet.title).style(address) for name, address in sheet.looks.items()}
    return styles


def number_in(sheet: Sheet, address: Address) -> float:
    """Return the number in a cell, NaN for a blank. Raises InputError for anything else."""
    value = sheet.value(address)
    if value is None or value == "":
        if value is None and sheet.formula(address):
            raise InputError(f"{sheet.name}: {cell(*address)} has no stored result: open it in Excel and save it")
        return math.nan
    if isinstance(value, (bool, str)) or not math.isfinite(value):
        raise InputError(f"{sheet.name}: {cell(*address)} holds {str(value)[:40]!r}, expected a number")
    return value


def id_in(sheet: Sheet, places: Iterable[Address]) -> Identity:
    """Return the raw id in the first cell that is not blank, None where there is none."""
    for address in places:
        value = sheet.value(address)
        if value is not None and str(value).strip():
            return canonical_id(value)
    return None


def rmse_results(
    title: str,
    sheet: Sheet,
    predicted: dict[Address, float],
    errors: dict[Address, CellValue],
    known: Mapping[Address, float] = MappingProxyType({}),
) -> dict[Address, CellValue]:
    """Return the results of the formulas that take the root of mean squared errors, of the forms that are known.

    known: ratings that were read, by cell, NaN for a blank.
    """
    results: dict[Address, CellValue] = {}
    for address, formula in _roots(title, sheet):
        skeleton, blocks = formula.skeleton, formula.blocks
        if skeleton in _OF_PAIRS:
            pair = _pair(formula)
            squares = pair and _squares(sheet, predicted, *pair, known)
        elif skeleton in _OF_ERRORS and len(set(blocks)) == 1:
            squares = _of_errors(sheet, errors, blocks[0])
        else:
            continue
        divisor = 1 if skeleton in _WITHOUT_COUNT else len(squares or ()) or _LEAST.get(skeleton)
        if squares is not None and divisor:
            results[address] = math.sqrt(_sum(squares) / divisor)
    return results


def paired(title: str, sheet: Sheet) -> dict[Address, Address]:
    """Return the rating that each prediction is compared with by a formula that takes the root of their errors."""
    pairs: dict[Address, Address] = {}
    for _, formula in _roots(title, sheet):
        pair = _pair(formula)
        if pair:
            ratings, predictions = (_places(sheet, block) for block in pair)
            pairs.update(zip(predictions, ratings, strict=False))
    return pairs


def left_out(title: str, sheet: Sheet, predicted: Container[Address], errors: Container[Address] = ()) -> list[Address]:
    """Return the ratings, or squared errors, that the sheet's RMSE counts without a prediction that was found."""
    found: dict[Address, None] = {}
    for _, formula in _roots(title, sheet):
        pair = _pair(formula)
        if pair:
            ratings, predictions = (_places(sheet, block) for block in pair)
            unknown = (rating for rating, place in zip(ratings, predictions, strict=False) if place not in predicted)
            found.update((rating, None) for rating in unknown if isinstance(sheet.value(rating), float))
        elif formula.skeleton in _OF_ERRORS:
            unknown = (place for place in _places(sheet, formula.blocks[0]) if place not in errors)
            found.update((one, None) for one in unknown if sheet.formula(one) or isinstance(sheet.value(one), float))
    return list(found)


def left_out_note(title: str, places: list[Address]) -> list[str]:
    """Say that ratings are left out, if there are such."""
    if not places:
        return []
    n, first = len(places), cell(*places[0])
    return [
        f"sheet {title}: {n:,} ratings (first: {first}) have no prediction that can be followed: they are left out "
        "of the fit and of the RMSE that is printed, while the sheet's counts them"
    ]


def rmse_look(title: str, sheet: Sheet) -> dict[str, Address]:
    """Return the cell that shows how a result looks: the first RMSE."""
    forms = {**_OF_PAIRS, **dict.fromkeys(_OF_ERRORS)}
    known = (address for address, formula in _roots(title, sheet) if formula.skeleton in forms)
    first = next(known, None)
    return {"result": first} if first else {}


def _roots(title: str, sheet: Sheet) -> Iterator[tuple[Address, CellFormula]]:
    """Give the formulas that take a square root of what is on their own sheet."""
    for fill in sheet.fills:
        if fill.first.text.lstrip().upper().startswith("SQRT(") and fill.first.other_sheet(title) is None:
            for address in sheet.addresses_in(fill.block):
                yield address, fill.at(*address)


def _sum(values: list[float]) -> float:
    try:
        return math.fsum(values)
    except OverflowError:
        return math.inf


# The forms of the root of the mean squared error, and where they name ratings and predictions.
_OF_PAIRS = {
    'SQRT(SUMPRODUCT((#<>"")*(#-#)^2)/MAX(1,COUNT(#)))': (1, 2),
    'SQRT(SUMPRODUCT((#<>"")*(#-#)^2)/COUNT(#))': (1, 2),
    "SQRT(SUMXMY2(#,#)/COUNT(#))": (0, 1),
    "SQRT(SUMXMY2(#,#))": (0, 1),
}
_OF_ERRORS = ("SQRT(SUM(#)/MAX(1,COUNT(#)))", "SQRT(SUM(#)/COUNT(#))", "SQRT(AVERAGE(#))", "SQRT(SUM(#))")
_WITHOUT_COUNT = ("SQRT(SUMXMY2(#,#))", "SQRT(SUM(#))")
# What the sum is divided by at least; without a rating the others divide by 0.
_LEAST = {skeleton: 1 for skeleton in (*_OF_PAIRS, *_OF_ERRORS) if "MAX(1,COUNT(#))" in skeleton}


def _pair(formula: CellFormula) -> tuple[Block, Block] | None:
    """Return the ratings and the predictions whose errors a formula sums up, None where they are no such pair."""
    if formula.skeleton not in _OF_PAIRS:
        return None
    blocks = formula.blocks
    ratings, predictions = (blocks[i] for i in _OF_PAIRS[formula.skeleton])
    same_size = (ratings.n_rows, ratings.n_columns) == (predictions.n_rows, predictions.n_columns)
    others = [block for i, block in enumerate(blocks) if i != _OF_PAIRS[formula.skeleton][1]]
    return (ratings, predictions) if same_size and set(others) == {ratings} else None


def _of_errors(sheet: Sheet, errors: dict[Address, CellValue], block: Block) -> list[float] | None:
    """Return the squared errors in a block, None where they are not all known."""
    squares = []
    for place in _places(sheet, block):
        known = place in errors
        if not known and sheet.formula(place):
            return None
        value = errors[place] if known else sheet.value(place)
        if isinstance(value, float):
            squares.append(value)
    return squares


def _squares(
    sheet: Sheet, predicted: dict[Address, float], ratings: Block, predictions: Block, known: Mapping[Address, float]
) -> list[float] | None:
    """Return the squared errors of the ratings in a block, None where its predictions are not all known."""
    down, right = predictions.top - ratings.top, predictions.left - ratings.left
    if any(isinstance(predicted.get(place), (str, bool)) for place in _places(sheet, predictions)):
        return None  # programs differ
    squares = []
    for row, column in _places(sheet, ratings):
        place = row, column
        rating = known[place] if place in known else number_in(sheet, place)
        if rating == rating:
            prediction = predicted.get((row + down, column + right))
            if not isinstance(prediction, float):
                return None
            squares.append((rating - prediction) * (rating - prediction))  # ** raises where this gives inf
    return squares


def _places(sheet: Sheet, block: Block) -> Iterable[Address]:
    """Give the cells of a block row by row, down to the last row that the sheet has."""
    bottom = min(block.bottom, sheet.last_row)
    return ((row, column) for row in range(block.top, bottom + 1) for column in range(block.left, block.right + 1))
