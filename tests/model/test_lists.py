import numpy as np
import pytest
from support.models import list_factors

from cf_excel.model.lists import ListFactors, explored, usual_least_ratings


def test_watch_is_what_the_rated_movies_give_and_the_rest_of_the_trust_goes_to_popularity():
    lists = list_factors()
    seen = [np.array([1, 4, 6]), np.array([], int), np.array([0])]
    watch = lists.watch(seen)
    assert watch.shape == (3, 8)
    for user, rows in enumerate(seen):
        n = len(rows)
        for movie in range(8):
            p = sum((lists.given[row].astype(float) for row in rows), np.zeros(3)) / (n + 10)
            expected = max(p @ lists.asked[movie], 0) + 10 / (n + 10) * lists.popularity[movie]
            assert watch[user, movie] == pytest.approx(expected, rel=1e-6)
    assert (watch[0] == 10 / 13 * lists.popularity.astype(float)).any()  # where p says that the user won't


def test_the_score_is_watch_times_what_the_rating_is_above_the_floor():
    watch, ratings = np.array([0.5, 0.5, 0.5, 0.1]), np.array([5.5, 2.0, 1.0, 0.9], np.float32)
    scores = list_factors().scores(watch, ratings, (0.5, 5.0))
    np.testing.assert_allclose(scores, [0.5 * 3.5, 0.5 * 0.015, 0.5 * 0.015, 0.1 * 0.015])
    assert scores.argsort().tolist() == [3, 1, 2, 0]
    assert list_factors("watch").scores(watch, ratings, (0.5, 5.0)) is watch
    assert list_factors().scores(watch, ratings, (5.0, 5.0)) is watch  # all rated alike: who picks what is all there is


def test_scores_stay_finite_whatever_the_numbers():
    huge = np.full((2, 1), 3e38, np.float32)
    lists = ListFactors(huge, huge, np.ones(2, np.float32), "score")
    watch = lists.watch([np.array([0, 1])])
    assert np.isfinite(lists.scores(watch, np.full((1, 2), 1e36, np.float32), (-1e30, 1e30))).all()


def test_exploring_asks_more_of_what_many_rated():
    watch, n_ratings = np.array([0.4, 0.2]), np.array([90, 0])
    assert explored(watch, n_ratings, 0.0) is watch
    np.testing.assert_allclose(explored(watch, n_ratings, 0.5), [0.4 / 10, 0.2 / 10**0.5])
    np.testing.assert_allclose(explored(watch, n_ratings, 1.0), [0.4 / 100, 0.2 / 10])


def test_those_of_some_movies():
    lists = list_factors()
    part = lists.of_movies(np.array([5, 2]))
    assert part.by == "score"
    for name in ("given", "asked", "popularity"):
        assert np.array_equal(getattr(part, name), getattr(lists, name)[[5, 2]])


@pytest.mark.parametrize(
    ("n_ratings", "least"),
    [
        ([500] * 11, 20),
        ([500] * 10 + [3, 2, 1], 3),
        ([19] * 30, 19),
        ([4, 2, 9], 2),
        ([4, 0], 0),
        ([7], 7),
    ],
)
def test_similar_asks_of_movies_what_the_table_has(n_ratings, least):
    assert usual_least_ratings(np.array(n_ratings)) == least
