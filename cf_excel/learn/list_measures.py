"""Lists of the best of what each user has not taken up, against what was held back."""

from collections.abc import Callable

import numpy as np

from cf_excel.model.everyone import best_lists

LENGTH = 10
_SCORES_AT_ONCE = 1 << 21
UserScores = Callable[[np.ndarray], np.ndarray]
"""Takes user rows (n,), returns what ranks every movie for each, (n, n_movies)."""
Pairs = tuple[np.ndarray, np.ndarray]
"""Rows of users and of movies, each (n_pairs,)."""


def list_movies(scores: UserScores, users: np.ndarray, known: Pairs, n_movies: int) -> np.ndarray:
    """Return the movies that are listed for each user, (n_users, LENGTH), the best first, -1 beyond the end.

    users: rows, rising. known: pairs of any users, which are no candidates.
    """
    listed = np.full((len(users), LENGTH), -1)
    place = np.searchsorted(users, known[0])
    asked = users[np.minimum(place, len(users) - 1)] == known[0]
    order = np.flatnonzero(asked)[np.argsort(place[asked], kind="stable")]
    place, movies = place[order], known[1][order]
    step = max(1, _SCORES_AT_ONCE // n_movies)
    for start in range(0, len(users), step):
        found = np.asarray(scores(users[start : start + step]))
        is_open = np.ones(found.shape, bool)
        inside = slice(*np.searchsorted(place, (start, start + step)))
        is_open[place[inside] - start, movies[inside]] = False
        lists = best_lists(found, is_open, LENGTH)
        listed[start + lists.owners, lists.ranks - 1] = lists.movies
    return listed


def find_hits(users: np.ndarray, listed: np.ndarray, wanted: Pairs, n_movies: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which listed movies a user wants, (n_users, LENGTH), and how many movies each wants, (n_users,)."""
    of_users = users[:, None] * np.int64(n_movies) + listed
    hits = np.isin(of_users, wanted[0] * np.int64(n_movies) + wanted[1]) & (listed >= 0)
    return hits, np.bincount(wanted[0], minlength=users[-1] + 1)[users]
