"""One's own workbook filled while it is open, through the real xlwings, with LibreOffice in Excel's place."""

import types

import openpyxl
import pytest
import xlwings
from support.live_office import App, Table, open_live
from support.own_books import CUSTOMERS, grid_book, list_book

import cf_excel
from cf_excel.cli import main
from cf_excel.errors import InputError
from cf_excel.udf import open_books
from cf_excel.udf.macros import fill_shown_sheet, run_in_excel
from cf_excel.xlsx.texts import CellValue

pytestmark = pytest.mark.libreoffice
OWN = ["predictions", "recommendations", "similar", "fit"]
BOOKS = {"grid": grid_book, "list": list_book}


@pytest.fixture
def opened(office):
    """Open workbooks, and close them in the end."""
    books = []

    def opened(path):
        books.append(open_live(office, path))
        return books[-1]

    yield opened
    for book in books:
        book.impl.close()


def saved(book, folder, name="saved.xlsx"):
    """Return the file that the workbook's user would save."""
    book.api.SaveCopyAs(str(folder / name))
    return folder / name


def shown(cell) -> tuple[CellValue, ...]:
    """Return a cell's value and what it looks like."""
    value = pytest.approx(cell.value, rel=1e-12) if isinstance(cell.value, float) else cell.value
    font, fill, alignment = cell.font, cell.fill, cell.alignment
    ink = font.color.rgb if font.color and font.color.type == "rgb" and font.color.rgb != "FF000000" else None
    color = fill.start_color.rgb if fill.fill_type else None
    places = alignment.horizontal or "general", alignment.textRotation, bool(alignment.wrap_text)
    # LibreOffice names the language of a format, and has a format for texts that look like numbers
    number_format = cell.number_format.removeprefix("[$-409]").replace("@", "General")
    return value, number_format, bool(font.b), bool(font.i), ink, color, places, alignment.indent


def widths(sheet):
    """Return the widths of a sheet's columns, one by one."""
    columns = sheet.column_dimensions.values()
    return {n: column.width for column in columns for n in range(column.min, column.max + 1) if n <= sheet.max_column}


def pages(sheet):
    """Return how a sheet is printed."""
    setup, fits = sheet.page_setup, bool(sheet.sheet_properties.pageSetUpPr.fitToPage)
    area = (sheet.print_area or "").replace("'", "")
    return sheet.print_title_rows, area, setup.orientation, fits, int(setup.fitToHeight), setup.fitToWidth or 1


def check_same_sheets(path, expected):
    """Check that two files have the same sheets of ours: values, looks, tables and widths."""
    mine, theirs = openpyxl.load_workbook(path), openpyxl.load_workbook(expected)
    assert mine.sheetnames == theirs.sheetnames
    for title in OWN:
        sheet, other = mine[title], theirs[title]
        assert sheet.dimensions == other.dimensions
        for row, other_row in zip(sheet.iter_rows(), other.iter_rows(), strict=True):
            assert [shown(cell) for cell in row] == [shown(cell) for cell in other_row], title
        assert sheet.tables.items() == other.tables.items()
        assert sheet.merged_cells == other.merged_cells
        assert widths(sheet) == pytest.approx(widths(other), abs=0.1)
        assert pages(sheet) == pages(other)
        assert "page &P of" in sheet.oddFooter.center.text.replace("&&", "&")
        for row in (1, 2):
            height = other.row_dimensions[row].height
            assert height is None or sheet.row_dimensions[row].height == pytest.approx(height, abs=0.5)


@pytest.mark.parametrize("kind", BOOKS)
def test_the_open_workbook_gets_what_the_file_gets(tmp_path, opened, kind):
    path = BOOKS[kind](tmp_path / "own.xlsx")
    book, before = opened(path), path.read_bytes()
    shown_first = book.sheets.active.name
    report = cf_excel.fill(book, top=3)
    assert path.read_bytes() == before
    filed = cf_excel.fill(path, top=3, out=tmp_path / "filed.xlsx")
    assert report.lines == (*filed.lines[:-1], "wrote into own.xlsx, which is open in Excel: save it there")
    assert (report.sheets, report.rmse, report.notes) == (filed.sheets, filed.rmse, filed.notes)
    assert (report.path, report.backup) == (None, None)
    check_same_sheets(saved(book, tmp_path), filed.path)
    workbook = openpyxl.load_workbook(filed.path)
    assert book.impl.frozen == {title: workbook[title].freeze_panes for title in OWN}
    (area,) = workbook["predictions"].conditional_formatting
    expected = area.rules[0].colorScale
    points = book.impl.scales.pop(("predictions", str(area.sqref)))
    assert [point.Type for point in points] == [{"min": 1, "percentile": 5, "max": 2}[o.type] for o in expected.cfvo]
    assert points[1].Value == float(expected.cfvo[1].val)
    numbers = [point.FormatColor.Color.to_bytes(3, "little").hex().upper() for point in points]
    assert numbers == [color.rgb[2:] for color in expected.color]
    assert not book.impl.scales
    assert (book.sheets.active.name, App.screen_updating, book.app.impl.screen_updating) == (shown_first, True, True)


