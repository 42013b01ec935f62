"""Sheets like movielens_emb that somebody has changed: followed by their formulas, or left alone with one line."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from openpyxl.worksheet.formula import ArrayFormula
from openpyxl.worksheet.worksheet import Worksheet
from support.checked_results import check_results
from support.models import RATED, model_of, saved, values_in
from support.owned import EMB, MOVIES, N_FACTORS, N_RATINGS, USERS, course, make
from support.printed import printed_rmse

from cf_excel.cli import main
from cf_excel.model.predictor import Predictor
from cf_excel.sheets.find.find_embedding import _Reader
from cf_excel.sheets.lesson.collab import build_collab
from cf_excel.xlsx.cells import Block, cell
from cf_excel.xlsx.edit.workbook_file import OpenedBook

RESULTS = [EMB.rating_user_factors, EMB.rating_movie_factors, EMB.predictions, EMB.squared_errors, EMB.rmse]
OF_30 = int(RATED[USERS.index(30)].sum())  # ratings of user 30
PLACE_OF_30 = EMB.user_ids.row(USERS.index(30)).first


def changed(path: Path, change: Callable[[Worksheet], None], base: Callable[[Path], Path] = make) -> Path:
    """Write a workbook with something changed in its movielens_emb; its formulas have no stored results."""
    workbook = openpyxl.load_workbook(base(path))
    change(workbook["movielens_emb"])
    workbook.save(path)
    return path


def rewrite(sheet: Worksheet, block: Block, change: Callable[[str], str]) -> None:
    """Change the formulas of a block, which are given without their =."""
    for row in sheet[block.address]:
        for one in row:
            one.value = "=" + change(one.value.removeprefix("="))


def by_plain_match(sheet: Worksheet) -> None:
    """Match and look up without a word for ids that are in no table."""
    for block in (EMB.user_index, EMB.movie_index):
        rewrite(sheet, block, lambda text: text.removeprefix("IFERROR(").rpartition(",")[0])
    for block in (EMB.rating_user_factors, EMB.rating_movie_factors):
        rewrite(sheet, block, lambda text: text.partition(",")[2].removesuffix(",0)"))
    rewrite(sheet, EMB.squared_errors, lambda text: text.partition("),")[2].partition("),")[2].removesuffix(',"")'))


def solve(path: Path) -> int:
    return main(["solve", str(path), "--sheet", "movielens_emb"])


def check_refused(path: Path, says: str, capsys: pytest.CaptureFixture) -> None:
    """Check that the sheet is left alone, alone and beside others."""
    before = path.read_bytes()
    assert solve(path) == 2
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1
    assert path.read_bytes() == before
    assert main(["solve", str(path), "--dry-run"]) == 0
    captured = capsys.readouterr()
    assert "note: left alone: sheet movielens_emb" in captured.err
    assert "movielens_emb!" not in captured.out


def check_predicts(path: Path, office: object, folder: Path, down: int = 0, right: int = 0) -> None:
    """Check that a model written into the sheet is the one that the sheet's formulas show."""
    factors = model_of("dot")
    assert main(["write", str(path), "--model", saved(factors, folder), "--sheet", "movielens_emb"]) == 0
    block = EMB.predictions
    shown = values_in(
        office.recalculate(path)["movielens_emb"],
        Block(block.top + down, block.left + right, block.bottom + down, block.right + right),
    )
    expected = Predictor(factors).predict(np.array(USERS)[:, None], np.array(MOVIES))[RATED]
    np.testing.assert_allclose(shown[:, 0].astype(float), expected, atol=1e-6)


@pytest.mark.parametrize("part", ["ids", "factors"])
def test_tables_on_another_sheet_are_refused(tmp_path, capsys, part):
    def move(sheet: Worksheet) -> None:
        if part == "ids":
            rewrite(sheet, EMB.user_index, lambda text: text.replace(EMB.user_ids.fixed, f"bias!{EMB.user_ids.fixed}"))
        else:
            rewrite(sheet, EMB.rating_movie_factors, lambda text: text.replace("INDEX(", "INDEX('bias'!"))

    check_refused(changed(tmp_path / "o.xlsx", move), "reads sheet bias: move what it reads", capsys)


