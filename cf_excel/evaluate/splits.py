"""Ways to hold ratings back; a system is given the others alone, so that it can't see what it is asked for."""

from dataclasses import dataclass, replace

import numpy as np

from cf_excel.errors import InputError
from cf_excel.ratings.table import Ratings
from cf_excel.ratings.validation import check_in_order, validation_rows, without

SPLITS = ("lesson", "kfold", "time", "hash", "new-users")
N_FOLDS = 5


@dataclass(frozen=True, eq=False)
class Fold:
    """Ratings to learn from, and the rows, movies and ratings (n_test,) that are asked for.

    new_users (n_users,): the users of whom only n_given ratings are to learn from; none in most splits.
    """

    train: Ratings
    users: np.ndarray
    movies: np.ndarray
    rating: np.ndarray
    new_users: np.ndarray
    split: str
    n_given: int = 0


def make_folds(ratings: Ratings, split: str, seed: int = 0, n_given: int = 10) -> list[Fold]:
    """Return the folds of a split: five for "kfold", else one.

    "lesson": the lesson's validation rows. "kfold": every rating is asked for once. "time": the latest fifth of the
    ratings. "hash": a fifth by the hash of user and movie. "new-users": a fifth of the users, drawn with the seed,
    give their first n_given ratings and are asked for the others. Raises InputError for another split, where nothing
    would be left to learn from or to ask for, and as validation_rows does.
    """
    if split == "kfold":
        check_in_order(ratings, split)
        folds = np.array_split(np.random.default_rng(seed).permutation(len(ratings)), N_FOLDS)
        return [_fold(ratings, rows, split) for rows in folds]
    if split == "new-users":
        return [_new_users(ratings, seed, n_given, np.ones(ratings.n_users, bool))]
    if split not in SPLITS:
        raise InputError(f"split {split!r}: expected one of {', '.join(SPLITS)}")
    return [_fold(ratings, validation_rows(ratings, split), split)]


def hold_back(fold: Fold, seed: int, alike: bool = False) -> Fold:
    """Return a fold within the training ratings of a fold, to choose settings by: it asks for a fifth at random.

    alike: it asks as the fold does, for the latest fifth, say, or for later ratings of a fifth of the users, none of
    them new in the fold itself. Raises InputError as make_folds does.
    """
    if alike and fold.split == "new-users":
        return _new_users(fold.train, seed + 1, fold.n_given, ~fold.new_users)
    split = "time" if alike and fold.split == "time" else "random"
    return replace(_fold(fold.train, validation_rows(fold.train, split, seed), split), new_users=fold.new_users)


def liked(rating: np.ndarray, rating_range: tuple[float, float]) -> np.ndarray:
    """Return which ratings are in the upper quarter of the scale: 4 and more of 0.5 to 5 and of 1 to 5."""
    low, high = rating_range
    return rating >= low + 0.75 * (high - low)


def _new_users(ratings: Ratings, seed: int, n_given: int, among: np.ndarray) -> Fold:
    """Return a fold that asks for later ratings of a fifth of some users (a mask, (n_users,))."""
    if n_given < 1:
        raise InputError(f"--given {n_given}: expected 1 or more ratings of every new {ratings.nouns.user}")
    is_new = _drawn(among, seed)
    time = np.zeros(len(ratings)) if ratings.timestamp is None else ratings.timestamp
    order = np.lexsort((time, ratings.user_idx))
    counts = np.bincount(ratings.user_idx, minlength=ratings.n_users)
    place = np.arange(len(ratings)) - np.repeat(np.cumsum(counts) - counts, counts)
    rows = order[is_new[ratings.user_idx[order]] & (place >= n_given)]
    return replace(_fold(ratings, np.sort(rows), "new-users"), new_users=is_new, n_given=n_given)


def _drawn(among: np.ndarray, seed: int) -> np.ndarray:
    """Return a fifth of some users, a mask (n_users,) of a mask."""
    users = np.random.default_rng(seed).permutation(np.flatnonzero(among))
    is_new = np.zeros(len(among), bool)
    is_new[users[: max(1, len(users) // 5)]] = True
    return is_new


def asks_new_users(ratings: Ratings, seed: int, n_given: int) -> bool:
    """Return whether the split "new-users" has anything to ask: one of them has more than n_given ratings."""
    counts = np.bincount(ratings.user_idx, minlength=ratings.n_users)
    return bool((counts[_drawn(np.ones(ratings.n_users, bool), seed)] > n_given).any())


def _fold(ratings: Ratings, rows: np.ndarray, split: str) -> Fold:
    if not 0 < len(rows) < len(ratings):
        raise InputError(f"{ratings.source}: {len(ratings):,} ratings are too few for the split {split}")
    asked = (ratings.user_idx[rows], ratings.movie_idx[rows], ratings.rating[rows])
    return Fold(without(ratings, rows), *asked, np.zeros(ratings.n_users, bool), split)
