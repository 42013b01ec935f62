"""How many ratings of a table a model was trained on."""

from dataclasses import replace

import numpy as np

from cf_excel.model.agreement import agreement


def rows_of(factors):
    return factors.seen_users, factors.seen_movies.astype(np.intp)


def test_ratings_of_the_training_agree(tiny_model):
    users, movies = rows_of(tiny_model)
    ratings = np.arange(len(users), dtype=float)
    model = replace(tiny_model, seen_ratings=ratings.astype(np.float32))
    assert agreement(model, users, movies, ratings) == (len(users), len(users))
    assert agreement(model, users[::-1], movies[::-1], ratings[::-1]) == (len(users), len(users))
    assert agreement(model, users, movies, ratings + 1) == (0, len(users))
    assert agreement(model, users, movies, ratings + 1e-5).share == 1
    assert agreement(model, users[:0], movies[:0], ratings[:0]) == (0, 0)


def test_unknown_users_and_movies_don_t_count(tiny_model):
    users, movies = rows_of(tiny_model)
    ratings = np.ones(len(users))
    model = replace(tiny_model, seen_ratings=np.ones(len(users), np.float32))
    users[0], movies[1] = -1, -1
    assert agreement(model, users, movies, ratings) == (len(users) - 2, len(users) - 2)


def test_a_model_without_ratings_tells_which_pairs_it_knows(tiny_model):
    users, movies = rows_of(tiny_model)
    unseen = next(m for m in range(tiny_model.n_movies) if m not in tiny_model.seen(users[0]))
    movies[0] = unseen
    model = replace(tiny_model, seen_ratings=None)
    assert agreement(model, users, movies, np.ones(len(users))) == (len(users) - 1, len(users))
