"""Ranges of a sheet as a grid of ratings, with names and without."""

from collections.abc import Callable

import pytest

from cf_excel.errors import InputError
from cf_excel.ratings.ranges import RatedRange, read_range

BODY = [[5.0, "", 3.0, 1.0], ["", 4.0, 1.0, 2.0], [1.0, 2.0, "", ""]]
ITEMS = ["Mug", "Cup", "Pot", "Pan"]
USERS = ["Ann", "Bob", "Cy"]


def with_names(left: list, top: list, corner: object = "") -> list[list]:
    return [[corner, *top], *([name, *row] for name, row in zip(left, BODY, strict=True))]


def ratings_of(found: RatedRange) -> dict[tuple[str, str], float]:
    ratings = found.ratings
    users, items = ratings.user_ids[ratings.user_idx], ratings.movie_ids[ratings.movie_idx]
    return {(str(u), str(i)): float(r) for u, i, r in zip(users, items, ratings.rating, strict=True)}


def places(found: RatedRange, cells: list[list]) -> list[list]:
    return [[cells[row][column] for column in found.columns] for row in found.rows]


@pytest.mark.parametrize(
    ("cells", "users", "items"),
    [
        (with_names(USERS, ITEMS), USERS, ITEMS),
        (with_names(USERS, ITEMS, "Customer"), USERS, ITEMS),
        (with_names(USERS, ITEMS, "whoever"), USERS, ITEMS),
        (with_names([15.0, 30.0, 41.0], [27.0, 49.0, 72.0, 99.0]), ["15", "30", "41"], ["27", "49", "72", "99"]),
        (with_names([1.0, 2.0, 3.0], [1.0, 2.0, 3.0, 4.0]), ["1", "2", "3"], ["1", "2", "3", "4"]),
        (with_names(USERS, [2020.0, 2021.0, 2022.0, 2023.0]), USERS, ["2020", "2021", "2022", "2023"]),
        (with_names([101.0, 102.0, 103.0], ITEMS, "Customer"), ["101", "102", "103"], ITEMS),
        (BODY, ["row 1", "row 2", "row 3"], [f"column {j}" for j in (1, 2, 3, 4)]),
        ([ITEMS, *BODY], ["row 2", "row 3", "row 4"], ITEMS),
        ([row[:] for row in with_names(USERS, ITEMS)][1:], USERS, [f"column {j}" for j in (2, 3, 4, 5)]),
        ([["Scores of May", "", "", "", ""], [""] * 5, *with_names(USERS, ITEMS)], USERS, ITEMS),
    ],
)
def test_names_are_found_by_themselves(cells: list[list], users: list[str], items: list[str]) -> None:
    found = read_range(cells)
    assert (found.users, found.items) == (users, items)
    assert places(found, cells) == BODY
    expected = {(users[i], items[j]): v for i, row in enumerate(BODY) for j, v in enumerate(row) if v != ""}
    assert ratings_of(found) == expected


def test_a_first_rating_that_is_blank_is_no_corner() -> None:
    cells = [["", 4.0, 4.0], [3.0, "", 1.0], [5.0, 2.0, ""]]
    assert read_range(cells).rows == [0, 1, 2]


def test_items_down_by_the_corner() -> None:
    found = read_range(
        [["Product", *USERS], *([item, *row] for item, row in zip("ABCD", zip(*BODY, strict=True), strict=True))]
    )
    assert found.items_down
    assert found.users == USERS
    assert found.items == list("ABCD")
    assert ratings_of(found)["Ann", "A"] == 5
    assert found.ratings.nouns == ("user", "product")


def test_totals_are_no_users_and_no_items() -> None:
    cells = with_names(USERS, ITEMS)
    cells = [[*row, name] for row, name in zip(cells, ["Total", 9.0, 7.0, 3.0], strict=True)]
    cells.append(["Total", 6.0, 6.0, 4.0, 3.0, 19.0])
    found = read_range(cells)
    assert (found.users, found.items) == (USERS, ITEMS)
    assert places(found, cells) == BODY


def test_the_same_name_twice_is_two_people() -> None:
    found = read_range(with_names(["Ann", "Ann", "Cy"], ITEMS))
    assert found.users == ["Ann", "Ann (2)", "Cy"]
    assert len(found.ratings) == 8


def test_who_rated_nothing_has_a_place() -> None:
    found = read_range([*with_names(USERS, ITEMS), ["Dee", "", "", "", ""]])
    assert found.users == [*USERS, "Dee"]
    assert found.rows == [1, 2, 3, 4]


def test_what_stands_below_is_nobody() -> None:
    blank: list = ["", "", "", ""]
    cells = [*with_names(USERS, ITEMS), ["Dee", *blank], ["Total", *blank], ["", *blank], ["Source: our shop", *blank]]
    assert read_range(cells).users == [*USERS, "Dee"]


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([["", ""], ["", ""]], "the range has no ratings: expected numbers, users down"),
        ([["a", "b"], ["c", "d"]], "the range has no ratings"),
        ([[5.0]], "the range has no grid of ratings"),
        (with_names(["Ann", "", "Cy"], ITEMS), "the range row 3: ratings, but no name in front of them"),
        (with_names(USERS, ["Mug", "", "Pot", "Pan"]), "column 3 has ratings, but no name above them"),
        ([["", "Mug", "Cup"], ["Ann", 5.0, "good"], ["Bob", 1.0, 2.0]], "row 2, column 'Cup': rating 'good'"),
    ],
)
def test_what_is_no_grid_is_told(cells: list[list], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_range(cells)


ORDERS = [["Client", "Article"], ["Ann", "Mug"], ["Ann", "Cup"], ["Bob", "Mug"], ["Ann", "Mug"]]
STARS = [["user", "item", "rating"], ["Ann", "Mug", 5.0], ["Bob", "Mug", 2.0]]


def test_a_list_will_do() -> None:
    stars = read_range(STARS)
    assert stars.is_list
    assert (stars.users, stars.items, stars.ratings.implicit) == (["Ann", "Bob"], ["Mug"], False)
    assert stars.ratings.rating.tolist() == [5, 2]


@pytest.mark.parametrize("above", [[], [["Orders of May", ""], ["", ""]]])
def test_a_list_without_numbers_is_of_picks(above: list[list]) -> None:
    orders = read_range([*above, *ORDERS])
    assert orders.is_list
    assert (orders.users, sorted(orders.items)) == (["Ann", "Bob"], ["Cup", "Mug"])
    assert orders.ratings.nouns == ("client", "article")
    assert orders.ratings.implicit
    assert sorted(orders.ratings.rating.tolist()) == [1, 1, 2]


@pytest.mark.parametrize(
    ("value", "implicit"), [(lambda i: 1.0, True), (lambda i: 99.0 if not i else 1.0 + i % 3, True), (float, False)]
)
def test_grids_of_equal_numbers_and_of_counts_are_picks(value: Callable[[int], float], implicit: bool) -> None:
    cells = [["", *ITEMS], *([user, *(value(4 * i + j) for j in range(4))] for i, user in enumerate(USERS))]
    read = read_range(cells)
    assert (read.is_list, read.ratings.implicit) == (False, implicit)


def test_a_grid_of_books_and_films_is_no_list() -> None:
    cells = [["Customer", "Book", "Film", "Game"], ["Ann", 5.0, 3.0, ""], ["Bob", 4.0, "", 2.0]]
    read = read_range(cells)
    assert (read.is_list, read.users, read.items) == (False, ["Ann", "Bob"], ["Book", "Film", "Game"])
    assert not read.ratings.implicit
