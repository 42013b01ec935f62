"""Find the sheets `dotprod` and `bias` in a workbook that somebody has worked in.

What a prediction's formula names says where its rating, factors and biases are, wherever rows and columns went; the
ids stand at the left of the ratings and above them.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from html import unescape
from itertools import chain

import numpy as np

from cf_excel.errors import LayoutError
from cf_excel.model.parameters import Parameters
from cf_excel.sheets.find.found_sheet import (
    FoundSheet,
    Identity,
    id_in,
    left_out,
    left_out_note,
    number_in,
    rmse_look,
    rmse_results,
)
from cf_excel.sheets.find.sheet import Sheet
from cf_excel.xlsx.cells import Block, cell
from cf_excel.xlsx.edit.new_values import Results
from cf_excel.xlsx.edit.sheet_xml import Address
from cf_excel.xlsx.formulas import Fill
from cf_excel.xlsx.references import take_apart

# Where the biases stand in a prediction: nowhere, inside the IF, or outside it, so that blanks get them too.
_FORMS = {
    'IF(#="",0,MMULT(#,#))': "none",
    'IF(#="",0,MMULT(#,#)+#+#)': "inside",
    'IF(#="",0,MMULT(#,#))+#+#': "outside",
    'IF(#<>"",MMULT(#,#),0)': "none",
    'IF(#<>"",MMULT(#,#)+#+#,0)': "inside",
    'IF(#<>"",MMULT(#,#),0)+#+#': "outside",
}
_OTHER_FORM = re.compile(r"\bIF\(.*MMULT\(#,#\)", re.DOTALL)
EXPECTED = 'expected IF(rating="",0,MMULT(user,movie))'
_SINGLE = re.compile(r"_xlfn\.SINGLE\((MMULT\(#,#\)|#)\)")


@dataclass(frozen=True, eq=False)
class _Predictions:
    """The n predictions of a sheet, cell by cell.

    places, ratings: (n, 2) of row and column. users, movies: the factors' rectangles, (n, 4) of top, left, bottom,
    right. biases: (n, 2, 2), the user's place and the movie's. outside: (n,), whether blanks get the biases, too.
    """

    places: np.ndarray
    ratings: np.ndarray
    users: np.ndarray
    movies: np.ndarray
    biases: np.ndarray | None
    outside: np.ndarray


def find_grid(title: str, sheet: Sheet) -> FoundSheet | None:
    """Return the ratings, factors and predictions of a sheet, None where it has no such predictions.

    Raises LayoutError where the predictions can't be followed or don't fit together.
    """
    found_parts = [part for fill in sheet.fills if (part := _predictions(title, fill))]
    if not found_parts:
        return None
    predictions = _joined(title, found_parts)
    users, user_rows = _numbered(predictions.users)
    movies, movie_rows = _numbered(predictions.movies)
    rating_places = _addresses(predictions.ratings)
    user_places, movie_places = ([_along(block) for block in blocks] for blocks in (users, movies))
    _check_apart(title, chain(*user_places), chain(*movie_places), rating_places)
    ratings = np.array([number_in(sheet, place) for place in rating_places])
    user_ids = _ids(title, sheet, predictions, user_rows, len(users), by_user=True)
    movie_ids = _ids(title, sheet, predictions, movie_rows, len(movies), by_user=False)
    shown = dict(zip(rating_places, ratings.tolist(), strict=True))
    grid = _Grid(sheet, _addresses(predictions.places), user_rows, movie_rows, ratings, shown, predictions.outside)
    rated = ~np.isnan(ratings)
    rated &= np.isin(np.arange(len(ratings)), np.unique(_keys(*predictions.ratings.T), return_index=True)[1])
    biases = predictions.biases
    found = FoundSheet(
        title=title,
        xml=sheet,
        user_ids=user_ids,
        movie_ids=movie_ids,
        user_places=user_places,
        movie_places=movie_places,
        user_bias=None if biases is None else _firsts(biases[:, 0], user_rows),
        movie_bias=None if biases is None else _firsts(biases[:, 1], movie_rows),
        user_idx=user_rows[rated],
        movie_idx=movie_rows[rated],
        rating=ratings[rated],
        results=lambda numbers: grid.results(found, numbers),
        looks={
            "rating": rating_places[0],
            "prediction": grid.places[0],
            "input": (users[0].top, users[0].left),
            "id": (grid.places[0][0], int(predictions.places[:, 1].min()) - 1),
            "upright": (movies[0].top - 1 - (biases is not None), movies[0].left),  # titles stand above the numbers
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
    outside: np.ndarray

    def results(self, found: FoundSheet, numbers: Parameters) -> Results:
        rated = ~np.isnan(self.ratings)
        numbers = numbers.without_blanks()
        biases = np.zeros(len(rated))
        if numbers.user_bias is not None and numbers.movie_bias is not None:
            biases = numbers.user_bias[self.user_rows] + numbers.movie_bias[self.movie_rows]
        # in the order in which the sheet adds
        products = numbers.products(self.user_rows, self.movie_rows)
        values = np.where(rated, products + biases, np.where(self.outside, biases, 0.0)).tolist()
        results = Results(sources=lambda: found.input_cells() | self.shown.keys())
        results.put_places(self.places, values)
        predicted = dict(zip(self.places, values, strict=True))
        results.put_cells(rmse_results(found.title, self.sheet, predicted, {}, self.shown))
        return results


def _predictions(title: str, fill: Fill) -> _Predictions | None:
    """Return the predictions that a formula makes, None where it makes none.

    Raises LayoutError where it makes them from cells that are not where the lesson has them.
    """
    form = grid_form_of(fill.first.text)
    if form is None:
        return None
    where = f"sheet {title}: the prediction in {fill.block.first}"
    other = fill.first.other_sheet(title)
    if other is not None:
        raise LayoutError(f"{where} reads sheet {other}: move what it reads to sheet {title}")
    if fill.first.array and not fill.block.is_one_cell:
        raise LayoutError(f"{where} is one array formula for many cells: {EXPECTED} in each cell")
    ratings, users, movies, *biases = fill.corners()
    rows, columns = range(fill.block.top, fill.block.bottom + 1), range(fill.block.left, fill.block.right + 1)
    places = np.array([(row, column) for row in rows for column in columns])
    both = None
    if biases:
        both = np.stack([bias[:, :2] for bias in biases], axis=1)
        swapped = both[:, 0, 0] != users[:, 0]  # the movie's is named first
        both[swapped] = both[swapped, ::-1]
    if (users[:, 0] != users[:, 2]).any() or (movies[:, 1] != movies[:, 3]).any():
        raise LayoutError(f"{where} multiplies more than a row and a column: {EXPECTED}")
    return _Predictions(places, ratings[:, :2], users, movies, both, np.full(len(places), form == "outside"))


def _joined(title: str, parts: list[_Predictions]) -> _Predictions:
    """Return the predictions of all formulas, row by row. Raises LayoutError where they don't fit together."""
    if len({part.biases is None for part in parts}) > 1:
        raise LayoutError(f"sheet {title}: some of its predictions add biases, expected all or none")
    with_bias = parts[0].biases is not None
    names = ("places", "ratings", "users", "movies", *(["biases"] if with_bias else []), "outside")
    arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    order = np.lexsort(arrays["places"].T[::-1])
    joined = _Predictions(**{"biases": None} | {name: array[order] for name, array in arrays.items()})
    n_user_factors = joined.users[:, 3] - joined.users[:, 1] + 1
    n_movie_factors = joined.movies[:, 2] - joined.movies[:, 0] + 1
    if np.ptp(n_user_factors) or np.ptp(n_movie_factors):
        raise LayoutError(f"sheet {title}: its predictions use different numbers of factors, expected one number")
    if n_user_factors[0] != n_movie_factors[0]:
        raise LayoutError(f"sheet {title}: its users and movies have different numbers of factors")
    return joined


