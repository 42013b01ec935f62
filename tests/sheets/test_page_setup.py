"""No text of ours is cut off: wide enough, wrapped in a row that is high enough, or shortened where that shows."""

from dataclasses import replace

import numpy as np
import openpyxl
import pytest
from support.own_books import grid_book

import cf_excel
from cf_excel.sheets.answers.answer_book import write_book
from cf_excel.sheets.answers.answer_table import AnswerTable
from cf_excel.sheets.lesson.collab import build_collab
from cf_excel.sheets.page_setup import heights_of_texts, shortened, width_of_texts

RAIDERS = "Raiders of the Lost Ark (Indiana Jones and the Raiders of the Lost Ark) (1981)"
LONG = "Who Is Harry Kellerman and Why Is He Saying Those Terrible Things About Me? (1971) " * 3


def test_columns_are_as_wide_as_their_texts_up_to_a_limit():
    assert width_of_texts(["x" * 44, None, 3], 60) == pytest.approx(42)
    assert width_of_texts(["x" * 440], 60) == 60
    assert width_of_texts([], 60) == 2


def test_rows_of_texts_that_wrap_are_higher():
    texts = ["short", None, "word " * 30, 7, "word " * 1000]
    assert heights_of_texts(2, (texts, 60), (["word " * 60] * 5, 300)) == {4: 45, 6: 409}
    assert heights_of_texts(1, (["word " * 30], 60), (["word " * 30], 30)) == {1: 75}


def test_a_shortened_title_keeps_its_year():
    assert shortened(RAIDERS, 78) == RAIDERS
    assert shortened(RAIDERS, 55) == "Raiders of the Lost Ark (Indiana Jones and the… (1981)"
    assert shortened("x" * 99, 10) == "xxxxxxxxx…"


def test_titles_fit_into_the_lessons_sheets(busy_ratings, tmp_path):
    titles = busy_ratings.titles.copy()
    most = np.argsort(-np.bincount(busy_ratings.movie_idx))
    titles[most[0]], titles[most[1]] = RAIDERS, LONG
    build_collab(replace(busy_ratings, titles=titles), tmp_path / "c.xlsx")
    book = openpyxl.load_workbook(tmp_path / "c.xlsx")
    for title, n_high in (("movielens_emb", 1), ("movies", 2)):
        sheet = book[title]
        found = {
            cell.value: cell for row in sheet.iter_rows() for cell in row if cell.value in (RAIDERS, LONG.strip(), LONG)
        }
        assert len(found) == 2
        for text, cell in found.items():
            width = sheet.column_dimensions[cell.column_letter].width
            assert cell.alignment.wrap_text
            height = sheet.row_dimensions[cell.row].height or 15
            assert height / 15 * width * 1.1 >= len(text)
        assert sum(dimension.height is not None for dimension in sheet.row_dimensions.values()) >= n_high


def test_long_titles_of_answers_wrap(tmp_path):
    table = AnswerTable("recommendations", {"user_id": np.array([1, 2]), "title": np.array([LONG, "x"], object)})
    write_book(tmp_path / "a.xlsx", table)
    sheet = openpyxl.load_workbook(tmp_path / "a.xlsx").active
    assert sheet["B2"].alignment.wrap_text
    assert sheet["B2"].number_format == "@"
    assert sheet.row_dimensions[2].height == 60
    assert sheet.row_dimensions[3].height is None
    assert not sheet["A2"].alignment.wrap_text


def test_long_names_wrap_in_a_workbook_of_ones_own(tmp_path):
    path = grid_book(tmp_path / "scores.xlsx")
    book = openpyxl.load_workbook(path)
    for row in book["Stars"].iter_rows(min_row=3, max_row=4, max_col=2):
        for cell in row:
            cell.value = f"{cell.value}, of which nobody in the shop knows why it has a name as long as this one"
    book["Stars"]["B4"] = 3
    book.save(path)
    cf_excel.fill(path)
    book = openpyxl.load_workbook(path)
    names = [book["predictions"]["B2"], book["predictions"]["A3"], book["recommendations"]["A3"]]
    assert all("as long as this one" in cell.value and cell.alignment.wrap_text for cell in names)
    assert all(not cell.parent.row_dimensions[cell.row].height for cell in names[1:])  # programs fit it themselves
