"""Fixtures that several test modules share."""

from collections.abc import Callable

import numpy as np
import pytest

from cf_excel.model_file import Factors


@pytest.fixture(scope="session")
def tiny_factors() -> Callable[..., Factors]:
    """Return a function that makes a model of any kind: 5 users, 8 movies, 3 factors, fixed by a seed."""

    def make(kind: str = "collab", seed: int = 0) -> Factors:
        rng = np.random.default_rng(seed)
        biases = kind in ("dot-bias", "collab")
        normal = lambda *shape: rng.normal(0, 0.7, shape).astype(np.float32)  # noqa: E731
        seen = [[0, 1], [2], [], [0, 3, 4, 5], [7]]
        layers = {"w1": normal(4, 6), "b1": normal(4), "w2": normal(1, 4), "b2": normal(1)}
        titles = ["Toy Story (1995)", "Matrix, The (1999)", "Hamlet (1996)", "Hamlet (2000)", "a=b (2001)"]
        titles += ["Amélie (Fabuleux destin d'Amélie Poulain, Le) (2001)", "שלום (2010)", "Up 🎈"]
        return Factors(
            kind=kind,
            user_ids=np.array([1, 7, 3, 42, 15]),
            movie_ids=np.array([1, 2571, 1411, 3598, 10, 4973, 11, 12]),
            titles=np.array(titles, object),
            years=np.array([1995, 1999, 1996, 2000, 2001, 2001, 2010, 0], np.int16),
            genres=np.array(["Animation|Children", "Sci-Fi", "Drama", "Drama", "", "Comedy", "", ""], object),
            user_factors=normal(5, 3),
            movie_factors=normal(8, 3),
            user_bias=normal(5) * biases,
            movie_bias=normal(8) * biases,
            rating_range=(0.5, 5.0),
            seen_offsets=np.cumsum([0, *map(len, seen)]),
            seen_movies=np.array([movie for row in seen for movie in row], np.int32),
            layers=layers if kind == "net" else {},
            record={"data_hash": "0" * 64, "split": "lesson", "seed": 0, "metrics": {"val_mse": 0.8}},
        )

    return make


@pytest.fixture(scope="session")
def tiny_model(tiny_factors: Callable[..., Factors]) -> Factors:
    """Return the tiny model of kind net, which has every part."""
    return tiny_factors("net")
