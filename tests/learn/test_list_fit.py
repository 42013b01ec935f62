from dataclasses import replace

import numpy as np
import pytest
import torch
from support.planted import low_rank_ratings, make_ratings

from cf_excel.errors import InputError
from cf_excel.evaluate.splits import make_folds
from cf_excel.learn.bayes.arrays import torch_arrays
from cf_excel.learn.bayes.bayes_factors import bayes_to_factors
from cf_excel.learn.bayes.factorization import BayesSettings, fit_bayes
from cf_excel.learn.list_fit import fit_lists
from cf_excel.learn.list_measures import find_hits, list_movies
from cf_excel.learn.train import train
from cf_excel.metrics import ndcgs, ranking
from cf_excel.model.everyone import lists_of_users
from cf_excel.model.file import load_factors, save_factors
from cf_excel.model.predictor import Predictor
from cf_excel.ratings.table import Ratings
from cf_excel.ratings.validation import lesson_split, validation_rows

NONE = np.empty(0, np.int64)
YEAR = 365 * 86400


def rated_by_whom(ratings: Ratings) -> np.ndarray:
    rated = np.zeros((ratings.n_users, ratings.n_movies))
    rated[ratings.user_idx, ratings.movie_idx] = 1
    return rated


def test_columns_enough_for_all_give_the_autoencoder_in_closed_form() -> None:
    rng = np.random.default_rng(0)
    users, movies = np.nonzero(rng.random((12, 15)) < np.linspace(0.2, 0.9, 12)[:, None])
    ratings = make_ratings(users, movies, rng.random(len(users)))
    rated = rated_by_whom(ratings)
    n = rated.sum(axis=1)
    weighted = rated * np.sqrt(n.mean() / n)[:, None]
    gram = weighted.T @ weighted
    precision = 100 + 3 * np.diag(gram)
    inverse = np.linalg.inv(gram + np.diag(precision))
    b = np.eye(15) - inverse / np.diag(inverse)  # each column the regression of a movie on all others
    lists = fit_lists(ratings, NONE)
    assert lists.given.shape == lists.asked.shape == (15, 12)
    np.testing.assert_allclose(rated @ lists.given @ lists.asked.T, rated @ b, atol=1e-5)


