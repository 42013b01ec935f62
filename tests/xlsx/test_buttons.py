"""Buttons in the parts that Excel writes for them, and in LibreOffice."""

import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
from openpyxl import Workbook
from openpyxl.worksheet.table import Table

from cf_excel.xlsx.cells import Block
from cf_excel.xlsx.vba.vba_project import VbaProject
from cf_excel.xlsx.write.buttons import Button, Macros
from cf_excel.xlsx.write.charts import Chart, Curve
from cf_excel.xlsx.write.new_workbook import write_workbook
from cf_excel.xlsx.write.sheet_cells import SheetCells
from cf_excel.xlsx.write.styles import style_ids

SCRIPT = Path(__file__).parents[1] / "support" / "office_macros.py"
SOURCE = "Public Sub Hello()\nEnd Sub\nPublic Sub Bye()\nEnd Sub\n"
BUTTONS = [Button('Say <"hello"> & more', "Hello", Block(4, 1, 5, 2)), Button("Bye", "Bye", Block(4, 4, 5, 6))]


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    """A sheet with a chart and two buttons, one with a table and a button and no chart, one with neither."""
    workbook = Workbook()
    workbook.active.title = "charted"
    workbook.create_sheet("tabled")
    workbook.create_sheet("bare")
    curve = Curve("c", ("charted!$A$1:$A$2", [1, 2]), ("charted!$A$1:$A$2", [1, 2]))
    charts = {"charted": [Chart("t", "x", "y", [curve], Block(7, 1, 15, 5))]}
    workbook["tabled"].add_table(Table(displayName="t", ref="A1:A2", headerRowCount=0))
    cells = {sheet.title: SheetCells(style_ids(workbook)) for sheet in workbook.worksheets}
    for sheet in cells.values():
        sheet.put(Block(1, 1, 2, 1), "plain", [[1], [2]])
    macros = Macros(VbaProject({"Talk": SOURCE}), {"charted": BUTTONS, "tabled": BUTTONS[1:], "bare": []})
    path = tmp_path_factory.mktemp("buttons") / "b.xlsm"
    write_workbook(path, workbook, cells, charts=charts, macros=macros)
    return path


@pytest.mark.libreoffice
def test_every_button_is_bound_to_its_macro(path, office):
    url = "vnd.sun.star.script:VBAProject.Talk.{}?language=Basic&location=document"
    assert office.call("buttons", str(path), script=SCRIPT) == [
        ["charted", 'Say <"hello"> & more', [url.format("Hello")]],
        ["charted", "Bye", [url.format("Bye")]],
        ["tabled", "Bye", [url.format("Bye")]],
    ]


@pytest.mark.validator
def test_the_parts_are_valid(path, validator_errors):
    assert validator_errors(path) == []


def test_every_part_that_is_named_is_there(path):
    with zipfile.ZipFile(path) as package:
        names = set(package.namelist())
        assert len(names) == len(package.namelist())
        for name in names:
            if name.endswith((".xml", ".rels", ".vml")):
                ElementTree.fromstring(package.read(name))
        for name in (name for name in names if name.endswith(".rels")):
            folder = Path(name).parent.parent
            for relation in ElementTree.fromstring(package.read(name)):
                parts: list[str] = []
                for step in (folder / relation.get("Target")).parts:
                    parts = parts[:-1] if step == ".." else [*parts, step]
                assert "/".join(parts) in names, (name, relation.get("Target"))
        types = package.read("[Content_Types].xml").decode()
        assert all(f'PartName="/{name}"' in types for name in names if "ctrlProp" in name or "drawings/drawing" in name)


def test_shapes_have_numbers_of_their_own(path):
    with zipfile.ZipFile(path) as package:
        sheets = [package.read(f"xl/worksheets/sheet{i}.xml").decode() for i in (1, 2, 3)]
    assert [sheet.count("<control ") for sheet in sheets] == [2, 1, 0]
    assert ['shapeId="1025"' in sheets[0], 'shapeId="1026"' in sheets[0], 'shapeId="2049"' in sheets[1]] == [True] * 3
