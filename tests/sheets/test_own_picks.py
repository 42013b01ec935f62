"""A workbook of orders, plays or likes: fill writes scores from 0 to 1 and says how good its lists are."""

import numpy as np
import openpyxl
import pytest
from support.own_books import CUSTOMERS, PRODUCTS, counts, grid_book, scores, write_sheets

import cf_excel
from cf_excel.errors import InputError
from cf_excel.learn.table_picks import fit_own_table
from cf_excel.model.predictor import Predictor
from cf_excel.ratings.readers import load_ratings


def rows_of(path, title):
    """Return the values of a sheet, the note first."""
    return [list(row) for row in openpyxl.load_workbook(path)[title].iter_rows(values_only=True)]


def orders_book(path):
    """Write a list without a third column."""
    users, items = np.nonzero(~np.isnan(counts()))
    pairs = zip(users.tolist(), items.tolist(), strict=True)
    write_sheets(path, {"Orders": [["Client", "Article"], *([CUSTOMERS[u], PRODUCTS[i]] for u, i in pairs)]})
    return path


BOOKS = {
    "counts": lambda path: grid_book(path, counts()),
    "ones": lambda path: grid_book(path, counts() * 0 + 1),
    "list": orders_book,
}


@pytest.mark.parametrize("kind", BOOKS)
def test_blanks_get_scores_and_lists_rank_by_them(tmp_path, kind):
    path = BOOKS[kind](tmp_path / "own.xlsx")
    predictor = Predictor(fit_own_table(load_ratings(path, implicit=None)).factors)
    report = cf_excel.fill(path)
    assert report.sheets == ("scores", "recommendations", "similar", "fit")
    assert any("read as picks, not as ratings" in note for note in report.notes)
    note, names, *grid = rows_of(path, "scores")
    assert "bold numbers are the picks given, the others are scores: from 0 to 1" in note[0]
    given = counts() if kind == "counts" else counts() * 0 + 1
    for user, *values in grid[: len(CUSTOMERS)]:
        for item, value in zip(names[1:13], values, strict=False):
            pick = given[CUSTOMERS.index(user), PRODUCTS.index(item)]
            assert value == pick if pick == pick else 0 <= value <= 1
    note, headers, *rows = rows_of(path, "recommendations")
    assert headers[3:] == ["Score", "Picks"]
    assert "rated" not in note[0]
    assert "rediction" not in note[0]
    for user in CUSTOMERS:
        best = predictor.recommend(user, 5)
        listed = [row for row in rows if row[0] == user]
        assert [row[2] for row in listed] == [one.movie_id for one in best]
        np.testing.assert_allclose([row[3] for row in listed], [one.score for one in best], rtol=1e-6)


@pytest.mark.parametrize("kind", BOOKS)
def test_fit_says_how_good_the_lists_are(tmp_path, kind):
    path = BOOKS[kind](tmp_path / "own.xlsx")
    report = cf_excel.fill(path)
    _, (verdict, *_), *rows = rows_of(path, "fit")
    told = {row[0]: row[1] for row in rows}
    assert np.isnan(report.rmse)
    assert "RMSE" not in str(rows)
    assert (told["the model: NDCG"], told["the model: hits"]) == pytest.approx((report.ndcg, report.hit_rate))
    assert told["the model: NDCG"] > 1.2 * told["most picked: NDCG"]  # the two tastes are found
    assert verdict.lower().startswith(f"lists of 10 on picks held out: ndcg {report.ndcg:.2f}, a hit for")
    assert verdict.lower() == f"{report.lines[0]}.".lower()


def test_next_month_it_says_what_changed(tmp_path):
    path = grid_book(tmp_path / "own.xlsx", counts())
    cf_excel.fill(path)
    once = path.read_bytes()
    assert all("as it was" in line for line in cf_excel.fill(path).lines if line.startswith("sheet"))
    assert path.read_bytes() == once
    book = openpyxl.load_workbook(path)
    book["Stars"]["B4"] = 40
    book.save(path)
    told = "\n".join(cf_excel.fill(path).lines)
    assert "sheet scores: 1 pick new or changed" in told
    assert "the model: NDCG" in told
    assert ", before 0." in told


def test_what_was_said_of_ratings_before_is_noted(tmp_path):
    path = grid_book(tmp_path / "own.xlsx", scores())
    assert "predictions" in cf_excel.fill(path).sheets
    report = cf_excel.fill(path, implicit=True)
    assert "scores" in report.sheets
    assert any(note.startswith("sheet predictions stays as it was") for note in report.notes)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (np.ones((24, 12)), "nothing can be learnt: every Customer picked every Item"),
        (
            np.where(np.arange(288).reshape(24, 12) % 49 == 0, 1.0, np.nan),
            "too little to learn from: expected 10 picks",
        ),
    ],
)
def test_nothing_learnt_nothing_written(tmp_path, table, message):
    path = grid_book(tmp_path / "own.xlsx", table)
    before = path.read_bytes()
    with pytest.raises(InputError, match=message):
        cf_excel.fill(path, implicit=True)
    assert path.read_bytes() == before


@pytest.mark.validator
def test_the_validator_finds_nothing(tmp_path, validator_errors):
    path = grid_book(tmp_path / "own.xlsx", counts())
    before = validator_errors(path)
    cf_excel.fill(path)
    assert validator_errors(path) == before
