"""Answers for everybody at once: the best of many rows of scores, in blocks that need little memory."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from cf_excel.model.factors import Factors

_SCORES_AT_ONCE = 1 << 21  # of all users' movies: 8 MB, and a few arrays of their shape

# what ranks all movies for n rows of a model, and what is said of them, each (n, n_movies)
Scores = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


class Lists(NamedTuple):
    """Lists of movies, one list after another, as arrays of one length.

    owners: rows of the users or movies whose lists they are. ranks: from 1 on. movies: rows. scores: float32.
    """

    owners: np.ndarray
    ranks: np.ndarray
    movies: np.ndarray
    scores: np.ndarray


def lists_of_users(
    factors: Factors, n: int, scores: Scores, exclude_seen: bool, min_ratings: int, width: int = 1
) -> Lists:
    """Return the n movies that rank first for each user, ties in the model's order; fewer where there are.

    exclude_seen leaves out what the user rated, min_ratings what fewer users rated. width: how many numbers the scores
    need at a time for each of theirs.
    """
    rare = np.flatnonzero(factors.n_ratings < min_ratings)

    def close(users: np.ndarray, is_open: np.ndarray) -> None:
        is_open[:, rare] = False
        if exclude_seen:
            start, end = factors.seen_offsets[[users[0], users[-1] + 1]]
            is_open[np.repeat(users - users[0], factors.n_seen[users]), factors.seen_movies[start:end]] = False

    return _lists(factors.n_users, n, scores, close, _SCORES_AT_ONCE // (factors.n_movies * width))


def lists_of_movies(
    factors: Factors, n: int, similarities: Callable[[np.ndarray], np.ndarray], min_ratings: int
) -> Lists:
    """Return the n other movies with the highest similarity for each movie, of those with so many ratings or more."""
    often = np.flatnonzero(factors.n_ratings >= min_ratings)
    if not len(often):
        none = np.zeros(0, np.int32)
        return Lists(none, none, none, none.astype(np.float32))
    place = np.full(factors.n_movies, -1)
    place[often] = np.arange(len(often))

    def close(movies: np.ndarray, is_open: np.ndarray) -> None:
        places = place[movies]
        is_open[np.flatnonzero(places >= 0), places[places >= 0]] = False

    def scores(movies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = similarities(movies)[:, often]
        return found, found

    lists = _lists(factors.n_movies, n, scores, close, _SCORES_AT_ONCE // factors.n_movies)
    return lists._replace(movies=often[lists.movies].astype(np.int32))


def _lists(n_owners: int, n: int, scores: Scores, close: Callable[[np.ndarray, np.ndarray], None], step: int) -> Lists:
    """Return the lists of all rows, block by block; close: marks what the rows of a block can't have."""
    parts = []
    for start in range(0, n_owners, max(1, step)):
        owners = np.arange(start, min(start + max(1, step), n_owners))
        ranking, said = scores(owners)
        is_open = np.ones(ranking.shape, bool)
        close(owners, is_open)
        part = best_lists(ranking, said, is_open, n)
        parts.append(part._replace(owners=part.owners + start))
    return Lists(*map(np.concatenate, zip(*parts, strict=True)))


def best_lists(scores: np.ndarray, said: np.ndarray, is_open: np.ndarray, n: int) -> Lists:
    """Return the lists of rows of scores, of the movies that are open to each; all (n_rows, n_movies).

    said: what the lists say of a movie, in the place of what ranks it.
    """
    n = min(n, scores.shape[1])
    found = np.where(is_open, scores, -np.inf)
    least = np.partition(found, -n, axis=1)[:, -n]
    rows, movies = np.nonzero(is_open & (found >= least[:, None]))  # of ties at the end there are too many
    best = scores[rows, movies]
    order = np.lexsort((-best, rows))  # stable, so that ties stay in the model's order
    rows = rows[order]
    ranks = np.arange(1, len(rows) + 1) - np.searchsorted(rows, rows)
    kept = ranks <= n
    order = order[kept]
    return Lists(
        rows[kept].astype(np.int32),
        ranks[kept].astype(np.int32),
        movies[order].astype(np.int32),
        said[rows[kept], movies[order]],
    )


def columns_of(factors: Factors, lists: Lists, of: str, score: str) -> dict[str, np.ndarray]:
    """Return lists as columns by their names: ids as the model has them, titles where it has any.

    of: "user" or "movie", whose lists they are. score: what the last column is called.
    """
    similar = "similar_" if of == "movie" else ""
    columns = named(factors, of, lists.owners) | {"rank": lists.ranks}
    columns |= {f"{similar}{name}": values for name, values in named(factors, "movie", lists.movies).items()}
    return columns | {score: lists.scores}


def named(factors: Factors, kind: str, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Return the columns that say who or what is in these rows of the model: ids, and of movies titles if it has any.

    kind: "user" or "movie".
    """
    if kind == "user":
        return {"user_id": factors.user_ids[rows]}
    titles = {"title": factors.titles[rows]} if factors.titles.any() else {}
    return {"movie_id": factors.movie_ids[rows]} | titles
