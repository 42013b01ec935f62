import os
import signal
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from support.planted import low_rank_ratings
from torch import Tensor, nn, optim

from cf_excel.errors import InputError
from cf_excel.learn.lesson.recipes import lesson_settings, make_data, train
from cf_excel.learn.model_data import ColumnarModelData
from cf_excel.learn.models import EmbeddingDot, EmbeddingDotBias
from cf_excel.learn.progress import Epoch, Progress
from cf_excel.learn.trainer import SMOOTHING, fit, flat, predict
from cf_excel.ratings.validation import lesson_split

RATINGS = low_rank_ratings(30, 30)
VAL_ROWS = lesson_split(len(RATINGS))


class Heard(Progress):
    def __init__(self) -> None:
        self.steps: list[int] = []
        self.losses: list[float] = []
        self.epochs: list[Epoch] = []
        self.stops: list[str] = []

    def batches(self, step: int, loss: float) -> None:
        self.steps.append(step)
        self.losses.append(loss)

    def epoch(self, epoch: Epoch) -> None:
        self.epochs.append(epoch)

    def stopped(self, where: str) -> None:
        self.stops.append(where)


class Student(EmbeddingDotBias):
    """The lesson's model, with a say in the shape that forward returns."""

    def __init__(self, shape: Callable[[Tensor], Tensor]) -> None:
        super().__init__(RATINGS.n_users, RATINGS.n_movies, 4)
        self.shape = shape

    def forward(self, cats: Tensor, conts: Tensor) -> Tensor:
        return self.shape(super().forward(cats, conts))


def small_fit(
    model: nn.Module | None = None, epochs: int = 2, lr: float = 0.1, seed: int = 0, bs: int = 8, **options: object
) -> Heard:
    heard = Heard()
    torch.manual_seed(seed)
    if model is None:
        model = EmbeddingDotBias(RATINGS.n_users, RATINGS.n_movies, 4)
    opt = optim.SGD(model.parameters(), lr, momentum=0.9)
    fit(model, make_data(RATINGS, VAL_ROWS, bs), epochs, opt, F.mse_loss, progress=heard, **options)
    return heard


def test_fit_is_the_plain_loop() -> None:
    data = make_data(RATINGS, VAL_ROWS, 8)
    rows = data.training(torch.device("cpu"))
    torch.manual_seed(0)
    plain = EmbeddingDotBias(RATINGS.n_users, RATINGS.n_movies, 4)
    opt = optim.SGD(plain.parameters(), 0.1, momentum=0.9, weight_decay=1e-3, foreach=False)
    average, steps = 0.0, 0
    for _ in range(2):
        order = torch.randperm(len(rows.y))
        for start in range(0, len(order), 8):
            batch = order[start : start + 8]
            opt.zero_grad()
            loss = F.mse_loss(plain(rows.cats[batch], None), rows.y[batch])
            loss.backward()
            opt.step()
            average, steps = average * 0.98 + loss.item() * 0.02, steps + 1
    torch.manual_seed(0)
    model = EmbeddingDotBias(RATINGS.n_users, RATINGS.n_movies, 4)
    opt = optim.SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=1e-3)
    last = fit(model, data, 2, opt, F.mse_loss).epochs[-1]
    for mine, theirs in zip(model.parameters(), plain.parameters(), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-5)
    assert last.train_loss == pytest.approx(average / (1 - SMOOTHING**steps), rel=1e-4)
    truth = torch.from_numpy(data.val_y)
    predictions = predict(model, data.validation(torch.device("cpu")))
    assert last.val_loss == pytest.approx(F.mse_loss(predictions, truth).item(), rel=1e-6)


def test_every_row_is_seen_once_an_epoch_in_a_new_order() -> None:
    seen = []

    class Watching(EmbeddingDot):
        def forward(self, cats: Tensor, conts: Tensor) -> Tensor:
            if self.training:
                seen.append(cats.tolist())
            return super().forward(cats, conts)

    small_fit(Watching(RATINGS.n_users, RATINGS.n_movies, 4), lr=0.01, bs=7)
    n_batches = len(seen) // 2
    first, second = ([tuple(row) for batch in part for row in batch] for part in (seen[:n_batches], seen[n_batches:]))
    data = make_data(RATINGS, VAL_ROWS)
    assert sorted(first) == sorted(second) == sorted(map(tuple, data.cats[~data.is_val].tolist()))
    assert first != second
    assert {len(batch) for batch in seen[: n_batches - 1]} == {7}


