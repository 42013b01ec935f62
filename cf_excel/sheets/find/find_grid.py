"""Find the sheets `dotprod` and `bias` in a workbook that somebody has worked in.

What a prediction's formula names says where its rating, factors and biases are, wherever rows and columns went; the
ids stand at the left of the ratings and above them.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from html import unescape
from itertools import chain

import numpy as np

from cf_excel.errors import LayoutError
from cf_excel.model.parameters import Parameters
from cf_excel.sheets.find.found_sheet import (
    FoundSheet,
    left_out,
    left_out_note,
    number_in,
    paired,
    rmse_look,
    rmse_results,
)
from cf_excel.sheets.find.grid_predictions import Biases, Predictions, find_biases, find_ids
from cf_excel.sheets.find.prediction_form import PredictionForm, different, form_of
from cf_excel.sheets.find.sheet import Sheet
from cf_excel.xlsx.cells import Block, cell
from cf_excel.xlsx.edit.new_values import Results
from cf_excel.xlsx.edit.sheet_xml import Address
from cf_excel.xlsx.formulas import CellFormula, Fill
from cf_excel.xlsx.references import take_apart

_OTHER_FORM = re.compile(r"\bIF\(.*MMULT\(#,#\)", re.DOTALL)
EXPECTED = 'expected IF(rating="",0,MMULT(user,movie))'


def find_grid(title: str, sheet: Sheet) -> FoundSheet | None:
    """Return the ratings, factors and predictions of a sheet, None where it has no such predictions.

    Raises LayoutError where the predictions can't be followed or don't fit together.
    """
    pairs = paired(title, sheet)
    found_parts = [part for fill in sheet.fills if (part := _predictions(title, sheet, fill, pairs))]
    if not found_parts:
        return None
    predictions = _joined(title, found_parts)
    users, user_rows = _numbered(predictions.users)
    movies, movie_rows = _numbered(predictions.movies)
    rating_places = _addresses(predictions.ratings)
    user_places, movie_places = ([_along(block) for block in blocks] for blocks in (users, movies))
    _check_apart(title, chain(*user_places), chain(*movie_places), rating_places)
    ratings = np.array([number_in(sheet, place) for place in rating_places])
    biases = find_biases(title, sheet, predictions, user_rows, movie_rows)
    user_bias, movie_bias = biases.places
    user_ids, movie_ids = (
        find_ids(title, sheet, predictions, rows, len(blocks), by_user=by_user)
        for rows, blocks, by_user in ((user_rows, users, True), (movie_rows, movies, False))
    )
    shown = dict(zip(rating_places, ratings.tolist(), strict=True))
    parts = [(form, np.flatnonzero(predictions.forms == form)) for form in dict.fromkeys(predictions.forms.tolist())]
    grid = _Grid(sheet, _addresses(predictions.places), user_rows, movie_rows, ratings, shown, parts, biases)
    rated = ~np.isnan(ratings)
    for form, chosen in parts:
        rated[chosen] &= form.predicts(ratings[chosen])
    rated &= np.isin(np.arange(len(ratings)), np.unique(_keys(*predictions.ratings.T), return_index=True)[1])
    found = FoundSheet(
        title=title,
        xml=sheet,
        user_ids=user_ids.ids,
        movie_ids=movie_ids.ids,
        user_places=user_places,
        movie_places=movie_places,
        user_bias=user_bias,
        movie_bias=movie_bias,
        user_idx=user_rows[rated],
        movie_idx=movie_rows[rated],
        rating=ratings[rated],
        results=lambda numbers: grid.results(found, numbers),
        link=biases.link(parts[0][0]),
        conflict=user_ids.conflict or movie_ids.conflict,
        looks={
            "rating": rating_places[0],
            "prediction": grid.places[0],
            "input": (users[0].top, users[0].left),
            "id": (grid.places[0][0], int(predictions.places[:, 1].min()) - 1),
            # titles stand above the numbers
            "upright": (max(1, movies[0].top - 1 - (user_bias is not None)), movies[0].left),
        }
        | rmse_look(title, sheet),
        notes=left_out_note(title, left_out(title, sheet, set(grid.places))),
    )
    return found


def _check_apart(title: str, *parts: Iterable[Address]) -> None:
    """Raise LayoutError where a cell is two of a user's factor, a movie's and a rating."""
    seen: set[Address] = set()
    for cells in map(set, parts):
        if not seen.isdisjoint(cells):
            shared = cell(*min(seen & cells))
            raise LayoutError(f"sheet {title}: {shared} is more than one of a user's factor, a movie's and a rating")
        seen |= cells


@dataclass(frozen=True, eq=False)
class _Grid:
    sheet: Sheet
    places: list[Address]
    user_rows: np.ndarray
    movie_rows: np.ndarray
    ratings: np.ndarray
    shown: dict[Address, float]  # the ratings by cell
    parts: list[tuple[PredictionForm, np.ndarray]]  # the predictions of each form
    biases: "Biases"

    def results(self, found: FoundSheet, numbers: Parameters) -> Results:
        numbers = numbers.without_blanks()
        products = numbers.products(self.user_rows, self.movie_rows)
        values = np.empty(len(products), object)
        for form, chosen in self.parts:
            added = self.biases.values(form, numbers, self.user_rows[chosen], self.movie_rows[chosen])
            values[chosen] = form.shown(self.ratings[chosen], products[chosen], added)
        results = Results(sources=lambda: found.input_cells() | self.shown.keys())
        results.put_places(self.places, values.tolist())
        predicted = dict(zip(self.places, values.tolist(), strict=True))
        results.put_cells(rmse_results(found.title, self.sheet, predicted, {}, self.shown))
        return results


def _predictions(title: str, sheet: Sheet, fill: Fill, paired: dict[Address, Address]) -> Predictions | None:
    """Return the predictions that a formula makes, None where it makes none.

    paired: the ratings that predictions are compared with, for formulas that don't name one. Raises LayoutError where
    the formula makes predictions from cells that are not where the lesson has them.
    """
    formula = fill.first
    form = form_of(formula, sheet.value)
    if formula.array and not fill.block.is_one_cell and _OTHER_FORM.search(formula.skeleton):
        raise LayoutError(
            f"sheet {title}: the prediction in {fill.block.first} is one array formula for many cells: {EXPECTED} in "
            "each cell"
        )
    if form is None:
        return None
    rows, columns = range(fill.block.top, fill.block.bottom + 1), range(fill.block.left, fill.block.right + 1)
    places = [(row, column) for row in rows for column in columns]
    if form.rating is None and not any(place in paired for place in places):
        return None
    where = f"sheet {title}: the prediction in {fill.block.first}"
    other = formula.other_sheet(title)
    if other is not None:
        raise LayoutError(f"{where} reads sheet {other}: move what it reads to sheet {title}")
    corners = fill.corners()
    blocks = [corners[number] for number in different(formula)[1]]
    first, second = (blocks[number] for number in form.factors)
    if any(((block[:, 0] != block[:, 2]) & (block[:, 1] != block[:, 3])).any() for block in (first, second)):
        raise LayoutError(f"{where} multiplies more than a row and a column: {EXPECTED}")
    if form.rating is None:
        ratings = np.array([paired.get(place, (0, 0)) for place in places])
    else:
        ratings = blocks[form.rating][:, :2]
    biases = np.empty((len(places), len(form.biases), 2), int)
    for number, bias in enumerate(form.biases):
        biases[:, number] = blocks[bias][:, :2]
    known = ratings[:, 0] > 0
    arrays = (np.array(places), ratings, first, second, biases, np.full(len(places), form))
    return Predictions(*(array[known] for array in arrays))


def _joined(title: str, parts: list[Predictions]) -> Predictions:
    """Return the predictions of all formulas, row by row. Raises LayoutError where they don't fit together."""
    if len({part.biases.shape[1] for part in parts}) > 1:
        raise LayoutError(f"sheet {title}: some of its predictions add biases, expected all or none")
    arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])}
    order = np.lexsort(arrays["places"].T[::-1])
    joined = Predictions(**{name: array[order] for name, array in arrays.items()})
    if _is_of_the_movie(joined, joined.users, joined.movies):
        joined = replace(joined, users=joined.movies, movies=joined.users)
    n_user_factors, n_movie_factors = (
        (block[:, 2:] - block[:, :2] + 1).max(axis=1) for block in (joined.users, joined.movies)
    )
    if np.ptp(n_user_factors) or np.ptp(n_movie_factors):
        raise LayoutError(f"sheet {title}: its predictions use different numbers of factors, expected one number")
    if n_user_factors[0] != n_movie_factors[0]:
        raise LayoutError(f"sheet {title}: its users and movies have different numbers of factors")
    return joined


