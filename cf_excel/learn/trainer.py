"""One loop that fits any model: data stay on the device, batches are slices of a permutation, no DataLoader."""

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from cf_excel.errors import InputError
from cf_excel.learn.columns import ColumnarModelData, Columns
from cf_excel.learn.progress import Epoch, History, Progress, interruptible
from cf_excel.learn.schedules import Schedule

Loss = Callable[[Tensor, Tensor], Tensor]
"""Takes predictions (B,) and truth (B,), returns one number, such as torch.nn.functional.mse_loss."""

SMOOTHING = 0.98
REPORT_EVERY = 64  # batches; reading the loss waits for a GPU, so it is not done at every batch
PREDICT_ROWS = 16384  # rows of a forward without gradients
SMALL_BATCH = 4096  # up to here a second CPU thread costs more than it gives
DIVERGED = 10.0  # times the loss of predicting zero everywhere


def fit(
    model: nn.Module,
    data: ColumnarModelData,
    n_epochs: int,
    opt: Optimizer,
    crit: Loss,
    *,
    schedule: Schedule | None = None,
    metrics: Sequence[Loss] = (),
    progress: Progress | None = None,
    threads: int | None = None,
) -> History:
    """Fit the model where it is (CPU, CUDA, MPS) and return the history of its losses.

    schedule: factor of the learning rates at each step. threads: CPU threads, by default one for small batches.
    The order of the rows and the dropout come from torch's random numbers: torch.manual_seed fixes them.
    Ctrl-C ends the fit after the batch; the model keeps what it learnt, and the history says where it stopped.
    Raises InputError when the loss is NaN or diverges, and when predictions have a shape that the loss would broadcast.
    """
    if n_epochs < 1:
        raise InputError(f"{n_epochs} epochs: expected 1 or more")
    device = _device_of(model)
    training, validation = data.training(device), data.validation(device)
    history = History()
    progress = progress or Progress()
    progress.begin(n_epochs, data.n_batches, len(training.y))
    _use_fused(opt, model, device)
    loop = _Loop(model, opt, crit, data.bs, schedule, progress)
    with _cpu_threads(threads or (1 if data.bs <= SMALL_BATCH else None), device), interruptible() as interrupted:
        for number in range(1, n_epochs + 1):
            start = time.perf_counter()
            loop.epoch(training, interrupted)
            scores = _evaluate(model, validation, (crit, *metrics))
            if len(validation.y) and not math.isfinite(scores[0]):
                loop.refuse(scores[0])
            epoch = Epoch(number, loop.loss, scores[0], scores[1:], time.perf_counter() - start)
            history.epochs.append(epoch)
            progress.epoch(epoch)
            if interrupted.is_set() and loop.step < n_epochs * data.n_batches:
                batch = loop.step - (number - 1) * data.n_batches
                history.stopped = f"batch {batch:,} of {data.n_batches:,} in epoch {number} of {n_epochs}"
                progress.stopped(history.stopped)
                break
    return history


def predict(model: nn.Module, columns: Columns) -> Tensor:
    """Return the model's predictions (n,) for rows, without dropout and without gradients."""
    was_training = model.training
    model.eval()
    with torch.no_grad():
        chunks = zip(*(part.split(PREDICT_ROWS) for part in columns), strict=True)
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


class _Loop:
    """The state that lives through the epochs of one fit: the step and the smoothed loss."""

    def __init__(
        self, model: nn.Module, opt: Optimizer, crit: Loss, bs: int, schedule: Schedule | None, progress: Progress
    ) -> None:
        self.model, self.opt, self.crit, self.bs, self.progress = model, opt, crit, bs, progress
        self.schedule = schedule
        self.base_lrs = [group["lr"] for group in opt.param_groups]
        self.step = 0
        self.loss = math.nan
        self._average: Tensor | None = None
        self._limit: Tensor | None = None

    def epoch(self, rows: Columns, interrupted: threading.Event) -> None:
        """Train on every row once, in a new order; an interrupt ends it after the batch."""
        self.model.train()
        order = torch.randperm(len(rows.y)).to(rows.y.device)
        batches = zip(*(part[order].split(self.bs) for part in rows), strict=True)
        try:
            for cats, conts, y in batches:
                self._batch(cats, conts, y)
                if interrupted.is_set():
                    break
                if self.step % REPORT_EVERY == 0:
                    self._report()
        finally:
            if self.schedule is not None:
                self._set_lrs(1.0)
        self._report()

    def _batch(self, cats: Tensor, conts: Tensor, y: Tensor) -> None:
        if self.schedule is not None:
            self._set_lrs(self.schedule(self.step))
        loss = self.crit(flat(_forward(self.model, cats, conts), len(y)), y)
        self.opt.zero_grad()
        loss.backward()
        self.opt.step()
        self._smooth(loss.detach(), y)
        self.step += 1

    def _smooth(self, loss: Tensor, y: Tensor) -> None:
        if self._average is None:
            self._average = torch.zeros_like(loss)
            self._limit = DIVERGED * torch.clamp(torch.fmax(loss, self.crit(torch.zeros_like(y), y)), min=1.0)
        self._average.lerp_(loss, 1 - SMOOTHING)

    def _report(self) -> None:
        """Read the smoothed loss from the device and stop a fit that got lost."""
        self.loss = float(self._average) / (1 - SMOOTHING**self.step)
        if not self.loss <= float(self._limit):
            self.refuse(self.loss)
        self.progress.batches(self.step, self.loss)

    def refuse(self, loss: float) -> NoReturn:
        """Raise InputError for a loss that went astray."""
        lr = max(self.base_lrs)
        raise InputError(
            f"the loss is {loss:.4g} after {self.step:,} batches at learning rate {lr:g}: "
            f"it diverges; start again with a lower learning rate, such as {min(lr / 10, 0.1):g}"
        )

    def _set_lrs(self, factor: float) -> None:
        for group, lr in zip(self.opt.param_groups, self.base_lrs, strict=True):
            group["lr"] = lr * factor


def _forward(model: nn.Module, cats: Tensor, conts: Tensor) -> Tensor:
    try:
        return model(cats, conts)
    except IndexError as error:
        raise InputError(
            f"a category is outside its embedding ({error}): map ids to 0, 1, 2 ..., one row of the embedding each"
        ) from error


def _evaluate(model: nn.Module, rows: Columns, losses: Sequence[Loss]) -> tuple[float, ...]:
    if not len(rows.y):
        return (math.nan,) * len(losses)
    prediction = predict(model, rows)
    return tuple(float(loss(prediction, rows.y)) for loss in losses)


def _device_of(model: nn.Module) -> torch.device:
    for parameter in model.parameters():
        return parameter.device
    raise InputError(f"{type(model).__name__} has no parameters: there is nothing to fit")


def _use_fused(opt: Optimizer, model: nn.Module, device: torch.device) -> None:
    """Pick torch's fused kernels where the optimizer has no choice set: the same steps in one pass over the weights."""
    if type(opt) not in (SGD, Adam, AdamW) or opt.state or device.type not in ("cpu", "cuda"):
        return
    if any(getattr(module, "sparse", False) for module in model.modules()):
        return  # the fused kernels take dense gradients only
    for group in opt.param_groups:
        if group["fused"] is None and group["foreach"] is None and not group["differentiable"]:
            group["fused"] = True


@contextmanager
def _cpu_threads(n: int | None, device: torch.device) -> Iterator[None]:
    if n is None or device.type != "cpu":
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)
