"""VBA projects, and workbooks with one."""

import re
from pathlib import Path

from openpyxl import Workbook

from cf_excel.xlsx.cells import one_cell
from cf_excel.xlsx.vba.vba_project import VbaProject
from cf_excel.xlsx.write.buttons import Macros
from cf_excel.xlsx.write.new_workbook import write_workbook
from cf_excel.xlsx.write.sheet_cells import SheetCells
from cf_excel.xlsx.write.styles import style_ids
from support.hosts import development_tool

olevba = development_tool("oletools.olevba")


def macro_workbook(path: Path, project: VbaProject) -> Path:
    workbook = Workbook()
    workbook.active.title = "one"
    workbook.create_sheet("two")
    cells = {sheet.title: SheetCells(style_ids(workbook)) for sheet in workbook.worksheets}
    for sheet in cells.values():
        sheet.put(one_cell(1, 1), "plain", [["text"]])
    write_workbook(path, workbook, cells, macros=Macros(project))
    return path


def sources(path: Path) -> dict[str, str]:
    """Return the source of every module, without its attributes."""
    parser = olevba.VBA_Parser(str(path))
    try:
        return {
            Path(name).stem: re.sub(r"(?m)^Attribute .*\n", "", code.replace("\r\n", "\n"))
            for _, _, name, code in parser.extract_macros()
        }
    finally:
        parser.close()
