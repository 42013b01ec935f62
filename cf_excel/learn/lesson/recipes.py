"""The lesson's way to train each kind of model, and one function that follows it."""

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import SGD, Adam, Optimizer

from cf_excel.errors import InputError
from cf_excel.learn.devices import pick_device
from cf_excel.learn.model_data import ColumnarModelData
from cf_excel.learn.models import CollabModel, EmbeddingDot, EmbeddingDotBias, EmbeddingNet, LessonModel
from cf_excel.learn.progress import History, Progress
from cf_excel.learn.schedules import Schedule, doubling_cycles, sgdr, two_stages
from cf_excel.learn.sparse_adam import SparseAdam
from cf_excel.learn.trainer import fit, predict
from cf_excel.model.kinds import Kind
from cf_excel.ratings.table import Ratings
from cf_excel.ratings.validation import row_numbers

SPARSE_ADAM = "sparse-adam"
MAX_FACTORS = 4096
MAX_SEED = 2**63 - 1
_TOLD = "__dynamo_disable"  # torch/_compile.py


@dataclass(frozen=True)
class Settings:
    """How to train: kind of model, epochs, learning rate, weight decay (L2), and where.

    optimizer: "sgd", with momentum 0.9, "adam", or "sparse-adam", which moves only the rows that a batch names.
    device: "auto", "cpu", "cuda" or "mps". threads: None lets the trainer choose.
    engine: "auto", "torch", "lazy", "fused" or "graph", as in trainer.fit.
    Raises InputError for values that can't work and for a device that is not there.
    """

    kind: str
    optimizer: str
    epochs: int
    lr: float
    wd: float
    n_factors: int = Kind.n_factors
    batch_size: int = 64
    seed: int = 0
    device: str = "auto"
    threads: int | None = None
    engine: str = "auto"

    def __post_init__(self) -> None:
        for name, value, most in (
            ("epochs", self.epochs, None),
            ("factors", self.n_factors, MAX_FACTORS),
            ("batch size", self.batch_size, None),
            ("threads", self.threads, os.cpu_count()),
        ):
            if value is not None and (value < 1 or (most is not None and value > most)):
                expected = "1 or more" if most is None else f"1 to {most:,}"
                raise InputError(f"{name} {value}: expected {expected}")
        if not (math.isfinite(self.lr) and self.lr > 0):
            raise InputError(f"learning rate {self.lr:g}: expected a number above 0, such as {RECIPES[self.kind].lr:g}")
        if not (math.isfinite(self.wd) and self.wd >= 0):
            raise InputError(f"weight decay {self.wd:g}: expected 0 or more, such as {RECIPES[self.kind].wd:g}")
        if not 0 <= self.seed <= MAX_SEED:
            raise InputError(f"seed {self.seed}: expected a whole number from 0 to {MAX_SEED}")
        pick_device(self.device)


@dataclass(frozen=True)
class Recipe:
    """The lesson's settings for a kind of model; `schedule` takes the number of epochs and of batches in one.

    sparse_wd: the weight decay for SparseAdam, found within the lesson's training ratings; None: it is not offered.
    """

    model: Callable[..., LessonModel]
    has_range: bool
    optimizer: str
    epochs: int
    lr: float
    wd: float
    schedule: Callable[[int, int], Schedule | None]
    sparse_wd: float | None = None


RECIPES = {
    "dot": Recipe(EmbeddingDot, False, "sgd", 6, 0.1, 1e-5, lambda epochs, batches: two_stages(epochs, batches, 0.1)),
    "dot-bias": Recipe(
        EmbeddingDotBias, True, "sgd", 6, 0.1, 2e-4, lambda epochs, batches: two_stages(epochs, batches, 0.1)
    ),
    "net": Recipe(EmbeddingNet, True, "adam", 6, 1e-3, 1e-5, lambda epochs, batches: None, 1e-5),
    "collab": Recipe(
        CollabModel, True, "adam", 3, 1e-2, 2e-4, lambda epochs, batches: sgdr(doubling_cycles(epochs), batches), 3e-3
    ),
}


@dataclass(frozen=True)
class Trained:
    """A fitted model, on the CPU, and how it got there; val_predictions (n_val,) are for val_rows, in rising order."""

    model: LessonModel
    settings: Settings
    val_rows: np.ndarray
    history: History = field(default_factory=History)
    val_predictions: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))


