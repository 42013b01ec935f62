from dataclasses import replace

import numpy as np
import pytest

from cf_excel.errors import InputError
from cf_excel.model.fold_in import noise, user_prior
from cf_excel.model.kinds import KINDS
from cf_excel.model.predictor import Predictor


@pytest.fixture
def collab(tiny_factors):
    return Predictor(tiny_factors("collab"))


OF_RATINGS = [name for name, kind in KINDS.items() if not kind.of_picks]


def planted(tiny_factors, kind, rng):
    """A model of many users and movies, whose factors are a known truth."""
    n_users, n_movies, n_factors = 300, 200, 3
    normal = lambda *shape: rng.normal(0, 0.7, shape).astype(np.float32)  # noqa: E731
    biases = kind in ("dot-bias", "collab", "bayes")
    variances = {"noise_variance": (n_users,), "user_variance": (n_users, 4), "movie_variance": (n_movies, 4)}
    bayes = {"alpha": np.float32([100])} | {name: np.ones(shape, np.float32) for name, shape in variances.items()}
    return replace(
        tiny_factors(kind),
        user_ids=np.arange(n_users),
        movie_ids=np.arange(n_movies),
        titles=np.array([f"Movie {i}" for i in range(n_movies)], object),
        years=np.zeros(n_movies, np.int16),
        genres=np.array([""] * n_movies, object),
        user_factors=normal(n_users, n_factors),
        movie_factors=normal(n_movies, n_factors),
        user_bias=normal(n_users) * biases,
        movie_bias=normal(n_movies) * biases,
        seen_offsets=np.zeros(n_users + 1, np.int64),
        seen_movies=np.zeros(0, np.int32),
        record={"metrics": {"val_mse": 0.01}},
        layers=bayes if kind == "bayes" else tiny_factors(kind).layers,
        rating_range=(-99.0, 99.0) if kind == "bayes" else (0.5, 5.0),
    )


@pytest.mark.parametrize("kind", OF_RATINGS)
def test_fold_in_finds_a_planted_user(kind, tiny_factors):
    rng = np.random.default_rng(3)
    factors = planted(tiny_factors, kind, rng)
    predictor = Predictor(factors)
    errors, spread = [], []
    for user in range(20):
        truth = predictor.predict(user, factors.movie_ids)
        if kind == "dot":
            predictor = Predictor(replace(factors, rating_range=(float(truth.min()), float(truth.max()))))
        rated = rng.choice(200, 40, replace=False)
        ratings = np.clip(truth[rated], *predictor.factors.rating_range)
        fitted, bias = predictor.fit_user(rated, ratings)
        guess = predictor.predict_for(fitted, bias, factors.movie_ids)
        errors.append(np.square(guess - truth).mean())
        spread.append(np.square(truth - predictor.predict(10**6, factors.movie_ids, unknown="bias")).mean())
        best = [movie.movie_id for movie in predictor.fold_in(rated, ratings, 5)]
        unrated = np.setdiff1d(factors.movie_ids, rated)
        assert best == unrated[np.argsort(-guess[unrated], kind="stable")[:5]].tolist()
    # one straight line stands for the sigmoid, over ratings from one end of the range to the other
    assert np.mean(errors) < (0.04 if kind in ("dot-bias", "collab") else 0.01) * np.mean(spread)