def grid_form(xml: bytes) -> str | None:
    """Return the form of the first prediction in a sheet's XML without reading its cells, None where there is none."""
    return next(filter(None, map(grid_form_of, products_in(xml))), None)


def products_in(xml: bytes) -> Iterator[str]:
    """Give the formulas with MMULT in a sheet's XML without reading its cells."""
    place = xml.find(b"MMULT(")
    while place >= 0:
        text = xml[xml.rfind(b">", 0, place) + 1 : xml.find(b"<", place)]
        yield unescape(text.decode("utf-8", "replace"))
        place = xml.find(b"MMULT(", place + 1)


def check_no_other_form(title: str, formulas: Iterable[str]) -> None:
    """Raise LayoutError where a sheet's formulas look like predictions, but none is of the lesson's form."""
    for formula in formulas:
        if _OTHER_FORM.search(take_apart(formula)[0]):
            raise LayoutError(f"sheet {title} has predictions of another form (={formula[:60]}): {EXPECTED}")


@lru_cache(maxsize=1 << 16)
def grid_form_of(formula: str) -> str | None:
    """Return where the biases stand in a prediction's formula, None for any other formula."""
    if "MMULT(" not in formula:
        return None
    skeleton = take_apart(formula)[0].replace("ISBLANK(#)", '#=""')
    return _FORMS.get(_SINGLE.sub(r"\1", skeleton))


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


