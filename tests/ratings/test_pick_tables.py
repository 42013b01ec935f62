"""Tables without ratings: which they are, and what becomes of their rows."""

import numpy as np
import pandas as pd
import pytest
from openpyxl import Workbook

from cf_excel.errors import InputError
from cf_excel.ratings.pick_tables import why_picks
from cf_excel.ratings.readers import load_ratings

ROWS = [("Ann", "Mug"), ("Ann", "Cup"), ("Bob", "Mug"), ("Ann", "Mug"), ("Cy", "Jug")]
LINES = [",".join(row) for row in ROWS]


def csv_of(tmp_path, header, lines=LINES):
    path = tmp_path / "orders.csv"
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def counts(ratings):
    users, movies = ratings.user_ids[ratings.user_idx], ratings.movie_ids[ratings.movie_idx]
    return dict(zip(zip(users.tolist(), movies.tolist(), strict=True), ratings.rating.tolist(), strict=True))


ADDED_UP = {("Ann", "Mug"): 2.0, ("Ann", "Cup"): 1.0, ("Bob", "Mug"): 1.0, ("Cy", "Jug"): 1.0}


def test_a_table_without_a_column_of_ratings_is_one_of_picks(tmp_path):
    ratings = load_ratings(csv_of(tmp_path, "Customer,Product"), implicit=None)
    assert ratings.implicit
    assert counts(ratings) == ADDED_UP
    assert ratings.n_duplicates == 0
    assert ratings.nouns.user == "customer"
    assert ratings.notes == (
        "orders.csv read as picks, not as ratings: there is no column of ratings (--explicit: as ratings)",
        "5 rows are 4 pairs: the counts of a pair are added up",
    )


def test_the_same_in_a_workbook_beside_sheets_of_other_things_and_in_json_lines(tmp_path):
    book = Workbook()
    book.active.append(["Our orders"])
    for row in [(), ("Order no", "Customer", "Product", "Price"), *((i, *row, 2.5) for i, row in enumerate(ROWS))]:
        book.active.append(row)
    book.create_sheet("products").append(["Product", "Category"])
    book.save(tmp_path / "orders.xlsx")
    lines = [f'{{"customer": "{user}", "product": "{movie}"}}' for user, movie in ROWS]
    (tmp_path / "orders.jsonl").write_text("\n".join(lines))
    for name in ("orders.xlsx", "orders.jsonl"):
        ratings = load_ratings(tmp_path / name, implicit=None)
        assert ratings.implicit
        assert counts(ratings) == ADDED_UP


