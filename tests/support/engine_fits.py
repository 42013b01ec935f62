"""Fits by two engines, and how far they may be apart."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import nn, optim

from cf_excel.learn.lesson.recipes import make_data
from cf_excel.learn.model_data import ColumnarModelData
from cf_excel.learn.models import EmbeddingDot, EmbeddingDotBias, EmbeddingNet
from cf_excel.learn.progress import History
from cf_excel.learn.schedules import sgdr
from cf_excel.learn.trainer import fit
from cf_excel.ratings.table import Ratings
from cf_excel.ratings.validation import lesson_split
from support.planted import low_rank_ratings

SMALL = low_rank_ratings(30, 40)


TINY = low_rank_ratings(8, 10)


Fitted = tuple[nn.Module, optim.Optimizer, History]


def data_of(ratings: Ratings, bs: int) -> ColumnarModelData:
    return make_data(ratings, lesson_split(len(ratings)), bs)


def fitted(
    engine: str,
    make_model: Callable[[], nn.Module],
    data: ColumnarModelData,
    *,
    opt: Callable[..., optim.Optimizer] = optim.SGD,
    epochs: tuple[int, ...] = (2,),
    **options: object,
) -> Fitted:
    """Return model, optimizer and history after one or more fits from the same seed."""
    settings = {"lr": 0.1, "weight_decay": 1e-3} | ({"momentum": 0.9} if opt is optim.SGD else {})
    schedule = options.pop("schedule", None)
    torch.manual_seed(options.pop("seed", 3))
    model = make_model().to(options.pop("device", "cpu"))
    optimizer = opt(model.parameters(), **settings | options)
    for n in epochs:
        history = fit(model, data, n, optimizer, F.mse_loss, schedule=schedule, engine=engine)
    return model, optimizer, history


def assert_equal(mine: Fitted, torchs: Fitted, tolerance: float = 2e-6) -> None:
    """Compare weights, the optimizer's state, losses and the next random number."""
    assert mine[2].engine != torchs[2].engine == "torch"
    for (name, a), b in zip(mine[0].named_parameters(), torchs[0].parameters(), strict=True):
        assert (a - b).abs().max() < tolerance * max(1, b.abs().max()), name
        state, expected = mine[1].state[a], torchs[1].state[b]
        assert {key for key in state if state[key] is not None} == {
            key for key in expected if expected[key] is not None
        }
        for key, value in expected.items():
            if value is not None:
                assert (state[key] - value).abs().max() < tolerance * max(1, value.abs().max()), (name, key)
    for a, b in zip(mine[2].epochs, torchs[2].epochs, strict=True):
        assert a.train_loss == pytest.approx(b.train_loss, rel=1e-5)
        assert a.val_loss == pytest.approx(b.val_loss, rel=1e-5)


def dot_bias(n_factors: int = 5, ratings: Ratings = SMALL) -> nn.Module:
    return EmbeddingDotBias(ratings.n_users, ratings.n_movies, n_factors)


def dot(n_factors: int = 5, ratings: Ratings = SMALL) -> nn.Module:
    return EmbeddingDot(ratings.n_users, ratings.n_movies, n_factors)


def n_train(ratings: Ratings) -> int:
    return len(ratings) - len(lesson_split(len(ratings)))


def a_rate_a_batch(ratings: Ratings, bs: int = 16) -> Callable[[int], float]:
    return sgdr([1, 1], -(-n_train(ratings) // bs))


ODD = {
    "1 factor": lambda ratings: {"n_factors": 1},
    "300 factors": lambda ratings: {"n_factors": 300, "bs": 64},
    "last batch of 1": lambda ratings: {"bs": n_train(ratings) - 1},
    "batch of 1": lambda ratings: {"bs": 1, "lr": 0.01},
    "batch larger than the data": lambda ratings: {"bs": 10 * n_train(ratings)},
    "lr 0": lambda ratings: {"lr": 0.0},
    "momentum 0": lambda ratings: {"momentum": 0.0},
    "momentum .99": lambda ratings: {"momentum": 0.99, "lr": 0.01},
    "decay 0": lambda ratings: {"weight_decay": 0.0},
    "large decay": lambda ratings: {"weight_decay": 0.5},
    "a rate for each batch": lambda ratings: {"schedule": a_rate_a_batch(ratings)},
    "a rate for each batch, some 0": lambda ratings: {"schedule": lambda step: step % 3 / 2},
    "two stages": lambda ratings: {"schedule": lambda step: 1.0 if step < 30 else 0.1},
    "two fits": lambda ratings: {"epochs": (1, 2)},
    "two fits with schedules": lambda ratings: {"epochs": (1, 1), "schedule": a_rate_a_batch(ratings)},
}


def assert_lazy_is_torchs(
    case: str, make: Callable[[int, Ratings], nn.Module], ratings: Ratings, engine: str, device: str = "cpu"
) -> None:
    """Fit twice, by the engine and by torch, and compare all there is."""
    options = {"bs": 16, "n_factors": 5, "device": device} | ODD[case](ratings)
    data, n_factors = data_of(ratings, options.pop("bs")), options.pop("n_factors")
    if make is dot:
        options["lr"] = options.get("lr", 0.1) / 5
    mine, torchs = (fitted(name, lambda: make(n_factors, ratings), data, **options) for name in (engine, "torch"))
    assert mine[2].engine == "lazy"
    assert_equal(mine, torchs)


def net(p1: float = 0.0, p2: float = 0.0) -> nn.Module:
    return EmbeddingNet(SMALL.n_users, SMALL.n_movies, 5, (0.5, 5.0), p1=p1, p2=p2)
