"""Ratings in workbooks, made by several programs: the sheet, the table and the form are found; all else is one line."""

import datetime
import io

import openpyxl
import pandas as pd
import pytest
import xlsxwriter
from msoffcrypto.format.ooxml import OOXMLFile
from support.binary_books import write_binary_book
from support.own_books import write_sheets
from support.ratings_files import ROWS, table_of

from cf_excel.cli import main
from cf_excel.errors import CfExcelError, FileError, InputError
from cf_excel.ratings.readers import load_ratings

LIST = [["Customer", "Product", "Stars"], ["Ann", "Mug", 5], ["Ann", "Cup", 3.5], ["Bob", "Mug", 4]]
GRID = [["Customer", "Mug", "Cup"], ["Ann", 5, 3.5], ["Bob", 4, None]]
READ = [("Ann", "Mug", 5), ("Ann", "Cup", 3.5), ("Bob", "Mug", 4)]


def with_xlsxwriter(path, sheets):
    with xlsxwriter.Workbook(path) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for i, row in enumerate(rows):
                sheet.write_row(i, 0, row)


def with_pandas(path, sheets):
    with pd.ExcelWriter(path) as book:
        for name, rows in sheets.items():
            pd.DataFrame(rows[1:], columns=rows[0]).to_excel(book, sheet_name=name, index=False)


@pytest.mark.parametrize("write", [write_sheets, with_xlsxwriter, with_pandas])
@pytest.mark.parametrize("rows", [LIST, GRID], ids=["list", "grid"])
def test_the_sheet_that_holds_ratings_is_found(tmp_path, write, rows):
    write(tmp_path / "scores.xlsx", {"Notes": [["hello", "what this is"], ["a", "b"]], "Scores": rows})
    ratings = load_ratings(tmp_path / "scores.xlsx")
    assert table_of(ratings) == READ
    assert "the ratings are in sheet Scores" in ratings.notes
    assert ratings.nouns == ("customer", "product" if rows is LIST else "item")


def test_a_list_of_prices_is_no_second_sheet_of_ratings(tmp_path):
    prices = [["Product", "Price", "Stock"], ["Mug", 9.5, 3], ["Cup", 8, 12]]
    people = [["Customer", "Age", "Orders", "Revenue"], ["Ann", 33, 4, 30.5], ["Bob", 44, 3, 20]]
    write_sheets(tmp_path / "scores.xlsx", {"Scores": LIST, "Products": prices, "Customers": people})
    ratings = load_ratings(tmp_path / "scores.xlsx")
    assert table_of(ratings) == READ
    assert ratings.notes == ("the ratings are in sheet Scores",)


def test_titles_above_totals_below_and_what_stands_around(tmp_path):
    rows = [
        ["Scores of 2025"],
        ["as of", datetime.date(2026, 1, 31)],
        [],
        [None, "Customer", "Mug", "Cup", "Total", None, "Key", "meaning"],
        [None, "Ann", 5, 3.5, 8.5, None, 1, "bad"],
        [],
        [None, "Bob", 4, None, 4, None, 5, "good"],
        [None, "Total", 9, 3.5, 12.5],
        [],
        [None, "Source: the shop"],
    ]
    write_sheets(tmp_path / "scores.xlsx", {"Scores": rows})
    ratings = load_ratings(tmp_path / "scores.xlsx")
    assert table_of(ratings) == READ
    assert "totals left out: row Total, column Total" in ratings.notes
    assert any("2 customers down, 2 items across, 3 ratings" in line for line in ratings.notes)


def test_a_list_among_other_things(tmp_path):
    rows = [
        ["Orders"],
        ["No", "Client", "SKU", "Item name", "Qty", "Order date", None, "Client", "Town"],
        [1, "Ann", "0017", "Mug", 2, datetime.date(2026, 1, 30), None, "Ann", "Rome"],
        [2, "Bob", "0017", "Mug", "3", datetime.date(2026, 1, 31), None, "Bob", "Bonn"],
        [],
        [3, "Bob", "X-1", "Cup", "1,5", datetime.datetime(2026, 1, 31, 1)],
        [4, "Cy", "X-1", "Cup", None, datetime.datetime(2026, 2, 1)],
        ["Total", None, None, None, 6.5],
    ]
    write_sheets(tmp_path / "orders.xlsx", {"Orders": rows})
    ratings = load_ratings(tmp_path / "orders.xlsx")
    day = 1769731200
    assert table_of(ratings) == [
        ("Ann", "0017", 2, day),
        ("Bob", "0017", 3, day + 86_400),
        ("Bob", "X-1", 1.5, day + 90_000),
    ]
    assert ratings.titles.tolist() == ["Mug", "Cup"]
    assert ratings.nouns == ("client", "movie")
    assert ratings.notes == ("1 row without a rating left out: not rated", "1 row of totals left out")


