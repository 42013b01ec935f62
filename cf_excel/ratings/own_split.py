"""Validation rows that a function of one's own chooses."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cf_excel.errors import InputError, wrong_type
from cf_excel.ratings.table import Ratings

Chooser = Callable[[pd.DataFrame], ArrayLike]
_EXAMPLE = "lambda ratings: ratings.rating > 3"


def ratings_frame(ratings: Ratings, n: int | None = None) -> pd.DataFrame:
    """Return ratings, or the first n, as a DataFrame: user_id, movie_id, rating and, where there are any, timestamp."""
    users, movies = ratings.user_idx[:n], ratings.movie_idx[:n]
    columns = {"user_id": ratings.user_ids[users], "movie_id": ratings.movie_ids[movies], "rating": ratings.rating[:n]}
    if ratings.timestamp is not None:
        columns["timestamp"] = ratings.timestamp[:n]
    return pd.DataFrame(columns)


def chosen_rows(ratings: Ratings, choose: Chooser) -> np.ndarray:
    """Return the numbers of the rows for which choose(ratings_frame(ratings)) says True, int64.

    Raises InputError where it is no function, fails, or returns anything but True or False for each row.
    """
    if not callable(choose):
        raise wrong_type(choose, f"split to be a function, such as {_EXAMPLE}")
    frame = ratings_frame(ratings)
    try:
        mask = np.asarray(choose(frame))
    except Exception as error:
        given = f"it is given a table with the columns {', '.join(frame.columns)}, as in {_EXAMPLE}"
        raise InputError(f"split fails with {type(error).__name__}: {error}: {given}") from error
    if mask.dtype == object:  # as pandas hands over a column of its own type of truth values
        mask = np.array(mask.tolist())
    if mask.dtype != bool or mask.shape != (len(ratings),):
        raise InputError(
            f"split returned {mask.dtype} in the shape {mask.shape}: expected True or False for each of the "
            f"{len(ratings):,} ratings, such as {_EXAMPLE}"
        )
    return np.flatnonzero(mask)
