"""One suite that every kind of model passes, on every device that is there."""

from pathlib import Path

import numpy as np
import pytest
import torch
from support.planted import low_rank_ratings, make_ratings

from cf_excel.learn.lesson.lesson_factors import to_factors
from cf_excel.learn.lesson.recipes import RECIPES, Trained, lesson_settings, train
from cf_excel.learn.models import DotProduct, EmbeddingDot, EmbeddingDotBias, EmbeddingNet, get_emb
from cf_excel.model.file import load_factors, save_factors
from cf_excel.ratings.readers import load_ratings
from cf_excel.ratings.table import Ratings
from cf_excel.ratings.validation import lesson_split, validation_rows

gpu = pytest.param("cuda", marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA")])
on_devices = pytest.mark.parametrize("device", ["cpu", gpu])
every_kind = pytest.mark.parametrize("kind", list(RECIPES))

PLANTED = {
    # kind: settings, and the share of the variance that may stay unexplained. User and movie biases alone leave 0.36;
    # the net sees half of its ten hidden units at a time: its seeds differ, by 0.24 to 0.40 with any engine.
    "dot": ({"epochs": 60}, 0.05),
    "dot-bias": ({"epochs": 40, "lr": 0.3, "batch_size": 16}, 0.001),
    "net": ({"epochs": 30, "lr": 1e-2, "batch_size": 16, "seed": 1}, 0.32),
    "collab": ({"epochs": 31, "lr": 3e-2, "batch_size": 16}, 0.005),
}

MEASURED = {"dot": 1.1314, "dot-bias": 0.8004, "net": 0.7913, "collab": 0.7648}
"""Final validation MSE of the lesson's models on the lesson's split, mean of three seeds of an independent program."""


def train_small(ratings: Ratings, val_rows: np.ndarray, kind: str, device: str, **changes: object) -> Trained:
    return train(ratings, val_rows, lesson_settings(kind, n_factors=4, device=device, **changes))


def all_predictions(trained: Trained, ratings: Ratings) -> np.ndarray:
    cats = torch.from_numpy(np.stack([ratings.user_idx, ratings.movie_idx], axis=1).astype(np.int64))
    with torch.no_grad():
        return trained.model.eval()(cats, torch.empty(len(cats), 0)).numpy()


@on_devices
@every_kind
def test_planted_factors_are_found(kind: str, device: str) -> None:
    ratings = low_rank_ratings()
    val_rows = lesson_split(len(ratings))
    changes, bound = PLANTED[kind]
    trained = train(ratings, val_rows, lesson_settings(kind, n_factors=8, wd=1e-5, device=device, **changes))
    variance = ratings.rating[trained.val_rows].var()
    assert trained.history.epochs[-1].val_loss < bound * variance
    error = trained.val_predictions - ratings.rating[trained.val_rows]
    assert np.square(error).mean() == pytest.approx(trained.history.epochs[-1].val_loss, rel=1e-4)


@on_devices
@every_kind
@pytest.mark.parametrize(("users", "movies"), [([0] * 6, range(6)), (range(6), [0] * 6)], ids=["one user", "one movie"])
def test_one_user_or_one_movie(users: list[int], movies: list[int], kind: str, device: str) -> None:
    ratings = make_ratings(np.array(users), np.array(movies), np.array([1, 2, 3, 4, 5, 3.0]))
    first, last = (
        train_small(ratings, np.array([5]), kind, device, epochs=n, lr=0.01, batch_size=2).history.epochs[-1].train_loss
        for n in (1, 60)
    )
    assert last < first


@on_devices
@every_kind
def test_one_rating(kind: str, device: str, tmp_path: Path) -> None:
    ratings = make_ratings(np.array([0]), np.array([0]), np.array([4.0]))
    trained = train_small(ratings, validation_rows(ratings, "lesson"), kind, device, epochs=200, lr=0.05)
    assert all_predictions(trained, ratings) == pytest.approx([4.0], abs=0.5)
    assert np.isnan(trained.history.epochs[-1].val_loss)
    save_factors(to_factors(trained, ratings, "lesson"), tmp_path / "model.safetensors")
    assert load_factors(tmp_path / "model.safetensors").record["metrics"] == {}


@on_devices
@every_kind
def test_constant_ratings(kind: str, device: str) -> None:
    full = low_rank_ratings(12, 10)
    ratings = make_ratings(full.user_idx, full.movie_idx, np.full(len(full), 3.0))
    trained = train_small(ratings, lesson_split(len(ratings)), kind, device, epochs=60, lr=0.05, batch_size=8)
    assert trained.history.epochs[-1].val_loss < 0.01


@on_devices
@every_kind
def test_a_user_only_in_validation_gets_a_finite_prediction(kind: str, device: str) -> None:
    full = low_rank_ratings(12, 10)
    val_rows = np.flatnonzero(full.user_idx == 3)
    trained = train_small(full, val_rows, kind, device, epochs=4)
    assert len(val_rows) > 0
    assert np.isfinite(trained.val_predictions).all()
    assert np.isfinite(to_factors(trained, full, "none").user_factors).all()


@on_devices
@every_kind
def test_same_seed_same_numbers(kind: str, device: str) -> None:
    ratings = low_rank_ratings(20, 20)
    runs = [train_small(ratings, lesson_split(len(ratings)), kind, device, epochs=2, seed=seed) for seed in (5, 5, 6)]
    assert np.array_equal(runs[0].val_predictions, runs[1].val_predictions)
    assert not np.array_equal(runs[0].val_predictions, runs[2].val_predictions)


@pytest.mark.slow
@on_devices
@every_kind
def test_the_lessons_split_gives_the_lessons_figures(kind: str, device: str) -> None:
    ratings = load_ratings()
    trained = train(ratings, lesson_split(len(ratings)), lesson_settings(kind, device=device))
    assert trained.history.epochs[-1].val_loss == pytest.approx(MEASURED[kind], rel=0.01)


def test_dot_product_of_the_lessons_matrices() -> None:
    a, b = torch.tensor([[1.0, 2], [3, 4]]), torch.tensor([[2.0, 2], [10, 10]])
    assert DotProduct()(a, b).tolist() == [6, 70]


@pytest.mark.parametrize(
    ("model", "low", "high"),
    [
        (EmbeddingDot(300, 400), 0, 0.05),
        (EmbeddingDotBias(300, 400), -0.01, 0.01),
        (RECIPES["collab"].model(300, 400), -0.05, 0.05),
        (get_emb(300, 50), -0.01, 0.01),
    ],
)
def test_embeddings_start_uniform_in_the_lessons_range(model: torch.nn.Module, low: float, high: float) -> None:
    weights = torch.cat([weight.detach().flatten() for weight in model.parameters()])
    width = high - low
    assert low <= weights.min() < low + 0.01 * width
    assert high - 0.01 * width < weights.max() <= high


def test_net_reaches_half_a_star_beyond_the_range() -> None:
    net = EmbeddingNet(2, 2, 3, (1.0, 5.0)).eval()
    with torch.no_grad():
        net.lin2.bias.fill_(100.0)
        assert net(torch.tensor([[0, 0]]), None).tolist() == [5.5]
        net.lin2.bias.fill_(-100.0)
        assert net(torch.tensor([[1, 1]]), None).tolist() == [0.5]