@pytest.mark.libreoffice
def test_look_ups_in_a_block_read_the_column_that_they_name(tmp_path, office):
    def by_block(sheet: Worksheet) -> None:
        for looked_up, factors, index in (
            (EMB.rating_user_factors, EMB.user_factors, EMB.user_index),
            (EMB.rating_movie_factors, EMB.movie_factors, EMB.movie_index),
        ):
            for row in sheet[looked_up.address]:
                for k, one in enumerate(row):  # the last column first
                    one.value = f"=INDEX({factors.fixed},{cell(one.row, index.left)},{N_FACTORS - k})"

    path = changed(tmp_path / "block.xlsx", by_block)
    assert solve(path) == 0
    check_results(path, "movielens_emb", office, RESULTS)
    check_predicts(path, office, tmp_path)
    shown = [one.value for one in openpyxl.load_workbook(path)["movielens_emb"][EMB.user_factors.row(0).address][0]]
    factors = model_of("dot")
    row = factors.user_factors[factors.user_ids.tolist().index(USERS[0])]
    np.testing.assert_allclose(shown, row[::-1], atol=1e-6)


@pytest.mark.libreoffice
def test_the_courses_layout_with_columns_inserted(tmp_path, office):
    path, moved = course(tmp_path / "course.xlsx"), tmp_path / "moved.xlsx"
    office.call("edit", str(path), str(moved), [["columns", "movielens_emb", EMB.user_ids.left, 2]])
    assert solve(moved) == 0
    check_results(moved, "movielens_emb", office, [Block(b.top, b.left + 2, b.bottom, b.right + 2) for b in RESULTS])
    check_predicts(moved, office, tmp_path, right=2)
    inserted = openpyxl.load_workbook(moved)["movielens_emb"]
    ids = EMB.user_ids
    assert all(inserted.cell(row, ids.left + 1).value is None for row in range(ids.top, ids.bottom + 1))


@pytest.mark.libreoffice
@pytest.mark.parametrize("base", [make, course], ids=["ours", "course"])
def test_factors_moved_to_other_rows(tmp_path, office, base):
    path, moved = base(tmp_path / "w.xlsx"), tmp_path / "moved.xlsx"
    area = EMB.user_factors if base is make else Block(EMB.user_factors.top - 1, 3, EMB.user_factors.bottom, 4)
    office.call("edit", str(path), str(moved), [["move", "movielens_emb", area.address, cell(41, 30)]])
    assert solve(moved) == 0
    check_results(moved, "movielens_emb", office, RESULTS)
    check_predicts(moved, office, tmp_path)
    old = openpyxl.load_workbook(moved)["movielens_emb"][EMB.user_factors.address]
    assert all(one.value is None for row in old for one in row)


@pytest.mark.parametrize(
    ("look_up", "says"),
    [
        ("INDEX({factors},{index},{index})", "looks its factor up in a way that can't be followed"),
        ("INDEX({factors},{index},9)", "looks its factor up in a way that can't be followed"),
        ("OFFSET({first},{index},16384)", "looks its factor up in a way that can't be followed"),
        ("OFFSET({first},{index}*2,0)", "looks its factor up in a way that can't be followed"),
        ("VLOOKUP({index},{factors},2)", "looks its factor up in a way that can't be followed"),
        ("INDEX({factors},{index},1)", "are looked up in different ways, expected one row of different columns"),
        ("INDEX({factors},{first})+0", "looks its factor up in a way that can't be followed"),
        ("INDEX({column},{first})", "expected a formula with MATCH in their own row"),
    ],
)
def test_other_look_ups_are_refused(tmp_path, capsys, look_up, says):
    factors = EMB.user_factors

    def replace(sheet: Worksheet) -> None:
        for row in sheet[EMB.rating_user_factors.address]:
            for k, one in enumerate(row):
                index = cell(one.row, EMB.user_index.left)
                names = {"factors": factors.fixed, "first": factors.first, "column": factors.column(k).fixed}
                one.value = "=" + look_up.format(index=index, **names)

    check_refused(changed(tmp_path / "l.xlsx", replace), says, capsys)


