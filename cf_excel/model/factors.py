"""Factors: what training hands over."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, eq=False)
class Factors:
    """A trained model as plain arrays: all that a prediction needs, and no torch.

    kind: one of KINDS. With x = p.q + bu + bm for a user's and a movie's factors and biases, the prediction is
    x itself for "dot", global_mean + x, cut off at lo and hi, for "bayes", and lo + (hi - lo) * sigmoid(x) for
    "dot-bias" and "collab"; for "net" it is (hi - lo + 1) * sigmoid(w2.relu(w1.[p, q] + b1) + b2) + lo - 0.5 with
    the arrays of `layers` (LESSON: EmbeddingNet).
    user_ids (n_users,), movie_ids (n_movies,): raw ids, int64 or texts (object). titles, genres (n_movies,): texts.
    years (n_movies,): int16, 0 unknown. rating_range: (lo, hi).
    user_factors (n_users, n_factors), movie_factors (n_movies, n_factors), user_bias (n_users,) and
    movie_bias (n_movies,): float32; biases are zeros where the kind has none.
    layers, float32, for two kinds alone. "net": "w1" (n_hidden, 2 * n_factors), "b1" (n_hidden,), "w2" (1, n_hidden),
    "b2" (1,). "bayes": "alpha" (1,), how much a new user's rating counts against the prior (see fold_in.py), in
    1 / squared rating units; "noise_variance" (n_users,), of a user's ratings around the truth, squared rating units;
    "user_variance" (n_users, n_factors + 1) and "movie_variance" (n_movies, n_factors + 1), posterior variances of the
    factors and, last, of the bias.
    seen_offsets (n_users + 1,) int64, seen_movies (n_ratings,) int32: the movie rows that user u rated are
    seen_movies[seen_offsets[u]:seen_offsets[u + 1]], training and validation ratings together.
    record: the training record (data hash, split, seed, versions, metrics), ready for JSON.
    global_mean: rating that x is added to, in "bayes"; 0 in every other kind.
    """

    kind: str
    user_ids: np.ndarray
    movie_ids: np.ndarray
    titles: np.ndarray
    years: np.ndarray
    genres: np.ndarray
    user_factors: np.ndarray
    movie_factors: np.ndarray
    user_bias: np.ndarray
    movie_bias: np.ndarray
    rating_range: tuple[float, float]
    seen_offsets: np.ndarray
    seen_movies: np.ndarray
    layers: dict[str, np.ndarray] = field(default_factory=dict)
    record: dict = field(default_factory=dict)
    global_mean: float = 0.0

    @property
    def n_users(self) -> int:
        """Return how many users the model knows."""
        return len(self.user_ids)

    @property
    def n_movies(self) -> int:
        """Return how many movies the model knows."""
        return len(self.movie_ids)

    @property
    def n_factors(self) -> int:
        """Return how many factors a user and a movie have."""
        return self.user_factors.shape[1]

    @property
    def n_ratings(self) -> np.ndarray:
        """Return how many users rated each movie, (n_movies,)."""
        return np.bincount(self.seen_movies, minlength=self.n_movies)

    @property
    def n_seen(self) -> np.ndarray:
        """Return how many movies each user rated, (n_users,)."""
        return np.diff(self.seen_offsets)

    def seen(self, user: int) -> np.ndarray:
        """Return the movie rows that the user in this row rated, in the order of seen_movies."""
        return self.seen_movies[slice(*self.seen_offsets[user : user + 2])]
