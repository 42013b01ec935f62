import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from support.planted import low_rank_ratings, make_ratings

from cf_excel.errors import InputError
from cf_excel.learn.bayes import factorization as bayes
from cf_excel.learn.bayes.arrays import arrays_on, invert, torch_arrays
from cf_excel.learn.bayes.bayes_factors import bayes_to_factors
from cf_excel.learn.bayes.factorization import BayesFit, BayesSettings, fit_bayes
from cf_excel.learn.bayes.features import FeatureBlock, from_lists
from cf_excel.learn.bayes.precisions import WITH_CONTENT
from cf_excel.learn.bayes.sides import Design, Side
from cf_excel.learn.progress import Epoch, Progress
from cf_excel.metrics import mse
from cf_excel.model.factors import Factors
from cf_excel.model.file import load_factors, save_factors
from cf_excel.model.predictor import Predictor
from cf_excel.ratings.table import Ratings
from cf_excel.ratings.validation import lesson_split, validation_rows

SMALL = low_rank_ratings(40, 50)
SMALL_VAL = validation_rows(SMALL, "random", 1)


def val_mse(fit: BayesFit) -> float:
    return fit.history.epochs[-1].val_loss


@pytest.fixture(scope="module")
def lesson_fits(lesson_ratings: Ratings) -> dict[bool, list[BayesFit]]:
    """Seeds 0 to 2 on the lesson's split, with content and without."""
    rows = lesson_split(len(lesson_ratings))
    return {
        content: [fit_bayes(lesson_ratings, rows, BayesSettings(seed=seed, use_content=content)) for seed in range(3)]
        for content in (True, False)
    }


def test_the_lessons_split(lesson_fits: dict[bool, list[BayesFit]]) -> None:
    for content, features, most in ((True, ["genres", "years"], 0.672), (False, [], 0.696)):
        fits = lesson_fits[content]
        assert np.mean([val_mse(fit) for fit in fits]) <= most
        assert all(fit.features == features for fit in fits)
        assert all(fit.users.mean.shape == (671, 16) for fit in fits)


def test_validation_labels_change_nothing(lesson_ratings: Ratings, lesson_fits: dict[bool, list[BayesFit]]) -> None:
    rows = lesson_split(len(lesson_ratings))
    rating = lesson_ratings.rating.copy()
    rating[rows] = np.nan
    # what the scale is, is known without the labels
    blind = fit_bayes(replace(lesson_ratings, rating=rating, declared_range=lesson_ratings.rating_range), rows)
    seeing = lesson_fits[True][0]
    np.testing.assert_array_equal(blind.val_predictions, seeing.val_predictions)
    np.testing.assert_array_equal(blind.users.mean, seeing.users.mean)
    np.testing.assert_array_equal(blind.movies.variance, seeing.movies.variance)
    assert blind.rating_range == (0.5, 5.0)


def test_intervals_cover_what_they_say(lesson_ratings: Ratings, lesson_fits: dict[bool, list[BayesFit]]) -> None:
    for fits in lesson_fits.values():
        predictor = Predictor(bayes_to_factors(fits[0], lesson_ratings, "lesson"))
        rows = fits[0].val_rows
        users = lesson_ratings.user_ids[lesson_ratings.user_idx[rows]]
        movies = lesson_ratings.movie_ids[lesson_ratings.movie_idx[rows]]
        errors = np.abs(lesson_ratings.rating[rows] - predictor.predict(users, movies))
        deviations = predictor.uncertainty(users, movies)
        for share, width in ((0.5, 0.6745), (0.9, 1.6449)):
            assert (errors <= width * deviations).mean() == pytest.approx(share, abs=0.03)


def test_shuffled_content_loses_its_gain(lesson_ratings: Ratings, lesson_fits: dict[bool, list[BayesFit]]) -> None:
    order = np.random.default_rng(0).permutation(lesson_ratings.n_movies)
    shuffled = replace(lesson_ratings, genres=lesson_ratings.genres[order], years=lesson_ratings.years[order])
    lost = val_mse(fit_bayes(shuffled, lesson_split(len(lesson_ratings))))
    alone = val_mse(lesson_fits[False][0])
    assert val_mse(lesson_fits[True][0]) < alone - 0.02
    assert lost >= alone


