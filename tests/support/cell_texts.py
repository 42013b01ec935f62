"""Texts of every kind, and a sheet of cells that holds them."""

from pathlib import Path

from openpyxl import Workbook

from cf_excel.xlsx.cells import Block
from cf_excel.xlsx.write.new_workbook import write_workbook
from cf_excel.xlsx.write.sheet_cells import SheetCells
from cf_excel.xlsx.write.styles import style_ids

TEXTS = [
    "=1+1",
    "+1",
    "-1",
    "@x",
    "\tx",
    "=====x",
    'He said "no"',
    "<&>'",
    "  spaces  ",
    "two\nlines",
    "שלום עולם",
    "مرحبا",
    "🎬 e\u0301",
    "#REF!",
    "TRUE",
    "2020-01-01",
    "1e5",
    "007",
]


def write(path: Path, rows: list[list[object]]) -> Path:
    workbook = Workbook()
    workbook.active.title = "s"
    cells = SheetCells(style_ids(workbook))
    cells.put(Block(1, 1, len(rows), len(rows[0])), "plain", rows)
    write_workbook(path, workbook, {"s": cells})
    return path