@pytest.mark.parametrize("kind", [kind for kind in OF_RATINGS if kind != "net"])
def test_fold_in_is_one_linear_solve_of_either_size(kind, tiny_factors):
    factors = tiny_factors(kind)
    prior, rows, ratings = user_prior(factors), np.array([0, 1, 4, 6]), np.array([5, 0.5, 3, 4])
    slopes, step = np.empty((4, 4)), 1e-2
    predict = lambda user: Predictor(factors).predict_for(user[:-1], user[-1], factors.movie_ids[rows]).astype(float)  # noqa: E731
    factors = replace(factors, rating_range=(-99.0, 99.0)) if kind == "bayes" else factors  # nothing is cut off
    for i in range(4):
        move = step * np.eye(4)[i]
        slopes[:, i] = (predict(prior.mean + move) - predict(prior.mean - move)) / (2 * step)
    gram = slopes @ prior.covariance @ slopes.T + noise(factors) * np.eye(4)
    expected = prior.mean + prior.covariance @ slopes.T @ np.linalg.solve(gram, ratings - predict(prior.mean))
    fitted, bias = Predictor(factors).fit_user(factors.movie_ids[rows], ratings)
    np.testing.assert_allclose(np.append(fitted, bias), expected, atol=1e-3)


@pytest.mark.parametrize("kind", OF_RATINGS)
@pytest.mark.parametrize("rating", [0.5, 5.0])
def test_fold_in_with_one_rating_goes_its_way(kind, rating, tiny_factors):
    predictor = Predictor(planted(tiny_factors, kind, np.random.default_rng(4)))
    before = predictor.predict(10**6, 7, unknown="bias")
    after = predictor.predict_for(*predictor.fit_user([7], [rating]), 7)
    assert abs(after - rating) < abs(before - rating)


def test_fold_in_of_the_bayes_kind_is_the_posterior_mean(tiny_factors):
    factors = planted(tiny_factors, "bayes", np.random.default_rng(5))
    table = np.column_stack([factors.user_factors, factors.user_bias]).astype(float)
    rows, ratings = np.array([3, 1, 4, 15, 9, 2]), np.array([5, 4.5, 1, 2, 0.5, 3])
    z = np.column_stack([factors.movie_factors[rows], np.ones(6)])
    target = ratings - factors.global_mean - factors.movie_bias[rows]
    prior = np.linalg.inv(np.cov(table.T, bias=True))
    precision = prior + 100 * z.T @ z
    expected = np.linalg.solve(precision, prior @ table.mean(axis=0) + 100 * z.T @ target)
    fitted, bias = Predictor(factors).fit_user(rows, ratings)
    np.testing.assert_allclose(np.append(fitted, bias), expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["collab", "bayes"])
def test_fold_in_when_there_is_one_user(kind, tiny_factors):
    factors = tiny_factors(kind)
    one_row = {"noise_variance", "user_variance"}
    alone = replace(
        factors,
        user_ids=factors.user_ids[:1],
        user_factors=factors.user_factors[:1],
        user_bias=factors.user_bias[:1],
        seen_offsets=np.array([0, len(factors.seen_movies)]),
        rating_range=(3.0, 3.0),
        record={},
        layers={name: layer[:1] if name in one_row else layer for name, layer in factors.layers.items()},
    )
    fitted, bias = Predictor(alone).fit_user([1, 10], [3, 3])
    np.testing.assert_allclose(fitted, alone.user_factors[0], atol=1e-6)
    assert bias == pytest.approx(float(alone.user_bias[0]))
    assert Predictor(alone).predict_for(fitted, bias, 1) == 3.0


def test_of_two_ratings_of_a_movie_the_later_counts(collab):
    twice = collab.fold_in(["Toy Story", "The Matrix", 1], [1, 4, 5])
    assert twice == collab.fold_in([1, 2571], [5, 4])


@pytest.mark.parametrize(
    ("movies", "ratings", "words"),
    [
        ([1], [7], "rating 7 is out of the model's range: expected 0.5 to 5"),
        ([1], [np.nan], "rating nan: expected a number from"),
        ([1], ["great"], "rating 'great': expected a number from 0.5 to 5"),
        ([1], [None], "rating None: expected a number"),
        ([1, 10], [5], "2 movies and 1 ratings: expected equally many"),
        ([], [], "0 movies and 0 ratings"),
    ],
)
def test_ratings_that_can_not_be_folded_in(movies, ratings, words, collab):
    with pytest.raises(InputError, match=words):
        collab.fold_in(movies, ratings)
