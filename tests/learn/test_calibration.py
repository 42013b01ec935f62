from dataclasses import replace

import numpy as np
import pytest
from support.planted import make_ratings

from cf_excel.learn.bayes.bayes_factors import bayes_to_factors
from cf_excel.learn.bayes.calibration import spread_of, variances, with_spread
from cf_excel.learn.bayes.factorization import BayesFit, BayesSettings, fit_bayes
from cf_excel.learn.bayes.tuning import fit_tuned
from cf_excel.learn.table_fit import fit_table
from cf_excel.metrics import coverage
from cf_excel.model.predictor import Predictor
from cf_excel.ratings.table import Ratings
from cf_excel.ratings.validation import validation_rows

NONE = np.empty(0, np.int64)


def planted(seed: int, n_users: int, n_items: int, share: float, noise: float) -> Ratings:
    """Return 1 to 5 stars of rank 3, a share of all cells."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n_users, 3)) @ rng.normal(size=(n_items, 3)).T / np.sqrt(3)
    x += rng.normal(0, 0.5, (n_users, 1)) + rng.normal(0, 0.5, n_items) + rng.normal(0, noise, x.shape)
    users, items = np.nonzero(rng.random(x.shape) < share)
    return make_ratings(users, items, np.clip(np.round(3 + x), 1, 5)[users, items])


def predictor_of(fit: BayesFit, ratings: Ratings) -> Predictor:
    return Predictor(bayes_to_factors(fit, ratings, "none"))


@pytest.mark.parametrize(
    "ratings", [planted(1, 60, 40, 0.35, 0.4), planted(1, 150, 100, 0.15, 0.7)], ids=["60 x 40", "150 x 100"]
)
def test_intervals_of_small_tables_hold_what_they_say(ratings: Ratings) -> None:
    errors, deviations = [], []
    for seed in (0, 1):
        rows = np.sort(validation_rows(ratings, "random", seed))
        fit = fit_tuned(ratings, rows)
        users, items = ratings.user_idx[rows], ratings.movie_idx[rows]
        errors.append(fit.val_predictions - ratings.rating[rows])
        deviations.append(predictor_of(fit, ratings).uncertainty_rows(users, items))
    for share in (0.5, 0.9):
        assert coverage(np.concatenate(errors), np.concatenate(deviations), share) == pytest.approx(share, abs=0.06)


def test_intervals_of_a_table_that_was_filled_hold_what_they_say() -> None:
    ratings = planted(3, 60, 40, 0.35, 0.4)
    rows = np.sort(validation_rows(ratings, "random", 0))
    training = np.delete(np.arange(len(ratings)), rows)
    parts = {name: getattr(ratings, name)[training] for name in ("user_idx", "movie_idx", "rating")}
    predictor = Predictor(fit_table(replace(ratings, **parts, timestamp=None)).factors)
    users, items = ratings.user_idx[rows], ratings.movie_idx[rows]
    errors = predictor.predict_rows(users, items) - ratings.rating[rows]
    for share in (0.5, 0.9):
        assert coverage(errors, predictor.uncertainty_rows(users, items), share) == pytest.approx(share, abs=0.08)


def test_variances_of_a_fit_are_those_of_its_predictor() -> None:
    ratings = planted(2, 30, 20, 0.4, 0.4)
    fit = fit_bayes(ratings, NONE, BayesSettings(n_factors=4))
    of_predictor = predictor_of(fit, ratings).uncertainty_rows(ratings.user_idx, ratings.movie_idx)
    found = variances(fit, ratings.user_idx, ratings.movie_idx)
    np.testing.assert_allclose(np.sqrt(found), of_predictor, rtol=1e-4)


def test_spread_is_how_many_times_the_variances_the_squared_errors_are() -> None:
    ratings = planted(2, 30, 20, 0.4, 0.4)
    rows = np.sort(validation_rows(ratings, "random", 0))
    fit = fit_bayes(ratings, rows)
    spread = spread_of([fit], ratings, [rows])
    assert spread_of([with_spread(fit, spread)], ratings, [rows]) == pytest.approx(1, abs=0.02)
    wide = with_spread(fit, 4.0)
    np.testing.assert_array_equal(wide.users.mean, fit.users.mean)
    assert wide.alpha == fit.alpha
    np.testing.assert_allclose(wide.noise_variance, 4 * fit.noise_variance)


def test_a_new_user_differs_as_much_as_users_do() -> None:
    """The usual prior takes the biases of users to differ by one rating; here it is a tenth."""
    rng = np.random.default_rng(0)
    users, items = np.divmod(np.arange(80 * 30), 30)
    there = (rng.random(len(users)) < 0.5) & (users < 79)
    rating = 3 + rng.normal(0, 0.1, 80)[users] + rng.normal(0, 0.7, 30)[items] + rng.normal(0, 0.5, len(users))
    ratings = make_ratings(users[there], items[there], rating[there])
    unknown = replace(ratings, user_ids=np.append(ratings.user_ids, 999))
    fit = fit_bayes(unknown, NONE)
    assert fit.users.variance[-1, -1] < 0.05
    assert fit.users.variance[-1, -1] > 0.5 * np.median(fit.users.variance[:-1, -1])
