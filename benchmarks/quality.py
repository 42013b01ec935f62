"""Error and time of the bayes model on the lesson's split: python -m benchmarks.quality [ROUNDS].

With the extra `bench`, it alternates with Surprise's SVD, at the settings that a holdout within the training ratings
chose. Set OMP_NUM_THREADS=1 for one core.
"""

import sys
import time
from collections.abc import Callable

import numpy as np

from cf_excel.evaluate.run import choose
from cf_excel.evaluate.splits import make_folds
from cf_excel.evaluate.systems import peers
from cf_excel.learn.bayes.factorization import BayesSettings, fit_bayes
from cf_excel.ratings.readers import load_ratings
from cf_excel.ratings.validation import lesson_split


def main(rounds: int = 5) -> None:
    """Print the validation MSE of seeds 0 to 2, with content and without, then medians of times and of their ratio."""
    ratings = load_ratings()
    rows = lesson_split(len(ratings))
    for content in (True, False):
        losses = [
            fit_bayes(ratings, rows, BayesSettings(seed=seed, use_content=content)).history.epochs[-1].val_loss
            for seed in range(3)
        ]
        name = "genres, years and ratings" if content else "ratings alone"
        print(f"{name}: validation MSE {', '.join(f'{loss:.4f}' for loss in losses)}; mean {np.mean(losses):.4f}")

    ours = [seconds(lambda: fit_bayes(ratings, rows)) for _ in range(rounds)]
    print(f"fit: median {np.median(ours):.2f} s")
    svd = next((system for system in peers(ratings)[0] if system.name == "surprise SVD"), None)
    if svd is None:
        print('Surprise is not installed: run python -m pip install "cf_excel[bench]"')
        return
    (fold,) = make_folds(ratings, "lesson")
    settings, _ = choose(svd, fold, 4, 0)
    times = np.array(
        [
            [seconds(lambda: fit_bayes(ratings, rows)), seconds(lambda: svd.fit(fold, settings, 0))]
            for _ in range(rounds)
        ]
    )
    print(
        f"Surprise's SVD with {settings}: median {np.median(times[:, 1]):.2f} s; "
        f"median of ours / theirs {np.median(times[:, 0] / times[:, 1]):.2f}"
    )


def seconds(work: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
