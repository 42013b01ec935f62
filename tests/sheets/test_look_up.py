"""How rows of ratings find their factors, in the ways that authors wrote it: each is followed, moved or not."""

from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
from openpyxl.worksheet.formula import ArrayFormula
from openpyxl.worksheet.worksheet import Worksheet
from support.checked_results import check_results
from support.models import model_of, saved
from support.owned import DOT, EMB, MOVIES, N_FACTORS, N_RATINGS, USERS, course
from support.printed import printed_rmse

from cf_excel.cli import main
from cf_excel.sheets.find.lesson_book import LessonBook
from cf_excel.xlsx.cells import Block, cell

RESULTS = [EMB.rating_user_factors, EMB.rating_movie_factors, EMB.predictions, EMB.squared_errors, EMB.rmse]
SIDES = (
    (EMB.user_ids, 0, EMB.user_index, EMB.rating_user_factors, EMB.user_factors),
    (EMB.movie_ids, 1, EMB.movie_index, EMB.rating_movie_factors, EMB.movie_factors),
)
_HEADER = EMB.ratings.top - 1  # the row above the ratings


def each_row(sheet: Worksheet) -> list[tuple[int, Block, str, str, Block, Block]]:
    """Return, for each side and rating, the row, the table's ids, the cells of the id and index, and the factors."""
    return [
        (row, ids, cell(row, EMB.ratings.left + wanted), cell(row, index.left, fix_column=True), looked_up, factors)
        for ids, wanted, index, looked_up, factors in SIDES
        for row in range(EMB.ratings.top, EMB.ratings.bottom + 1)
    ]


def numbered_headers(sheet: Worksheet, first: int) -> None:
    for *_, looked_up, _ in SIDES:
        for k in range(N_FACTORS):
            sheet.cell(_HEADER, looked_up.left + k).value = first + k


def by_header(sheet: Worksheet) -> None:
    """Take the number of the column from a cell above: OFFSET($B$3,$L3,M$2)."""
    numbered_headers(sheet, 0)
    for row, _, _, index, looked_up, factors in each_row(sheet):
        above = cell(factors.top - 1, factors.left, fix_row=True, fix_column=True)
        for k in range(N_FACTORS):
            header = cell(_HEADER, looked_up.left + k, fix_row=True)
            sheet.cell(row, looked_up.left + k).value = f"=OFFSET({above},{index},{header})"


def by_index_and_header(sheet: Worksheet) -> None:
    numbered_headers(sheet, 1)
    for row, _, _, index, looked_up, factors in each_row(sheet):
        for k in range(N_FACTORS):
            header = cell(_HEADER, looked_up.left + k, fix_row=True)
            sheet.cell(row, looked_up.left + k).value = f"=INDEX({factors.fixed},{index},{header})"


def by_array(sheet: Worksheet) -> None:
    """Fill a row's factors with one array formula: {=OFFSET($C$3:$G$3,L3,0)}."""
    for row, _, _, index, looked_up, factors in each_row(sheet):
        above = Block(factors.top - 1, factors.left, factors.top - 1, factors.right)
        target = Block(row, looked_up.left, row, looked_up.right)
        sheet[target.first] = ArrayFormula(target.address, f"=OFFSET({above.fixed},{index},0)")
        for column in range(looked_up.left + 1, looked_up.right + 1):
            sheet.cell(row, column).value = 0  # the array's result


def by_vlookup(sheet: Worksheet, look_up: str = "=VLOOKUP({id},{table},2,FALSE)") -> None:
    """Look the number of the row up in a table of ids and numbers, which stands below."""
    for ids, _, index, _, _ in SIDES:
        values, top = (USERS, 60) if ids == EMB.user_ids else (MOVIES, 80)
        table = Block(top, ids.left, top + ids.n_rows - 1, ids.left + 1)
        for number, identity in enumerate(values, 1):
            sheet.cell(table.top + number - 1, table.left).value = identity
            sheet.cell(table.top + number - 1, table.left + 1).value = number
        for row in range(EMB.ratings.top, EMB.ratings.bottom + 1):
            wanted = cell(row, EMB.ratings.left + (ids == EMB.movie_ids))
            sheet.cell(row, index.left).value = look_up.format(id=wanted, table=table.fixed)


def by_plus_vlookup(sheet: Worksheet) -> None:
    by_header(sheet)
    by_vlookup(sheet, "=+VLOOKUP({id},{table},2,0)")


def in_single(sheet: Worksheet) -> None:
    """Wrap predictions as Excel does where it takes one value of an array."""
    for (one,) in sheet[EMB.predictions.address]:
        rating = cell(one.row, EMB.ratings.left + 2)
        one.value = f'=_xlfn.SINGLE(IF({rating}="",0,{one.value.removeprefix("=")}))'


def below_zero(sheet: Worksheet) -> None:
    """Count from the row above the ids on: OFFSET(base,index-1,0)."""
    for row, _, _, index, looked_up, factors in each_row(sheet):
        for k in range(N_FACTORS):
            first = cell(factors.top, factors.left + k, fix_row=True)
            sheet.cell(row, looked_up.left + k).value = f"=OFFSET({first},{index}-1,0)"


