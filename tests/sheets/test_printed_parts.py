"""What is printed of the sheets that commands add to a workbook: a few pages, the headers on each."""

import numpy as np
import openpyxl
import pytest
from support.own_books import list_book

import cf_excel
from cf_excel.sheets.answers.answer_book import write_book
from cf_excel.sheets.answers.answer_table import AnswerTable
from cf_excel.sheets.lesson.collab import build_collab
from cf_excel.sheets.own.draft import SheetDraft
from cf_excel.sheets.own.put_drafts import FormerSheet, printed_anew
from cf_excel.xlsx.cells import Block
from cf_excel.xlsx.edit.printed_part import PrintedPart, has_settings


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
    path = list_book(tmp_path / "scores.xlsx", some(150))
    cf_excel.fill(path)
    book = openpyxl.load_workbook(path)
    assert book["recommendations"].max_row > 400
    assert area(book["recommendations"]) == "A1:E400"
    assert not book["predictions"].print_area
    assert "page &P of &N" in book["recommendations"].oddFooter.center.text


def some(n_customers: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    stars = np.clip(np.round(3 + rng.normal(size=(n_customers, 1)) + rng.normal(size=(1, 12))), 1, 5)
    return np.where(rng.random(stars.shape) < 0.5, stars, np.nan)


def refilled(path, ratings, change):
    """Fill a list, let somebody change the filled workbook, rate otherwise, fill again; return the workbook."""
    list_book(path, some(150))
    cf_excel.fill(path)
    book = openpyxl.load_workbook(path)
    change(book["recommendations"])
    sheet = book[book.sheetnames[0]]
    for row in sheet.iter_rows(min_row=5):  # other ratings in the same rows, and none in those that are too many
        rated = row[2].row % 2 if ratings == "fewer" else True
        row[2].value = row[2].value if rated else None
    book.save(path)
    cf_excel.fill(path)
    return openpyxl.load_workbook(path)["recommendations"]


def without_settings(sheet):
    sheet.print_area = sheet._print_rows = None  # openpyxl takes no rows away by their public name
    sheet.sheet_properties.pageSetUpPr = None
    sheet.page_setup = openpyxl.worksheet.page.PrintPageSetup(worksheet=sheet)
    sheet.HeaderFooter = openpyxl.worksheet.header_footer.HeaderFooter()


def test_a_former_sheet_that_says_nothing_of_its_pages_gets_them(tmp_path):
    sheet = refilled(tmp_path / "scores.xlsx", "as many", without_settings)
    assert (sheet.print_title_rows, area(sheet)) == ("$2:$2", "A1:E400")
    assert sheet.sheet_properties.pageSetUpPr.fitToPage
    assert (sheet.page_setup.orientation, sheet.page_setup.fitToHeight) == ("portrait", 0)


def test_what_somebody_set_of_the_pages_stays(tmp_path):
    def change(sheet):
        sheet.print_area, sheet.page_setup.orientation = "A1:D90", "landscape"

    sheet = refilled(tmp_path / "scores.xlsx", "fewer", change)
    assert (area(sheet), sheet.page_setup.orientation) == ("A1:D90", "landscape")


def test_an_area_that_nobody_set_follows_the_list():
    chosen = PrintedPart(area=Block(1, 1, 400, 5)).names_on("recommendations")

    class Book:
        def names_on(self, title):
            return self.names

    book, draft = Book(), SheetDraft("recommendations", "", Block(1, 1, 1, 1), Block(3, 1, 3, 1))
    draft.put(Block(2, 1, 90, 5), "text", [[1] * 5] * 89)
    long = {(row, column): 1.0 for row in range(2, 900) for column in range(1, 6)}
    former = FormerSheet("recommendations", None, long, b"<pageSetup/>")
    book.names = chosen
    assert printed_anew(book, former, draft) == (False, PrintedPart(area=Block(1, 1, 90, 5)))
    for names in ({}, PrintedPart(area=Block(1, 1, 9, 5)).names_on("recommendations")):
        book.names = names  # taken away, or another one
        assert printed_anew(book, former, draft) == (False, PrintedPart())
    short = FormerSheet("recommendations", None, {(2, 1): 1.0, (90, 5): 1.0}, b"<pageSetup/>")
    draft.put(Block(91, 1, 900, 5), "text", [[1] * 5] * 810)
    book.names = {}
    assert printed_anew(book, short, draft) == (False, PrintedPart(area=Block(1, 1, 400, 5)))


def test_pages_go_into_any_sheets_xml_in_their_place():
    part = PrintedPart(is_upright=True, on_one_page=True)
    for head, tail in (
        ("", ""),
        ("<sheetPr/>", "<tableParts/>"),
        ('<sheetPr codeName="x"><tabColor/></sheetPr>', "<extLst/>"),
    ):
        frame = f'<worksheet xmlns="x">{head}<sheetData></sheetData><pageMargins/>{tail}</worksheet>'.encode()
        assert not has_settings(frame)
        found = part.put_into(frame)
        assert has_settings(found)
        assert b'<pageSetUpPr fitToPage="1"/></sheetPr>' in found
        behind = (tail or "</worksheet>").encode()
        assert b'<pageMargins/><pageSetup orientation="portrait" fitToHeight="1"/><headerFooter>' in found
        assert found.index(b"</headerFooter>") + len(b"</headerFooter>") == found.index(behind)


def test_pages_do_not_go_into_the_bars_and_the_protection_of_a_sheet():
    bars = '<conditionalFormatting sqref="A1"><cfRule type="dataBar"><extLst><ext/></extLst></cfRule>'
    head, tail = '<sheetProtection sheet="1"/>', '<drawing r:id="rId1"/><tableParts/>'
    frame = f'<worksheet xmlns="x">{head}{bars}</conditionalFormatting><pageMargins/>{tail}</worksheet>'.encode()
    found = PrintedPart().put_into(frame)
    assert found.startswith(b'<worksheet xmlns="x"><sheetPr><pageSetUpPr fitToPage="1"/></sheetPr><sheetProtection')
    assert b"<extLst><ext/></extLst></cfRule></conditionalFormatting><pageMargins/><pageSetup " in found
    assert found.endswith(b"</headerFooter>" + tail.encode() + b"</worksheet>")


def test_of_long_answers_the_head_is_printed_and_the_page_says_so(tmp_path):
    for n, printed in ((400, ""), (6_710, "A1:B401")):
        table = AnswerTable("recommendations", {"user_id": np.arange(n), "rank": np.arange(n)})
        write_book(tmp_path / "answers.xlsx", table)
        sheet = openpyxl.load_workbook(tmp_path / "answers.xlsx").active
        assert (area(sheet), sheet.print_title_rows, sheet.page_setup.orientation) == (printed, "$1:$1", "portrait")
        assert ("first 400 of 6,710 rows" in sheet.oddFooter.center.text) == bool(printed)
        assert "page &P of &N" in sheet.oddFooter.center.text


def test_wide_answers_are_not_upright(tmp_path):
    titles = {name: np.array(["x" * 80], object) for name in ("title", "similar_title", "genres")}
    write_book(tmp_path / "answers.xlsx", AnswerTable("similar", titles))
    assert openpyxl.load_workbook(tmp_path / "answers.xlsx").active.page_setup.orientation == "landscape"
