"""Time loading and scoring with a model of the lesson's size, and recommending over 10,000 movies.

    python benchmarks/predictor.py [MODEL]

Times are medians on this machine, beside the time of a bare matrix product, so that machines can be compared.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from cf_excel.model.factors import Factors
from cf_excel.model.file import load_factors, save_factors
from cf_excel.model.kinds import KINDS
from cf_excel.model.predictor import Predictor


def random_factors(kind: str, n_users: int = 671, n_movies: int = 9066, n_factors: int = 50) -> Factors:
    """Return a model of a kind with random numbers, and the lesson's number of ratings."""
    rng = np.random.default_rng(0)
    normal = lambda *shape: rng.normal(0, 0.1, shape).astype(np.float32)  # noqa: E731
    net = {"w1": normal(10, 2 * n_factors), "b1": normal(10), "w2": normal(1, 10), "b2": normal(1)}
    bayes = {"alpha": np.float32([1.25]), "noise_variance": normal(n_users) ** 2}
    bayes |= {
        "user_variance": normal(n_users, n_factors + 1) ** 2,
        "movie_variance": normal(n_movies, n_factors + 1) ** 2,
    }
    offsets = np.linspace(0, 100_004, n_users + 1).astype(np.int64)
    return Factors(
        kind=kind,
        user_ids=np.arange(1, n_users + 1),
        movie_ids=np.sort(rng.choice(164_000, n_movies, replace=False)),
        titles=np.array([f"The movie number {i}, The ({1900 + i % 120})" for i in range(n_movies)], object),
        years=(1900 + np.arange(n_movies) % 120).astype(np.int16),
        genres=np.array(["Action|Adventure|Comedy"] * n_movies, object),
        user_factors=normal(n_users, n_factors),
        movie_factors=normal(n_movies, n_factors),
        user_bias=normal(n_users),
        movie_bias=normal(n_movies),
        rating_range=(0.5, 5.0),
        seen_offsets=offsets,
        seen_movies=rng.integers(0, n_movies, 100_004).astype(np.int32),
        layers={"net": net, "bayes": bayes}.get(kind, {}),
    )


def median(work: Callable[[], object], repeats: int = 15) -> float:
    """Return the median time of some work in milliseconds, after one run that is not counted."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000


def main() -> None:
    """Print a line for every measurement."""
    rng = np.random.default_rng(1)
    square = rng.normal(size=(1000, 1000)).astype(np.float32)
    print(f"matrix product, 1000 x 1000 x 1000, float32   {median(lambda: square @ square):9.3f} ms")
    with tempfile.TemporaryDirectory() as folder:
        for kind in (name for name, kind in KINDS.items() if not kind.of_picks):
            path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(folder) / kind
            if len(sys.argv) == 1:
                save_factors(random_factors(kind), path)
            factors = load_factors(path)
            users, movies = rng.choice(factors.user_ids, 1_000_000), rng.choice(factors.movie_ids, 1_000_000)
            predictor, big = Predictor(factors), Predictor(random_factors(kind, n_movies=10_000))
            grid_users, grid_movies = factors.user_ids[:200, None], factors.movie_ids[None, :5000]
            user, movie = big.factors.user_ids[0], big.factors.movie_ids[0]
            rated = big.factors.movie_ids[:20].tolist()
            measured = {
                "load the lesson's model": lambda path=path: Predictor(load_factors(path)),
                "predict a million pairs": lambda p=predictor, u=users, m=movies: p.predict(u, m),
                "predict a grid of 200 x 5,000": lambda p=predictor, u=grid_users, m=grid_movies: p.predict(u, m),
                "predict one": lambda p=big, u=user, m=movie: p.predict(u, m),
                "recommend, 10,000 movies": lambda p=big, u=user: p.recommend(u),
                "similar, 10,000 movies": lambda p=big, m=movie: p.similar(m),
                "fold in 20 ratings, 10,000 movies": lambda p=big, m=rated: p.fold_in(m, [4.0] * 20),
            }
            for name, work in measured.items():
                print(f"{kind:9} {name:35} {median(work):9.3f} ms")


if __name__ == "__main__":
    main()
