"""CF_FILL, CF_TOP and CF_FIT on ranges as hosts hand them over."""

import datetime
import subprocess
import sys
from decimal import Decimal

import numpy as np
import pytest
from support.function_calls import GRID, NOT_AVAILABLE
from support.planted import low_rank_ratings

from cf_excel.learn.table_fit import TableFit
from cf_excel.learn.table_picks import PicksTableFit, fit_own_table
from cf_excel.model.predictor import Predictor
from cf_excel.ratings.table import Ratings
from cf_excel.udf import fill_functions
from cf_excel.udf.functions import Functions

SHEET = Functions()


@pytest.fixture(scope="module")
def planted() -> list[list[float | None]]:
    """A grid of 60 x 40 without names; half of its ratings are there."""
    ratings = low_rank_ratings(60, 40)
    grid: list[list[float | None]] = [[None] * 40 for _ in range(60)]
    for user, item, rating in zip(ratings.user_idx, ratings.movie_idx, ratings.rating.tolist(), strict=True):
        grid[user][item] = rating
    return grid


def test_blanks_are_predicted_and_all_else_stays() -> None:
    filled = SHEET.CF_FILL(GRID)
    assert np.shape(filled) == np.shape(GRID)
    for row, given in zip(filled, GRID, strict=True):
        for value, before in zip(row, given, strict=True):
            assert value == before if before is not None else 1 <= value <= 5
            assert type(value) in (str, float)


def test_predictions_follow_the_pattern(planted: list[list]) -> None:
    rows = [row[:] for row in planted]
    held_out = [(i, j) for i in range(60) for j in range(40) if rows[i][j] is not None][::5]
    for i, j in held_out:
        rows[i][j] = None
    filled = SHEET.CF_FILL(rows)
    errors = [filled[i][j] - planted[i][j] for i, j in held_out]
    mean = np.mean([value for row in rows for value in row if value is not None])
    assert np.std(errors) < 0.4 * np.std([planted[i][j] - mean for i, j in held_out])


def test_names_change_no_prediction(planted: list[list]) -> None:
    named = [["", *(f"item {j}" for j in range(40))], *([f"user {i}", *row] for i, row in enumerate(planted))]
    assert [row[1:] for row in SHEET.CF_FILL(named)[1:]] == SHEET.CF_FILL(planted)
    assert SHEET.CF_FILL(named)[0] == named[0]


def test_the_best_are_those_with_the_highest_predictions(planted: list[list]) -> None:
    filled = SHEET.CF_FILL(planted)
    for i, row in enumerate(SHEET.CF_TOP(planted, 3)):
        free = [j for j in range(40) if planted[i][j] is None]
        assert row[0] == f"row {i + 1}"
        listed = [int(name.removeprefix("column ")) - 1 for name in row[1:]]
        assert {*listed} <= {*free}
        best = sorted((filled[i][j] for j in free), reverse=True)[:3]  # several may be cut off at the highest rating
        assert [filled[i][j] for j in listed] == best


@pytest.mark.parametrize("lists", [False, True])
def test_the_best_are_those_that_recommend_has_and_then_what_nobody_rated(lists: bool) -> None:
    rng = np.random.default_rng(5)
    # by chance what stands first would be rated most, and where no rating can rank, that is the order of lists
    chosen = rng.random((30, 16)) < (rng.permutation(np.geomspace(0.95, 0.1, 16)) if lists else 0.4)
    chosen[:, 7], chosen[9] = False, False
    grid = np.where(chosen, rng.integers(1, 6, chosen.shape), None)
    names = np.array([f"item {j}" for j in rng.permutation(16)], object)
    table = [["", *names], *([f"user {i}", *row] for i, row in enumerate(grid))]
    learnt = fill_functions._learn(fill_functions._content(fill_functions._checked(table)))
    predictor = Predictor(learnt.fit.factors)
    assert (predictor.factors.lists is not None) == lists
    for i, row in enumerate(SHEET.CF_TOP(table, 16)):
        n_free = int((~chosen[i]).sum())
        assert row[0] == f"user {i}"
        assert row[n_free] == names[7]
        assert not any(row[n_free + 1 :])
        if i != 9:
            assert row[1:n_free] == [movie.movie_id for movie in predictor.recommend(f"user {i}", 16)]


def test_items_down() -> None:
    turned = [list(column) for column in zip(*GRID, strict=True)]
    turned[0][0] = "Product"
    filled = SHEET.CF_FILL(turned)
    assert [row[0] for row in SHEET.CF_TOP(turned, 1)] == ["Ann", "Bob", "Cy", "Dee", "Eve"]
    for row, given in zip(filled, turned, strict=True):
        for value, before in zip(row, given, strict=True):
            assert value == before if before is not None else 1 <= value <= 5


def test_fewer_items_than_asked_leave_blanks() -> None:
    top = SHEET.CF_TOP(GRID, 3)
    assert top[0] == ["Ann", "Cup", "", ""]
    assert top[3][0] == "Dee"
    assert set(top[3][1:]) == {"Pot", "Pan", ""}
    assert {len(row) for row in SHEET.CF_TOP(GRID)} == {11}


