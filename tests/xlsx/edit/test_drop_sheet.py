"""A sheet is taken out with what belongs to it, and what counts the sheets counts on."""

import openpyxl
import pytest
import xlsxwriter

from cf_excel.xlsx.edit.drop_sheet import drop_sheet
from cf_excel.xlsx.edit.workbook_file import OpenedBook


@pytest.fixture
def path(tmp_path):
    with xlsxwriter.Workbook(tmp_path / "a.xlsx") as workbook:
        for title in ("first", "it's & that", "last"):
            sheet = workbook.add_worksheet(title)
            sheet.write(0, 0, title)
            sheet.write_comment(1, 1, title)
            sheet.repeat_rows(0)
        workbook.define_name("Mine", "=last!$A$1")
        sheet.activate()
    return tmp_path / "a.xlsx"


@pytest.mark.validator
@pytest.mark.parametrize(("gone", "left"), [("it's & that", ["first", "last"]), ("last", ["first", "it's & that"])])
def test_one_sheet_less(path, gone, left, validator_errors):
    book = OpenedBook(path)
    drop_sheet(book, gone)
    book.archive.save(path)
    found = openpyxl.load_workbook(path)
    assert found.sheetnames == left
    assert [sheet["A1"].value for sheet in found] == left
    assert [sheet.print_title_rows for sheet in found] == ["$1:$1"] * 2
    assert found.active.title == left[-1]
    assert list(found.defined_names) == ["Mine"]
    assert validator_errors(path) == []


def test_names_that_are_gone_leave_no_list_behind(tmp_path):
    with xlsxwriter.Workbook(tmp_path / "a.xlsx") as workbook:
        workbook.add_worksheet("first")
        workbook.add_worksheet("last").repeat_rows(0)
    book = OpenedBook(tmp_path / "a.xlsx")
    drop_sheet(book, "last")
    assert b"definedName" not in book.archive.read(book.root)
