"""Everything that the code of fast.ai's 2018 lesson 5 uses: from cf_excel.lesson import *

The names are the lesson's (fastai 0.7), the work is done in cf_excel.learn. A model is fitted where you put it:
`.cuda()` is yours to write or to leave out. The learner, T and V use CUDA where there is one, else Apple's MPS, else
the CPU.
"""

import math
import zipfile
from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn, optim

from cf_excel.errors import InputError
from cf_excel.files import make_folder, replacing
from cf_excel.learn import collab, trainer
from cf_excel.learn.columns import ColumnarModelData
from cf_excel.learn.devices import pick_device
from cf_excel.learn.models import DotProduct, EmbeddingDot, EmbeddingDotBias, EmbeddingNet, get_emb
from cf_excel.lesson_ratings import LESSON_DATA
from cf_excel.ratings import lesson_split

__all__ = [
    "CollabFilterDataset",
    "ColumnarModelData",
    "DotProduct",
    "EmbeddingDot",
    "EmbeddingDotBias",
    "EmbeddingNet",
    "F",
    "T",
    "V",
    "fit",
    "get_cv_idxs",
    "get_emb",
    "itemgetter",
    "lesson_data",
    "math",
    "nn",
    "np",
    "optim",
    "pd",
    "set_lrs",
    "to_np",
    "torch",
]


class PrintedProgress(trainer.Progress):
    """Print the losses of each epoch as the lesson shows them."""

    def __init__(self, metrics: Sequence[trainer.Loss] = ()) -> None:
        self.metric_names = [getattr(metric, "__name__", "metric") for metric in metrics]

    def begin(self, n_epochs: int, n_batches: int, n_rows: int) -> None:
        print("".join(f"{name:<11}" for name in ("epoch", "trn_loss", "val_loss", *self.metric_names)).rstrip())

    def epoch(self, epoch: trainer.Epoch) -> None:
        losses = (epoch.train_loss, epoch.val_loss, *epoch.metrics)
        print(f"{epoch.number - 1:>5}      " + "".join(f"{loss:<11.6f}" for loss in losses).rstrip(), flush=True)

    def stopped(self, where: str) -> None:
        print(f"stopped after {where}: the model keeps what it learnt")


class CollabFilterDataset(collab.CollabFilterDataset):
    """Ratings for the learner, which prints the losses of each epoch."""

    progress = PrintedProgress


def fit(
    model: nn.Module,
    data: ColumnarModelData,
    n_epochs: int,
    opt: optim.Optimizer,
    crit: trainer.Loss,
    metrics: Sequence[trainer.Loss] = (),
) -> list[float]:
    """Fit the model where it is, print the losses of each epoch, and return the last validation loss and metrics.

    forward(cats, conts) may return (n,) or (n, 1). Raises InputError for other shapes and for a loss that diverges.
    """
    progress = PrintedProgress(metrics)
    last = trainer.fit(model, data, n_epochs, opt, crit, metrics=metrics, progress=progress).epochs[-1]
    return [last.val_loss, *last.metrics]


def set_lrs(opt: optim.Optimizer, lr: float) -> None:
    """Set the learning rate of an optimizer for the fits that follow."""
    collab.check_lr(lr)
    for group in opt.param_groups:
        group["lr"] = lr


def get_cv_idxs(n: int, *, val_pct: float = 0.2, seed: int = 42) -> np.ndarray:
    """Return the lesson's validation rows out of n: the head of a seeded permutation."""
    return lesson_split(n, val_pct, seed)


def T(a: object) -> Tensor:
    """Return an array, a list or a tensor on the default device: whole numbers as int64, others as float32."""
    if not torch.is_tensor(a):
        array = np.asarray(a)
        if array.dtype.kind not in "iufb":
            raise InputError(f"T: expected numbers, got {array.dtype}")
        a = torch.from_numpy(array.astype(np.float32 if array.dtype.kind == "f" else np.int64))
    return a.to(pick_device())


V = T  # fastai 0.7 told tensors from variables; PyTorch no longer does


def to_np(tensor: Tensor) -> np.ndarray:
    """Return a tensor as a numpy array, without its gradient."""
    return tensor.detach().cpu().numpy()


def lesson_data(folder: str = "data/ml-latest-small/") -> str:
    """Unpack the lesson's ratings.csv and movies.csv into a folder, where they are not there yet, and return its path.

    Raises FileError where the folder can't be written.
    """
    target = Path(folder)
    make_folder(target)
    with zipfile.ZipFile(LESSON_DATA) as archive:
        for name in ("ratings.csv", "movies.csv"):
            if not (target / name).exists():
                with replacing(target / name) as part:
                    part.write_bytes(archive.read(name))
    return f"{target.as_posix()}/"
