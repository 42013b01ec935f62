"""Match a workbook's ids with a trained model's, by value and never by position."""

from dataclasses import dataclass, replace

import numpy as np

from cf_excel.errors import InputError, LayoutError
from cf_excel.model.agreement import MOST, agreement
from cf_excel.model.factors import Factors
from cf_excel.model.kinds import KINDS
from cf_excel.model.lookup import IdIndex
from cf_excel.model.parameters import Parameters
from cf_excel.sheets.find.find_sheet import Workbook
from cf_excel.sheets.find.found_sheet import CellLink, FoundSheet, Identity

# The kind of model that the predictions of each form can show.
_KIND_OF = {form: name for name, kind in KINDS.items() for form in kind.sheet_forms}
_LARGE = 2**21
_SUMS = np.array([-3.0, -1.0, 0.0, 0.5, 2.0, 4.0])  # a few, to compare functions by
NAMINGS = ("auto", "raw", "index")
_SAID = {"raw": "raw id", "index": "index of first appearance"}


@dataclass(frozen=True, eq=False)
class Matched:
    """Rows of the model for the users and movies of a sheet, -1 where the model has none."""

    users: np.ndarray
    movies: np.ndarray
    note: str = ""  # which naming of users and movies was found to fit

    def unknown(self, sheet: FoundSheet) -> dict[str, list[Identity]]:
        """Return the sheet's ids that the model lacks, by side; blank headers are none."""
        sides = {"user": (sheet.user_ids, self.users), "movie": (sheet.movie_ids, self.movies)}
        return {
            side: [
                identity for identity, row in zip(ids, rows.tolist(), strict=True) if row < 0 and identity is not None
            ]
            for side, (ids, rows) in sides.items()
        }


@dataclass(frozen=True, eq=False)
class Chosen:
    """The part of a model that a workbook asks for: rows of the model, and the workbook's ratings of those pairs.

    ratings: (n_users, n_movies), NaN where there is none.
    """

    users: np.ndarray
    movies: np.ndarray
    ratings: np.ndarray

    def numbers(self, factors: Factors) -> Parameters:
        """Return the part's numbers, float64, as cells show them."""
        rows = {"user": self.users, "movie": self.movies}
        return Parameters(**{n: decimal(a[rows[n.partition("_")[0]]]) for n, a in factors.arrays.items()})


def match(sheet: FoundSheet, factors: Factors, naming: str = "auto") -> Matched:
    """Return the model's rows for a sheet's ids.

    naming: "raw" for ids as the ratings have them; "index" for numbers from 0 in order of first appearance, as the
    course's own workbook has them; "auto" for the one by which the sheet's ratings are those that the model was trained
    on, movies by index beside users by raw id included.
    Raises LayoutError where the sheet contradicts itself about an id, InputError where few ratings agree by any naming.
    """
    if sheet.conflict:
        raise LayoutError(sheet.conflict)
    if naming != "auto":
        return _named(sheet, factors, naming, naming)
    found = {}
    for users, movies in (("raw", "raw"), ("index", "index"), ("raw", "index")):
        matched = _named(sheet, factors, users, movies)
        rows = matched.users[sheet.user_idx], matched.movies[sheet.movie_idx]
        found[users, movies] = matched, agreement(factors, *rows, sheet.rating)
    (users, movies), (matched, agreed) = max(found.items(), key=lambda item: item[1][1].n_same)
    # the first of equals is raw; a few ids that happen to be there in both ways don't outweigh the others
    if not max(one.n_known for _, one in found.values()):
        return found["raw", "raw"][0]
    if agreed.share >= MOST and users == movies == "raw":
        return matched
    shares = f"{agreed.n_same:,} of {len(sheet.rating):,} ratings"
    if agreed.share < MOST:
        raise InputError(
            f"sheet {sheet.title}: {shares} agree with those that the model was trained on, by raw ids or by index: it "
            "is a model of other ratings; write --ids raw or --ids index goes on all the same"
        )
    nouns = factors.nouns
    named = f"{nouns.users} and {nouns.movies}" if users == movies else nouns.movies
    return replace(matched, note=f"{named} are named by {_SAID[movies]}: {shares} agree with the model's")


def _named(sheet: FoundSheet, factors: Factors, users: str, movies: str) -> Matched:
    user_ids = factors.user_ids if users == "raw" else np.arange(factors.n_users)
    movie_ids = factors.movie_ids if movies == "raw" else np.arange(factors.n_movies)
    return Matched(
        _rows(IdIndex("user", user_ids, any_case=False), sheet.user_ids),
        _rows(IdIndex("movie", movie_ids, any_case=False), sheet.movie_ids),
    )


def large_misfits(book: Workbook, factors: Factors) -> dict[str, str]:
    """Return the large sheets that the model can't fit and that need no reading, because another names the ids.

    Each comes with the form of its predictions.
    """
    forms = {title: form for title in book.titles if (form := book.form(title))}
    misfits = [title for title, form in forms.items() if factors.kind != _KIND_OF[form]]
    small = [title for title in forms if book.sheet_size(title) < _LARGE]
    read = [title for title in forms if title in small or title not in misfits] or list(forms)[:1]
    return {title: form for title, form in forms.items() if title not in read}