def test_dates_that_are_numbers_and_times_that_are_seconds(tmp_path):
    for first, seconds in ((46052, 46052 - 25569), (1769731200, 1769731200 / 86400)):
        rows = [["user", "item", "rating", "date"], ["a", "x", 3, first], ["b", "x", 4, first + 1]]
        write_sheets(tmp_path / "dated.xlsx", {"S": rows})
        times = [row[3] for row in table_of(load_ratings(tmp_path / "dated.xlsx"))]
        assert times[0] == seconds * 86400
        assert times[1] - times[0] == (86400 if first == 46052 else 1)


def test_hidden_rows_count_and_hidden_sheets_only_when_named(tmp_path):
    book = openpyxl.Workbook()
    for name in ("Scores", "Old"):
        sheet = book.create_sheet(name)
        for row in LIST:
            sheet.append(row)
        sheet.row_dimensions[3].hidden = True
    book["Old"].sheet_state = "hidden"
    book["Old"]["C2"] = 1
    book.save(tmp_path / "scores.xlsx")
    assert table_of(load_ratings(tmp_path / "scores.xlsx")) == READ
    assert table_of(load_ratings(tmp_path / "scores.xlsx", sheet="old"))[0] == ("Ann", "Mug", 1)


def test_merged_headers_and_names(tmp_path):
    with xlsxwriter.Workbook(tmp_path / "merged.xlsx") as book:
        bold = book.add_format({"bold": True, "rotation": 90})
        sheet = book.add_worksheet("List")
        sheet.merge_range("A1:C1", "Scores of 2025", bold)
        sheet.merge_range("A2:A3", "Customer", bold)
        sheet.merge_range("B2:C2", "Answers", bold)
        sheet.write_row("B3", ["Product", "Stars"])
        sheet.merge_range("A4:A5", "Ann")
        sheet.write_row("B4", ["Mug", 5])
        sheet.write_row("B5", ["Cup", 3.5])
        sheet.write_row("A6", ["Bob", "Mug", 4])
        sheet = book.add_worksheet("Grid")
        sheet.merge_range("B1:C1", "Products", bold)
        sheet.write_row("A2", GRID[0], bold)
        sheet.write_row("A3", GRID[1])
        sheet.write_row("A4", GRID[2])
    for name in ("List", "Grid"):
        assert table_of(load_ratings(tmp_path / "merged.xlsx", sheet=name)) == READ


def test_formulas_count_by_their_values_and_errors_as_not_rated(tmp_path):
    path = tmp_path / "formulas.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for i, row in enumerate(LIST):
            sheet.write_row(i, 0, row)
        sheet.write_formula("C2", "=2+3", None, 5)
        sheet.write_formula("C4", "=NA()", None, "#N/A")
    ratings = load_ratings(path)
    assert table_of(ratings) == READ[:2]
    assert ratings.notes == (
        "1 rating is an error value, read as not rated: row 4",
        "1 row without a rating left out: not rated",
    )


def test_a_table_of_excel_without_its_totals(tmp_path):
    path = tmp_path / "tables.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Both")
        for first, name, rows in ((2, "Scores", LIST), (12, "Other", [LIST[0], ["Cy", "Pot", 1]])):
            columns = [{"header": header} for header in rows[0]]
            columns[2]["total_function"] = "sum"
            last = first + len(rows)
            sheet.add_table(first, 1, last, 3, {"name": name, "columns": columns, "data": rows[1:], "total_row": True})
    assert table_of(load_ratings(path, table="scores")) == READ
    assert table_of(load_ratings(path, table="Other")) == [("Cy", "Pot", 1)]
    with pytest.raises(InputError, match=r"has no table 'Scoresheet' \(found: 'Scores', 'Other'\)"):
        load_ratings(path, table="Scoresheet")


