"""The newer part of data bars: valid, one a rule, behind what else a sheet has."""

import zipfile

import openpyxl
import pytest
from openpyxl.formatting.rule import ColorScaleRule, DataBarRule

from cf_excel.xlsx.cells import Block
from cf_excel.xlsx.vba.vba_project import VbaProject
from cf_excel.xlsx.write.buttons import Button, Macros
from cf_excel.xlsx.write.data_bars import with_plain_bars
from cf_excel.xlsx.write.new_workbook import write_workbook
from cf_excel.xlsx.write.sheet_cells import SheetCells
from cf_excel.xlsx.write.styles import style_ids


@pytest.fixture
def path(tmp_path):
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    for cells, low in (("A1:A2", 0), ("B1:B2", 0.5)):
        sheet.conditional_formatting.add(cells, DataBarRule("num", low, "num", 5, color="FF0000FF"))
    sheet.conditional_formatting.add(
        "C1:C2", ColorScaleRule(start_type="min", start_color="FFFFFF", end_type="max", end_color="FF0000")
    )
    cells = SheetCells(style_ids(workbook))
    cells.put(Block(1, 1, 2, 3), "plain", [[1, 2, 3], [4, 5, 6]])
    macros = Macros(VbaProject({"Talk": "Sub Bye()\nEnd Sub\n"}), {"Sheet": [Button("Bye", "Bye", Block(4, 1, 5, 2))]})
    path = tmp_path / "bars.xlsm"
    write_workbook(path, workbook, {"Sheet": cells}, title="Bars", macros=macros)
    return path


@pytest.mark.validator
def test_the_sheet_is_valid(path, validator_errors):
    assert validator_errors(path) == []


def test_every_bar_has_its_newer_rule(path):
    with zipfile.ZipFile(path) as package:
        xml = package.read("xl/worksheets/sheet1.xml").decode()
    for cells, low in (("A1:A2", "0"), ("B1:B2", "0.5")):
        assert f"<xm:f>{low}</xm:f></x14:cfvo>" in xml
        assert f"<xm:sqref>{cells}</xm:sqref>" in xml
    assert "<xm:sqref>C1:C2" not in xml
    assert xml.count("<x14:id>") == xml.count("<x14:cfRule ") == 2
    assert xml.index("<legacyDrawing") < xml.rindex("<extLst>")


def test_a_sheet_without_bars_stays_as_it_is():
    xml = (
        b'<worksheet><conditionalFormatting sqref="A1"><cfRule type="colorScale"/></conditionalFormatting></worksheet>'
    )
    assert with_plain_bars(xml) == xml