def misfit_of_kind(title: str, form: str, factors: Factors, n_factors: int) -> str:
    """Return why a sheet of this form can't use a model, and which model it can; "" where the kind is right."""
    wanted = _KIND_OF[form]
    if factors.kind == wanted:
        return ""
    shows = "adds plain biases" if form == "bias" else "shows plain products"
    train = f"train --kind {wanted} --factors {n_factors}"
    return f"sheet {title} {shows}, the model is of kind {factors.kind}: {train} makes one that fits"


def misfit(sheet: FoundSheet, factors: Factors) -> str:
    """Return why a sheet's formulas can't use a model, and which model they can; "" where they can."""
    form = "bias" if sheet.with_bias else "dot"
    if sheet.link and sheet.link.is_smooth and (sheet.link.shift is None or not sheet.with_bias):
        reason = _misfit_of_link(sheet, sheet.link, factors)
    else:
        reason = misfit_of_kind(sheet.title, form, factors, sheet.n_factors)
    n_factors = factors.n_factors
    if reason or n_factors == sheet.n_factors:
        return reason
    other = f"train --kind {_KIND_OF[form]} --factors {sheet.n_factors} or build --factors {n_factors}"
    return f"sheet {sheet.title} has {sheet.n_factors} factors, the model {n_factors}: {other} makes them fit"


def _misfit_of_link(sheet: FoundSheet, link: CellLink, factors: Factors) -> str:
    """Return why a sheet that shows a function of its sums can't use a model; "" where the model has the same one."""
    kind = KINDS[factors.kind]
    if kind.with_bias == sheet.with_bias and not kind.is_cut and not kind.is_net:
        shown, learned = link.shown(_SUMS), kind.ratings(_SUMS, *factors.rating_range)
        if np.allclose(shown, learned, rtol=1e-6):
            return ""
    return f"sheet {sheet.title} shows a function of its sums that a model of kind {factors.kind} does not learn"


def numbers_for(sheet: FoundSheet, factors: Factors, matched: Matched) -> Parameters:
    """Return the model's numbers for a sheet's cells, NaN where the model lacks the user or movie.

    The sheet has no cell for the mean rating: the user's bias carries it, but for what all predictions add.
    """
    users = _picked(factors.user_factors, matched.users)
    movies = _picked(factors.movie_factors, matched.movies)
    if not sheet.with_bias:
        return Parameters(users, movies)
    mean = factors.global_mean - ((sheet.link.shift if sheet.link else None) or 0.0)
    user_bias = _picked(factors.user_bias[:, None], matched.users)[:, 0] + mean
    return Parameters(users, movies, user_bias, _picked(factors.movie_bias[:, None], matched.movies)[:, 0])


def choose(sheets: list[FoundSheet], factors: Factors, matches: list[Matched]) -> Chosen:
    """Return the users, movies and ratings that the sheets have and the model knows, in order of first appearance.

    Raises InputError where there are none.
    """
    users, movies = (_known([getattr(matched, side) for matched in matches]) for side in ("users", "movies"))
    if not users or not movies:
        side = "users" if not users else "movies"
        named = f"{getattr(factors.nouns, side)} (such as {_example(sheets[0], side)})"
        raise InputError(f"the model knows none of the workbook's {named}: it was trained on other ids")
    ratings = np.full((len(users), len(movies)), np.nan)
    for sheet, matched in zip(reversed(sheets), reversed(matches), strict=True):
        user, movie = matched.users[sheet.user_idx], matched.movies[sheet.movie_idx]
        for u, m, rating in zip(user.tolist(), movie.tolist(), sheet.rating.tolist(), strict=True):
            if u >= 0 and m >= 0:
                ratings[users[u], movies[m]] = rating
    return Chosen(np.array(list(users)), np.array(list(movies)), ratings)


def decimal(numbers: np.ndarray) -> np.ndarray:
    """Return float32 numbers as float64 of as few digits as name them: a cell shows 0.1, not 0.10000000149011612."""
    return numbers.astype(str).astype(float)


def _known(parts: list[np.ndarray]) -> dict[int, int]:
    """Return the known rows in order of first appearance, each with its place."""
    rows = dict.fromkeys(row for part in parts for row in part.tolist() if row >= 0)
    return {row: place for place, row in enumerate(rows)}


def _rows(index: IdIndex, ids: list[Identity]) -> np.ndarray:
    rows = np.full(len(ids), -1)
    named = [i for i, identity in enumerate(ids) if identity is not None]
    if named:
        wanted = np.empty(len(named), object)
        wanted[:] = [ids[i] for i in named]
        rows[named] = index.rows(wanted)
    return rows


def _picked(table: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return np.where(rows[:, None] >= 0, decimal(table[rows]), np.nan)


def _example(sheet: FoundSheet, side: str) -> Identity:
    ids = sheet.user_ids if side == "users" else sheet.movie_ids
    return next((identity for identity in ids if identity is not None), None)
