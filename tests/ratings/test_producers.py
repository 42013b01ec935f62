"""Workbooks as openpyxl, XlsxWriter, pandas and LibreOffice make them: read right, and filled in right."""

import datetime

import numpy as np
import openpyxl
import pandas as pd
import pytest
import xlsxwriter
from openpyxl.worksheet.table import Table
from support.own_books import CUSTOMERS, PRODUCTS, scores

import cf_excel
from cf_excel.errors import InputError
from cf_excel.ratings.readers import load_ratings

RATINGS = scores()
HIDDEN = (7, 8, 9)  # rows from 1 on


def as_list():
    """Return a list whose ids have zeros in front, with dates, and a part of the numbers as texts."""
    rows = [["Client", "Article", "Stars", "Order date"]]
    for n, (u, i) in enumerate(np.argwhere(~np.isnan(RATINGS)).tolist()):
        value = float(RATINGS[u, i])
        rows.append(
            [f"{u:03}", PRODUCTS[i], str(value) if n % 5 == 0 else value, datetime.datetime(2026, 1, 1 + n % 28)]
        )
    return rows


def as_grid():
    values = [[None if value != value else value for value in row] for row in RATINGS.tolist()]
    return [["Customer", *PRODUCTS], *([name, *row] for name, row in zip(CUSTOMERS, values, strict=True))]


def framed(rows):
    """Return a grid with titles above, a mean and a count below, a sum at the right, and a remark."""
    header, *body = rows
    sums = [[*row, sum(value or 0 for value in row[1:])] for row in body]
    columns = [[row[i] for row in body if row[i] is not None] for i in range(1, len(header))]
    return [
        ["What our customers think"],
        ["as of", datetime.datetime(2026, 1, 31)],
        [],
        [*header, "Total"],
        *sums,
        ["Average", *(sum(column) / len(column) for column in columns)],
        ["Count", *map(len, columns)],
        [],
        ["Source: the shop"],
    ]


def with_openpyxl(path, rows, table=False):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for number in HIDDEN:
        book.active.row_dimensions[number].hidden = True
    if table:
        book.active.add_table(Table(displayName="Scores", ref=book.active.dimensions))
    book.create_sheet("Notes")["B2"] = "mine"
    book.save(path)


def add_table(sheet, rows):
    columns = [{"header": name} for name in rows[0]]
    sheet.add_table(0, 0, len(rows) - 1, len(columns) - 1, {"name": "Scores", "columns": columns})


def with_xlsxwriter(path, rows, table=False):
    with xlsxwriter.Workbook(path, {"default_date_format": "dd.mm.yyyy"}) as book:
        sheet = book.add_worksheet("Scores")
        for i, row in enumerate(rows):
            sheet.write_row(i, 0, row)
        for number in HIDDEN:
            sheet.set_row(number - 1, None, None, {"hidden": True})
        if table:
            add_table(sheet, rows)
        book.add_worksheet("Notes").write("B2", "mine")


def with_pandas(path, rows, table=False):
    first = max(range(len(rows)), key=lambda i: len(rows[i]))
    padded = [row + [None] * (len(rows[first]) - len(row)) for row in rows[first + 1 :]]
    frame = pd.DataFrame(padded, columns=rows[first])
    with pd.ExcelWriter(path, engine="xlsxwriter" if table else "openpyxl") as book:
        frame.to_excel(book, sheet_name="Scores", index=False, startrow=first)
        if table:
            columns = [{"header": name} for name in rows[0]]
            book.sheets["Scores"].add_table(
                0, 0, len(rows) - 1, len(columns) - 1, {"name": "Scores", "columns": columns}
            )


WRITERS = {"openpyxl": with_openpyxl, "xlsxwriter": with_xlsxwriter, "pandas": with_pandas}
FORMS = {"grid": as_grid(), "list": as_list(), "framed": framed(as_grid())}


def check_read(path, form, **options):
    """Check that what is read are the ratings."""
    ratings = load_ratings(path, **options)
    users = [f"{u:03}" for u in range(len(CUSTOMERS))] if form == "list" else CUSTOMERS
    rows, columns = np.nonzero(~np.isnan(RATINGS))
    expected = {(users[u], PRODUCTS[i]): RATINGS[u, i] for u, i in zip(rows.tolist(), columns.tolist(), strict=True)}
    pairs = zip(ratings.user_ids[ratings.user_idx], ratings.movie_ids[ratings.movie_idx], strict=True)
    assert dict(zip(pairs, ratings.rating.tolist(), strict=True)) == expected
    if form == "list":
        assert ratings.timestamp.min() == datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC).timestamp()
    return ratings


