"""SparseAdam moves what a batch names, as Adam would, and nothing else."""

import pytest
import torch
import torch.nn.functional as F
from support.engine_fits import SMALL, Fitted, a_rate_a_batch, assert_equal, data_of, dot, dot_bias, n_train, net
from torch import nn

from cf_excel.errors import InputError
from cf_excel.learn.lesson.recipes import lesson_settings, train
from cf_excel.learn.sparse_adam import SparseAdam
from cf_excel.learn.trainer import fit
from cf_excel.ratings.validation import lesson_split


def test_it_is_torchs_sparse_adam_where_nothing_decays() -> None:
    torch.manual_seed(0)
    start = torch.randn(6, 3)
    dense, sparse = (nn.Embedding.from_pretrained(start.clone(), freeze=False, sparse=flag) for flag in (False, True))
    opts = (SparseAdam(dense, 0.1), torch.optim.SparseAdam(sparse.parameters(), 0.1))
    for rows in ([0, 1], [1, 1, 4], [4], [0, 5]):
        for table, opt in zip((dense, sparse), opts, strict=True):
            opt.zero_grad()
            table(torch.tensor(rows)).square().sum().backward()
            opt.step()
    torch.testing.assert_close(dense.weight, sparse.weight, rtol=0, atol=1e-6)
    assert torch.equal(dense.weight[2:4], start[2:4])


def test_a_closure_is_called_once_and_its_loss_returned() -> None:
    table, calls = nn.Embedding(2, 1), []
    opt = SparseAdam(table, 0.1, weight_decay=0.1)
    before = table.weight.detach().clone()

    def closure() -> torch.Tensor:
        calls.append(1)
        opt.zero_grad()
        loss = (table(torch.tensor([1])) - 5).square().sum()
        loss.backward()
        return loss

    assert opt.step(closure) > 0
    assert len(calls) == 1
    assert torch.equal(table.weight[0], before[0])
    assert not torch.equal(table.weight[1], before[1])


def fitted(engine: str, make: object, bs: int, epochs: tuple[int, ...] = (2,), **options: object) -> Fitted:
    schedule = options.pop("schedule", None)
    torch.manual_seed(3)
    model = make()
    opt = SparseAdam(model, **{"lr": 1e-3, "weight_decay": 1e-3, "eps": 1e-5} | options)
    for n in epochs:
        history = fit(model, data_of(SMALL, bs), n, opt, F.mse_loss, schedule=schedule, engine=engine)
    return model, opt, history


@pytest.mark.parametrize("make", [dot, dot_bias, net], ids=["dot", "dot-bias", "net"])
@pytest.mark.parametrize(
    "options",
    [
        {"bs": 16},
        {"bs": 1, "epochs": (1,)},
        {"bs": 10 * n_train(SMALL)},
        {"bs": 16, "schedule": a_rate_a_batch(SMALL)},
        {"bs": 16, "epochs": (1, 2)},
    ],
    ids=["plain", "batch of 1", "large batch", "schedule", "two fits"],
)
def test_the_fused_engine_does_the_same_steps(make: object, options: dict) -> None:
    mine, torchs = (fitted(engine, make, **options) for engine in ("auto", "torch"))
    assert mine[2].engine == "fused"
    assert_equal(mine, torchs, 2e-4)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "most"), [("net", 0.79), ("collab", 0.766)])
def test_it_reaches_what_adam_reaches_on_the_lessons_split(lesson_ratings, kind: str, most: float) -> None:
    rows = lesson_split(len(lesson_ratings))
    trained = train(lesson_ratings, rows, lesson_settings(kind, optimizer="sparse-adam", device="cpu"))
    assert trained.history.epochs[-1].val_loss < most
    assert (trained.settings.optimizer, trained.settings.engine) == ("sparse-adam", "fused")


def test_it_is_not_offered_for_the_models_of_sgd() -> None:
    with pytest.raises(
        InputError, match="optimizer sparse-adam is for the models net and collab: leave it out for dot"
    ):
        lesson_settings("dot", optimizer="sparse-adam")
