"""Somebody's own workbook gets predictions, recommendations and the like, and nothing else in it changes."""

import re
import shutil

import numpy as np
import openpyxl
import pytest
from openpyxl.styles import PatternFill
from support.own_books import CUSTOMERS, PRODUCTS, grid_book, list_book, scores
from support.package_parts import packed

import cf_excel
from cf_excel.errors import FileError, InputError
from cf_excel.learn.table_fit import fit_table
from cf_excel.model.predictor import Predictor
from cf_excel.ratings.readers import load_ratings
from cf_excel.sheets.own import drafts

OWN = ["predictions", "recommendations", "similar", "fit"]
BOOKS = {"grid": grid_book, "list": list_book}


def sheet_rows(path, title):
    """Return the values of a sheet below its note."""
    book = openpyxl.load_workbook(path, data_only=True)
    return [list(row) for row in book[title].iter_rows(min_row=2, values_only=True)]


def resaved(path):
    openpyxl.load_workbook(path).save(path)


def predictor_of(path):
    return Predictor(fit_table(load_ratings(path)).factors)


@pytest.mark.parametrize("kind", BOOKS)
def test_every_other_part_stays_to_the_byte(tmp_path, kind):
    path = BOOKS[kind](tmp_path / "own.xlsx")
    before = packed(path)
    cf_excel.fill(path)
    after = packed(path)
    needed = {"xl/workbook.xml", "xl/styles.xml", "xl/_rels/workbook.xml.rels", "[Content_Types].xml"}
    assert {name for name in before if before[name] != after[name]} <= needed
    n_sheets = sum("worksheets/sheet" in name for name in before)
    assert sum("worksheets/sheet" in name for name in after) == n_sheets + 4


@pytest.mark.parametrize("kind", BOOKS)
def test_twice_is_once(tmp_path, kind):
    path = BOOKS[kind](tmp_path / "own.xlsx")
    cf_excel.fill(path)
    once = path.read_bytes()
    report = cf_excel.fill(path)
    assert path.read_bytes() == once
    assert [line for line in report.lines if line.startswith("sheet")] == [f"sheet {name}: as it was" for name in OWN]


def test_predictions_are_the_grid_with_its_blanks_filled(tmp_path):
    path = grid_book(tmp_path / "own.xlsx")
    predictor, ratings = predictor_of(path), scores()
    cf_excel.fill(path)
    header, *rows = sheet_rows(path, "predictions")
    assert header == ["Customer", *PRODUCTS, "Product new"]
    assert [row[0] for row in rows] == [*CUSTOMERS, "Customer new"]
    shown = np.array([row[1:] for row in rows], float)
    known = np.array(CUSTOMERS)[:, None], np.array(PRODUCTS)
    expected = np.where(np.isnan(ratings), predictor.predict(*known), ratings)
    assert np.allclose(shown[:-1, :-1], expected, rtol=1e-6)
    new = predictor.predict(np.array([*CUSTOMERS, "Customer new"]), "Product new", unknown="bias")
    assert np.allclose(shown[:, -1], new, rtol=1e-6)
    sheet = openpyxl.load_workbook(path)["predictions"]
    for row in range(len(CUSTOMERS)):
        for column in range(len(PRODUCTS)):
            is_given = not np.isnan(ratings[row, column])
            cell = sheet.cell(row + 3, column + 2)
            assert (cell.font.b, cell.number_format) == (is_given, "General" if is_given else "0.00")
    assert [str(area.sqref) for area in sheet.conditional_formatting] == ["B3:N27"]


def test_a_grid_with_items_down_stays_so(tmp_path):
    book = openpyxl.Workbook()
    ratings = scores().T
    book.active.append(["Product", *CUSTOMERS])
    for name, row in zip(PRODUCTS, ratings.tolist(), strict=True):
        book.active.append([name, *(None if value != value else value for value in row)])
    book.save(tmp_path / "own.xlsx")
    cf_excel.fill(tmp_path / "own.xlsx")
    header, *rows = sheet_rows(tmp_path / "own.xlsx", "predictions")
    assert header == ["Product", *CUSTOMERS]
    shown = np.array([row[1:] for row in rows], float)
    assert np.array_equal(shown[~np.isnan(ratings)], ratings[~np.isnan(ratings)])
    assert not np.isnan(shown).any()


