"""A workbook's ids against a model's: by value, as numbers or texts, and what neither knows."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from cf_excel.errors import InputError, LayoutError
from cf_excel.model.factors import Factors
from cf_excel.sheets.fill.matching import (
    Matched,
    choose,
    decimal,
    large_misfits,
    match,
    misfit,
    misfit_of_kind,
    numbers_for,
)
from cf_excel.sheets.find.found_sheet import FoundSheet
from cf_excel.xlsx.edit.new_values import Results


def sheet_of(
    users: list, movies: list, ratings: list[tuple] = (), *, n_factors: int = 3, with_bias: bool = True, **more: str
) -> FoundSheet:
    """Return a sheet with these ids; ratings: row of the user, row of the movie, rating."""
    user_idx, movie_idx, rating = np.array(ratings).reshape(-1, 3).T
    bias = ([(i, 1) for i in range(len(users))], [(1, i) for i in range(len(movies))]) if with_bias else (None, None)
    return FoundSheet(
        title="bias" if with_bias else "dotprod",
        xml=None,
        user_ids=users,
        movie_ids=movies,
        user_places=[[(i, k) for k in range(n_factors)] for i in range(len(users))],
        movie_places=[[(k, i) for k in range(n_factors)] for i in range(len(movies))],
        user_bias=bias[0],
        movie_bias=bias[1],
        user_idx=user_idx.astype(int),
        movie_idx=movie_idx.astype(int),
        rating=rating,
        results=lambda numbers: Results(),
        **more,
    )


def rows_of(sheet: FoundSheet, factors: Factors, naming: str = "auto") -> tuple[list[int], list[int]]:
    matched = match(sheet, factors, naming)
    return matched.users.tolist(), matched.movies.tolist()


def test_ids_are_matched_by_value(tiny_model):
    assert rows_of(sheet_of([42, 1, 3], [10, 1]), tiny_model) == ([3, 0, 2], [4, 0])


def test_an_id_as_text_is_that_number(tiny_model):
    assert rows_of(sheet_of(["42", 7], ["2571", "x"]), tiny_model) == ([3, 1], [1, -1])


def test_a_number_is_the_text_that_a_model_has(tiny_model):
    texts = replace(tiny_model, user_ids=np.array(["1", "7", "ann", "42", "15"]))
    assert rows_of(sheet_of([42, "ann", "Ann", "7"], [1]), texts)[0] == [3, 2, -1, 1]


def test_unknown_ids_and_blank_headers_have_no_row(tiny_model):
    sheet = sheet_of([8, None, 1, "ann"], [None, 9999, 12])
    matched = match(sheet, tiny_model)
    assert matched.users.tolist() == [-1, -1, 0, -1]
    assert matched.movies.tolist() == [-1, -1, 7]
    assert matched.unknown(sheet) == {"user": [8, "ann"], "movie": [9999]}


def test_headers_that_are_all_blank_match_nothing(tiny_model):
    assert rows_of(sheet_of([None], [None, None]), tiny_model) == ([-1], [-1, -1])


def test_users_and_movies_may_be_named_by_their_rows(tiny_model):
    assert rows_of(sheet_of([1], [0, 7, 8]), tiny_model, "index") == ([1], [0, 7, -1])


def test_a_pair_that_agrees_by_chance_does_not_outweigh_the_others(tiny_model):
    """By raw ids the only pair that is known is one of the model's, too, but by index all of them are."""
    model = replace(
        tiny_model,
        user_ids=np.array([2, *range(100, 99 + tiny_model.n_users)]),
        movie_ids=np.array([0, *range(200, 199 + tiny_model.n_movies)]),
        seen_offsets=np.array([0, 1, 2, 4, *[4] * (tiny_model.n_users - 3)]),
        seen_movies=np.array([0, 1, 0, 2], np.int32),
        seen_ratings=np.full(4, 3, np.float32),
    )
    sheet = sheet_of([0, 1, 2], [0, 1, 2], [(0, 0, 3.0), (1, 1, 3.0), (2, 0, 3.0), (2, 2, 3.0)])
    assert rows_of(sheet, model, "raw") == ([-1, -1, 0], [0, -1, -1])
    matched = match(sheet, model)
    assert (matched.users.tolist(), matched.movies.tolist()) == ([0, 1, 2], [0, 1, 2])
    assert "by index of first appearance: 4 of 4 ratings agree" in matched.note


def test_a_sheet_that_contradicts_itself_is_refused(tiny_model):
    with pytest.raises(LayoutError, match="two ids for one user"):
        match(sheet_of([1], [1], conflict="two ids for one user"), tiny_model)


@pytest.mark.parametrize(
    ("kind", "form", "expected"),
    [
        ("dot", "dot", ""),
        ("dot", "rows", ""),
        ("bayes", "bias", ""),
        (
            "collab",
            "dot",
            "sheet s shows plain products, the model is of kind collab: "
            "train --kind dot --factors 4 makes one that fits",
        ),
        (
            "dot",
            "bias",
            "sheet s adds plain biases, the model is of kind dot: train --kind bayes --factors 4 makes one that fits",
        ),
    ],
)
def test_the_kind_of_model_that_a_form_shows(tiny_factors, kind, form, expected):
    assert misfit_of_kind("s", form, tiny_factors(kind), 4) == expected


