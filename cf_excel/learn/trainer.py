"""One function that fits any model, with whichever engine can do it fastest and with the same result."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn
from torch.optim import Optimizer

from cf_excel.errors import InputError, wrong_type
from cf_excel.learn.engines.choice import pick_engine
from cf_excel.learn.engines.loop import SMOOTHING, Loop, Loss, flat, predict
from cf_excel.learn.model_data import ColumnarModelData, Columns
from cf_excel.learn.progress import Epoch, History, Progress, interruptible
from cf_excel.learn.schedules import Schedule

__all__ = ["SMOOTHING", "Loss", "fit", "flat", "predict"]

SMALL_BATCH = 4096  # up to here a second CPU thread costs more than it gives


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
    engine: str = "auto",
) -> History:
    """Fit the model where it is (CPU, CUDA, MPS) and return the history of its losses.

    schedule: factor of the learning rates at each step. threads: CPU threads, by default one for small batches.
    engine: "torch" is the plain loop; "lazy" and "fused" do the same steps to the lesson's models on the CPU, many
    times faster, in one thread, and on CUDA "lazy", with Triton, and "graph", for Adam; "auto" takes these where they
    can do it.
    The order of the rows and the dropout come from torch's random numbers: torch.manual_seed fixes them.
    Ctrl-C ends the fit after the batch; the model keeps what it learnt, and the history says where it stopped.
    Raises InputError when the loss is NaN or diverges, when predictions have a shape that the loss would broadcast, and
    for an engine that can't do it.
    """
    if n_epochs < 1:
        raise InputError(f"{n_epochs} epochs: expected 1 or more")
    if not isinstance(opt, Optimizer):
        raise wrong_type(opt, "an optimizer, such as optim.SGD(model.parameters(), lr=0.1)")
    device = _device_of(model)
    make_loop = pick_engine(engine, model, opt, crit, data)
    training, validation = data.training(device), data.validation(device)
    history = History(engine=make_loop.name)
    progress = progress or Progress()
    bs = min(data.bs, len(training.y))  # memory is taken for a batch
    loop = make_loop(model, opt, crit, bs, schedule, progress)
    progress.begin(n_epochs, data.n_batches, len(training.y))
    threads = threads or (1 if data.bs <= SMALL_BATCH else None)
    with _cpu_threads(threads, device), _no_denormals(), interruptible() as interrupted:
        for number in range(1, n_epochs + 1):
            start = time.perf_counter()
            loop.epoch(training, interrupted)
            scores = _evaluate(loop, validation, (crit, *metrics))
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


def _evaluate(loop: Loop, rows: Columns, losses: Sequence[Loss]) -> tuple[float, ...]:
    if not len(rows.y):
        return (math.nan,) * len(losses)
    prediction = loop.predict(rows)
    return tuple(float(loss(prediction, rows.y)) for loss in losses)


def _device_of(model: nn.Module) -> torch.device:
    for parameter in model.parameters():
        return parameter.device
    raise InputError(f"{type(model).__name__} has no parameters: there is nothing to fit")


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


@contextmanager
def _no_denormals() -> Iterator[None]:
    """Count numbers below 1e-38 as 0: decay leads the weights of rare rows there, where processors are slow."""
    before = torch.tensor([1e-40]).add(0.0).item() == 0.0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)