def planted_with_features(noise: float = 0.3, seed: int = 0) -> tuple[Ratings, np.ndarray, np.ndarray]:
    """Ratings of rank 2 by 300 users of 200 movies, whose factors come from 8 genres; validation rows; the truth.

    The validation ratings are all those of every fifth movie and a fifth of the others.
    """
    rng = np.random.default_rng(seed)
    genres = [[f"g{g}" for g in rng.choice(8, 2, replace=False)] for _ in range(200)]
    features = from_lists(genres).toarray()
    movies = features @ rng.normal(0, 1, (8, 2)) + rng.normal(0, 0.1, (200, 2))
    movie_bias = features @ rng.normal(0, 0.5, 8)
    users, user_bias = rng.normal(0, 1, (300, 2)), rng.normal(0, 0.5, 300)
    pairs = np.flatnonzero(rng.random(300 * 200) < 0.2)
    u, m = pairs // 200, pairs % 200
    truth = 3 + (users[u] * movies[m]).sum(axis=1) + user_bias[u] + movie_bias[m]
    ratings = make_ratings(u, m, truth + rng.normal(0, noise, len(truth)))
    ratings = replace(ratings, genres=np.array(["|".join(items) for items in genres], object))
    rows = np.flatnonzero((m % 5 == 0) | (rng.random(len(u)) < 0.2))
    return ratings, rows, truth


def test_planted_factors_and_features_are_recovered() -> None:
    ratings, rows, truth = planted_with_features()
    fit = fit_bayes(ratings, rows, BayesSettings(iterations=15))
    rows, is_new = fit.val_rows, ratings.movie_idx[fit.val_rows] % 5 == 0
    spread = truth.var()
    errors = (fit.val_predictions - np.clip(truth[rows], *fit.rating_range)) ** 2
    assert errors[~is_new].mean() < 0.02 * spread
    assert errors[is_new].mean() < 0.06 * spread  # known by their genres alone
    blind = fit_bayes(ratings, rows, BayesSettings(iterations=15, use_content=False))
    blind_errors = (blind.val_predictions - np.clip(truth[rows], *fit.rating_range)) ** 2
    assert blind_errors[is_new].mean() > 0.5 * spread
    assert fit.noise_variance.mean() == pytest.approx(0.09, rel=0.35)


def test_features_of_users_and_tables_count() -> None:
    ratings, rows, _ = planted_with_features()
    block = FeatureBlock("table", from_lists([genres.split("|") for genres in ratings.genres]), (40.0, 40.0))
    bare = replace(ratings, genres=np.full(200, "", object))
    from_table = fit_bayes(bare, rows, more_movie_blocks=[block])
    assert from_table.features == ["table"]
    assert val_mse(from_table) == pytest.approx(val_mse(fit_bayes(ratings, rows)), rel=1e-4)
    turned = replace(bare, user_ids=bare.movie_ids, movie_ids=bare.user_ids, user_idx=bare.movie_idx)
    turned = replace(turned, movie_idx=bare.user_idx, titles=np.full(300, "", object), years=np.zeros(300, np.int16))
    turned = replace(turned, genres=np.full(300, "", object))
    with_features, without = (fit_bayes(turned, rows, user_blocks=blocks) for blocks in ([block], []))
    assert val_mse(with_features) < 0.7 * val_mse(without)


