"""Find the sheets `dotprod` and `bias` in a workbook that somebody has worked in.

What a prediction's formula names says where its rating, factors and biases are, wherever rows and columns went; the
ids stand at the left of the ratings and above them.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from html import unescape

import numpy as np

from cf_excel.book.cells import Block
from cf_excel.book.edit.found import FoundSheet, Identity, Numbers, Places, id_in, number_in, rmse_look, rmse_results
from cf_excel.book.edit.references import take_apart
from cf_excel.book.edit.sheet_xml import Address, CellValue, SheetXml
from cf_excel.errors import InputError

# Where the biases stand in a prediction: nowhere, inside the IF, or outside it, so that blanks get them too.
_FORMS = {
    'IF(#="",0,MMULT(#,#))': "none",
    'IF(#="",0,MMULT(#,#)+#+#)': "inside",
    'IF(#="",0,MMULT(#,#))+#+#': "outside",
}
_PREDICTION = re.compile(rb">([^<>]*MMULT\([^<>]*)<")
_SINGLE = re.compile(r"_xlfn\.SINGLE\((MMULT\(#,#\)|#)\)")


@dataclass(frozen=True)
class _Prediction:
    place: Address
    form: str
    rating: Address
    user: Block
    movie: Block
    biases: tuple[Address, Address] | None


def find_grid(title: str, sheet: SheetXml) -> FoundSheet | None:
    """Return the ratings, factors and predictions of a sheet, None where it has no such predictions.

    Raises InputError where the predictions don't fit together.
    """
    predictions = [found for address in sheet.formulas if (found := _prediction(sheet, address))]
    if not predictions:
        return None
    if len({(p.user.n_columns, p.movie.n_rows, p.form == "none") for p in predictions}) > 1:
        raise InputError(f"sheet {title}: its predictions use different numbers of factors, expected one number")
    if predictions[0].user.n_columns != predictions[0].movie.n_rows:
        raise InputError(f"sheet {title}: its users and movies have different numbers of factors")
    users, user_rows = _numbered([p.user for p in predictions])
    movies, movie_rows = _numbered([p.movie for p in predictions])
    ratings = np.array([number_in(sheet, p.rating) for p in predictions])
    user_ids = _ids(sheet, predictions, user_rows, len(users), by_user=True)
    movie_ids = _ids(sheet, predictions, movie_rows, len(movies), by_user=False)
    grid = _Grid(sheet, predictions, user_rows, movie_rows, ratings)
    rated = _first_of_each([p.rating for p in predictions]) & ~np.isnan(ratings)
    biases = _bias_places(predictions, user_rows, movie_rows, len(users), len(movies))
    found = FoundSheet(
        title=title,
        xml=sheet,
        user_ids=user_ids,
        movie_ids=movie_ids,
        user_places=[_along(block) for block in users],
        movie_places=[_along(block) for block in movies],
        user_bias=biases[0],
        movie_bias=biases[1],
        user_idx=user_rows[rated],
        movie_idx=movie_rows[rated],
        rating=ratings[rated],
        results=lambda numbers: grid.results(found, numbers),
        looks={
            "rating": predictions[0].rating,
            "prediction": predictions[0].place,
            "input": (users[0].top, users[0].left),
            "id": (predictions[0].place[0], min(p.place[1] for p in predictions) - 1),
            "upright": (movies[0].top - 1 - bool(biases[0]), movies[0].left),  # titles stand above the movies' numbers
        }
        | rmse_look(sheet),
    )
    return found


@dataclass(frozen=True, eq=False)
class _Grid:
    sheet: SheetXml
    predictions: list[_Prediction]
    user_rows: np.ndarray
    movie_rows: np.ndarray
    ratings: np.ndarray

    def results(self, found: FoundSheet, numbers: Numbers) -> dict[Address, CellValue]:
        rated = ~np.isnan(self.ratings)
        biases = found.biases(numbers, self.user_rows, self.movie_rows)
        outside = np.array([p.form == "outside" for p in self.predictions])
        # in the order in which the sheet adds
        products = found.products(numbers, self.user_rows, self.movie_rows)
        values = np.where(rated, products + biases, np.where(outside, biases, 0.0)).tolist()
        predicted = dict(zip([p.place for p in self.predictions], values, strict=True))
        return predicted | rmse_results(self.sheet, predicted, {})


def _prediction(sheet: SheetXml, place: Address) -> _Prediction | None:
    formula = sheet.formulas[place]
    form = _form(formula.text)
    if form is None:
        return None
    rating, user, movie, *biases = formula.blocks
    if user.n_rows != 1 or movie.n_columns != 1:
        return None
    corners = [(block.top, block.left) for block in biases]
    if corners and corners[0][0] != user.top:
        corners.reverse()
    return _Prediction(place, form, (rating.top, rating.left), user, movie, tuple(corners) if corners else None)


def grid_form(xml: bytes) -> str | None:
    """Return the form of the first prediction in a sheet's XML without reading its cells, None where there is none."""
    texts = (unescape(found[1].decode("utf-8", "replace")) for found in _PREDICTION.finditer(xml))
    return next((form for text in texts if (form := _form(text))), None)


