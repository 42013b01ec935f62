"""What is printed of the sheets that commands add to a workbook: a few pages, the headers on each."""

import numpy as np
import openpyxl
import pytest
from support.own_books import list_book

import cf_excel
from cf_excel.sheets.lesson.collab import build_collab


def area(sheet) -> str:
    return (sheet.print_area or "").replace("$", "").rpartition("!")[2]


@pytest.fixture
def lesson(busy_ratings, tmp_path):
    path = tmp_path / "lesson.xlsx"
    build_collab(busy_ratings, path)
    return path


def test_history_is_one_page_and_the_model_leaves_out_the_ratings(lesson, busy_ratings, tmp_path):
    cf_excel.solve(lesson, optimizer="adam", steps=100, history=True)
    for n_factors, bottom in ((3, 26), (5, 28)):  # the second takes the place of the first
        model = cf_excel.train(busy_ratings, kind="bayes", n_factors=n_factors, split="none")
        cf_excel.write(lesson, model)
        book = openpyxl.load_workbook(lesson)
        assert book.sheetnames[-2:] == ["history", "model"]
        assert area(book["history"]) == "A1:P38"
        assert area(book["model"]) == f"A1:P{bottom}"
        assert book["dotprod"].print_area == book["intro"].print_area == ""
        assert area(book["movielens_emb"])
        assert {sheet.sheet_properties.pageSetUpPr.fitToPage for sheet in book} == {True}


def test_lists_are_upright_with_their_headers_on_each_page(tmp_path):
    path = list_book(tmp_path / "scores.xlsx")
    cf_excel.fill(path)
    book = openpyxl.load_workbook(path)
    for title in ("predictions", "recommendations", "similar"):
        assert book[title].print_title_rows == "$2:$2"
        assert book[title].page_setup.orientation == "portrait"
        assert not book[title].print_area
    assert not book["fit"].print_title_rows
    assert book["fit"].page_setup.orientation == "landscape"


def test_of_a_long_list_the_head_is_printed(tmp_path):
    rng = np.random.default_rng(0)
    stars = np.clip(np.round(3 + rng.normal(size=(150, 1)) + rng.normal(size=(1, 12))), 1, 5)
    ratings = np.where(rng.random(stars.shape) < 0.5, stars, np.nan)
    path = list_book(tmp_path / "scores.xlsx", ratings)
    cf_excel.fill(path)
    book = openpyxl.load_workbook(path)
    assert book["recommendations"].max_row > 400
    assert area(book["recommendations"]) == "A1:E400"
    assert not book["predictions"].print_area