@pytest.mark.parametrize("kind", BOOKS)
def test_lists_are_those_of_the_predictor_and_tables(tmp_path, kind):
    path = BOOKS[kind](tmp_path / "own.xlsx")
    predictor = predictor_of(path)
    cf_excel.fill(path, top=3)
    user, item = ("Customer", "Item") if kind == "grid" else ("Client", "Article")
    header, *rows = sheet_rows(path, "recommendations")
    assert header == [user, "Rank", item, "Prediction", "Ratings"]
    n_ratings = dict(zip(predictor.factors.movie_ids, predictor.n_ratings, strict=True))
    assert [row[4] for row in rows] == [n_ratings[row[2]] for row in rows]
    users = list(dict.fromkeys(row[0] for row in rows))
    assert users == [f"{u:03}" for u in range(24)] if kind == "list" else users == CUSTOMERS
    for name in users:
        best = predictor.recommend(name, 3)
        found = [row[1:] for row in rows if row[0] == name]
        assert [row[:2] for row in found] == [[i, one.movie_id] for i, one in enumerate(best, start=1)]
        assert np.allclose([row[2] for row in found], [one.score for one in best], rtol=1e-6)
    header, *rows = sheet_rows(path, "similar")
    assert header == [item, "Rank", f"Similar {item}", "Similarity"]
    alike = [one for one in predictor.similar("Product C", 3) if one.score > 0]
    found = [row[2:] for row in rows if row[0] == "Product C"]
    assert found == [[one.movie_id, pytest.approx(one.score)] for one in alike]
    book = openpyxl.load_workbook(path)
    for title, last in (("recommendations", "E"), ("similar", "D")):
        (table,) = book[title].tables.values()
        assert (table.displayName, table.ref) == (title, f"A2:{last}{book[title].max_row}")
    tables = [table.id for sheet in book for table in sheet.tables.values()]
    assert len(set(tables)) == len(tables)


def with_unrated_rows(path):
    """A list in which three rows have no rating: one is rated in another row, one names who and what is new."""
    list_book(path)
    book = openpyxl.load_workbook(path)
    sheet = book["Orders"]
    sheet["C9"].value = None
    rated = [sheet.cell(10, column).value for column in (1, 2)]
    for row in ((*rated, None), ("new", "Product Z", None)):
        sheet.append(row)
    sheet.tables["Orders"].ref = f"A3:C{sheet.max_row}"
    book.save(path)
    return path, [sheet.cell(9, column).value for column in (1, 2)]


def test_rows_of_a_list_without_a_rating_are_predicted(tmp_path):
    path, pair = with_unrated_rows(tmp_path / "own.xlsx")
    report = cf_excel.fill(path)
    assert "sheet unrated: added, 2 rows" in str(report)
    predictor = predictor_of(path)
    header, *rows = sheet_rows(path, "unrated")
    assert header == ["Client", "Article", "Prediction"]
    assert [row[:2] for row in rows] == [pair, ["new", "Product Z"]]
    assert rows[0][2] == pytest.approx(float(predictor.predict(*pair)), rel=1e-6)
    assert rows[1][2] == pytest.approx(float(predictor.predict("new", "Product Z", unknown="bias")), rel=1e-6)
    note = openpyxl.load_workbook(path)["unrated"]["A1"].value
    assert "1 Client and 1 Article without a rating: predicted as the average one." in note
    before = path.read_bytes()
    cf_excel.fill(path)
    assert path.read_bytes() == before


def test_once_every_row_is_rated_the_sheet_says_nothing(tmp_path):
    """A sheet of its own for nothing is not made; one that said something must not go on saying it."""
    path, _ = with_unrated_rows(tmp_path / "own.xlsx")
    cf_excel.fill(path)
    book = openpyxl.load_workbook(path)
    for row in book["Orders"].iter_rows(min_row=4, max_col=3):
        if row[1].value and row[2].value is None:
            row[2].value = 4
    book.save(path)
    cf_excel.fill(path)
    assert sheet_rows(path, "unrated")[1:] == [[None, None, None]]
    cf_excel.fill(list_book(tmp_path / "full.xlsx"))
    assert "unrated" not in openpyxl.load_workbook(tmp_path / "full.xlsx").sheetnames