def test_totals_stay() -> None:
    cells = [[*row, name] for row, name in zip(GRID, ["Total", 9.0, 9.0, 10.0, 3.0, None], strict=True)]
    filled = SHEET.CF_FILL([*cells, ["Total", 10.0, 11.0, 6.0, None, None]])
    assert filled[-1] == ["Total", 10.0, 11.0, 6.0, "", ""]
    assert [row[-1] for row in filled[:-1]] == ["Total", 9.0, 9.0, 10.0, 3.0, ""]
    assert [row[:-1] for row in filled[1:-1]] == SHEET.CF_FILL(GRID)[1:]


def test_dates_texts_and_decimals() -> None:
    days = [datetime.datetime(2026, 1, day) for day in (1, 2, 3)]
    rows = [
        ["Customer", *days],
        ["Ann", Decimal("5"), "", "3,5"],
        ["Bob", " 4 ", float("nan"), 1.0],
        ["Cy", None, 2, 1],
    ]
    filled = SHEET.CF_FILL(rows)
    assert filled[0] == rows[0]
    assert filled[1][1] == 5
    assert filled[1][3] == "3,5"
    assert type(filled[1][2]) is type(filled[2][2]) is type(filled[3][1]) is float


def test_how_good_that_is(planted: list[list]) -> None:
    found = dict(SHEET.CF_FIT(planted))
    assert found["Ratings"] == found["Ratings held out, each predicted without it"] == 1200
    assert found["Error of these predictions (RMSE)"] < found["Error of the biases of user and item"]
    assert found["Error of the biases of user and item"] < found["Error of the mean"]
    assert found["In a word"].startswith("off by 0.")
    few = SHEET.CF_FIT([row[:3] for row in GRID[:3]])
    assert few[2] == ["Error of these predictions (RMSE)", ""]
    assert few[-1][1].startswith("too little to learn from")


@pytest.mark.parametrize("name", ["CF_FILL", "CF_TOP", "CF_FIT"])
@pytest.mark.parametrize(
    ("table", "message"),
    [
        (None, "the range has no ratings: expected numbers"),
        (5.0, "the range has no grid of ratings"),
        ([[1.0] * 1001] * 1000, "1,000 x 1,001 cells: 1,000,000 are the most to learn from"),
        ([["a\n", "b"], ["c", "x" * 400]] + [["d", "e"]] * 30, "the range has no ratings"),
        ([["", "b"], ["c", 5.0]] + [["d", 4.0]] * 70 + [["d", "e" * 100]] * 30, "the range: rows that can't be read"),
    ],
)
def test_errors_are_sentences(name: str, table: object, message: str) -> None:
    result = getattr(SHEET, name)(table)
    assert result.startswith(f"{name}: {message}")
    assert len(result) < 300


def test_an_error_value_passes_through() -> None:
    assert SHEET.CF_FILL([["", "Mug"], ["Ann", NOT_AVAILABLE]]) == "#N/A"
    assert SHEET.CF_FILL([["", "Mug"], ["Ann", "#DIV/0!"]]) == "#DIV/0!"


def test_how_many_must_be_a_number() -> None:
    assert SHEET.CF_TOP(GRID, 0) == "CF_TOP: n 0: expected a whole number from 1 to 1,048,576"
    assert SHEET.CF_TOP(GRID, 10**6) == "CF_TOP: n 1,000,000 of 5 users: 1,000,000 cells at once are the most"


def test_the_same_content_is_learnt_once(monkeypatch: pytest.MonkeyPatch) -> None:
    fits = []

    def counted(ratings: Ratings) -> TableFit | PicksTableFit:
        fits.append(ratings)
        return fit_own_table(ratings)

    monkeypatch.setattr(fill_functions, "fit_own_table", counted)
    fill_functions._learn.cache_clear()
    first = SHEET.CF_FILL(GRID)
    assert SHEET.CF_FILL(tuple(map(tuple, GRID))) == Functions().CF_FILL(np.array(GRID, object)) == first
    SHEET.CF_TOP(GRID, 2)
    SHEET.CF_FIT(GRID)
    assert len(fits) == 1
    changed = [*GRID[:-1], ["Eve", None, None, None, 5.0]]
    assert SHEET.CF_FILL(changed) != first
    assert len(fits) == 2
    for number in range(fill_functions._KEPT):
        SHEET.CF_FIT([*GRID[:-1], ["Eve", None, None, None, float(number)]])
    assert fill_functions._learn.cache_info().currsize == fill_functions._KEPT
    assert SHEET.CF_FILL(GRID) == first  # forgotten, learnt anew, and the same
    fill_functions._learn.cache_clear()


def test_learning_needs_neither_torch_nor_a_model() -> None:
    code = (
        "import sys; from cf_excel.udf.functions import Functions; "
        "assert Functions().CF_FILL([[5.0, None, 3.0], [4.0, 4.0, None], [None, 2.0, 1.0]])[0][1] > 0; "
        "assert not {'torch', 'numba', 'matplotlib', 'openpyxl'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_currency_and_dates_come_back_as_a_host_takes_them():
    """Cells in a format of currency are handed over as decimals, headers may be dates."""
    day = datetime.datetime(2026, 1, 30)
    rows = [[None, "a", "b", day], ["x", Decimal("1.5"), None, 5], ["y", 2, Decimal("4"), None], ["z", None, 4, 5.0]]
    filled = fill_functions.fill(rows)
    assert filled[0] == ["", "a", "b", day]
    assert [filled[1][1], filled[2][2], filled[1][3]] == [1.5, 4.0, 5.0]
    assert {type(cell) for row in filled[1:] for cell in row[1:]} == {float}
