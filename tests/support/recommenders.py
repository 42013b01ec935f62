"""Models of any kind for the recommender's tests: random numbers, and titles that formulas could trip over."""

import re
from dataclasses import replace

import numpy as np

from cf_excel.model.factors import Factors
from cf_excel.model.predictor import Predictor, ScoredMovie
from cf_excel.sheets.recommender.movie_labels import unique_titles
from cf_excel.sheets.recommender.recommender_layout import N_BEST
from support.models import list_factors

TITLES = [
    'He said "no" (1999)',
    "Who? (2001)",
    "W*",
    "Wall~E",
    "~*",
    "*",
    "=1+1",
    "==x",
    "-5",
    "+1",
    "@here",
    "'quoted'",
    "Hamlet (1996)",
    "Hamlet (1996)",
    "HAMLET (1996)",
    "",
    "",
    "1984",
    "TRUE",
    "#N/A",
    "<a> & b; c,d",
    "Amélie (2001)",
    "שלום (2010)",
    "Up 🎈",
    "  spaces  inside ",
    "A" * 300,
]


def random_factors(kind: str, n_users: int = 40, n_movies: int = 120, n_factors: int = 4, seed: int = 0) -> Factors:
    """Return a model whose last ten movies are twins of the ten before them, and whose ids are in no order.

    kind: may have "score" or "watch" behind it, which its lists rank by.
    """
    kind, _, by = kind.partition(" ")
    lists = list_factors(by, n_movies) if by else None
    rng = np.random.default_rng(seed)
    normal = lambda *shape: rng.normal(0, 0.4, shape).astype(np.float32)  # noqa: E731
    biases = kind != "dot"
    movie_factors, movie_bias = normal(n_movies, n_factors), normal(n_movies) * biases
    if n_movies > 20:
        for array in (movie_factors, movie_bias):
            array[-10:] = array[-20:-10]
        for array in (lists.asked, lists.popularity) if lists else ():
            array[-10:] = array[-20:-10]
    names = TITLES + [f"Film {i} ({1900 + i})" for i in range(n_movies)]
    seen = [np.sort(rng.choice(n_movies, rng.integers(0, n_movies // 2 + 1), replace=False)) for _ in range(n_users)]
    variances = {"noise_variance": (n_users,), "user_variance": (n_users, n_factors + 1)}
    variances |= {"movie_variance": (n_movies, n_factors + 1)}
    layers = {name: normal(*shape) ** 2 for name, shape in variances.items()} | {"alpha": np.float32([1.25])}
    return Factors(
        kind=kind,
        user_ids=rng.permutation(n_users) * 3 + 1,
        movie_ids=rng.permutation(n_movies) * 7 + 5,
        titles=np.array(names[:n_movies], object),
        years=np.zeros(n_movies, np.int16),
        genres=np.array(["Drama|War" if i % 3 else "" for i in range(n_movies)], object),
        user_factors=normal(n_users, n_factors),
        movie_factors=movie_factors,
        user_bias=normal(n_users) * biases,
        movie_bias=movie_bias,
        rating_range=(0.5, 5.0),
        seen_offsets=np.cumsum([0, *map(len, seen)]),
        seen_movies=np.concatenate(seen).astype(np.int32),
        layers=layers if kind == "bayes" else {},
        record={"metrics": {"val_mse": 0.8, "val_rmse": 0.894}},
        global_mean=3.5 if kind == "bayes" else 0.0,
        lists=lists,
    )


def same_list(found: list[list], expected: list[ScoredMovie], every: list[ScoredMovie], factors: Factors) -> None:
    """Check titles and scores of a sheet's list against the predictor's; movies closer than 1e-4 may change places.

    every: all movies that compete, with the predictor's scores. In a model whose lists rank by their factors, only
    twins may change places.
    """
    titles = dict(zip(unique_titles(factors.titles, factors.movie_ids), factors.movie_ids.tolist(), strict=True))
    found = [row for row in found if row[0] not in ("", None)]
    scores = {movie.movie_id: movie.score for movie in every}
    assert len(found) == len(expected) == min(N_BEST, len(every))
    np.testing.assert_allclose([row[1] for row in found], [movie.score for movie in expected], atol=1e-4)
    ids = [titles[row[0]] for row in found]
    assert len(set(ids)) == len(ids)
    np.testing.assert_allclose([scores[movie] for movie in ids], [movie.score for movie in expected], atol=1e-4)
    rows = {movie: row for row, movie in enumerate(factors.movie_ids.tolist())}
    places = [rows[movie] for movie in ids]
    n = len(factors.movie_ids)
    if factors.lists:
        first_twin = np.arange(n) - 10 * (np.arange(n) >= n - 10) * (n > 20)
        assert first_twin[places].tolist() == first_twin[[rows[movie.movie_id] for movie in expected]].tolist()
    for twin in range(n - 10, n):  # of twins, the first in the model comes first
        if twin in places and twin - 10 in [rows[movie] for movie in scores]:
            assert places.index(twin - 10) < places.index(twin)


def everything(predictor: Predictor) -> Factors:
    """Return the predictor's model with nothing seen."""
    factors = predictor.factors
    return replace(factors, seen_offsets=np.zeros_like(factors.seen_offsets), seen_movies=factors.seen_movies[:0])


def bound_names(text: str) -> set[str]:
    """Return the names that LET and LAMBDA bind in a formula as a file spells it."""
    return set(re.findall(r"_xl[po][pm]\.(\w+)", text))
