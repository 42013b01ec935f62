"""Write the predictions of dotprod and bias: formulas, their switch and colours; or blank cells and their answers."""

import numpy as np
from openpyxl import Workbook
from openpyxl.formatting.rule import FormulaRule
from openpyxl.styles import Font, PatternFill
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from cf_excel.sheets.exercise import answers_title, leave_blank
from cf_excel.sheets.lesson.lesson_layout import HIDDEN, SHOWN, GridSheet
from cf_excel.sheets.page_setup import rating_steps, set_widths
from cf_excel.xlsx.write.sheet_cells import SheetCells
from cf_excel.xlsx.write.styles import QUIET_INK

SWITCH_NOTE = "← Yes shows predictions of blank ratings, too; they never count in the RMSE."


def write_predictions(
    worksheet: Worksheet, cells: SheetCells, sheet: GridSheet, predictions: np.ndarray, rmse: float, *, exercise: bool
) -> None:
    """Write the formulas of predictions and RMSE, or leave them to the reader."""
    if exercise:
        for block, check in zip(sheet.answers, sheet.checks, strict=True):
            leave_blank(worksheet, cells, block, check)
        set_widths(worksheet, dict.fromkeys(sheet.checks, 10.0))
    else:
        cells.fill(sheet.predictions, "prediction", sheet.formulas[sheet.predictions], predictions)
        cells.fill(sheet.rmse, "result", sheet.formulas[sheet.rmse], [rmse])
        cells.put(sheet.switch, "pick_number", [[HIDDEN]])
        cells.put(sheet.switch_note, "note", [[SWITCH_NOTE]])
        choice = DataValidation(type="list", formula1=f'"{SHOWN},{HIDDEN}"', allow_blank=True)
        choice.add(sheet.switch.first)
        worksheet.add_data_validation(choice)


def write_answers(
    workbook: Workbook, cells: dict[str, SheetCells], sheet: GridSheet, predictions: np.ndarray, rmse: float
) -> None:
    """Write the hidden sheet that answers a grid."""
    title = answers_title(sheet.title)
    workbook.create_sheet(title).sheet_state = "hidden"
    cells[title] = SheetCells(cells[sheet.title].styles)
    cells[title].fill(sheet.predictions, "prediction", sheet.answers[sheet.predictions], predictions)
    cells[title].fill(sheet.rmse, "result", sheet.answers[sheet.rmse], [rmse])


def color_predictions(
    worksheet: Worksheet, sheet: GridSheet, rating_range: tuple[float, float], *, may_be_blank: bool
) -> None:
    """Colour the predictions of ratings that are there; in steps, because programs colour all cells of a scale."""
    blanks = [sheet.blank_rule, sheet.unwritten_rule] if may_be_blank else [sheet.blank_rule]
    rules = [FormulaRule(formula=[rule], font=Font(color=QUIET_INK), stopIfTrue=True) for rule in blanks]
    for bound, color in rating_steps(rating_range):
        fill = PatternFill("solid", bgColor=color)
        rules.append(FormulaRule(formula=[sheet.below_rule(bound)], fill=fill, stopIfTrue=True))
    for rule in rules:
        worksheet.conditional_formatting.add(sheet.predictions.address, rule)
