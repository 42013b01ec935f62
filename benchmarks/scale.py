"""Fit the bayes model to millions of planted ratings: python -m benchmarks.scale [RATINGS ...] (default: 1e6 1e7).

Before it, each size fits what ranks lists, and chooses the priors; after it, everybody of 10,000 users gets a list.
With --workers N, the fit alone, by N processes.
Needs Linux, which tells the memory peak of a process.
"""

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np

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
from cf_excel.ratings.table import Ratings, validation_rows, without

WELL_KNOWN = 500  # ratings of a movie whose factors must be found
LISTED_USERS = 10_000
T = TypeVar("T")


def main(sizes: list[str], workers: int = 1) -> None:
    """Measure each size in a process of its own, because a process's memory peak never falls."""
    print(
        "ratings, users, movies; seconds of one core, peak of memory over the ratings; ns of a fit a rating, iteration"
    )
    print("test MSE: model, biases, the planted truth; share of the truth's variance that the model misses;")
    print(f"share of the variance of the planted factors that it finds, of movies with {WELL_KNOWN} ratings and more")
    for size in sizes or ["1e6", "1e7"]:
        command = [sys.executable, "-m", "benchmarks.scale", "--one", "--workers", str(workers), size]
        subprocess.run(command, check=True)


def one(n: int, workers: int = 1) -> None:
    """Fit one size and print what it took."""
    ratings, truth, factors = movielens_shaped(n)
    rows = np.sort(validation_rows(ratings, "random", 1)[: len(ratings) // 20])
    print(f"{len(ratings):,}, {ratings.n_users:,}, {ratings.n_movies:,}:", flush=True)
    if workers > 1:
        print_fit(ratings, truth, factors, rows, *shared_fit(ratings, rows, workers))
        return
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


def shared_fit(ratings: Ratings, rows: np.ndarray, workers: int) -> tuple[BayesFit, float, float]:
    """Fit by so many processes, and print what the others took and what was sent; return as measured does, of one."""
    from cf_excel.learn.bayes.processes import started
    from cf_excel.learn.bayes.together import fit_together

    def fit(ratings: Ratings, rows: np.ndarray, iterations: int) -> tuple[BayesFit, int, resource.struct_rusage]:
        with started(workers) as comm:
            found = fit_together(ratings, rows, BayesSettings(iterations=iterations), comm=comm)
            sent = comm.sent
        return found, sent, resource.getrusage(resource.RUSAGE_CHILDREN)

    usual = BayesSettings().iterations
    small = movielens_shaped(1000).ratings
    starts = [fit(small, np.arange(10), 1)[2] for _ in range(2)]  # the first is slower: nothing is in memory yet
    start = starts[1].ru_utime + starts[1].ru_stime - starts[0].ru_utime - starts[0].ru_stime
    began = time.perf_counter()
    (found, sent, children), seconds, added = measured(lambda: fit(ratings, rows, usual))
    wall = time.perf_counter() - began
    theirs = children.ru_utime + children.ru_stime - starts[1].ru_utime - starts[1].ru_stime - start
    n_block = -(-ratings.n_movies // workers)
    print(
        f"  {wall:.1f} s by the clock with start; each of {workers - 1} others: {theirs / (workers - 1):.1f} s of one "
        f"core, peak {children.ru_maxrss / 1024:,.0f} MB ({starts[1].ru_maxrss / 1024:,.0f} MB to start)\n"
        f"  each sent {sent / usual / 1e6:.1f} MB an iteration, with what starts and ends the fit; the formula: "
        f"{704 * 4 * n_block * (workers - 1) / 1e6:.1f} MB",
        flush=True,
    )
    return found, seconds, added


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


def memory_mb(name: str) -> float:
    """Return a figure of this process' memory, in MB: VmRSS is what it holds, VmHWM the most that it held."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("sizes", nargs="*")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--one", action="store_true")
    given = parser.parse_args()
    if given.one:
        one(int(float(given.sizes[0])), given.workers)
    else:
        main(given.sizes, given.workers)
