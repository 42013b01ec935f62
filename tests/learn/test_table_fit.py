import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from support.planted import make_ratings

from cf_excel.errors import InputError
from cf_excel.learn import table_fit
from cf_excel.learn.baselines import bias_baseline, mean_baseline
from cf_excel.learn.bayes.copies import fit_each
from cf_excel.learn.bayes.factorization import BayesSettings
from cf_excel.learn.table_fit import TableFit, fit_table
from cf_excel.metrics import rmse
from cf_excel.model.predictor import Predictor
from cf_excel.ratings.table import Ratings


def planted(n_users: int = 60, n_items: int = 40, rank: int = 3, share: float = 0.35, noise: float = 0.5) -> Ratings:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(n_users, rank)) @ rng.normal(size=(n_items, rank)).T / np.sqrt(rank)
    x += rng.normal(0, 0.5, (n_users, 1)) + rng.normal(0, 0.5, n_items) + rng.normal(0, noise, x.shape)
    users, items = np.nonzero(rng.random(x.shape) < share)
    return make_ratings(users, items, np.clip(np.round(3 + x), 1, 5)[users, items])


def without_pattern(n_users: int = 60, n_items: int = 40) -> Ratings:
    rng = np.random.default_rng(2)
    users, items = np.nonzero(rng.random((n_users, n_items)) < 0.35)
    return make_ratings(users, items, rng.integers(1, 6, len(users)).astype(float))


@pytest.fixture(scope="module")
def planted_fit() -> TableFit:
    return fit_table(planted())


def test_a_pattern_is_found(planted_fit: TableFit) -> None:
    assert planted_fit.rmse < 0.85 < 0.98 < planted_fit.bias_rmse < planted_fit.mean_rmse
    assert planted_fit.is_better
    assert planted_fit.sureness > 5
    assert planted_fit.n_ratings == planted_fit.n_held_out == len(planted())
    assert planted_fit.verdict.startswith(
        f"off by {planted_fit.rmse:.2f} on ratings held out, better than the mean (1."
    )
    assert "chance" not in planted_fit.verdict


def test_the_factors_predict(planted_fit: TableFit) -> None:
    ratings = planted()
    predictor = Predictor(planted_fit.factors)
    fitted = predictor.predict_rows(ratings.user_idx, ratings.movie_idx)
    assert rmse(fitted, ratings.rating) < planted_fit.rmse
    assert planted_fit.factors.kind == "bayes"
    assert predictor.recommend(100, 3)


def test_the_same_table_gives_the_same_fit(planted_fit: TableFit) -> None:
    again = fit_table(planted())
    np.testing.assert_array_equal(again.factors.user_factors, planted_fit.factors.user_factors)
    assert again.rmse == planted_fit.rmse


def test_no_pattern_gives_the_mean() -> None:
    ratings = without_pattern()
    fit = fit_table(ratings)
    assert not fit.is_better
    assert fit.sureness < 0
    assert fit.verdict == (
        f"no pattern was found: off by {fit.rmse:.2f} on ratings held out, the mean by {fit.mean_rmse:.2f}"
    )
    predicted = Predictor(fit.factors).predict_rows(ratings.user_idx, ratings.movie_idx)
    np.testing.assert_allclose(predicted, ratings.rating.mean(dtype=float), rtol=1e-6)


def test_what_is_worse_than_the_biases_gives_the_biases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_fit, "_CANDIDATES", ({"factors": 1e-3},))
    ratings = without_pattern()
    harsh = np.linspace(-1.5, 1.5, ratings.n_users)[ratings.user_idx]
    ratings = replace(ratings, rating=np.clip(ratings.rating + np.round(harsh), 1, 5).astype(np.float32))
    fit = fit_table(ratings)
    assert not fit.is_better
    assert fit.bias_rmse < fit.mean_rmse
    predicted = Predictor(fit.factors).predict_rows(ratings.user_idx, ratings.movie_idx)
    expected = bias_baseline(twice(ratings), np.arange(len(ratings), 2 * len(ratings)))
    np.testing.assert_allclose(predicted, np.clip(expected, 1, 5), atol=1e-5)


