"""Time an epoch of EmbeddingDotBias beside a plain DataLoader loop: python benchmarks/epoch.py [ROUNDS]."""

import sys
import time
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch.optim import SGD
from torch.utils.data import DataLoader, TensorDataset

from cf_excel.learn.models import EmbeddingDotBias
from cf_excel.learn.recipes import lesson_settings, make_data, make_model
from cf_excel.learn.trainer import fit
from cf_excel.ratings import lesson_split
from cf_excel.readers import load_ratings

SETTINGS = lesson_settings("dot-bias", device="cpu")


def main(rounds: int = 5) -> None:
    """Alternate the two loops, on one CPU thread, and print the medians and the median of their ratios."""
    torch.set_num_threads(1)
    ratings = load_ratings()
    data = make_data(ratings, lesson_split(len(ratings)), SETTINGS.batch_size)
    rows = data.training(torch.device("cpu"))
    loader = DataLoader(TensorDataset(*rows), data.bs, shuffle=True)

    def with_loader(model: EmbeddingDotBias, opt: SGD) -> None:
        for cats, conts, y in loader:
            loss = F.mse_loss(model(cats, conts), y)
            opt.zero_grad()
            loss.backward()
            opt.step()

    def with_fit(model: EmbeddingDotBias, opt: SGD) -> None:
        fit(model, data, 1, opt, F.mse_loss)

    times = np.array(
        [[seconds(loop, make_model("dot-bias", ratings)) for loop in (with_loader, with_fit)] for _ in range(rounds)]
    )
    loader_s, fit_s = np.median(times, axis=0)
    ratio = np.median(times[:, 0] / times[:, 1])
    print(f"DataLoader {loader_s:.2f} s, fit with validation {fit_s:.2f} s, ratio {ratio:.2f}")


def seconds(loop: Callable[[EmbeddingDotBias, SGD], None], model: EmbeddingDotBias) -> float:
    """Return the seconds of one epoch from a fresh model."""
    opt = SGD(model.parameters(), SETTINGS.lr, momentum=0.9, weight_decay=SETTINGS.wd)
    start = time.perf_counter()
    loop(model, opt)
    return time.perf_counter() - start


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
