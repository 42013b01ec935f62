"""Everything that the code of fast.ai's 2018 lesson 5 uses: from cf_excel.lesson import *

The names are the lesson's (fastai 0.7), the work is done in cf_excel.learn. A model is fitted where you put it:
`.cuda()` is yours to write or to leave out. The learner, T and V use CUDA where there is one, else Apple's MPS, else
the CPU. plt and sns load matplotlib when they are used.
"""

import math
import zipfile
from collections.abc import Sequence
from importlib import import_module
from operator import itemgetter
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cf_excel.errors import InputError, needs

try:
    import torch
    import torch.nn.functional as F
    from torch import Tensor, optim
except ModuleNotFoundError:
    raise InputError(f"the lesson's code: {needs('torch')}") from None

from cf_excel.files import make_folder, replacing
from cf_excel.learn import trainer
from cf_excel.learn.devices import pick_device
from cf_excel.learn.lesson import collab_learner as collab
from cf_excel.learn.model_data import ColumnarModelData
from cf_excel.learn.models import DotProduct, EmbeddingDot, EmbeddingDotBias, EmbeddingNet, Module, get_emb
from cf_excel.ratings.lesson_ratings import LESSON_DATA
from cf_excel.ratings.validation import lesson_split

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
    "plt",
    "set_lrs",
    "sns",
    "to_np",
    "torch",
]

nn = ModuleType("torch.nn", torch.nn.__doc__)
nn.__dict__.update(vars(torch.nn), Module=Module)  # the lesson's own classes derive from it and call .cuda()


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


class CollabFilterDataset(collab.CollabDataset):
    """Ratings for the learner, which prints the losses of each epoch."""

    progress = PrintedProgress


def fit(
    model: torch.nn.Module,
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


def get_cv_idxs(n: int, cv_idx: int = 0, val_pct: float = 0.2, seed: int = 42) -> np.ndarray:
    """Return validation rows out of n: fold cv_idx of a seeded permutation, the lesson's own by default.

    Raises InputError for a share outside 0 to 1 and a fold that is not there.
    """
    if not 0 <= val_pct <= 1:
        raise InputError(f"val_pct {val_pct}: expected a share from 0 to 1, such as 0.2")
    n_val = int(val_pct * n)
    rows = lesson_split(n, 1.0, seed)[max(cv_idx, 0) * n_val :][:n_val]
    if cv_idx < 0 or len(rows) < min(n_val, 1):
        last = -(-n // n_val) - 1 if n_val else 0
        raise InputError(f"cv_idx {cv_idx}: {n:,} rows have folds 0 to {last}, of {n_val:,} rows")
    return rows


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


class _Pyplot:
    """Stand for matplotlib.pyplot, which is loaded when a name of it is used."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what inspects an object asks for these
            raise AttributeError(name)
        from cf_excel.plots import figures as plots  # noqa: F401  (says what to install where matplotlib is missing)

        return getattr(import_module("matplotlib.pyplot"), name)


class _Seaborn:
    """Stand for seaborn, which need not be installed for the lesson's one picture with it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            seaborn = import_module("seaborn")
        except ImportError:
            raise InputError(f"sns.{name} needs seaborn: run python -m pip install seaborn") from None
        return getattr(seaborn, name)

    def jointplot(
        self, x: ArrayLike = (), y: ArrayLike = (), kind: str = "scatter", stat_func: None = None, **options: object
    ) -> object:
        """Draw predictions x against ratings y, (n,) each, as hexagons with histograms at the margins; return a Figure.

        The lesson's line names its arrays by their place, and a stat_func, which seaborn of today refuses. Another kind
        and other options are handed to seaborn. Raises InputError for lengths that differ and where the package that
        draws is missing.
        """
        if kind != "hex" or options:
            return self.__getattr__("jointplot")(x=x, y=y, kind=kind, **options)
        from cf_excel.plots import figures as plots

        predictions, ratings = (np.asarray(values, np.float64).reshape(-1) for values in (x, y))
        if not len(predictions) == len(ratings) > 0:
            raise InputError(f"jointplot: {len(predictions):,} and {len(ratings):,} numbers: expected equally many")
        figure = plt.figure(figsize=plots.JOINT_SIZE, layout="constrained")
        return plots.plot_predictions(predictions, ratings, "", figure)


plt, sns = _Pyplot(), _Seaborn()


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
