"""What one epoch of a fit is: the order of the rows, the reports and the limits; and how torch does its batches."""

import math
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NoReturn

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from cf_excel.errors import InputError
from cf_excel.learn.model_data import Columns
from cf_excel.learn.progress import Progress
from cf_excel.learn.schedules import Schedule

Loss = Callable[[Tensor, Tensor], Tensor]
"""Takes predictions (B,) and truth (B,), returns one number, such as torch.nn.functional.mse_loss."""

SMOOTHING = 0.98
REPORT_EVERY = 64  # batches; reading the loss waits for a GPU, so it is not done at every batch
REPORT_ROWS = 2**20  # large batches are reported after so many rows, so that Ctrl-C and the bar need not wait
PREDICT_ROWS = 16384  # rows of a forward without gradients
PREDICT_ROWS_CUDA = 2**20
DIVERGED = 10.0  # times the loss of predicting zero everywhere


@dataclass(eq=False)
class Loop(ABC):
    """One fit, and the state that lives through its epochs: the step and the smoothed loss."""

    name: ClassVar[str]
    model: nn.Module
    opt: Optimizer
    crit: Loss
    bs: int
    schedule: Schedule | None
    progress: Progress

    def __post_init__(self) -> None:
        self.base_lrs = [group["lr"] for group in self.opt.param_groups]
        self.step = 0
        self.loss = math.nan
        self._average: float | Tensor  # the smoothed loss and what it may come to, from the first batch on
        self._limit: float | Tensor

    @abstractmethod
    def run(self, rows: Columns, order: Tensor, first: int, stop: int, interrupted: threading.Event) -> int:
        """Train on the batches first to stop - 1 of this order of the rows; return which batch is next."""

    @abstractmethod
    def finish(self) -> None:
        """Leave model and optimizer as they are after the last batch."""

    def start_epoch(self, rows: Columns, order: Tensor) -> None:
        """Get ready for the rows in this order."""
        self.model.train()

    def predict(self, rows: Columns) -> Tensor:
        """Return the model's predictions (n,) between two epochs."""
        return predict(self.model, rows)

    def epoch(self, rows: Columns, interrupted: threading.Event) -> None:
        """Train on every row once, in a new order; an interrupt ends it after the batch."""
        order = torch.randperm(len(rows.y), device=rows.y.device)
        self.start_epoch(rows, order)
        n_batches = -(-len(order) // self.bs)
        batch = 0
        try:
            while batch < n_batches and not (batch and interrupted.is_set()):
                until_report = REPORT_EVERY - self.step % REPORT_EVERY
                stop = min(batch + until_report, batch + max(REPORT_ROWS // self.bs, 1), n_batches)
                batch = self.run(rows, order, batch, stop, interrupted)
                self._report()
        finally:
            self.finish()

    def lr_factor(self, step: int) -> float:
        """Return the factor of the learning rates at a step."""
        return 1.0 if self.schedule is None else self.schedule(step)

    def refuse(self, loss: float) -> NoReturn:
        """Raise InputError for a loss that went astray."""
        lr = max(self.base_lrs)
        raise InputError(
            f"the loss is {loss:.4g} after {self.step:,} batches at learning rate {lr:g}: "
            f"it diverges; start again with a lower learning rate, such as {min(lr / 10, 0.1):g}"
        )

    def _report(self) -> None:
        """Read the smoothed loss from the device and stop a fit that got lost."""
        self.loss = float(self._average) / (1 - SMOOTHING**self.step)
        if not self.loss <= float(self._limit):
            self.refuse(self.loss)
        self.progress.batches(self.step, self.loss)


class TorchLoop(Loop):
    """Any model and any optimizer, batch by batch in torch; data stay on the device, there is no DataLoader."""

    name = "torch"
    _average: Tensor  # stays on the device until it is reported

    def __post_init__(self) -> None:
        super().__post_init__()
        _use_fused(self.opt, self.model)

    def run(self, rows: Columns, order: Tensor, first: int, stop: int, interrupted: threading.Event) -> int:
        """Train on the batches first to stop - 1, and look for an interrupt after each."""
        chosen = order[first * self.bs : stop * self.bs]
        batches = zip(*(part[chosen].split(self.bs) for part in rows), strict=True)
        for batch, (cats, conts, y) in enumerate(batches, first + 1):
            self._batch(cats, conts, y)
            if interrupted.is_set():
                return batch
        return stop

    def finish(self) -> None:
        """Give the optimizer its learning rates back."""
        if self.schedule is not None:
            self._set_lrs(1.0)

    def _batch(self, cats: Tensor, conts: Tensor, y: Tensor) -> None:
        if self.schedule is not None:
            self._set_lrs(self.lr_factor(self.step))
        self.opt.zero_grad()
        self._learn(cats, conts, y)
        self.step += 1

    def _learn(self, cats: Tensor, conts: Tensor, y: Tensor) -> None:
        loss = self.crit(flat(_forward(self.model, cats, conts), len(y)), y)
        loss.backward()
        self.opt.step()
        self._smooth(loss.detach(), y)

    def _smooth(self, loss: Tensor, y: Tensor) -> None:
        """Take in the loss of one batch; the first one tells what a loss may come to."""
        if not self.step:
            self._average = torch.zeros_like(loss)
            self._limit = DIVERGED * torch.clamp(torch.fmax(loss, self.crit(torch.zeros_like(y), y)), min=1.0)
        self._average.lerp_(loss, 1 - SMOOTHING)

    def _set_lrs(self, factor: float) -> None:
        for group, lr in zip(self.opt.param_groups, self.base_lrs, strict=True):
            group["lr"] = lr * factor


def predict(model: nn.Module, columns: Columns) -> Tensor:
    """Return the model's predictions (n,) for rows, without dropout and without gradients."""
    was_training = model.training
    model.eval()
    with torch.no_grad():
        n_rows = PREDICT_ROWS_CUDA if columns.y.device.type == "cuda" else PREDICT_ROWS
        chunks = zip(*(part.split(n_rows) for part in columns), strict=True)
        parts = [flat(_forward(model, cats, conts), len(y)) for cats, conts, y in chunks if len(y)]
    model.train(was_training)
    return torch.cat(parts) if parts else torch.empty(0)


def flat(prediction: Tensor, n: int) -> Tensor:
    """Return predictions of shape (n,) or (n, 1) as (n,).

    Raises InputError for any other shape: a loss would pair every prediction with every rating and look reasonable.
    """
    shape = tuple(prediction.shape)
    if shape in ((n,), (n, 1)) or (n == 1 and shape == ()):
        return prediction.reshape(n)
    raise InputError(
        f"forward returned shape {shape} for {n} rows: expected ({n},) or ({n}, 1), else the loss is broadcast; "
        "a bias of shape (n, 1) needs .squeeze(1)"
    )


def outside(error: object) -> InputError:
    """Return the error for a category that its embedding has no row for."""
    return InputError(
        f"a category is outside its embedding ({error}): map ids to 0, 1, 2 ..., one row of the embedding each"
    )


def _forward(model: nn.Module, cats: Tensor, conts: Tensor) -> Tensor:
    try:
        return model(cats, conts)
    except IndexError as error:
        raise outside(error) from error


def _use_fused(opt: Optimizer, model: nn.Module) -> None:
    """Pick torch's fused kernels where the optimizer has no choice set: the same steps in one pass over the weights."""
    device = next(model.parameters()).device
    if type(opt) not in (SGD, Adam, AdamW) or opt.state or device.type not in ("cpu", "cuda"):
        return
    if any(getattr(module, "sparse", False) for module in model.modules()):
        return  # the fused kernels take dense gradients only
    for group in opt.param_groups:
        if group["fused"] is None and group["foreach"] is None and not group["differentiable"]:
            group["fused"] = True
