"""The lesson's workbook in every program that opens it here: LibreOffice, IronCalc, openpyxl, pandas, the validator."""

import re
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support.cell_texts import TEXTS
from support.hosts import IronCalc
from support.models import block_values

from cf_excel.errors import InputError
from cf_excel.model.parameters import Parameters
from cf_excel.ratings.nouns import Nouns
from cf_excel.ratings.table import Crosstab, crosstab
from cf_excel.sheets.lesson.collab import build_collab
from cf_excel.sheets.lesson.embeddings import random_parameters, sheet_rmse
from cf_excel.sheets.lesson.lesson_layout import CollabBook, GridSheet
from cf_excel.sheets.page_setup import shortened
from cf_excel.sheets.panel.panel_sheet import add_predict_sheet
from cf_excel.udf.functions import Functions
from cf_excel.xlsx.texts import clean_text

USERS = [15, 30, 73, 212, 213, 294, 311, 380, 452, 468, 509, 547, 564, 580, 624]
MOVIES = [1, 110, 260, 296, 318, 356, 480, 527, 589, 593, 608, 1196, 1198, 1270, 2571]
SHAPES = [(1, 1, 1), (2, 3, 1), (15, 15, 5), (40, 25, 10)]
EXACT = 1e-12


@pytest.fixture(scope="module")
def lesson_book(lesson_workbook) -> openpyxl.Workbook:
    """What openpyxl finds in the lesson's workbook, for reading."""
    return openpyxl.load_workbook(lesson_workbook)


def formula_cells(path: Path) -> Iterator[tuple[str, int, int, object]]:
    """Give (sheet, row, column, cached result) of every formula cell."""
    cached = openpyxl.load_workbook(path, data_only=True)
    for sheet in openpyxl.load_workbook(path).worksheets:
        for row in sheet.iter_rows():
            for cell in row:
                if cell.data_type == "f":
                    result = cached[sheet.title].cell(cell.row, cell.column).value
                    yield sheet.title, cell.row, cell.column, "" if result is None else result


def compare(path: Path, office) -> int:
    """Compare every cached result with both engines; return the number of formulas."""
    recalculated, ironcalc = office.recalculate(path), IronCalc(path)
    assert {name: sheet["errors"] for name, sheet in recalculated.items() if sheet["errors"]} == {}
    formulas = list(formula_cells(path))
    for sheet, row, column, cached in formulas:
        for engine, value in (
            ("LibreOffice", recalculated[sheet]["values"][row - 1][column - 1]),
            ("IronCalc", ironcalc.value(sheet, row, column)),
        ):
            where = engine, sheet, row, column, cached, value
            if isinstance(cached, str):
                assert value == cached, where
            else:
                assert value == pytest.approx(cached, rel=EXACT, abs=EXACT), where
    return len(formulas)


def expected(table: Crosstab, start: Parameters, *, with_bias: bool) -> tuple[np.ndarray, float]:
    """Compute predictions and RMSE with plain numpy."""
    predictions = start.user_factors @ start.movie_factors.T
    if with_bias:
        predictions = predictions + start.user_bias[:, None] + start.movie_bias
    rated = ~np.isnan(table.values)
    predictions = np.where(rated, predictions, 0)
    errors = (table.values - predictions)[rated]
    return predictions, float(np.sqrt(np.mean(errors**2))) if rated.any() else 0.0


def test_lesson_crosstab(lesson_ratings):
    table = crosstab(lesson_ratings)
    assert table.user_ids == USERS
    assert table.movie_ids == MOVIES
    assert (~np.isnan(table.values)).sum() == 206
    frame = pd.DataFrame(
        {
            "user": lesson_ratings.user_ids[lesson_ratings.user_idx],
            "movie": lesson_ratings.movie_ids[lesson_ratings.movie_idx],
            "rating": lesson_ratings.rating,
        }
    )
    inside = frame[frame.user.isin(USERS) & frame.movie.isin(MOVIES)]
    np.testing.assert_array_equal(table.values, inside.pivot(index="user", columns="movie", values="rating"))