@pytest.mark.parametrize("match", ["MATCH({id},{ids},-1)", "MATCH({id}+0,{ids},0)", "IFERROR(MATCH({id},{ids},0),1)"])
def test_other_matches_are_refused(tmp_path, capsys, match):
    def replace(sheet: Worksheet) -> None:
        for (one,) in sheet[EMB.user_index.address]:
            one.value = "=" + match.format(id=cell(one.row, EMB.ratings.left), ids=EMB.user_ids.fixed)

    says = "matches ids in a way that can't be followed: expected MATCH(id,ids,0)"
    check_refused(changed(tmp_path / "m.xlsx", replace), says, capsys)


def test_match_in_a_table_that_is_not_sorted_is_refused(tmp_path, capsys):
    def reverse(sheet: Worksheet) -> None:
        for (one,), user in zip(sheet[EMB.user_ids.address], reversed(USERS), strict=True):
            one.value = user

    path = changed(tmp_path / "d.xlsx", reverse, course)
    check_refused(path, "are not sorted, and MATCH without a third argument needs that: sort them, or add ,0", capsys)


@pytest.mark.libreoffice
def test_match_in_a_sorted_table_may_take_a_neighbour(tmp_path, office, capsys):
    def rename(sheet: Worksheet) -> None:
        sheet[PLACE_OF_30] = 31

    path = changed(tmp_path / "n.xlsx", rename, course)
    assert solve(path) == 0
    captured = capsys.readouterr()
    assert "MATCH without a third argument takes user 15 for 30: add ,0" in captured.err
    check_results(path, "movielens_emb", office, RESULTS)
    rmse = office.recalculate(path)["movielens_emb"]["values"][EMB.rmse.top - 1][EMB.rmse.left - 1]
    assert printed_rmse(captured.out)["movielens_emb"][1] == pytest.approx(rmse, abs=1e-6)


@pytest.mark.libreoffice
@pytest.mark.parametrize("as_text", [False, True])
def test_no_number_is_stored_where_match_finds_no_id(tmp_path, office, capsys, as_text):
    def rename(sheet: Worksheet) -> None:
        by_plain_match(sheet)
        sheet[PLACE_OF_30] = "30" if as_text else 31

    path = changed(tmp_path / "na.xlsx", rename)
    assert solve(path) == 0
    captured = capsys.readouterr()
    hint = " (numbers and texts are different ids)" * as_text
    assert f"note: sheet movielens_emb: MATCH finds no user 30{hint}: the ratings are left out" in captured.err
    assert captured.out.splitlines()[1].split()[1] == str(N_RATINGS - OF_30)
    check_results(path, "movielens_emb", office, RESULTS, cleared=OF_30 * (N_FACTORS + 2) + 1)


@pytest.mark.libreoffice
def test_a_number_stored_as_text_is_another_id(tmp_path, office, capsys):
    """IFERROR shows 0 for it, but in some programs the text is found: nothing is stored."""

    def rename(sheet: Worksheet) -> None:
        sheet[PLACE_OF_30] = "30"

    path = changed(tmp_path / "text.xlsx", rename)
    assert solve(path) == 0
    assert "MATCH finds no user 30 (numbers and texts are different ids)" in capsys.readouterr().err
    check_results(path, "movielens_emb", office, RESULTS, cleared=OF_30 * (N_FACTORS + 2) + 1)


@pytest.mark.libreoffice
def test_match_ignores_case_and_knows_wildcards(tmp_path, office, capsys):
    def rename(sheet: Worksheet) -> None:
        for (one,) in sheet[EMB.user_ids.address]:
            one.value = f"User*{one.value}"
        for i, (one,) in enumerate(sheet[EMB.ratings.column(0).address]):
            one.value = (f"user~*{one.value}", f"U?er*{one.value}")[i % 2]

    path = changed(tmp_path / "case.xlsx", rename)
    assert solve(path) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert captured.out.splitlines()[1].split()[1] == str(N_RATINGS)
    check_results(path, "movielens_emb", office, RESULTS)


