"""Build the workbooks of gradient descent: all epochs by formulas, or one epoch and buttons that run it."""

import math
from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

from openpyxl import Workbook

from cf_excel.errors import InputError
from cf_excel.files import make_folder
from cf_excel.sheets.exercise import answers_title, exercise_line
from cf_excel.sheets.gradient.descent import Contours, Descent, Line, descend, find_contours, unwritten
from cf_excel.sheets.gradient.gradient_charts import GradientCharts
from cf_excel.sheets.gradient.gradient_intro import gradient_lines
from cf_excel.sheets.gradient.gradient_layout import N_CONTOURS, N_CORNERS, ComparisonChart, DataSheet, OptimizerSheet
from cf_excel.sheets.gradient.gradient_names import gradient_name
from cf_excel.sheets.gradient.optimizer_sheet import OptimizerWriter
from cf_excel.sheets.gradient.optimizers import OPTIMIZERS, Optimizer
from cf_excel.sheets.page_setup import fit_to_page, set_widths, write_intro
from cf_excel.xlsx.cells import on_sheet
from cf_excel.xlsx.vba.vba_project import VbaProject
from cf_excel.xlsx.write.buttons import Button, Macros
from cf_excel.xlsx.write.charts import Chart, Curve
from cf_excel.xlsx.write.new_workbook import write_workbook
from cf_excel.xlsx.write.sheet_cells import SheetCells
from cf_excel.xlsx.write.styles import style_ids

BUTTONS = {"One epoch": "OneEpoch", "Five epochs": "FiveEpochs", "Reset": "Reset"}
EXERCISE = "gradient_descent_exercise.xlsx"
MOST_POINTS, MOST_EPOCHS, MOST_ROWS, MOST_SLOPE = 10_000, 1_000, 100_000, 1e6
_ON_ONE_PAGE = 45  # points that are readable there


def check_options(*, n_epochs: int, n_points: int, slope: float, intercept: float) -> None:
    """Raise InputError, naming the option, where a workbook of gradient descent can't be built from these."""
    for option, value, most in (("--epochs", n_epochs, MOST_EPOCHS), ("--points", n_points, MOST_POINTS)):
        if not 1 <= value <= most:
            raise InputError(f"{option} {value}: expected 1 to {most:,}")
    if n_epochs * n_points > MOST_ROWS:
        raise InputError(
            f"--epochs {n_epochs} --points {n_points}: expected at most {MOST_ROWS:,} rows, epochs times points"
        )
    for option, number in (("--slope", slope), ("--intercept", intercept)):
        if not abs(number) <= MOST_SLOPE:  # NaN is not
            raise InputError(f"{option} {number}: expected a number from -1,000,000 to 1,000,000")


def build_gradient(
    folder: Path | str,
    *,
    n_epochs: int = 20,
    n_points: int = 29,
    slope: float = 2.0,
    intercept: float = 30.0,
    seed: int = 42,
    exercise: bool = False,
    tell: Callable[[int, int], None] | None = None,
) -> dict[str, Descent]:
    """Write gradient_descent.xlsx and gradient_descent.xlsm into a folder and return the descents by sheet.

    The folder is made where there is none. exercise: write gradient_descent_exercise.xlsx in their place, which leaves
    formulas to the reader. tell: called with how many cells of the .xlsx are written, and how many there are.
    Raises InputError for numbers that make no workbook, FileError where a file can't be written.
    """
    check_options(n_epochs=n_epochs, n_points=n_points, slope=slope, intercept=intercept)
    folder = Path(folder)
    make_folder(folder)
    line = Line.draw(n_points, slope, intercept, seed)
    descents = {optimizer.title: descend(optimizer, line, n_epochs) for optimizer in OPTIMIZERS}
    if exercise:
        _write_book(folder / EXERCISE, line, descents, n_epochs, with_buttons=False, exercise=True, tell=tell)
        return descents
    _write_book(folder / "gradient_descent.xlsx", line, descents, n_epochs, with_buttons=False, tell=tell)
    _write_book(folder / "gradient_descent.xlsm", line, descents, 1, with_buttons=True)
    return descents


