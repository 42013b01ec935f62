"""Cells as XML: texts of every kind stay texts, and formulas carry their results."""

import zipfile
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook
from support.cell_texts import TEXTS, write
from support.hosts import IronCalc

from cf_excel.errors import FileError
from cf_excel.xlsx.cells import Block, one_cell
from cf_excel.xlsx.texts import MAX_TEXT, clean_text
from cf_excel.xlsx.write import sheet_cells
from cf_excel.xlsx.write.new_workbook import write_workbook
from cf_excel.xlsx.write.sheet_cells import SheetCells
from cf_excel.xlsx.write.styles import style_ids


def write_cells(path: Path, cells: SheetCells) -> Path:
    workbook = Workbook()
    workbook.active.title = "s"
    write_workbook(path, workbook, {"s": cells})
    return path


def test_texts_stay_texts(tmp_path, office, validator_errors):
    path = write(tmp_path / "t.xlsx", [[text] for text in TEXTS])
    sheet = openpyxl.load_workbook(path)["s"]
    assert [(cell.value, cell.data_type) for cell in sheet["A"]] == [(text, "s") for text in TEXTS]
    recalculated = office.recalculate(path)["s"]
    assert [row[0] for row in recalculated["values"]] == TEXTS
    assert recalculated["errors"] == ""
    ironcalc = IronCalc(path)
    assert [ironcalc.value("s", row, 1) for row in range(1, len(TEXTS) + 1)] == TEXTS
    assert validator_errors(path) == []


def test_text_that_looks_like_an_escape(tmp_path, office):
    path = write(tmp_path / "t.xlsx", [["_x0041_ and _x000D_"]])
    assert office.recalculate(path)["s"]["values"] == [["_x0041_ and _x000D_"]]


def test_text_beyond_a_cell(tmp_path, validator_errors):
    path = write(tmp_path / "t.xlsx", [["a" * 40_000]])
    assert openpyxl.load_workbook(path)["s"]["A1"].value == "a" * (MAX_TEXT - 1) + "…"
    assert validator_errors(path) == []


@given(st.text(st.characters(), max_size=60))
def test_any_text_is_a_cell_and_a_result(tmp_path_factory, text):
    cells, path = SheetCells({"plain": 0}), tmp_path_factory.getbasetemp() / "any.xlsx"
    cells.put(one_cell(1, 1), "plain", [[text]])
    cells.fill(one_cell(2, 1), "plain", "A1", [text])
    cells.fill(one_cell(3, 1), "plain", "A1", [text], array=True)
    cells.fill_at_once(one_cell(4, 1), "plain", "A1", [[text]])
    write_cells(path, cells)
    shown = [cell.value or "" for cell in openpyxl.load_workbook(path, data_only=True)["s"]["A"]]
    # openpyxl leaves escapes as they are
    assert [cell.replace("_x005F_", "_") for cell in shown] == [clean_text(text)] * 4


def test_what_is_not_whole_xml_replaces_nothing(tmp_path, monkeypatch):
    path = write(tmp_path / "t.xlsx", [["good"]])
    before = path.read_bytes()
    monkeypatch.setattr(sheet_cells, "xml_text", str)
    with pytest.raises(FileError, match=r"^xl/worksheets/sheet1.xml would be no whole XML \(.*\): nothing was written"):
        write(path, [["bad\x01"]])
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["t.xlsx"]


def test_numbers_too_large_for_a_cell_are_errors(tmp_path, validator_errors):
    cells = SheetCells({"plain": 0})
    cells.put(Block(1, 1, 1, 2), "plain", [[float("inf"), -float("inf")]])
    cells.fill(Block(2, 1, 2, 2), "plain", "A1", [[float("inf"), 1.0]])
    cells.fill_at_once(Block(3, 1, 3, 2), "plain", "A1:B1", [[float("inf"), None]])
    path = write_cells(tmp_path / "t.xlsx", cells)
    shown = [[cell.value for cell in row] for row in openpyxl.load_workbook(path, data_only=True)["s"]["A1:B3"]]
    assert shown == [["#NUM!", "#NUM!"], ["#NUM!", 1], ["#NUM!", None]]
    assert validator_errors(path) == []


def test_an_array_formula_whose_first_result_is_blank(tmp_path):
    cells = SheetCells({"plain": 0})
    cells.fill_at_once(Block(1, 1, 1, 2), "plain", "C1:D1", [[None, 2]])
    sheet = openpyxl.load_workbook(write_cells(tmp_path / "t.xlsx", cells))["s"]
    assert sheet["A1"].value.text == "=C1:D1"


def test_numbers_are_whole(tmp_path):
    numbers = [0.1, 1 / 3, 1e-300, 4.0, -2.5, 10**14, 123456789012345678, None, float("nan")]
    path = write(tmp_path / "t.xlsx", [numbers])
    values = [cell.value for cell in openpyxl.load_workbook(path)["s"][1]]
    assert values == [0.1, 1 / 3, 1e-300, 4, -2.5, 10**14, "123456789012345678", None, None]


def test_a_filled_block_has_one_formula_and_all_results(tmp_path, office):
    workbook = Workbook()
    workbook.active.title = "s"
    cells = SheetCells(style_ids(workbook))
    cells.put(Block(1, 1, 3, 1), "plain", [[1], [2], [3]])
    cells.fill(Block(1, 2, 3, 3), "plain", 'IF($A1<2,"<one>",A1+1)', [["<one>"] * 2, [3, 4], [4, 5]])
    cells.fill(one_cell(5, 1), "plain", "SUM(A1:A3)", [6])
    path = tmp_path / "t.xlsx"
    write_workbook(path, workbook, {"s": cells})
    results = openpyxl.load_workbook(path, data_only=True)["s"]
    assert [[c.value for c in row] for row in results["B1:C3"]] == [["<one>", "<one>"], [3, 4], [4, 5]]
    formulas = openpyxl.load_workbook(path)["s"]
    assert formulas["C3"].value == '=IF($A3<2,"<one>",B3+1)'
    assert formulas["A5"].value == "=SUM(A1:A3)"
    assert office.recalculate(path)["s"]["values"][2] == [3, 4, 5]
    with zipfile.ZipFile(path) as package:
        assert package.read("xl/worksheets/sheet1.xml").count(b"IF(") == 1


def test_one_array_formula_fills_a_block(tmp_path, office, validator_errors):
    workbook = Workbook()
    workbook.active.title = "s"
    cells = SheetCells(style_ids(workbook))
    cells.put(Block(1, 1, 2, 2), "plain", [[1, 2], [3, 4]])
    cells.fill_at_once(Block(4, 1, 5, 2), "plain", 'IF("<"="<",MMULT(A1:B2,A1:B2))', [[7, 10], [15, 22]])
    path = tmp_path / "t.xlsx"
    write_workbook(path, workbook, {"s": cells})
    assert validator_errors(path) == []
    formula = openpyxl.load_workbook(path)["s"]["A4"].value
    assert (formula.ref, formula.text) == ("A4:B5", '=IF("<"="<",MMULT(A1:B2,A1:B2))')
    cached = openpyxl.load_workbook(path, data_only=True)["s"]
    assert [[cell.value for cell in row] for row in cached["A4:B5"]] == [[7, 10], [15, 22]]
    assert office.recalculate(path)["s"]["values"][3:] == [[7, 10], [15, 22]]


def test_wrong_shapes_are_a_programming_error():
    cells = SheetCells({"plain": 0})
    with pytest.raises(ValueError, match="A1:B2 wants 2 x 2 values"):
        cells.put(Block(1, 1, 2, 2), "plain", [[1, 2]])
