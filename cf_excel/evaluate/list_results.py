"""Measure lists: the best of what each user has not rated yet, against what was held back."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from cf_excel import metrics
from cf_excel.evaluate.splits import Fold, liked
from cf_excel.learn.list_measures import LENGTH, UserScores, find_hits, list_movies
from cf_excel.metrics import Interval, Ranking


@dataclass(frozen=True)
class ListResult:
    """The lists of a system by one order; by: score, watch, rating, or "own" of a system that just ranks.

    liked, rated: means over all users with a held-out rating in the upper quarter of the scale, which are the movies to
    find, or with any, when all of those are. more_than_first: by how much the NDCG of liked movies is above that of the
    first lists of the split, with a 95% interval. coverage: share of all movies that are listed for anybody, mean over
    the folds. n_ratings: how many training ratings a listed movie has, median. fit_seconds: sum over the folds.
    """

    by: str
    n_users: int
    liked: Ranking | None
    rated: Ranking
    more_than_first: Interval | None
    coverage: float
    n_ratings: float
    fit_seconds: float


@dataclass
class ListTally:
    """What the lists of the folds come to; users: those of liked."""

    users: list[int] = field(default_factory=list)
    liked: list[Ranking] = field(default_factory=list)
    rated: list[Ranking] = field(default_factory=list)
    coverage: list[float] = field(default_factory=list)
    n_ratings: list[np.ndarray] = field(default_factory=list)
    fit_seconds: float = 0.0

    def add(self, scores: UserScores, fold: Fold) -> None:
        """Rank for every user of whom something is held back all movies that they did not rate in training."""
        n_movies = fold.train.n_movies
        users = np.unique(fold.users)
        movies = list_movies(scores, users, (fold.train.user_idx, fold.train.movie_idx), n_movies)
        n_ratings = np.bincount(fold.train.movie_idx, minlength=n_movies)
        self.coverage.append(len(np.unique(movies[movies >= 0])) / n_movies)
        self.n_ratings.append(n_ratings[movies[movies >= 0]])
        self.rated += [found for _, found in _rankings(users, movies, fold.users, fold.movies, n_movies)]
        good = liked(fold.rating, fold.train.rating_range)
        for user, found in _rankings(users, movies, fold.users[good], fold.movies[good], n_movies):
            self.users.append(user)
            self.liked.append(found)

    @property
    def ndcg(self) -> float:
        """The mean NDCG of liked movies or, where nobody liked any, of all."""
        return float(np.mean([found.ndcg for found in self.liked or self.rated]))

    def result(self, by: str, first: "ListTally") -> ListResult:
        """Return the means; first: the lists that these are compared with."""
        compared = None
        if self is not first and self.liked:
            ours, theirs = ([found.ndcg for found in tally.liked] for tally in (first, self))
            compared = metrics.paired_difference(ours, theirs, self.users)
        return ListResult(
            by=by,
            n_users=len(self.rated),
            liked=mean_ranking(self.liked),
            rated=Ranking(*np.mean(self.rated, axis=0).tolist()),
            more_than_first=compared,
            coverage=float(np.mean(self.coverage)),
            n_ratings=float(np.median(np.concatenate(self.n_ratings))),
            fit_seconds=self.fit_seconds,
        )


def mean_ranking(found: Sequence[Ranking]) -> Ranking | None:
    """Return the means, or None where there are none."""
    return Ranking(*np.mean(found, axis=0).tolist()) if found else None


def _rankings(
    users: np.ndarray, listed: np.ndarray, asked: np.ndarray, wanted: np.ndarray, n_movies: int
) -> list[tuple[int, Ranking]]:
    """Return each user who wants something, with how well the list finds it; asked, wanted: (n_wanted,) pairs."""
    hits, n_wanted = find_hits(users, listed, (asked, wanted), n_movies)
    rows = np.flatnonzero(n_wanted).tolist()
    return [(int(users[row]), metrics.ranking(hits[row], int(n_wanted[row]), LENGTH)) for row in rows]