@pytest.mark.libreoffice
@pytest.mark.parametrize("seed", [0, 42])
def test_sheets_agree_with_numpy(tmp_path, lesson_ratings, office, seed):
    path = tmp_path / "c.xlsx"
    printed = build_collab(lesson_ratings, path, seed=seed)
    table, book = crosstab(lesson_ratings), CollabBook(15, 15, 5, 206)
    start = random_parameters(15, 15, 5, seed)
    recalculated, ironcalc = office.recalculate(path), IronCalc(path)
    for sheet in (book.dotprod, book.bias):
        predictions, rmse = expected(table, start, with_bias=sheet.with_bias)
        found = recalculated[sheet.title]
        np.testing.assert_allclose(block_values(found, sheet.predictions), predictions, rtol=0, atol=EXACT)
        assert block_values(found, sheet.rmse) == pytest.approx(rmse, abs=EXACT)
        assert ironcalc.value(sheet.title, sheet.rmse.top, sheet.rmse.left) == pytest.approx(rmse, abs=EXACT)
        assert printed[sheet.title] == pytest.approx(rmse, abs=EXACT)
    sheet = book.movielens_emb
    predictions, rmse = expected(table, start, with_bias=False)
    rated = ~np.isnan(table.values)
    found = recalculated[sheet.title]
    np.testing.assert_allclose(block_values(found, sheet.predictions)[:, 0], predictions[rated], rtol=0, atol=EXACT)
    assert block_values(found, sheet.rmse) == pytest.approx(rmse, abs=EXACT)
    assert ironcalc.value(sheet.title, sheet.rmse.top, sheet.rmse.left) == pytest.approx(rmse, abs=EXACT)


@pytest.mark.libreoffice
@pytest.mark.validator
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))
def test_cached_results_equal_recalculated_ones(tmp_path, busy_ratings, office, validator_errors, shape):
    path = tmp_path / "c.xlsx"
    n_users, n_movies, n_factors = shape
    build_collab(busy_ratings, path, n_users=n_users, n_movies=n_movies, n_factors=n_factors)
    grid = n_users * n_movies + n_users + n_movies + 1
    assert compare(path, office) > 2 * grid
    assert validator_errors(path) == []


@pytest.mark.slow
def test_many_cells(tmp_path, lesson_ratings):
    path = tmp_path / "c.xlsx"
    printed = build_collab(lesson_ratings, path, n_users=100, n_movies=100, n_factors=50)
    table, start = crosstab(lesson_ratings, 100, 100), random_parameters(100, 100, 50, 42)
    book = CollabBook(100, 100, 50, int((~np.isnan(table.values)).sum()))
    ironcalc = IronCalc(path)
    for sheet in (book.dotprod, book.bias, book.movielens_emb):
        _, rmse = expected(table, start, with_bias=sheet is book.bias)
        assert ironcalc.value(sheet.title, sheet.rmse.top, sheet.rmse.left) == pytest.approx(rmse, abs=EXACT)
        assert printed[sheet.title] == pytest.approx(rmse, abs=EXACT)


