"""Where everything is on the sheets of gradient descent, and what the formulas say. No other module knows a cell."""

from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from cf_excel.sheets.bands import Area, Bands, MaybeArea, meeting
from cf_excel.xlsx.cells import Block, cell, on_sheet, one_cell

FAR = 1e15  # beyond that a weight is held, so that a learning rate that is too high makes no #NUM!
N_STATE = 6
N_INPUTS = 8
HISTORY_ROWS = 100  # epochs that the buttons can run before a reset
N_CONTOURS = 4
N_CORNERS = 48  # of a contour
MOST_CHARTED = 2000  # steps: more points slow every program down

_BEFORE_STATE = ("epoch", "step", "x", "y", "b", "a", "prediction", "error", "de_db", "de_da")
_NEW_B = len(_BEFORE_STATE) + N_STATE + 1
_HISTORY = _NEW_B + 3
_INPUTS_TOP = 5
_RESULT = _INPUTS_TOP + N_INPUTS + 2
_HEADER = _RESULT + 3
_WIDTH, _STATE_WIDTH, _NARROW = 9.5, 12.0, 1.5  # of columns, in characters
_SCREEN = 1340 / 7.3  # what a screen of 1,400 pixels shows of a sheet, in characters

RUNAWAY = 10  # a learning rate is too high where the RMSE is so many times what it was at the start, and above so much
RUNS_AWAY = "The error grows instead of falling: the learning rate is too high. Try a tenth of it."
HISTORY_FULL = "The history is full: press Reset to start again."


@dataclass(frozen=True)
class DataSheet:
    """The sheet `data`: the line at the left, its points beside."""

    n_points: int
    title: str = "data"

    heading = one_cell(1, 1)
    note = one_cell(2, 1)
    labels = Block(4, 1, 6, 1)
    slope = one_cell(4, 2)
    intercept = one_cell(5, 2)
    points = one_cell(6, 2)  # the number of points
    headers = Block(4, 4, 4, 5)
    chart = Block(4, 7, 22, 14)  # the cells under the chart
    fit_note = one_cell(8, 1)
    fit_labels = Block(9, 1, 13, 1)
    fit = Block(9, 2, 13, 2)  # slope and intercept of least squares, mean and variance of x, reach of the contours
    contour_note = one_cell(2, 16)
    levels = Block(3, 17, 3, 16 + 2 * N_CONTOURS)  # above a and b of each contour the RMSE that it adds to the least
    contour_headers = Block(4, 16, 4, 16 + 2 * N_CONTOURS)
    angles = Block(5, 16, 5 + N_CORNERS, 16)
    contours = Block(5, 17, 5 + N_CORNERS, 16 + 2 * N_CONTOURS)
    freeze = cell(5, 1)  # top left cell of what scrolls

    @property
    def best(self) -> tuple[Block, Block]:
        """The cells with slope and intercept of the least error."""
        return self.fit.row(0), self.fit.row(1)

    @property
    def page(self) -> Block:
        """What is printed: all but the contours."""
        return Block(1, 1, max(self.x.bottom, self.chart.bottom), self.chart.right)

    @property
    def x(self) -> Block:
        return Block(5, 4, self.n_points + 4, 4)

    @property
    def y(self) -> Block:
        return Block(5, 5, self.n_points + 4, 5)

    @property
    def formulas(self) -> dict[Block, str]:
        return {self.points: f"COUNT({self.x.span()})", self.y: f"slope*{self.x.first}+intercept"}

    def fit_formulas(self, start_b: str, start_a: str) -> list[str]:
        """Return the formulas of the cells `fit`; start_b, start_a: addresses of the weights before the first step."""
        x, y = self.x.span(), self.y.span()
        slope, intercept, mean, variance = (self.fit.row(i).first for i in range(4))
        away = f"ABS({start_a}-{slope})+ABS({start_b}-{intercept})/SQRT({variance}+{mean}^2)"
        return [
            f"IF({variance}=0,slope,SLOPE({y},{x}))",
            f"AVERAGE({y})-{slope}*{mean}",
            f"AVERAGE({x})",
            f"DEVSQ({x})/points",
            f"IF({variance}=0,0,SQRT({variance})*({away})/2)",
        ]

    @property
    def angle_formula(self) -> str:
        """Formula of a corner's angle, a turn from the first to the last."""
        return f"2*PI()*(ROW()-{self.angles.top})/{N_CORNERS}"

    def level_formula(self, i: int) -> str:
        """Return the formula of a contour's level, counted from 0: they divide the reach evenly."""
        return f"{self.fit.row(4).first}*{i + 1}/{N_CONTOURS}"

    def contour_formulas(self, i: int) -> tuple[str, str]:
        """Return the formulas of a and b in the first corner of a contour, counted from 0.

        The mean of (a*x+b-y)^2 is its least plus variance(x)*da^2 + (mean(x)*da+db)^2: an ellipse for each level.
        """
        slope, intercept, mean, variance = (self.fit.row(i).fixed for i in range(4))
        angle, level = cell(5, 16, fix_column=True), self.levels.column(2 * i).fixed
        a = cell(5, 17 + 2 * i)
        return (
            f"{slope}+IF({variance}=0,0,{level}/SQRT({variance})*COS({angle}))",
            f"{intercept}-{mean}*({a}-{slope})+{level}*SIN({angle})",
        )

    @property
    def names(self) -> dict[str, str]:
        """Names that every sheet of the workbook knows."""
        return {name: on_sheet(self.title, getattr(self, name)) for name in ("slope", "intercept", "points")}


