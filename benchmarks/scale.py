"""Fit the bayes model to millions of planted ratings: python -m benchmarks.scale [RATINGS ...] (default: 1e6 1e7).

Before it, each size fits what ranks lists, and chooses the priors; after it, everybody of 10,000 users gets a list.
With --workers N, a folder of Parquet files is read and fitted by N processes, also by 1, in parts.
Needs Linux, which tells the memory peak of a process.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from benchmarks.scale_workers import memory_mb, read_and_fit
from benchmarks.synthetic import movielens_shaped
from cf_excel.learn.baselines import fit_biases
from cf_excel.learn.bayes.bayes_factors import bayes_to_factors
from cf_excel.learn.bayes.factorization import BayesFit, BayesSettings, fit_bayes
from cf_excel.learn.bayes.tuning import tune
from cf_excel.learn.list_fit import fit_lists
from cf_excel.metrics import mse
from cf_excel.model.factors import Factors
from cf_excel.model.lists import ListFactors
from cf_excel.model.predictor import Predictor
from cf_excel.ratings.table import Ratings
from cf_excel.ratings.validation import validation_rows, without

WELL_KNOWN = 500  # ratings of a movie whose factors must be found
LISTED_USERS = 10_000
T = TypeVar("T")


def main(sizes: list[str], workers: int = 0) -> None:
    """Measure each size in a process of its own, because a process's memory peak never falls."""
    if not workers:
        print("ratings, users, movies; seconds of one core, peak of memory over the ratings; ns a rating, iteration")
        print("test MSE: model, biases, the planted truth; share of the truth's variance that the model misses;")
        print(f"share of the planted factors' variance that it finds, of movies with {WELL_KNOWN} ratings and more")
    for size in sizes or ["1e6", "1e7"]:
        command = [sys.executable, "-m", "benchmarks.scale", "--one", "--workers", str(workers), size]
        subprocess.run(command, check=True)


def one(n: int) -> None:
    """Fit one size and print what it took."""
    ratings, truth, factors = movielens_shaped(n)
    rows = np.sort(validation_rows(ratings, "random", 1)[: len(ratings) // 20])
    print(f"{len(ratings):,}, {ratings.n_users:,}, {ratings.n_movies:,}:", flush=True)
    lists, *cost = measured(lambda: fit_lists(ratings, rows))
    print(f"  what ranks lists: {said(*cost)}", flush=True)
    _, *cost = measured(lambda: tune(without(ratings, rows), BayesSettings()))
    print(f"  the choice of priors: {said(*cost)}", flush=True)
    fit, *cost = measured(lambda: fit_bayes(ratings, rows, BayesSettings()))
    print_fit(ratings, truth, factors, rows, fit, *cost)
    predictor = Predictor(first_users(fit, ratings, lists))
    _, *cost = measured(predictor.recommend_all)
    print(f"  lists of {predictor.factors.n_users:,} users: {said(*cost)}", flush=True)


def measured(work: Callable[[], T]) -> tuple[T, float, float]:
    """Return what work returns, its CPU seconds, and the most memory that it added, in MB."""
    before, start = forget_peak(), time.process_time()
    found = work()
    return found, time.process_time() - start, memory_mb("VmHWM") - before


def said(seconds: float, added: float) -> str:
    return f"{seconds:.1f} s, {added:,.0f} MB"


def first_users(fit: BayesFit, ratings: Ratings, lists: ListFactors) -> Factors:
    """Return the model of the first users, with lists."""
    factors = replace(bayes_to_factors(fit, ratings, "random"), lists=lists)
    return factors.of_users(np.arange(min(LISTED_USERS, ratings.n_users)))


def print_fit(
    ratings: Ratings,
    truth: np.ndarray,
    factors: np.ndarray,
    rows: np.ndarray,
    fit: BayesFit,
    seconds: float,
    added: float,
) -> None:
    """Print what a fit took, and how good it is beside the planted truth (n_ratings,) and factors (n_movies, RANK)."""
    each = 1e9 * seconds / len(fit.history.epochs) / len(ratings)
    answers = ratings.rating[rows]
    errors = [mse(guess, answers) for guess in (fit.val_predictions, biases(ratings, rows), truth[rows])]
    missed = mse(fit.val_predictions, truth[rows]) / truth[rows].var()
    well_known = np.bincount(ratings.movie_idx, minlength=ratings.n_movies) >= WELL_KNOWN
    found = explained(factors[well_known], fit.movies.mean[well_known, :-1])
    print(
        f"  the fit: {said(seconds, added)}, {each:.0f} ns\n"
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


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("sizes", nargs="*")
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--one", action="store_true")
    given = parser.parse_args()
    if given.one:
        n = int(float(given.sizes[0]))
        read_and_fit(n, given.workers) if given.workers else one(n)
    else:
        main(given.sizes, given.workers)
