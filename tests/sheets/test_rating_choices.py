"""Ratings that a dropdown offers: within the range, and those of the data where they are few."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cf_excel.sheets.rating_choices import nearest, rating_choices

NUMBERS = st.floats(-1e308, 1e308)


@pytest.mark.parametrize(
    ("low", "high", "n", "second"),
    [(0.5, 5, 10, 1), (1, 5, 9, 1.5), (0, 100, 11, 10), (1, 10, 10, 2), (-1, 1, 11, -0.8), (0.1, 0.3, 11, 0.12)],
)
def test_choices_are_round_steps(low, high, n, second):
    choices = rating_choices(low, high)
    assert (len(choices), choices[0], choices[1], choices[-1]) == (n, low, second, high)


def test_steps_are_round_where_the_range_is_not():
    assert rating_choices(-9.95, 10) == [-8, -6, -4, -2, 0, 2, 4, 6, 8, 10]
    assert rating_choices(1, 3.3) == [1, 1.5, 2, 2.5, 3]


def test_one_rating_is_one_choice():
    assert rating_choices(3, 3) == [3]


def test_ratings_that_there_are():
    assert rating_choices(0, 1, [1, 0]) == [0, 1]
    assert rating_choices(1, 5, [5, 3, 9, float("nan")]) == [3, 5]
    assert len(rating_choices(1, 5, [4])) == 9


@given(NUMBERS, NUMBERS)
def test_choices_rise_and_lie_in_the_range(one, other):
    low, high = min(one, other), max(one, other)
    choices = rating_choices(low, high)
    assert choices == sorted(set(choices))
    assert all(low <= choice <= high for choice in choices)
    assert 1 <= len(choices) <= 12


def test_the_nearest_choice():
    assert nearest([1, 2, 5], 3.9) == 5