def test_schedule_sets_the_rate_of_each_step_and_gives_it_back() -> None:
    rates = []
    model = EmbeddingDot(RATINGS.n_users, RATINGS.n_movies, 4)
    opt = optim.SGD(model.parameters(), 0.5)
    opt.register_step_pre_hook(lambda opt, args, kwargs: rates.append(opt.param_groups[0]["lr"]))
    data = make_data(RATINGS, VAL_ROWS, 100)
    fit(model, data, 1, opt, F.mse_loss, schedule=lambda step: 0.1 / (step + 1))
    assert rates == pytest.approx([0.05 / (step + 1) for step in range(data.n_batches)])
    assert opt.param_groups[0]["lr"] == 0.5


def test_progress_is_told_now_and_then_and_at_the_end_of_an_epoch() -> None:
    heard = small_fit(bs=2)
    n = make_data(RATINGS, VAL_ROWS, 2).n_batches
    assert n > 128
    assert heard.steps == sorted([*range(64, 2 * n + 1, 64), n, 2 * n])
    assert [epoch.number for epoch in heard.epochs] == [1, 2]
    assert heard.epochs[-1].train_loss == heard.losses[-1]


@pytest.mark.parametrize("shape", [lambda x: x[:, None], lambda x: x], ids=["(n, 1)", "(n,)"])
def test_forward_may_return_a_column(shape: Callable[[Tensor], Tensor]) -> None:
    torch.manual_seed(1)
    losses = [small_fit(Student(shape)).epochs[-1].val_loss for shape in (shape, lambda x: x)]
    torch.manual_seed(1)
    model = Student(shape)
    assert model(torch.tensor([[0, 0], [1, 1]]), None).shape == shape(torch.zeros(2)).shape
    assert losses[0] == pytest.approx(losses[1], abs=0.2)


@pytest.mark.parametrize(
    "shape",
    [lambda x: x[:, None] + x, lambda x: x[None], lambda x: torch.stack([x, x], 1), lambda x: x.sum(), lambda x: x[1:]],
    ids=["(n, n)", "(1, n)", "(n, 2)", "()", "(n - 1,)"],
)
def test_a_shape_that_the_loss_would_broadcast_is_refused(shape: Callable[[Tensor], Tensor]) -> None:
    with pytest.raises(InputError, match=r"forward returned shape .* for 8 rows: expected \(8,\) or \(8, 1\)"):
        small_fit(Student(shape))


def test_a_batch_of_one_row_may_return_a_scalar() -> None:
    assert flat(torch.tensor(3.0), 1).tolist() == [3.0]


@pytest.mark.parametrize("lr", [50.0, 1e30])
def test_a_diverging_loss_says_what_to_change(lr: float) -> None:
    with pytest.raises(InputError, match=r"batches at learning rate .* a lower learning rate, such as 0\.1$"):
        small_fit(EmbeddingDot(RATINGS.n_users, RATINGS.n_movies, 4), lr=lr)


def test_a_last_step_that_breaks_the_weights_is_not_kept() -> None:
    model = EmbeddingDot(RATINGS.n_users, RATINGS.n_movies, 4)
    data = make_data(RATINGS, VAL_ROWS, len(RATINGS))  # the one batch of the epoch sees weights that are still good
    with pytest.raises(InputError, match=r"the loss is (nan|inf) after 1 batches"):
        fit(model, data, 1, optim.SGD(model.parameters(), 1e30), F.mse_loss)


