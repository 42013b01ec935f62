"""SGD with momentum and L2 decay that moves a row only when a rating needs it, with the result of moving all of them.

torch.optim.SGD does at every step, for the weight w and the momentum b of every row (g is 0 where no rating is):
    b = momentum * b + g + wd * w;  w = w - lr * b
Without g this is a linear map of (w, b), the same for every row. A row that was touched last in step s and is wanted
in step t has missed a product of such 2x2 maps; `maps` holds that product for every s, kept up to date step by step in
float64. So a step costs what its ratings cost, whatever the number of users and movies, and any schedule will do.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

from cf_excel.learn.columns import ColumnarModelData, Columns
from cf_excel.learn.loop import Loss
from cf_excel.learn.models import CollabModel, EmbeddingDot, EmbeddingDotBias
from cf_excel.learn.packed import PackedLoop, why_not

WINDOW = 1024  # steps between two times when every row is brought up to date; `maps` has one entry a step


class LazySGD(PackedLoop):
    """Train EmbeddingDot or EmbeddingDotBias with SGD; slot 0 of a row holds w, slot 1 b."""

    name = "lazy"
    n_slots = 2
    state_names = ("momentum_buffer",)

    @staticmethod
    def refuses(model: nn.Module, opt: Optimizer, crit: Loss, data: ColumnarModelData) -> str:
        """Return why this fit can't be done here, "" where it can."""
        if type(model) not in (EmbeddingDot, EmbeddingDotBias, CollabModel):
            return f"it fits EmbeddingDot and EmbeddingDotBias, not {type(model).__name__}"
        group = opt.param_groups[0]
        if type(opt) is not SGD or group["nesterov"] or group["maximize"] or group["dampening"]:
            return "it needs torch.optim.SGD, without nesterov, maximize or dampening"
        return why_not(model, opt, crit, data)

    def prepare(self) -> None:
        """Set the maps up and compile."""
        from cf_excel.learn import lazy_kernels  # numba is loaded by the fits that it runs

        self.kernels = lazy_kernels
        group = self.opt.param_groups[0]
        self.rule = float(group["momentum"]), float(group["weight_decay"])
        if not group["momentum"]:
            self.state_names = ()
        self.maps = np.zeros((4, WINDOW + 1))
        self.n_steps, self.last_lr = 0, 0.0
        order, cats, y = np.empty(0, np.int64), np.empty((0, 2), np.int64), np.empty(0, np.float32)
        self.batches((order, cats, y), 0, 0)
        self.catch_up()
        self.predict(Columns(torch.from_numpy(cats), torch.empty(0, 0), torch.from_numpy(y)))

    def batches(self, rows: tuple[np.ndarray, ...], first: int, stop: int) -> np.ndarray:
        """Train on the batches first to stop - 1 and return the loss of each."""
        n = stop - first
        if self.n_steps + n > WINDOW:
            self.catch_up()
        order, cats, y = rows
        tables = (self.users, self.movies, self.last_user, self.last_movie, self.n_factors)
        lrs = np.concatenate([[self.last_lr], self.lrs(n)])
        losses = np.empty(n)
        order = order[first * self.bs : stop * self.bs]
        self.kernels.train(
            tables, self.maps, self.rule, lrs, self.n_steps, order, cats, y, self.bs, self.output, losses
        )
        self.n_steps += n
        self.last_lr = lrs[-1]
        return losses

    def catch_up(self) -> None:
        """Bring every row up to date and start a new window."""
        for table, last in ((self.users, self.last_user), (self.movies, self.last_movie)):
            self.kernels.catch_up(table, last, self.maps, self.n_steps, self.last_lr)
        self.set_ones()
        self.n_steps, self.last_lr = 0, 0.0

    def predict(self, rows: Columns) -> Tensor:
        """Return the predictions (n,) of a model that is up to date."""
        self.check(rows.cats)
        predictions = np.empty(len(rows.y), np.float32)
        self.kernels.predict(self.users, self.movies, rows.cats.numpy(), self.output, predictions)
        return torch.from_numpy(predictions)
