"""What makes the order of lists: how likely a user is to pick a movie, and how well they will like it.

The predicted rating alone is a poor order: it puts first what a few people praise and hardly anyone takes up.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

CAUTION = 10.0  # ratings' worth of trust in what everybody watches
_LEAST_RATINGS, _LISTED = 20, 10
_FLOOR = 1 / 3  # of the rating range: what is rated there is no reason to list a movie
_LEAST = 1 / 300  # of the rating range: movies below the floor still rank by how likely they are picked


@dataclass(frozen=True, eq=False)
class ListFactors:
    """What ranks movies, without any rating; all float32.

    given (n_movies, n_columns): what a movie that a user rated adds to the user. asked (n_movies, n_columns): what a
    movie asks of a user. popularity (n_movies,): share of the ratings, recent ones counting more. by: "score", where
    lists are to rank by watch and rating, or "watch".
    """

    given: np.ndarray
    asked: np.ndarray
    popularity: np.ndarray
    by: str

    def of_movies(self, rows: np.ndarray) -> "ListFactors":
        """Return those of the movies in these rows, in their order."""
        return replace(self, given=self.given[rows], asked=self.asked[rows], popularity=self.popularity[rows])

    def user_given(self, seen: Sequence[np.ndarray]) -> np.ndarray:
        """Return what the movies that each user rated add up to, (n_users, n_columns), float64: p of watch.

        seen: the movie rows that each user rated.
        """
        n = np.array([[len(rows)] for rows in seen], np.float64)
        return np.array([self.given[rows].sum(axis=0, dtype=np.float64) for rows in seen]) / (n + CAUTION)

    def watch(self, seen: Sequence[np.ndarray]) -> np.ndarray:
        """Return how likely users, known or new, are to pick each movie, (n_users, n_movies), float64, 0 or more.

        seen: the movie rows that each user rated. With n of them, p is the sum of their given / (n + CAUTION), and
        watch is max(p . asked, 0) + CAUTION / (n + CAUTION) * popularity.
        """
        n = np.array([[len(rows)] for rows in seen], np.float64)
        # matrix times vector, each: a product of matrices would round otherwise for many users than for one
        watch = (self.asked.astype(np.float64) @ self.user_given(seen)[..., None])[..., 0]
        np.maximum(watch, 0, out=watch)
        watch += CAUTION / (n + CAUTION) * self.popularity
        return watch

    def scores(self, watch: np.ndarray, ratings: np.ndarray, rating_range: tuple[float, float]) -> np.ndarray:
        """Return what lists rank by, in the shape of watch: watch * (rating - floor), or watch.

        ratings: predictions, cut off nowhere, so that those at the top of the range still differ.
        """
        if not self.by_rating_too(rating_range):
            return watch
        floor, least = floor_and_least(rating_range)
        above = ratings.astype(np.float64)
        above -= floor
        np.maximum(above, least, out=above)
        above *= watch
        return above

    def by_rating_too(self, rating_range: tuple[float, float]) -> bool:
        """Return whether lists rank by the rating as well, which can't help where all rated alike."""
        return self.by == "score" and rating_range[0] < rating_range[1]


def floor_and_least(rating_range: tuple[float, float]) -> tuple[float, float]:
    """Return what a rating is counted from in a list score, and the least that is left of it, in rating units."""
    low, high = rating_range
    return low + (high - low) * _FLOOR, (high - low) * _LEAST


def explored(watch: np.ndarray, n_ratings: np.ndarray, explore: float) -> np.ndarray:
    """Return watch / (n_ratings + CAUTION) ** explore: from 0, watch itself, to 1, watch for every rating."""
    return watch / (n_ratings + CAUTION) ** explore if explore else watch


def usual_least_ratings(n_ratings: np.ndarray) -> int:
    """Return how many ratings, of the numbers that movies have, one must have to be listed as similar to another.

    20, or in a table of fewer ratings so many that a movie and ten like it have them.
    """
    most = np.sort(n_ratings)[::-1]
    return min(_LEAST_RATINGS, int(most[min(_LISTED, len(most) - 1)]))