def test_the_note_says_what_lists_rank_by(tmp_path):
    ratings = scores(0)
    cf_excel.fill(grid_book(tmp_path / "random.xlsx"))
    ratings[np.random.default_rng(0).random(ratings.shape) > np.linspace(0.1, 1, ratings.shape[1])] = np.nan
    path = grid_book(tmp_path / "chosen.xlsx", ratings)
    cf_excel.fill(path)
    words = "Ranked by how likely the Customer is to pick it, too, not by the prediction alone"
    for name in ("random.xlsx", "chosen.xlsx"):
        note = openpyxl.load_workbook(tmp_path / name)["recommendations"]["A1"].value
        lists = predictor_of(tmp_path / name).factors.lists
        assert (words in note) == (lists is not None) == (name == "chosen.xlsx")


@pytest.mark.parametrize("prepare", [lambda path: None, resaved], ids=["as written", "by openpyxl"])
def test_a_table_that_had_fewer_columns_gets_the_new_one(tmp_path, monkeypatch, validator_errors, prepare):
    path = grid_book(tmp_path / "own.xlsx")
    with monkeypatch.context() as patch:
        usual = drafts._table
        patch.setattr(drafts, "_table", lambda *a: usual(*a[:2], a[2][:4], [row[:4] for row in a[3]]))
        cf_excel.fill(path)
    prepare(path)
    assert cf_excel.fill(path).sheets == tuple(OWN)
    (table,) = openpyxl.load_workbook(path)["recommendations"].tables.values()
    assert [column.name for column in table.tableColumns] == ["Customer", "Rank", "Item", "Prediction", "Ratings"]
    assert len({column.id for column in table.tableColumns}) == 5
    assert table.ref.startswith("A2:E")
    assert [error for error in validator_errors(path) if "/x:font[" not in error] == []  # openpyxl's own, in grid_book


def test_fit_says_how_good_it_is(tmp_path):
    path = list_book(tmp_path / "own.xlsx")
    fit = fit_table(load_ratings(path))
    report = cf_excel.fill(path)
    assert (report.rmse, report.mean_rmse) == (fit.rmse, fit.mean_rmse)
    rows = sheet_rows(path, "fit")
    assert rows[0][0].startswith(f"Off by {fit.rmse:.2f} on ratings held out")
    values = {row[0]: row[1] for row in rows}
    assert values["the model"], values["the mean"] == (fit.rmse, fit.mean_rmse)
    assert values["averages of Client and Article"] == fit.bias_rmse
    assert (values["ratings"], values["Client"], values["Article"]) == (len(load_ratings(path)), 24, 12)


def test_every_cell_that_is_written_has_its_value(tmp_path):
    path = grid_book(tmp_path / "own.xlsx")
    cf_excel.fill(path)
    book = openpyxl.load_workbook(path)  # formulas would show as such
    for title in OWN:
        assert not [cell for row in book[title].iter_rows() for cell in row if cell.data_type == "f"]


def test_next_month_the_sheets_follow_and_keep_their_looks(tmp_path):
    path = grid_book(tmp_path / "own.xlsx")
    cf_excel.fill(path)
    book = openpyxl.load_workbook(path)
    book["Stars"]["C5"], book["Stars"]["B4"] = 5, 5
    book["Stars"].insert_rows(10)
    book["Stars"]["A10"] = "Customer late"
    for column in (2, 4, 6):
        book["Stars"].cell(10, column).value = 4.5
    sheet, recommended = book["predictions"], book["recommendations"]
    sheet.column_dimensions["A"].width = 33
    sheet.row_dimensions[2].height = 77
    for row in sheet.iter_rows(min_row=3, min_col=2):
        for cell in row:
            cell.number_format = "0.0"
    for row in recommended.iter_rows(min_row=3, min_col=3, max_col=3):
        row[0].fill = PatternFill("solid", start_color="FFEE00")
    recommended.freeze_panes = "C3"
    book.save(path)
    report = cf_excel.fill(path)
    assert re.search(r"predictions: .* ratings new or changed, .* cells more, predictions moved by", str(report))
    assert re.search(r"sheet fit: the model is off by \d\.\d\d, before by \d\.\d\d", str(report))
    assert re.search(r"recommendations: another list for \d+ of 25", str(report))
    book = openpyxl.load_workbook(path)
    sheet, recommended = book["predictions"], book["recommendations"]
    assert book.sheetnames == ["Stars", "Notes & more", *OWN]
    assert (sheet.column_dimensions["A"].width, sheet.row_dimensions[2].height) == (33, 77)
    assert sheet["A9"].value == "Customer late"
    assert {cell.number_format for row in sheet.iter_rows(min_row=3, min_col=2) for cell in row} == {"0.0"}
    assert [sheet["B9"].font.b, sheet["C9"].font.b, sheet["B3"].font.b] == [True, False, True]
    assert [str(area.sqref) for area in sheet.conditional_formatting] == ["B3:N28"]
    assert recommended.freeze_panes == "C3"
    colours = {cell.fill.start_color.rgb for cell in recommended["C"][2:]}
    assert colours == {"00FFEE00"}