def test_one_update_is_the_posterior_of_a_linear_regression() -> None:
    """With the other side known exactly, weights and rows have a joint normal posterior, which algebra gives."""
    rng = np.random.default_rng(2)
    n, n_other, d = 7, 6, 3
    rated = np.float32(rng.random((n, n_other)) < 0.6)
    content = rng.normal(0, 1, (n, 2)).astype(np.float32)
    other = rng.normal(0, 1, (n_other, d)).astype(np.float32)
    ratings = rated * rng.normal(0, 1, (n, n_other)).astype(np.float32)
    alpha, own, of_weights = np.float32(rng.uniform(1, 2, (n, 1))), (3.0, 2.0), rng.uniform(0.5, 4, (8, d))
    arrays = arrays_on("cpu")
    sparse = csr_array(rated)
    n_rated, precisions = rated.sum(axis=1), of_weights.astype(np.float32)
    design = Design(csr_array(content), sparse, sparse.T.tocsr(), n_rated, np.zeros(n, bool), precisions, arrays)
    side = Side(design, own, np.zeros((n, d), np.float32), arrays)
    theirs = Side(design, own, other, arrays)  # no covariance: known exactly
    side.update(alpha * (sparse @ theirs.message()), alpha * (csr_array(ratings) @ theirs.inputs()), 60)

    features = np.hstack([content, rated / np.sqrt(np.maximum(rated.sum(axis=1, keepdims=True), 1))])
    inputs = np.column_stack([other[:, :-1], np.ones(n_other)])
    precision, target = np.diag(np.append(of_weights.ravel(), np.zeros(n * d))), np.zeros(8 * d + n * d)
    for i in range(n):
        jacobian = np.zeros((d, 8 * d + n * d))  # of the row by (weights, offset)
        for k in range(d):
            jacobian[k, np.arange(8) * d + k] = features[i]
            jacobian[k, (8 + i) * d + k] = 1
            precision[(8 + i) * d + k, (8 + i) * d + k] += own[k == d - 1]
        for j in np.flatnonzero(rated[i]):
            slope = inputs[j] @ jacobian
            precision += alpha[i, 0] * np.outer(slope, slope)
            target += alpha[i, 0] * slope * (ratings[i, j] - other[j, -1])
    answer = np.linalg.solve(precision, target).reshape(8 + n, d)
    np.testing.assert_allclose(side.weights, answer[:8], atol=2e-4)
    np.testing.assert_allclose(side.mean, features @ answer[:8] + answer[8:], atol=2e-4)


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 40), d=st.integers(1, 20), seed=st.integers(0, 99))
def test_invert(n: int, d: int, seed: int) -> None:
    root = np.random.default_rng(seed).normal(0, 1, (n, d, d)).astype(np.float32)
    matrices = root @ root.transpose(0, 2, 1) + np.eye(d, dtype=np.float32)
    expected = np.linalg.inv(matrices.astype(np.float64))
    np.testing.assert_allclose(invert(matrices), expected, atol=2e-4)


