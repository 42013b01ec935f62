"""Fit a model of kind picks to a table that has no ratings: orders, plays, clicks, likes.

It is the linear autoencoder of list_fit.py, written as factors and biases: a user's factors are the sum of the rows
given of what the user picked, times a weight for the count of each, a movie's are its row asked, and its bias is what
everybody picks. What a new user picked gives the factors by the same sum.
"""

import platform
from dataclasses import dataclass, replace
from operator import itemgetter

import numpy as np

from cf_excel import __version__
from cf_excel.errors import InputError
from cf_excel.learn.list_fit import autoencoder, popularity_of
from cf_excel.learn.list_measures import UserScores, find_hits, list_movies
from cf_excel.learn.record import identities, seen_by_user
from cf_excel.metrics import ndcgs
from cf_excel.model.factors import Factors
from cf_excel.model.kinds import KINDS
from cf_excel.model.picks import ListQuality, PickWeights
from cf_excel.ratings.table import Ratings, as_written, data_hash
from cf_excel.ratings.validation import row_numbers

_HALVES = (0.3, 1.0, 3.0, 10.0, 100.0)  # of the usual count: from "a count hardly counts" to "twice is two picks"
# of an item's weights, and what each pick of it adds, which keeps what is picked often from foretelling too much
_PRECISIONS = ((100.0, 3.0), (100.0, 0.3), (200.0, 0.3))
_POPULAR = (10.0, 3.0, 1.0, 0.1)  # picks' worth of what everybody picks
_PARTS = (2, 4, 8)  # of the factors: a table of few tastes wants few
_GAIN = 1.02  # of the NDCG: with less of it, counts do not count
_MOST_MEASURED = 20_000  # users
_PART_HELD_OUT = 5
_HOLDOUTS, _MOST_TWICE = 2, 200_000  # more than one up to so many picks, where one would choose by chance
MOST_FACTORS = 128  # which the singular vectors that are found can tell apart


@dataclass(frozen=True, eq=False)
class PickFit:
    """A model, how good its lists are on the picks held back, and those of what is picked most; None without any.

    sureness: by how many standard errors the NDCG of the model's lists is above that of what is picked most.
    """

    factors: Factors
    weights: PickWeights
    quality: ListQuality | None
    popular: ListQuality | None
    sureness: float


@dataclass(frozen=True)
class _Settings:
    """What is chosen on picks that are held out."""

    weights: PickWeights
    precision: float
    precision_of_pick: float
    popular: float
    n_factors: int


@dataclass(frozen=True, eq=False)
class _Fitted:
    """given, asked (n_movies, n_columns), bias (n_movies,) and user_factors (n_users, n_columns), all float64."""

    given: np.ndarray
    asked: np.ndarray
    bias: np.ndarray
    users: np.ndarray

    def sums(self, rows: np.ndarray) -> np.ndarray:
        return self.users[rows] @ self.asked.T + self.bias


