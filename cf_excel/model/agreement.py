"""Tell whether a table's ratings are those that a model was trained on: a model of other data predicts nonsense."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from cf_excel.errors import InputError
from cf_excel.model.factors import Factors
from cf_excel.model.kinds import KINDS
from cf_excel.model.lookup import IdIndex
from cf_excel.ratings.table import Ratings

MOST = 0.5  # the part of a table's ratings that a model of them was trained on: somebody may have changed some
_GO_ON = ", or go on all the same with --force"
_SAME = 1e-4  # of a rating's size: sheets show fewer digits than files


class Agreement(NamedTuple):
    """How many ratings a model was trained on, as they are, of those whose users and movies it has ratings of."""

    n_same: int
    n_known: int

    @property
    def share(self) -> float:
        return self.n_same / self.n_known if self.n_known else 0.0


def agreement(factors: Factors, user_rows: np.ndarray, movie_rows: np.ndarray, ratings: np.ndarray) -> Agreement:
    """Return how many ratings (n,) of rows of the model, -1 for those it lacks, it was trained on.

    A model that was saved without its ratings tells which pairs it was trained on: then these count.
    """
    known = (user_rows >= 0) & (movie_rows >= 0)
    known[known] = np.diff(factors.seen_offsets)[user_rows[known]] > 0
    users, which = np.unique(user_rows[known], return_inverse=True)
    part = factors.of_users(users)
    pairs = part.seen_users * np.int64(factors.n_movies) + part.seen_movies
    order = np.argsort(pairs, kind="stable")
    wanted = which * np.int64(factors.n_movies) + movie_rows[known]
    # of a pair that was rated twice, any rating will do
    first, last = (np.searchsorted(pairs[order], wanted, side=side) for side in ("left", "right"))
    is_same = first < last
    if part.seen_ratings is not None:
        given, trained, found = ratings[known], part.seen_ratings[order], np.zeros(len(is_same), bool)
        near = _SAME * np.maximum(1.0, np.abs(given))
        for step in range(int((last - first).max(initial=0))):
            at = np.minimum(first + step, len(trained) - 1)
            found |= (first + step < last) & (np.abs(trained[at] - given) <= near)
        is_same &= found
    return Agreement(int(is_same.sum()), int(known.sum()))


def rows_of(factors: Factors, ratings: Ratings) -> tuple[np.ndarray, np.ndarray]:
    """Return the model's row of the user and of the movie of each rating (n,), -1 where the model has none."""
    users = IdIndex("user", factors.user_ids, any_case=False).rows(ratings.user_ids)
    movies = IdIndex("movie", factors.movie_ids, any_case=False).rows(ratings.movie_ids)
    return users[ratings.user_idx], movies[ratings.movie_idx]


def check_agreement(factors: Factors, ratings: Ratings) -> None:
    """Raise InputError where a model was trained on other ratings than most of a table's, or on none."""
    if KINDS[factors.kind].of_picks:
        raise InputError(f"the model was trained on picks, not on ratings: train it on these first{_GO_ON}")
    if not len(factors.seen_movies):
        return  # nobody's ratings are known
    _check(agreement(factors, *rows_of(factors, ratings), ratings.rating), len(ratings), ratings.source, _GO_ON)


def check_rated(factors: Factors, rated: Sequence[tuple[object, object, float]], source: str) -> None:
    """Raise InputError where a model was trained on other ratings than most of these (user, movie, rating)."""
    if not len(factors.seen_movies) or not rated:
        return
    users, movies, ratings = zip(*rated, strict=True)
    rows = IdIndex("user", factors.user_ids).rows(list(users)), IdIndex("movie", factors.movie_ids).rows(list(movies))
    _check(agreement(factors, *rows, np.array(ratings, np.float64)), len(ratings), source)


def _check(found: Agreement, n: int, source: str, go_on: str = "") -> None:
    if found.n_same < MOST * n:
        same = f"{found.n_same:,} of the {n:,} ratings of {source}"
        raise InputError(f"the model was trained on {same}: train it on these first{go_on}")
