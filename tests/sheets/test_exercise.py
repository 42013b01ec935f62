"""Workbooks whose formulas the reader writes: what is right turns green, and nothing else does."""

from collections.abc import Callable
from itertools import chain
from pathlib import Path

import openpyxl
import pytest
from support.gradient_sheets import TITLES, sheet_of
from support.models import block_values

import cf_excel
from cf_excel.cli import main
from cf_excel.sheets.exercise import GREEN, RIGHT, answers_title
from cf_excel.sheets.gradient.gradient_books import EXERCISE, build_gradient
from cf_excel.sheets.lesson.collab import build_collab
from cf_excel.sheets.lesson.lesson_layout import CollabBook
from cf_excel.xlsx.cells import Block

BOOK = CollabBook(15, 15, 5, 206)
GRIDS = {sheet.title: dict(zip(sheet.answers, sheet.checks, strict=True)) for sheet in (BOOK.dotprod, BOOK.bias)}
DESCENTS = {title: sheet_of(title, 4, 2).written for title in TITLES}


@pytest.fixture(scope="module", params=["collab", "gradient"])
def pair(request, tmp_path_factory, busy_ratings) -> tuple[Path, Path, dict[str, dict[Block, Block]]]:
    """An exercise, the workbook that has the formulas, and the blocks to write with their checks, by sheet."""
    folder = tmp_path_factory.mktemp("exercise")
    if request.param == "collab":
        for name, exercise in (("solved.xlsx", False), ("exercise.xlsx", True)):
            build_collab(busy_ratings, folder / name, exercise=exercise)
        return folder / "exercise.xlsx", folder / "solved.xlsx", GRIDS
    for exercise in (False, True):
        build_gradient(folder, n_epochs=2, n_points=4, exercise=exercise)
    return folder / EXERCISE, folder / "gradient_descent.xlsx", DESCENTS


@pytest.fixture
def written(pair, tmp_path) -> Callable[[Callable[[str], str]], Path]:
    """Write the formulas into the blank cells, each changed by a function, and save the workbook."""
    exercise, solved, blocks = pair

    def write(change: Callable[[str], str]) -> Path:
        book, source = openpyxl.load_workbook(exercise), openpyxl.load_workbook(solved)
        for title, parts in blocks.items():
            for row, column in chain(*(block.addresses() for block in parts)):
                assert book[title].cell(row, column).value is None
                book[title].cell(row, column).value = change(source[title].cell(row, column).value)
        book.save(tmp_path / "written.xlsx")
        return tmp_path / "written.xlsx"

    return write


def checks_in(found: dict, blocks: dict) -> list[object]:
    return [block_values(found[title], check)[0, 0] for title, parts in blocks.items() for check in parts.values()]


@pytest.mark.libreoffice
def test_right_formulas_turn_every_check_green(pair, written, office):
    exercise, solved, blocks = pair
    path = written(lambda formula: formula)
    found, expected = office.recalculate(path), office.recalculate(solved)
    assert set(checks_in(found, blocks)) == {RIGHT}
    for title, parts in blocks.items():
        assert found[title]["errors"] == ""
        for block in parts:
            assert block_values(found[title], block).tolist() == block_values(expected[title], block).tolist()
    n_checks = sum(map(len, blocks.values()))
    assert office.call("as_html", str(path)).count(f'bgcolor="#{GREEN}"') == n_checks
    assert GREEN not in office.call("as_html", str(exercise))


@pytest.mark.libreoffice
@pytest.mark.parametrize("wrong", ["{}+0.001", '"text"', "1/0", "0*({})+1E9"])
def test_no_wrong_formula_is_green(written, pair, office, wrong):
    path = written(lambda formula: "=" + wrong.format(formula[1:]))
    blocks = pair[2]
    assert RIGHT not in checks_in(office.recalculate(path), blocks)
    assert f'bgcolor="#{GREEN}"' not in office.call("as_html", str(path))


@pytest.mark.libreoffice
def test_the_first_sheet_has_no_rmse_of_what_is_not_written(tmp_path, busy_ratings, office):
    build_collab(busy_ratings, tmp_path / "exercise.xlsx", exercise=True)
    values = office.recalculate(tmp_path / "exercise.xlsx")["intro"]["values"]
    beside = {row[0]: row[2] for row in values}
    assert [beside[title] for title in GRIDS] == ["", ""]
    assert beside["movielens_emb"] > 1


@pytest.mark.libreoffice
@pytest.mark.validator
def test_blank_cells_are_counted_as_not_written(pair, office, validator_errors):
    """A prediction of a blank rating is 0, as a blank cell is."""
    exercise, _, blocks = pair
    assert validator_errors(exercise) == []
    found = office.recalculate(exercise)
    expected = [f"0 of {b.n_rows * b.n_columns}" for parts in blocks.values() for b in parts]
    assert checks_in(found, blocks) == expected
    book, cached = openpyxl.load_workbook(exercise), openpyxl.load_workbook(exercise, data_only=True)
    assert {book[answers_title(title)].sheet_state for title in blocks} == {"hidden"}
    for sheet in cached.worksheets:
        assert found[sheet.title]["errors"] == ""
        for row in sheet.iter_rows():
            for cell in row:
                value = found[sheet.title]["values"][cell.row - 1][cell.column - 1] if cell.value is not None else None
                if isinstance(cell.value, (int, float)):
                    assert value == pytest.approx(cell.value, rel=1e-9, abs=1e-9), (sheet.title, cell.coordinate)


@pytest.mark.libreoffice
def test_answers_follow_the_inputs(pair, written, office):
    """Another learning rate, another factor: right formulas stay right, and typed numbers would not."""
    blocks = pair[2]
    path = written(lambda formula: formula)
    title = next(iter(blocks))
    changed = BOOK.dotprod.movie_factors.first if title == "dotprod" else sheet_of(title, 4, 2).input(2).first
    found = office.recalculate(path, {title: {changed: 0.00015}})
    assert set(checks_in(found, blocks)) == {RIGHT}
    blank = office.recalculate(pair[0], {title: {changed: 0.00015}})[answers_title(title)]
    first = next(iter(blocks[title])) if title == "dotprod" else list(blocks[title])[-1]
    assert block_values(blank, first).tolist() == block_values(found[title], first).tolist()


@pytest.mark.parametrize("pair", ["collab"], indirect=True)
def test_solve_fits_what_the_reader_wrote_and_says_nothing_of_the_answers(pair, written):
    report = cf_excel.solve(written(str), steps=3)
    assert report.notes == ()
    assert [fit.sheet for fit in report.sheets] == ["dotprod", "bias", "movielens_emb"]


def test_the_command(tmp_path, capsys):
    assert main(["build", "--exercise", "--out", str(tmp_path), "--epochs", "1", "--points", "2"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["collab_filter_exercise.xlsx", EXERCISE]
    assert "wrote" in capsys.readouterr().out
    assert main(["build", "--exercise", "--only", "functions", "--out", str(tmp_path)]) == 2
    assert "--exercise --only functions: expected collab or gradient" in capsys.readouterr().err
