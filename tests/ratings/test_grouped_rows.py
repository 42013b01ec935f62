"""Lists that name a customer in the first of its rows alone."""

import openpyxl
import pytest

from cf_excel.errors import InputError
from cf_excel.ratings.readers import load_ratings

TABULAR = [
    ["Customer", "Product", "Stars"],
    ["Ann", "mug", 5],
    [None, "pot", 3],
    ["Ann Total", None, 8],
    ["Ben", "mug", 2],
    [None, "cup", 4],
    [None, "pan", 1],
    ["Ben Total", None, 7],
    ["Grand Total", None, 15],
]
OUTLINE = [
    ["Customer", "Product", "Stars"],
    ["Ann", None, 8],
    [None, "mug", 5],
    [None, "pot", 3],
    [],
    ["Ben", None, 7],
    [None, "mug", 2],
    [None, "cup", 4],
    [None, "pan", 1],
    [],
    ["Source: the shop"],
]
TRIPLES = [("Ann", "mug", 5), ("Ann", "pot", 3), ("Ben", "mug", 2), ("Ben", "cup", 4), ("Ben", "pan", 1)]
NOTE = "a customer named in the first of its rows alone, as in a pivot table, counts in the rest, too"


@pytest.fixture
def read(tmp_path):
    def read_rows(rows):
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append(row)
        book.save(tmp_path / "sales.xlsx")
        ratings = load_ratings(tmp_path / "sales.xlsx")
        users, items = ratings.user_ids[ratings.user_idx], ratings.movie_ids[ratings.movie_idx]
        return list(zip(users, items, ratings.rating.tolist(), strict=True)), ratings.notes

    return read_rows


@pytest.mark.parametrize("rows", [TABULAR, OUTLINE])
def test_names_count_in_the_rows_below(read, rows):
    found, notes = read(rows)
    assert found == TRIPLES
    assert NOTE in notes


def test_groups_of_products(read):
    found, notes = read([["Product", "Customer", "Stars"], *TABULAR[1:]])
    assert found == [(item, user, rating) for user, item, rating in TRIPLES]
    assert NOTE.replace("customer", "product") in notes


def test_a_list_with_all_its_names_is_as_it_was(read):
    found, notes = read([TABULAR[0], *TRIPLES])
    assert found == TRIPLES
    assert NOTE not in notes


@pytest.mark.parametrize(
    "changed",
    [
        {4: ["Ann", "cup", 2]},  # of Ann in two places
        {1: [None, "mug", 5]},  # the first row has no name
        {2: [None, "mug", 3]},  # Ann rates a mug twice
        {5: ["Cem", "cup", 4], 6: ["Dia", "pan", 1]},  # most rows have names
    ],
)
def test_an_id_that_is_missing_is_named(read, changed):
    with pytest.raises(InputError, match=r"the customer's id is blank"):
        read([changed.get(i, row) for i, row in enumerate(TABULAR)])


def test_formulas_without_results_are_no_blanks(read):
    with pytest.raises(InputError, match="formula"):
        read([*TABULAR[:2], ["=A2", *TABULAR[2][1:]], *TABULAR[3:]])
