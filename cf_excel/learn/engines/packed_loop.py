"""Tables that hold what a step needs of a user or a movie side by side, and the loop that runs on them."""

import threading
from abc import abstractmethod
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from cf_excel.learn.engines.loop import DIVERGED, SMOOTHING, Loop, Loss, outside
from cf_excel.learn.model_data import ColumnarModelData, Columns
from cf_excel.learn.models import EmbeddingDotBias, LessonModel

LANES = 8  # rows are padded to whole vectors
Part = int | slice | tuple[slice, slice]  # of a model's weights
NO_ROWS = Columns(torch.empty(0, 2, dtype=torch.int64), torch.empty(0, 0), torch.empty(0))


class PackedLoop(Loop):
    """Run an epoch in compiled code on a packed copy of the model's tables and of the optimizer's state.

    users (n_users, n_slots, width): slot 0 holds weights, the others what the optimizer remembers of them.
    A row is n_factors factors, then the bias: the user's in column n_factors, where movies have a constant 1, and the
    movie's in the next one, where users have the 1. So the biases ride along in the dot product of two rows.
    last_user, last_movie: the step in which a row was last touched, from 1; 0 is a row that is up to date.
    Between epochs, weights and state are copied back to where torch keeps them.
    """

    model: LessonModel  # all others are refused
    _average: float
    device = "cpu"
    packages: tuple[str, ...] = ("numba",)
    dtype = torch.float32
    state_names: tuple[str, ...]  # as in the optimizer's state, for the slots from 1
    n_slots: int

    def __post_init__(self) -> None:
        super().__post_init__()
        self.n_factors = self.model.u.embedding_dim
        self.one = float(isinstance(self.model, EmbeddingDotBias))
        self.width = padded(self.n_factors + 2)
        self.users, self.movies = (
            self.zeros(table.num_embeddings, self.width) for table in (self.model.u, self.model.m)
        )
        self.last_user, self.last_movie = (
            torch.zeros(len(table), dtype=torch.int32, device=table.device) for table in (self.users, self.movies)
        )
        for weights, part, packed in self.parts():
            packed[:, 0] = weights.detach()[part]
            for slot, name in enumerate(self.state_names, 1):
                if self.opt.state[weights].get(name) is not None:
                    packed[:, slot] = self.opt.state[weights][name][part]
        low, high = getattr(self.model, "rating_range", (0.0, 0.0))
        self.output = (hasattr(self.model, "rating_range"), low, high - low)
        self.set_ones()
        self.prepare()

    @classmethod
    @abstractmethod
    def refuses(cls, model: nn.Module, opt: Optimizer, crit: Loss, data: ColumnarModelData) -> str:
        """Return why this fit can't be done here, "" where it can."""

    @abstractmethod
    def prepare(self) -> None:
        """Compile what an epoch needs, so that its time is not the first epoch's."""

    @abstractmethod
    def batches(self, rows: Columns, order: Tensor) -> np.ndarray:
        """Train on these rows, a batch at a time, and return the loss of each batch."""

    @abstractmethod
    def catch_up(self) -> None:
        """Bring every row up to date."""

    def start_epoch(self, rows: Columns, order: Tensor) -> None:
        """Refuse a row that is not there."""
        super().start_epoch(rows, order)
        self.check(rows.cats)

    def run(self, rows: Columns, order: Tensor, first: int, stop: int, interrupted: threading.Event) -> int:
        """Train on the batches first to stop - 1; an interrupt waits until they are done."""
        losses = self.batches(rows, order[first * self.bs : stop * self.bs])
        if not self.step:
            y = rows.y[order[: self.bs]]
            zero = F.mse_loss(torch.zeros_like(y), y).item()
            self._average, self._limit = 0.0, DIVERGED * max(np.fmax(losses[0], zero), 1.0)
        for loss in losses.tolist():
            self._average = SMOOTHING * self._average + (1 - SMOOTHING) * loss
        self.step += stop - first
        return stop

    def finish(self) -> None:
        """Bring every row up to date and copy weights and state back to the model and the optimizer."""
        self.catch_up()
        for weights, part, packed in self.parts():
            weights.detach()[part] = packed[:, 0].to(weights.dtype)
            state = self.opt.state[weights]
            for slot, name in enumerate(self.state_names, 1):
                if state.get(name) is None:
                    state[name] = torch.zeros_like(weights, requires_grad=False)
                state[name][part] = packed[:, slot].to(weights.dtype)

    def zeros(self, n_rows: int, width: int) -> Tensor:
        """Return an empty table (n_rows, n_slots, width) where the model is; torch aligns it to cache lines."""
        device = self.model.u.weight.device
        return torch.zeros((n_rows, self.n_slots, width), dtype=self.dtype, device=device)

    def lrs(self, n: int) -> np.ndarray:
        """Return the learning rates of the next n steps."""
        return self.base_lrs[0] * np.array([self.lr_factor(step) for step in range(self.step, self.step + n)])

    def set_ones(self) -> None:
        """Put the constants back that stand opposite to the biases; without biases they are 0."""
        self.users[:, 0, self.n_factors + 1] = self.one
        self.movies[:, 0, self.n_factors] = self.one

    def parts(self) -> Iterator[tuple[Tensor, Part, Tensor]]:
        """Yield the model's weights, which part of them, and where it is packed: (n_rows, n_slots, n_columns)."""
        n = self.n_factors
        yield self.model.u.weight, np.s_[:], self.users[:, :, :n]
        yield self.model.m.weight, np.s_[:], self.movies[:, :, :n]
        if isinstance(self.model, EmbeddingDotBias):
            yield self.model.ub.weight, np.s_[:], self.users[:, :, n : n + 1]
            yield self.model.mb.weight, np.s_[:], self.movies[:, :, n + 1 : n + 2]

    def check(self, cats: Tensor) -> None:
        """Raise InputError for a row that is not there: compiled code would read beyond the table."""
        for name, column, table in (("user", 0, self.users), ("movie", 1, self.movies)):
            if len(cats) and (row := int(cats[:, column].max())) >= len(table):
                raise outside(f"{name} row {row:,} of {len(table):,}")


