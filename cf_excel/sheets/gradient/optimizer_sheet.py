"""Write the sheet of one optimizer."""

from dataclasses import dataclass

import numpy as np
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.page import PageMargins
from openpyxl.worksheet.worksheet import Worksheet

from cf_excel.sheets.exercise import leave_blank
from cf_excel.sheets.gradient.descent import START, Descent
from cf_excel.sheets.gradient.gradient_layout import RUNAWAY, RUNS_AWAY, DataSheet, OptimizerSheet
from cf_excel.sheets.gradient.gradient_names import gradient_name
from cf_excel.sheets.gradient.optimizers import Optimizer
from cf_excel.sheets.page_setup import fit_to_page, set_widths
from cf_excel.xlsx.cells import Block, on_sheet
from cf_excel.xlsx.write.sheet_cells import SheetCells

_COLUMNS = {
    ("epoch",): "index",
    ("step",): "index",
    ("x", "y"): "point",
    ("b", "a"): "weight",
    ("prediction",): "step",
    ("error",): "step",
    ("de_db",): "step",
    ("de_da",): "step",
}
_HEADERS = ["epoch", "step", "x", "y", "b", "a", "prediction", "error", "de/db", "de/da"]
_LABELS = {"start_b": "start b (intercept)", "start_a": "start a (slope)"}
_LIMITS = {
    "learning_rate": (0, 1e6),
    "beta": (0, 0.999999),
    "beta_1": (0, 0.999999),
    "beta_2": (0, 0.999999),
    "decay": (0.000001, 1),
    "epsilon": (1e-100, 1),
    "h": (1e-9, 1),
    "start_b": (-1e6, 1e6),
    "start_a": (-1e6, 1e6),
}


