"""Time the engines of a CUDA GPU: python -m benchmarks.gpu [--ratings 2.5e7].

The lesson's dot-bias at batch 64 and collab, by torch's loop and by the engine that auto does not take yet, in turns;
then dot-bias on planted ratings at batch 65,536, with the share of the GPU's memory bandwidth that the touched rows
imply: every row that a batch names is read and written once, weights and momentum. The bandwidth is that of a copy.
"""

import argparse
import statistics
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.synthetic import movielens_shaped
from cf_excel.learn.engines.packed_loop import padded
from cf_excel.learn.lesson.recipes import RECIPES, lesson_settings, make_data, make_model, make_optimizer
from cf_excel.learn.trainer import fit
from cf_excel.ratings.readers import load_ratings
from cf_excel.ratings.table import Ratings, lesson_split

LARGE_BATCH = 65_536
WIDTH = padded(lesson_settings("dot-bias").n_factors + 2)


def epochs_of(kind: str, ratings: Ratings, engine: str, batch_size: int, n_epochs: int) -> tuple[list[float], float]:
    """Return the seconds of every epoch and the last validation MSE."""
    settings = lesson_settings(kind, device="cuda", batch_size=batch_size)
    data = make_data(ratings, lesson_split(len(ratings)), batch_size)
    torch.manual_seed(0)
    model = make_model(kind, ratings).to("cuda")
    schedule = RECIPES[kind].schedule(n_epochs, data.n_batches)
    opt = make_optimizer(model, settings)
    epochs = fit(model, data, n_epochs, opt, F.mse_loss, schedule=schedule, engine=engine).epochs
    return [epoch.seconds for epoch in epochs], epochs[-1].val_loss


def copy_bandwidth(n_bytes: int = 2**31) -> float:
    """Return the bytes that the GPU reads and writes in a second when it copies."""
    source, target = (torch.empty(n_bytes, dtype=torch.uint8, device="cuda") for _ in range(2))
    seconds = []
    for _ in range(5):
        torch.cuda.synchronize()
        start = time.perf_counter()
        target.copy_(source)
        torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return 2 * n_bytes / min(seconds)


def touched_bytes(ratings: Ratings, batch_size: int) -> int:
    """Return the bytes of the rows that an epoch's batches name: weights and momentum in float32, read and written."""
    train = np.delete(np.arange(len(ratings)), lesson_split(len(ratings)))
    order = np.random.default_rng(0).permutation(train)
    rows = 0
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        rows += len(np.unique(ratings.user_idx[batch])) + len(np.unique(ratings.movie_idx[batch]))
    return rows * WIDTH * 4 * 2 * 2


def main(n_ratings: int, rounds: int) -> None:
    """Print what was measured."""
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}")
    lesson = load_ratings()
    for kind, engine in (("dot-bias", "lazy"), ("collab", "graph")):
        for _ in range(rounds):
            for name in ("torch", engine):
                seconds, val_mse = epochs_of(kind, lesson, name, 64, RECIPES[kind].epochs)
                print(f"{kind} {name}: {1e3 * statistics.median(seconds):.1f} ms an epoch, val MSE {val_mse:.4f}")
    ratings, bandwidth = movielens_shaped(n_ratings).ratings, copy_bandwidth()
    touched = touched_bytes(ratings, LARGE_BATCH)
    for _ in range(rounds):
        seconds, val_mse = epochs_of("dot-bias", ratings, "lazy", LARGE_BATCH, 4)
        epoch = statistics.median(seconds[1:])
        print(
            f"{len(ratings):,} ratings: {epoch:.3f} s an epoch with validation, {touched / epoch / bandwidth:.0%} of "
            f"{bandwidth / 1e12:.2f} TB/s for {touched / 1e9:.1f} GB, val MSE {val_mse:.3f}"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--ratings", type=float, default=2.5e7, metavar="N", help="planted ratings (default: 2.5e7)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="times that everything runs (default: 3)")
    args = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("no CUDA GPU: nothing to measure")
    main(int(args.ratings), args.rounds)
