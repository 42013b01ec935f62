"""python -m cf_excel fill: what it says, and what it refuses in one line."""

import numpy as np
import openpyxl
import pytest
from support.own_books import counts, grid_book, list_book

from cf_excel.cli import main


def test_it_says_what_it_wrote(tmp_path, capsys):
    path = grid_book(tmp_path / "own.xlsx")
    assert main(["fill", str(path), "--top", "2", "--backup"]) == 0
    out, err = capsys.readouterr()
    assert "better than the mean" in out
    assert "sheet predictions: added, 25 x 13 cells" in out
    assert "sheet recommendations: added, 48 rows" in out or "sheet recommendations: added, 47 rows" in out
    assert f"wrote {path}, the former one is {tmp_path / 'own.bak.xlsx'}" in out
    assert "note: totals left out: row Average" in err


def test_dry_run_writes_nothing(tmp_path, capsys):
    path = list_book(tmp_path / "own.xlsx")
    before = path.read_bytes()
    assert main(["fill", str(path), "--dry-run"]) == 0
    assert "dry run: nothing was written" in capsys.readouterr().out
    assert ([file.name for file in tmp_path.iterdir()], path.read_bytes()) == (["own.xlsx"], before)


def test_the_place_of_the_ratings_is_named(tmp_path, capsys):
    path = grid_book(tmp_path / "own.xlsx")
    book = openpyxl.load_workbook(path)
    book.copy_worksheet(book["Stars"]).title = "2025"
    book.save(path)
    assert main(["fill", str(path)]) == 2
    assert "pass --sheet NAME" in capsys.readouterr().err
    assert main(["fill", str(path), "--sheet", "2025", "--range", "A3:M27", "--out", str(tmp_path / "out.xlsx")]) == 0
    assert "sheet predictions: added, 24 x 12 cells" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--top", "0"], "--top 0: expected a whole number, 1 or more"),
        (["--out", "copy.xlsm"], "expected a name that ends in .xlsx"),
        (["--sheet", "nowhere"], "has no sheet"),
    ],
)
def test_options_that_can_not_work(tmp_path, capsys, options, message):
    path = grid_book(tmp_path / "own.xlsx")
    before = path.read_bytes()
    assert main(["fill", str(path), *options]) == 2
    err = capsys.readouterr().err.splitlines()
    assert message in err[-1]
    assert path.read_bytes() == before


def test_orders_are_told_from_ratings(tmp_path, capsys):
    path = grid_book(tmp_path / "own.xlsx", counts())
    assert main(["fill", str(path), "--dry-run"]) == 0
    out, err = capsys.readouterr()
    assert "lists of 10 on picks held out: NDCG" in out
    assert "sheet scores: added" in out
    assert "read as picks, not as ratings: they are whole numbers, most of them small" in err
    assert main(["fill", str(path), "--dry-run", "--explicit"]) == 2
    assert "nothing can be learnt from 127 ratings" in capsys.readouterr().err
    path = grid_book(tmp_path / "stars.xlsx")
    assert main(["fill", str(path), "--dry-run", "--implicit"]) == 0
    assert "sheet scores: added" in capsys.readouterr().out


def test_nothing_to_learn_is_one_line(tmp_path, capsys):
    path = grid_book(tmp_path / "own.xlsx", np.full((24, 12), 3.0))
    assert main(["fill", str(path)]) == 2
    err = capsys.readouterr().err.splitlines()
    assert err[-1] == "cf_excel fill: own.xlsx: nothing can be learnt: every Customer picked every Item"
    assert any("read as picks, not as ratings: every rating is 3" in line for line in err)


@pytest.mark.parametrize("name", ["ratings.csv", "missing.xlsx", "no_workbook.xlsx"])
def test_other_files_are_refused(tmp_path, capsys, name):
    if name != "missing.xlsx":
        (tmp_path / name).write_text("user,item,rating\n1,2,3\n")
    assert main(["fill", str(tmp_path / name)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
