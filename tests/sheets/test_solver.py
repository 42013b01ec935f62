"""The sheet's least squares: the lesson's optima from any start, and what regularising does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime

from cf_excel.errors import InputError
from cf_excel.model.parameters import Parameters
from cf_excel.ratings.table import crosstab
from cf_excel.sheets.fill.sheet_fit import SheetRatings, rmse_of
from cf_excel.sheets.fill.solver import _ItemGrid, _Projected, solve

OPTIMUM = {False: 0.392901, True: 0.318655}


def random_start(n_users: int, n_movies: int, n_factors: int, *, with_bias: bool, seed: int) -> Parameters:
    rng = np.random.default_rng(seed)
    biases = (rng.random(n_users), rng.random(n_movies)) if with_bias else ()
    return Parameters(rng.random((n_users, n_factors)), rng.random((n_movies, n_factors)), *biases)


def planted(n_users: int = 12, n_movies: int = 9, *, with_bias: bool = False, seed: int = 0) -> SheetRatings:
    """Ratings that two factors explain wholly, a sixth of the cells blank."""
    truth = random_start(n_users, n_movies, 2, with_bias=with_bias, seed=seed)
    rated = np.random.default_rng(seed).random((n_users, n_movies)) > 1 / 6
    user, movie = np.nonzero(rated)
    return SheetRatings(user, movie, 1 + truth.predict(user, movie))


@pytest.fixture(scope="module")
def lesson(lesson_ratings) -> SheetRatings:
    values = crosstab(lesson_ratings).values
    user, movie = np.nonzero(~np.isnan(values))
    return SheetRatings(user, movie, values[user, movie])


@pytest.mark.parametrize("with_bias", [False, True], ids=["dotprod", "bias"])
@pytest.mark.parametrize("seed", range(25))
def test_every_start_meets_the_optimum(lesson, with_bias, seed):
    start = random_start(15, 15, 5, with_bias=with_bias, seed=seed)
    solved, history = solve(lesson, start)
    assert history == [rmse_of(start, lesson), rmse_of(solved, lesson)]
    assert history[1] == pytest.approx(OPTIMUM[with_bias], abs=1e-5)
    # people see these numbers: none runs off to where only differences of large ones matter
    assert max(np.abs(array).max() for array in solved.arrays.values()) < 10


@pytest.mark.parametrize("with_bias", [False, True], ids=["dotprod", "bias"])
def test_every_start_ends_with_the_same_numbers(lesson, with_bias):
    """Not with others that predict the same: factors turned, swapped, or of the other sign."""
    found = [solve(lesson, random_start(15, 15, 5, with_bias=with_bias, seed=seed))[0] for seed in range(3)]
    for name, first in found[0].arrays.items():
        np.testing.assert_array_equal(first, first.round(7))
        for other in found[1:]:
            np.testing.assert_allclose(getattr(other, name), first, atol=2e-6)


def test_factors_without_a_minimum_stay_moderate(lesson):
    """The fewer ratings, the lower the RMSE of ever larger numbers that nearly cancel."""
    fitted, _ = lesson.split(0.1, seed=42)
    solved, (_, after) = solve(fitted, random_start(15, 15, 5, with_bias=False, seed=3))
    assert after < 0.3105
    assert max(np.abs(array).max() for array in (solved.user_factors, solved.movie_factors)) < 100


@pytest.mark.parametrize("size", [1e-8, 1e8])
def test_ratings_of_any_size_are_fitted(lesson, size):
    ratings = SheetRatings(lesson.user_idx, lesson.movie_idx, lesson.rating * size)
    solved, history = solve(ratings, random_start(15, 15, 5, with_bias=False, seed=0))
    assert history[1] == pytest.approx(OPTIMUM[False] * size, rel=1e-5)
    assert rmse_of(solved, ratings) == history[1]


@pytest.mark.parametrize("with_bias", [False, True], ids=["dotprod", "bias"])
@pytest.mark.parametrize("value", [0.0, 1.0, -2.0, 1e-12, 1e6])
def test_a_start_of_equal_numbers_meets_the_optimum(lesson, with_bias, value):
    biases = (np.full(15, value), np.full(15, value)) if with_bias else ()
    start = Parameters(np.full((15, 5), value), np.full((15, 5), value), *biases)
    assert solve(lesson, start)[1][1] == pytest.approx(OPTIMUM[with_bias], abs=1e-5)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_descent_from_zeros_is_refused(lesson, optimizer):
    start = Parameters(np.zeros((15, 5)), np.zeros((15, 5)))
    with pytest.raises(InputError, match=f"all factors are 0, where {optimizer} stands still: clear their cells"):
        solve(lesson, start, optimizer=optimizer)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("with_bias", [False, True], ids=["dotprod", "bias"])
def test_descending_comes_close(lesson, optimizer, with_bias):
    solved, history = solve(lesson, random_start(15, 15, 5, with_bias=with_bias, seed=1), optimizer=optimizer)
    assert len(history) == 2001
    assert history[-1] == rmse_of(solved, lesson)
    # the sheet with biases has a second valley at .32236, in which descent may end
    assert OPTIMUM[with_bias] - 1e-5 < history[-1] < OPTIMUM[with_bias] + 0.005


@pytest.mark.parametrize("optimizer", ["lm", "adam"])
@pytest.mark.parametrize("with_bias", [False, True], ids=["dotprod", "bias"])
def test_planted_factors_are_found(optimizer, with_bias):
    ratings = planted(with_bias=with_bias)
    start = random_start(12, 9, 3, with_bias=with_bias, seed=3)
    assert solve(ratings, start, optimizer=optimizer, steps=4000)[1][-1] < (1e-6 if optimizer == "lm" else 1e-2)


@pytest.mark.parametrize("with_bias", [False, True], ids=["dotprod", "bias"])
def test_both_ways_agree_on_the_penalised_minimum(lesson, with_bias):
    start = random_start(15, 15, 5, with_bias=with_bias, seed=2)

    def penalised(parameters: Parameters) -> float:
        squares = sum((array**2).sum() for array in parameters.arrays.values())
        return len(lesson) * rmse_of(parameters, lesson) ** 2 + squares

    by_lm, by_adam = (solve(lesson, start, optimizer=name, steps=3000, l2=1.0)[0] for name in ("lm", "adam"))
    assert penalised(by_lm) == pytest.approx(penalised(by_adam), rel=1e-6)


def test_memorising_shows_in_held_out_cells(lesson):
    fitted, held = lesson.split(0.1, seed=0)
    assert (len(fitted), len(held)) == (185, 21)
    start = random_start(15, 15, 5, with_bias=False, seed=0)
    plain, ridge = (solve(fitted, start, l2=l2)[0] for l2 in (0.0, 3.0))
    assert rmse_of(plain, fitted) < rmse_of(ridge, fitted)
    assert rmse_of(plain, held) > rmse_of(ridge, held)


@pytest.mark.parametrize("l2", [0.0, 0.7])
@pytest.mark.parametrize("with_bias", [False, True], ids=["dotprod", "bias"])
def test_kaufmans_jacobian_gives_the_gradient(l2, with_bias):
    # it drops a term that the errors are orthogonal to, so that the gradient is exact
    start = random_start(12, 9, 2, with_bias=with_bias, seed=4)
    problem = _Projected(_ItemGrid(planted(seed=7), 12, 9), start, l2)

    slope, curvature = problem.slope_and_curvature(problem.start)
    gradient = approx_fprime(problem.start, problem.cost, 1e-7) / 2
    np.testing.assert_allclose(slope, gradient, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(curvature, curvature.T)
    assert np.linalg.eigvalsh(curvature).min() > l2 - 1e-9  # leads down from everywhere


def test_users_and_movies_without_a_rating_keep_their_numbers():
    ratings = SheetRatings(np.array([0, 1, 0]), np.array([0, 0, 1]), np.array([3.0, 4.0, 5.0]))
    start = random_start(3, 4, 2, with_bias=True, seed=0)
    for optimizer in ("lm", "sgd"):
        solved, history = solve(ratings, start, optimizer=optimizer)
        assert history[-1] < 1e-3
        np.testing.assert_array_equal(solved.user_factors[2], start.user_factors[2])
        np.testing.assert_array_equal(solved.movie_bias[2:], start.movie_bias[2:])


def test_a_large_sheet_is_fitted_by_regressions_alone(monkeypatch):
    monkeypatch.setattr("cf_excel.sheets.fill.solver._LARGE", 1000)
    _, (before, after) = solve(planted(with_bias=True), random_start(12, 9, 3, with_bias=True, seed=0))
    assert after < 0.1 < before


def test_what_runs_away_is_named(lesson):
    start = random_start(15, 15, 5, with_bias=False, seed=0)
    with pytest.raises(InputError, match="sgd ran away from the ratings: pass a smaller --lr"):
        solve(lesson, start, optimizer="sgd", lr=50.0)
    with pytest.raises(InputError, match="no ratings"):
        solve(lesson.part(np.zeros(0, int)), start)


@settings(max_examples=40)
@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 4), st.booleans(), st.integers(0, 2**32), st.data())
def test_solving_never_makes_it_worse(n_users, n_movies, n_factors, with_bias, seed, data):
    pairs = [(u, m) for u in range(n_users) for m in range(n_movies)]
    chosen = data.draw(st.lists(st.sampled_from(pairs), min_size=1, max_size=30))
    rating = np.array([data.draw(st.integers(1, 10)) / 2 for _ in chosen])
    ratings = SheetRatings(*np.array(chosen).T, rating)
    start = random_start(n_users, n_movies, n_factors, with_bias=with_bias, seed=seed)
    solved, (before, after) = solve(ratings, start)
    assert solved.user_factors.shape == start.user_factors.shape
    assert after <= before + 1e-9
    again = solve(ratings, solved)[1]
    assert again[1] <= again[0] + 1e-9
