"""Write the hidden sheet on which the recommender computes."""

import numpy as np

from cf_excel.sheets.recommender.calc_results import Cells, RecommenderResults
from cf_excel.xlsx.cells import Block
from cf_excel.xlsx.write.sheet_cells import SheetCells


def write_calc(sheet: SheetCells, placed: dict[Block, Cells], results: RecommenderResults) -> None:
    """Put every block onto the sheet: values, and formulas with their results."""
    for block, cells in placed.items():
        if cells.how == "parts":
            continue
        shown = results[cells.name] if cells.name else results.of(cells)
        rows = shown.reshape(block.n_rows, block.n_columns)
        if not cells.formula and not cells.row_formulas:
            sheet.put(block, cells.style, rows)
        elif cells.formula:
            _fill(sheet, block, cells, cells.formula, rows)
        for i, formula in enumerate(cells.row_formulas):
            _fill(sheet, block.row(i), cells, formula, rows[i : i + 1])


def _fill(sheet: SheetCells, block: Block, cells: Cells, formula: str, rows: np.ndarray) -> None:
    if cells.how == "at once":
        sheet.fill_at_once(block, cells.style, formula, rows)
    else:
        sheet.fill(block, cells.style, formula, rows, array=cells.how == "arrays")