gpu = pytest.param("cuda", marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA")])


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support:UserWarning")
@pytest.mark.parametrize("device", ["cpu", gpu])
def test_torch_gives_the_same_lists(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ratings = low_rank_ratings(60, 50)
    expected = fit_lists(ratings, NONE)
    monkeypatch.setattr("cf_excel.learn.list_fit.arrays_on", lambda *_: torch_arrays(device))
    lists, rated = fit_lists(ratings, NONE), rated_by_whom(ratings)
    watch, wanted = (rated @ factors.given @ factors.asked.T for factors in (lists, expected))
    np.testing.assert_allclose(watch, wanted, atol=1e-5)


def test_few_columns_keep_who_watches_what() -> None:
    rng = np.random.default_rng(1)
    groups, kinds = np.arange(90) % 3, np.arange(120) % 3
    rated = rng.random((90, 120)) < np.where(groups[:, None] == kinds, 0.3, 0.03)
    users, movies = np.nonzero(rated)
    lists = fit_lists(make_ratings(users, movies, np.full(len(users), 3.0)), NONE)
    assert lists.given.shape == (120, 24)
    watch = np.where(rated, -1, lists.watch([np.flatnonzero(row) for row in rated]))
    assert (kinds[watch.argsort(axis=1)[:, -10:]] == groups[:, None]).mean() > 0.9


def test_held_back_ratings_do_not_count() -> None:
    ratings = low_rank_ratings(40, 50)
    rows = validation_rows(ratings, "random", 1)
    kept = np.delete(np.arange(len(ratings)), rows)
    parts = {name: getattr(ratings, name)[kept] for name in ("user_idx", "movie_idx", "rating")}
    held_back, without = fit_lists(ratings, rows), fit_lists(replace(ratings, **parts), NONE)
    for name in ("given", "asked", "popularity"):
        assert np.array_equal(getattr(held_back, name), getattr(without, name))
    assert not np.array_equal(held_back.popularity, fit_lists(ratings, NONE).popularity)


def test_whoever_rated_little_is_not_learnt_from_but_counts_for_what_is_popular() -> None:
    rng = np.random.default_rng(0)
    users, movies = np.nonzero(rng.random((20, 30)) < 0.8)  # 24 each
    ratings = make_ratings(np.append(users, [20, 20]), np.append(movies, [3, 5]), np.ones(len(users) + 2))
    lists, without = fit_lists(ratings, NONE), fit_lists(ratings, np.flatnonzero(ratings.user_idx == 20))
    np.testing.assert_allclose(lists.given @ lists.asked.T, without.given @ without.asked.T, atol=1e-6)
    assert np.allclose(lists.popularity * len(ratings), np.bincount(ratings.movie_idx))


def test_half_of_the_users_are_learnt_from_at_least() -> None:
    pairs = [(user, movie) for user in range(16) for movie in range(8) if movie // 4 == user % 2]
    fans = np.array([(user, movie) for user, movie in pairs if movie % 4 != user // 4])
    users, movies = np.append(fans[:, 0], np.full(420, 16)), np.append(fans[:, 1], np.arange(420))
    assert np.bincount(users).mean() / 8 > 3  # which all but one have
    watch = fit_lists(make_ratings(users, movies, np.ones(len(users))), NONE).watch([np.array([0, 1])])[0]
    assert watch[2:4].min() > watch[4:].max()


def test_the_order_of_the_ratings_changes_nothing_and_values_do_not_count() -> None:
    ratings = low_rank_ratings(40, 50)
    order = np.random.default_rng(0).permutation(len(ratings))
    shuffled = replace(ratings, user_idx=ratings.user_idx[order], movie_idx=ratings.movie_idx[order])
    for other in (shuffled, replace(ratings, rating=6 - ratings.rating)):
        for name in ("given", "asked"):
            assert np.array_equal(getattr(fit_lists(ratings, NONE), name), getattr(fit_lists(other, NONE), name))


def test_a_year_halves_the_weight_of_a_rating() -> None:
    ratings = make_ratings(np.array([0, 1, 2, 2]), np.array([0, 0, 1, 2]), np.array([3.0, 4, 5, 1]))
    np.testing.assert_allclose(fit_lists(ratings, NONE).popularity, [0.5, 0.25, 0.25])
    dated = replace(ratings, timestamp=np.array([0, YEAR, 2 * YEAR, 2 * YEAR]))
    np.testing.assert_allclose(fit_lists(dated, NONE).popularity, np.array([0.75, 1, 1]) / 2.75, rtol=1e-6)
    np.testing.assert_allclose(fit_lists(dated, np.array([2, 3])).popularity, [1, 0, 0])


@pytest.mark.parametrize(
    ("users", "movies"),
    [
        ([0], [0]),
        ([0, 1], [0, 1]),
        ([0, 0, 1], [0, 1, 1]),
        ([0] * 30, range(30)),
        (range(30), [0] * 30),
        (np.repeat(range(30), 20), list(range(20)) * 30),
        ([0, 0, 1, 1], [0, 0, 1, 0]),
    ],
    ids=["one", "apart", "two by two", "one user", "one movie", "all of all", "twice the same"],
)
def test_tables_of_any_shape(users, movies) -> None:
    ratings = make_ratings(np.array(users), np.array(movies), np.full(len(users), 4.0))
    lists = fit_lists(ratings, NONE)
    n_columns = min(24, ratings.n_users, ratings.n_movies)
    assert lists.given.shape == lists.asked.shape == (ratings.n_movies, n_columns)
    watch = lists.watch([np.flatnonzero(row) for row in rated_by_whom(ratings)])
    assert np.isfinite(watch).all()
    assert (watch >= 0).all()


def test_a_user_and_a_movie_without_training_ratings() -> None:
    ratings = make_ratings(np.array([0, 0, 1, 1, 2]), np.array([0, 1, 0, 1, 2]), np.arange(5.0))
    lists = fit_lists(ratings, np.array([4]))
    watch = lists.watch([np.array([], int), np.array([0])])
    assert np.isfinite(watch).all()
    assert watch[:, 2].tolist() == [0, 0]
    assert watch[0].tolist() == lists.popularity.tolist()  # of whom nothing is known picks what everybody does


def test_lists_of_new_users_are_no_worse_for_being_trained_with(lesson_ratings: Ratings) -> None:
    fold = make_folds(lesson_ratings, "new-users", seed=0, n_given=10)[0]
    known, liked = (fold.train.user_idx, fold.train.movie_idx), fold.rating >= 4
    wanted = fold.users[liked], fold.movies[liked]
    users, n_movies = np.unique(wanted[0]), lesson_ratings.n_movies
    lists = fit_lists(fold.train, NONE)

    def watch(rows: np.ndarray) -> np.ndarray:
        return lists.watch([known[1][known[0] == row] for row in rows])

    found = find_hits(users, list_movies(watch, users, known, n_movies), wanted, n_movies)
    assert ndcgs(*found).mean() > 0.34  # .355; .296 where they are learnt from


def test_the_model_keeps_what_its_lists_rank_by(tmp_path) -> None:
    ratings = low_rank_ratings(30, 40)
    for lists in ("score", "watch"):
        factors = train(ratings, n_factors=2, lists=lists)
        save_factors(factors, tmp_path / "m")
        read = load_factors(tmp_path / "m").lists
        assert read.by == lists
        assert np.array_equal(read.given, fit_lists(ratings, NONE).given)
    assert train(ratings, n_factors=2, lists="rating").lists is None
    usual = train(ratings, "dot-bias", n_factors=2, epochs=1).lists
    assert usual is not None
    assert usual.by == "score"
    with pytest.raises(InputError, match="lists 'best': expected one of score, watch, rating"):
        train(ratings, lists="best")


def test_lists_find_what_people_watch_next(lesson_ratings: Ratings) -> None:
    rows = lesson_split(len(lesson_ratings))
    keep = np.delete(np.arange(len(lesson_ratings)), rows)
    parts = {name: getattr(lesson_ratings, name)[keep] for name in ("user_idx", "movie_idx", "rating", "timestamp")}
    known = replace(lesson_ratings, **parts)
    by_rating = bayes_to_factors(fit_bayes(known, NONE, BayesSettings()), known, "none")
    lists = fit_lists(known, NONE)
    good = rows[lesson_ratings.rating[rows] >= 4]
    users, movies = lesson_ratings.user_idx[good], lesson_ratings.movie_idx[good]
    ndcg = {}
    for name, by in {"rating": None, "watch": replace(lists, by="watch"), "score": lists}.items():
        factors = replace(by_rating, lists=by)
        found = []
        lists_of_all = lists_of_users(factors, 10, Predictor(factors).row_scores.of_lists, exclude_seen=True)
        for user in np.unique(users):
            wanted, listed = movies[users == user], lists_of_all.movies[lists_of_all.owners == user]
            found.append(ranking(np.isin(listed, wanted), len(wanted), 10).ndcg)
        ndcg[name] = np.mean(found)
    assert ndcg["rating"] < 0.1  # .085 to .087
    assert ndcg["watch"] > 0.28  # .287
    assert ndcg["score"] > 0.31  # .315