def _is_of_the_movie(predictions: Predictions, first: np.ndarray, second: np.ndarray) -> bool:
    """Whether what a prediction names first are a movie's factors: a column, or else what changes along a row."""
    is_row = [bool((block[:, 0] == block[:, 2]).all()) for block in (first, second)]
    if is_row[0] != is_row[1] and np.ptp(first[:, 2:] - first[:, :2]):
        return is_row[1]
    n_pairs = [len(np.unique(np.c_[predictions.places[:, 0], block], axis=0)) for block in (first, second)]
    return n_pairs[0] > n_pairs[1]


def grid_form(formulas: Iterable[str], *, has_roots: bool) -> str | None:
    """Return "dot" or "bias" for the first prediction among formulas, None without one.

    has_roots: whether the sheet takes a root, of errors: without one, predictions name their ratings.
    """
    looks_like_one = False
    for formula in formulas:
        form = form_of(CellFormula(formula))
        if form and (form.rating is not None or has_roots):
            return "bias" if len(form.biases) > 1 else "dot"
        looks_like_one |= bool(_OTHER_FORM.search(take_apart(formula)[0]))
    return "dot" if looks_like_one else None


def products_in(xml: bytes) -> Iterator[str]:
    """Give the formulas with products in a sheet's XML without reading its cells."""
    for name in (b"MMULT(", b"SUMPRODUCT("):
        place = xml.find(name)
        while place >= 0:
            text = xml[xml.rfind(b">", 0, place) + 1 : xml.find(b"<", place)]
            yield unescape(text.decode("utf-8", "replace"))
            place = xml.find(name, place + 1)


def check_no_other_form(title: str, formulas: Iterable[str]) -> None:
    """Raise LayoutError where a sheet's formulas look like predictions, but none is of the lesson's form."""
    for formula in formulas:
        if _OTHER_FORM.search(take_apart(formula)[0]):
            raise LayoutError(f"sheet {title} has predictions of another form (={formula[:60]}): {EXPECTED}")


def _numbered(corners: np.ndarray) -> tuple[list[Block], np.ndarray]:
    """Return the different rectangles in order of first appearance, and the number of each.

    Each has one row, or one column: three of its four edges tell it from the others.
    """
    one_row = (corners[:, 0] == corners[:, 2]).all()
    keys = _keys(_keys(*corners[:, :2].T), corners[:, 3 if one_row else 2])
    _, first, numbers = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return [Block(*block) for block in corners[first[order]].tolist()], rank[numbers]


def _keys(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return a whole number for each pair, no two the same; the second is a row or a column."""
    return first * 2**21 + second


def _addresses(places: np.ndarray) -> list[Address]:
    return [(row, column) for row, column in places.tolist()]


def _along(block: Block) -> list[Address]:
    return [
        (row, column) for row in range(block.top, block.bottom + 1) for column in range(block.left, block.right + 1)
    ]
