"""Results that were computed from cells which a change makes old are not stored."""

from pathlib import Path

import openpyxl
import pytest
from support.checked_results import check_results
from support.models import model_of, saved
from support.owned import BIAS, DOT, EMB, course, make

from cf_excel.cli import main
from cf_excel.xlsx.edit.workbook_file import OpenedBook
from cf_excel.xlsx.edit.zip_archive import open_archive

N_RESULTS = DOT.predictions.n_rows * DOT.predictions.n_columns + 1


def with_formula(path: Path, office: object, title: str, address: str, formula: str) -> Path:
    """Write the collection's workbook with a formula in one cell, and its result."""
    workbook = openpyxl.load_workbook(make(path))
    workbook[title][address] = formula
    workbook.save(path)
    office.call("convert", str(path), str(path))
    return path


@pytest.mark.libreoffice
@pytest.mark.parametrize("through", ["", "bias"])
def test_ratings_that_depend_on_factors(tmp_path, office, through):
    """Directly, or through a prediction of another sheet that is changed, too."""
    source = f"{through}!{BIAS.predictions.first}" if through else DOT.user_factors.first
    path = with_formula(tmp_path / "r.xlsx", office, "dotprod", DOT.ratings.first, f"={source}*4")
    assert main(["solve", str(path)]) == 0
    check_results(path, "dotprod", office, [DOT.predictions, DOT.rmse], cleared=N_RESULTS)
    check_results(path, "bias", office, [BIAS.predictions, BIAS.rmse])
    stored = openpyxl.load_workbook(path, data_only=True)["dotprod"]
    assert stored[DOT.ratings.first].value is None


@pytest.mark.libreoffice
def test_ratings_that_depend_on_another_sheet_hold_where_that_one_stays(tmp_path, office):
    formula = f"=bias!{BIAS.user_factors.first}*4"
    path = with_formula(tmp_path / "r.xlsx", office, "dotprod", DOT.ratings.first, formula)
    assert main(["solve", str(path), "--sheet", "dotprod"]) == 0
    check_results(path, "dotprod", office, [DOT.predictions, DOT.rmse])


@pytest.mark.libreoffice
def test_a_factor_that_depends_on_others(tmp_path, office):
    """The model lacks its user, so that its formula stays."""
    place = DOT.user_factors.row(0).first
    path = with_formula(tmp_path / "f.xlsx", office, "dotprod", place, f"={DOT.user_factors.row(1).first}*2")
    workbook = openpyxl.load_workbook(path)
    workbook["dotprod"][DOT.rating_users.first] = 12345
    workbook.save(path)
    office.call("convert", str(path), str(path))
    model = saved(model_of("dot"), tmp_path)
    assert main(["write", str(path), "--model", model, "--sheet", "dotprod"]) == 0
    check_results(path, "dotprod", office, [DOT.predictions, DOT.rmse], cleared=N_RESULTS)


@pytest.mark.libreoffice
@pytest.mark.parametrize("block", [EMB.ratings.column(0), EMB.ratings.column(2), EMB.movie_ids])
def test_ids_and_ratings_of_rows_that_depend_on_factors(tmp_path, office, block):
    value = openpyxl.load_workbook(make(tmp_path / "plain.xlsx"))["movielens_emb"][block.first].value
    formula = f"=IF(dotprod!{DOT.user_factors.first}<1E6,{value},1)"
    path = with_formula(tmp_path / "e.xlsx", office, "movielens_emb", block.first, formula)
    assert main(["solve", str(path)]) == 0
    blocks = [EMB.rating_user_factors, EMB.rating_movie_factors, EMB.predictions, EMB.squared_errors, EMB.rmse]
    check_results(
        path, "movielens_emb", office, blocks, cleared=sum(block.n_rows * block.n_columns for block in blocks)
    )


@pytest.mark.libreoffice
def test_a_formula_that_is_forced_out_clears_nothing(tmp_path, office):
    formula = f"={DOT.user_factors.row(1).first}*2"
    path = with_formula(tmp_path / "f.xlsx", office, "dotprod", DOT.user_factors.first, formula)
    assert main(["solve", str(path), "--force", "--sheet", "dotprod"]) == 0
    check_results(path, "dotprod", office, [DOT.predictions, DOT.rmse])


