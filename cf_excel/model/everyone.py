"""Answers for everybody at once: the best of many rows of scores, in blocks that need little memory."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from cf_excel.model.factors import Factors

_SCORES_AT_ONCE = 1 << 21  # of all users' movies: 16 MB, and a few arrays of their shape

# for n rows of a model, two arrays (n, n_movies): what their lists rank by, and what the lists tell
Scores = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
# hears how many of the lists are made, and of how many
Tell = Callable[[int, int], None]
# for rows of a model, pairs of the place of a row among them and a movie that its list can't have
Closed = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


class Lists(NamedTuple):
    """Lists of movies, one list after another, as arrays of one length.

    owners: rows of the users or movies whose lists they are. ranks: from 1 on. movies: rows. scores: what lists tell.
    """

    owners: np.ndarray
    ranks: np.ndarray
    movies: np.ndarray
    scores: np.ndarray


def lists_of_users(
    factors: Factors,
    n: int,
    scores: Scores,
    *,
    exclude_seen: bool,
    min_ratings: int = 0,
    width: int = 1,
    tell: Tell | None = None,
) -> Lists:
    """Return the n movies that rank highest for each user, ties in the model's order; fewer where there are fewer.

    exclude_seen leaves out what the user rated, min_ratings movies with fewer ratings. width: how many numbers the
    scores need at a time for each of theirs.
    """

    def closed(users: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        ends = factors.seen_offsets[[users[0], users[-1] + 1]] if exclude_seen else (0, 0)
        return np.repeat(users - users[0], factors.n_seen[users] * exclude_seen), factors.seen_movies[slice(*ends)]

    return _lists(factors, factors.n_users, n, scores, closed, min_ratings, width, tell)


def lists_of_movies(factors: Factors, n: int, scores: Scores, min_ratings: int, tell: Tell | None = None) -> Lists:
    """Return the n other movies that rank highest for each movie, of those with so many ratings or more."""
    itself = lambda movies: (np.arange(len(movies)), movies)  # noqa: E731
    return _lists(factors, factors.n_movies, n, scores, itself, min_ratings, 1, tell)


def _lists(
    factors: Factors,
    n_owners: int,
    n: int,
    scores: Scores,
    closed: Closed,
    min_ratings: int,
    width: int,
    tell: Tell | None,
) -> Lists:
    often = np.flatnonzero(factors.n_ratings >= min_ratings).astype(np.int32)
    if not len(often):
        none = np.zeros(0, np.int32)
        return Lists(none, none, none, none.astype(np.float32))
    place = np.full(factors.n_movies, -1)
    place[often] = np.arange(len(often))
    step = max(1, _SCORES_AT_ONCE // (factors.n_movies * width))
    parts = []
    for start in range(0, n_owners, step):
        owners = np.arange(start, min(start + step, n_owners))
        by, told = scores(owners)
        rows, movies = closed(owners)
        is_open = np.ones((len(owners), len(often)), bool)
        is_open[rows[place[movies] >= 0], place[movies[place[movies] >= 0]]] = False
        part = best_lists(by if len(often) == factors.n_movies else by[:, often], is_open, n)
        parts.append(Lists(part.owners + start, part.ranks, often[part.movies], told[part.owners, often[part.movies]]))
        if tell:
            tell(start + len(owners), n_owners)
    return Lists(*map(np.concatenate, zip(*parts, strict=True)))


def best_lists(scores: np.ndarray, is_open: np.ndarray, n: int) -> Lists:
    """Return the lists of rows of scores, of the movies that are open to each, both (n_rows, n_movies)."""
    n = min(n, scores.shape[1])
    found = np.where(is_open, scores, -np.inf)
    least = np.partition(found, -n, axis=1)[:, -n]
    listed = np.flatnonzero(is_open & (found >= least[:, None]))  # of ties at the end there are too many
    rows, movies = np.divmod(listed, scores.shape[1])
    best = scores[rows, movies]
    order = np.lexsort((-best, rows))  # stable, so that ties stay in the model's order
    rows = rows[order]
    ranks = np.arange(1, len(rows) + 1) - np.searchsorted(rows, rows)
    kept = ranks <= n
    order = order[kept]
    return Lists(rows[kept].astype(np.int32), ranks[kept].astype(np.int32), movies[order].astype(np.int32), best[order])


def columns_of(factors: Factors, lists: Lists, of: str, score: str) -> dict[str, np.ndarray]:
    """Return lists as columns by their names: ids as the model has them, titles where it has any.

    of: "user" or "movie", whose lists they are. score: what the column of scores is called; the last one, n_ratings,
    says how many rated what is listed.
    """
    similar = "similar_" if of == "movie" else ""
    columns = named(factors, of, lists.owners) | {"rank": lists.ranks}
    columns |= {f"{similar}{name}": values for name, values in named(factors, "movie", lists.movies).items()}
    return columns | {score: lists.scores, "n_ratings": factors.n_ratings[lists.movies]}


def named(factors: Factors, kind: str, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Return the columns that say who or what is in these rows of the model: ids, and of movies titles if it has any.

    kind: "user" or "movie".
    """
    if kind == "user":
        return {"user_id": factors.user_ids[rows]}
    titles = {"title": factors.titles[rows]} if factors.titles.any() else {}
    return {"movie_id": factors.movie_ids[rows]} | titles
