import signal
from typing import Any

import numpy as np
import pytest
from support.planted import make_ratings

from cf_excel.errors import InputError
from cf_excel.learn.bayes import sampling
from cf_excel.learn.bayes.bayes_factors import bayes_to_factors
from cf_excel.learn.bayes.copies import fit_each
from cf_excel.learn.bayes.factorization import BayesFit, BayesSettings, fit_bayes
from cf_excel.learn.bayes.precisions import RATINGS_ALONE
from cf_excel.learn.bayes.search import OFF
from cf_excel.learn.bayes.tuning import tune
from cf_excel.model.predictor import Predictor
from cf_excel.ratings.table import Ratings
from cf_excel.ratings.validation import validation_rows, without

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


@pytest.mark.parametrize(("n_before", "is_drawn"), [(5, False), (50, True)], ids=["none counts", "some count"])
def test_ctrl_c_keeps_the_draws_that_were_made(monkeypatch: pytest.MonkeyPatch, n_before: int, is_drawn: bool) -> None:
    made, draw_rows = [], sampling._draw_rows

    def interrupting(*given: Any) -> None:
        draw_rows(*given)
        made.append(given)
        if len(made) == 2 * n_before:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(sampling, "_draw_rows", interrupting)
    fit = fitted(60)
    monkeypatch.undo()
    assert fit.history.stopped == f"draw {n_before} of 60"
    loss, plain = fit.history.epochs[-1].val_loss, fitted(0).history.epochs[-1].val_loss
    assert loss < 0.99 * plain if is_drawn else loss == pytest.approx(plain, rel=0.05)


def test_a_user_folded_in_is_predicted_as_one_who_was_drawn() -> None:
    ratings = clusters()
    training = np.delete(np.arange(len(ratings)), validation_rows(ratings, "random", 0))
    predictor = Predictor(bayes_to_factors(fitted(60), ratings, "none"))
    for user in range(0, 150, 30):
        rated = training[ratings.user_idx[training] == user]
        new = predictor.fit_user(ratings.movie_ids[ratings.movie_idx[rated]], ratings.rating[rated])
        found = predictor.predict_for(*new, ratings.movie_ids)
        trained = predictor.predict_rows(np.full(ratings.n_movies, user), np.arange(ratings.n_movies))
        assert np.corrcoef(found, trained)[0, 1] > 0.9


def test_draws_need_a_cpu() -> None:
    with pytest.raises(InputError, match="draws on cuda"):
        BayesSettings(device="cuda", draws=10)
