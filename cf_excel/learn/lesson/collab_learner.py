"""fastai 0.7's collaborative filtering: a table of ratings, and the learner that fits it."""

import math
from collections.abc import Callable, Iterable, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch.nn.functional as F
from numpy.typing import ArrayLike
from torch import nn
from torch.optim import Optimizer

from cf_excel.errors import FileError, InputError, wrong_type
from cf_excel.learn.devices import pick_device
from cf_excel.learn.model_data import ColumnarModelData
from cf_excel.learn.models import CollabModel
from cf_excel.learn.progress import Progress
from cf_excel.learn.schedules import lesson_cycles, sgdr
from cf_excel.learn.trainer import fit, predict

if TYPE_CHECKING:
    import pandas as pd


class OptimizerClass(Protocol):
    """Make an optimizer, as the classes of torch.optim do."""

    def __call__(self, parameters: Iterable[nn.Parameter], /, *, lr: float, weight_decay: float) -> Optimizer:
        """Return the optimizer for these weights."""


class CollabDataset:
    """Ratings with users and items mapped to rows by order of first appearance.

    user2idx, item2idx: raw id to row. n_users, n_items: how many. min_score, max_score: the range of the ratings.
    progress makes what a fit of its learners reports to.
    """

    progress: Callable[[], Progress] = Progress

    def __init__(self, users: Sequence, items: Sequence, ratings: Sequence[float] | np.ndarray) -> None:
        if not len(users) == len(items) == len(ratings) > 0:
            raise InputError(f"{len(users):,} users, {len(items):,} items, {len(ratings):,} ratings: expected as many")
        self.user2idx = {user: row for row, user in enumerate(dict.fromkeys(users))}
        self.item2idx = {item: row for row, item in enumerate(dict.fromkeys(items))}
        self.n_users, self.n_items = len(self.user2idx), len(self.item2idx)
        rows = [[self.user2idx[user] for user in users], [self.item2idx[item] for item in items]]
        self.cats = np.array(rows, dtype=np.int64).T
        self.y = np.asarray(ratings, dtype=np.float32)
        self.min_score, self.max_score = float(self.y.min()), float(self.y.max())

    @classmethod
    def from_csv(cls, path: str, csv: str, user_name: str, item_name: str, rating: str) -> "CollabDataset":
        """Read the ratings from the file `csv` in the folder `path`, by the names of its columns.

        Raises FileError for a file that can't be read and InputError for a column that is not there or no number.
        """
        import pandas as pd

        file = Path(path) / csv
        try:
            table = pd.read_csv(file)
        except (OSError, ValueError) as error:
            raise FileError(f"{file} can't be read: {getattr(error, 'strerror', None) or error}") from None
        return cls.from_data_frame(table, user_name, item_name, rating, source=str(file))

    @classmethod
    def from_data_frame(
        cls, df: "pd.DataFrame", user_name: str, item_name: str, rating: str, source: str = "the table"
    ) -> "CollabDataset":
        """Take the ratings from a data frame, by the names of its columns."""
        for name in (user_name, item_name, rating):
            if name not in df.columns:
                raise InputError(f"{source} has no column {name!r} (found: {', '.join(map(str, df.columns))})")
        try:
            scores = df[rating].to_numpy(np.float32)
        except (TypeError, ValueError) as error:
            raise InputError(f"{source}: column {rating!r} must hold numbers: {error}") from None
        return cls(df[user_name].tolist(), df[item_name].tolist(), scores)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self.y):,} ratings, {self.n_users:,} users, {self.n_items:,} items>"

    def get_data(self, val_idxs: ArrayLike, bs: int = 64) -> ColumnarModelData:
        """Return the ratings as columns for a fit, with the validation rows val_idxs."""
        return ColumnarModelData(val_idxs, self.cats, np.empty((len(self.y), 0)), self.y, bs)

    def get_model(self, n_factors: int) -> CollabModel:
        """Return an untrained model of these users and items."""
        if n_factors < 1:
            raise InputError(f"{n_factors} factors: expected 1 or more")
        return CollabModel(self.n_users, self.n_items, n_factors, (self.min_score, self.max_score))

    def get_learner(
        self, n_factors: int, val_idxs: ArrayLike, bs: int = 64, *, opt_fn: OptimizerClass, device: str = "auto"
    ) -> "CollabLearner":
        """Return a learner: a new model on the device, the data, and the optimizer to fit it with.

        Raises InputError where opt_fn makes no optimizers.
        """
        if not callable(opt_fn):
            raise wrong_type(opt_fn, "opt_fn to be a class of optimizers, such as optim.Adam")
        data = self.get_data(val_idxs, bs)
        return CollabLearner(self.get_model(n_factors).to(pick_device(device)), data, opt_fn, self.progress)


class CollabLearner:
    """A model, its data and its optimizer; crit is the loss, MSE unless you set another."""

    def __init__(
        self, model: nn.Module, data: ColumnarModelData, opt_fn: OptimizerClass, progress: Callable[[], Progress]
    ) -> None:
        self.model, self.data, self.opt_fn, self.progress = model, data, opt_fn, progress
        self.crit = F.mse_loss

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {type(self.model).__name__} on {self.data!r}>"

    def fit(
        self, lr: float, n_cycle: int, *, wds: float = 0.0, cycle_len: int | None = None, cycle_mult: int = 1
    ) -> list[float]:
        """Fit for n_cycle epochs at a constant rate, or with cycle_len for n_cycle cycles of cosine annealing (SGDR).

        The first cycle takes cycle_len epochs, each later one cycle_mult times as many. wds: L2 penalty.
        Return the last validation loss, in a list, as fastai did.
        """
        check_lr(lr)
        if not (math.isfinite(wds) and wds >= 0):
            raise InputError(f"weight decay {wds:g}: expected 0 or more")
        for name, number in (("n_cycle", n_cycle), ("cycle_len", cycle_len or 1), ("cycle_mult", cycle_mult)):
            if not isinstance(number, Integral) or number < 1:
                raise InputError(f"{name} {number!r:.40}: expected a whole number, 1 or more")
        opt = self.opt_fn(self.model.parameters(), lr=lr, weight_decay=wds)
        cycles = lesson_cycles(n_cycle, cycle_len or 1, cycle_mult if cycle_len else 1)
        schedule = sgdr(cycles, self.data.n_batches) if cycle_len else None
        progress = self.progress()
        history = fit(self.model, self.data, sum(cycles), opt, self.crit, schedule=schedule, progress=progress)
        return [history.epochs[-1].val_loss]

    def predict(self) -> np.ndarray:
        """Return the predictions for the validation rows, (n_val,), in the order of data.val_y."""
        device = next(self.model.parameters()).device
        return predict(self.model, self.data.validation(device)).cpu().numpy()


def check_lr(lr: float) -> None:
    """Raise InputError for a learning rate that is no number above 0."""
    if not isinstance(lr, Real):
        raise wrong_type(lr, "a learning rate, such as 0.01")
    if not (math.isfinite(lr) and lr > 0):
        raise InputError(f"learning rate {lr:g}: expected a number above 0, such as 0.01")