@pytest.mark.parametrize("user", [0, 29], ids=["in training", "in validation"])
def test_a_category_outside_its_embedding_says_so(user: int) -> None:
    cats = np.stack([RATINGS.user_idx, RATINGS.movie_idx], axis=1)
    cats[VAL_ROWS] = 0
    cats[VAL_ROWS if user else 0] = user + RATINGS.n_users
    data = ColumnarModelData(VAL_ROWS, cats, np.empty((len(cats), 0)), RATINGS.rating, 8)
    model = EmbeddingDot(RATINGS.n_users, RATINGS.n_movies + 100, 4)
    with pytest.raises(InputError, match="outside its embedding"):
        fit(model, data, 1, optim.SGD(model.parameters(), 0.01), F.mse_loss)


def test_a_model_without_parameters_has_nothing_to_fit() -> None:
    model = nn.Identity()
    opt = optim.SGD([nn.Parameter(torch.zeros(1))], 0.1)
    with pytest.raises(InputError, match="Identity has no parameters"):
        fit(model, make_data(RATINGS, VAL_ROWS), 1, opt, F.mse_loss)


class Stopping(Heard):
    """Press Ctrl-C when the first batches are done."""

    presses = 1

    def batches(self, step: int, loss: float) -> None:
        super().batches(step, loss)
        for _ in range(self.presses if len(self.steps) == 1 else 0):
            os.kill(os.getpid(), signal.SIGINT)


def fit_until_interrupted(heard: Heard, model: nn.Module, engine: str = "auto") -> str:
    opt = (optim.Adam if engine == "fused" else optim.SGD)(model.parameters(), 0.1)
    return fit(model, make_data(RATINGS, VAL_ROWS, 2), 5, opt, F.mse_loss, progress=heard, engine=engine).stopped


@pytest.mark.parametrize("engine", ["torch", "lazy", "fused"])
def test_ctrl_c_ends_after_the_batch_and_keeps_what_was_learnt(engine: str) -> None:
    heard, model = Stopping(), EmbeddingDot(RATINGS.n_users, RATINGS.n_movies, 4)
    before, handler = model.u.weight.detach().clone(), signal.getsignal(signal.SIGINT)
    stopped = fit_until_interrupted(heard, model, engine)
    assert stopped == f"batch 64 of {make_data(RATINGS, VAL_ROWS, 2).n_batches} in epoch 1 of 5"
    assert heard.stops == [stopped]
    assert len(heard.epochs) == 1
    assert heard.epochs[0].val_loss > 0
    assert not torch.equal(before, model.u.weight)
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_second_ctrl_c_interrupts_at_once() -> None:
    heard = Stopping()
    heard.presses = 2
    with pytest.raises(KeyboardInterrupt):
        fit_until_interrupted(heard, EmbeddingDot(RATINGS.n_users, RATINGS.n_movies, 4))


def test_small_batches_run_in_one_thread_unless_told_otherwise() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        for asked, used in ((None, 1), (2, 2)):
            heard = Heard()
            threads = []
            heard.batches = lambda step, loss, threads=threads: threads.append(torch.get_num_threads())
            model = EmbeddingDot(RATINGS.n_users, RATINGS.n_movies, 4)
            opt = optim.SGD(model.parameters(), 0.01)
            fit(model, make_data(RATINGS, VAL_ROWS), 1, opt, F.mse_loss, progress=heard, threads=asked)
            assert set(threads) == {used}
            assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_an_optimizer_with_a_choice_of_kernel_keeps_it() -> None:
    model = EmbeddingDot(RATINGS.n_users, RATINGS.n_movies, 4)
    chosen, open_ = optim.Adam(model.parameters(), foreach=True), optim.Adam(model.parameters())
    for opt in (chosen, open_):
        fit(model, make_data(RATINGS, VAL_ROWS), 1, opt, F.mse_loss, engine="torch")
    assert not chosen.param_groups[0]["fused"]
    assert open_.param_groups[0]["fused"]


def test_sparse_embeddings_can_be_fitted() -> None:
    model = EmbeddingDot(RATINGS.n_users, RATINGS.n_movies, 4)
    model.u.sparse = model.m.sparse = True
    opt = optim.SGD(model.parameters(), 0.01)
    epochs = fit(model, make_data(RATINGS, VAL_ROWS), 3, opt, F.mse_loss).epochs
    assert epochs[-1].train_loss < epochs[0].train_loss