def _write_book(
    path: Path,
    line: Line,
    descents: dict[str, Descent],
    n_epochs: int,
    *,
    with_buttons: bool,
    exercise: bool = False,
    tell: Callable[[int, int], None] | None = None,
) -> None:
    shown = {title: unwritten(descent) for title, descent in descents.items()} if exercise else descents
    workbook, data = Workbook(), DataSheet(len(line.x))
    sheets = {o.title: _layout(o, data.n_points, n_epochs, with_buttons) for o in OPTIMIZERS}
    workbook.active.title = "intro"
    for title in (data.title, *sheets):
        workbook.create_sheet(title)
    for title in sheets if exercise else ():
        workbook.create_sheet(answers_title(title)).sheet_state = "hidden"
    styles = style_ids(workbook)
    cells = {worksheet.title: SheetCells(styles) for worksheet in workbook.worksheets}
    contours = find_contours(line)
    charts = {data.title: [_write_data(workbook, cells[data.title], data, line)]}
    _write_contours(cells[data.title], data, sheets["sgd"], contours)
    maker = GradientCharts(data, sheets, shown, contours)
    for optimizer in OPTIMIZERS:
        title = optimizer.title
        writer = OptimizerWriter(workbook[title], cells[title], sheets[title], optimizer, shown[title], exercise)
        writer.write(data)
        charts[title] = maker.of(optimizer)
        if exercise:
            layout = replace(sheets[title], title=answers_title(title))
            place = workbook[layout.title], cells[layout.title]
            OptimizerWriter(*place, layout, optimizer, descents[title], asked_by=sheets[title]).write(data)
    lines = gradient_lines(line, n_epochs, with_buttons=with_buttons)
    if exercise:
        lines.insert(3, exercise_line("above them"))
    rmse = {
        title: (on_sheet(title, sheet.result.column(1)), shown[title].rmse[n_epochs]) for title, sheet in sheets.items()
    }
    write_intro(workbook["intro"], cells["intro"], lines, rmse)
    first_line = next(i for i, text in enumerate(lines) if text.style == "heading")
    charts["intro"] = [maker.comparison(ComparisonChart(first_line).place)]
    write_workbook(
        path,
        workbook,
        cells,
        title="Gradient descent, step by step",
        charts=charts,
        macros=_macros(sheets) if with_buttons else None,
        tell=tell,
    )


def _layout(optimizer: Optimizer, n_points: int, n_epochs: int, with_buttons: bool) -> OptimizerSheet:
    state = tuple(state.names for state in optimizer.state)
    return OptimizerSheet(optimizer.title, state, n_points, n_epochs, with_buttons)


def _macros(sheets: dict[str, OptimizerSheet]) -> Macros:
    source = (files("cf_excel.data") / "epochs.bas").read_text(encoding="ascii")
    buttons = {
        title: [Button(caption, macro, sheet.button(i)) for i, (caption, macro) in enumerate(BUTTONS.items())]
        for title, sheet in sheets.items()
    }
    return Macros(VbaProject({"Epochs": source}), buttons)


def _write_data(workbook: Workbook, cells: SheetCells, data: DataSheet, line: Line) -> Chart:
    cells.put(data.heading, "title", [["The points"]])
    cells.put(data.note, "note", [["Every optimizer starts from y = x + 1 and looks for this line. Change it!"]])
    cells.put(data.labels, "plain", [["slope"], ["intercept"], ["points"]])
    cells.put(data.slope, "setting", [[line.slope]])
    cells.put(data.intercept, "setting", [[line.intercept]])
    cells.put(data.headers, "header", [["x", "y"]])
    cells.put(data.x, "setting", [[x] for x in line.x])
    cells.fill(data.points, "derived", data.formulas[data.points], [len(line.x)])
    cells.fill(data.y, "derived", data.formulas[data.y], line.y)
    for name, address in data.names.items():
        workbook.defined_names.add(gradient_name(name, address))
    worksheet = workbook[data.title]
    set_widths(worksheet, {data.labels: 16, data.slope: 10, data.headers: 9, data.angles: 8, data.contours: 10})
    worksheet.freeze_panes = data.freeze
    worksheet.print_area = data.page.address
    fit_to_page(worksheet)
    worksheet.page_setup.fitToHeight = int(len(line.x) <= _ON_ONE_PAGE)
    points = (on_sheet(data.title, data.x), line.x), (on_sheet(data.title, data.y), line.y)
    return Chart("The points", "x", "y", [Curve("points", *points, size=6, joined=False)], data.chart)


def _write_contours(cells: SheetCells, data: DataSheet, sgd: OptimizerSheet, contours: Contours) -> None:
    """Write the line of least squares and, right of the chart, the lines of equal error around it."""
    cells.put(data.fit_note, "group", [["the line with the least error"]])
    cells.put(
        data.fit_labels, "plain", [["slope"], ["intercept"], ["mean of x"], ["variance of x"], ["outermost RMSE"]]
    )
    starts = [on_sheet(sgd.title, sgd.input(i)) for i in range(2)]
    for i, (formula, value) in enumerate(zip(data.fit_formulas(*starts), contours.fit, strict=True)):
        cells.fill(data.fit.row(i), "fitted", formula, [value])
    note = "Lines of equal error around the goal, for the charts of paths. Above each: its RMSE, where the goal's is 0."
    cells.put(data.contour_note, "note", [[note]])
    cells.put(data.contour_headers, "header", [["angle", *(["a", "b"] * N_CONTOURS)]])
    angles = [2 * math.pi * i / N_CORNERS for i in range(N_CORNERS + 1)]
    cells.fill(data.angles, "looked_up", data.angle_formula, angles)
    for i, (level, corners) in enumerate(zip(contours.levels, contours.corners, strict=True)):
        cells.fill(data.levels.column(2 * i), "fitted", data.level_formula(i), [level])
        for side, (formula, values) in enumerate(zip(data.contour_formulas(i), corners, strict=True)):
            cells.fill(data.contours.column(2 * i + side), "weight", formula, values)