@pytest.mark.libreoffice
@settings(
    max_examples=20,
    phases=[Phase.explicit, Phase.generate],  # shrinking would open hundreds of workbooks
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_any_sparse_crosstab(tmp_path, make_ratings, office, data):
    """Random shapes, seeds and sparse ratings, ids of both kinds."""
    n_users, n_movies = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 6))
    n_factors, seed = data.draw(st.integers(1, 4)), data.draw(st.integers(0, 2**63))
    user = data.draw(st.sampled_from([lambda i: i + 1, lambda i: f"user {i}", lambda i: f"u*~?{i}"]))
    movie = data.draw(st.sampled_from([lambda i: 100 - i, lambda i: "aA"[i % 2] * (i // 2 + 1)]))
    pairs = [(u, m) for u in range(n_users + 1) for m in range(n_movies + 1)]
    chosen = data.draw(st.lists(st.sampled_from(pairs), unique=True)) + [(u, n_movies + 1) for u in range(n_users)]
    chosen += [(n_users + 1, m) for m in range(n_movies)]
    ratings = make_ratings([(user(u), movie(m), data.draw(st.integers(1, 10)) / 2) for u, m in chosen])
    path = tmp_path / "c.xlsx"
    printed = build_collab(ratings, path, n_users=n_users, n_movies=n_movies, n_factors=n_factors, seed=seed)
    table = crosstab(ratings, n_users, n_movies)
    for title, with_bias in (("dotprod", False), ("bias", True), ("movielens_emb", False)):
        _, rmse = expected(table, random_parameters(n_users, n_movies, n_factors, seed), with_bias=with_bias)
        assert printed[title] == pytest.approx(rmse, abs=EXACT)
    compare(path, office)


@pytest.mark.libreoffice
@pytest.mark.validator
def test_titles_and_ids_of_every_kind(tmp_path, make_ratings, office, validator_errors):
    ids = [
        "2020-01-01",
        "1.50",
        "007",
        "1e5",
        "=1+1",
        "TRUE",
        "a*",
        "a?",
        "~",
        "A",
        "a",
        "é",
        "עברית",
        "🎬",
        '"q"',
        "x\x01",
        "x\x02",
    ]
    titles = dict(zip(ids, TEXTS, strict=False))
    ratings = make_ratings([(f"={i}", movie, 3.5) for movie in ids for i in range(3)], titles)
    path = tmp_path / "c.xlsx"
    build_collab(ratings, path, n_users=3, n_movies=len(ids), n_factors=2)
    compare(path, office)
    assert validator_errors(path) == []
    sheet = CollabBook(3, len(ids), 2, 3 * len(ids)).movielens_emb
    recalculated = office.recalculate(path)["movielens_emb"]
    assert block_values(recalculated, sheet.movie_ids)[:, 0].tolist() == list(map(clean_text, sorted(ids)))
    assert block_values(recalculated, sheet.movie_index)[:, 0].tolist() == [float(i + 1) for i in range(len(ids))] * 3
    assert block_values(recalculated, sheet.movie_titles)[:, 0].tolist() == [titles.get(i, "") for i in sorted(ids)]


def test_ids_that_no_cell_tells_apart_are_named(tmp_path, make_ratings):
    ratings = make_ratings([("a\rb", 1, 3), ("a\nb", 1, 4)])
    with pytest.raises(InputError, match=r"^users 'a\\nb' and 'a\\rb' are different ids, but the same text in a cell"):
        build_collab(ratings, tmp_path / "c.xlsx", n_users=2, n_movies=1)


@pytest.mark.libreoffice
def test_an_edited_id_that_is_not_there_says_so(lesson_workbook, office):
    sheet = CollabBook(15, 15, 5, 206).movielens_emb
    found = office.recalculate(lesson_workbook, {sheet.title: {sheet.ratings.first: 999}})[sheet.title]
    assert found["errors"] == ""
    assert found["values"][sheet.user_index.top - 1][sheet.user_index.left - 1] == "not in the table"
    assert found["values"][sheet.squared_errors.top - 1][sheet.squared_errors.left - 1] == ""


@pytest.mark.libreoffice
def test_a_cleared_rating_no_longer_counts(lesson_workbook, lesson_ratings, office):
    table, sheet = crosstab(lesson_ratings), CollabBook(15, 15, 5, 206).dotprod
    assert not np.isnan(table.values[0, 0])
    found = office.recalculate(lesson_workbook, {sheet.title: {sheet.ratings.first: ""}})[sheet.title]
    table.values[0, 0] = np.nan
    _, rmse = expected(table, random_parameters(15, 15, 5, 42), with_bias=False)
    assert block_values(found, sheet.rmse) == pytest.approx(rmse, abs=EXACT)


def test_pandas_and_previewers_see_numbers(tmp_path, lesson_ratings):
    path = tmp_path / "c.xlsx"
    printed = build_collab(lesson_ratings, path)
    frame = pd.read_excel(path, sheet_name="bias", header=None, engine="openpyxl")
    rmse = CollabBook(15, 15, 5, 206).bias.rmse
    assert frame.iat[rmse.top - 1, rmse.left - 1] == printed["bias"]
    with zipfile.ZipFile(path) as package:
        charts = [package.read(name).decode() for name in package.namelist() if "charts/chart" in name]
    assert len(charts) == 1
    assert len(re.findall(r"<(?:c:)?pt ", charts[0])) == 2 * 206


def test_solver_presets_are_hidden_names_of_their_sheets(lesson_book):
    for title, target in (("dotprod", "V$41"), ("bias", "V$42"), ("movielens_emb", "AA$3")):
        names = lesson_book[title].defined_names
        assert names["solver_opt"].attr_text == f"{title}!${target}"
        assert all(one.hidden for name, one in names.items() if name.startswith("solver_"))


def test_the_movies_sheet_lists_every_movie(lesson_workbook, lesson_ratings):
    frame = pd.read_excel(lesson_workbook, sheet_name="movies", engine="openpyxl")
    assert len(frame) == 9066
    assert frame["ratings"].sum() == 100_004
    first = frame.iloc[0]
    mask = lesson_ratings.movie_idx == lesson_ratings.movie2idx[first["movieId"]]
    assert first["title"] == "Forrest Gump (1994)"
    assert first["ratings"] == mask.sum()
    assert first["mean rating"] == pytest.approx(lesson_ratings.rating[mask].mean())


def test_grid_sheets_show_titles(lesson_book, lesson_ratings):
    for sheet in (CollabBook(15, 15, 5, 206).dotprod, CollabBook(15, 15, 5, 206).bias):
        assert isinstance(sheet, GridSheet)
        shown = [cell.value for cell in lesson_book[sheet.title][sheet.movie_titles.address][0]]
        assert shown == crosstab(lesson_ratings).titles


def test_sheets_say_what_they_are_called(tmp_path, lesson_ratings):
    n = lesson_ratings.n_movies
    blank = {"titles": np.array([""] * n, object), "genres": np.array([""] * n, object), "years": np.zeros(n, np.int16)}
    shop = replace(lesson_ratings, **blank, nouns=Nouns("customer", "product"), source="shop.csv")

    def extend(draft):
        add_predict_sheet(draft, Functions(tmp_path / "no model"), (0.5, 5.0))

    build_collab(shop, tmp_path / "shop.xlsx", extend=extend)
    book = openpyxl.load_workbook(tmp_path / "shop.xlsx", data_only=True)
    texts = [str(cell) for sheet in book for row in sheet.iter_rows(values_only=True) for cell in row if cell]
    said = " ".join(text for text in texts if text != "movies")  # the sheet of that name keeps it
    for words in ("rate five products", "like the product", "Every customer and every product", "product factor 1"):
        assert words in said
    assert not re.search(r"\b(user|movie)(s|Id)?\b", said, re.IGNORECASE)
    columns = book["movies"].column_dimensions
    assert [columns[letter].hidden for letter in "BCD"] == [False, True, True]
    assert book["movies"]["B2"].value == book["movies"]["A2"].value == 356


def test_same_seed_same_bytes_other_seed_other_bytes(tmp_path, busy_ratings):
    for name, seed in (("a.xlsx", 1), ("b.xlsx", 1), ("c.xlsx", 2)):
        build_collab(busy_ratings, tmp_path / name, seed=seed)
    a, b, c = ((tmp_path / f"{name}.xlsx").read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_rmse_without_ratings_is_zero():
    assert sheet_rmse(np.full((2, 2), np.nan), np.ones((2, 2))) == 0


def test_products_do_not_depend_on_blas():
    start = random_parameters(7, 9, 33, 0)
    exact = [[sum(a * b for a, b in zip(u, m, strict=True)) for m in start.movie_factors] for u in start.user_factors]
    np.testing.assert_array_equal(start.products(*np.ix_(range(7), range(9))), exact)


def test_sheets_print_on_a_few_pages(lesson_book):
    assert lesson_book["movies"].print_area == "'movies'!$A$1:$F$101"
    rows = lesson_book["movielens_emb"]
    assert rows.print_area == "'movielens_emb'!$A$1:$G$36,'movielens_emb'!$I$1:$Y$208,'movielens_emb'!$AA$1:$AI$24"
    assert rows.print_title_rows == "$1:$2"
    assert [lesson_book[title].page_setup.fitToHeight for title in ("intro", "dotprod", "bias")] == [1, 1, 1]


def test_grids_say_what_they_are_and_what_their_movies_are_called(lesson_book):
    for title, corner in (("dotprod", "G24"), ("bias", "G25")):
        sheet = lesson_book[title]
        assert (sheet["G1"].value, sheet[corner].value) == ("Ratings", "Predictions")
        assert sheet["A1"].value.startswith("Dot products")
        assert sheet["F1"].value == "users ↓"
        ids = [cell.value for cell in sheet[1][7:22]]
        assert [(sheet.cell(row, 1).value, sheet.cell(row, 2).value) for row in range(2, 17)] == list(
            zip(ids, [shortened(sheet.cell(18, column).value, 55) for column in range(8, 23)], strict=True)
        )


def test_predictions_of_blank_ratings_have_no_colour_in_any_program(lesson_book):
    """Some programs colour all cells of a colour scale, whatever rule stands before it."""
    for title in ("dotprod", "bias"):
        (area,) = lesson_book[title].conditional_formatting
        assert {rule.type for rule in area.rules} == {"expression"}
        coloured = [rule for rule in area.rules if rule.dxf.fill]
        assert len(coloured) == 10
        assert all('H2<>""' in rule.formula[0] for rule in coloured)
        assert coloured[0].formula[0].endswith("<0.95)")


def test_the_first_sheet_heads_its_numbers(lesson_book):
    sheet = lesson_book["intro"]
    assert sheet.cell(4, 3).value == "RMSE"
    assert sheet.row_dimensions[5].height == 31


def test_the_movies_are_one_of_excels_tables(lesson_book):
    sheet = lesson_book["movies"]
    (table,) = sheet.tables.values()
    assert (table.displayName, table.ref, table.autoFilter.ref) == ("movies", "A1:F9067", "A1:F9067")
    assert [column.name for column in table.tableColumns] == [cell.value for cell in sheet[1]]
    assert not sheet.auto_filter.ref  # a sheet's own filter and a table's would be two over the same cells


@pytest.mark.libreoffice
def test_blocks_have_names_that_say_what_they_are(tmp_path, lesson_workbook, office):
    path = tmp_path / "c.xlsx"
    book = openpyxl.load_workbook(lesson_workbook)
    blocks = {"ratings", "user_ids", "movie_ids", "predictions", "user_factors", "movie_factors", "rmse"}
    for title, more in (("dotprod", set()), ("bias", {"user_bias", "movie_bias"}), ("movielens_emb", set())):
        sheet = book[title]
        named = {name: one for name, one in sheet.defined_names.items() if not name.startswith(("solver", "_xlnm"))}
        assert named.keys() == blocks | more
        assert all(0 < len(one.comment) <= 255 for one in named.values())
        last = sheet.max_row + 2
        squares = f"({title}!ratings-{title}!predictions)^2"
        root = f'SQRT(SUMPRODUCT(({title}!ratings<>"")*{squares})/COUNT({title}!ratings))'
        sheet.cell(last, 1).value = f"={root}-{title}!rmse"
        sheet.cell(last, 2).value = f"=ROWS({title}!user_factors)+COLUMNS({title}!user_ids)+COUNT({title}!movie_ids)"
    book.save(path)
    for title, sheet in office.recalculate(path).items():
        if title not in ("intro", "movies"):
            zero, counted = sheet["values"][-1][:2]
            assert abs(zero) < 1e-9
            assert counted == 15 + 1 + 15
