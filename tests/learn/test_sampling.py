import numpy as np
import pytest
from support.planted import make_ratings

from cf_excel.errors import InputError
from cf_excel.learn.bayes.copies import fit_each
from cf_excel.learn.bayes.factorization import BayesFit, BayesSettings, fit_bayes
from cf_excel.learn.bayes.precisions import RATINGS_ALONE
from cf_excel.learn.bayes.search import OFF
from cf_excel.learn.bayes.tuning import tune
from cf_excel.ratings.table import Ratings, validation_rows, without

SETTINGS = BayesSettings(n_factors=4, precisions=RATINGS_ALONE.scaled(factors=1 / 32, sets=OFF))


def clusters() -> Ratings:
    """Return a tenth of 150 x 100 stars: 5 kinds of users, 6 of items."""
    rng = np.random.default_rng(1)
    of_pair = rng.normal(0, 1, (5, 6))[rng.integers(0, 5, 150)][:, rng.integers(0, 6, 100)]
    users, items = np.nonzero(rng.random((150, 100)) < 0.2)
    return make_ratings(
        users, items, np.clip(np.round(3 + of_pair + rng.normal(0, 0.7, (150, 100))), 1, 5)[users, items]
    )


def fitted(draws: int) -> BayesFit:
    ratings = clusters()
    settings = BayesSettings(n_factors=4, precisions=SETTINGS.precisions, draws=draws)
    return fit_bayes(ratings, validation_rows(ratings, "random", 0), settings)


def test_an_average_of_draws_predicts_better_than_one_pattern() -> None:
    drawn, plain = fitted(60), fitted(0)
    assert drawn.history.epochs[-1].val_loss < 0.98 * plain.history.epochs[-1].val_loss
    assert drawn.users.mean.shape == plain.users.mean.shape
    assert (drawn.users.variance[:, -1] > 0).mean() > 0.9
    np.testing.assert_array_equal(drawn.val_predictions, fitted(60).val_predictions)


def test_draws_of_copies_keep_them_apart() -> None:
    ratings = clusters()
    held_out = [np.sort(validation_rows(ratings, "random", seed)) for seed in (0, 1)]
    settings = BayesSettings(n_factors=4, precisions=SETTINGS.precisions, draws=60)
    for fit, rows in zip(fit_each(ratings, held_out, settings), held_out, strict=True):
        error = np.square(fit.val_predictions - ratings.rating[rows]).mean()
        alone = fit_bayes(ratings, rows, settings).history.epochs[-1].val_loss
        assert error == pytest.approx(alone, rel=0.05)


def test_a_small_table_with_a_pattern_is_drawn_but_not_where_sizes_are_given() -> None:
    ratings = without(clusters(), np.arange(0, 2900, 2))
    assert tune(ratings, BayesSettings()).settings.draws
    assert not tune(ratings, BayesSettings(), keep=("n_factors",)).settings.draws


def test_draws_need_a_cpu() -> None:
    with pytest.raises(InputError, match="draws on cuda"):
        BayesSettings(device="cuda", draws=10)
