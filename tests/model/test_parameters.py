"""Factors and biases, and what they add up to."""

import numpy as np
from support.recommenders import random_factors

from cf_excel.model.parameters import Parameters


def test_pairs_and_grids_with_biases_and_without():
    rng = np.random.default_rng(0)
    users, movies, user_bias, movie_bias = rng.random((4, 3)), rng.random((5, 3)), rng.random(4), rng.random(5)
    plain, biased = Parameters(users, movies), Parameters(users, movies, user_bias, movie_bias)
    grid, rows = np.ix_(range(4), range(5)), (np.array([3, 0, 3]), np.array([4, 4, 1]))
    np.testing.assert_allclose(plain.predict(*grid), users @ movies.T)
    np.testing.assert_allclose(biased.predict(*grid), users @ movies.T + user_bias[:, None] + movie_bias)
    np.testing.assert_array_equal(biased.predict(*rows), biased.predict(*grid)[rows])
    np.testing.assert_array_equal(biased.products(*rows), plain.predict(*rows))
    assert list(plain.arrays) == ["user_factors", "movie_factors"]
    assert (biased.n_users, biased.n_movies, biased.n_factors) == (4, 5, 3)


def test_blanks_count_as_zero():
    blank = Parameters(np.array([[np.nan, 2.0]]), np.array([[3.0, np.nan]]), np.array([np.nan]), np.array([1.0]))
    pair = np.array([0]), np.array([0])
    assert np.isnan(blank.predict(*pair)).all()
    assert blank.without_blanks().predict(*pair).tolist() == [1.0]


def test_users_and_movies_of_a_model_in_another_order():
    factors = random_factors("bayes")
    users, movies = np.array([7, 2, 30]), np.array([100, 5, 50, 6])
    part = factors.of_users(users).of_movies(movies)
    for user, row in enumerate(users.tolist()):
        kept = [movie for movie in factors.seen(row).tolist() if movie in movies]
        assert movies[part.seen(user)].tolist() == kept
    assert sum(part.n_seen) == len(part.seen_users) > 0
    np.testing.assert_array_equal(part.movie_ids, factors.movie_ids[movies])
    np.testing.assert_array_equal(part.user_bias, factors.user_bias[users])
    for name, rows in {"user_variance": users, "noise_variance": users, "movie_variance": movies, "alpha": [0]}.items():
        np.testing.assert_array_equal(part.layers[name], factors.layers[name][rows])