def twice(ratings: Ratings) -> Ratings:
    """Return the ratings twice: once to learn from, once to be asked for."""
    parts = {name: np.tile(getattr(ratings, name), 2) for name in ("user_idx", "movie_idx", "rating")}
    return replace(ratings, **parts)


def test_baselines_are_measured_without_the_cells_held_out(planted_fit: TableFit) -> None:
    ratings = planted()
    n = len(ratings)
    folds = np.array_split(np.random.default_rng(0).permutation(n), 5)
    for baseline, error in ((mean_baseline, planted_fit.mean_rmse), (bias_baseline, planted_fit.bias_rmse)):
        predictions = np.empty(n)
        for fold in folds:
            predictions[fold] = baseline(ratings, fold)
        assert rmse(np.clip(predictions, 1, 5), ratings.rating) == pytest.approx(error)


def test_a_cell_held_out_does_not_predict_itself() -> None:
    ratings = planted(12, 8)
    folds = table_fit._folds(ratings)
    held_out, settings = [np.empty(0, np.int64), *folds], BayesSettings(n_factors=5)

    def predicted(ratings: Ratings) -> np.ndarray:
        return np.concatenate([fit.val_predictions for fit in fit_each(ratings, held_out, settings)])

    before = predicted(ratings)
    rating = ratings.rating.copy()
    row = int(folds[0][0])
    rating[row] = 5 if rating[row] < 3 else 1
    after = predicted(replace(ratings, rating=rating))
    moved = abs(after - before)
    # what is common to all folds, the scale and the noise, moves every prediction a little
    assert moved[0] < 0.1 < moved[len(folds[0]) :].max()


@pytest.mark.parametrize(
    ("users", "items", "rating", "verdict"),
    [
        (range(12), [0, 1] * 6, range(1, 13), "too little to learn from"),
        ([0, 1] * 6, range(12), range(1, 13), "too little to learn from"),
        ([0, 0, 1], [0, 1, 1], [1, 2, 3], "too little to learn from: expected 10 ratings"),
        ([0], [0], [3], "nothing can be learnt: every rating is 3"),
        (np.repeat(range(4), 4), list(range(4)) * 4, [3.7] * 16, "nothing can be learnt: every rating is 3.7"),
    ],
)
def test_what_can_not_be_learnt_is_said(users: list, items: list, rating: list, verdict: str) -> None:
    fit = fit_table(make_ratings(np.array(users), np.array(items), np.array(rating, float)))
    assert fit.verdict.startswith(verdict)
    assert not fit.is_better
    assert np.isnan(fit.rmse)
    assert fit.n_held_out == 0
    if len(set(rating)) == 1:
        assert Predictor(fit.factors).predict(100, 500) == pytest.approx(rating[0])


def test_a_small_gain_may_be_chance(planted_fit: TableFit) -> None:
    assert replace(planted_fit, sureness=1.0).verdict.endswith("; that may be chance")


def test_the_nouns_are_those_of_the_table() -> None:
    ratings = replace(planted(12, 8), nouns=("customer", "product"))
    assert "customer" in fit_table(ratings).verdict


def test_of_many_ratings_a_fifth_is_held_out() -> None:
    ratings = planted(400, 100, share=0.7)
    fit = fit_table(ratings)
    assert fit.n_held_out == -(-len(ratings) // 5)
    assert fit.rmse < 0.7 < fit.bias_rmse


def test_ratings_that_are_no_numbers_are_refused() -> None:
    ratings = planted(12, 8)
    rating = ratings.rating.copy()
    rating[3] = np.nan
    with pytest.raises(InputError, match="no finite number"):
        fit_table(replace(ratings, rating=rating))


def test_torch_is_not_needed() -> None:
    code = "import sys, cf_excel.learn.table_fit; assert not {'torch', 'numba', 'matplotlib'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