@pytest.mark.libreoffice
@pytest.mark.parametrize("command", ["solve", "write"])
@pytest.mark.parametrize("bottom", [EMB.movie_ids.bottom + 5, 100_000, None])
def test_rows_without_an_id_are_left_alone(tmp_path, office, capsys, command, bottom):
    """A blank row amid the table, with a note; and a table that goes on below its ids."""
    path, moved = make(tmp_path / "w.xlsx"), tmp_path / "moved.xlsx"
    office.call("edit", str(path), str(moved), [["rows", "movielens_emb", EMB.movie_ids.top, 1]])
    workbook = openpyxl.load_workbook(moved)
    sheet, gap, end = workbook["movielens_emb"], EMB.movie_ids.top + 1, EMB.movie_ids.bottom + 1
    sheet.cell(gap, 3).value = "my note"
    sheet.cell(end + 2, 4).value = 777
    old, new = f"${EMB.movie_ids.top}:", f"${bottom or 1_048_576}"
    changed_cells = 0
    for row in sheet.iter_rows(min_row=3, min_col=EMB.movie_index.left, max_col=EMB.rating_movie_factors.right):
        for one in row:
            if isinstance(one.value, str):
                assert old in one.value
                one.value = one.value.replace(f"${end}", new)
                changed_cells += 1
    assert changed_cells == N_RATINGS * (N_FACTORS + 1)
    workbook.save(moved)
    options = ["--model", saved(model_of("dot"), tmp_path)] if command == "write" else []
    start = time.perf_counter()
    assert main([command, str(moved), "--sheet", "movielens_emb", *options]) == 0
    assert time.perf_counter() - start < 5
    assert capsys.readouterr().err == ""
    after = openpyxl.load_workbook(moved)["movielens_emb"]
    assert [after.cell(gap, column).value for column in (2, 3, 4)] == [None, "my note", None]
    assert [after.cell(end + 2, column).value for column in (2, 3, 4)] == [None, None, 777]
    assert all(after.cell(row, column).value is None for row in (end + 1, end + 3) for column in (2, 3, 4))


@pytest.mark.libreoffice
@pytest.mark.parametrize("shared", [False, True])
def test_whole_columns(tmp_path, office, capsys, shared):
    """A MATCH in a whole column of ids: fine for one table, and refused where both tables are in it."""

    def widen(sheet: Worksheet) -> None:
        ids = EMB.user_ids
        for k, one in enumerate([EMB.user_ids, *(EMB.user_factors.column(k) for k in range(N_FACTORS))]):
            to = ids.left + k if shared else 30 + k
            for row in range(one.top, one.bottom + 1):
                sheet.cell(row, to).value, value = sheet.cell(row, one.left).value, sheet.cell(row, one.left).value
                assert value is not None
        letters = [cell(1, ids.left + k if shared else 30 + k).rstrip("1") for k in range(N_FACTORS + 1)]
        span = [f"${letter}:${letter}" for letter in letters]
        rewrite(sheet, EMB.user_index, lambda text: text.replace(ids.fixed, span[0]))
        for k in range(N_FACTORS):
            old = EMB.user_factors.column(k).span(fix_rows=True)
            rewrite(sheet, EMB.rating_user_factors.column(k), lambda text, k=k, old=old: text.replace(old, span[k + 1]))

    path = changed(tmp_path / "c.xlsx", widen)
    start = time.perf_counter()
    if shared:
        check_refused(path, "is a factor of a user and of a movie", capsys)
    else:
        assert solve(path) == 0
        check_results(path, "movielens_emb", office, RESULTS)
    assert time.perf_counter() - start < 5


@pytest.mark.libreoffice
def test_an_rmse_of_a_whole_column(tmp_path, office):
    letter = cell(1, EMB.squared_errors.left).rstrip("1")

    def widen(sheet: Worksheet) -> None:
        one = sheet[EMB.rmse.first]
        assert EMB.squared_errors.address in one.value
        one.value = one.value.replace(EMB.squared_errors.address, f"{letter}:{letter}")

    path = changed(tmp_path / "p.xlsx", widen)
    assert solve(path) == 0
    check_results(path, "movielens_emb", office, RESULTS)


