"""The points, and what every row of an optimizer's sheet holds, computed as the sheet computes it."""

import math
import random
from dataclasses import dataclass

from cf_excel.sheets.gradient.gradient_layout import FAR, N_CONTOURS, N_CORNERS
from cf_excel.sheets.gradient.optimizers import Optimizer, Row

START = {"start_b": 1.0, "start_a": 1.0}


@dataclass(frozen=True)
class Line:
    """The points that the optimizers learn: x drawn from 1 to 100, y = slope * x + intercept."""

    slope: float
    intercept: float
    x: list[int]

    @classmethod
    def draw(cls, n_points: int, slope: float, intercept: float, seed: int) -> "Line":
        """Draw the points; the same seed gives the same points in every version of Python."""
        rng = random.Random(seed)
        return cls(slope, intercept, [1 + int(rng.random() * 100) for _ in range(n_points)])

    @property
    def y(self) -> list[float]:
        return [self.slope * x + self.intercept for x in self.x]


@dataclass(frozen=True)
class Contours:
    """Ellipses of equal error around the best weights, as the sheet `data` computes them.

    fit: slope and intercept of least squares, mean and variance of x, reach of the outermost. levels: RMSE that each
    adds to the least. corners: of each ellipse, a and b.
    """

    fit: list[float]
    levels: list[float]
    corners: list[tuple[list[float], list[float]]]


def find_contours(line: Line) -> Contours:
    """Return the contours around the line; the outermost comes about as far as the start."""
    n, x, slope = len(line.x), line.x, line.slope
    mean = math.fsum(x) / n
    variance = math.fsum((one - mean) ** 2 for one in x) / n
    away = abs(START["start_a"] - slope) + abs(START["start_b"] - line.intercept) / math.sqrt(variance + mean**2)
    reach = math.sqrt(variance) * away / 2
    levels = [reach * (i + 1) / N_CONTOURS for i in range(N_CONTOURS)]
    turns = [2 * math.pi * i / N_CORNERS for i in range(N_CORNERS + 1)]
    corners = []
    for level in levels:
        a = [slope + (level / math.sqrt(variance) * math.cos(turn) if variance else 0.0) for turn in turns]
        b = [line.intercept - mean * (one - slope) + level * math.sin(turn) for one, turn in zip(a, turns, strict=True)]
        corners.append((a, b))
    return Contours([slope, line.intercept, mean, variance, reach], levels, corners)


@dataclass(frozen=True, repr=False)
class Descent:
    """Rows of all epochs, and by epoch from 0 (the start) the RMSE and the weights after it."""

    rows: list[Row]
    rmse: list[float]
    b: list[float]
    a: list[float]

    def __str__(self) -> str:
        line = f"y = {self.a[-1]:.3f} * x + {self.b[-1]:.3f}"
        return f"RMSE {self.rmse[-1]:.6f} after {len(self.rmse) - 1} epochs, {line}"

    def __repr__(self) -> str:
        return f"<Descent: {self}>"


def descend(optimizer: Optimizer, line: Line, n_epochs: int) -> Descent:
    """Run an optimizer over the points, one step a point, in their order."""
    inputs = {**START, **optimizer.inputs, "points": len(line.x)}
    points = list(zip(line.x, line.y, strict=True))
    b, a = inputs["start_b"], inputs["start_a"]
    above: Row = dict.fromkeys(optimizer.state_names, 0.0) | {"step": 0, "new_b": b, "new_a": a}
    descent = Descent([], [_rmse([a * x + b - y for x, y in points])], [b], [a])
    for epoch in range(1, n_epochs + 1):
        for x, y in points:
            row: Row = {"epoch": epoch, "step": above["step"] + 1, "x": x, "y": y}
            row["b"], row["a"] = (min(max(-FAR, above[f"new_{w}"]), FAR) for w in "ba")
            row["prediction"] = row["a"] * x + row["b"]
            row["error"] = row["prediction"] - y
            row["de_db"] = 2 * row["error"]
            row["de_da"] = x * row["de_db"]
            optimizer.step(row, above, inputs)
            descent.rows.append(row)
            above = row
        descent.rmse.append(_rmse([row["error"] for row in descent.rows[-len(points) :]]))
        descent.b.append(above["new_b"])
        descent.a.append(above["new_a"])
    return descent


def unwritten(descent: Descent) -> Descent:
    """Return what a sheet shows while the columns that follow from the weights before are blank."""
    blank = dict.fromkeys(descent.rows[0].keys() - {"epoch", "step", "x", "y", "b", "a"}, math.nan)
    first, *others = ({**row, **blank} for row in descent.rows)
    rows = [first, *({**row, "b": 0.0, "a": 0.0} for row in others)]
    rmse, b, a = ([history[0], *[0.0] * (len(history) - 1)] for history in (descent.rmse, descent.b, descent.a))
    return Descent(rows, rmse, b, a)


def _rmse(errors: list[float]) -> float:
    return math.sqrt(math.fsum(error * error for error in errors) / len(errors))