@dataclass(frozen=True)
class OptimizerSheet:
    """The sheet of an optimizer: inputs and charts on top, one row a point below, RMSE and weights by epoch beside.

    state: names of the state's columns, in the groups that are filled from one formula, as b and a are. With buttons
    the rows are one epoch, and the history is blank until the buttons fill it.
    """

    title: str
    state: tuple[tuple[str, ...], ...]
    n_points: int
    n_epochs: int
    with_buttons: bool = False

    @property
    def epoch_ends(self) -> tuple[float, float] | None:
        """Where an axis of epochs begins and ends; None where the buttons will run more of them."""
        return None if self.with_buttons else (0, self.n_epochs)

    @cached_property
    def rows(self) -> Bands:
        body = Bands(top=_HEADER - 2, groups=1, headers=1, start=1, steps=self.n_points * self.n_epochs)
        return body | Bands(above=_HEADER + 1, history=HISTORY_ROWS if self.with_buttons else self.n_epochs)

    @cached_property
    def columns(self) -> Bands:
        before = dict.fromkeys(self.column_names[:-2], 1)
        return Bands(**before, unused=_NEW_B - 1 - len(before), new_b=1, new_a=1, gap=1, history=4)

    @cached_property
    def column_names(self) -> list[str]:
        return [*_BEFORE_STATE, *(name for group in self.state for name in group), "new_b", "new_a"]

    heading = one_cell(1, 1)
    rule = one_cell(2, 1)
    status = one_cell(3, 1)  # the sentence that says when a learning rate is too high
    result_note = one_cell(_RESULT - 2, 1)  # the line that says which epoch the result is of
    result_labels = Block(_RESULT - 1, 1, _RESULT - 1, 4)
    result = Block(_RESULT, 1, _RESULT, 4)  # epoch, RMSE, and the weights after the last rows
    headers = Area("headers", "epoch new_a")
    steps = Area("steps", "epoch new_a")  # one row a point, epoch below epoch
    # the row that the first one starts from: blank but for the weights. It holds what the buttons carry over
    start = Area("start", "epoch new_a")
    start_point = Area("start", "step y")
    start_numbers = Area("start", "b unused")  # what follows in that row, up to its weights
    start_weights = Area("start", "new_b new_a")
    unused = MaybeArea("headers steps", "unused")  # state columns that this optimizer has no use for
    history_headers = Area("headers", "history")
    history_start = Area("start", "history")  # epoch 0: the RMSE and the weights before the first step
    history = Area("history", "history")  # epoch, RMSE, and the weights after it, from epoch 1

    def input_label(self, index: int) -> Block:
        """Return the label of an input cell, counted from 0."""
        return one_cell(_INPUTS_TOP + index, 1)

    def input(self, index: int) -> Block:
        """Return an input cell, counted from 0."""
        return one_cell(_INPUTS_TOP + index, 4)

    def button(self, index: int) -> Block:
        """Return the cells under a button, counted from 0."""
        top = _INPUTS_TOP + 3 * index
        return Block(top, 6, top + 1, 7)

    @property
    def freeze(self) -> str | None:
        """Top left cell of what scrolls; with buttons all does: LibreOffice's mouse doesn't reach frozen ones."""
        return None if self.with_buttons else self.start.first

    @property
    def widths(self) -> dict[Block, float]:
        """The width of every column, in characters."""
        wide = {name: _STATE_WIDTH for group in self.state for name in group}
        widths = {self.column(name): wide.get(name, _WIDTH) for name in self.column_names}
        if self.unused:
            widths[self.unused] = _NARROW
        return widths | {meeting(self, "headers", "gap"): 2 * _NARROW, self.history_headers: _WIDTH}

    def charts(self, n: int) -> list[Block]:
        """Return the cells under n charts side by side, as wide as a screen that shows the first column."""
        top, left = _INPUTS_TOP - 1, 9 if self.with_buttons else 6
        by_column = {column: width for b, width in self.widths.items() for column in range(b.left, b.right + 1)}
        edges = list(accumulate((by_column[column] for column in sorted(by_column)), initial=0.0))
        last = max(column for column in by_column if edges[column] <= _SCREEN)
        wanted = [edges[left - 1] + (edges[last] - edges[left - 1]) * i / n for i in range(n + 1)]
        cuts = [min(by_column, key=lambda column: abs(edges[column] - want)) for want in wanted]
        return [Block(top, cuts[i] + 1, _RESULT, cuts[i + 1]) for i in range(n)]

    @property
    def written(self) -> dict[Block, Block]:
        """What the reader writes in an exercise, all that follows from the weights before: blocks, and their checks."""
        singles = ("prediction", "error", "de_db", "de_da")
        blocks = [self.column(*names) for names in [*((one,) for one in singles), *self.state, ("new_b", "new_a")]]
        return {block: one_cell(_HEADER - 2, block.left) for block in blocks}

    check_note = one_cell(_HEADER - 2, 1)  # the line that says what the checks are

    @property
    def groups(self) -> dict[str, Block]:
        """Names above the headers of what belongs together."""
        starts = {"weights before": 5, "gradients": 9, "state": 11, "weights after": _NEW_B, "by epoch": _HISTORY}
        return {name: one_cell(_HEADER - 1, column) for name, column in starts.items()}

    def column(self, *names: str) -> Block:
        """Return the rows of a column, or of columns that stand side by side."""
        return meeting(self, "steps", f"{names[0]} {names[-1]}")

    def charted(self, column: int) -> Block:
        """Return a column of the history, counted from 0, with epoch 0."""
        history = self.history.column(column)
        return Block(history.top - 1, history.left, history.bottom, history.left)

    def charted_steps(self, name: str, n: int, *, with_start: bool = False) -> Block:
        """Return the first n rows of a column; with_start: with the row before them."""
        column = self.column(name)
        return Block(column.top - with_start, column.left, column.top + n - 1, column.left)

    @property
    def n_charted_steps(self) -> int:
        """How many rows a chart shows."""
        return min(self.steps.n_rows, MOST_CHARTED)

    def filled(self, formula: str) -> str:
        """Put the addresses of the first row into a formula that names columns in braces.

        What b and a have each of their own moves on where the formula for b is filled into the column of a.
        """
        pairs = {"b", "a", "de_db", "de_da", "new_b", "new_a"}
        pairs.update(name for group in self.state if len(group) > 1 for name in group)

        def addresses(row: int) -> dict[str, str]:
            return {n: cell(row, self.columns[n][0], fix_column=n not in pairs) for n in self.column_names}

        return formula.format(**addresses(self.steps.top), above=addresses(self.steps.top - 1))

    def row_formulas(self, data: DataSheet) -> dict[Block, str]:
        """Return the formulas that every optimizer has, by block; the state and the new weights are its own."""
        points = f"{data.title}!{data.x.span(fix_rows=True)}"
        return {
            self.column("epoch"): self.filled("1+INT(({step}-1)/points)"),
            self.column("step"): self.filled("{above[step]}+1"),
            self.column("x", "y"): f"INDEX({points}," + self.filled("{step}-({epoch}-1)*points)"),
            self.column("b", "a"): self.filled("MEDIAN(-1E+15,{above[new_b]},1E+15)"),
            self.column("prediction"): self.filled("{a}*{x}+{b}"),
            self.column("error"): self.filled("{prediction}-{y}"),
            self.column("de_db"): self.filled("2*{error}"),
            self.column("de_da"): self.filled("{x}*{de_db}"),
        }

    def result_formulas(self) -> list[str]:
        """Return the formulas of the result cells, from the rows of the last epoch."""
        errors, last = self.column("error"), self.steps.bottom
        last_errors = Block(last - self.n_points + 1, errors.left, last, errors.right)
        weights = [cell(last, _NEW_B), cell(last, _NEW_B + 1)]
        return [cell(last, 1), f"SQRT(SUMSQ({last_errors.span()})/points)", *weights]

    def history_start_formulas(self, data: DataSheet) -> list[str]:
        """Return the formulas of RMSE, b and a before the first step."""
        x, y = on_sheet(data.title, data.x), on_sheet(data.title, data.y)
        return [f"SQRT(SUMPRODUCT((start_a*{x}+start_b-{y})^2)/points)", "start_b", "start_a"]

    def history_formulas(self) -> list[str]:
        """Return the formulas of RMSE, b and a in the first row of the history; the others follow by filling."""
        epoch = cell(self.history.top, _HISTORY)
        rows = {name: self.column(name).span(fix_rows=True) for name in ("epoch", "error", "new_b", "new_a")}
        return [
            f"SQRT(SUMPRODUCT(({rows['epoch']}={epoch})*{rows['error']}^2)/points)",
            f"INDEX({rows['new_b']},{epoch}*points)",
            f"INDEX({rows['new_a']},{epoch}*points)",
        ]

    @property
    def status_formula(self) -> str:
        """Formula of the sentence that says what is wrong, blank where nothing is."""
        rmse, before = self.result.column(1).first, self.history_start.column(1).first
        otherwise = '""'
        if self.with_buttons:
            otherwise = f'IF(COUNT({self.history.column(0).span()})={HISTORY_ROWS},"{HISTORY_FULL}","")'
        return f'IF({rmse}>{RUNAWAY}*MAX(1,{before}),"{RUNS_AWAY}",{otherwise})'

    @property
    def macro_names(self) -> dict[str, str]:
        """Names by which the macros find their cells."""
        start, last = self.start, self.steps.row(self.steps.n_rows - 1)
        blocks = {
            "carried": Block(start.top, 2, start.bottom, start.right),
            "carried_weights": self.start_weights,
            "last_row": Block(last.top, 2, last.bottom, last.right),
            "epoch_result": self.result,
            "history": self.history,
        }
        return {name: on_sheet(self.title, block) for name, block in blocks.items()}

    @property
    def page(self) -> Block:
        """What one printed page shows: everything on top, and as much of the first epoch as stays readable."""
        n_rows = min(self.steps.n_rows, max(self.n_points, self.history.n_rows), 40)
        return Block(1, 1, _HEADER + 1 + n_rows, _HISTORY + 3)


@dataclass(frozen=True)
class ComparisonChart:
    """The chart of the first sheet, right of its text."""

    first_line: int  # beside which it begins, counted from 0

    @property
    def place(self) -> Block:
        """The cells under the chart."""
        return Block(self.first_line + 1, 5, self.first_line + 11, 10)
