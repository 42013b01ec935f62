"""Formulas that the reader writes: blank cells, the answers on a hidden sheet, and checks that turn green."""

from openpyxl.formatting.rule import FormulaRule
from openpyxl.styles import Font, PatternFill
from openpyxl.worksheet.worksheet import Worksheet

from cf_excel.sheets.find.sheet import ANSWERS
from cf_excel.sheets.lesson.intro import TextLine
from cf_excel.xlsx.cells import Block, on_sheet
from cf_excel.xlsx.write.sheet_cells import SheetCells
from cf_excel.xlsx.write.styles import INK

RIGHT, GREEN = "right", "81C784"
_CLOSE = "0.000001"  # of the answer, and of 1 where that is smaller


def answers_title(title: str) -> str:
    """Return the name of the hidden sheet that holds the answers to a sheet, each in its own cell."""
    return title + ANSWERS


def exercise_line(where: str) -> TextLine:
    """Return what the first sheet says; where: in which cells the checks are, from the blank ones."""
    return TextLine(
        "Exercise",
        f"Write the formulas of the blue cells. The cell {where} counts the right ones and turns green once all are. "
        'The answers are on hidden sheets, in the same cells: right-click the name of a sheet and choose "Unhide".',
    )


def leave_blank(worksheet: Worksheet, cells: SheetCells, block: Block, check: Block) -> None:
    """Leave a block to the reader, with a cell that checks it; the hidden sheet holds the same block."""
    n = block.n_rows * block.n_columns
    own, answer = block.span(), on_sheet(answers_title(worksheet.title), block)
    right = f"SUMPRODUCT(ISNUMBER({own})*(ABS({own}-{answer})<={_CLOSE}*(1+ABS({answer}))))"
    none = f"0 of {n}"
    cells.put(block, "to_write", [[None] * block.n_columns] * block.n_rows)
    # a text or an error among the cells is an error of the sum
    cells.fill(check, "check", f'IFERROR(IF({right}={n},"{RIGHT}",{right}&" of {n}"),"{none}")', [none])
    rule = FormulaRule(
        formula=[f'{check.first}="{RIGHT}"'], font=Font(color=INK, bold=True), fill=PatternFill("solid", bgColor=GREEN)
    )
    worksheet.conditional_formatting.add(check.first, rule)