def test_offset_on_sheets_where_nothing_changed_keeps_its_results(tmp_path):
    """As in the course's own workbook, whose embeddings are looked up with OFFSET."""
    path = course(tmp_path / "course.xlsx")
    before = open_archive(path)
    assert main(["solve", str(path), "--sheet", "dotprod"]) == 0
    after = open_archive(path)
    changed = [name for name in before.names if before.read(name) != after.read(name)]
    assert sorted(changed) == ["xl/workbook.xml", "xl/worksheets/sheet1.xml"]


FACTOR = DOT.user_factors.first
REACHES = {
    "OFFSET(A1,1,0)": False,
    "SUM(OFFSET(other!A1,0,0,COUNT(A:A),1))": False,
    f"OFFSET({BIAS.title}!A1,5,5)": False,
    "OFFSET(dotprod!A1,1,0)": True,
    f"OFFSET(A1,dotprod!{FACTOR},0)": True,
    "OFFSET(A1,dotprod!XFD1,0)": False,
    'SUM(dotprod!XFD1,OFFSET(A1,1,0))&"#:#"': False,
    "OFFSET(OFFSET(dotprod!XFD1,0,0),1,0)": True,
    "IFERROR(OFFSET(A1,dotprod!XFD1,0),#N/A)": True,
    "OFFSET(corner,1,0)": True,
    "SUM(INDEX(dotprod!XFD1:XFD9,1))": False,
    "SUM(INDEX(other!A1:B9,1):INDEX(other!A1:B9,9))": False,
    "SUM(dotprod!A1:INDEX(dotprod!XFD998:XFD999,2))": True,
    "SUM(corner:opposite)": True,
    "SUM(corner,opposite)": False,
    "SUM(corner,[1]other!A1:B9)": False,
    "OFFSET(chained!A1,1,0)": True,
    "SUM(near)": False,
    "SUM(far)": True,
    "INDEX(farther,1)": True,
    "SUM(local)": True,
    'INDIRECT("A1")': True,
    'CELL("filename",A1)': False,
    'CELL("contents",A1)': False,
    'CELL("row")': True,
    f'CELL("contents",dotprod!{FACTOR})': True,
    f"SUM(dotprod:{BIAS.title}!{FACTOR})": True,
    f"SUM({BIAS.title}:movielens_emb!{FACTOR})": False,
}


def test_a_result_that_surely_stays_is_kept(tmp_path, capsys):
    def decorate(workbook: object, sheets: object) -> None:
        for i, text in enumerate(REACHES):
            workbook.add_worksheet(f"f{i}").write_formula(0, 5, f"={text}", None, 0.125)
            workbook.define_name(f"f{i}!local", "=other!$A$1" if i else f"=dotprod!{DOT.user_factors.row(0).fixed}")
        workbook.add_worksheet("chained").write_formula(7, 7, f"=dotprod!{FACTOR}", None, 0.125)
        workbook.add_worksheet("other")
        workbook.define_name("corner", "=dotprod!$XFD$1")
        workbook.define_name("opposite", "=dotprod!$A$999")
        workbook.define_name("near", "=OFFSET(other!$A$1,0,0,COUNT(other!$A:$A),1)")
        workbook.define_name("far", "=OFFSET(dotprod!$A$1,0,0,2,1)")
        workbook.define_name("farther", "=IF(1,far)")

    path = make(tmp_path / "r.xlsx", decorate)
    assert main(["solve", str(path), "--sheet", "dotprod"]) == 0
    said = capsys.readouterr().out.splitlines()
    emptied = [f"f{i}: 1 results of formulas to be calculated when the workbook opens" for i in range(len(REACHES))]
    assert [line in said for line in emptied] == list(REACHES.values())
    book = OpenedBook(path)
    assert {text: book.sheet(f"f{i}").value((1, 6)) is None for i, text in enumerate(REACHES)} == REACHES