def month_after(sheet, recommended):
    """Let more be rated, a customer go and one come, and somebody dress the sheets."""
    sheet["C5"], sheet["B4"] = 5, 5
    sheet.delete_rows(20)
    sheet.insert_rows(10, 2)
    for row, name in ((10, "Customer late"), (11, "Customer later")):
        sheet.cell(row, 1).value = name
        for column in (2, 4, 6, 7, 9):
            sheet.cell(row, column).value = 4.5
    for row in recommended.iter_rows(min_row=3, min_col=3, max_col=3):
        row[0].font = openpyxl.styles.Font(color="FFCC0000", bold=True)


def more_products(sheet, _):
    for row, value in ((3, "Product later"), (5, 4), (8, 2), (9, 5), (12, 3.5)):
        sheet.cell(row, 15).value = value


def half_gone(sheet, _):
    sheet.delete_rows(15, 10)


@pytest.mark.parametrize("change", [month_after, more_products, half_gone])
def test_a_former_fill_is_filled_in_anew_as_in_the_file(tmp_path, opened, change):
    path = grid_book(tmp_path / "own.xlsx")
    cf_excel.fill(path)
    workbook = openpyxl.load_workbook(path)
    change(workbook["Stars"], workbook["recommendations"])
    sheet = workbook["predictions"]
    sheet.column_dimensions["A"].width = 33
    for row in sheet.iter_rows(min_row=3, min_col=2):
        for cell in row:
            cell.number_format = "0.0"
    workbook.save(path)
    book = opened(path)
    filed = cf_excel.fill(saved(book, tmp_path, "filed.xlsx"))
    report = cf_excel.fill(book)
    assert report.lines[:-1] == filed.lines[:-1]
    assert "new or changed" in str(report) or "cells gone" in str(report)
    check_same_sheets(saved(book, tmp_path), filed.path)
    scales = [
        [str(area.sqref) for area in openpyxl.load_workbook(file)["predictions"].conditional_formatting]
        for file in (tmp_path / "saved.xlsx", filed.path)
    ]
    assert scales[0] == scales[1]
    assert cf_excel.fill(book).lines[1:5] == tuple(f"sheet {title}: as it was" for title in OWN)


def test_what_is_not_saved_yet_counts(tmp_path, opened):
    path = grid_book(tmp_path / "own.xlsx")
    book = opened(path)
    before = cf_excel.fill(book)
    row = 4 + CUSTOMERS.index("Customer 05")
    book.sheets["Stars"].range((row, 2)).value = [4.5, 1.5]
    report = cf_excel.fill(book)
    assert report.rmse != before.rmse
    assert "ratings new or changed" in str(report)
    assert book.sheets["predictions"].range((row - 1, 2), (row - 1, 3)).value == [4.5, 1.5]


def test_what_somebody_changed_in_the_open_workbook_stays(tmp_path, opened):
    book = opened(grid_book(tmp_path / "own.xlsx"))
    cf_excel.fill(book)
    book.sheets["recommendations"].range((3, 7)).value = "called on Monday"
    report = cf_excel.fill(book)
    assert report.sheets == ("predictions", "recommendations 2", "similar", "fit")
    assert [note for note in report.notes if "sheet recommendations was changed by hand: it stays" in note]
    assert book.sheets["recommendations"].range((3, 7)).value == "called on Monday"
    assert [table.name for table in book.sheets["recommendations 2"].tables] == ["recommendations_2"]
    assert cf_excel.fill(book).sheets == report.sheets


