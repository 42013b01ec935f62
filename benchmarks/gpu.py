"""Time what a CUDA GPU does: python -m benchmarks.gpu [--ratings 2.5e7].

The lesson's models at batch 64, by a plain loop of PyTorch with all tensors on the GPU and by the engine that auto
takes, in turns; the same on planted ratings at batch 65,536, with the share of the GPU's memory bandwidth that the
touched rows imply: every row that a batch names is read and written once, weights and momentum. The bandwidth is that
of a copy. Then the models bayes and the list factors on the same ratings, and on the lesson's beside the CPU.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.synthetic import movielens_shaped
from cf_excel.learn.bayes.factorization import BayesSettings, fit_bayes
from cf_excel.learn.engines.packed_loop import padded
from cf_excel.learn.lesson.recipes import RECIPES, lesson_settings, make_data, make_model, make_optimizer
from cf_excel.learn.list_fit import fit_lists
from cf_excel.learn.trainer import fit
from cf_excel.ratings.readers import load_ratings
from cf_excel.ratings.table import Ratings
from cf_excel.ratings.validation import lesson_split

LARGE_BATCH = 65_536
WIDTH = padded(lesson_settings("dot-bias").n_factors + 2)


class Epochs:
    """A kind of model, fitted on a GPU to the ratings outside the lesson's split."""

    def __init__(self, kind: str, ratings: Ratings, batch_size: int, n_epochs: int) -> None:
        self.data = make_data(ratings, lesson_split(len(ratings)), batch_size)
        self.kind, self.ratings, self.n_epochs = kind, ratings, n_epochs
        self.schedule = RECIPES[kind].schedule(n_epochs, self.data.n_batches)
        self.settings = lesson_settings(kind, device="cuda", batch_size=batch_size)

    def by_engine(self) -> tuple[list[float], float]:
        """Return the seconds of every epoch and the last validation MSE, by the engine that auto takes."""
        model, opt = self._start()
        epochs = fit(model, self.data, self.n_epochs, opt, F.mse_loss, schedule=self.schedule).epochs
        return [epoch.seconds for epoch in epochs], epochs[-1].val_loss

    def by_plain_loop(self) -> tuple[list[float], float]:
        """Return the same of the loop that one would write."""
        model, opt = self._start()
        training, validation = (part(torch.device("cuda")) for part in (self.data.training, self.data.validation))
        lr, step, seconds, val_mse = opt.param_groups[0]["lr"], 0, [], 0.0
        for _ in range(self.n_epochs):
            start = time.perf_counter()
            model.train()
            for rows in torch.randperm(len(training.y), device="cuda").split(self.data.bs):
                opt.param_groups[0]["lr"] = lr * self.schedule(step) if self.schedule else lr
                opt.zero_grad()
                prediction = model(training.cats[rows], training.conts[rows]).flatten()
                F.mse_loss(prediction, training.y[rows]).backward()
                opt.step()
                step += 1
            model.eval()
            with torch.no_grad():
                val_mse = F.mse_loss(model(validation.cats, validation.conts).flatten(), validation.y).item()
            seconds.append(time.perf_counter() - start)
        return seconds, val_mse

    def _start(self) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
        torch.manual_seed(0)
        model = make_model(self.kind, self.ratings).to("cuda")
        return model, make_optimizer(model, self.settings)


def copy_bandwidth(n_bytes: int = 2**31) -> float:
    """Return the bytes that the GPU reads and writes in a second when it copies."""
    source, target = (torch.empty(n_bytes, dtype=torch.uint8, device="cuda") for _ in range(2))
    return 2 * n_bytes / min(seconds_of(lambda: target.copy_(source), 5))


def touched_bytes(ratings: Ratings, batch_size: int) -> int:
    """Return the bytes of the rows that an epoch's batches name: weights and momentum in float32, read and written."""
    train = np.delete(np.arange(len(ratings)), lesson_split(len(ratings)))
    order = np.random.default_rng(0).permutation(train)
    rows = 0
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        rows += len(np.unique(ratings.user_idx[batch])) + len(np.unique(ratings.movie_idx[batch]))
    return rows * WIDTH * 4 * 2 * 2


def seconds_of(work: Callable[[], object], n: int) -> list[float]:
    """Return the seconds that each of n runs takes."""
    seconds = []
    for _ in range(n):
        torch.cuda.synchronize()
        start = time.perf_counter()
        work()
        torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return seconds


def time_lesson(rounds: int) -> None:
    """Print the milliseconds of the lesson's epochs."""
    lesson = load_ratings()
    for kind in ("dot", "dot-bias", "net", "collab"):
        epochs = Epochs(kind, lesson, 64, max(4, RECIPES[kind].epochs))
        for name, run in [("plain loop", epochs.by_plain_loop), ("auto", epochs.by_engine)] * rounds:
            seconds, val_mse = run()
            print(f"{kind} {name}: {1e3 * statistics.median(seconds[1:]):.1f} ms an epoch, val MSE {val_mse:.4f}")


def time_large(ratings: Ratings, rounds: int) -> None:
    """Print the seconds of dot-bias' epochs on many ratings, and the share of the bandwidth."""
    touched, bandwidth = touched_bytes(ratings, LARGE_BATCH), copy_bandwidth()
    print(f"touched {touched / 1e9:.1f} GB an epoch, {bandwidth / 1e12:.2f} TB/s")
    epochs = Epochs("dot-bias", ratings, LARGE_BATCH, 4)
    for name, run in [("plain loop", epochs.by_plain_loop), ("auto", epochs.by_engine)] * rounds:
        seconds, val_mse = run()
        median = statistics.median(seconds[1:])
        share = touched / median / bandwidth
        print(f"{len(ratings):,} {name}: {median:.4f} s an epoch, {share:.1%} of the bandwidth, val MSE {val_mse:.4f}")


def time_default(ratings: Ratings, device: str, rounds: int) -> None:
    """Print the seconds of the model bayes and of the list factors, of all ratings; the first run sets up, too."""
    none = np.empty(0, np.int64)
    fits = {
        "bayes": lambda: fit_bayes(ratings, none, BayesSettings(device=device)),
        "lists": lambda: fit_lists(ratings, none, device=device),
    }
    for name, run in fits.items():
        print(f"{len(ratings):,} {name} {device}:", *(f"{seconds:.2f} s" for seconds in seconds_of(run, rounds + 1)))


def main(n_ratings: int, rounds: int) -> None:
    """Print what was measured."""
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}")
    time_lesson(rounds)
    for device in ("cpu", "cuda"):
        time_default(load_ratings(), device, rounds)
    ratings = movielens_shaped(n_ratings).ratings
    time_large(ratings, rounds)
    time_default(ratings, "cuda", rounds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--ratings", type=float, default=2.5e7, metavar="N", help="planted ratings (default: 2.5e7)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="times that everything runs (default: 3)")
    args = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("no CUDA GPU: nothing to measure")
    main(int(args.ratings), args.rounds)
