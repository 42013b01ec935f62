"""The compiled engines do what torch does, to the last digits."""

import argparse
import math
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from support.engine_fits import (
    ODD,
    SMALL,
    a_rate_a_batch,
    assert_equal,
    assert_lazy_is_torchs,
    data_of,
    dot,
    dot_bias,
    fitted,
    n_train,
    net,
)
from support.planted import make_ratings
from torch import nn, optim

import cf_excel
from cf_excel.cli.train import add_parser
from cf_excel.errors import InputError
from cf_excel.learn.engines.choice import ENGINES, pick_engine
from cf_excel.learn.engines.lazy_sgd import WINDOW
from cf_excel.learn.lesson.recipes import RECIPES, lesson_settings, make_data, make_model, train
from cf_excel.learn.model_data import ColumnarModelData
from cf_excel.learn.models import CollabModel, EmbeddingDot, EmbeddingDotBias
from cf_excel.learn.progress import Progress
from cf_excel.learn.schedules import sgdr
from cf_excel.learn.trainer import fit
from cf_excel.ratings.readers import load_ratings
from cf_excel.ratings.table import Ratings
from cf_excel.ratings.validation import lesson_split

PER_BATCH = a_rate_a_batch(SMALL)


@pytest.mark.parametrize("make", [dot, dot_bias])
@pytest.mark.parametrize("case", list(ODD))
def test_lazy_sgd_is_torchs(case: str, make: Callable[[int, Ratings], nn.Module]) -> None:
    assert_lazy_is_torchs(case, make, SMALL, "auto")


def test_rows_that_wait_across_windows() -> None:
    rng = np.random.default_rng(0)
    n = 2 * WINDOW + 100
    users, movies = rng.integers(0, 5, n), rng.integers(0, 5, n)
    users[7], movies[n // 2], movies[-1] = 5, 5, 6  # each is rated once
    ratings = make_ratings(users, movies, rng.integers(1, 6, n))
    data = make_data(ratings, np.array([0, n - 1]), 1)
    for schedule in (None, sgdr([1], n)):
        mine, torchs = (
            fitted(engine, lambda: EmbeddingDotBias(6, 7, 3), data, lr=0.005, epochs=(1,), schedule=schedule)
            for engine in ("lazy", "torch")
        )
        assert_equal(mine, torchs, 5e-6)


def fit_in_float64(
    model: nn.Module, data: ColumnarModelData, epochs: int, lr: float, wd: float, schedule: Callable
) -> None:
    """Fit the model, turned to float64, with torch's plain loop."""
    opt = optim.SGD(model.double().parameters(), lr, momentum=0.9, weight_decay=wd, fused=True)
    rows = data.training(torch.device("cpu"))
    step = 0
    for _ in range(epochs):
        for batch in torch.randperm(len(rows.y)).split(data.bs):
            opt.param_groups[0]["lr"] = lr * schedule(step)
            opt.zero_grad()
            F.mse_loss(model(rows.cats[batch], None), rows.y[batch].double()).backward()
            opt.step()
            step += 1


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "most"), [("dot", 1e-6), ("dot-bias", 1e-5)])
def test_epochs_of_the_lesson_end_where_float64_ends(kind: str, most: float) -> None:
    ratings, settings = load_ratings(), replace(lesson_settings(kind, device="cpu"), epochs=2)
    data = make_data(ratings, lesson_split(len(ratings)))
    schedule = RECIPES[kind].schedule(settings.epochs, data.n_batches)
    trained = train(ratings, lesson_split(len(ratings)), settings)
    assert trained.settings.engine == "lazy"
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        exact = make_model(kind, ratings)
        fit_in_float64(exact, data, settings.epochs, settings.lr, settings.wd, schedule)
    for mine, truth in zip(trained.model.parameters(), exact.parameters(), strict=True):
        assert (mine - truth).abs().max() < most
    validation = data.validation(torch.device("cpu"))
    with torch.no_grad():
        val_mse = F.mse_loss(exact(validation.cats, None), validation.y.double()).item()
    assert trained.history.epochs[-1].val_loss == pytest.approx(val_mse, abs=5e-6)