def fit_picks(
    ratings: Ratings,
    val_rows: np.ndarray,
    split: str = "none",
    seed: int = 0,
    n_factors: int | None = None,
    *,
    of_all: bool = False,
) -> PickFit:
    """Return a model of the picks outside val_rows, measured on these; the same seed, the same numbers.

    n_factors: at most, 48 unless told otherwise. How many, and how counts weigh, is chosen on picks held out within the
    others, twice where there are few. of_all: what was chosen and measured so is then fitted to all picks, those of
    val_rows, too. Raises InputError for a number of factors that can't be, and where no pick is left to learn from.
    """
    is_training = np.ones(len(ratings), bool)
    is_training[row_numbers(val_rows, len(ratings))] = False
    training, held_back = np.flatnonzero(is_training), np.flatnonzero(~is_training)
    if not len(training):
        raise InputError(f"{ratings.source} has no picks to learn from")
    n_factors = KINDS["picks"].n_factors if n_factors is None else n_factors
    if not 1 <= n_factors <= MOST_FACTORS:
        raise InputError(f"factors {n_factors}: expected 1 to {MOST_FACTORS}")
    chosen, scale = _choose(ratings, training, seed, n_factors)
    fitted = _fit(ratings, training, chosen, seed)
    quality = popular = None
    sureness = 0.0
    if len(held_back):
        bias = fitted.bias
        most_picked = lambda rows: np.broadcast_to(bias, (len(rows), ratings.n_movies))  # noqa: E731
        own, others = (_of_users(scorer, ratings, training, held_back, seed) for scorer in (fitted.sums, most_picked))
        quality, popular = (ListQuality(*map(_mean, found)) for found in (own, others))
        sureness = _sureness(own[0] - others[0])
    if of_all:
        fitted = _fit(ratings, np.arange(len(ratings)), chosen, seed)
    spread = np.sqrt(np.square(fitted.users).mean(axis=0))
    spread[spread == 0] = 1  # of a column that nobody uses
    metrics = {} if quality is None else {"val_ndcg": quality.ndcg, "val_hit_rate": quality.hit_rate}
    record = {
        "source": ratings.source,
        "data_hash": data_hash(ratings),
        "split": split,
        "seed": seed,
        "n_train": len(training),
        "n_validation": len(held_back),
        "settings": {
            "precision": chosen.precision,
            "precision_of_pick": chosen.precision_of_pick,
            "popular": chosen.popular,
            "n_factors": chosen.n_factors,
            "half_count": chosen.weights.half,
        },
        "metrics": metrics,
        "versions": {"cf_excel": __version__, "numpy": np.__version__, "python": platform.python_version()},
    }
    single = lambda array: array.astype(np.float32)  # noqa: E731
    factors = Factors(
        kind="picks",
        **identities(ratings),
        **seen_by_user(ratings),
        # users of one size in every column, so that the movies' columns are as large as what they have to say
        user_factors=single(fitted.users / spread),
        movie_factors=single(fitted.asked * spread / scale),
        user_bias=np.zeros(ratings.n_users, np.float32),
        movie_bias=single(fitted.bias / scale),
        rating_range=(0.0, 1.0),
        layers={"given": single(fitted.given / spread)} | chosen.weights.layers,
        record=record,
        nouns=ratings.nouns,
    )
    return PickFit(factors, chosen.weights, quality, popular, sureness)


def list_quality(
    scorer: UserScores, ratings: Ratings, training: np.ndarray, held_back: np.ndarray, seed: int = 0
) -> ListQuality:
    """Return how good lists of 10 are, over the users with picks held back, at most 20,000 of them, drawn.

    training, held_back: rows of the picks. What a user picked in training is no candidate, any pick held back is
    relevant.
    """
    return ListQuality(*map(_mean, _of_users(scorer, ratings, training, held_back, seed)))