def check_fill(path, form, **options):
    """Check that predictions have the ratings where they were given and a number in every blank; twice is once."""
    before = openpyxl.load_workbook(path, data_only=True)
    cf_excel.fill(path, **options)
    book = openpyxl.load_workbook(path, data_only=True)
    for sheet in before:
        assert list(book[sheet.title].values) == list(sheet.values)
        assert [number for number, row in book[sheet.title].row_dimensions.items() if row.hidden] == [
            number for number, row in sheet.row_dimensions.items() if row.hidden
        ]
    shown = [list(row) for row in book["predictions"].iter_rows(min_row=2, values_only=True)]
    assert [row[0] for row in shown[1:]] == ([f"{u:03}" for u in range(24)] if form == "list" else CUSTOMERS)
    assert shown[0][1:] == PRODUCTS or form == "list"
    values = np.array([row[1:] for row in shown[1:]], float)[:, [shown[0].index(name) - 1 for name in PRODUCTS]]
    is_given = ~np.isnan(RATINGS)
    assert np.array_equal(values[is_given], RATINGS[is_given])
    assert np.isfinite(values).all()
    once = path.read_bytes()
    cf_excel.fill(path, **options)
    assert path.read_bytes() == once
    check_read(path, form, **options)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("writer", WRITERS)
def test_read_and_filled_in(tmp_path, writer, form):
    WRITERS[writer](tmp_path / "own.xlsx", FORMS[form])
    check_read(tmp_path / "own.xlsx", form)
    check_fill(tmp_path / "own.xlsx", form)


@pytest.mark.parametrize("writer", WRITERS)
def test_a_table_of_excel(tmp_path, writer):
    WRITERS[writer](tmp_path / "own.xlsx", FORMS["list"], table=True)
    check_read(tmp_path / "own.xlsx", "list", table="scores")
    check_fill(tmp_path / "own.xlsx", "list", table="scores")


@pytest.mark.libreoffice
@pytest.mark.parametrize("form", [*FORMS, "table"])
def test_saved_by_libreoffice(tmp_path, office, form):
    rows = FORMS["list" if form == "table" else form]
    with_openpyxl(tmp_path / "made.xlsx", rows, table=form == "table")
    path = tmp_path / "own.xlsx"
    office.call("convert", str(tmp_path / "made.xlsx"), str(path))
    options = {"table": "Scores"} if form == "table" else {}
    kind = "list" if form == "table" else form
    check_read(path, kind, **options)
    check_fill(path, kind, **options)


@pytest.mark.validator
@pytest.mark.parametrize("writer", WRITERS)
def test_the_validator_finds_nothing_new(tmp_path, validator_errors, writer):
    path = tmp_path / "own.xlsx"
    WRITERS[writer](path, FORMS["framed"])
    before = validator_errors(path)
    cf_excel.fill(path)
    assert validator_errors(path) == before


@pytest.mark.libreoffice
@pytest.mark.validator
def test_the_validator_finds_nothing_new_after_libreoffice(tmp_path, office, validator_errors):
    with_openpyxl(tmp_path / "made.xlsx", FORMS["grid"])
    path = tmp_path / "own.xlsx"
    office.call("convert", str(tmp_path / "made.xlsx"), str(path))
    before = validator_errors(path)
    cf_excel.fill(path)
    assert validator_errors(path) == before


def test_a_merged_header_of_a_pivoted_frame(tmp_path):
    frame = pd.DataFrame(RATINGS, index=pd.Index(CUSTOMERS, name="Customer"), columns=PRODUCTS)
    frame.columns = pd.MultiIndex.from_product([["Stars"], PRODUCTS])  # pandas merges the cells of "Stars"
    frame.to_excel(tmp_path / "own.xlsx")
    check_read(tmp_path / "own.xlsx", "grid")
    check_fill(tmp_path / "own.xlsx", "grid")


def formulas(kind):
    """Return a grid or a list whose ratings are formulas."""
    rows = FORMS[kind]
    at = range(2, 3) if kind == "list" else range(1, len(rows[0]))
    return [rows[0], *([f"={v}" if i in at and v else v for i, v in enumerate(row)] for row in rows[1:])]


