"""Small models for the workbooks of the tests, and what their sheets show."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from cf_excel.model.factors import Factors
from cf_excel.model.file import save_factors
from cf_excel.model.lists import ListFactors
from cf_excel.xlsx.cells import Block
from support.owned import (
    MOVIES,
    N_FACTORS,
    RATINGS,
    USERS,
)

RATED = ~np.isnan(RATINGS)


def model_of(kind: str, n_factors: int = N_FACTORS) -> Factors:
    """A model of any kind for the collection's users and movies."""
    factors, rng = small_factors("dot"), np.random.default_rng(8)
    normal = lambda *shape: rng.normal(0, 0.6, shape).astype(np.float32)  # noqa: E731
    n_users, n_movies = len(factors.user_ids), len(factors.movie_ids)
    biased = kind in ("dot-bias", "collab", "bayes")
    layers = {}
    if kind == "net":
        layers = {"w1": normal(4, 2 * n_factors), "b1": normal(4), "w2": normal(1, 4), "b2": normal(1)}
    elif kind == "bayes":
        layers = {
            "alpha": np.ones(1, np.float32),
            "noise_variance": np.ones(n_users, np.float32),
            "user_variance": np.ones((n_users, n_factors + 1), np.float32),
            "movie_variance": np.ones((n_movies, n_factors + 1), np.float32),
        }
    return replace(
        factors,
        kind=kind,
        user_factors=normal(n_users, n_factors),
        movie_factors=normal(n_movies, n_factors),
        user_bias=normal(n_users) * biased,
        movie_bias=normal(n_movies) * biased,
        layers=layers,
        global_mean=3.4 if kind == "bayes" else 0.0,
    )


def saved(factors: Factors, folder: Path) -> str:
    path = folder / f"{factors.kind}.safetensors"
    save_factors(factors, path)
    return str(path)


def values_in(sheet: dict, block: Block) -> np.ndarray:
    return np.array([row[block.left - 1 : block.right] for row in sheet["values"][block.top - 1 : block.bottom]])


def small_factors(kind: str) -> Factors:
    """A model for the collection's users and movies, in another order, and some more."""
    rng = np.random.default_rng(5)
    users, movies = np.array([99, *reversed(USERS)]), np.array([*reversed(MOVIES), 5])
    return Factors(
        kind=kind,
        user_ids=users,
        movie_ids=movies,
        titles=np.array([f"movie {i}" for i in movies], object),
        years=np.zeros(len(movies), np.int16),
        genres=np.array([""] * len(movies), object),
        user_factors=rng.normal(1, 0.3, (len(users), 2)).astype(np.float32),
        movie_factors=rng.normal(1, 0.3, (len(movies), 2)).astype(np.float32),
        user_bias=np.zeros(len(users), np.float32),
        movie_bias=np.zeros(len(movies), np.float32),
        rating_range=(0.5, 5.0),
        seen_offsets=np.zeros(len(users) + 1, np.int64),
        seen_movies=np.zeros(0, np.int32),
    )


def block_values(sheet: dict, block: Block) -> np.ndarray:
    rows = sheet["values"][block.top - 1 : block.bottom]
    return np.array([row[block.left - 1 : block.right] for row in rows])


def list_factors(by: str = "score", n_movies: int = 8, n_columns: int = 3) -> ListFactors:
    """What lists of a model with so many movies rank by, of random numbers fixed by a seed."""
    rng = np.random.default_rng(3)
    given, asked = (rng.normal(0, 0.7, (n_movies, n_columns)).astype(np.float32) for _ in range(2))
    return ListFactors(given, asked, rng.dirichlet(np.ones(n_movies)).astype(np.float32), by)