def test_a_range_of_cells(tmp_path):
    path = tmp_path / "scores.xlsx"
    write_sheets(path, {"S": [["x", *row, "y"] for row in [*LIST, ["Cy", "Pot", "?"]]]})
    for cells in ("B1:D4", "$b$1:$D$4", "D4:B1"):
        assert table_of(load_ratings(path, cells=cells)) == READ
    assert table_of(load_ratings(path, cells="B:D", not_rated=["?"])) == READ
    with pytest.raises(InputError, match="--range '4': expected two corners"):
        load_ratings(path, cells="4")
    with pytest.raises(InputError, match="sheet S has nothing there"):
        load_ratings(path, cells="M20:Z30")


REFUSED = {
    "thousands or decimals": (
        {"A": [LIST[0], ["Ann", "Mug", "1,000"], ["Ann", "Cup", "1,5"]]},
        {},
        "scores.xlsx sheet A row 2: rating '1,000': expected a number",
    ),
    "two sheets": (
        {"A": LIST, "B": GRID},
        {},
        "has 2 sheets that may hold the ratings ('A', 'B'): pass --sheet NAME",
    ),
    "no sheet": ({"A": [["a"]], "B": [["b"]]}, {}, "has no sheet with ratings (looked at: 'A', 'B'): expected columns"),
    "another sheet": ({"A": LIST}, {"sheet": "B"}, "has no sheet 'B' (found: 'A')"),
    "an empty sheet": ({"A": []}, {}, "scores.xlsx sheet A is empty: expected a header"),
    "a column": (
        {"A": [["Customer", "What", "Stars"], ["Ann", "Mug", 5]]},
        {},
        "scores.xlsx sheet A has no column 'product' (found: Customer, What, Stars): pass --item-column What",
    ),
    "no table": ({"A": LIST}, {"table": "T"}, "has no table 'T' (found: none)"),
    "no grid": ({"A": [["a"]]}, {"form": "grid"}, "scores.xlsx sheet A has no grid: expected names of items in a row"),
    "a nameless row": (
        {"A": [*GRID, [None, 2, 3], ["Cy", 5, 1]]},
        {},
        "scores.xlsx sheet A row 4: ratings, but no name in front of them",
    ),
    "a text in a grid": (
        {"A": [*GRID, ["Cy", 5, "good"]]},
        {},
        "scores.xlsx sheet A row 4, column 'Cup': rating 'good': expected a number",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_one_line(tmp_path, case):
    sheets, options, message = REFUSED[case]
    write_sheets(tmp_path / "scores.xlsx", sheets)
    with pytest.raises(InputError) as error:
        load_ratings(tmp_path / "scores.xlsx", **options)
    assert message in str(error.value)


def test_a_value_far_off_is_named_and_does_not_fill_the_memory(tmp_path):
    book = openpyxl.Workbook()
    for row in LIST:
        book.active.append(row)
    last = book.active.cell(2**20, 2**14, "x")
    book.save(tmp_path / "far.xlsx")
    with pytest.raises(FileError, match=f"a sheet has its last value in {last.coordinate}: delete"):
        load_ratings(tmp_path / "far.xlsx")


@pytest.mark.parametrize("place", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_damaged_workbook_is_refused_or_read(tmp_path, place):
    path = tmp_path / "damaged.xlsx"
    write_sheets(path, {"S": LIST})
    content = bytearray(path.read_bytes())
    at = int(place * len(content))
    content[at : at + 40] = bytes(40)
    path.write_bytes(content)
    message = "damaged.xlsx "
    try:
        assert table_of(load_ratings(path)) == READ
    except CfExcelError as error:
        message = str(error)
    assert message.startswith("damaged.xlsx ")


def test_a_workbook_that_may_not_be_read(tmp_path, monkeypatch):
    write_sheets(tmp_path / "mine.xlsx", {"S": LIST})

    def deny(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_bytes", deny)
    with pytest.raises(FileError, match=r"mine.xlsx can't be read as a workbook: permission denied"):
        load_ratings(tmp_path / "mine.xlsx")


def test_a_workbook_with_a_password(tmp_path):
    write_sheets(tmp_path / "open.xlsx", {"S": LIST})
    with (tmp_path / "open.xlsx").open("rb") as source, (tmp_path / "secret.xlsx").open("w+b") as target:
        OOXMLFile(source).encrypt("secret", target)
    with pytest.raises(FileError, match=r"secret.xlsx has a password: save it without one"):
        load_ratings(tmp_path / "secret.xlsx")


@pytest.mark.parametrize(
    ("ending", "form"), [("ods", "calc8"), ("xls", "MS Excel 97"), ("xlsx", "Calc MS Excel 2007 XML")]
)
@pytest.mark.libreoffice
def test_workbooks_that_libreoffice_saved(tmp_path, office, ending, form):
    rows = [["Scores"], [], *GRID, ["Average", 4.5, 3.5]]
    write_sheets(tmp_path / "scores.xlsx", {"Scores": rows, "More": [["user", "item"], ["a", "b"]]})
    path = tmp_path / f"saved.{ending}"
    office.call("convert", str(tmp_path / "scores.xlsx"), str(path), form)
    ratings = load_ratings(path)
    assert table_of(ratings) == READ
    assert "totals left out: row Average" in ratings.notes


BINARY = {
    "Notes": [["hello"]],
    "List": [
        ["Orders"],
        ["Client", "SKU", "Stars", "Order date"],
        ["Ann", "007", 5, datetime.datetime(2026, 1, 30)],
        ["Ann", "X-1", "=3.5", datetime.datetime(2026, 1, 31)],
        ["Bob", "007", 4.25, datetime.datetime(2026, 1, 31, 12)],
        ["Bob", "X-1", "#N/A", datetime.datetime(2026, 1, 31)],
    ],
    "Grid": [*GRID, ["Average", 4.5, 3.5]],
}


def test_a_binary_workbook(tmp_path):
    path = tmp_path / "scores.xlsb"
    write_binary_book(path, BINARY)
    day = 1769731200
    listed = [("Ann", "007", 5, day), ("Ann", "X-1", 3.5, day + 86_400), ("Bob", "007", 4.25, day + 129_600)]
    assert table_of(load_ratings(path, sheet="List")) == listed
    assert table_of(load_ratings(path, sheet="Grid")) == READ
    with pytest.raises(InputError, match=r"2 sheets that may hold the ratings \('List', 'Grid'\): pass --sheet NAME"):
        load_ratings(path)
    with pytest.raises(InputError, match=r"only .xlsx and .xlsm have tables"):
        load_ratings(path, table="Scores")


@pytest.mark.libreoffice
def test_the_binary_workbook_of_the_test_is_one(tmp_path, office):
    write_binary_book(tmp_path / "scores.xlsb", BINARY)
    office.call("convert", str(tmp_path / "scores.xlsb"), str(tmp_path / "scores.xlsx"))
    book = openpyxl.load_workbook(tmp_path / "scores.xlsx", data_only=True)
    assert [[value for value in row if value is not None] for row in book["Grid"].values] == [
        [value for value in row if value is not None] for row in BINARY["Grid"]
    ]
    values = [[*row] for row in book["List"].values]
    assert values[2] == BINARY["List"][2]
    assert [row[2] for row in values[2:]] == [5, 3.5, 4.25, "#N/A"]


def test_every_command_that_takes_ratings_reads_workbooks(tmp_path, capsys):
    rows = [
        ["Customer", "Product", "Stars"],
        *([f"c{u}", f"p{m}", (u * m) % 5 + 1] for u in range(9) for m in range(9)),
    ]
    path = tmp_path / "scores.xlsx"
    write_sheets(path, {"Scores": rows, "Notes": [["hello"]]})
    model = str(tmp_path / "model")
    assert main(["train", "--ratings", str(path), "--sheet", "scores", "--split", "random", "--out", model]) == 0
    assert main(["build", "--ratings", str(path), "--only", "collab", "--out", str(tmp_path), "--top-users", "5"]) == 0
    assert "note: the ratings are in sheet Scores\n" in capsys.readouterr().err
    book = openpyxl.load_workbook(io.BytesIO((tmp_path / "collab_filter.xlsx").read_bytes()))
    assert len(book.sheetnames) > 1


def test_rows_of_a_usual_text_are_those_of_the_same_sheet(tmp_path):
    write_sheets(tmp_path / "ratings.xlsx", {"S": [["userId", "movieId", "rating", "timestamp"], *map(list, ROWS)]})
    ratings = load_ratings(tmp_path / "ratings.xlsx")
    assert table_of(ratings) == ROWS
    assert (ratings.user_ids.dtype.kind, ratings.movie_ids.dtype.kind) == ("i", "i")
    assert ratings.notes == ()