def test_a_table_that_is_filtered_and_sorted_stays_filtered(tmp_path):
    path = grid_book(tmp_path / "own.xlsx")
    cf_excel.fill(path)
    book = openpyxl.load_workbook(path)
    sheet = book["recommendations"]
    rows = sorted(sheet.iter_rows(min_row=3, values_only=True), key=lambda row: -row[3])
    for i, row in enumerate(rows, start=3):
        for j, value in enumerate(row, start=1):
            sheet.cell(i, j).value = value
    (table,) = sheet.tables.values()
    filters = openpyxl.worksheet.filters.Filters(filter=["1"])
    table.autoFilter.filterColumn.append(openpyxl.worksheet.filters.FilterColumn(colId=1, filters=filters))
    book.save(path)
    assert "sheet recommendations: " in str(cf_excel.fill(path))
    sheet = openpyxl.load_workbook(path)["recommendations"]
    (table,) = sheet.tables.values()
    assert [column.filters.filter for column in table.autoFilter.filterColumn] == [["1"]]
    for row in range(3, sheet.max_row + 1):
        assert sheet.row_dimensions[row].hidden == (sheet.cell(row, 2).value != 1)


def test_what_somebody_changed_or_named_so_stays(tmp_path):
    path = grid_book(tmp_path / "own.xlsx")
    book = openpyxl.load_workbook(path)
    book.create_sheet("Similar")["A1"] = "mine"
    book.save(path)
    cf_excel.fill(path)
    book = openpyxl.load_workbook(path)
    assert book.sheetnames[3:] == ["predictions", "recommendations", "similar 2", "fit"]
    book["recommendations"]["G3"] = "called on Monday"
    book.save(path)
    report = cf_excel.fill(path)
    assert report.sheets == ("predictions", "recommendations 2", "similar 2", "fit")
    assert [note for note in report.notes if "sheet recommendations was changed by hand: it stays" in note]
    book = openpyxl.load_workbook(path)
    assert (book["recommendations"]["G3"].value, book["Similar"]["A1"].value) == ("called on Monday", "mine")
    assert cf_excel.fill(path).sheets == report.sheets


def test_training_on_a_filled_workbook_reads_what_was_rated(tmp_path):
    path = grid_book(tmp_path / "own.xlsx")
    before = load_ratings(path)
    cf_excel.fill(path)
    after = load_ratings(path)
    assert np.array_equal(after.rating, before.rating)
    assert (after.user_ids.tolist(), after.movie_ids.tolist()) == (before.user_ids.tolist(), before.movie_ids.tolist())


def test_what_was_filled_in_is_not_learnt_from(tmp_path):
    path = grid_book(tmp_path / "own.xlsx")
    cf_excel.fill(path)
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"^own\.xlsx sheet predictions is what fill wrote, no ratings: choose"):
        cf_excel.fill(path, sheet="predictions")
    assert path.read_bytes() == before


def test_a_large_list_has_no_grid(tmp_path, monkeypatch):
    path = list_book(tmp_path / "own.xlsx")
    monkeypatch.setattr("cf_excel.sheets.own.drafts.LARGEST_GRID", 20)
    report = cf_excel.fill(path)
    assert report.sheets == ("recommendations", "similar", "fit")
    assert [note for note in report.notes if note.startswith("sheet predictions is left out")]