@pytest.mark.parametrize("make", [dot, dot_bias, net], ids=["dot", "dot-bias", "net"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bs": 1, "epochs": (1,)},
        {"bs": 10 * n_train(SMALL)},
        {"weight_decay": 0.0},
        {"schedule": PER_BATCH},
        {"epochs": (1, 2)},
        {"betas": (0.5, 0.9), "eps": 1e-4},
    ],
    ids=["plain", "batch of 1", "large batch", "no decay", "schedule", "two fits", "betas"],
)
def test_fused_adam_is_torchs(make: Callable[[], nn.Module], options: dict) -> None:
    options = {"eps": 1e-5, "lr": 1e-3, "opt": optim.Adam, "bs": 16} | options  # a larger eps keeps rounding small
    data = data_of(SMALL, options.pop("bs"))
    mine, torchs = (fitted(engine, make, data, **options) for engine in ("auto", "torch"))
    assert mine[2].engine == "fused"
    assert_equal(mine, torchs, 2e-4)


@pytest.mark.parametrize("p", [0.05, 0.5, 1.0])
def test_masks_of_dropout_drop_their_share_and_keep_the_mean(p: float) -> None:
    from cf_excel.learn.engines.adam_kernels import draw_mask

    n = 100_000
    first, second, again = np.empty((3, n), np.float32)
    for mask, count in ((first, 0), (second, n), (again, 0)):
        draw_mask(mask, n, p, np.uint64(7), np.uint64(count))
    dropped = first == 0
    assert abs(dropped.mean() - p) <= 4 * math.sqrt(p * (1 - p) / n)
    assert set(first[~dropped]) <= {np.float32(1 / (1 - p))} if p < 1 else dropped.all()
    assert np.array_equal(first, again)
    for other in (second, np.roll(first, 1), np.roll(first, 56)):
        assert abs((dropped & (other == 0)).mean() - p * p) <= 4 * math.sqrt(p * p * (1 - p * p) / n)


def test_dropout_trains_as_torchs_does_and_repeats_with_the_seed() -> None:
    data, mine, torchs = data_of(SMALL, 32), [], []
    for seed in range(5):
        for engine, losses in (("fused", mine), ("torch", torchs), ("fused", mine)):
            options = {"opt": optim.Adam, "lr": 0.01, "epochs": (8,), "weight_decay": 1e-5, "seed": seed}
            losses.append(fitted(engine, lambda: net(0.5, 0.5), data, **options)[2].epochs[-1].train_loss)
    assert mine[::2] == mine[1::2]
    assert len(set(mine)) == 5
    spread = np.std(torchs, ddof=1) * math.sqrt(2 / 5)
    assert abs(np.mean(mine) - np.mean(torchs)) < 3 * spread


_ADAM = {"opt": lambda p: optim.Adam(p, 0.1)}


def _scheduled(parameters: Iterator[nn.Parameter]) -> optim.Optimizer:
    opt = optim.SGD(parameters, 0.1)
    optim.lr_scheduler.StepLR(opt, 1)
    return opt