def _firsts(places: np.ndarray, rows: np.ndarray) -> list[Address]:
    """Return the place that is the first of each row."""
    return _addresses(places[np.unique(rows, return_index=True)[1]])


def _addresses(places: np.ndarray) -> list[Address]:
    return [(row, column) for row, column in places.tolist()]


def _ids(
    title: str, sheet: Sheet, predictions: _Predictions, rows: np.ndarray, n: int, *, by_user: bool
) -> list[Identity]:
    """Return the id of each user or movie. Raises LayoutError where ratings and predictions disagree about one."""
    axis = 1 if by_user else 0
    before = int(predictions.ratings[:, axis].min()) - 1
    header = int(predictions.places[:, axis].min()) - 1
    factors = predictions.users if by_user else predictions.movies
    taken = set(range(factors[:, axis].min(), factors[:, axis + 2].max() + 1))
    if predictions.biases is not None:
        taken |= set(predictions.biases[:, 1 - axis, axis].tolist())
    # the headers of predictions stand between them and the factors
    nearest = max((i for i in taken if i <= header), default=0)
    lines, shown_in = predictions.ratings[:, 1 - axis].tolist(), predictions.places[:, 1 - axis].tolist()
    ids: list[Identity] = [None] * n
    for line, shown, row in zip(lines, shown_in, rows.tolist(), strict=True):
        if ids[row] is None:
            headers, beside = (
                [(at, i) if by_user else (i, at) for i in range(start, 0, -1)]
                for at, start in ((shown, header), (line, before))
            )
            linked = [place for place in (_pointed_to(title, sheet, one) for one in headers) if place]
            own = [place for place in linked if place[1 - axis] == line]
            ids[row] = id_in(sheet, own)
            if ids[row] is None:
                ids[row] = _agreed(title, sheet, headers[: header - nearest], beside)
    return ids


def _agreed(title: str, sheet: Sheet, headers: list[Address], beside: list[Address]) -> Identity:
    """Return the id of a line of ratings; somebody may have put a row or column of their own before it.

    headers: what is before its predictions. beside: what is before its ratings. Both from the nearest on.
    Raises LayoutError where the one is not among the others.
    """
    shown = id_in(sheet, [place for place in headers if not sheet.formula(place)])
    there = [(place, identity) for place in beside if (identity := id_in(sheet, [place])) is not None]
    if shown is None:
        # what is computed, such as a count, is an id only where there is nothing else
        typed = [one for one in there if (formula := sheet.formula(one[0])) is None or formula.skeleton == "#"]
        return next((identity for _, identity in typed or there), None)
    if there and shown not in [identity for _, identity in there]:
        place, identity = there[0]
        raise LayoutError(
            f"sheet {title}: the ratings at {cell(*place)} belong to {identity} and their predictions to {shown}: "
            "write the same ids before both"
        )
    return shown


def _pointed_to(title: str, sheet: Sheet, place: Address) -> Address | None:
    """Return the cell that a cell's formula shows, None where it is no such formula."""
    formula = sheet.formula(place)
    if formula is None or formula.skeleton != "#" or formula.other_sheet(title) is not None:
        return None
    return formula.blocks[0].top, formula.blocks[0].left


def _along(block: Block) -> list[Address]:
    return [
        (row, column) for row in range(block.top, block.bottom + 1) for column in range(block.left, block.right + 1)
    ]
