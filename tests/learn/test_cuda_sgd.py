"""The GPU's kernels do what torch does: on a GPU where there is one, else in Triton's interpreter, and they compile."""

import os
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from support.engine_fits import (
    ODD,
    SMALL,
    TINY,
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
from support.hosts import development_tool, missing
from support.planted import make_ratings
from torch import nn, optim

from cf_excel.errors import InputError
from cf_excel.learn.engines import cuda_sgd
from cf_excel.learn.engines.choice import pick_engine
from cf_excel.learn.engines.cuda_sgd import CudaSGD, long_runs, sorted_by_row
from cf_excel.learn.engines.graph_loop import WARM_UP, GraphLoop
from cf_excel.learn.engines.lazy_kernels import window_maps
from cf_excel.learn.engines.loop import TorchLoop
from cf_excel.learn.lesson.recipes import make_data
from cf_excel.learn.models import EmbeddingDotBias
from cf_excel.learn.schedules import sgdr
from cf_excel.learn.sparse_adam import SparseAdam
from cf_excel.learn.trainer import fit

HAS_GPU = torch.cuda.is_available()
DEVICE = "cuda" if HAS_GPU else "cpu"
os.environ.setdefault("TRITON_INTERPRET", "0" if HAS_GPU else "1")  # read when the kernels are imported


@pytest.fixture
def triton(monkeypatch: pytest.MonkeyPatch) -> None:
    """Triton on a GPU, or its interpreter on the CPU, where the engine then takes the CPU's models."""
    try:
        development_tool("triton")
    except ImportError:
        missing("Triton")
    if not HAS_GPU:
        monkeypatch.setattr(CudaSGD, "device", "cpu")
        monkeypatch.setattr("cf_excel.learn.engines.choice.FAST", (CudaSGD, GraphLoop))


# what else is odd are numbers that the kernels are given; the interpreter takes seconds for each
SHAPES = ["1 factor", "300 factors", "last batch of 1", "batch of 1", "batch larger than the data", "momentum .99"]
RATES = ["a rate for each batch", "a rate for each batch, some 0", "two fits with schedules"]


@pytest.mark.parametrize("case", list(ODD) if HAS_GPU else SHAPES + RATES)
def test_sgd_on_the_gpu_is_torchs(case: str, triton: None) -> None:
    assert_lazy_is_torchs(case, dot_bias, TINY, "lazy", DEVICE)


@pytest.mark.parametrize("case", ["1 factor", "a rate for each batch", "two fits"])
def test_sgd_of_the_plain_dot_product_is_torchs(case: str, triton: None) -> None:
    assert_lazy_is_torchs(case, dot, TINY, "lazy", DEVICE)


def test_rows_wait_across_windows_and_many_ratings_share_a_row(triton: None) -> None:
    rng = np.random.default_rng(0)
    users, movies = rng.integers(0, 3, 150), rng.integers(0, 2, 150)
    users[5], movies[70], movies[-1] = 3, 2, 3  # each is rated once
    ratings = make_ratings(users, movies, rng.integers(1, 6, 150))
    for bs in (1, 40):
        data = make_data(ratings, np.array([0, 99]), bs)
        schedule = sgdr([1], data.n_batches)
        options = {"lr": 0.02, "epochs": (1,), "schedule": schedule, "device": DEVICE}
        mine, torchs = (
            fitted(engine, lambda: EmbeddingDotBias(4, 4, 3), data, **options) for engine in ("lazy", "torch")
        )
        assert_equal(mine, torchs)


@pytest.mark.parametrize("bs", [40, 70])
def test_a_movie_with_many_ratings_in_a_large_batch(bs: int, triton: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two movies, both, one or none has more ratings in a batch than one warp sums."""
    monkeypatch.setattr(cuda_sgd, "LARGE_BATCH", 30)
    rng = np.random.default_rng(0)
    users, movies = rng.integers(0, 30, 150), (rng.random(150) < 0.1).astype(np.int64)
    ratings = make_ratings(users, movies, rng.integers(1, 6, 150))
    data = make_data(ratings, np.array([0, 99]), bs)
    options = {"lr": 0.02, "epochs": (1,), "schedule": None, "device": DEVICE}
    mine, torchs = (fitted(engine, lambda: EmbeddingDotBias(30, 2, 3), data, **options) for engine in ("lazy", "torch"))
    assert_equal(mine, torchs)


def test_long_runs() -> None:
    runs = torch.tensor([33, 0, 50, 0, 32, 0, 0, 40, 3, 0])
    assert long_runs(runs, 4, 2).tolist() == [[0, 2], [3, -1], [-1, -1]]


def test_the_same_seed_gives_the_same_weights(triton: None) -> None:
    first, second = (fitted("lazy", lambda: dot_bias(5, TINY), data_of(TINY, 9), device=DEVICE)[0] for _ in range(2))
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.fixture
def graph(monkeypatch: pytest.MonkeyPatch) -> None:
    """CUDA graphs, or the same steps one by one on the CPU."""
    if not HAS_GPU:
        monkeypatch.setattr(GraphLoop, "device", "cpu")
        # a recorded backward sets gradients; one that is run again would add to them
        monkeypatch.setattr(GraphLoop, "_record", lambda self, step: lambda: (self.opt.zero_grad(), step()))


@pytest.mark.parametrize("make", [dot_bias, net])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize(
    "options",
    [{}, {"bs": 10 * n_train(SMALL)}, {"schedule": a_rate_a_batch(SMALL)}, {"epochs": (1, 2)}],
    ids=["plain", "large batch", "schedule", "two fits"],
)
def test_recorded_steps_of_adam_are_torchs(
    make: Callable[[], nn.Module], sparse: bool, options: dict, graph: None
) -> None:
    fits = []
    for engine in ("graph", "torch"):
        torch.manual_seed(3)
        model = make().to(DEVICE)
        settings = {"lr": 1e-3, "weight_decay": 1e-3, "eps": 1e-5}
        opt = SparseAdam(model, **settings) if sparse else optim.Adam(model.parameters(), **settings)
        data = data_of(SMALL, options.get("bs", 16))
        for n in options.get("epochs", (2,)):
            history = fit(model, data, n, opt, F.mse_loss, schedule=options.get("schedule"), engine=engine)
        assert opt.param_groups[0]["lr"] == 1e-3
        fits.append((model, opt, history))
    assert fits[0][2].engine == "graph"
    assert_equal(*fits, 2e-4)


def test_a_step_is_recorded_once_in_a_fit(graph: None, monkeypatch: pytest.MonkeyPatch) -> None:
    record, recorded = GraphLoop._record, []
    monkeypatch.setattr(GraphLoop, "_record", lambda self, step: recorded.append(self.step) or record(self, step))
    model = net().to(DEVICE)
    fit(model, data_of(SMALL, 16), 3, optim.Adam(model.parameters()), F.mse_loss, engine="graph")
    assert recorded == [WARM_UP]


def test_graphs_are_for_adam_on_a_gpu() -> None:
    model = dot_bias()
    with pytest.raises(InputError, match="engine graph can't do this fit: it needs a model on the device cuda"):
        pick_engine("graph", model, optim.Adam(model.parameters(), 0.1), F.mse_loss, data_of(SMALL, 8))


def test_graphs_know_no_other_optimizer(graph: None) -> None:
    model = dot_bias().to(DEVICE)
    with pytest.raises(InputError, match=r"it needs torch\.optim\.Adam;"):
        pick_engine("graph", model, optim.SGD(model.parameters(), 0.1), F.mse_loss, data_of(SMALL, 8))


def test_the_runs_of_a_batch_are_its_ratings_by_row() -> None:
    rng = np.random.default_rng(1)
    for n, bs in ((1, 1), (23, 5), (40, 8), (7, 100)):
        rows = torch.from_numpy(rng.integers(0, 4, n))
        by_row, order, runs = sorted_by_row(rows, 4, bs)
        for start in range(0, n, bs):
            batch = rows[start : start + bs]
            heads = [start + int(place) for place in runs[start : start + bs].nonzero()]
            assert by_row[heads].tolist() == batch.unique().tolist()
            for head in heads:
                members = order[head : head + runs[head]]
                assert members.tolist() == (start + (batch == by_row[head]).nonzero()[:, 0]).tolist()


def test_the_maps_of_a_window_are_the_products_of_its_steps() -> None:
    rng, momentum, wd = np.random.default_rng(2), 0.9, 0.01
    lrs = np.array([0.0, *rng.random(9)])
    maps = np.zeros((11, 4, 10))
    window_maps(maps, (momentum, wd), lrs)

    def step(w: float, b: float, lr_before: float) -> tuple[float, float]:
        w -= lr_before * b
        return w, momentum * b + wd * w

    for since in range(10):
        w, b = rng.normal(size=2)
        state = (w, b)
        for t in range(since + 1, 10):
            state = step(*state, lrs[t - 1])
            p, q, r, z = maps[t, :, since]
            np.testing.assert_allclose((p * w + q * b, r * w + z * b), state, rtol=1e-12)
        p, q, r, z = maps[-1, :, since]
        at_end = (state[0] - lrs[-1] * state[1], state[1])
        np.testing.assert_allclose((p * w + q * b, r * w + z * b), at_end, rtol=1e-12)


def test_auto_takes_the_gpus_engines(triton: None, graph: None) -> None:
    model = dot(5, TINY).to(DEVICE)
    for opt, engine in ((optim.SGD, CudaSGD), (optim.Adam, GraphLoop)):
        of_fit = (model, opt(model.parameters(), 0.1), F.mse_loss, data_of(TINY, 8))
        assert pick_engine("auto", *of_fit) is engine


def test_a_model_of_somebody_elses_runs_step_by_step(graph: None) -> None:
    class Mine(EmbeddingDotBias):
        def forward(self, cats: torch.Tensor, conts: torch.Tensor) -> torch.Tensor:
            prediction = super().forward(cats, conts)
            return prediction if prediction.mean().item() > 0 else -prediction  # a graph would keep one of these

    model = Mine(8, 10, 5).to(DEVICE)
    of_fit = (model, optim.Adam(model.parameters(), 0.1), F.mse_loss, data_of(TINY, 8))
    assert pick_engine("auto", *of_fit) is TorchLoop
    with pytest.raises(InputError, match="it fits the lesson's models, not Mine"):
        pick_engine("graph", *of_fit)


def test_a_gpu_model_without_triton_is_told_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    model = dot(5, TINY)
    of_fit = (model, optim.SGD(model.parameters(), 0.1), F.mse_loss, data_of(TINY, 8))
    monkeypatch.setattr("cf_excel.learn.engines.choice.FAST", (CudaSGD,))
    monkeypatch.setattr("cf_excel.learn.engines.choice.find_spec", lambda name: None if name == "triton" else name)
    with pytest.raises(InputError, match="lazy can't do this fit: it needs triton: python -m pip install triton"):
        pick_engine("lazy", *of_fit)
    monkeypatch.undo()
    monkeypatch.setattr("cf_excel.learn.engines.choice.FAST", (CudaSGD,))
    monkeypatch.setattr("cf_excel.learn.engines.choice.find_spec", lambda name: name)
    with pytest.raises(InputError, match="it needs a model on the device cuda"):
        pick_engine("lazy", *of_fit)


COMPILE = """
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, compile

from cf_excel.learn.engines import cuda_kernels

FLOATS = "users movies table maps copies slopes squares".split()
TYPES = dict.fromkeys("user movie order runs long window".split(), "*i64")
TYPES |= {"truth": "*fp32"} | dict.fromkeys(("last", "last_user", "last_movie"), "*i32")
RANGE = {"HAS_RANGE": True, "LOW": 0.5, "SPAN": 4.5}
NO_RANGE = {"HAS_RANGE": False, "LOW": 0.0, "SPAN": 0.0}
SHORT, LONG = {"IS_LONG": False, "LONG_RUN": 32}, {"IS_LONG": True, "LONG_RUN": 32}
ONES = {"bs": 1, "n_factors": 1}  # Triton makes constants of arguments that are 1
for capability, real in ((75, "*fp64"), (90, "*fp64"), (90, "*fp32")):
    for name, constants in (
        ("of_users", RANGE | {"BLOCK": 64, "TOGETHER": 8}),
        ("of_users", NO_RANGE | {"BLOCK": 512, "TOGETHER": 1}),
        ("of_users", RANGE | ONES | {"BLOCK": 8, "TOGETHER": 64}),
        ("of_movies", SHORT | {"BLOCK": 64, "TOGETHER": 8}),
        ("of_movies", LONG | {"BLOCK": 512, "TOGETHER": 8}),
        ("of_movies", SHORT | ONES | {"BLOCK": 8, "TOGETHER": 64}),
        ("catch_up", {"BLOCK": 64}),
        ("catch_up", {"BLOCK": 8, "constant": 1}),
    ):
        kernel = getattr(cuda_kernels, name)
        types = TYPES | dict.fromkeys(FLOATS, real) | dict.fromkeys(constants, "constexpr")
        types = {arg: types.get(arg, "i32") for arg in kernel.arg_names}
        where = {(kernel.arg_names.index(arg),): value for arg, value in constants.items()}
        warps = {"num_warps": 8 if constants.get("IS_LONG") else 1}
        made = compile(ASTSource(kernel, types, where), target=GPUTarget("cuda", capability, 32), options=warps)
        assert made.asm["cubin"], name
        assert (real == "*fp32") != ("f64" in made.asm["ptx"]), f"{name} changes precision"
        assert "cvt.rn.f32.f64" not in made.asm["ptx"], f"{name} rounds to single precision"
        print(capability, name, len(made.asm["cubin"]))
"""


@pytest.mark.slow
def test_the_kernels_compile_for_gpus(tmp_path) -> None:
    try:
        development_tool("triton")
    except ImportError:
        missing("Triton")
    env = os.environ | {"TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", COMPILE], capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(done.stdout.splitlines()) == 24
