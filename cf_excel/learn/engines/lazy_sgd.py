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

from cf_excel.learn.engines.loop import Loss
from cf_excel.learn.engines.packed_loop import NO_ROWS, PackedLoop, why_not
from cf_excel.learn.model_data import ColumnarModelData, Columns
from cf_excel.learn.models import CollabModel, EmbeddingDot, EmbeddingDotBias

WINDOW = 1024  # steps between two times when every row is brought up to date; `maps` has one entry a step


class LazySGD(PackedLoop):
    """Train EmbeddingDot or EmbeddingDotBias with SGD; slot 0 of a row holds w, slot 1 b."""

    name = "lazy"
    n_slots = 2
    state_names: tuple[str, ...] = ("momentum_buffer",)

    def __post_init__(self) -> None:
        # without the sigmoid, which keeps gradients small, what float32 rounds off adds up over thousands of steps
        self.dtype = torch.float32 if hasattr(self.model, "rating_range") else torch.float64
        super().__post_init__()

    @classmethod
    def refuses(cls, model: nn.Module, opt: Optimizer, crit: Loss, data: ColumnarModelData) -> str:
        """Return why this fit can't be done here, "" where it can."""
        if type(model) not in (EmbeddingDot, EmbeddingDotBias, CollabModel):
            return f"it fits EmbeddingDot and EmbeddingDotBias, not {type(model).__name__}"
        group = opt.param_groups[0]
        if type(opt) is not SGD or group["nesterov"] or group["maximize"] or group["dampening"]:
            return "it needs torch.optim.SGD, without nesterov, maximize or dampening"
        return why_not(cls.device, model, opt, crit, data)

    def prepare(self) -> None:
        """Read the optimizer's rule, set the maps up and compile."""
        group = self.opt.param_groups[0]
        self.rule = float(group["momentum"]), float(group["weight_decay"])
        if not group["momentum"]:
            self.state_names = ()
        self.set_up()

    def set_up(self) -> None:
        """Set the maps up and compile."""
        from cf_excel.learn.engines import lazy_kernels  # numba is loaded by the fits that it runs

        self.kernels = lazy_kernels
        self.tables = tuple(table.numpy() for table in (self.users, self.movies, self.last_user, self.last_movie))
        self.maps = np.zeros((4, WINDOW + 1))
        self.n_steps, self.last_lr = 0, 0.0
        self.batches(NO_ROWS, torch.empty(0, dtype=torch.int64))
        self.catch_up()
        self.predict(NO_ROWS)

    def batches(self, rows: Columns, order: Tensor) -> np.ndarray:
        """Train on these rows, a batch at a time, and return the loss of each batch."""
        losses = np.empty(-(-len(order) // self.bs))
        if self.n_steps + len(losses) > WINDOW:
            self.catch_up()
        lrs = np.concatenate([[self.last_lr], self.lrs(len(losses))])
        ratings = (order.numpy(), rows.cats.numpy(), rows.y.numpy(), self.bs)
        steps = (self.maps, self.rule, lrs, self.n_steps)
        self.kernels.train(*self.tables, self.n_factors, *steps, *ratings, self.output, losses)
        self.n_steps += len(losses)
        self.last_lr = lrs[-1]
        return losses

    def catch_up(self) -> None:
        """Bring every row up to date and start a new window."""
        users, movies, last_user, last_movie = self.tables
        for table, last in ((users, last_user), (movies, last_movie)):
            self.kernels.catch_up(table, last, self.maps, self.n_steps, self.last_lr)
        self.set_ones()
        self.n_steps, self.last_lr = 0, 0.0

    def predict(self, rows: Columns) -> Tensor:
        """Return the predictions (n,) of a model that is up to date."""
        self.check(rows.cats)
        predictions = torch.empty(len(rows.y))
        self.kernels.predict(*self.tables[:2], rows.cats.numpy(), self.output, predictions.numpy())
        return predictions
