"""Ids and the crosstab."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cf_excel.errors import InputError
from cf_excel.ratings.table import as_written, canonical_id, crosstab, distinct_ratings, ids_as_array


@pytest.mark.parametrize("same", [15, 15.0, "15", "15.0", " 15 ", "15.000", np.int32(15), np.float32(15)])
def test_every_form_of_a_whole_number_is_one_id(same):
    assert canonical_id(same) == 15
    assert type(canonical_id(same)) is int


OTHER_TEXTS = [
    *("007", "0306406152", "1/2", "2016-10-17", "3.14", "1e5", "1E5", "+5", "1_000", "1,000", "٣", "nan"),
    *("inf", "NA", "True", "tt0114709", "-", "--5", "0x1F", "15.", ".5", "9223372036854775808", "=1+1", "Amélie"),
]


@pytest.mark.parametrize("text", OTHER_TEXTS)
def test_other_texts_stay_exactly_as_written(text):
    assert canonical_id(text) == text
    assert type(canonical_id(text)) is str


def test_a_number_from_python_or_excel_is_the_id_that_its_text_is():
    assert canonical_id(10**19) == canonical_id(str(10**19))
    assert canonical_id(2.5) == canonical_id("2.5")
    assert canonical_id(-3) == canonical_id("-3") == canonical_id(-3.0)


@pytest.mark.parametrize("blank", ["", "  ", "\t", None, float("nan")])
def test_a_blank_id_is_refused(blank):
    with pytest.raises(InputError, match="an id is blank"):
        canonical_id(blank)


@given(st.integers(-(2**63), 2**63 - 1))
def test_whole_numbers_survive_text(number):
    assert canonical_id(str(number)) == number


@given(st.text(min_size=1).filter(str.strip))
def test_canonical_id_of_a_canonical_id_is_itself(text):
    once = canonical_id(text)
    assert canonical_id(once) == once


def test_ids_are_numbers_only_where_all_are():
    assert ids_as_array([3, 1]).dtype == np.int64
    assert ids_as_array([3, "x"]).tolist() == ["3", "x"]


def test_the_lessons_ratings(lesson_ratings):
    assert (len(lesson_ratings), lesson_ratings.n_users, lesson_ratings.n_movies) == (100_004, 671, 9_066)
    first = (
        lesson_ratings.user_ids[lesson_ratings.user_idx[0]],
        lesson_ratings.movie_ids[lesson_ratings.movie_idx[0]],
        lesson_ratings.rating[0],
        lesson_ratings.timestamp[0],
    )
    assert first == (1, 31, 2.5, 1260759144)
    assert lesson_ratings.rating_range == (0.5, 5.0)
    assert lesson_ratings.n_duplicates == 0
    row = lesson_ratings.movie2idx[1]
    assert (lesson_ratings.titles[row], lesson_ratings.years[row]) == ("Toy Story (1995)", 1995)
    assert lesson_ratings.genres[row] == "Adventure|Animation|Children|Comedy|Fantasy"


def test_the_lessons_crosstab(lesson_ratings):
    table = crosstab(lesson_ratings)
    assert table.user_ids == [15, 30, 73, 212, 213, 294, 311, 380, 452, 468, 509, 547, 564, 580, 624]
    assert table.movie_ids == [1, 110, 260, 296, 318, 356, 480, 527, 589, 593, 608, 1196, 1198, 1270, 2571]
    assert np.isfinite(table.values).sum() == 206
    assert table.titles[0] == "Toy Story (1995)"


@given(st.data())
def test_crosstab_is_what_looking_up_every_pair_gives(make_ratings, data):
    n_users, n_movies = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 6))
    pairs = st.tuples(st.integers(0, n_users - 1), st.integers(0, n_movies - 1))
    tenths = st.integers(1, 50).map(lambda n: n / 10)
    rated = data.draw(st.dictionaries(pairs, tenths, min_size=1))
    ratings = make_ratings([(user, movie, rating) for (user, movie), rating in rated.items()])
    n_users, n_movies = (data.draw(st.integers(1, n)) for n in (ratings.n_users, ratings.n_movies))
    table = crosstab(ratings, n_users, n_movies)
    assert table.values.shape == (n_users, n_movies)
    for row, user in enumerate(table.user_ids):
        for column, movie in enumerate(table.movie_ids):
            expected = rated.get((user, movie))
            assert np.isnan(table.values[row, column]) if expected is None else table.values[row, column] == expected


def test_ratings_keep_the_decimals_that_were_written(make_ratings):
    written = [n / 10 for n in range(1, 100)]
    assert as_written(np.array(written, np.float32)).tolist() == written
    assert make_ratings([(1, 1, 0.1), (1, 2, 3.7)]).rating_range == (0.1, 3.7)


def test_a_declared_range_stands_for_the_tables_own(make_ratings):
    declared = replace(make_ratings([(1, 1, 3)]), declared_range=(0.5, 5.0))
    assert declared.rating_range == (0.5, 5.0)


@pytest.mark.parametrize(("n_users", "n_movies"), [(1, 1), (3, 20), (20, 2)])
def test_a_crosstab_takes_what_there_is_unless_asked(make_ratings, n_users, n_movies):
    ratings = make_ratings([(user, movie, 3) for user in range(n_users) for movie in range(n_movies)])
    assert crosstab(ratings).values.shape == (min(15, n_users), min(15, n_movies))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"n_users": 3}, "asked for 3 users, but the ratings has 2: pass --top-users 2"),
        ({"n_users": 2, "n_movies": 2}, "asked for 2 movies, but the ratings has 1: pass --top-movies 1"),
        ({"n_users": 0}, "--top-users 0: expected 1 or more"),
    ],
)
def test_more_than_there_is_is_refused(make_ratings, asked, message):
    with pytest.raises(InputError) as error:
        crosstab(make_ratings([(1, 1, 3), (2, 1, 4)]), **asked)
    assert str(error.value) == message


def test_ratings_that_occur_where_they_are_few():
    ratings = np.array([3.7, 1, np.nan, 3.7, 0.1], np.float32)
    assert distinct_ratings(ratings) == [0.1, 1, 3.7]
    assert distinct_ratings(ratings, most=2) == []
    assert distinct_ratings(np.arange(20, dtype=np.float32)) == list(range(20))
    assert distinct_ratings(np.arange(21, dtype=np.float32)) == []
    assert distinct_ratings(ratings[:0]) == []
