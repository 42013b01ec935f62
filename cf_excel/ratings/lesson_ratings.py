"""The lesson's ratings, which come with cf_excel, read without pandas: importing it would take longer than reading."""

from importlib.resources import files
from pathlib import Path

import numpy as np

from cf_excel.ratings.movies import read_movies
from cf_excel.ratings.sources import list_sources
from cf_excel.ratings.table import LESSON_SOURCE, Ratings

LESSON_DATA = Path(str(files("cf_excel.data"))) / "ml-latest-small-2016.zip"


def load_lesson_ratings() -> Ratings:
    """Return the lesson's 100,004 ratings, the same that load_ratings reads from LESSON_DATA."""
    sources = {source.file_name: source for source in list_sources(LESSON_DATA)}
    with sources["ratings.csv"].open() as table:
        rows = table.read().partition(b"\n")[2].replace(b"\n", b",")
    users, movies, rating, timestamp = np.fromstring(rows.decode(), sep=",").reshape(-1, 4).T
    user_ids, user_idx = _by_first_appearance(users)
    movie_ids, movie_idx = _by_first_appearance(movies)
    known = read_movies(sources["movies.csv"])
    info = [known[movie_id] for movie_id in movie_ids.tolist()]
    return Ratings(
        user_ids=user_ids,
        movie_ids=movie_ids,
        user_idx=user_idx,
        movie_idx=movie_idx,
        rating=rating.astype(np.float32),
        timestamp=timestamp.astype(np.int64),
        titles=np.array([movie.title for movie in info], dtype=object),
        years=np.array([movie.year for movie in info], dtype=np.int16),
        genres=np.array([movie.genres for movie in info], dtype=object),
        source=LESSON_SOURCE,
    )


def _by_first_appearance(raw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    ids, first, idx = np.unique(raw.astype(np.int64), return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(ids), dtype=np.int32)
    rank[order] = np.arange(len(ids), dtype=np.int32)
    return ids[order], rank[idx]
