"""Smaller models for smaller files."""

from dataclasses import replace

import numpy as np
import pytest
from support.recommenders import random_factors

from cf_excel.errors import InputError
from cf_excel.model import shrink
from cf_excel.model.file import save_factors
from cf_excel.model.predictor import Predictor
from cf_excel.sheets.recommender import fitting
from cf_excel.sheets.recommender.movie_labels import unique_titles


@pytest.fixture(params=["collab", "bayes"])
def factors(request):
    return random_factors(request.param)


def rated_pairs(factors) -> set[tuple[int, int]]:
    users = np.repeat(factors.user_ids, np.diff(factors.seen_offsets))
    return set(zip(users.tolist(), factors.movie_ids[factors.seen_movies].tolist(), strict=True))


def test_the_most_rated_movies_stay_as_they_are(factors, tmp_path):
    small = shrink.keep_movies(factors, 30)
    counts = Predictor(factors).n_ratings
    kept = dict(zip(factors.movie_ids.tolist(), counts.tolist(), strict=True))
    left = [n for movie, n in kept.items() if movie not in small.movie_ids]
    assert min(kept[movie] for movie in small.movie_ids.tolist()) >= max(left)
    assert [movie for movie in factors.movie_ids.tolist() if movie in small.movie_ids] == small.movie_ids.tolist()
    users, movies = small.user_ids[:, None], small.movie_ids
    np.testing.assert_array_equal(Predictor(small).predict(users, movies), Predictor(factors).predict(users, movies))
    assert rated_pairs(small) == {pair for pair in rated_pairs(factors) if pair[1] in small.movie_ids}
    save_factors(small, tmp_path / "model")  # which checks every shape


def test_the_most_active_users_stay_as_they_are(factors, tmp_path):
    small = shrink.keep_users(factors, 7)
    counts = np.diff(factors.seen_offsets)
    kept = np.isin(factors.user_ids, small.user_ids)
    assert kept.sum() == 7
    assert counts[kept].min() >= counts[~kept].max()
    users, movies = small.user_ids[:, None], small.movie_ids
    np.testing.assert_array_equal(Predictor(small).predict(users, movies), Predictor(factors).predict(users, movies))
    assert rated_pairs(small) == {pair for pair in rated_pairs(factors) if pair[0] in small.user_ids}
    save_factors(small, tmp_path / "model")


def test_fewer_factors_are_the_best_approximation_and_its_loss_is_said(factors, tmp_path):
    small, change = shrink.keep_factors(factors, 2)
    products = factors.user_factors.astype(float) @ factors.movie_factors.T
    left, sizes, right = np.linalg.svd(products)
    best = (left[:, :2] * sizes[:2]) @ right[:2]
    np.testing.assert_allclose(small.user_factors @ small.movie_factors.T, best, atol=1e-5)
    users, movies = factors.user_ids[:, None], factors.movie_ids
    errors = Predictor(small).predict(users, movies) - Predictor(factors).predict(users, movies)
    assert change == pytest.approx(np.sqrt(np.square(errors.astype(float)).mean()), rel=1e-5)
    assert change > 0.01
    save_factors(small, tmp_path / "model")


def test_all_factors_change_nothing(factors):
    same, change = shrink.keep_factors(factors, 4)
    assert same is factors
    assert change == 0


def test_fewer_movies_than_factors():
    factors = random_factors("collab", n_users=3, n_movies=2, n_factors=6)
    small, change = shrink.keep_factors(factors, 4)
    assert small.movie_factors.shape == (2, 4)
    assert change < 1e-6


@pytest.mark.parametrize("n", [0, 5])
def test_factors_there_are_not(factors, n):
    with pytest.raises(InputError, match=f"--factors {n}: expected 1 to 4"):
        shrink.keep_factors(factors, n)


@pytest.mark.parametrize("n", [0, 121])
def test_movies_there_are_not(factors, n):
    with pytest.raises(InputError, match=f"--top-movies {n}: expected 1 to 120"):
        shrink.keep_movies(factors, n)


def test_what_fits_stays(factors):
    assert fitting.fit_to_sheets(factors, with_ratings=True) is factors


def test_what_does_not_fit_is_left_out(factors, monkeypatch):
    monkeypatch.setattr(fitting, "MOST_NUMBERS", 4 * 100)
    small = fitting.fit_to_sheets(factors, with_ratings=False)
    assert (len(small.user_ids), len(small.movie_ids)) == (40, 60)
    monkeypatch.setattr(fitting, "MOST_NUMBERS", 4 * 50)
    small = fitting.fit_to_sheets(factors, with_ratings=False)
    assert (len(small.user_ids), len(small.movie_ids)) == (25, 25)


def test_list_factors_take_their_share(monkeypatch):
    factors = random_factors("bayes score")
    monkeypatch.setattr(fitting, "MOST_NUMBERS", (4 + 2 * 3) * 50)
    small = fitting.fit_to_sheets(factors, with_ratings=False)
    assert (len(small.user_ids), len(small.movie_ids), len(small.lists.asked)) == (25, 25, 25)


def test_ratings_beyond_the_rows_of_a_sheet_leave_users_out(factors, monkeypatch):
    monkeypatch.setattr(fitting, "MAX_ROWS", 301)
    small = fitting.fit_to_sheets(factors, with_ratings=True)
    counts = np.sort(np.diff(factors.seen_offsets))[::-1]
    assert len(small.seen_movies) <= 300 < len(small.seen_movies) + counts[len(small.user_ids)]
    assert len(fitting.fit_to_sheets(factors, with_ratings=False).user_ids) == 40


def test_titles_that_movies_share_carry_ids():
    titles = np.array(["Up", "UP", "", "Heat", " a  b ", "Heat [9]", "x" * 300], object)
    labels = unique_titles(titles, np.arange(7))
    assert labels[:6] == ["Up [0]", "UP [1]", "movie [2]", "Heat", "a b", "Heat [9]"]
    assert len(labels[6]) == 200


def test_titles_that_look_like_titles_with_ids():
    labels = unique_titles(np.array(["Up", "Up", "Up [0]"], object), np.arange(3))
    assert len({label.casefold() for label in labels}) == 3


def test_labels_of_long_and_odd_ids_stay_short():
    labels = unique_titles(np.array(["Up", "Up", ""], object), ["a" * 300, "b\n\x01", "c"])
    assert labels == [f"Up [{'a' * 40}]", "Up [b ␁]", "movie [c]"]


def test_text_ids_keep_their_order():
    factors = replace(random_factors("collab", 3, 5, 2), user_ids=np.array(["b", "a", "c"], object))
    assert shrink.keep_users(factors, 3).user_ids.tolist() == ["b", "a", "c"]
