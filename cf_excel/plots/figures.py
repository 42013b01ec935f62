"""The lesson's pictures of a trained model and the scoreboard, as matplotlib figures and as PNG and SVG files."""

import io
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from cf_excel.errors import InputError
from cf_excel.files import make_folder, replacing
from cf_excel.model.lookup import short_title
from cf_excel.plots.labels import NEAR, line_to, place_labels
from cf_excel.ratings.nouns import USUAL_NOUNS, Nouns, capital
from cf_excel.written import PLACE, sealed

try:
    from matplotlib import rc_context
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import PowerNorm
    from matplotlib.figure import Figure
except ImportError:
    raise InputError("plots need matplotlib: run python -m pip install matplotlib") from None

DPI = 110
JOINT_SIZE = (8, 7.4)  # inches
_BLUE, _ORANGE, _GREY = "#3b6fb6", "#d1702c", "#8a8a8a"


class ShownFigure(Figure):
    """A figure that a notebook shows as a picture, also where pyplot was never loaded."""

    def _repr_png_(self) -> bytes:
        picture = io.BytesIO()
        self.savefig(picture, format="png")
        return picture.getvalue()


def plot_predictions(
    predictions: np.ndarray, ratings: np.ndarray, heading: str, figure: Figure | None = None
) -> Figure:
    """Return a joint plot: hexagons count predictions (across) against ratings (up), histograms stand at the margins.

    predictions, ratings: (n,), in rating units; heading says which rows they are. figure: an empty one to draw in.
    """
    with _drawing():
        figure = figure or ShownFigure(figsize=JOINT_SIZE, layout="constrained")
        figure.suptitle(heading)
        grid = figure.add_gridspec(2, 3, width_ratios=(6, 1, 0.25), height_ratios=(1, 6))
        joint = figure.add_subplot(grid[1, 0])
        top, right = figure.add_subplot(grid[0, 0], sharex=joint), figure.add_subplot(grid[1, 1], sharey=joint)
        low, high = min(predictions.min(), ratings.min()), max(predictions.max(), ratings.max())
        step = _rating_step(ratings)
        margin = step / 2 if high > low else 0.5
        low, high = low - margin, high + margin
        # Hexagons stand in two interleaved grids: with rows two steps apart, each rating has a row of its own.
        n_rows = max(1, math.ceil((ratings.max() - ratings.min()) / (2 * step) - 1e-6))
        extent = (low, high, ratings.min(), ratings.min() + 2 * step * n_rows)
        hexagons = joint.hexbin(
            predictions, ratings, gridsize=(24, n_rows), extent=extent, mincnt=1, cmap="Blues", norm=PowerNorm(0.5)
        )
        joint.plot((low, high), (low, high), "--", color=_ORANGE, linewidth=1, label="prediction = rating")
        joint.legend(loc="upper left", frameon=False)
        joint.set(xlabel="prediction", ylabel="rating", xlim=(low, high), ylim=(low, high))
        top.hist(predictions, bins=60, range=(low, high), color=_BLUE)
        levels, counts = np.unique(ratings, return_counts=True)
        right.barh(levels, counts, height=0.8 * step, color=_BLUE)
        top.tick_params(labelbottom=False, labelleft=False, left=False)
        top.spines["left"].set_visible(False)
        right.tick_params(labelleft=False, left=False)
        right.tick_params(axis="x", labelrotation=90)
        figure.colorbar(hexagons, cax=figure.add_subplot(grid[1, 2]), label="ratings in a hexagon")
    return figure


