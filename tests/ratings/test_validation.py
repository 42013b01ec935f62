"""Which rows each split holds back, and the forms in which rows are given."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cf_excel.errors import InputError
from cf_excel.ratings.validation import lesson_split, row_numbers, validation_rows, without


def test_the_lessons_split(lesson_ratings):
    rows = lesson_split(len(lesson_ratings))
    assert len(rows) == len(set(rows.tolist())) == 20_000
    assert rows.tolist() == np.random.RandomState(42).permutation(100_004)[:20_000].tolist()


@pytest.fixture
def ten(make_ratings):
    """Ten ratings, the first of them the latest."""
    rows = [(user, movie, user + movie) for user in (1, 2) for movie in range(5)]
    return replace(make_ratings(rows), timestamp=np.arange(10, 0, -1))


def test_a_fifth_is_held_back(ten):
    assert sorted(validation_rows(ten, "time").tolist()) == [0, 1]
    assert len(validation_rows(ten, "random", 1)) == 2
    assert not len(validation_rows(ten, "none"))


@pytest.mark.parametrize(
    ("split", "seed", "message"),
    [
        ("half", 0, "split 'half': expected lesson, random, time, hash or none"),
        ("random", -1, "seed -1: expected a whole number, 0 or more"),
        ("own", 0, "a function of your own"),
        (3, 0, "expected split to be lesson"),
    ],
)
def test_what_is_no_split_is_refused(ten, split, seed, message):
    with pytest.raises(InputError, match=message):
        validation_rows(ten, split, seed)


def test_time_needs_times(ten):
    with pytest.raises(InputError, match="no timestamps, which split time needs"):
        validation_rows(replace(ten, timestamp=None), "time")


MASK = [False, True, False, True]


@pytest.mark.parametrize(
    "rows", [MASK, np.array([1, 3]), [3, 1, 3], [1.0, 3.0], pd.array(MASK, "boolean"), pd.Series(MASK, dtype=object)]
)
def test_rows_in_every_form_are_rising_numbers(rows):
    assert row_numbers(rows, 4).tolist() == [1, 3]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (MASK[:3], "a mask of 3 validation rows: the table has 4 rows"),
        ([1, 0, 0, 1], "all 0 or 1: pass a mask"),
        ([4], "validation row 4: the table has rows 0 to 3"),
        ([0.5], "expected the numbers of rows"),
        (["a"], "expected the numbers of rows"),
    ],
)
def test_what_are_no_rows_is_refused(rows, message):
    with pytest.raises(InputError, match=message):
        row_numbers(rows, 4)


def test_without_rows_every_user_and_the_range_stay(ten):
    fewer = without(ten, np.arange(5))
    assert (len(fewer), fewer.n_users, fewer.n_movies) == (5, 2, 5)
    assert fewer.rating_range == ten.rating_range == (1, 6)