@pytest.mark.parametrize(
    ("engine", "change", "reason"),
    [
        ("lazy", {"opt": lambda p: optim.Adam(p, 0.1)}, "it needs torch.optim.SGD, without nesterov"),
        ("lazy", {"opt": lambda p: optim.SGD(p, 0.1, momentum=0.9, nesterov=True)}, "it needs torch.optim.SGD"),
        ("lazy", {"opt": lambda p: optim.SGD(p, 0.1, dampening=0.1)}, "it needs torch.optim.SGD"),
        ("lazy", {"opt": lambda p: optim.SGD(p, 0.1, maximize=True)}, "it needs torch.optim.SGD"),
        ("lazy", {"opt": lambda p: optim.SGD(list(p)[:1], 0.1)}, "one group of parameters"),
        ("lazy", {"opt": lambda p: optim.SGD([{"params": [w]} for w in p], 0.1)}, "one group of parameters"),
        ("lazy", {"crit": F.l1_loss}, "the loss F.mse_loss"),
        ("lazy", {"crit": nn.MSELoss(reduction="sum")}, "the loss F.mse_loss"),
        ("lazy", {"model": net}, "it fits EmbeddingDot and EmbeddingDotBias, not EmbeddingNet"),
        ("lazy", {"model": lambda: type("Mine", (EmbeddingDot,), {})(30, 40)}, "not Mine"),
        ("lazy", {"model": lambda: dot().double()}, "float32 weights"),
        ("lazy", {"model": lambda: _changed(lambda m: m.u.weight.requires_grad_(False))}, "weights that all learn"),
        ("lazy", {"model": lambda: _changed(lambda m: setattr(m.u, "sparse", True))}, "plain embeddings"),
        ("lazy", {"model": lambda: _changed(lambda m: setattr(m.u, "max_norm", 1.0))}, "plain embeddings"),
        ("lazy", {"model": lambda: _changed(lambda m: setattr(m, "forward", None))}, "the model's own forward"),
        ("lazy", {"model": lambda: _changed(lambda m: m.register_forward_hook(lambda *a: None))}, "no hooks"),
        (
            "lazy",
            {"model": lambda: _changed(lambda m: setattr(m, "u", type("Mine", (nn.Embedding,), {})(30, 5)))},
            "layers",
        ),
        ("lazy", {"opt": _scheduled}, "no hooks"),
        ("lazy", {"columns": 1}, "columns of users and movies"),
        ("fused", {}, "it needs torch.optim.Adam, without amsgrad"),
        ("fused", {"opt": lambda p: optim.AdamW(p, 0.1)}, "it needs torch.optim.Adam"),
        ("fused", {"model": lambda: _changed(lambda m: setattr(m, "drop1", nn.Identity()), net), **_ADAM}, "layers"),
        (
            "fused",
            {"model": lambda: _changed(lambda m: setattr(m, "lin1", nn.Linear(10, 10, False)), net), **_ADAM},
            "layers",
        ),
        ("fused", {"opt": lambda p: optim.Adam(p, 0.1, amsgrad=True)}, "it needs torch.optim.Adam"),
    ],
)
def test_what_an_engine_can_not_do_is_torchs_or_one_line(engine: str, change: dict, reason: str) -> None:
    model = change.get("model", dot)()
    opt = change.get("opt", lambda p: optim.SGD(p, 0.1))(model.parameters())
    data = ColumnarModelData([0], np.zeros((4, change.get("columns", 2)), int), np.empty((4, 0)), np.ones(4))
    fit_of = (model, opt, change.get("crit", F.mse_loss), data)
    with pytest.raises(InputError, match=f"engine {engine} can't do this fit: .*{reason}.*; use --engine auto"):
        pick_engine(engine, *fit_of)
    auto = pick_engine("auto", *fit_of)
    assert auto.name != engine
    assert auto.name == "torch" or type(opt) in (optim.SGD, optim.Adam)


def _changed(change: Callable[[nn.Module], object], make: Callable[[], nn.Module] = dot) -> nn.Module:
    model = make()
    change(model)
    return model


def test_a_mean_squared_error_module_is_the_same_loss() -> None:
    model = CollabModel(30, 40)
    assert (
        pick_engine("auto", model, optim.SGD(model.parameters(), 0.1), nn.MSELoss(), data_of(SMALL, 8)).name == "lazy"
    )


def test_unknown_engines_and_missing_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    model = dot()
    fit_of = (model, optim.SGD(model.parameters(), 0.1), F.mse_loss, data_of(SMALL, 8))
    with pytest.raises(InputError, match="engine 'warp': expected one of auto, torch, lazy, fused, graph"):
        pick_engine("warp", *fit_of)
    monkeypatch.setattr("cf_excel.learn.engines.choice.find_spec", lambda name: None)
    assert pick_engine("auto", *fit_of).name == "torch"
    with pytest.raises(InputError, match="engine lazy can't do this fit: it needs numba"):
        pick_engine("lazy", *fit_of)


def test_the_command_offers_the_engines_that_there_are() -> None:
    commands = argparse.ArgumentParser().add_subparsers()
    add_parser(commands)
    (option,) = (action for action in commands.choices["train"]._actions if action.dest == "engine")
    assert tuple(option.choices) == ENGINES


@pytest.mark.parametrize(("engine", "opt"), [("lazy", optim.SGD), ("fused", optim.Adam)])
def test_a_row_that_is_not_there_is_refused_before_any_memory_is_touched(engine: str, opt: Callable) -> None:
    for val_rows in ([], [3]):
        cats = np.array([[0, 0], [1, 1], [2, 2], [3, 9]])
        data = ColumnarModelData(val_rows, cats, np.empty((4, 0)), np.ones(4), 2)
        model = EmbeddingDot(4, 9, 2)
        with pytest.raises(InputError, match=r"a category is outside its embedding \("):
            fit(model, data, 1, opt(model.parameters(), 0.1), F.mse_loss, engine=engine)


