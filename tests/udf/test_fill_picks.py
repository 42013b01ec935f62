"""CF_FILL, CF_TOP and CF_FIT on orders, plays and likes: scores from 0 to 1, and lists by them."""

import numpy as np
import pytest
from support.own_books import CUSTOMERS, PRODUCTS, counts

from cf_excel.learn.table_picks import PicksTableFit, fit_own_table
from cf_excel.model.predictor import Predictor
from cf_excel.ratings.ranges import read_range
from cf_excel.udf.functions import Functions

SHEET = Functions()


def grid(values: np.ndarray) -> list[list]:
    """Return values with names around them, NaN as a blank."""
    rows = [[None if value != value else value for value in row] for row in values.tolist()]
    return [["Customer", *PRODUCTS], *([name, *row] for name, row in zip(CUSTOMERS, rows, strict=True))]


def orders() -> list[list]:
    """Return the pairs as a list without a third column."""
    pairs = np.argwhere(~np.isnan(counts())).tolist()
    return [["Customer", "Product"], *([CUSTOMERS[user], PRODUCTS[item]] for user, item in pairs)]


TABLES = {"counts": grid(counts()), "ones": grid(counts() * 0 + 1), "list": orders()}


def predictor_of(table: list[list]) -> Predictor:
    cells = [["" if value is None else value for value in row] for row in table]
    fit = fit_own_table(read_range(cells).ratings)
    assert isinstance(fit, PicksTableFit)
    return Predictor(fit.factors)


@pytest.mark.parametrize("kind", TABLES)
def test_lists_rank_by_the_score(kind: str) -> None:
    table = TABLES[kind]
    predictor = predictor_of(table)
    found = SHEET.CF_TOP(table, 3)
    assert sorted(row[0] for row in found) == sorted(CUSTOMERS)
    for user, *listed in found:
        assert [name for name in listed if name] == [one.movie_id for one in predictor.recommend(user, 3)]


def test_lists_follow_the_taste() -> None:
    likes = {name: i % 2 for i, name in enumerate(PRODUCTS)}
    firsts = {user: best for user, best, *_ in SHEET.CF_TOP(TABLES["ones"], 1)}
    hits = [likes[best] == i % 2 for i, user in enumerate(CUSTOMERS) if (best := firsts[user])]
    assert np.mean(hits) > 0.8


@pytest.mark.parametrize("kind", ["counts", "ones"])
def test_blanks_are_scores_and_picks_stay(kind: str) -> None:
    table = TABLES[kind]
    filled = SHEET.CF_FILL(table)
    scores = predictor_of(table).predict_rows(np.arange(24)[:, None], np.arange(12)[None])
    ids = predictor_of(table).factors.movie_ids.tolist()
    for i, (given, row) in enumerate(zip(table[1:], filled[1:], strict=True)):
        for name, before, after in zip(PRODUCTS, given[1:], row[1:], strict=True):
            assert after == (before if before is not None else pytest.approx(scores[i, ids.index(name)]))
            assert before is not None or 0 <= after <= 1


def test_a_zero_is_no_pick_and_may_be_recommended() -> None:
    table = grid(np.where(np.isnan(counts()), 0, counts()))
    assert SHEET.CF_TOP(table, 3) == SHEET.CF_TOP(TABLES["counts"], 3)


def test_a_list_has_no_blanks_to_fill() -> None:
    message = "CF_FILL: the range is a list, a row a pick, with no blanks to fill: pass a grid, or take CF_TOP"
    assert SHEET.CF_FILL(TABLES["list"]) == message


@pytest.mark.parametrize("kind", TABLES)
def test_fit_measures_lists(kind: str) -> None:
    fit = dict(SHEET.CF_FIT(TABLES[kind]))
    assert fit["Picks, not ratings"] == np.count_nonzero(~np.isnan(counts()))
    assert 1 >= fit["NDCG of lists of 10 against these"] > fit["NDCG of what is picked most"] > 0
    assert fit["In a word"].startswith("lists of 10 on picks held out: NDCG")
    assert "RMSE" not in str(fit)


def test_so_few_picks_measure_nothing() -> None:
    fit = dict(SHEET.CF_FIT([["Customer", "Product"], ["Ann", "Mug"], ["Ann", "Cup"], ["Bob", "Mug"]]))
    assert fit["NDCG of lists of 10 against these"] == ""
    assert fit["In a word"].startswith("too little to learn from: expected 10 picks")


def test_pairs_of_a_long_list_may_be_too_many() -> None:
    table = [["Customer", "Product"], *([f"C{i}", f"P{i}"] for i in range(1001))]
    assert SHEET.CF_TOP(table, 3).startswith("CF_TOP: 1,001 x 1,001 pairs: 1,000,000 are the most to learn from")
