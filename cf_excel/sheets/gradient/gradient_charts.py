"""The charts of gradient descent: RMSE by epoch, the path of the weights over contours of the error, rates, losses."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from cf_excel.sheets.gradient.descent import Contours, Descent
from cf_excel.sheets.gradient.gradient_layout import DataSheet, OptimizerSheet
from cf_excel.sheets.gradient.optimizers import OPTIMIZERS, Optimizer
from cf_excel.xlsx.cells import Block, on_sheet
from cf_excel.xlsx.write.charts import BLUE, RED, Chart, Curve

COLORS = (BLUE, "F57C00", "388E3C", "8E24AA", RED, "0097A7", "6D4C41")
_PALE = "B0BEC5"
_FIRST_EPOCHS = 5  # later ones look like these
_EPOCH, _RMSE, _B, _A = range(4)  # columns of the history


@dataclass(frozen=True)
class GradientCharts:
    """Makes the charts of a workbook from its sheets and what their formulas give, both by title."""

    data: DataSheet
    sheets: dict[str, OptimizerSheet]
    descents: dict[str, Descent]
    contours: Contours

    def of(self, optimizer: Optimizer) -> list[Chart]:
        """Return the charts of an optimizer's sheet."""
        sheet = self.sheets[optimizer.title]
        makers: dict[str, Callable[[OptimizerSheet, Block], Chart]] = {
            "rmse": self._rmse,
            "path": self._path,
            "paths": self._paths,
            "slopes": self._slopes,
            "rate": self._rate,
            "losses": self._losses,
        }
        # beside the buttons there is room for two
        names = optimizer.charts[:2] if sheet.with_buttons else optimizer.charts
        return [makers[name](sheet, place) for name, place in zip(names, sheet.charts(len(names)), strict=True)]

    def comparison(self, place: Block) -> Chart:
        """Return the RMSE of all optimizers by epoch."""
        compared = (optimizer.title for optimizer in OPTIMIZERS if optimizer.compared)
        curves = [
            self._by_epoch(title, (_EPOCH, _RMSE), title, color, 3)
            for title, color in zip(compared, COLORS, strict=True)
        ]
        ends = self.sheets["sgd"].epoch_ends
        return Chart("RMSE by epoch", "epoch", "RMSE", curves, place, logarithmic="y", x_ends=ends, legend_at="b")

    def _rmse(self, sheet: OptimizerSheet, place: Block) -> Chart:
        rmse = self._by_epoch(sheet.title, (_EPOCH, _RMSE), "RMSE", BLUE)
        return Chart("RMSE by epoch", "epoch", "RMSE", [rmse], place, x_ends=sheet.epoch_ends)

    def _path(self, sheet: OptimizerSheet, place: Block) -> Chart:
        path = self._by_epoch(sheet.title, (_A, _B), "weights", BLUE)
        title = "Path of the weights, goal in red"
        return Chart(title, "a", "b", [*self._around_the_goal(), path], place, has_legend=False)

    def _paths(self, sheet: OptimizerSheet, place: Block) -> Chart:
        """Draw both paths by step, which shows how momentum swings; by epoch where buttons keep epochs alone."""
        looks = {sheet.title: (BLUE, 6.0), "sgd": (COLORS[1], 1.5)}  # they overlap
        if sheet.with_buttons:
            paths = [self._by_epoch(title, (_A, _B), title, color) for title, (color, _) in looks.items()]
        else:
            paths = [
                replace(
                    self._by_step(title, ("new_a", "new_b"), title, color, with_start=True),
                    width=width,
                    is_sheer=title != "sgd",
                )
                for title, (color, width) in looks.items()
            ]
        title = "Paths over lines of equal error"
        return Chart(title, "a", "b", [*self._around_the_goal(), *paths], place, has_legend=True, legend_at="b")

    def _slopes(self, sheet: OptimizerSheet, place: Block) -> Chart:
        """Draw how both come to the slope, in the first epochs."""
        n = min(sheet.n_charted_steps, _FIRST_EPOCHS * sheet.n_points)
        titles = {sheet.title: BLUE, "sgd": COLORS[1]}
        curves = [self._by_step(title, ("step", "new_a"), title, color, n=n) for title, color in titles.items()]
        return Chart("Slope a by step", "step", "a", curves, place, x_ends=(0, n), has_legend=True, legend_at="b")

    def _rate(self, sheet: OptimizerSheet, place: Block) -> Chart:
        rate = self._by_step(sheet.title, ("step", "rate"), "rate", BLUE)
        ends = None if sheet.with_buttons else (0, sheet.n_charted_steps)
        return Chart("Learning rate by step", "step", "rate", [rate], place, x_ends=ends)

    def _losses(self, sheet: OptimizerSheet, place: Block) -> Chart:
        n = min(sheet.n_charted_steps, _FIRST_EPOCHS * sheet.n_points)
        curves = [
            self._by_step(sheet.title, ("step", "loss"), "loss", _PALE, size=3, joined=False, n=n),
            self._by_step(sheet.title, ("step", "average"), "average", COLORS[1], n=n),
            self._by_step(sheet.title, ("step", "debiased"), "debiased average", BLUE, n=n),
        ]
        title = "Loss by step, its running average, and that debiased"
        ends = None if sheet.with_buttons else (0, n)
        return Chart(title, "step", "loss", curves, place, logarithmic="y", x_ends=ends, legend_at="b")

    def _by_epoch(self, title: str, columns: tuple[int, int], name: str, color: str, size: int = 4) -> Curve:
        """Return two columns of the history as a curve; what the buttons will fill is blank."""
        sheet, descent = self.sheets[title], self.descents[title]
        history = [list(map(float, range(len(descent.rmse)))), descent.rmse, descent.b, descent.a]
        n = 1 if sheet.with_buttons else None
        x, y = ((on_sheet(title, sheet.charted(column)), history[column][:n]) for column in columns)
        return Curve(name, x, y, color, size)

    def _by_step(
        self,
        title: str,
        columns: tuple[str, str],
        name: str,
        color: str,
        *,
        size: int = 0,
        joined: bool = True,
        with_start: bool = False,
        n: int | None = None,
    ) -> Curve:
        """Return two columns of the rows as a curve, of the first n where they are many."""
        sheet, descent = self.sheets[title], self.descents[title]
        n = n or sheet.n_charted_steps
        start = {"new_b": descent.b[0], "new_a": descent.a[0]}
        x, y = (
            (
                on_sheet(title, sheet.charted_steps(column, n, with_start=with_start)),
                [*([start[column]] if with_start else []), *(row[column] for row in descent.rows[:n])],
            )
            for column in columns
        )
        return Curve(name, x, y, color, size, joined)

    def _around_the_goal(self) -> Iterable[Curve]:
        """Yield the lines of equal error, and their centre."""
        data, found = self.data, self.contours
        for i, (a, b) in enumerate(found.corners):
            x, y = (on_sheet(data.title, data.contours.column(2 * i + side)) for side in (0, 1))
            yield Curve(f"equal error {i + 1}", (x, a), (y, b), _PALE, size=0, width=0.75, in_legend=False)
        slope, intercept = (on_sheet(data.title, block) for block in data.best)
        yield Curve("goal", (slope, found.fit[:1]), (intercept, found.fit[1:2]), RED, size=8, joined=False)