@pytest.mark.libreoffice
def test_squared_errors_that_are_not_beside_predictions(tmp_path, office):
    """The RMSE says which column is compared, whatever stands beside the movie's id."""
    pairs = f"{EMB.ratings.column(2).address},{EMB.predictions.address}"

    def compare(sheet: Worksheet) -> None:
        sheet[EMB.rmse.first] = f"=SQRT(SUMXMY2({pairs})/COUNT({pairs.partition(',')[0]}))"
        for (one,) in sheet[EMB.squared_errors.address]:
            one.value = None

    path = changed(tmp_path / "x.xlsx", compare)
    assert solve(path) == 0
    check_results(path, "movielens_emb", office, [*RESULTS[:3], EMB.rmse])


def test_predictions_that_are_compared_with_nothing_are_refused(tmp_path, capsys):
    def drop(sheet: Worksheet) -> None:
        sheet[EMB.rmse.first] = None
        for (one,) in sheet[EMB.squared_errors.address]:
            one.value = None

    check_refused(changed(tmp_path / "x.xlsx", drop), "is compared with no rating", capsys)


@pytest.mark.libreoffice
@pytest.mark.parametrize(
    ("place", "says", "cleared"),
    [
        # the row's other factors, its prediction and error, and the RMSE
        (
            EMB.rating_user_factors.first,
            "1 predictions are left out, the first because sheet movielens_emb: "
            f"{EMB.rating_user_factors.first} looks no factor up",
            2 * N_FACTORS - 1 + 3,
        ),
        # the row is no row of ratings: its looked-up factors and its error, and the RMSE
        (
            EMB.predictions.first,
            f"note: sheet movielens_emb: 1 ratings (first: {EMB.squared_errors.first}) have no prediction that can be",
            2 * N_FACTORS + 2,
        ),
    ],
    ids=["a factor", "a prediction"],
)
def test_rows_in_which_somebody_typed_are_named_and_left_out(tmp_path, office, capsys, place, says, cleared):
    def overwrite(sheet: Worksheet) -> None:
        sheet[place] = 1.5

    path = changed(tmp_path / "x.xlsx", overwrite)
    assert solve(path) == 0
    captured = capsys.readouterr()
    assert says in captured.err
    assert captured.out.splitlines()[1].split()[1] == str(N_RATINGS - 1)
    check_results(path, "movielens_emb", office, RESULTS, cleared=cleared)


@pytest.mark.libreoffice
def test_blank_ratings_are_named(tmp_path, office, capsys):
    def clear(sheet: Worksheet) -> None:
        sheet[EMB.ratings.column(2).first] = None

    path = changed(tmp_path / "blank.xlsx", clear)
    assert solve(path) == 0
    assert "1 ratings are blank and left out, while the sheet's RMSE takes them for 0" in capsys.readouterr().err
    check_results(path, "movielens_emb", office, RESULTS)


@pytest.mark.libreoffice
@pytest.mark.parametrize("as_array", [False, True])
def test_a_sum_of_products_is_one_in_an_array_formula(tmp_path, office, capsys, as_array):
    def multiply(sheet: Worksheet) -> None:
        for (one,) in sheet[EMB.predictions.address]:
            text = one.value.replace("SUMPRODUCT(", "SUM(").replace(",", "*")
            one.value = ArrayFormula(one.coordinate, text) if as_array else text

    path = changed(tmp_path / "s.xlsx", multiply)
    if as_array:
        assert solve(path) == 0
        check_results(path, "movielens_emb", office, RESULTS)
    else:
        check_refused(path, "multiplies cells without being an array formula: expected SUMPRODUCT", capsys)


def test_rows_that_are_filled_from_the_same_formulas_are_read_once_and_as_each_says(tmp_path, busy_ratings):
    path = tmp_path / "w.xlsx"
    build_collab(busy_ratings, path, n_users=6, n_movies=5, n_factors=3)
    sheet = OpenedBook(path).sheet("movielens_emb")
    rows = [row for top, bottom in sheet.runs() for row in range(top, bottom + 1)]
    reader, fresh = _Reader("movielens_emb", sheet), _Reader("movielens_emb", sheet)
    each = {row: list(fresh._rows_in(row, sheet.formulas_in(row))) for row in rows}
    fully_read = []
    read = reader._rows_in
    reader._rows_in = lambda row, formulas: fully_read.append(row) or read(row, formulas)
    assert {row: reader._read(row) for row in rows} == each
    assert sum(map(len, each.values())) > 20
    assert len(fully_read) < 10