@pytest.mark.libreoffice
@pytest.mark.parametrize("form", ["grid", "list"])
def test_formulas_that_libreoffice_calculated(tmp_path, office, form):
    with_openpyxl(tmp_path / "made.xlsx", formulas(form))
    path = tmp_path / "own.xlsx"
    office.call("convert", str(tmp_path / "made.xlsx"), str(path))
    check_read(path, form)
    check_fill(path, form)


@pytest.mark.parametrize("form", ["grid", "list"])
@pytest.mark.parametrize("write", [with_openpyxl, with_xlsxwriter])
def test_formulas_that_nobody_calculated(tmp_path, write, form):
    write(tmp_path / "own.xlsx", formulas(form))
    with pytest.raises(
        InputError, match=r"formulas were never calculated.*: open it in Excel or LibreOffice, and save"
    ):
        load_ratings(tmp_path / "own.xlsx")


def test_a_formula_that_nobody_calculated_among_ratings(tmp_path):
    path, rows = tmp_path / "own.xlsx", framed(as_grid())
    rows[5][2] = "=3+1"
    rows[5][-1] = "=SUM(B6:M6)"  # a total may well have no value
    rows[-4][1:] = [f"=AVERAGE({column}5:{column}28)" for column in "BCDEFGHIJKLM"]
    with_openpyxl(path, rows)
    with pytest.raises(InputError) as error:
        load_ratings(path)
    assert "own.xlsx sheet Sheet: 1 formula was never calculated (row 6, column 'Product B'): open it" in str(
        error.value
    )
    assert (
        "1 formula was never calculated, left out: row 6, column 'Product B'" in load_ratings(path, skip_bad=True).notes
    )


def test_error_values_are_not_rated_and_told(tmp_path):
    path, rows = tmp_path / "own.xlsx", framed(as_grid())
    given = [(4, 1), (5, 3), (5, 5)]
    for row, column in given:
        rows[row][column] = "#N/A"  # openpyxl makes error values of such texts
    rows[-4][2] = "#DIV/0!"  # a mean that has none is no matter
    with_openpyxl(path, rows)
    ratings = load_ratings(path)
    places = "row 5, column 'Product A'; row 6, column 'Product C'; row 6, column 'Product E'"
    assert f"3 ratings are error values, read as not rated: {places}" in ratings.notes
    n_rated = np.count_nonzero(~np.isnan(RATINGS)) - sum(RATINGS[row - 4, column - 1] > 0 for row, column in given)
    assert len(ratings) == n_rated
    cf_excel.fill(path)
    shown = openpyxl.load_workbook(path)
    assert shown["Sheet"]["B5"].value == "#N/A"
    for cell in ("B3", "D4", "F4"):
        assert isinstance(shown["predictions"][cell].value, float)


def test_error_values_in_a_list(tmp_path):
    rows = as_list()
    rows[3][2] = "#VALUE!"
    with_openpyxl(tmp_path / "own.xlsx", rows)
    notes = load_ratings(tmp_path / "own.xlsx").notes
    assert notes[1:3] == (
        "1 rating is an error value, read as not rated: row 4",
        "1 row without a rating left out: not rated",
    )
    rows[4][1] = "#REF!"  # of whom a rating is must be known
    with_openpyxl(tmp_path / "own.xlsx", rows)
    with pytest.raises(InputError, match=r"row 5: the article's id is blank"):
        load_ratings(tmp_path / "own.xlsx")


@pytest.mark.parametrize("place", [{}, {"table": "Scores"}, {"cells": "C5:E8"}, {"sheet": "scores & more"}])
def test_error_values_wherever_the_table_begins(tmp_path, place):
    with xlsxwriter.Workbook(tmp_path / "own.xlsx") as book:
        book.add_worksheet("Notes").write("B2", "mine")
        sheet = book.add_worksheet("Scores & more")
        columns = [{"header": name} for name in ("Client", "Article", "Stars")]
        rows = [["Ann", "Mug", 5], ["Ann", "Cup", None], ["Bob", "Mug", 4]]
        sheet.add_table("C5:E8", {"name": "Scores", "columns": columns, "data": rows})
        sheet.write_formula("E7", "=NA()", None, "#N/A")
        sheet.write_formula("G1", "=1+1", None, 2)
    ratings = load_ratings(tmp_path / "own.xlsx", **place)
    assert "1 rating is an error value, read as not rated: row 7" in ratings.notes
    assert ratings.rating.tolist() == [5, 4]