def test_titles_are_shown_and_those_of_several_items_told_apart(tmp_path):
    ratings = scores()
    book = openpyxl.Workbook()
    book.active.append(["Customer", "Product ID", "Title", "Stars"])
    for u, i in zip(*np.nonzero(~np.isnan(ratings)), strict=True):
        book.active.append([f"R{u}", f"00{i}", "Twice" if i < 2 else f"Book {i}", float(ratings[u, i])])
    book.save(tmp_path / "own.xlsx")
    cf_excel.fill(tmp_path / "own.xlsx")
    header = sheet_rows(tmp_path / "own.xlsx", "predictions")[0]
    assert {"Twice (000)", "Twice (001)", "Book 5"} <= set(header)
    assert {row[2] for row in sheet_rows(tmp_path / "own.xlsx", "recommendations")[1:]} <= set(header)


def test_a_full_list_leaves_nothing_to_recommend(tmp_path):
    path = list_book(tmp_path / "own.xlsx", scores(blank=0))
    cf_excel.fill(path)
    assert sheet_rows(path, "recommendations") == [["Client", "Rank", "Article", "Prediction", "Ratings"], [None] * 5]
    once = path.read_bytes()
    cf_excel.fill(path)
    assert path.read_bytes() == once


@pytest.mark.parametrize("ratings", [np.full((24, 12), 4.0), np.random.default_rng(0).choice([1, 5], (24, 12))])
def test_nothing_learnt_nothing_written(tmp_path, ratings):
    path = grid_book(tmp_path / "own.xlsx", ratings.astype(float))
    before = path.read_bytes()
    with pytest.raises(InputError, match="nothing can be learnt"):
        cf_excel.fill(path, backup=True)
    assert [file.name for file in tmp_path.iterdir()] == ["own.xlsx"]
    assert path.read_bytes() == before


def test_a_file_that_is_open_is_left_alone(tmp_path):
    path = grid_book(tmp_path / "own.xlsx")
    (tmp_path / "~$own.xlsx").write_bytes(b"")
    before = path.read_bytes()
    with pytest.raises(FileError, match="is open in Excel"):
        cf_excel.fill(path)
    assert path.read_bytes() == before


@pytest.mark.validator
@pytest.mark.parametrize("kind", BOOKS)
def test_the_validator_finds_nothing(tmp_path, validator_errors, kind):
    path = BOOKS[kind](tmp_path / "own.xlsx")
    before = validator_errors(path)
    cf_excel.fill(path)
    assert validator_errors(path) == before
    cf_excel.fill(path, top=2)
    assert validator_errors(path) == before


@pytest.mark.libreoffice
@pytest.mark.parametrize("kind", BOOKS)
def test_libreoffice_shows_the_same_numbers(tmp_path, office, kind):
    path = BOOKS[kind](tmp_path / "own.xlsx")
    cf_excel.fill(path)
    shown = office.recalculate(path)
    for title in OWN:
        expected = [list(row) for row in openpyxl.load_workbook(path, data_only=True)[title].values]
        values = [row[: len(expected[0])] for row in shown[title]["values"]]
        assert shown[title]["errors"] == ""
        for mine, theirs in zip(expected, values, strict=True):
            assert [value or "" for value in mine] == [
                pytest.approx(value) if isinstance(value, float) else value for value in theirs
            ]


def test_a_copy_is_written_beside_it(tmp_path):
    path = grid_book(tmp_path / "own.xlsx")
    before = path.read_bytes()
    report = cf_excel.fill(path, out=tmp_path / "copy.xlsx")
    assert (report.path, path.read_bytes()) == (tmp_path / "copy.xlsx", before)
    shutil.copy(path, tmp_path / "kept.xlsx")
    cf_excel.fill(path, backup=True)
    in_place, copy = packed(path), packed(tmp_path / "copy.xlsx")
    assert {name for name in in_place if in_place[name] != copy[name]} == {"xl/workbook.xml"}  # has the copy's digest
    assert list(in_place) == list(copy)
    assert (tmp_path / "own.bak.xlsx").read_bytes() == before


def test_notes_over_lists_are_as_wide_as_their_tables(tmp_path):
    """What runs past the last column is cut in print."""
    cf_excel.fill(list_book(tmp_path / "scores.xlsx"))
    book = openpyxl.load_workbook(tmp_path / "scores.xlsx")
    for title, last in (("recommendations", "E"), ("similar", "D")):
        sheet = book[title]
        assert [str(block) for block in sheet.merged_cells.ranges] == [f"A1:{last}1"]
        assert sheet["A1"].alignment.wrap_text
        assert sheet.row_dimensions[1].height >= 32
