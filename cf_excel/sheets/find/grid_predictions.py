"""What the predictions of a grid name: their ratings, factors and biases, and the ids beside these."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from cf_excel.errors import LayoutError
from cf_excel.model.parameters import Parameters
from cf_excel.sheets.find.found_sheet import CellLink, Identity, id_in, number_in
from cf_excel.sheets.find.prediction_form import PredictionForm
from cf_excel.sheets.find.sheet import Sheet
from cf_excel.xlsx.cells import cell
from cf_excel.xlsx.edit.sheet_xml import Address


@dataclass(frozen=True, eq=False)
class Predictions:
    """The n predictions of a sheet, cell by cell.

    places, ratings: (n, 2) of row and column. users, movies: the factors' rectangles, (n, 4) of top, left, bottom,
    right. biases: (n, n_biases, 2), the places of what is added, in the order of the formula. forms: (n,), of objects.
    """

    places: np.ndarray
    ratings: np.ndarray
    users: np.ndarray
    movies: np.ndarray
    biases: np.ndarray
    forms: np.ndarray


@dataclass(frozen=True, eq=False)
class Biases:
    """What predictions add: by form, whose each added cell is ("user", "movie"), or the number of one cell for all."""

    places: tuple[list[Address] | None, list[Address] | None]
    roles: dict[PredictionForm, list[str | float]]

    def values(
        self, form: PredictionForm, numbers: Parameters, users: np.ndarray, movies: np.ndarray
    ) -> list[np.ndarray]:
        """Return what each of a form's added cells holds for pairs of users and movies."""
        added = []
        for role in self.roles[form]:
            bias, rows = (numbers.user_bias, users) if role == "user" else (numbers.movie_bias, movies)
            if isinstance(role, float) or bias is None:
                added.append(np.full(len(users), role if isinstance(role, float) else 0.0))
            else:
                added.append(bias[rows])
        return added

    def link(self, form: PredictionForm) -> CellLink | None:
        """Return what a form shows for sums of products and biases, None where it shows these."""
        constants = [0.0 if isinstance(role, str) else role for role in self.roles[form]]
        if form.is_plain and not any(constants):
            return None
        return CellLink(lambda sums: form.link(sums, constants), form.is_smooth)


def find_biases(
    title: str, sheet: Sheet, predictions: Predictions, user_rows: np.ndarray, movie_rows: np.ndarray
) -> Biases:
    """Return what predictions add. Raises LayoutError where it is not a bias of the user and one of the movie."""
    sides: dict[str, list[np.ndarray]] = {"user": [], "movie": []}
    roles: dict[PredictionForm, list[str | float]] = {}
    for form in dict.fromkeys(predictions.forms.tolist()):
        chosen = predictions.forms == form
        roles[form] = []
        for places in predictions.biases[chosen].transpose(1, 0, 2):
            role = _owner(places, predictions, chosen, user_rows[chosen], movie_rows[chosen])
            if role:
                sides[role].append(np.c_[(user_rows if role == "user" else movie_rows)[chosen], places])
            roles[form].append(role or np.nan_to_num(number_in(sheet, (places[0][0], places[0][1]))).item())
        owners = sorted(role for role in roles[form] if isinstance(role, str))
        if owners not in ([], ["movie", "user"]):
            raise LayoutError(
                f"sheet {title}: its predictions add {len(owners)} biases, expected a user's and a movie's"
            )
    if not sides["user"]:
        return Biases((None, None), roles)
    joined = [np.concatenate(parts) for parts in (sides["user"], sides["movie"])]
    user_bias, movie_bias = (_firsts(part[:, 1:], part[:, 0]) for part in joined)
    return Biases((user_bias, movie_bias), roles)