def test_dropout_is_off_in_validation_and_the_mode_is_kept() -> None:
    model = nn.Sequential()
    model.forward = lambda cats, conts: torch.full((len(cats),), float(model.training))
    rows = make_data(RATINGS, VAL_ROWS).validation(torch.device("cpu"))
    assert predict(model, rows).sum() == 0
    assert model.training


def test_training_leaves_torchs_random_state_alone() -> None:
    state = torch.get_rng_state()
    train(RATINGS, VAL_ROWS, lesson_settings("net", epochs=1, n_factors=4, device="cpu"))
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"val_idxs": np.arange(4)}, "no row is left to train on: 4 of 4"),
        ({"val_idxs": [4]}, "validation row 4: the table has rows 0 to 3"),
        ({"val_idxs": [-1]}, "validation row -1"),
        ({"val_idxs": [10**30]}, "expected the numbers of rows"),
        ({"val_idxs": [0, 1.5]}, "expected the numbers of rows, or a mask"),
        ({"val_idxs": [0, np.nan]}, "expected the numbers of rows, or a mask"),
        ({"val_idxs": ["0"]}, "expected the numbers of rows, or a mask"),
        ({"val_idxs": [True, False, True]}, "a mask of 3 validation rows: the table has 4 rows"),
        ({"val_idxs": np.ones(4, bool)}, "no row is left to train on: 4 of 4"),
        ({"val_idxs": np.array([1, 0, 0, 1])}, "4 numbers, all 0 or 1: pass a mask as True and False"),
        ({"cats": np.array([[0], [1.5], [2], [3]])}, "category 1.5: expected a row number"),
        ({"cats": np.array([[0], [np.nan], [2], [3]])}, "category nan: expected a row number"),
        ({"cats": np.array([["0"], ["1"], ["2"], ["3"]], object)}, "category 0: expected a row number"),
        ({"cats": np.array([[0], [1], [-2], [3]])}, "category -2"),
        ({"conts": np.array([[0], [1], [np.nan], [3]])}, "the columns have a NaN"),
        ({"y": np.array([1, 2, np.inf, 4])}, "the values to predict have a NaN or an infinite"),
        ({"y": np.ones(3)}, "4 rows of columns, but 3 values"),
        ({"bs": 0}, "batch size 0"),
    ],
)
def test_columns_that_can_not_be_fitted(change: dict, message: str) -> None:
    good = {"val_idxs": [0], "cats": np.zeros((4, 1)), "conts": np.zeros((4, 0)), "y": np.ones(4), "bs": 2}
    ColumnarModelData(**good)
    with pytest.raises(InputError, match=message):
        ColumnarModelData(**good | change)


MASK = np.array([False, True, False, True])


@pytest.mark.parametrize(
    "val_idxs",
    [MASK, MASK.tolist(), MASK[:, None], MASK.astype(object), torch.tensor(MASK), [3, 1], [1, 3, 1], [1.0, 3.0]],
)
def test_validation_rows_are_numbers_or_a_mask(val_idxs: object) -> None:
    data = ColumnarModelData(val_idxs, np.zeros((4, 1)), np.zeros((4, 0)), np.arange(4.0))
    assert data.val_y.tolist() == [1, 3]
    assert data.trn_y.tolist() == [0, 2]


@pytest.mark.parametrize("none", [[], np.zeros(4, bool), np.empty(0, np.int64)])
def test_no_validation_rows(none: object) -> None:
    data = ColumnarModelData(none, np.zeros((4, 1)), np.zeros((4, 0)), np.arange(4.0))
    assert data.trn_y.tolist() == [0, 1, 2, 3]


def test_training_holds_back_what_a_mask_says() -> None:
    mask = np.zeros(len(RATINGS), bool)
    mask[VAL_ROWS] = True
    settings = lesson_settings("dot", epochs=1, n_factors=4, device="cpu")
    by_mask, by_number = train(RATINGS, mask, settings), train(RATINGS, VAL_ROWS, settings)
    assert np.array_equal(by_mask.val_rows, np.sort(VAL_ROWS))
    assert np.array_equal(by_mask.val_predictions, by_number.val_predictions)