def test_a_misfit_names_the_model_or_the_workbook_that_fits(tiny_factors):
    bayes = tiny_factors("bayes")
    assert misfit(sheet_of([1], [1]), bayes) == ""
    assert misfit(sheet_of([1], [1], n_factors=5), bayes) == (
        "sheet bias has 5 factors, the model 3: train --kind bayes --factors 5 or build --factors 3 makes them fit"
    )
    # the kind comes first: with another kind the number of factors says nothing
    assert misfit(sheet_of([1], [1], n_factors=5, with_bias=False), bayes).startswith("sheet dotprod shows plain")
    assert misfit(sheet_of([1], [1], with_bias=False), tiny_factors("dot")) == ""


def book_of(**sheets: tuple[str | None, int]) -> SimpleNamespace:
    """Return a workbook as large_misfits sees it: by title the form of its predictions and its size."""
    return SimpleNamespace(
        titles=list(sheets), form=lambda title: sheets[title][0], sheet_size=lambda title: sheets[title][1]
    )


def test_large_sheets_of_another_kind_are_not_read(tiny_factors):
    book = book_of(dotprod=("dot", 10), bias=("bias", 2**22), notes=(None, 2**22), emb=("rows", 2**22))
    assert large_misfits(book, tiny_factors("dot")) == {"bias": "bias"}
    assert large_misfits(book, tiny_factors("bayes")) == {"emb": "rows"}


def test_one_sheet_is_read_though_none_fits(tiny_factors):
    book = book_of(dotprod=("dot", 2**22), emb=("rows", 2**22))
    assert large_misfits(book, tiny_factors("bayes")) == {"emb": "rows"}


def test_numbers_of_a_sheet_stand_in_its_order_and_are_nan_for_unknown_ids(tiny_factors):
    bayes = tiny_factors("bayes")
    sheet = sheet_of([42, 8, 1], [None, 10])
    numbers = numbers_for(sheet, bayes, match(sheet, bayes))
    nothing = np.full(3, np.nan)
    np.testing.assert_array_equal(numbers.user_factors.astype(np.float32)[[0, 2]], bayes.user_factors[[3, 0]])
    np.testing.assert_array_equal(numbers.user_factors[1], nothing)
    np.testing.assert_array_equal(numbers.movie_factors[0], nothing)
    np.testing.assert_array_equal(numbers.movie_factors[1].astype(np.float32), bayes.movie_factors[4])
    # a sheet has no cell for the mean rating
    np.testing.assert_allclose(numbers.user_bias, [bayes.user_bias[3] + 3.2, np.nan, bayes.user_bias[0] + 3.2])
    np.testing.assert_allclose(numbers.movie_bias, [np.nan, bayes.movie_bias[4]])


def test_a_sheet_without_biases_gets_none(tiny_factors):
    dot, sheet = tiny_factors("dot"), sheet_of([1], [1], with_bias=False)
    numbers = numbers_for(sheet, dot, match(sheet, dot))
    assert numbers.user_bias is None
    assert numbers.movie_bias is None


def test_cells_show_the_digits_of_float32():
    assert decimal(np.float32([0.1, -2.7])).tolist() == [0.1, -2.7]


def test_chosen_is_what_both_know_in_order_of_first_appearance(tiny_model):
    first = sheet_of([42, 8, 1], [10, 9999], [(0, 0, 4.0), (1, 0, 1.0), (2, 1, 2.0)])
    # the same pair is rated on both sheets: the first counts
    second = sheet_of([7, 42], [12, 10], [(0, 0, 3.5), (1, 1, 5.0), (1, 0, 0.5)])
    sheets = [first, second]
    chosen = choose(sheets, tiny_model, [match(sheet, tiny_model, "raw") for sheet in sheets])
    assert chosen.users.tolist() == [3, 0, 1]
    assert chosen.movies.tolist() == [4, 7]
    np.testing.assert_array_equal(chosen.ratings, [[4.0, 0.5], [np.nan, np.nan], [np.nan, 3.5]])
    numbers = chosen.numbers(tiny_model)
    np.testing.assert_array_equal(numbers.user_factors.astype(np.float32), tiny_model.user_factors[[3, 0, 1]])
    np.testing.assert_array_equal(numbers.movie_bias.astype(np.float32), tiny_model.movie_bias[[4, 7]])


@pytest.mark.parametrize(
    ("users", "movies", "named"),
    [([None, 8], [1], r"users \(such as 8\)"), ([1], ["x"], r"movies \(such as x\)"), ([None], [1], "users")],
)
def test_a_model_that_knows_none_of_the_ids_is_refused(tiny_model, users, movies, named):
    sheet = sheet_of(users, movies)
    with pytest.raises(InputError, match=f"^the model knows none of the workbook's {named}"):
        choose([sheet], tiny_model, [match(sheet, tiny_model)])


def test_matched_rows_are_those_of_the_sides():
    matched = Matched(np.array([-1, 2]), np.array([0]))
    assert matched.unknown(sheet_of([5, 6], [7])) == {"user": [5], "movie": []}