@pytest.mark.parametrize(("engine", "opt"), [("lazy", optim.SGD), ("fused", optim.Adam)])
def test_progress_sees_the_weights_of_the_epoch_and_the_same_reports(engine: str, opt: Callable) -> None:
    class Watching(Progress):
        def __init__(self) -> None:
            self.steps, self.sums = [], []

        def batches(self, step: int, loss: float) -> None:
            self.steps.append(step)

        def epoch(self, epoch: object) -> None:
            self.sums.append(self.model.u.weight.sum().item())

    heard = []
    for name in (engine, "torch"):
        progress = Watching()
        torch.manual_seed(1)
        progress.model = model = dot()
        data = data_of(SMALL, 3)
        fit(model, data, 2, opt(model.parameters(), 1e-3), F.mse_loss, progress=progress, engine=name)
        heard.append(progress)
    assert heard[0].steps == heard[1].steps
    assert heard[0].sums == pytest.approx(heard[1].sums, rel=1e-4)
    assert heard[0].sums[0] != heard[0].sums[1]


@pytest.mark.parametrize(("engine", "opt"), [("lazy", optim.SGD), ("fused", optim.Adam)])
def test_a_diverging_fit_is_refused_as_torchs(engine: str, opt: Callable) -> None:
    for lr in (200.0, 1e30):
        model = dot()
        with pytest.raises(InputError, match=r"it diverges; start again with a lower learning rate"):
            fit(model, data_of(SMALL, 8), 2, opt(model.parameters(), lr), F.mse_loss, engine=engine)


def test_a_fit_interrupted_in_a_large_epoch_keeps_the_epochs_before() -> None:
    class Stopping(Progress):
        weights = torch.empty(0)

        def epoch(self, epoch: object) -> None:
            self.weights = self.model.u.weight.detach().clone()

        def batches(self, step: int, loss: float) -> None:
            if step > 3 * data.n_batches:
                signal.raise_signal(signal.SIGINT)

    progress, data = Stopping(), data_of(SMALL, 2)
    progress.model = model = dot_bias()
    history = fit(model, data, 100, optim.SGD(model.parameters(), 0.01), F.mse_loss, progress=progress, engine="lazy")
    assert len(history.epochs) == 4
    assert history.stopped.endswith("in epoch 4 of 100")
    assert torch.equal(model.u.weight, progress.weights)
    assert history.epochs[-1].val_loss == pytest.approx(history.epochs[-2].val_loss, rel=0.1)


CACHED = """
from cf_excel.learn.engines import lazy_kernels
print(lazy_kernels.__file__)
print(lazy_kernels.predict._cache.cache_path)
"""


@pytest.mark.parametrize("home", ["there", "missing"])
def test_a_folder_that_can_not_be_written_is_no_obstacle(home: str, tmp_path: Path) -> None:
    package = tmp_path / "site" / "cf_excel"
    shutil.copytree(Path(cf_excel.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "learn" / "engines" / "__pycache__").write_text("a file, so that no folder can be made here")
    (tmp_path / "missing").write_text("neither can this be a home")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA_", "XDG_", "PYTHON"))}
    env |= {"HOME": str(tmp_path / home), "PYTHONPATH": str(tmp_path / "site"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", CACHED], capture_output=True, text=True, check=True, env=env, cwd=tmp_path
    )
    module, cache = done.stdout.splitlines()
    assert Path(module).is_relative_to(package)
    assert Path(cache).is_relative_to(tmp_path / "there") if home == "there" else cache == "None"


@pytest.mark.parametrize(("engine", "opt"), [("lazy", optim.SGD), ("fused", optim.Adam)])
def test_nothing_is_compiled_within_an_epoch(engine: str, opt: Callable) -> None:
    class Watching(Progress):
        def begin(self, n_epochs: int, n_batches: int, n_rows: int) -> None:
            self.before = compiled_versions()

        def epoch(self, epoch: object) -> None:
            assert compiled_versions() == self.before

    def compiled_versions() -> list[int]:
        from cf_excel.learn.engines import adam_kernels, lazy_kernels

        kernels = (lazy_kernels.train, lazy_kernels.catch_up, lazy_kernels.predict)
        kernels += (adam_kernels.train_dot, adam_kernels.train_net, adam_kernels.catch_up)
        return [len(kernel.signatures) for kernel in kernels]

    for make in (dot, dot_bias, *([net] if engine == "fused" else [])):
        model = make()
        fit(model, data_of(SMALL, 8), 2, opt(model.parameters(), 1e-3), F.mse_loss, progress=Watching(), engine=engine)
    assert max(compiled_versions()) <= 2  # for single and for double precision
