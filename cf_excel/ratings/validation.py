"""Which ratings are held back: the rows of each split, the lesson's among them."""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from cf_excel.errors import InputError, wrong_type
from cf_excel.ratings.hashes import held_back
from cf_excel.ratings.spill import numbers_of
from cf_excel.ratings.table import Ratings, hashed_pairs

OWN_SPLIT = "own"  # what a model's record says of a function that chose the ratings held back
MOST_IN_ORDER = 100_000_000  # ratings of which one machine is asked to draw, or to sort by time


def lesson_split(n: int, fraction: float = 0.2, seed: int = 42) -> np.ndarray:
    """Return the validation rows that fastai 0.7's get_cv_idxs draws: the head of a seeded permutation of n rows."""
    return np.random.RandomState(seed).permutation(n)[: int(fraction * n)]


def validation_rows(ratings: Ratings, split: str, seed: int = 42) -> np.ndarray:
    """Return the validation rows of a split: a fifth of the ratings, none for "none".

    "lesson": the lesson's own rows, whatever the seed. "random": a seeded draw. "time": the latest ratings. "hash":
    about a fifth, by a hash of the ids of user and movie, whatever the seed: the same pairs in every order of the rows
    and beside other ratings. Raises InputError for another split, for a negative seed, for "time" where the ratings
    have no timestamps, and as check_in_order does.
    """
    n = len(ratings)
    if not isinstance(split, str):
        raise wrong_type(split, "split to be lesson, random, time, hash, none or a function of the ratings")
    if split == "hash":
        return numbers_of(held_back(*hashed_pairs(ratings)))
    if split in ("lesson", "random", "time"):
        check_in_order(ratings, split)
    if split == "lesson":
        return lesson_split(n)
    if split == "random":
        if not isinstance(seed, int) or seed < 0:
            raise InputError(f"seed {seed!r}: expected a whole number, 0 or more")
        return np.random.default_rng(seed).permutation(n)[: n // 5]
    if split == "time":
        if ratings.timestamp is None:
            raise InputError(f"{ratings.source} has no timestamps, which split time needs: take lesson, random or hash")
        return np.argsort(ratings.timestamp, kind="stable")[n - n // 5 :]
    if split == "none":
        return np.empty(0, np.int64)
    if split == OWN_SPLIT:
        raise InputError("which ratings were held back was chosen by a function of your own, and is not known here")
    raise InputError(f"split {split!r:.60}: expected lesson, random, time, hash or none")


def check_in_order(ratings: Ratings, split: str) -> None:
    """Raise InputError for a split that depends on the order of more than MOST_IN_ORDER ratings."""
    if len(ratings) > MOST_IN_ORDER:
        raise InputError(
            f"--split {split} of {len(ratings):,} ratings: it is for {MOST_IN_ORDER:,} at most; pass --split hash, "
            f"which draws by {ratings.nouns.user} and {ratings.nouns.movie} and needs no order"
        )


def row_numbers(rows: ArrayLike, n: int) -> np.ndarray:
    """Return rows of a table of n rows, given by their numbers or as a mask, as rising numbers without repeats, int64.

    Raises InputError for a mask of another length, for a number that is not whole or that the table does not have, and
    for n numbers that are all 0 or 1: no such choice of rows makes sense, and a mask does.
    """
    given = np.asarray(rows).reshape(-1)
    if given.dtype == np.int64 and len(given) and given[0] >= 0 and given[-1] < n and (given[1:] > given[:-1]).all():
        return given  # of millions no copy
    if given.dtype == object:  # as pandas hands over a column of its own type of truth values
        given = np.array(given.tolist())
    if given.dtype == bool:
        if len(given) != n:
            raise InputError(f"a mask of {len(given):,} validation rows: the table has {n:,} rows")
        return np.flatnonzero(given)
    if given.dtype.kind not in "iuf" or (given != np.trunc(given)).any():
        raise InputError("validation rows: expected the numbers of rows, or a mask of True and False for every row")
    outside = given[(given < 0) | (given >= n)]
    if len(outside):
        raise InputError(f"validation row {outside[0]:,}: the table has rows 0 to {n - 1:,}")
    if len(given) == n > 2 and given.max() <= 1:
        raise InputError(
            f"validation rows are {n:,} numbers, all 0 or 1: pass a mask as True and False, or the numbers of rows"
        )
    chosen = np.zeros(n, bool)  # many times faster than sorting or hashing millions of numbers
    chosen[given.astype(np.int64)] = True
    return np.flatnonzero(chosen)


def without(ratings: Ratings, rows: np.ndarray) -> Ratings:
    """Return the ratings but for some rows; every user and movie stays, and so does the range of the ratings."""
    kept = np.ones(len(ratings), bool)
    kept[rows] = False
    parts = {name: getattr(ratings, name)[kept] for name in ("user_idx", "movie_idx", "rating")}
    timestamp = None if ratings.timestamp is None else ratings.timestamp[kept]
    # The range of a scale is no secret of the rows that are held back (see Ratings.rating_range).
    return replace(ratings, **parts, timestamp=timestamp, declared_range=ratings.rating_range)
