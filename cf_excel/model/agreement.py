"""Tell whether a table's ratings are those that a model was trained on: a model of other data predicts nonsense."""

from typing import NamedTuple

import numpy as np

from cf_excel.model.factors import Factors

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
    known[known] = factors.n_seen[user_rows[known]] > 0
    users, which = np.unique(user_rows[known], return_inverse=True)
    part = factors.of_users(users)
    pairs = part.seen_users * np.int64(factors.n_movies) + part.seen_movies
    order = np.argsort(pairs, kind="stable")
    wanted = which * np.int64(factors.n_movies) + movie_rows[known]
    # of a pair that was rated twice, any rating will do
    first, last = (np.searchsorted(pairs[order], wanted, side=side) for side in ("left", "right"))
    is_same = first < last
    if part.seen_ratings is not None:
        given, trained = ratings[known], part.seen_ratings[order]
        for i in np.flatnonzero(is_same).tolist():
            near = np.abs(trained[first[i] : last[i]] - given[i]) <= _SAME * max(1.0, abs(given[i]))
            is_same[i] = bool(near.any())
    return Agreement(int(is_same.sum()), int(known.sum()))