@dataclass(frozen=True)
class OptimizerWriter:
    """Writes one sheet into the frame of a workbook and the cells beside it.

    exercise: leave formulas to the reader. asked_by: the sheet to which this one, which is hidden, holds the answers.
    """

    worksheet: Worksheet
    cells: SheetCells
    sheet: OptimizerSheet
    optimizer: Optimizer
    descent: Descent
    exercise: bool = False
    asked_by: OptimizerSheet | None = None

    def write(self, data: DataSheet) -> None:
        """Write everything but the charts (see gradient_charts)."""
        self._write_texts()
        self._write_inputs()
        self._write_result()
        self._write_start()
        self._write_rows(data)
        self._write_history(data)
        for name, address in self.sheet.macro_names.items() if self.sheet.with_buttons else ():
            self._name(name, address)
        self._set_page()

    def _name(self, name: str, address: str) -> None:
        self.worksheet.defined_names.add(gradient_name(name, address))

    def _write_texts(self) -> None:
        cells, sheet, optimizer = self.cells, self.sheet, self.optimizer
        cells.put(sheet.heading, "title", [[f"{sheet.title}: {optimizer.heading}"]])
        cells.put(sheet.rule, "plain", [[optimizer.rule]])
        before, after = self.descent.rmse[0], self.descent.rmse[sheet.n_epochs]
        status = RUNS_AWAY if after > RUNAWAY * max(1, before) else ""
        cells.fill(sheet.status, "warning", sheet.status_formula, [status])
        for name, block in sheet.groups.items():
            cells.put(block, "group", [[name]])
        state = [label for state in optimizer.state for label in state.labels]
        unused = [None] * (sheet.unused.n_columns if sheet.unused else 0)
        cells.put(sheet.headers, "header", [[*_HEADERS, *state, *unused, "new b", "new a"]])
        cells.put(sheet.history_headers, "header", [["epoch", "RMSE", "b", "a"]])

    def _write_inputs(self) -> None:
        cells, sheet, optimizer = self.cells, self.sheet, self.optimizer
        inputs = {**START, **optimizer.inputs}
        for i, name in enumerate([*inputs, *optimizer.derived]):
            cells.put(sheet.input_label(i), "plain", [[_LABELS.get(name, name)]])
            if self.asked_by and name in inputs:
                address = on_sheet(self.asked_by.title, self.asked_by.input(i))
                cells.fill(sheet.input(i), "derived", address, [inputs[name]])
            elif name in inputs:
                cells.put(sheet.input(i), "setting", [[inputs[name]]])
                self._limit(sheet.input(i), *_LIMITS[name])
            else:
                formula, value = optimizer.derived[name]
                cells.fill(sheet.input(i), "derived", formula, [value])
            self._name(name, on_sheet(sheet.title, sheet.input(i)))

    def _limit(self, block: Block, least: float, most: float) -> None:
        limit = DataValidation(type="decimal", operator="between", formula1=f"{least:g}", formula2=f"{most:g}")
        limit.showErrorMessage = True
        limit.error = f"A number from {least:g} to {most:g}, please."
        limit.add(block.first)
        self.worksheet.add_data_validation(limit)

    def _write_result(self) -> None:
        cells, sheet = self.cells, self.sheet
        note = "the epoch to come, in the rows below" if sheet.with_buttons else "the last epoch of the rows below"
        cells.put(sheet.result_note, "group", [[note]])
        cells.put(sheet.result_labels, "header", [["epoch", "RMSE", "new b", "new a"]])
        n = sheet.n_epochs
        values = [n, self.descent.rmse[n], self.descent.b[n], self.descent.a[n]]
        for i, (formula, value) in enumerate(zip(sheet.result_formulas(), values, strict=True)):
            cells.fill(sheet.result.column(i), "epoch_result" if i else "epoch", formula, [value])

    def _write_start(self) -> None:
        cells, sheet = self.cells, self.sheet
        start = [START["start_b"], START["start_a"]]
        cells.put(sheet.start.column(0), "carried_whole", [["start"]])
        for blank, style in ((sheet.start_point, "carried_whole"), (sheet.start_numbers, "carried")):
            cells.put(blank, style, [[None] * blank.n_columns])
        if sheet.with_buttons:
            cells.put(sheet.start_weights, "carried", [start])
        else:
            for i, (name, value) in enumerate(zip(START, start, strict=True)):
                cells.fill(sheet.start_weights.column(i), "carried", name, [value])

    def _write_rows(self, data: DataSheet) -> None:
        sheet, optimizer = self.sheet, self.optimizer
        formulas = sheet.row_formulas(data)
        fills = [(sheet.column(*names), style, formulas[sheet.column(*names)]) for names, style in _COLUMNS.items()]
        for state in optimizer.state:
            fills.append((sheet.column(*state.names), "weight", sheet.filled(state.formula)))
        fills.append((sheet.column("new_b", "new_a"), "new_weight", sheet.filled(optimizer.update)))
        names = sheet.column_names
        if self.exercise:
            fills = [fill for fill in fills if fill[0] not in sheet.written]
            names = names[: sum(block.n_columns for block, _, _ in fills)]
            for block, check in sheet.written.items():
                leave_blank(self.worksheet, self.cells, block, check)
            note = "Fill the blue columns down to the last row; from the second on, new b and a count, too."
            self.cells.put(sheet.check_note, "group", [[note]])
        results = [[row[name] for name in names] for row in self.descent.rows[: sheet.steps.n_rows]]
        self.cells.fill_side_by_side(fills, np.array(results, dtype=float))

    def _write_history(self, data: DataSheet) -> None:
        cells, sheet, descent = self.cells, self.sheet, self.descent
        columns = (descent.rmse, descent.b, descent.a)
        cells.put(sheet.history_start.column(0), "index", [[0]])
        for i, (formula, values) in enumerate(zip(sheet.history_start_formulas(data), columns, strict=True), 1):
            cells.fill(sheet.history_start.column(i), "weight", formula, [values[0]])
        if sheet.with_buttons:
            blank = [[None]] * sheet.history.n_rows
            for i in range(4):
                cells.put(sheet.history.column(i), "weight" if i else "index", blank)
            return
        cells.put(sheet.history.column(0), "index", [[epoch] for epoch in range(1, sheet.n_epochs + 1)])
        for i, (formula, values) in enumerate(zip(sheet.history_formulas(), columns, strict=True), 1):
            cells.fill(sheet.history.column(i), "weight", formula, values[1:])

    def _set_page(self) -> None:
        worksheet, sheet = self.worksheet, self.sheet
        set_widths(worksheet, sheet.widths)
        worksheet.freeze_panes = sheet.freeze
        worksheet.print_area = sheet.page.address
        fit_to_page(worksheet)
        worksheet.page_setup.fitToHeight = 1
        worksheet.page_margins = PageMargins(left=0.4, right=0.4, top=0.4, bottom=0.4)
        worksheet.sheet_view.showGridLines = False
