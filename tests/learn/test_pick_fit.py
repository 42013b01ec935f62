"""Models of picks: how good their lists are, and what they are made of."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array
from support.planted import make_ratings

from cf_excel.errors import InputError
from cf_excel.learn.pick_fit import fit_picks, list_quality
from cf_excel.learn.train import train
from cf_excel.metrics import ranking
from cf_excel.model.picks import ListQuality
from cf_excel.model.predictor import Predictor
from cf_excel.ratings.lesson_ratings import load_lesson_ratings
from cf_excel.ratings.table import Ratings
from cf_excel.ratings.validation import lesson_split, validation_rows


def planted_picks(n_users: int = 300, n_movies: int = 80, seed: int = 0) -> Ratings:
    """Picks of users who each have a taste in topics; whom a topic is for buys much of it, and little by chance."""
    rng = np.random.default_rng(seed)
    tastes, topics = rng.gamma(0.2, size=(n_users, 5)), rng.gamma(0.2, size=(5, n_movies))
    chances = tastes @ topics + 1e-3
    chances /= chances.sum(axis=1, keepdims=True)
    users, movies = [], []
    for user in range(n_users):
        n = rng.integers(8, 25)
        users += [user] * n
        movies += rng.choice(n_movies, n, replace=False, p=chances[user]).tolist()
    users, movies = np.array(users), np.array(movies)
    by_taste = np.maximum(1, np.round(60 * chances[users, movies])) * rng.integers(1, 3, len(users))
    return replace(make_ratings(users, movies, by_taste), implicit=True)


def knn_quality(ratings: Ratings, training: np.ndarray, held_back: np.ndarray) -> ListQuality:
    """How good lists by the cosines of the movies' columns are."""
    ones = np.ones(len(training))
    rated = csr_array(
        (ones, (ratings.user_idx[training], ratings.movie_idx[training])), (ratings.n_users, ratings.n_movies)
    ).toarray()
    unit = rated / np.maximum(np.linalg.norm(rated, axis=0), 1)
    cosines = unit.T @ unit
    np.fill_diagonal(cosines, 0)
    return list_quality(lambda rows: rated[rows] @ cosines, ratings, training, held_back)


def ease_quality(ratings: Ratings, training: np.ndarray, held_back: np.ndarray, precision: float) -> ListQuality:
    """How good the lists of the whole linear autoencoder are (Steck 2019)."""
    ones = np.ones(len(training))
    rated = csr_array(
        (ones, (ratings.user_idx[training], ratings.movie_idx[training])), (ratings.n_users, ratings.n_movies)
    ).toarray()
    inverse = np.linalg.inv(rated.T @ rated + precision * np.eye(ratings.n_movies))
    b = -inverse / np.diag(inverse)
    np.fill_diagonal(b, 0)
    return list_quality(lambda rows: rated[rows] @ b, ratings, training, held_back)


@pytest.mark.slow
def test_planted_picks_are_found_as_well_as_by_neighbours_and_the_whole_autoencoder():
    scores = []
    for seed in range(2):
        ratings = planted_picks(600, 150, seed)
        ratings = replace(ratings, rating=np.ones_like(ratings.rating))
        held_back = np.sort(validation_rows(ratings, "random", seed))
        training = np.setdiff1d(np.arange(len(ratings)), held_back)
        fit = fit_picks(ratings, held_back, "random", seed)
        others = [knn_quality(ratings, training, held_back).ndcg]
        others += [ease_quality(ratings, training, held_back, precision).ndcg for precision in (30, 100, 300)]
        scores.append((fit.quality.ndcg, fit.popular.ndcg, *others))
        assert fit.weights.half == 0  # nothing is counted
    ours, popular, *theirs = np.mean(scores, axis=0)
    assert ours > max(theirs)
    assert ours > 1.3 * popular