def _owner(
    places: np.ndarray, predictions: Predictions, chosen: np.ndarray, user_rows: np.ndarray, movie_rows: np.ndarray
) -> str | None:
    """Return whose a bias is that stands in places, None where all predictions add the same cell."""
    _, which = np.unique(places[:, 0] * 2**21 + places[:, 1], return_inverse=True)
    n_places, n_users, n_movies = (_n_different(rows) for rows in (which, user_rows, movie_rows))
    if n_places == 1 and n_users > 1 and n_movies > 1:
        return None
    if n_users > 1 or n_movies > 1:
        if n_places == n_users == _n_different(user_rows * n_places + which) != n_movies:
            return "user"
        if n_places == n_movies == _n_different(movie_rows * n_places + which) != n_users:
            return "movie"
    # as many users as movies: the user's stands in line with the user's factors
    users = predictions.users[chosen]
    axis = 0 if (users[:, 0] == users[:, 2]).all() else 1
    return "user" if (places[:, axis] == users[:, axis]).all() else "movie"


def _n_different(numbers: np.ndarray) -> int:
    return len(np.unique(numbers))


def _firsts(places: np.ndarray, rows: np.ndarray) -> list[Address]:
    """Return the place that is the first of each row."""
    return [(row, column) for row, column in places[np.unique(rows, return_index=True)[1]].tolist()]


class FoundIds(NamedTuple):
    ids: list[Identity]
    conflict: str  # why they can't be relied on, "" where they can


def find_ids(
    title: str, sheet: Sheet, predictions: Predictions, rows: np.ndarray, n: int, *, by_user: bool
) -> FoundIds:
    """Return the id of each user or movie, and where ratings and predictions disagree about one."""
    axis = 1 if by_user else 0
    before = int(predictions.ratings[:, axis].min()) - 1
    header = int(predictions.places[:, axis].min()) - 1
    factors = predictions.users if by_user else predictions.movies
    taken = set(range(factors[:, axis].min(), factors[:, axis + 2].max() + 1))
    if predictions.biases.size:
        taken |= set(predictions.biases[:, :, axis].ravel().tolist())
    # the headers of predictions stand between them and the factors
    nearest = max((i for i in taken if i <= header), default=0)
    lines, shown_in = predictions.ratings[:, 1 - axis].tolist(), predictions.places[:, 1 - axis].tolist()
    ids: list[Identity] = [None] * n
    conflict = ""
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
                ids[row], problem = _agreed(title, sheet, headers[: header - nearest], beside)
                conflict = conflict or problem
    return FoundIds(ids, conflict)


def _agreed(title: str, sheet: Sheet, headers: list[Address], beside: list[Address]) -> tuple[Identity, str]:
    """Return the id of a line of ratings; somebody may have put a row or column of their own before it.

    headers: what is before its predictions. beside: what is before its ratings. Both from the nearest on.
    A name before the one and a number before the other don't contradict each other. With it comes where they do, or "".
    """
    shown = id_in(sheet, [place for place in headers if not sheet.formula(place)])
    there = [(place, identity) for place in beside if (identity := id_in(sheet, [place])) is not None]
    # what is computed, such as a count, is an id only where there is nothing else
    typed = [one for one in there if (formula := sheet.formula(one[0])) is None or formula.skeleton == "#"]
    nearest = next(iter(typed or there), None)
    if shown is None or nearest is None or shown in [identity for _, identity in there]:
        return (shown if shown is not None else nearest and nearest[1]), ""
    place, identity = nearest
    if isinstance(shown, str) != isinstance(identity, str):
        return identity, ""
    problem = (
        f"sheet {title}: the ratings at {cell(*place)} belong to {identity} and their predictions to {shown}: "
        "write the same ids before both"
    )
    return identity, problem


def _pointed_to(title: str, sheet: Sheet, place: Address) -> Address | None:
    """Return the cell that a cell's formula shows, None where it is no such formula."""
    formula = sheet.formula(place)
    if formula is None or formula.skeleton != "#" or formula.other_sheet(title) is not None:
        return None
    return formula.blocks[0].top, formula.blocks[0].left
