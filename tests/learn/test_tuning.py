from dataclasses import replace

import numpy as np
import pytest
from support.planted import low_rank_ratings, make_ratings

from cf_excel.errors import InputError
from cf_excel.learn.bayes import search, tuning
from cf_excel.learn.bayes.bayes_factors import bayes_to_factors
from cf_excel.learn.bayes.copies import fit_each
from cf_excel.learn.bayes.factorization import BayesFit, BayesSettings, fit_bayes
from cf_excel.learn.bayes.features import FeatureBlock, from_lists, movie_blocks
from cf_excel.learn.bayes.precisions import RATINGS_ALONE
from cf_excel.learn.bayes.search import OFF
from cf_excel.learn.bayes.tuning import fit_tuned, tune
from cf_excel.learn.train import train
from cf_excel.metrics import mse
from cf_excel.ratings.table import Ratings
from cf_excel.ratings.validation import lesson_split, validation_rows

SMALL = low_rank_ratings(30, 20)
SMALL_VAL = validation_rows(SMALL, "random", 1)
NONE = np.empty(0, np.int64)


def stars(seed: int, n_users: int = 60, n_items: int = 40, noise: float = 0.4) -> Ratings:
    """Return a third of a table of 1 to 5 stars of rank 3."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n_users, 3)) @ rng.normal(size=(n_items, 3)).T / np.sqrt(3)
    x += rng.normal(0, 0.5, (n_users, 1)) + rng.normal(0, 0.5, n_items) + rng.normal(0, noise, x.shape)
    users, items = np.nonzero(rng.random(x.shape) < 0.35)
    return make_ratings(users, items, np.clip(np.round(3 + x), 1, 5)[users, items])


def without_pattern(seed: int = 0) -> Ratings:
    rng = np.random.default_rng(seed)
    users, items = np.nonzero(rng.random((60, 40)) < 0.35)
    return make_ratings(users, items, rng.integers(1, 6, len(users)).astype(float))


def val_mse(fit: BayesFit) -> float:
    return fit.history.epochs[-1].val_loss


@pytest.fixture(scope="module")
def small_fit() -> BayesFit:
    return fit_tuned(SMALL, SMALL_VAL)


def test_a_small_table_with_a_plain_pattern_has_loose_factors() -> None:
    ratings = stars(2)
    rows = validation_rows(ratings, "random", 0)
    fit = fit_tuned(ratings, rows)
    assert fit.chosen is not None
    assert fit.chosen["factors"] < 0.1
    assert fit.chosen["sets"] > 1  # what was rated says nothing here
    assert val_mse(fit) < 0.6 < 0.8 < val_mse(fit_bayes(ratings, rows))


def test_movielens_keeps_the_usual_precisions(lesson_ratings: Ratings) -> None:
    rows = lesson_split(len(lesson_ratings))
    training = tuning._rows_of(lesson_ratings, np.delete(np.arange(len(lesson_ratings)), rows))
    tuned = tune(training, BayesSettings(use_content=False))
    assert tuned.chosen == {}
    assert tuned.settings == BayesSettings(use_content=False, precisions=RATINGS_ALONE)


def test_validation_labels_change_nothing(small_fit: BayesFit) -> None:
    rating = SMALL.rating.copy()
    rating[SMALL_VAL] = np.nan
    blind = fit_tuned(replace(SMALL, rating=rating, declared_range=SMALL.rating_range), SMALL_VAL)
    assert blind.chosen == small_fit.chosen
    np.testing.assert_array_equal(blind.val_predictions, small_fit.val_predictions)


@pytest.mark.parametrize(("factor", "shift"), [(20.0, -10.0), (0.25, 0.0)])
def test_another_scale_gives_the_same_choice(small_fit: BayesFit, factor: float, shift: float) -> None:
    """Without draws, which part from the first bit on that differs, the same predictions, too."""
    other = replace(SMALL, rating=SMALL.rating * np.float32(factor) + np.float32(shift))
    drawn = fit_tuned(other, SMALL_VAL)
    assert drawn.chosen == small_fit.chosen
    np.testing.assert_allclose(drawn.val_predictions, small_fit.val_predictions * factor + shift, atol=0.05 * factor)
    fit, expected = (fit_tuned(ratings, SMALL_VAL, keep=("draws",)) for ratings in (other, SMALL))
    assert fit.chosen == expected.chosen
    np.testing.assert_allclose(fit.val_predictions, expected.val_predictions * factor + shift, atol=0.02 * factor)


def test_without_noise_the_fit_is_nearly_exact() -> None:
    rng = np.random.default_rng(0)
    users, movies = np.nonzero(rng.random((60, 40)) < 0.5)
    rating = 3 + (rng.normal(0, 1, (60, 2)) @ rng.normal(0, 1, (2, 40)))[users, movies]
    ratings = make_ratings(users, movies, rating)
    rows = validation_rows(ratings, "random", 0)
    fit = fit_tuned(ratings, rows)
    assert val_mse(fit) < 0.003 * rating.var()
    assert val_mse(fit) < 0.1 * val_mse(fit_bayes(ratings, rows))


def test_a_small_fit_takes_no_more_for_pattern_than_was_tried() -> None:
    """With all of the ratings, not four fifths, ever more weight for each rating once made it fit the noise."""
    ratings = stars(4)
    training = np.sort(np.random.default_rng(4).permutation(len(ratings))[len(ratings) // 5 :])
    ratings = tuning._rows_of(ratings, training)
    tuned = tune(ratings, BayesSettings())
    fit = fit_bayes(ratings, NONE, tuned.settings)
    assert fit.alpha == pytest.approx(tuned.settings.most_alpha)
    assert fit.alpha < 0.5 * fit_bayes(ratings, NONE, replace(tuned.settings, most_alpha=None)).alpha


def test_without_a_pattern_predictions_are_about_the_mean() -> None:
    ratings = without_pattern(1)
    rows = validation_rows(ratings, "random", 0)
    fit = fit_tuned(ratings, rows)
    assert fit.chosen is not None
    assert fit.chosen["factors"] == OFF
    assert np.abs(fit.users.mean[:, :-1]).max() < 1e-3
    of_the_mean = mse(np.full(len(rows), np.delete(ratings.rating, rows).mean()), ratings.rating[rows])
    assert val_mse(fit) < 1.02 * of_the_mean
    assert val_mse(fit) < val_mse(fit_bayes(ratings, rows))


def test_features_that_tell_nothing_are_left_out() -> None:
    ratings = stars(1, 120, 80)
    noise = from_lists([[f"n{i}"] for i in np.random.default_rng(0).integers(0, 12, ratings.n_users)])
    rows = validation_rows(ratings, "random", 0)
    fit = fit_tuned(ratings, rows, user_blocks=[FeatureBlock("noise", noise, (40.0, 40.0))])
    assert fit.chosen is not None
    assert (fit.features, fit.chosen["content"]) == ([], OFF)
    assert not fit.settings.use_content


def test_features_that_help_are_kept() -> None:
    rng = np.random.default_rng(0)
    genres = rng.integers(0, 4, 80)
    users, movies = np.nonzero(rng.random((40, 80)) < 0.1)
    ratings = make_ratings(users, movies, 3 + rng.normal(0, 1, (40, 4))[users, genres[movies]])
    ratings = replace(ratings, genres=np.array([f"g{genre}" for genre in genres], object))
    fit = fit_tuned(ratings, NONE)
    assert fit.features == ["genres"]
    assert fit.settings.use_content


@pytest.mark.parametrize(
    "ratings",
    [
        make_ratings(np.arange(40), np.arange(40) % 7, np.arange(40) % 5 + 1.0),  # one rating a user
        make_ratings(np.arange(40) % 2, np.arange(40) // 2, np.arange(40) % 5 + 1.0),  # two users
        make_ratings(np.arange(40) % 30, np.arange(40) * 100, np.arange(40) % 5 + 1.0),  # many movies, few users
        make_ratings(np.arange(40) // 8, np.arange(40) % 8, np.full(40, 4.0)),  # all equal
        make_ratings([0, 0, 1], [0, 1, 1], [1.0, 2.0, 3.0]),
    ],
    ids=["one rating a user", "two users", "wide", "all equal", "three ratings"],
)
def test_odd_tables_end_right(ratings: Ratings) -> None:
    fit = fit_tuned(ratings, NONE)
    factors = bayes_to_factors(fit, ratings, "none")
    assert factors.record["chosen"] == fit.chosen
    products = np.einsum("nk,nk->n", factors.user_factors[ratings.user_idx], factors.movie_factors[ratings.movie_idx])
    predicted = factors.global_mean + products + factors.user_bias[ratings.user_idx]
    predicted += factors.movie_bias[ratings.movie_idx]
    low, high = ratings.rating_range
    assert mse(np.clip(predicted, low, high), ratings.rating) <= 1.02 * ratings.rating.var()
    if np.ptp(ratings.rating) == 0:
        assert fit.chosen is None
        np.testing.assert_allclose(predicted, 4.0, atol=1e-3)


def test_what_is_given_stays() -> None:
    factors = train(SMALL, n_factors=4, iterations=3)
    assert factors.user_factors.shape == (30, 4)
    assert factors.record["settings"]["iterations"] == 3
    assert factors.record["chosen"]


def test_precisions_that_are_given_are_taken_as_they_are() -> None:
    for given in ({"precisions": RATINGS_ALONE}, {"tune": False}):
        record = train(SMALL, **given).record
        assert record["chosen"] is None
        assert record["settings"]["precisions"]["user"] == RATINGS_ALONE.user
        assert (record["settings"]["n_factors"], record["settings"]["iterations"]) == (15, 8)


def test_of_many_ratings_those_of_some_users_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MANY_RATINGS", 100)
    block = FeatureBlock("row", from_lists([[str(row)] for row in range(30)]), (1.0, 1.0))
    found, (users,), _ = search._sample(SMALL, [block], [], np.random.default_rng(0))
    counts = np.bincount(SMALL.user_idx)
    assert 100 <= len(found) < 100 + counts.max()
    assert np.array_equal(np.bincount(found.user_idx), counts[found.user_ids - 100])  # all ratings of each
    assert users.matrix.shape[0] == found.n_users
    titles = SMALL.titles[SMALL.movie_idx[SMALL.user_idx == found.user_ids[0] - 100]]
    assert sorted(found.titles[found.movie_idx[found.user_idx == 0]]) == sorted(titles)
    few = make_ratings(np.arange(1000) % 2, np.arange(1000) // 2, np.arange(1000) % 5 + 1.0)
    assert len(search._sample(few, [], [], np.random.default_rng(0))[0]) < 250


def test_on_a_part_of_a_table_a_gain_must_be_more_than_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MANY_RATINGS", 100)
    found = search.Search(SMALL, BayesSettings(), [], [])
    before, chosen = found.best, {"biases": 2.0}
    for noise, expected in ((0.0, True), (1.0, False)):
        gains = before.error * (0.05 + noise * np.where(np.arange(len(before.squared)) % 2, 1, -1))
        trial = search.Trial(chosen, before.squared - gains, before.fits)
        monkeypatch.setattr(found, "_try", lambda chosen, trial=trial: trial)
        found.best = before
        assert found._is_better(chosen, 0.001) == expected
        assert found.chosen == (chosen if expected else before.chosen)


def test_the_smaller_the_table_the_more_copies() -> None:
    for n, expected in ((100, 25), (850, 5), (2_000, 2), (9_000, 1)):
        ratings = make_ratings(np.arange(n) % 90, np.arange(n) // 90, np.ones(n))
        folds = search._folds(ratings, np.random.default_rng(0))
        assert len(folds) == expected
        assert all(n // 5 <= len(fold) <= n // 5 + 1 and np.all(np.diff(fold) > 0) for fold in folds)


def test_features_of_a_copy_do_not_know_what_another_lacks() -> None:
    """One movie a genre: without its ratings nothing tells of it, though another copy has them."""
    ratings = replace(SMALL, genres=np.array([f"g{movie}" for movie in range(20)], object))
    blocks = movie_blocks(ratings)
    rows = np.flatnonzero(ratings.movie_idx == 3)
    predictions = []
    for shift in (0, 1):
        rating = ratings.rating.copy()
        rating[rows] = 5 - shift * 4
        other = replace(ratings, rating=rating, declared_range=(0.0, 5.0))
        fit, _ = fit_each(other, [rows, np.flatnonzero(ratings.movie_idx == 4)], BayesSettings(), [], blocks)
        predictions.append(fit.val_predictions)
    assert np.abs(predictions[0] - predictions[1]).max() < 0.15


def test_ctrl_c_while_it_chooses_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*given: object) -> list[BayesFit]:
        fits = fit_each(*given)
        fits[0].history.stopped = "iteration 1 of 8"
        return fits

    monkeypatch.setattr(search, "fit_each", stopped)
    with pytest.raises(KeyboardInterrupt):
        fit_tuned(SMALL, NONE)


def test_bad_ratings_are_refused_as_by_a_fit() -> None:
    rating = SMALL.rating.copy()
    rating[0] = np.nan
    with pytest.raises(InputError, match="no finite number"):
        fit_tuned(replace(SMALL, rating=rating), NONE)
    with pytest.raises(InputError, match="no rating is left to train on"):
        fit_tuned(SMALL, np.arange(len(SMALL)))
    twice = make_ratings(np.tile(np.arange(6), 4), np.tile(np.arange(6), 4), np.arange(24.0))
    with pytest.raises(InputError, match="rates the same movie twice"):
        fit_tuned(twice, NONE)
