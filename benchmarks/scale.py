"""Fit the bayes model to millions of planted ratings: python -m benchmarks.scale [RATINGS ...] (default: 1e6 1e7).

Needs Linux, which tells the memory peak of a process.
"""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.synthetic import movielens_shaped
from cf_excel.learn.baselines import fit_biases
from cf_excel.learn.bayes.factorization import BayesSettings, fit_bayes
from cf_excel.metrics import mse
from cf_excel.ratings.table import Ratings, validation_rows, without

WELL_KNOWN = 500  # ratings of a movie whose factors must be found


def main(sizes: list[str]) -> None:
    """Measure each size in a process of its own, because a process's memory peak never falls."""
    print(
        "ratings, users, movies: seconds of one core, ns of it a rating and iteration, peak of memory over the ratings"
    )
    print("test MSE: model, biases, the planted truth; share of the truth's variance that the model misses;")
    print(f"share of the variance of the planted factors that it finds, of movies with {WELL_KNOWN} ratings and more")
    for size in sizes or ["1e6", "1e7"]:
        subprocess.run([sys.executable, "-m", "benchmarks.scale", "--one", size], check=True)


def one(n: int) -> None:
    """Fit one size and print what it took."""
    ratings, truth, factors = movielens_shaped(n)
    rows = np.sort(validation_rows(ratings, "random", 1)[: len(ratings) // 20])
    before = forget_peak()
    start = time.process_time()
    fit = fit_bayes(ratings, rows, BayesSettings())
    seconds = time.process_time() - start
    added = memory_mb("VmHWM") - before
    each = 1e9 * seconds / len(fit.history.epochs) / len(ratings)
    answers = ratings.rating[rows]
    errors = [mse(guess, answers) for guess in (fit.val_predictions, biases(ratings, rows), truth[rows])]
    missed = mse(fit.val_predictions, truth[rows]) / truth[rows].var()
    well_known = np.bincount(ratings.movie_idx, minlength=ratings.n_movies) >= WELL_KNOWN
    found = explained(factors[well_known], fit.movies.mean[well_known, :-1])
    print(
        f"{len(ratings):,}, {ratings.n_users:,}, {ratings.n_movies:,}: {seconds:.1f} s, "
        f"{each:.0f} ns, {added:,.0f} MB\n"
        f"  MSE {errors[0]:.4f}, biases {errors[1]:.4f}, truth {errors[2]:.4f}; "
        f"misses {missed:.1%}; finds {found:.1%} of the factors",
        flush=True,
    )


def explained(planted: np.ndarray, fitted: np.ndarray) -> float:
    """Return the share of the variance of planted factors that a linear map of the fitted ones gives."""
    if len(planted) < 10 * planted.shape[1]:
        return float("nan")  # too few movies to say
    inputs = np.column_stack([fitted, np.ones(len(fitted))]).astype(np.float64)
    residual = planted - inputs @ np.linalg.lstsq(inputs, planted)[0]
    return float(1 - residual.var(axis=0).sum() / planted.var(axis=0).sum())


def biases(ratings: Ratings, rows: np.ndarray) -> np.ndarray:
    """Return what user and movie biases predict for rows."""
    train = without(ratings, rows)
    parts = (train.user_idx, train.movie_idx, train.rating, train.n_users, train.n_movies)
    mean, user_bias, movie_bias = fit_biases(*parts)
    return mean + user_bias[ratings.user_idx[rows]] + movie_bias[ratings.movie_idx[rows]]


def forget_peak() -> float:
    """Let Linux forget the most memory that this process has held; return what it holds now, in MB."""
    Path("/proc/self/clear_refs").write_text("5")
    return memory_mb("VmRSS")


def memory_mb(name: str) -> float:
    """Return a figure of this process' memory, in MB: VmRSS is what it holds, VmHWM the most that it held."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(int(float(sys.argv[2])))
    else:
        main(sys.argv[1:])
