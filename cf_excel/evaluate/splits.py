"""Ways to hold ratings back; a system is given the others alone, so that it can't see what it is asked for."""

from dataclasses import dataclass

import numpy as np

from cf_excel.errors import InputError
from cf_excel.ratings.table import Ratings, validation_rows, without

SPLITS = ("lesson", "kfold", "time", "new-users")
N_FOLDS = 5


@dataclass(frozen=True, eq=False)
class Fold:
    """Ratings to learn from, and the rows, movies and ratings (n_test,) that are asked for.

    new_users (n_users,): the users of whom only a few ratings are to learn from; none in most splits.
    """

    train: Ratings
    users: np.ndarray
    movies: np.ndarray
    rating: np.ndarray
    new_users: np.ndarray


def make_folds(ratings: Ratings, split: str, seed: int = 0, n_given: int = 10) -> list[Fold]:
    """Return the folds of a split: five for "kfold", else one.

    "lesson": the lesson's validation rows. "kfold": every rating is asked for once. "time": the latest fifth of the
    ratings. "new-users": a fifth of the users, drawn with the seed, give their first n_given ratings and are asked for
    the others. Raises InputError for another split, and where nothing would be left to learn from or to ask for.
    """
    if split == "kfold":
        folds = np.array_split(np.random.default_rng(seed).permutation(len(ratings)), N_FOLDS)
        return [_fold(ratings, rows, split) for rows in folds]
    if split == "new-users":
        return [_new_users(ratings, seed, n_given)]
    if split not in SPLITS:
        raise InputError(f"split {split!r}: expected one of {', '.join(SPLITS)}")
    return [_fold(ratings, validation_rows(ratings, split), split)]


def hold_back(fold: Fold, seed: int) -> Fold:
    """Return a fold within the training ratings of a fold: a fifth of them is asked for, to choose settings by."""
    return _fold(fold.train, validation_rows(fold.train, "random", seed), "random", fold.new_users)


def _new_users(ratings: Ratings, seed: int, n_given: int) -> Fold:
    if n_given < 1:
        raise InputError(f"--given {n_given}: expected 1 or more ratings of every new {ratings.nouns.user}")
    drawn = np.random.default_rng(seed).permutation(ratings.n_users)[: max(1, ratings.n_users // 5)]
    is_new = np.zeros(ratings.n_users, bool)
    is_new[drawn] = True
    time = np.zeros(len(ratings)) if ratings.timestamp is None else ratings.timestamp
    order = np.lexsort((time, ratings.user_idx))
    counts = np.bincount(ratings.user_idx, minlength=ratings.n_users)
    place = np.arange(len(ratings)) - np.repeat(np.cumsum(counts) - counts, counts)
    rows = order[is_new[ratings.user_idx[order]] & (place >= n_given)]
    return _fold(ratings, np.sort(rows), "new-users", is_new)


def _fold(ratings: Ratings, rows: np.ndarray, split: str, new_users: np.ndarray | None = None) -> Fold:
    if not 0 < len(rows) < len(ratings):
        raise InputError(f"{ratings.source}: {len(ratings):,} ratings are too few for the split {split}")
    if new_users is None:
        new_users = np.zeros(ratings.n_users, bool)
    asked = (ratings.user_idx[rows], ratings.movie_idx[rows], ratings.rating[rows])
    return Fold(without(ratings, rows), *asked, new_users)
