"""Factors: what training hands over."""

from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from cf_excel.errors import InputError, wrong_type
from cf_excel.model.crowd import Crowd
from cf_excel.model.kinds import KINDS
from cf_excel.model.lists import ListFactors
from cf_excel.model.mapped import checked_seen, is_mapped
from cf_excel.model.parameters import Parameters
from cf_excel.ratings.nouns import USUAL_NOUNS, Nouns
from cf_excel.ratings.spill import sums_by


@dataclass(frozen=True, eq=False, kw_only=True)
class Factors(Parameters):
    """A trained model as plain arrays: all that a prediction needs, and no torch.

    kind: one of KINDS. With x = p.q + bu + bm for a user's and a movie's factors and biases, the prediction is
    x itself for "dot", global_mean + x, cut off at lo and hi, for "bayes", and lo + (hi - lo) * sigmoid(x) for
    "dot-bias" and "collab"; for "picks" it is a score, x / (1 + x), or 0 where x is negative; for "net" it is
    (hi - lo + 1) * sigmoid(w2.relu(w1.[p, q] + b1) + b2) + lo - 0.5 with the arrays of `layers` (LESSON: EmbeddingNet).
    user_ids (n_users,), movie_ids (n_movies,): raw ids, int64 or texts (object). titles, genres (n_movies,): texts.
    years (n_movies,): int16, 0 unknown. rating_range: (lo, hi).
    user_factors (n_users, n_factors), movie_factors (n_movies, n_factors), user_bias (n_users,) and
    movie_bias (n_movies,): float32; biases are zeros where the kind has none.
    layers, float32, for three kinds alone. "net": "w1" (n_hidden, 2 * n_factors), "b1" (n_hidden,), "w2" (1, n_hidden),
    "b2" (1,). "bayes": "alpha" (1,), how much a new user's rating counts against the prior (see fold_in.py), in
    1 / squared rating units; "noise_variance" (n_users,), of a user's ratings around the truth, squared rating units;
    "user_variance" (n_users, n_factors + 1) and "movie_variance" (n_movies, n_factors + 1), posterior variances of the
    factors and, last, of the bias. "picks": "given" (n_movies, n_factors), what a movie that a user picked adds to the
    user's factors, times a weight that "half_count" (1,) and "usual_count" (1,) make of the count (see PickWeights).
    seen_offsets (n_users + 1,) int64, seen_movies (n_ratings,) int32: the movie rows that user u rated are
    seen_movies[seen_offsets[u]:seen_offsets[u + 1]], training and validation ratings together; seen_ratings
    (n_ratings,) float32 is what they were rated, None in models from before it was kept.
    record: the training record (data hash, split, seed, versions, metrics), ready for JSON.
    global_mean: rating that x is added to, in "bayes"; 0 in every other kind.
    nouns: what a user and a movie are called. lists: what lists rank by, None where that is the predicted rating.
    crowd: what is known of all users, where these are only some of them, or where seen_movies is left out; None where
    that is the same.
    """

    kind: str
    user_ids: np.ndarray
    movie_ids: np.ndarray
    titles: np.ndarray
    years: np.ndarray
    genres: np.ndarray
    user_bias: np.ndarray = field()  # has no default here: a model always has biases
    movie_bias: np.ndarray = field()
    rating_range: tuple[float, float]
    seen_offsets: np.ndarray
    seen_movies: np.ndarray
    seen_ratings: np.ndarray | None = None
    layers: dict[str, np.ndarray] = field(default_factory=dict)
    record: dict = field(default_factory=dict)
    global_mean: float = 0.0
    nouns: Nouns = USUAL_NOUNS
    lists: ListFactors | None = None
    crowd: Crowd | None = None

    def __repr__(self) -> str:
        return f"<Factors: {self.summary}>"

    @property
    def summary(self) -> str:
        """Return kind and sizes in a line."""
        nouns = self.nouns
        counts = f"{self.n_users:,} {nouns.users}, {self.n_movies:,} {nouns.movies}"
        return f"{self.kind}, {counts}, {self.n_factors} factors"

    @property
    def n_ratings(self) -> np.ndarray:
        """Return how many users rated each movie, (n_movies,)."""
        return sums_by(self.seen_movies, self.n_movies) if self.crowd is None else self.crowd.n_rated

    @property
    def n_seen(self) -> np.ndarray:
        """Return how many movies each user rated, (n_users,). Raises InputError as check_seen does."""
        self.check_seen()
        return np.diff(self.seen_offsets)

    def check_seen(self) -> None:
        """Raise InputError where the model was saved without what its users rated."""
        if self.crowd is not None and not len(self.seen_movies) and self.crowd.n_rated.any():
            raise InputError(
                f"the model does not say what each {self.nouns.user} rated, which lists for {self.nouns.users} need: "
                "train it without --no-seen; predictions and what is similar need nothing of it"
            )

    def metric(self, name: str) -> float | None:
        """Return a metric of the validation ratings, None where the record, which anybody may write, has none."""
        metrics = self.record.get("metrics")
        value = metrics.get(name) if isinstance(metrics, dict) else None
        return value if isinstance(value, (int, float)) else None

    def seen(self, user: int) -> np.ndarray:
        """Return the movie rows that the user in this row rated, in the order of seen_movies; errors as n_seen."""
        self.check_seen()
        if is_mapped(self.seen_movies):
            return checked_seen(self.seen_offsets[user : user + 2], self.seen_movies, self.n_movies)
        return self.seen_movies[slice(*self.seen_offsets[user : user + 2])]

    @property
    def seen_users(self) -> np.ndarray:
        """Return the user row of each rating, (n_ratings,), as seen_movies has the movie's."""
        return np.repeat(np.arange(self.n_users), np.diff(self.seen_offsets))

    def of_users(self, rows: np.ndarray) -> "Factors":
        """Return the model of the users in these rows, in their order."""
        counts = np.diff(self.seen_offsets)[rows]
        offsets = _offsets(counts)
        places = np.arange(offsets[-1]) + np.repeat(self.seen_offsets[rows] - offsets[:-1], counts)
        arrays = {name: getattr(self, name)[rows] for name in ("user_ids", "user_factors", "user_bias")}
        return replace(self._seeing(offsets, places), **arrays, layers=self._layers_of("users", rows))

    def of_movies(self, rows: np.ndarray) -> "Factors":
        """Return the model of the movies in these rows, in their order."""
        new_row = np.full(self.n_movies, -1, np.int32)
        new_row[rows] = np.arange(len(rows))
        seen = new_row[self.seen_movies]
        offsets = _offsets(np.bincount(self.seen_users[seen >= 0], minlength=self.n_users))
        names = ("movie_ids", "titles", "genres", "years", "movie_factors", "movie_bias")
        arrays = {name: getattr(self, name)[rows] for name in names}
        kept = self._seeing(offsets, np.flatnonzero(seen >= 0))
        lists = None if self.lists is None else self.lists.of_movies(rows)
        crowd = None if self.crowd is None else self.crowd.of_movies(rows)
        layers = self._layers_of("movies", rows)
        return replace(kept, **arrays, seen_movies=seen[seen >= 0], layers=layers, lists=lists, crowd=crowd)

    def _seeing(self, offsets: np.ndarray, places: np.ndarray) -> "Factors":
        """Return the model with some of its ratings."""
        ratings = None if self.seen_ratings is None else self.seen_ratings[places]
        return replace(self, seen_offsets=offsets, seen_movies=self.seen_movies[places], seen_ratings=ratings)

    def _layers_of(self, axis: str, rows: np.ndarray) -> dict[str, np.ndarray]:
        axes = KINDS[self.kind].layers
        return {name: layer[rows] if axes[name][0] == axis else layer for name, layer in self.layers.items()}


def _offsets(counts: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


class HoldsFactors(Protocol):
    """A model as fit, load and load_predictor return it."""

    @property
    def factors(self) -> Factors: ...


AnyModel = Factors | HoldsFactors


def factors_of(model: AnyModel) -> Factors:
    """Return the factors of a model in any form. Raises InputError for what is no model."""
    factors = getattr(model, "factors", model)
    if not isinstance(factors, Factors):
        raise wrong_type(model, "a trained model, as cf_excel.fit, load and train return it")
    return factors