@lru_cache(maxsize=1 << 16)
def _form(formula: str) -> str | None:
    """Return where the biases stand in a prediction's formula, None for any other formula."""
    if "MMULT(" not in formula:
        return None
    skeleton = take_apart(formula)[0].replace("ISBLANK(#)", '#=""')
    return _FORMS.get(_SINGLE.sub(r"\1", skeleton))


def _numbered(blocks: list[Block]) -> tuple[list[Block], np.ndarray]:
    """Return the different blocks in order of first appearance, and the number of each."""
    numbers = {block: i for i, block in enumerate(dict.fromkeys(blocks))}
    return list(numbers), np.array([numbers[block] for block in blocks])


def _first_of_each(places: list[Address]) -> np.ndarray:
    seen: set[Address] = set()
    first = np.zeros(len(places), bool)
    for i, place in enumerate(places):
        first[i] = place not in seen
        seen.add(place)
    return first


def _ids(sheet: SheetXml, predictions: list[_Prediction], rows: np.ndarray, n: int, *, by_user: bool) -> list[Identity]:
    """Return the id of each user or movie: what the predictions' own header points to, else what is before the ratings.

    Somebody may have put a column of their own between the ids and the ratings.
    """
    axis = 1 if by_user else 0
    before = min(p.rating[axis] for p in predictions) - 1
    header = min(p.place[axis] for p in predictions) - 1
    ids: list[Identity] = [None] * n
    for prediction, row in zip(predictions, rows.tolist(), strict=True):
        if ids[row] is None:
            line, shown = prediction.rating[1 - axis], prediction.place[1 - axis]
            linked = (_pointed_to(sheet, (shown, i) if by_user else (i, shown)) for i in range(header, 0, -1))
            own = [place for place in linked if place and place[1 - axis] == line]
            ids[row] = id_in(sheet, [*own, *((line, i) if by_user else (i, line) for i in range(before, 0, -1))])
    return ids


def _pointed_to(sheet: SheetXml, place: Address) -> Address | None:
    """Return the cell that a cell's formula shows, None where it is no such formula."""
    formula = sheet.formulas.get(place)
    if formula is None or formula.skeleton != "#":
        return None
    return formula.blocks[0].top, formula.blocks[0].left


def _along(block: Block) -> list[Address]:
    return [
        (row, column) for row in range(block.top, block.bottom + 1) for column in range(block.left, block.right + 1)
    ]


def _bias_places(
    predictions: list[_Prediction], user_rows: np.ndarray, movie_rows: np.ndarray, n_users: int, n_movies: int
) -> tuple[list[Address], list[Address]] | tuple[None, None]:
    if predictions[0].biases is None:
        return None, None
    users: Places = [[] for _ in range(n_users)]
    movies: Places = [[] for _ in range(n_movies)]
    for prediction, user, movie in zip(predictions, user_rows.tolist(), movie_rows.tolist(), strict=True):
        users[user].append(prediction.biases[0])
        movies[movie].append(prediction.biases[1])
    return [places[0] for places in users], [places[0] for places in movies]