@pytest.mark.slow
def test_movielens_without_its_stars():
    ratings = load_lesson_ratings()
    ratings = replace(ratings, rating=np.ones_like(ratings.rating), implicit=True)
    fit = fit_picks(ratings, lesson_split(len(ratings)), "lesson")
    assert fit.quality.ndcg > 0.352
    assert fit.quality.ndcg > 3 * fit.popular.ndcg
    assert fit.quality.hit_rate > 0.78
    assert fit.factors.record["metrics"] == {"val_ndcg": fit.quality.ndcg, "val_hit_rate": fit.quality.hit_rate}


def test_counts_weigh_where_they_tell_something():
    ratings = planted_picks()
    chance = np.random.default_rng(1)
    noise = ratings.user_idx.astype(np.int64) * ratings.n_movies + ratings.movie_idx
    extra = np.setdiff1d(chance.integers(0, ratings.n_users * ratings.n_movies, 4000), noise)
    users, movies = np.append(ratings.user_idx, extra // 80), np.append(ratings.movie_idx, extra % 80)
    order = chance.permutation(len(users))  # picks by chance, once each, hide those by taste, which come often
    counts = np.append(ratings.rating + 5, np.ones(len(extra)))
    mixed = replace(make_ratings(users[order], movies[order], counts[order]), implicit=True)
    fit = fit_picks(mixed, np.empty(0, np.int64))
    assert fit.weights.half > 0
    assert (fit.quality, fit.popular, fit.factors.record["metrics"]) == (None, None, {})
    shuffled = replace(mixed, rating=chance.permutation(mixed.rating))
    assert fit_picks(shuffled, np.empty(0, np.int64)).weights.half == 0


def test_quality_is_the_mean_over_the_users_with_picks_held_back():
    ratings = planted_picks(30, 40)
    rows = np.random.default_rng(2).permutation(len(ratings))
    held_back, training = np.sort(rows[:60]), np.sort(rows[60:])
    scores = np.random.default_rng(3).normal(size=(30, 40))
    found = []
    for user in np.unique(ratings.user_idx[held_back]):
        mine = scores[user].copy()
        mine[ratings.movie_idx[training][ratings.user_idx[training] == user]] = -np.inf
        wanted = ratings.movie_idx[held_back][ratings.user_idx[held_back] == user]
        is_relevant = np.isin(np.argsort(-mine)[:10], wanted)
        found.append((ranking(is_relevant, len(wanted), 10).ndcg, is_relevant.any()))
    expected = np.mean(found, axis=0)
    np.testing.assert_allclose(list_quality(lambda users: scores[users], ratings, training, held_back), expected)


def test_a_user_who_comes_with_the_same_picks_gets_the_same_scores():
    ratings = planted_picks()
    factors = train(ratings, "picks")
    predictor = Predictor(factors)
    for user in range(0, 300, 50):
        mine = ratings.user_idx == user
        movies, counts = ratings.movie_ids[ratings.movie_idx[mine]], ratings.rating[mine]
        known = predictor.recommend(ratings.user_ids[user], 5)
        new = predictor.fold_in(movies, counts, 5)
        assert [movie.movie_id for movie in new] == [movie.movie_id for movie in known]
        np.testing.assert_allclose([m.score for m in new], [m.score for m in known], atol=1e-5)
    scores = predictor.predict(ratings.user_ids[:, None], ratings.movie_ids)
    assert 0 <= scores.min() < 0.1
    assert 0.5 < scores.max() < 1


def test_half_of_the_picks_held_out_have_a_score_above_a_half():
    ratings = planted_picks()
    held_back = validation_rows(ratings, "random", 5)
    predictor = Predictor(fit_picks(ratings, held_back, "random").factors)
    scores = predictor.predict_rows(ratings.user_idx[held_back], ratings.movie_idx[held_back])
    assert 0.4 < (scores > 0.5).mean() < 0.65


def test_numbers_of_factors_that_cannot_be_and_no_picks_are_refused():
    ratings = planted_picks(30, 40)
    with pytest.raises(InputError, match="factors 0: expected 1 to 128"):
        fit_picks(ratings, np.empty(0, np.int64), n_factors=0)
    with pytest.raises(InputError, match="has no picks to learn from"):
        fit_picks(ratings, np.arange(len(ratings)))
