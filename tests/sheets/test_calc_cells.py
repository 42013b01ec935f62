"""The hidden sheet of the recommender: every block has a place of its own, and a new one is a single declaration."""

import re
from itertools import combinations

import openpyxl
import pytest
from support.recommenders import random_factors

from cf_excel.ratings.nouns import USUAL_NOUNS
from cf_excel.sheets.recommender import calc_cells
from cf_excel.sheets.recommender.calc_results import Cells
from cf_excel.sheets.recommender.names import RecommenderBook
from cf_excel.sheets.recommender.recommender_book import build_recommender
from cf_excel.xlsx.cells import Block


def overlap(a: Block, b: Block) -> bool:
    return a.top <= b.bottom and b.top <= a.bottom and a.left <= b.right and b.left <= a.right


@pytest.mark.parametrize("n_choices", [2, 13, 100])
@pytest.mark.parametrize(("n_movies", "n_factors"), [(1, 1), (5, 3), (30, 50)])
@pytest.mark.parametrize("lists", [("", 0), ("score", 24), ("watch", 1)])
def test_no_cell_is_written_twice(n_movies, n_factors, n_choices, lists):
    book = RecommenderBook(9, n_movies, n_factors, 20, n_choices, "bayes", USUAL_NOUNS, *lists)
    written = [block for block, cells in book.calc_cells.items() if cells.how != "parts"]
    assert [pair for pair in combinations(written, 2) if overlap(*pair)] == []


def test_a_new_cell_is_one_declaration(tmp_path, monkeypatch):
    usual = calc_cells.scalars
    new = Cells("offsets", lambda r: r["user_offset"] + r["movie_offset"], "user_offset+movie_offset")
    monkeypatch.setattr(calc_cells, "scalars", lambda book: [*usual(book), new])
    recommender = build_recommender(random_factors("bayes"), tmp_path / "r.xlsx")
    book, results = recommender.book, recommender.results
    sheet, block = book.blocks["offsets"]
    formulas, shown = (openpyxl.load_workbook(tmp_path / "r.xlsx", data_only=only) for only in (False, True))
    assert formulas.defined_names["offsets"].attr_text == f"{sheet}!{block.fixed}"
    assert formulas[sheet][block.first].value == "=user_offset+movie_offset"
    expected = results.factors.user_bias[results.picks.user] + results.factors.movie_bias[results.picks.movie]
    assert shown[sheet][block.first].value == pytest.approx(expected)
    assert shown[sheet].cell(block.top, block.left - 1).value == "offsets"


def test_formulas_stay_with_what_every_program_has():
    book = RecommenderBook(9, 30, 4, 20, 10, "bayes")
    formulas = [text for cells in book.calc_cells.values() for text in (cells.formula, *cells.row_formulas) if text]
    assert [text for text in formulas if re.search(r"\bROW\((?!\w+!\$)|TRANSPOSE\(ROW", text)] == []
    assert [text for text in formulas if re.search(r"\bINDEX\(\w+,[\w$]+,0\)|MATCH\(TRUE,INDEX", text)] == []