def test_a_filter_is_applied_again(tmp_path, opened, monkeypatch):
    book = opened(grid_book(tmp_path / "own.xlsx"))
    cf_excel.fill(book)
    sheet, applied = book.sheets["recommendations"], []
    sheet.range((4, 1), (7, 1)).impl._call("dress", "Hidden", True)

    def apply():
        applied.append([sheet.range((row, 1)).impl._call("dress", "Hidden") for row in (4, 7)])

    monkeypatch.setattr(Table, "filters", types.SimpleNamespace(FilterMode=True, ApplyFilter=apply))
    cf_excel.fill(book)
    assert applied[0] == [False, False]  # Excel hides them again


def test_the_button_fills_the_sheet_that_is_shown(tmp_path, opened, monkeypatch):
    path = grid_book(tmp_path / "own.xlsx")
    workbook = openpyxl.load_workbook(path)
    other = workbook.copy_worksheet(workbook["Stars"])
    other.title, other["B4"], other["B5"] = "Stars 2026", 3, 3
    workbook.save(path)
    book = opened(path)
    monkeypatch.setattr(xlwings.Book, "caller", staticmethod(lambda: book))
    book.sheets["Stars 2026"].api.Activate()
    run_in_excel(fill_shown_sheet)
    filed = cf_excel.fill(path, sheet="Stars 2026", out=tmp_path / "filed.xlsx")
    check_same_sheets(saved(book, tmp_path), filed.path)
    assert book.app.impl.alerts[-1].splitlines() == [
        *(*filed.lines[:-1], "wrote into own.xlsx, which is open in Excel: save it there"),
        *filed.notes,
    ]
    assert book.sheets.active.name == "Stars 2026"
    for title, says in (
        ("predictions", "own.xlsx sheet predictions is what fill wrote, no ratings: choose the sheet with yours"),
        ("Notes & more", "own.xlsx sheet Notes & more has no columns .*"),
    ):
        book.sheets[title].api.Activate()
        with pytest.raises(SystemExit, match=f"^cf_excel: {says}$"):
            run_in_excel(fill_shown_sheet)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"backup": True}, "--backup copies the file as it is saved: save own.xlsx in Excel under another name"),
        ({"out": "copy.xlsx"}, "own.xlsx is open in Excel: --out and --dry-run read a file, pass its path"),
        ({"dry_run": True}, "own.xlsx is open in Excel: --out and --dry-run read a file, pass its path"),
        ({"sheet": "nowhere"}, "own.xlsx has no sheet 'nowhere'"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(tmp_path, opened, options, says):
    book = opened(grid_book(tmp_path / "own.xlsx"))
    with pytest.raises(InputError) as caught:
        cf_excel.fill(book, **options)
    assert str(caught.value).startswith(says)
    assert "\n" not in str(caught.value)
    assert [sheet.name for sheet in book.sheets] == ["Stars", "Notes & more"]


def test_what_excel_refuses_is_named(tmp_path, opened, monkeypatch):
    book = opened(grid_book(tmp_path / "own.xlsx"))
    cf_excel.fill(book)
    book.impl.call("protect", "similar")
    with pytest.raises(InputError, match=r"Excel refused to change similar!A2 .*: unprotect the sheet"):
        cf_excel.fill(book)
    assert (book.sheets.active.name, book.app.impl.screen_updating) == ("Stars", True)
    monkeypatch.delattr(type(book.impl), "SaveCopyAs")
    with pytest.raises(InputError, match=r"Excel saves no copy of own\.xlsx to be looked at: save and close it"):
        cf_excel.fill(book)


def test_the_command_fills_what_is_open(tmp_path, opened, monkeypatch, capsys):
    path = grid_book(tmp_path / "own.xlsx")
    book, before = opened(path), path.read_bytes()
    path.with_name(f"~${path.name}").write_bytes(b"me")
    monkeypatch.setattr(open_books, "find_open_book", lambda wanted: book if wanted == path else None)
    assert main(["fill", str(path), "--top", "2"]) == 0
    assert f"wrote into {path}, which is open in Excel: save it there" in capsys.readouterr().out
    assert [sheet.name for sheet in book.sheets][2:] == OWN
    assert path.read_bytes() == before
    assert main(["fill", str(path), "--out", str(tmp_path / "copy.xlsx")]) == 0
    check_same_sheets(saved(book, tmp_path), cf_excel.fill(path, top=2, out=tmp_path / "filed.xlsx").path)
    assert main(["fill", str(path), "--backup"]) == 2
    assert "--backup copies the file as it is saved" in capsys.readouterr().err