def lesson_settings(kind: str = "collab", **changes: object) -> Settings:
    """Return the lesson's settings for a kind of model, with those changes that are not None.

    Raises InputError for an unknown kind, for values that can't work and for SparseAdam where it is not offered.
    """
    if kind not in RECIPES:
        raise InputError(f"model {kind!r}: expected one of {', '.join(RECIPES)}")
    recipe = RECIPES[kind]
    values: dict[str, Any] = {"optimizer": recipe.optimizer, "epochs": recipe.epochs, "lr": recipe.lr, "wd": recipe.wd}
    if changes.get("optimizer") == SPARSE_ADAM:
        if recipe.sparse_wd is None:
            raise InputError(f"optimizer {SPARSE_ADAM} is for the models net and collab: leave it out for {kind}")
        values["wd"] = recipe.sparse_wd
    return Settings(kind=kind, **values | {name: value for name, value in changes.items() if value is not None})


def make_model(kind: str, ratings: Ratings, n_factors: int = Kind.n_factors) -> LessonModel:
    """Return an untrained model of a kind that fits the ratings' users, movies and range."""
    recipe = RECIPES[kind]
    extra = (ratings.rating_range,) if recipe.has_range else ()
    return recipe.model(ratings.n_users, ratings.n_movies, n_factors, *extra)


def make_optimizer(model: nn.Module, settings: Settings) -> Optimizer:
    """Return the optimizer that the settings name, for all weights of the model."""
    with _without_compiler():
        if settings.optimizer == "sgd":
            return SGD(model.parameters(), settings.lr, momentum=0.9, weight_decay=settings.wd)
        if settings.optimizer == SPARSE_ADAM:
            return SparseAdam(model, settings.lr, weight_decay=settings.wd)
        return Adam(model.parameters(), settings.lr, weight_decay=settings.wd)


@contextmanager
def _without_compiler() -> Iterator[None]:
    """Keep torch.optim from importing torch's compiler, which takes a second and a half and is not used.

    Every optimizer would import it to tell it to leave add_param_group alone, unless that was told already.
    """
    inner = getattr(Optimizer.add_param_group, "__wrapped__", None)
    if inner is None or hasattr(inner, _TOLD):
        yield
        return
    setattr(inner, _TOLD, inner)
    try:
        yield
    finally:
        delattr(inner, _TOLD)


def make_data(ratings: Ratings, val_rows: np.ndarray, batch_size: int = 64) -> ColumnarModelData:
    """Return the ratings as columns for a fit: user row and movie row."""
    cats = np.stack([ratings.user_idx, ratings.movie_idx], axis=1)
    return ColumnarModelData(val_rows, cats, np.empty((len(ratings), 0)), ratings.rating, batch_size)


def train(ratings: Ratings, val_rows: np.ndarray, settings: Settings, progress: Progress | None = None) -> Trained:
    """Train a model as the settings say, with MSE as the loss and MAE as the metric of the history.

    The same seed on the same device gives the same numbers; torch's own random state is left as it was.
    Raises InputError when the fit diverges and for a model that memory can't hold.
    """
    device = pick_device(settings.device)
    val_rows = row_numbers(val_rows, len(ratings))
    data = make_data(ratings, val_rows, settings.batch_size)
    try:
        with torch.random.fork_rng(devices=[torch.cuda.current_device()] if device.type == "cuda" else []):
            torch.manual_seed(settings.seed)
            model = make_model(settings.kind, ratings, settings.n_factors).to(device)
            history = fit(
                model,
                data,
                settings.epochs,
                make_optimizer(model, settings),
                F.mse_loss,
                schedule=RECIPES[settings.kind].schedule(settings.epochs, data.n_batches),
                metrics=[F.l1_loss],
                progress=progress,
                threads=settings.threads,
                engine=settings.engine,
            )
        predictions = predict(model, data.validation(device)).cpu().numpy()
    except RuntimeError as error:
        if "memory" not in str(error):
            raise
        n_weights = (ratings.n_users + ratings.n_movies) * settings.n_factors
        raise InputError(f"{n_weights:,} weights do not fit into memory on {device}: use fewer factors") from None
    return Trained(
        model.cpu(), replace(settings, device=device.type, engine=history.engine), val_rows, history, predictions
    )
