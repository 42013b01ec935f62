"""What the lists of a table rank by: who rated what counts where that tells something."""

import numpy as np
import pytest
from support.planted import make_ratings

from cf_excel.learn.table_fit import fit_table
from cf_excel.model.predictor import Predictor
from cf_excel.ratings.table import Ratings

N_USERS, N_ITEMS = 60, 40


def planted(chosen: np.ndarray, seed: int = 0) -> Ratings:
    """Return ratings with a pattern, of the pairs chosen (n_users, n_items)."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(N_USERS, 3)) @ rng.normal(size=(N_ITEMS, 3)).T / np.sqrt(3) + rng.normal(0, 0.5, N_ITEMS)
    users, items = np.nonzero(chosen)
    return make_ratings(users, items, np.clip(np.round(3 + x + rng.normal(0, 0.5, x.shape)), 1, 5)[users, items])


def pairs(chance: float | np.ndarray, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed + 100).random((N_USERS, N_ITEMS)) < chance


@pytest.mark.parametrize("seed", range(3))
def test_random_blanks_tell_nothing(seed: int) -> None:
    assert fit_table(planted(pairs(0.7, seed), seed)).factors.lists is None


@pytest.mark.parametrize("seed", range(3))
def test_who_chose_what_counts(seed: int) -> None:
    same_kind = np.arange(N_USERS)[:, None] % 3 == np.arange(N_ITEMS) % 3
    for chance in (np.linspace(0.05, 0.8, N_ITEMS), np.where(same_kind, 0.7, 0.1)):
        ratings = planted(pairs(chance, seed), seed)
        factors = fit_table(ratings).factors
        assert factors.lists is not None
        assert factors.lists.by == "score"
        assert factors.n_seen.sum() == len(ratings)  # the model is that of all ratings


def test_lists_do_not_touch_predictions(monkeypatch: pytest.MonkeyPatch) -> None:
    ratings = planted(pairs(np.linspace(0.05, 0.8, N_ITEMS)))
    with_lists = fit_table(ratings)
    monkeypatch.setattr("cf_excel.learn.table_fit.lists_of_table", lambda *_: None)
    without = fit_table(ratings)
    assert (with_lists.rmse, with_lists.bias_rmse) == (without.rmse, without.bias_rmse)
    np.testing.assert_array_equal(with_lists.factors.user_factors, without.factors.user_factors)
    mine, others = (Predictor(fit.factors).recommend(100, 40) for fit in (with_lists, without))
    assert {*mine} == {*others}
    assert mine != others


def test_where_no_pattern_is_found_the_choice_is_made_with_the_biases() -> None:
    chosen = pairs(np.linspace(0.05, 0.8, N_ITEMS))
    users, items = np.nonzero(chosen)
    ratings = make_ratings(users, items, np.random.default_rng(2).integers(1, 6, len(users)))
    fit = fit_table(ratings)
    assert not fit.is_better
    assert not fit.factors.user_factors.any()
    assert fit.factors.lists is not None


@pytest.mark.parametrize("n", [1, 9, 12])
def test_of_few_ratings_the_prediction_ranks(n: int) -> None:
    rows = np.arange(n)
    assert fit_table(make_ratings(rows % 3, rows // 3, rows % 5 + 1.0)).factors.lists is None
