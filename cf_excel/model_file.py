"""Factors: what training hands over, and the one file that holds it."""

from dataclasses import dataclass, field

import numpy as np

KINDS = ("dot", "dot-bias", "net", "collab")


@dataclass(frozen=True, eq=False)
class Factors:
    """A trained model as plain arrays: all that a prediction needs, and no torch.

    kind: one of KINDS. With x = p.q + bu + bm for a user's and a movie's factors and biases, the prediction is
    x itself for "dot", and lo + (hi - lo) * sigmoid(x) for "dot-bias" and "collab"; for "net" it is
    (hi - lo + 1) * sigmoid(w2.relu(w1.[p, q] + b1) + b2) + lo - 0.5 with the arrays of `layers` (LESSON: EmbeddingNet).
    user_ids (n_users,), movie_ids (n_movies,): raw ids, int64 or texts. titles, genres (n_movies,): texts.
    years (n_movies,): int16, 0 unknown. user_factors (n_users, n_factors), movie_factors (n_movies, n_factors),
    user_bias, movie_bias: float32; biases are zeros where the kind has none. rating_range: (lo, hi).
    layers: "w1" (n_hidden, 2 * n_factors), "b1", "w2" (1, n_hidden), "b2".
    seen_offsets (n_users + 1,) int64, seen_movies (n_ratings,) int32: the movie rows that user u rated are
    seen_movies[seen_offsets[u]:seen_offsets[u + 1]], training and validation ratings together.
    record: the training record (data hash, split, seed, versions, metrics), ready for JSON.
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