def _of_users(
    scorer: UserScores, ratings: Ratings, training: np.ndarray, held_back: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the NDCG of each user's list, and whether there is a hit in it, both (n_users,)."""
    users = np.unique(ratings.user_idx[held_back])
    if len(users) > _MOST_MEASURED:
        users = np.sort(np.random.default_rng(seed).permutation(users)[:_MOST_MEASURED])
    n_movies = ratings.n_movies
    listed = list_movies(scorer, users, (ratings.user_idx[training], ratings.movie_idx[training]), n_movies)
    wanted = ratings.user_idx[held_back], ratings.movie_idx[held_back]
    hits, n_wanted = find_hits(users, listed, wanted, n_movies)
    return ndcgs(hits, n_wanted), np.any(hits, axis=1)


def _mean(values: np.ndarray) -> float:
    return float(values.mean())


def _sureness(gains: np.ndarray) -> float:
    """Return the mean of users' gains in standard errors; 0 where they do not tell."""
    error = gains.std(ddof=1) / np.sqrt(len(gains)) if len(gains) > 1 else 0.0
    return float(gains.mean() / error) if error > 0 else 0.0


def _fit(ratings: Ratings, rows: np.ndarray, chosen: _Settings, seed: int) -> _Fitted:
    users, movies = ratings.user_idx[rows], ratings.movie_idx[rows]
    time = None if ratings.timestamp is None else ratings.timestamp[rows]
    weighed = chosen.weights.of(as_written(ratings.rating[rows]))
    given, asked = autoencoder(
        users,
        movies,
        (ratings.n_users, ratings.n_movies),
        np.random.default_rng(seed),
        weighed,
        n_columns=chosen.n_factors,
        n_singular=MOST_FACTORS,
        precision=chosen.precision,
        precision_of_rating=chosen.precision_of_pick,
    )
    sums = np.zeros((ratings.n_users, given.shape[1]))
    for column in range(given.shape[1]):
        sums[:, column] = np.bincount(users, weighed * given[movies, column], ratings.n_users)
    return _Fitted(given, asked, chosen.popular * popularity_of(movies, time, ratings.n_movies), sums)


def _choose(ratings: Ratings, training: np.ndarray, seed: int, n_factors: int) -> tuple[_Settings, float]:
    """Return the settings of the best lists, and the sum before the score of a typical pick held out: the median one.

    First how cautious to be, how much what everybody picks counts and how many factors there are, then what counts
    weigh.
    """
    order = np.random.default_rng(seed).permutation(training)
    n = len(order) // _PART_HELD_OUT
    counts = as_written(ratings.rating[training])
    usual = float(np.median(counts))
    plain = _Settings(PickWeights(0.0, usual), *_PRECISIONS[0], _POPULAR[0], n_factors)
    if not n:
        return plain, 1.0
    n_holdouts = _HOLDOUTS if len(training) <= _MOST_TWICE else 1
    held_out = [np.sort(order[i * n : (i + 1) * n]) for i in range(n_holdouts)]
    rest = [np.setdiff1d(training, rows) for rows in held_out]

    def measured(settings: _Settings, fits: list[_Fitted]) -> tuple[float, _Settings, _Fitted]:
        each = zip(fits, rest, held_out, strict=True)
        ndcgs = [list_quality(fitted.sums, ratings, others, rows, seed).ndcg for fitted, others, rows in each]
        return float(np.mean(ndcgs)), settings, fits[0]

    def fitted_to_rest(settings: _Settings) -> list[_Fitted]:
        return [_fit(ratings, rows, settings, seed) for rows in rest]

    def with_others(precision: float, of_pick: float) -> list[tuple[float, _Settings, _Fitted]]:
        settings = replace(plain, precision=precision, precision_of_pick=of_pick)
        fits, found = fitted_to_rest(settings), []

        def try_other(popular: float, k: int) -> None:  # the first columns are the main ones
            others = [
                _Fitted(one.given[:, :k], one.asked[:, :k], one.bias * (popular / settings.popular), one.users[:, :k])
                for one in fits
            ]
            found.append(measured(replace(settings, popular=popular, n_factors=k), others))

        for popular in _POPULAR:
            try_other(popular, n_factors)
        popular = max(found, key=itemgetter(0))[1].popular
        for part in _PARTS:
            try_other(popular, -(-n_factors // part))
        return found

    best = max((one for precisions in _PRECISIONS for one in with_others(*precisions)), key=itemgetter(0))
    if counts.min() < counts.max():
        halves = (replace(best[1], weights=PickWeights(half * usual, usual)) for half in _HALVES)
        counted = max((measured(settings, fitted_to_rest(settings)) for settings in halves), key=itemgetter(0))
        best = counted if counted[0] > _GAIN * best[0] else best
    _, chosen, fitted = best
    users, movies = ratings.user_idx[held_out[0]], ratings.movie_idx[held_out[0]]
    sums = np.einsum("ij,ij->i", fitted.users[users], fitted.asked[movies]) + fitted.bias[movies]
    typical = float(np.median(sums))
    return chosen, typical if typical > 0 else float(np.abs(sums).mean()) or 1.0