def test_times_are_kept_and_the_latest_of_a_pair_counts(tmp_path):
    lines = [f"{line},2026-01-0{i + 1}" for i, line in enumerate(LINES)]
    ratings = load_ratings(csv_of(tmp_path, "Customer,Product,Order date", lines), implicit=None)
    assert counts(ratings) == ADDED_UP
    assert ratings.timestamp is not None
    assert (np.diff(ratings.timestamp) // 86400).tolist() == [1, 1, 1]  # Ann's second mug is of the fourth


def test_a_column_of_numbers_that_may_be_ratings_is_never_passed_over(tmp_path):
    path = csv_of(tmp_path, "Customer,Product,Pieces", [f"{line},{i}" for i, line in enumerate(LINES)])
    with pytest.raises(InputError, match="--rating-column Pieces, or --implicit where each row is an order"):
        load_ratings(path, implicit=None)
    assert counts(load_ratings(path, implicit=True)) == ADDED_UP
    with pytest.raises(InputError, match=r"--rating-column Pieces$"):
        load_ratings(path)


def test_a_sheet_without_ratings_is_none_beside_one_with_ratings(tmp_path):
    book = Workbook()
    for title, header in (("wishes", ("Customer", "Product")), ("stars", ("Customer", "Product", "Stars"))):
        sheet = book.create_sheet(title)
        sheet.append(header)
        for i, row in enumerate(ROWS):
            sheet.append((*row, 1 + i)[: len(header)])
    del book["Sheet"]
    book.save(tmp_path / "both.xlsx")
    ratings = load_ratings(tmp_path / "both.xlsx", implicit=None)
    assert not ratings.implicit
    assert counts(ratings)["Ann", "Mug"] == 4


def test_quantities_add_up_and_what_was_sent_back_is_left_out(tmp_path):
    lines = [f"{line},{n}" for line, n in zip(LINES, [2, 3, 1, 4, 2], strict=True)]
    ratings = load_ratings(csv_of(tmp_path, "Customer,Product,Quantity", [*lines, "Cy,Jug,-2"]), implicit=None)
    assert counts(ratings) == {("Ann", "Mug"): 6.0, ("Ann", "Cup"): 3.0, ("Bob", "Mug"): 1.0}
    assert ratings.user_ids.tolist() == ["Ann", "Bob"]
    assert ratings.notes[-1] == "1 pair with a count of 0 or less left out"
    explicit = load_ratings(csv_of(tmp_path, "Customer,Product,Quantity", lines))
    assert not explicit.implicit
    assert counts(explicit)["Ann", "Mug"] == 4  # the latest
    with pytest.raises(InputError, match="no count is above 0"):
        load_ratings(csv_of(tmp_path, "Customer,Product,Quantity", ["Ann,Mug,-1"]), implicit=True)


def test_a_blank_id_is_a_fault_and_a_blank_row_is_none(tmp_path):
    path = csv_of(tmp_path, "Customer,Product", [*LINES, ",", ",Mug"])
    with pytest.raises(InputError, match=r"line 8: the customer's id is blank"):
        load_ratings(path, implicit=None)
    assert counts(load_ratings(path, implicit=None, skip_bad=True)) == ADDED_UP


@pytest.mark.parametrize(
    ("values", "header", "why"),
    [
        ([1] * 10, "rating", "every rating is 1"),
        ([1] * 9, "rating", ""),
        ([0] * 10, "rating", ""),
        ([1, 2, 1, 3], "Qty", "Qty holds counts"),
        ([1, 2, 1, 3], "rating", ""),
        ([1, 2.5, 1, 3], "Quantity", ""),
        ([1, 1, 2, 1, 3, 1, 57], "x", "they are whole numbers, most of them small and the highest 57"),
        ([10, 60, 70, 90, 100], "x", ""),
        ([-9, 1, 1, 2, 57], "x", ""),
        ([0, 0, 0, 7, 8, 9, 10], "Book-Rating", ""),
    ],
)
def test_what_looks_like_counts(values, header, why):
    assert why_picks(np.array(values, np.float32), header) == why


def test_the_lessons_ratings_are_ratings_unless_told_otherwise():
    assert not load_ratings(implicit=None).implicit
    assert load_ratings(implicit=True).implicit


def test_a_declared_range_says_that_they_are_ratings(tmp_path):
    path = csv_of(tmp_path, "Customer,Product,Quantity", [f"{line},3" for line in LINES])
    assert not load_ratings(path, implicit=None, rating_range=(1, 5)).implicit


@pytest.mark.parametrize(("yes", "no"), [(True, False), (1, 0), ("TRUE", "FALSE"), ("true", "false")])
def test_likes_that_are_false_are_no_picks(tmp_path, yes, no):
    pytest.importorskip("pyarrow")
    table = pd.DataFrame(ROWS, columns=["Customer", "Product"]).assign(liked=[yes, yes, no, yes, yes])
    table.to_csv(tmp_path / "likes.csv", index=False)
    table.to_excel(tmp_path / "likes.xlsx", index=False)
    table.to_parquet(tmp_path / "likes.parquet", index=False)
    for path in sorted(tmp_path.glob("likes.*")):
        ratings = load_ratings(path, implicit=None)
        assert (ratings.implicit, counts(ratings).keys()) == (True, ADDED_UP.keys() - {("Bob", "Mug")})
