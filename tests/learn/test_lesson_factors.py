import json
from pathlib import Path

import numpy as np
import pytest
import torch
from support.planted import low_rank_ratings

from cf_excel.errors import InputError
from cf_excel.learn.lesson.lesson_factors import to_factors
from cf_excel.learn.lesson.recipes import RECIPES, Trained, lesson_settings, train
from cf_excel.metrics import mae, mse, rmse
from cf_excel.model.file import load_factors, save_factors
from cf_excel.model.predictor import Predictor
from cf_excel.ratings.table import data_hash, distinct_ratings
from cf_excel.ratings.validation import validation_rows

RATINGS = low_rank_ratings(12, 9)
VAL_ROWS = validation_rows(RATINGS, "random", 3)


def trained_model(kind: str) -> Trained:
    settings = lesson_settings(kind, n_factors=3, epochs=2, batch_size=8, lr=0.05, seed=3, device="cpu")
    return train(RATINGS, VAL_ROWS, settings)


@pytest.mark.parametrize("kind", list(RECIPES))
def test_a_predictor_says_what_the_model_says(kind: str, tmp_path: Path) -> None:
    trained = trained_model(kind)
    save_factors(to_factors(trained, RATINGS, "random"), tmp_path / "m.safetensors")
    predictor = Predictor(load_factors(tmp_path / "m.safetensors"))
    users, movies = np.indices((RATINGS.n_users, RATINGS.n_movies)).reshape(2, -1)
    with torch.no_grad():
        expected = trained.model.eval()(torch.from_numpy(np.stack([users, movies], 1)), None)
    predictions = predictor.predict(RATINGS.user_ids[users], RATINGS.movie_ids[movies])
    assert predictions == pytest.approx(expected.numpy(), abs=1e-5)


def test_seen_movies_are_those_of_all_ratings() -> None:
    factors = to_factors(trained_model("collab"), RATINGS, "random")
    for user in range(RATINGS.n_users):
        seen = factors.seen_movies[factors.seen_offsets[user] : factors.seen_offsets[user + 1]]
        assert sorted(seen) == sorted(RATINGS.movie_idx[RATINGS.user_idx == user])


def test_the_record_finds_the_validation_rows_and_their_error_again() -> None:
    trained = trained_model("collab")
    record = json.loads(json.dumps(to_factors(trained, RATINGS, "random").record))
    rows = np.sort(validation_rows(RATINGS, record["split"], record["seed"]))
    truth = RATINGS.rating[rows]
    assert record["metrics"] == {
        "val_mse": mse(trained.val_predictions, truth),
        "val_rmse": rmse(trained.val_predictions, truth),
        "val_mae": mae(trained.val_predictions, truth),
    }
    assert record["metrics"]["val_mse"] == pytest.approx(trained.history.epochs[-1].val_loss, rel=1e-5)
    assert record["data_hash"] == data_hash(RATINGS)
    assert record["rating_values"] == distinct_ratings(RATINGS.rating)
    assert (record["n_train"], record["n_validation"]) == (len(RATINGS) - len(rows), len(rows))
    assert record["settings"]["lr"] == 0.05
    assert record["settings"]["device"] == "cpu"
    assert set(record["versions"]) == {"cf_excel", "torch", "numpy", "python"}


def test_the_same_seed_writes_the_same_file(tmp_path: Path) -> None:
    for name in ("one", "two"):
        save_factors(to_factors(trained_model("collab"), RATINGS, "random"), tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_weights_that_are_not_finite_are_refused() -> None:
    trained = trained_model("dot")
    with torch.no_grad():
        trained.model.m.weight[2, 1] = float("inf")
    with pytest.raises(InputError, match=r"m\.weight are not finite"):
        to_factors(trained, RATINGS, "random")
