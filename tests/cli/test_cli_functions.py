"""python -m cf_excel functions: what it says."""

import openpyxl
from support.own_books import grid_book

from cf_excel.cli import main


def test_add_says_what_it_wrote_and_what_to_do_then(tmp_path, capsys):
    path = grid_book(tmp_path / "scores.xlsx")
    assert main(["functions", "add", str(path)]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        f"wrote {tmp_path / 'scores.xlsm'}",
        "open it in Excel on Windows, choose Enable Content, and type =CF_FILL( into a cell",
    ]
    assert err == ""
    assert main(["functions", "add", str(tmp_path / "scores.xlsm")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'scores.xlsm'} is as it should be already: nothing was written\n"


def test_remove_writes_an_xlsx(tmp_path, capsys):
    path = grid_book(tmp_path / "scores.xlsx")
    assert main(["functions", "add", str(path), "--out", str(tmp_path / "with.xlsm")]) == 0
    assert main(["functions", "remove", str(tmp_path / "with.xlsm"), "--backup"]) == 0
    assert f"wrote {tmp_path / 'with.xlsx'}\n" in capsys.readouterr().out
    assert openpyxl.load_workbook(tmp_path / "with.xlsx").sheetnames == ["Stars", "Notes & more"]


def test_what_is_wrong_is_one_line_and_two(tmp_path, capsys):
    path = grid_book(tmp_path / "scores.xlsx")
    (tmp_path / "scores.xlsm").write_text("mine")
    assert main(["functions", "add", str(path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("cf_excel functions: ")
    assert "--force replaces it" in line
    assert (tmp_path / "scores.xlsm").read_text() == "mine"
    assert main(["functions", "add", str(path), "--force", "--backup"]) == 0
    assert (tmp_path / "scores.bak.xlsm").read_text() == "mine"
