"""Measure what a rating costs as the data grow, from 100 thousand to 25 million ratings.

    python -m benchmarks.growth [SIZE ...]

SIZE is a number of ratings (default: 1e5 1e6 1e7 2.5e7). Planted ratings in MovieLens' shape, 50 factors, the engine
that fit takes for dot-bias, one thread, every fifth rating held back. The batch grows with the data, 64 for each
100,000 ratings, so that an epoch always has about 1,250 steps. An epoch is the median of three, with its validation; a
rating is one that is trained on. Each size runs in a process of its own. Memory is the peak beside the ratings
themselves (12 bytes each), shared out over them: split, arrays, tables and all; "tables" is what weights and momentum
take of it.
"""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.clock import Watch
from benchmarks.synthetic import movielens_shaped
from cf_excel.learn.lesson.recipes import lesson_settings, make_data, make_model, make_optimizer
from cf_excel.learn.trainer import fit
from cf_excel.ratings.table import Ratings
from cf_excel.ratings.validation import lesson_split

SIZES = ("1e5", "1e6", "1e7", "2.5e7")
EPOCHS = 3


def memory(name: str) -> int:
    """Return a figure of this process's memory in bytes."""
    return int(re.search(name + r":\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024


def run(ratings: Ratings, epochs: int) -> tuple[list[float], float]:
    """Fit dot-bias and return the seconds of each epoch and the last validation MSE."""
    settings = lesson_settings("dot-bias", device="cpu")
    data = make_data(ratings, lesson_split(len(ratings)), batch_size(len(ratings)))
    model = make_model("dot-bias", ratings, settings.n_factors)
    watch = Watch()
    history = fit(model, data, epochs, make_optimizer(model, settings), F.mse_loss, progress=watch)
    return np.diff([0.0, *watch.seconds]).tolist(), history.epochs[-1].val_loss


def batch_size(n: int) -> int:
    """Return the batch size for n ratings."""
    return 64 * max(n // 100_000, 1)


def measure(size: int) -> None:
    """Print a row of the table."""
    torch.manual_seed(0)
    run(movielens_shaped(1000).ratings, 1)  # whatever is loaded once, is loaded now
    ratings = movielens_shaped(size).ratings
    n, n_users, n_movies = len(ratings), ratings.n_users, ratings.n_movies
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
    before = memory("VmRSS")
    seconds, val_mse = run(ratings, EPOCHS)
    peak, tables = memory("VmHWM") - before, (n_users + n_movies) * 56 * 4 * 2
    epoch = float(np.median(seconds))
    counts = (n, n_users, n_movies, batch_size(n))
    costs = (f"{epoch:.3f}", f"{epoch / (0.8 * n) * 1e9:.0f}", f"{peak / n:.0f}", f"{tables / n:.0f}", f"{val_mse:.3f}")
    print(f"| {' | '.join([*(f'{count:,}' for count in counts), *costs])} |", flush=True)


def main(sizes: list[str]) -> None:
    """Print the table, each row from a process of its own."""
    print("| ratings | users | movies | batch | CPU s an epoch | ns a rating | bytes a rating | tables | val MSE |")
    print(f"|{'---:|' * 9}", flush=True)
    for size in sizes or SIZES:
        subprocess.run([sys.executable, "-m", "benchmarks.growth", "--one", size], check=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        measure(int(float(sys.argv[2])))
    else:
        main(sys.argv[1:])
