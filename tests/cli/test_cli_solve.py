"""python -m cf_excel solve: the lesson's optimum in the sheets, and every other program sees it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from openpyxl.formula.translate import Translator
from support.hosts import IronCalc
from support.models import small_factors
from support.owned import BIAS, DOT, EMB, MOVIES, RATINGS, USERS, make
from support.printed import OPTIMA, printed_rmse

from cf_excel.cli import main
from cf_excel.model.file import save_factors
from cf_excel.sheets.find.find_sheet import lesson_sheets
from cf_excel.sheets.find.lesson_book import LessonBook
from cf_excel.sheets.lesson.lesson_layout import CollabBook
from cf_excel.xlsx.cells import cell
from cf_excel.xlsx.edit.change import change
from cf_excel.xlsx.edit.zip_archive import open_archive

LESSON = CollabBook(15, 15, 5, 206)
LAYOUTS = (LESSON.dotprod, LESSON.bias, LESSON.movielens_emb)


@pytest.fixture
def small(tmp_path) -> Path:
    return make(tmp_path / "small.xlsx")


@pytest.mark.libreoffice
def test_the_optimum_is_in_the_sheets(tmp_path, lesson_workbook, office, capsys):
    path = tmp_path / "mine.xlsx"
    shutil.copy(lesson_workbook, path)
    before = office.recalculate(path)
    assert main(["solve", str(path), "--backup"]) == 0
    printed = printed_rmse(capsys.readouterr().out)
    assert (tmp_path / "mine.bak.xlsx").read_bytes() == lesson_workbook.read_bytes()
    recalculated, ironcalc = office.recalculate(path), IronCalc(path)
    cached = openpyxl.load_workbook(path, data_only=True)
    for layout in LAYOUTS:
        title, (row, column) = layout.title, (layout.rmse.top, layout.rmse.left)
        stored = cached[title].cell(row, column).value
        assert stored == pytest.approx(OPTIMA[title], abs=1e-5)
        assert recalculated[title]["values"][row - 1][column - 1] == pytest.approx(stored, abs=1e-9)
        assert ironcalc.value(title, row, column) == pytest.approx(stored, abs=1e-9)
        assert printed[title] == pytest.approx([before[title]["values"][row - 1][column - 1], stored], abs=1e-6)
    # every stored result, those of other sheets included, is what LibreOffice computes
    compared = 0
    for sheet in cached:
        for line in sheet.iter_rows():
            for one in line:
                if isinstance(one.value, (int, float)):
                    found = recalculated[sheet.title]["values"][one.row - 1][one.column - 1]
                    assert abs(found - one.value) < 1e-9, (sheet.title, one.coordinate)
                    compared += 1
    assert compared > 4000


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_history_is_a_sheet_with_a_chart(tmp_path, small, validator_errors, office, capsys, optimizer):
    path = tmp_path / "h.xlsx"
    options = ["--optimizer", optimizer, "--steps", "40", "--history"]
    assert main(["solve", str(small), "--out", str(path), *options]) == 0
    printed = printed_rmse(capsys.readouterr().out)
    workbook = openpyxl.load_workbook(path, data_only=True)
    rows = list(workbook["history"].iter_rows(min_row=2, max_col=4, values_only=True))
    assert rows[0] == ("step", "dotprod", "bias", "movielens_emb")
    assert [row[0] for row in rows[1:]] == list(range(41))
    for i, title in enumerate(OPTIMA, 1):
        assert [rows[1][i], rows[-1][i]] == pytest.approx(printed[title], abs=1e-6)
    assert len(workbook["history"]._charts) == 1
    assert [s.tx.v for s in workbook["history"]._charts[0].series] == list(OPTIMA)
    assert validator_errors(path) == []
    assert office.recalculate(path)["history"]["errors"] == ""


def test_a_second_history_gets_its_own_name(small, capsys):
    for name in ("history", "history 2"):
        assert main(["solve", str(small), "--optimizer", "adam", "--steps", "3", "--history"]) == 0
        assert f"added the sheet {name}:" in capsys.readouterr().out
    assert openpyxl.load_workbook(small).sheetnames[-2:] == ["history", "history 2"]


def test_held_out_cells_show_memorising(lesson_workbook, capsys):
    held = {}
    for l2 in ("0", "3"):
        assert main(["solve", str(lesson_workbook), "--dry-run", "--hold-out", "0.1", "--l2", l2]) == 0
        held[l2] = {title: row[-1] for title, row in printed_rmse(capsys.readouterr().out).items()}
    assert all(held["3"][title] < held["0"][title] for title in OPTIMA)


@pytest.mark.parametrize("optimizer", ["lm", "adam"])
def test_held_out_cells_are_unknown_in_a_solved_file(tmp_path, small, capsys, optimizer):
    solved = tmp_path / "solved.xlsx"
    assert main(["solve", str(small), "--out", str(solved)]) == 0
    said = []
    for path in (small, solved):
        capsys.readouterr()
        options = ["--hold-out", "0.2", "--optimizer", optimizer, "--steps", "100", "--sheet", "bias", "--dry-run"]
        assert main(["solve", str(path), *options]) == 0
        out, err = capsys.readouterr()
        said.append(out.splitlines()[:2])
        assert err == "note: --hold-out starts from random numbers: the sheets' may know the held-out ratings\n"
    assert said[0] == said[1]


def test_held_out_cells_leave_the_numbers_of_who_has_no_rating(small):
    workbook = openpyxl.load_workbook(small)
    sheet, row = workbook["dotprod"], DOT.user_factors.row(2)
    for line in sheet[DOT.ratings.row(2).address]:
        for one in line:
            one.value = None
    workbook.save(small)
    before = [one.value for one in sheet[row.address][0]]
    assert main(["solve", str(small), "--sheet", "dotprod", "--hold-out", "0.2"]) == 0
    assert [one.value for one in openpyxl.load_workbook(small)["dotprod"][row.address][0]] == before


def test_every_run_writes_the_same(tmp_path, lesson_workbook):
    """In fresh processes, whatever the number of threads: numbers with few digits, and a sign that is chosen."""
    written = []
    for i, threads in enumerate("121"):
        out = tmp_path / f"{i}.xlsx"
        command = [sys.executable, "-m", "cf_excel", "solve", str(lesson_workbook), "--out", str(out)]
        environment = os.environ | {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        subprocess.run(command, env=environment, check=True, capture_output=True)
        written.append(out.read_bytes())
    assert written[0] == written[1] == written[2]


def test_dry_run_lists_the_cells(small, capsys):
    before = small.read_bytes()
    assert main(["solve", str(small), "--sheet", "dotprod", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert small.read_bytes() == before
    assert len(list(small.parent.iterdir())) == 1
    n_cells = (len(USERS) + len(MOVIES)) * 2
    assert sum(line.startswith("dotprod!") for line in out.splitlines()) == n_cells
    assert f"dotprod!{DOT.user_factors.first}  " in out
    assert f"dotprod: {len(USERS) * len(MOVIES) + 1} results of formulas computed anew" in out


def test_only_the_named_sheet_changes(small):
    before = open_archive(small)
    assert main(["solve", str(small), "--sheet", "bias"]) == 0
    after = open_archive(small)
    changed = [name for name in before.names if before.read(name) != after.read(name)]
    assert sorted(changed) == ["xl/workbook.xml", "xl/worksheets/sheet2.xml"]


def test_a_blank_factor_starts_at_random_and_is_added(tmp_path):
    path = tmp_path / "blank.xlsx"
    make(path)
    workbook = openpyxl.load_workbook(path)
    for row in workbook["dotprod"][DOT.user_factors.address]:
        for one in row:
            one.value = None
    workbook.save(path)
    assert main(["solve", str(path)]) == 0
    values = openpyxl.load_workbook(path)["dotprod"][DOT.user_factors.address]
    assert all(isinstance(one.value, float) for row in values for one in row)


def test_formulas_in_factor_cells_are_kept_unless_forced(tmp_path, capsys, office):
    path, first = make(tmp_path / "f.xlsx"), DOT.movie_factors.first
    workbook = openpyxl.load_workbook(path)
    workbook["dotprod"][first] = "=0.1+0.2"
    workbook.save(path)
    office.call("convert", str(path), str(path))  # LibreOffice stores the result
    before = path.read_bytes()
    assert main(["solve", str(path)]) == 2
    assert f"sheet dotprod: {first} holds a formula (=0.1+0.2): --force puts a number there" in capsys.readouterr().err
    assert path.read_bytes() == before
    assert main(["solve", str(path), "--force"]) == 0
    assert isinstance(openpyxl.load_workbook(path)["dotprod"][first].value, float)


def test_shared_formulas_that_lose_their_first_cell_keep_their_meaning(tmp_path, lesson_workbook, office, capsys):
    path = tmp_path / "s.xlsx"
    shutil.copy(lesson_workbook, path)
    sheet = LESSON.dotprod
    book = LessonBook(path)
    xml = book.sheet("dotprod")
    places = [(row, sheet.predictions.left) for row in range(sheet.predictions.top, sheet.predictions.bottom)]
    texts = {cell(*place): xml.shown_formula(place) for place in places}
    assert texts[cell(*places[1])] == Translator("=" + texts[cell(*places[0])], cell(*places[0])).translate_formula(
        cell(*places[1])
    ).removeprefix("=")
    change(book, {"dotprod": {places[0]: 2.5}}, {}, drop_formulas=True)
    book.archive.save(path)
    formulas = openpyxl.load_workbook(path)["dotprod"]
    assert formulas[cell(*places[0])].value == 2.5
    assert all(formulas[address].value == f"={text}" for address, text in list(texts.items())[1:])
    assert office.recalculate(path)["dotprod"]["errors"] == ""


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--sheet", "nowhere"], "has no sheet nowhere (there are: dotprod, bias, movielens_emb)"),
        (["--steps", "0"], "--steps 0: expected 1 or more"),
        (["--steps", "9" * 9], f"--steps {'9' * 9}: 1,000,000 is the most"),
        (["--optimizer", "adam", "--lr", "0"], "--lr 0.0: expected a number above 0"),
        (["--optimizer", "sgd", "--lr", "90"], "sgd ran away"),
        (["--l2", "-1"], "--l2 -1.0: expected 0 or more"),
        (["--hold-out", "1"], "--hold-out 1.0: expected a part between 0 and 1"),
        (["--history"], "--history belongs to the steps of adam and sgd"),
        (["--lr", "1"], "--lr belongs to the steps of adam and sgd"),
        (["--seed", "-1"], "--seed -1: expected 0 or more"),
        (["--optimizer", "newton"], "invalid choice"),
        (["--out", "copy.csv"], "expected a name that ends in .xlsx"),
    ],
)
def test_bad_options_get_one_line(small, capsys, options, says):
    before = small.read_bytes()
    try:
        code = main(["solve", str(small), *options])
    except SystemExit as stop:
        code = stop.code
    captured = capsys.readouterr()
    assert code == 2
    assert says in captured.err
    assert captured.err.count("\n") == 1
    assert small.read_bytes() == before


def test_texts_and_missing_results_are_named(tmp_path, capsys):
    for address, value, says in (
        (DOT.ratings.first, "five", "holds 'five', expected a number"),
        (DOT.user_factors.first, "x", "holds 'x', expected a number"),
        (DOT.ratings.first, "=1+1", "has no stored result: open it in Excel and save it"),
    ):
        path = make(tmp_path / "t.xlsx")
        workbook = openpyxl.load_workbook(path)
        workbook["dotprod"][address] = value
        workbook.save(path)
        assert main(["solve", str(path)]) == 2
        assert f"sheet dotprod: {address} {says}" in capsys.readouterr().err


def test_a_workbook_without_such_sheets_is_named(tmp_path, capsys):
    path = tmp_path / "other.xlsx"
    openpyxl.Workbook().save(path)
    assert main(["solve", str(path)]) == 2
    assert "has no sheet like dotprod, bias or movielens_emb: make one with build" in capsys.readouterr().err


def test_a_grid_of_ratings_alone_becomes_a_workbook_by_what_is_said(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    book = openpyxl.Workbook()
    for row in ["who", "Heat", "Toy Story", "Up"], ["Ann", 4, None, 5], ["Bob", 3, 2, None], ["Cid", None, 5, 4]:
        book.active.append(row)
    book.save("grid.xlsx")
    save_factors(small_factors("dot"), tmp_path / "model.safetensors")
    for command in (["write", "grid.xlsx", "--model", "model.safetensors"], ["solve", "grid.xlsx"]):
        assert main(command) == 2
        advice = re.search(r"\(of ratings that are in it: (build --ratings grid\.xlsx)\)$", capsys.readouterr().err)[1]
    assert main([*advice.split(), "--out", "built"]) == 0
    assert main(["solve", "built/collab_filter.xlsx"]) == 0
    assert re.search(r"^dotprod +6 ", capsys.readouterr().out, re.MULTILINE)


def test_a_grid_that_is_not_taken_for_one_is_said_to_be_one_or_needs_numbers(tmp_path, capsys):
    path = tmp_path / "grid.csv"
    path.write_text("who,Heat,Up\nAnn,4,5\n")
    build = ["build", "--ratings", str(path), "--out", str(tmp_path)]
    assert main(build) == 2
    advice = re.search(r", or (--form grid) where every movie has a column$", capsys.readouterr().err)[1].split()
    assert main([*build, *advice]) == 0
    path.write_text("who,Heat,Up\nAnn,****,*****\n")
    assert main([*build, *advice]) == 2
    assert "expected names of items in a row, then a row of numbers for each user" in capsys.readouterr().err


def test_every_sheet_is_recognised(small):
    found = {sheet.title: sheet for sheet in lesson_sheets(LessonBook(small))}
    user, movie = np.nonzero(~np.isnan(RATINGS))
    for layout in (DOT, BIAS, EMB):
        sheet = found[layout.title]
        assert (sheet.user_ids, sheet.movie_ids) == (USERS, MOVIES)
        assert sheet.with_bias == (layout is BIAS)
        order = np.lexsort((sheet.movie_idx, sheet.user_idx))
        np.testing.assert_array_equal(sheet.rating[order], RATINGS[user, movie])
        np.testing.assert_array_equal(sheet.user_idx[order], user)


@pytest.mark.parametrize("large", [1e100, 1e200, 1e300])
def test_huge_numbers_to_start_from(tmp_path, capsys, large):
    path = make(tmp_path / "huge.xlsx")
    workbook = openpyxl.load_workbook(path)
    for row in workbook["dotprod"][DOT.user_factors.address]:
        for one in row:
            one.value = large
    for row in workbook["dotprod"][DOT.movie_factors.address]:
        for one in row:
            one.value = large
    workbook.save(path)
    for optimizer in ("lm", "sgd"):
        code = main(["solve", str(path), "--dry-run", "--optimizer", optimizer])
        err = capsys.readouterr().err
        assert (code, err.count("\n")) in ((0, 0), (2, 1))
        assert code == 0 or "too large" in err or "ran away" in err