def why_not(device: str, model: nn.Module, opt: Optimizer, crit: Loss, data: ColumnarModelData) -> str:
    """Return what keeps a fit from running on packed tables on this device; "" where nothing does."""
    modules = list(model.modules())
    weights = list(model.parameters())
    tables = [module for module in modules if isinstance(module, nn.Embedding)]
    layers = [module for module in modules if not isinstance(module, nn.Embedding)][1:]
    plain = {"sparse": False, "max_norm": None, "padding_idx": None, "scale_grad_by_freq": False}
    hooks = [getattr(module, name) for module in modules for name in _MODULE_HOOKS]
    hooks += [getattr(opt, name) for name in _OPTIMIZER_HOOKS] + ["step" in vars(opt)]  # schedulers wrap the step
    reasons = (
        (f"a model on the device {device}", any(weight.device.type != device for weight in weights)),
        ("float32 weights", any(weight.dtype != torch.float32 or not weight.is_contiguous() for weight in weights)),
        ("weights that all learn", not all(weight.requires_grad for weight in weights)),
        ("plain embeddings", any(getattr(table, name) != value for table in tables for name, value in plain.items())),
        ("the model's own layers", {type(table) for table in tables} != {nn.Embedding} or not _are_plain(layers)),
        ("the model's own forward", any("forward" in vars(module) for module in modules)),
        ("no hooks", any(hooks)),
        ("one group of parameters, all of the model's", not _has_all(opt, weights)),
        ("the loss F.mse_loss", not _is_mse(crit)),
        ("columns of users and movies", data.cats.shape[1] < 2),
    )
    return next((f"it needs {need}" for need, missing in reasons if missing), "")


_MODULE_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_OPTIMIZER_HOOKS = ("_optimizer_step_pre_hooks", "_optimizer_step_post_hooks")


def _are_plain(layers: list[nn.Module]) -> bool:
    return all(type(layer) is nn.Dropout or (type(layer) is nn.Linear and layer.bias is not None) for layer in layers)


def _has_all(opt: Optimizer, weights: list[nn.Parameter]) -> bool:
    groups = opt.param_groups
    return len(groups) == 1 and {id(weight) for weight in groups[0]["params"]} == {id(weight) for weight in weights}


def _is_mse(crit: Loss) -> bool:
    return crit is F.mse_loss or (type(crit) is nn.MSELoss and crit.reduction == "mean")


def padded(n: int) -> int:
    """Return the length of whole vectors that hold n numbers."""
    return -(-n // LANES) * LANES