CHANGES = [by_header, by_index_and_header, by_array, by_vlookup, by_plus_vlookup, in_single, below_zero]


def changed(path: Path, change: Callable[[Worksheet], None]) -> Path:
    workbook = openpyxl.load_workbook(course(path))
    change(workbook["movielens_emb"])
    workbook.save(path)
    return path


@pytest.mark.libreoffice
@pytest.mark.parametrize("inserted", [(0, 0), (3, 2)], ids=["as is", "moved"])
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_every_look_up_is_followed(tmp_path, office, capsys, change, inserted):
    path = changed(tmp_path / "w.xlsx", change)
    if any(inserted):
        edits = [[kind, "movielens_emb", 1, n] for kind, n in zip(("rows", "columns"), inserted, strict=True)]
        office.call("edit", str(path), str(path), edits)
    sheet = LessonBook(path).find("movielens_emb")
    assert (sheet.user_ids, sheet.movie_ids, len(sheet.rating)) == (USERS, MOVIES, N_RATINGS)
    assert main(["solve", str(path), "--sheet", "movielens_emb"]) == 0
    assert printed_rmse(capsys.readouterr().out)["movielens_emb"][1] == pytest.approx(0.164587, abs=2e-6)
    down, right = inserted
    moved = [Block(b.top + down, b.left + right, b.bottom + down, b.right + right) for b in RESULTS]
    if change is not in_single:
        check_results(path, "movielens_emb", office, moved)
        return
    plain = changed(tmp_path / "plain.xlsx", lambda sheet: None)  # LibreOffice doesn't know SINGLE
    assert main(["solve", str(plain), "--sheet", "movielens_emb"]) == 0
    stored, expected = (openpyxl.load_workbook(one, data_only=True)["movielens_emb"] for one in (path, plain))
    for block, there in zip(moved, RESULTS, strict=True):
        assert values(stored, block) == values(expected, there)


def values(sheet: Worksheet, block: Block) -> list[list]:
    rows = sheet.iter_rows(block.top, block.bottom, block.left, block.right, values_only=True)
    return [list(row) for row in rows]


@pytest.mark.parametrize(
    ("value", "says"),
    [("two", "holds 'two', expected the number of a row of factors"), (1.5, "holds 1.5, expected the number")],
)
def test_numbers_of_rows_that_are_none_are_named(tmp_path, capsys, value, says):
    def change(sheet: Worksheet) -> None:
        by_vlookup(sheet)
        sheet.cell(61, EMB.user_ids.left + 1).value = value

    assert main(["solve", str(changed(tmp_path / "w.xlsx", change)), "--sheet", "movielens_emb"]) == 2
    assert says in capsys.readouterr().err


def showing_dotprod(path: Path, *, sheet: str = "movielens_emb") -> Path:
    """Let a sheet show the factors of dotprod, as students do who fit these alone."""
    workbook = openpyxl.load_workbook(course(path))
    emb = workbook[sheet]
    for row in range(EMB.user_factors.n_rows):
        for k in range(N_FACTORS):
            target = emb.cell(EMB.user_factors.top + row, EMB.user_factors.left + k)
            target.value = f"=dotprod!{DOT.user_factors.row(row).column(k).first}"
    for row in range(EMB.movie_factors.n_rows):
        for k in range(N_FACTORS):
            target = emb.cell(EMB.movie_factors.top + row, EMB.movie_factors.left + k)
            target.value = f"=dotprod!{DOT.movie_factors.column(row).row(k).first}"
    workbook.save(path)
    return path


@pytest.mark.libreoffice
@pytest.mark.parametrize("inserted", [(0, 0), (3, 2)], ids=["as is", "moved"])
@pytest.mark.parametrize("command", ["solve", "write"])
def test_factors_that_show_another_sheets_follow_it(tmp_path, office, capsys, command, inserted):
    path = showing_dotprod(tmp_path / "w.xlsx")
    if any(inserted):
        edits = [
            [kind, title, 1, n]
            for title in ("dotprod", "movielens_emb")
            for kind, n in zip(("rows", "columns"), inserted, strict=True)
        ]
        office.call("edit", str(path), str(path), edits)
    down, right = inserted
    moved = [
        Block(b.top + down, b.left + right, b.bottom + down, b.right + right)
        for b in (EMB.user_factors, EMB.movie_factors, *RESULTS)
    ]
    options = ["--model", saved(model_of("dot"), tmp_path)] if command == "write" else []
    assert main([command, str(path), *options]) == 0
    printed = capsys.readouterr()
    assert "note: sheet movielens_emb shows the factors of sheet dotprod and follows" in printed.err
    assert "results of formulas to be calculated" not in printed.out
    formulas = openpyxl.load_workbook(path)["movielens_emb"]
    shown = cell(DOT.user_factors.top + down, DOT.user_factors.left + right)
    assert formulas[moved[0].first].value.replace("$", "") == f"=dotprod!{shown}"
    check_results(path, "movielens_emb", office, moved)
    assert main([command, str(path), "--sheet", "movielens_emb", *options]) == 2
    line = "sheet movielens_emb shows the factors of sheet dotprod: name that one, this one follows"
    assert line in capsys.readouterr().err