def plot_biases(titles: np.ndarray, biases: np.ndarray, n: int = 15, nouns: Nouns = USUAL_NOUNS) -> Figure:
    """Return bars of the n lowest and the n highest movie biases, (n_movies,), before the sigmoid, with titles."""
    titles, biases = np.asarray(titles), np.asarray(biases)
    order = np.argsort(biases, kind="stable")
    n = min(n, max(1, len(order) // 2))
    worst, best = order[:n], order[::-1][:n]
    with _drawing():
        figure = ShownFigure(figsize=(12, 0.3 * n + 1.6), layout="constrained")
        what = f"{capital(nouns.movie)} biases: liked less or more than their factors say"
        figure.suptitle(f"{what}, of the {len(titles):,} most rated")
        limit = 1.08 * max(np.abs(biases).max(), 1e-6)
        for axes, rows, color, name in zip(
            figure.subplots(1, 2), (worst, best), (_ORANGE, _BLUE), ("lowest", "highest"), strict=True
        ):
            axes.barh(range(len(rows)), biases[rows], color=color)
            axes.set_yticks(range(len(rows)), [_label(titles[row]) for row in rows])
            axes.invert_yaxis()
            axes.tick_params(axis="y", length=0)
            axes.set(title=f"{name} {len(rows)}", xlabel="bias", xlim=_side(biases[rows], limit))
    return figure


def plot_scoreboard(scores: dict[str, list[tuple[str, float]]]) -> Figure:
    """Return bars of the MSE (squared rating units) of every system, a panel for each split, the best first."""
    n = max(map(len, scores.values()))
    with _drawing():
        figure = ShownFigure(figsize=(4.6 * len(scores) + 1, 0.32 * n + 1.4), layout="constrained")
        figure.suptitle("Mean squared error on ratings that the models did not see; shorter is better")
        for axes, (split, rows) in zip(np.atleast_1d(figure.subplots(1, len(scores))), scores.items(), strict=True):
            rows = sorted(rows, key=lambda row: row[1])
            values = [value for _, value in rows]
            colors = [_BLUE if name.startswith("bayes") else _GREY for name, _ in rows]
            bars = axes.barh(range(len(rows)), values, color=colors)
            axes.bar_label(bars, [f"{value:.3f}" for value in values], padding=3)
            axes.set_yticks(range(len(rows)), [name for name, _ in rows])
            axes.invert_yaxis()
            axes.tick_params(axis="y", length=0)
            axes.set(title=split, xlabel="MSE", xlim=(0, 1.15 * max(*values, 1e-6)))
    return figure


def plot_map(titles: np.ndarray, positions: np.ndarray, nouns: Nouns = USUAL_NOUNS) -> Figure:
    """Return a map of movies at positions (n, 2), with titles that don't collide."""
    positions = np.asarray(positions)
    with _drawing():
        figure = ShownFigure(figsize=(13, 9.5), dpi=DPI, layout="constrained")
        axes = figure.add_subplot()
        axes.set(title=f"{capital(nouns.movies)} by the first two principal components of their factors")
        axes.set(xlabel="component 1", ylabel="component 2")
        axes.margins(0.08)
        axes.scatter(positions[:, 0], positions[:, 1], s=14, color=_BLUE, zorder=3)
        figure.draw_without_rendering()  # settles the layout, which places of titles depend on
        _write_titles(figure, axes, [_label(title) for title in titles], positions)
    return figure


def principal_components(factors: np.ndarray, n: int = 3) -> np.ndarray:
    """Return the positions (n_movies, n) of movie factors along the n directions in which they differ most.

    By singular value decomposition of the centred factors; the longest entry of each direction is positive.
    """
    centred = factors.astype(np.float64) - factors.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    directions = directions[:n]
    longest = np.abs(directions).argmax(axis=1)
    directions *= np.sign(directions[np.arange(len(directions)), longest])[:, None]
    positions = centred @ directions.T
    return np.pad(positions, ((0, 0), (0, n - positions.shape[1])))


def save_figure(figure: Figure, path: Path | str) -> list[Path]:
    """Write a figure as path.png and path.svg, each whole or not at all, and return both paths.

    Raises FileError where they can't be written.
    """
    path = Path(path)
    make_folder(path.parent)
    written = []
    for ending, metadata in (
        ("png", {"Software": None, "Comment": PLACE}),
        ("svg", {"Date": None, "Creator": None, "Identifier": PLACE}),
    ):
        target = path.with_name(f"{path.name}.{ending}")
        picture = io.BytesIO()
        with _drawing():
            figure.savefig(picture, format=ending, dpi=DPI, metadata=metadata)
        with replacing(target) as temporary:
            temporary.write_bytes(sealed(picture.getvalue()))
        written.append(target)
    return written


def _label(title: str) -> str:
    return short_title(title, 50).replace("$", r"\$")  # a pair of $ would be read as a formula


def _rating_step(ratings: np.ndarray) -> float:
    """Return the distance between neighbouring ratings, so that each has a row of hexagons; else a thirtieth of all."""
    levels = np.unique(ratings)
    if len(levels) < 2:
        return 1.0
    return float(max(np.diff(levels).min(), (levels[-1] - levels[0]) / 30))


def _side(biases: np.ndarray, limit: float) -> tuple[float, float]:
    low = -limit if biases.min() < 0 else 0.0
    return low, limit if biases.max() > 0 or low == 0 else 0.0


@contextmanager
def _drawing() -> Iterator[None]:
    """Set the style, and let a box stand for a letter that the font lacks without a warning."""
    with (
        rc_context({"svg.hashsalt": "cf_excel", "axes.spines.top": False, "axes.spines.right": False, "font.size": 10}),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def _write_titles(figure: Figure, axes: Axes, titles: list[str], positions: np.ndarray) -> None:
    """Write each title by its point, with a line where it stands farther off; leave it out where there is no room."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    texts = [
        axes.annotate(title, xy, (0, 0), textcoords="offset points", fontsize=9, va="bottom")
        for title, xy in zip(titles, positions, strict=True)
    ]
    boxes = [text.get_window_extent(renderer) for text in texts]
    sizes = np.array([(box.width, box.height) for box in boxes])
    points = axes.transData.transform(positions)
    corners, distances = place_labels(points, sizes, np.array(axes.get_window_extent(renderer).extents))
    for text, point, corner, size, distance in zip(texts, points, corners, sizes, distances, strict=True):
        if np.isnan(corner).any():
            text.remove()
            continue
        text.set_position((corner - point) * 72 / figure.dpi)  # in points, because an SVG has no pixels
        if distance > NEAR:
            line = axes.transData.inverted().transform(line_to(point, corner, size))
            axes.plot(*line.T, color=_GREY, linewidth=0.6, zorder=1)
