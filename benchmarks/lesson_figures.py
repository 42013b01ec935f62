"""Measure the lesson's models on the lesson's split: python benchmarks/lesson_figures.py [SEEDS] [DEVICE]."""

import sys

import numpy as np

from cf_excel.learn.lesson.recipes import RECIPES, SPARSE_ADAM, lesson_settings, train
from cf_excel.ratings.readers import load_ratings
from cf_excel.ratings.validation import lesson_split

LESSON = {"dot": 1.1303, "dot-bias": 0.8012, "net": 0.7808, "collab": 0.765}
MEASURED = {"dot": 1.1314, "dot-bias": 0.8004, "net": 0.7913, "collab": 0.7648}


def main(n_seeds: int = 3, device: str = "auto") -> None:
    """Print the validation MSE of each epoch for every seed, and the mean of the last beside the expected figures."""
    ratings = load_ratings()
    val_rows = lesson_split(len(ratings))
    for kind in RECIPES:
        finals = []
        for seed in range(n_seeds):
            epochs = train(ratings, val_rows, lesson_settings(kind, seed=seed, device=device)).history.epochs
            finals.append(epochs[-1].val_loss)
            losses = " ".join(f"{epoch.val_loss:.4f}" for epoch in epochs)
            print(
                f"{kind:<9} seed {seed}: {losses}  ({np.median([e.seconds for e in epochs]):.2f} s an epoch)",
                flush=True,
            )
        far = max(abs(final / MEASURED[kind] - 1) for final in finals)
        print(
            f"{kind:<9} mean {np.mean(finals):.4f}, independent program {MEASURED[kind]:.4f} "
            f"(farthest seed {far:.2%} away), lesson {LESSON[kind]:.4f}"
        )
        if RECIPES[kind].sparse_wd is not None:
            others = [lesson_settings(kind, seed=seed, device=device, optimizer=SPARSE_ADAM) for seed in range(n_seeds)]
            finals = [train(ratings, val_rows, settings).history.epochs[-1].val_loss for settings in others]
            print(f"{kind:<9} mean {np.mean(finals):.4f} with {SPARSE_ADAM} ({min(finals):.4f} to {max(finals):.4f})")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3, *sys.argv[2:3])