gpu = pytest.param("cuda", marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA")])


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support:UserWarning")
@pytest.mark.parametrize("device", ["cpu", gpu])
def test_torch_gives_the_same_numbers(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ratings, rows, _ = planted_with_features()
    expected = fit_bayes(ratings, rows)
    monkeypatch.setattr(bayes, "arrays_on", lambda *_: torch_arrays(device))
    fit, again = fit_bayes(ratings, rows), fit_bayes(ratings, rows)
    np.testing.assert_allclose(fit.val_predictions, again.val_predictions, atol=1e-4)
    np.testing.assert_allclose(fit.val_predictions, expected.val_predictions, atol=2e-3)
    np.testing.assert_allclose(fit.users.variance, expected.users.variance, rtol=0.02)


def test_many_ratings_are_for_a_gpu_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("cf_excel.learn.bayes.arrays.torch_arrays", lambda device: device)
    assert arrays_on("auto", 5_000_000) == arrays_on("cuda") == "cuda"
    assert arrays_on("auto", 100_000).xp is arrays_on("cpu", 5_000_000).xp is np
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert arrays_on("auto", 5_000_000).xp is np


def test_the_predictor_says_what_the_fit_says(tmp_path) -> None:
    fit = fit_bayes(SMALL, SMALL_VAL, BayesSettings(n_factors=4))
    save_factors(bayes_to_factors(fit, SMALL, "random"), tmp_path / "m")
    predictor = Predictor(load_factors(tmp_path / "m"))
    users, movies = SMALL.user_idx[fit.val_rows], SMALL.movie_idx[fit.val_rows]
    predictions = predictor.predict(SMALL.user_ids[users], SMALL.movie_ids[movies])
    np.testing.assert_allclose(predictions, fit.val_predictions, atol=2e-6)
    record = predictor.factors.record
    assert record["metrics"]["val_mse"] == mse(fit.val_predictions, SMALL.rating[fit.val_rows])
    assert record["settings"]["precisions"]["user"] == [68.8, 2.11]
    assert set(record["versions"]) == {"cf_excel", "scipy", "numpy", "python"}


@pytest.mark.parametrize(("factor", "shift"), [(2.0, 0.0), (20.0, 0.0), (1.0, -3.0), (-1.0, 0.0), (1e-3, 7.0)])
def test_a_scale_of_its_own_needs_no_settings(factor: float, shift: float) -> None:
    """1..10, 0..100, negative and reversed ratings: the same predictions, on that scale."""
    usual = fit_bayes(SMALL, SMALL_VAL)
    other = fit_bayes(replace(SMALL, rating=SMALL.rating * np.float32(factor) + np.float32(shift)), SMALL_VAL)
    expected = usual.val_predictions * factor + shift
    np.testing.assert_allclose(other.val_predictions, expected, atol=2e-3 * abs(factor))
    np.testing.assert_allclose(other.noise_variance, usual.noise_variance * factor**2, rtol=2e-2)
    assert other.alpha == pytest.approx(usual.alpha / factor**2, rel=1e-3)


def test_one_rating_a_user_and_a_movie() -> None:
    n = 30
    fit = fit_bayes(make_ratings(np.arange(n), np.arange(n), np.arange(n) % 5 + 1.0), np.arange(0))
    factors = bayes_to_factors(fit, make_ratings(np.arange(n), np.arange(n), np.arange(n) % 5 + 1.0), "none")
    predictions = Predictor(factors).predict(factors.user_ids[4], factors.movie_ids)
    assert np.isfinite(predictions).all()
    assert predictions[4] > predictions[:4].max()  # this user liked that movie
    assert np.isfinite(factors.layers["user_variance"]).all()


def test_constant_ratings() -> None:
    ratings = replace(SMALL, rating=np.full(len(SMALL), 3.7, np.float32))
    fit = fit_bayes(ratings, SMALL_VAL)
    assert (fit.val_predictions == np.float32(3.7)).all()
    assert fit.rating_range == (3.7, 3.7)
    bayes_to_factors(fit, ratings, "random")


def test_a_mask_holds_back_what_it_says() -> None:
    mask = np.zeros(len(SMALL), bool)
    mask[SMALL_VAL] = True
    fit = fit_bayes(SMALL, mask)
    assert np.array_equal(fit.val_rows, np.sort(SMALL_VAL))
    assert np.array_equal(fit.val_predictions, fit_bayes(SMALL, SMALL_VAL).val_predictions)


def test_a_single_rating() -> None:
    fit = fit_bayes(make_ratings([0], [0], [4.0]), [])
    assert (fit.global_mean, fit.rating_range) == (4.0, (4.0, 4.0))


def test_a_user_and_a_movie_without_training_ratings() -> None:
    rows = np.flatnonzero((SMALL.user_idx == 0) | (SMALL.movie_idx == 0))
    fit = fit_bayes(SMALL, rows)
    assert np.isfinite(fit.val_predictions).all()
    assert fit.users.variance[0].sum() > fit.users.variance[1:].sum(axis=1).max()
    assert fit.movies.variance[0].sum() > fit.movies.variance[1:].sum(axis=1).max()


def test_a_user_without_ratings_is_the_average_user() -> None:
    fit = fit_bayes(SMALL, np.flatnonzero(SMALL.user_idx < 4))
    np.testing.assert_allclose(fit.users.mean[:4], np.tile(fit.users.mean[0], (4, 1)))
    others = fit.users.mean[4:]
    distance = np.abs(fit.users.mean[0] - others.mean(axis=0))
    assert (distance < 0.5 * others.std(axis=0)).all()


def test_declared_range_is_where_predictions_are_cut_off() -> None:
    fit = fit_bayes(replace(SMALL, declared_range=(2.0, 3.0)), SMALL_VAL)
    assert fit.rating_range == (2.0, 3.0)
    assert (fit.val_predictions.min(), fit.val_predictions.max()) == (2.0, 3.0)


@pytest.mark.parametrize("held_back", [[0], [1], [0, 1]])
def test_the_range_is_that_of_the_table_whatever_is_held_back(held_back: list[int]) -> None:
    ratings = make_ratings([0, 0, 1, 1, 2], [0, 1, 0, 1, 0], [1.0, 5.0, 3.0, 4.0, 3.0])
    fit = fit_bayes(ratings, held_back)
    assert fit.rating_range == bayes_to_factors(fit, ratings, "random").rating_range == (1.0, 5.0)


@pytest.mark.parametrize("factor", [1e-45, 1e-30, 1e-16])
def test_ratings_that_hardly_differ_are_refused_with_what_to_do(factor: float) -> None:
    rating = (np.float64(SMALL.rating) * factor).astype(np.float32)
    with pytest.raises(InputError, match=r"ratings differ by .*e-.* at most: multiply them by 1?\d?e\+|by \de\+"):
        fit_bayes(replace(SMALL, rating=rating), SMALL_VAL)


def exported(ratings: Ratings) -> Factors:
    return bayes_to_factors(fit_bayes(ratings, SMALL_VAL), ratings, "random")


@pytest.mark.parametrize(
    ("work", "message"),
    [
        (lambda: fit_bayes(SMALL, np.arange(len(SMALL))), "no rating is left to train on: planted ratings has 1,000"),
        (lambda: BayesSettings(n_factors=0), "factors 0: expected 1 to 256"),
        (lambda: BayesSettings(iterations=0), "epochs 0: expected 1 to 1,000"),
        (lambda: BayesSettings(seed=-1), "seed -1: expected a whole number"),
        (lambda: fit_bayes(make_ratings([0, 0, 1], [0, 0, 0], [1, 2, 3]), []), "a user rates the same movie twice"),
        (lambda: exported(replace(SMALL, rating=SMALL.rating * np.float32(1e30))), "are too large: are there ratings"),
        (lambda: BayesSettings(device="mps"), "device 'mps': the model bayes runs on"),
        (lambda: fit_bayes(replace(SMALL, rating=SMALL.rating * np.nan), []), "a rating that is no finite number"),
    ],
)
def test_what_can_not_work(work, message: str) -> None:
    with pytest.raises(InputError, match=message):
        work()


def test_the_same_seed_gives_the_same_numbers_and_another_does_not() -> None:
    one, same, other = (fit_bayes(SMALL, SMALL_VAL, BayesSettings(seed=seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.movies.mean, same.movies.mean)
    assert not np.array_equal(one.movies.mean, other.movies.mean)


class Heard(Progress):
    def __init__(self, interrupt_after: int = 0) -> None:
        self.epochs: list[Epoch] = []
        self.interrupt_after = interrupt_after
        self.where = ""

    def begin(self, n_epochs: int, n_batches: int, n_rows: int) -> None:
        self.size = (n_epochs, n_batches, n_rows)

    def epoch(self, epoch: Epoch) -> None:
        self.epochs.append(epoch)
        if epoch.number == self.interrupt_after:
            os.kill(os.getpid(), signal.SIGINT)

    def stopped(self, where: str) -> None:
        self.where = where


def test_progress_is_told_what_the_history_says() -> None:
    heard = Heard()
    fit = fit_bayes(SMALL, SMALL_VAL, progress=heard)
    assert heard.size == (8, 1, len(SMALL) - len(SMALL_VAL))
    assert heard.epochs == fit.history.epochs
    assert [epoch.number for epoch in heard.epochs] == list(range(1, 9))
    assert val_mse(fit) == pytest.approx(mse(fit.val_predictions, SMALL.rating[fit.val_rows]))


def test_ctrl_c_keeps_what_was_learnt() -> None:
    heard = Heard(interrupt_after=3)
    fit = fit_bayes(SMALL, SMALL_VAL, progress=heard)
    assert fit.history.stopped == heard.where == "iteration 3 of 8"
    three = fit_bayes(SMALL, SMALL_VAL, BayesSettings(iterations=3))
    np.testing.assert_array_equal(fit.val_predictions, three.val_predictions)


def test_content_brings_its_own_precisions() -> None:
    ratings, rows, _ = planted_with_features()
    assert fit_bayes(ratings, rows).settings.precisions == WITH_CONTENT
