"""How a training run looks: a table that grows under a progress bar on a terminal, plain lines elsewhere."""

import math
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table

from cf_excel.cli.messages import say
from cf_excel.learn.baselines import Errors
from cf_excel.learn.bayes.search import OFF
from cf_excel.learn.progress import Epoch, Progress
from cf_excel.model.factors import Factors
from cf_excel.ratings.nouns import USUAL_NOUNS, Nouns

HEADINGS = ("epoch", "train loss", "val MSE", "val RMSE", "val MAE", "seconds")
_SIZES = {"n_factors": "factors", "iterations": "epochs", "draws": "draws averaged"}
_PRECISIONS = {
    "factors": "factors",
    "sets": "effect of the set rated",
    "biases": "biases",
    "content": "features",
    "alpha": "noise precision",
}
Scores = dict[str, Errors]
"""Name of a baseline to its validation MSE, RMSE and MAE."""


def named_baselines(errors: Sequence[Errors], nouns: Nouns) -> Scores:
    """Return the errors of the mean and of the biases by what a person is told."""
    return dict(zip(("mean", nouns.biases), errors, strict=False))


def verdict(epochs: Sequence[Epoch], baselines: Scores) -> list[str]:
    """Return what the figures mean, in a line, and what may help in another; none without validation rows."""
    if not baselines or not epochs:
        return []
    errors = [epoch.val_loss for epoch in epochs]
    (_, (mean, *_)), (name, (biases, *_)) = baselines.items()
    if not math.isfinite(errors[-1]):
        return ["the error is no number any longer: pass a lower --lr"]
    lines = [
        f"a typical error of {_number(math.sqrt(errors[-1]))} rating points on ratings that were held back "
        f"({name} alone: {_number(math.sqrt(biases))}, always the mean: {_number(math.sqrt(mean))})"
    ]
    best = int(np.nanargmin(errors))
    if errors[-1] > 1.01 * errors[best]:
        lines.append(f"the error rose after epoch {epochs[best].number}: pass --epochs {epochs[best].number}")
    elif errors[-1] >= mean and len(errors) > 1 and errors[-1] < 0.999 * errors[-2]:
        lines.append("the error still fell at the end: pass more --epochs")
    elif errors[-1] >= min(mean, biases):
        whole = "the mean rating for everything" if errors[-1] >= mean else f"{name} alone"
        lines.append(f"this is no better than {whole}: there may be no more in these ratings; try another --kind")
    return lines


def choice_words(chosen: dict[str, float] | None, nouns: Nouns) -> str:
    """Return in a line what was chosen for the ratings at hand, as tuning.Tuned has it."""
    if chosen is None:
        return "priors: the usual ones, as there is too little to choose by"
    if not chosen:
        return "priors: the usual ones suit these ratings best"
    if chosen.get("factors") == OFF:
        base = "the mean" if chosen.get("biases") == OFF else nouns.biases
        return f"no pattern was found beyond {base}: the factors are about 0 (--no-tune keeps the usual priors)"
    parts = [_choice(name, value) for name, value in chosen.items()]
    return f"priors fitted to these ratings: {', '.join(parts)} (--no-tune keeps the usual ones)"


def _choice(name: str, value: float) -> str:
    if name in _SIZES:
        return f"{value:g} {_SIZES[name]}"
    words = _PRECISIONS[name]
    return f"no {words}" if value >= OFF else f"{words} x {value:.2g}"


def epoch_cells(epoch: Epoch) -> list[str]:
    """Return the cells of an epoch's row."""
    errors = (epoch.val_loss, math.sqrt(epoch.val_loss), *epoch.metrics)
    return [str(epoch.number), _number(epoch.train_loss), *map(_number, errors), f"{epoch.seconds:.2f}"]


def named_scores(epochs: Sequence[Epoch], baselines: Scores) -> dict[str, Any]:
    """Return the table of a training by names, for programs: a record an epoch, and the errors of each baseline."""
    errors = ("val_mse", "val_rmse", "val_mae")
    rows = [
        {"epoch": epoch.number, "train_loss": epoch.train_loss, "seconds": epoch.seconds}
        | dict(zip(errors, (epoch.val_loss, math.sqrt(epoch.val_loss), *epoch.metrics), strict=False))
        for epoch in epochs
    ]
    return {"epochs": rows, "baselines": {name: dict(zip(errors, of, strict=True)) for name, of in baselines.items()}}


def as_answer(factors: Factors, path: Path) -> dict[str, Any]:
    """Return what was trained on what, and how good it is on what was held back."""
    record = factors.record
    numbers = {"trained_on": record["n_train"], "held_back": record["n_validation"]}
    return {"model": path, "kind": factors.kind, "source": record["source"], **numbers} | {
        name: record[name] for name in ("split", "seed", "metrics") if name in record
    }


def baseline_cells(name: str, errors: Errors) -> list[str]:
    """Return the cells of a baseline's row."""
    return [name, "", *map(_number, errors), ""]


def _number(value: float) -> str:
    if math.isnan(value):
        return "-"
    # ratings may be large: their squares would fill a line
    return f"{value:.4f}" if abs(value) < 10_000 else f"{value:.4g}"


class LinesReport(Progress):
    """Print a line an epoch, for files, pipes and notebooks."""

    WIDTHS = (11, 11, 10, 10, 9)  # of the columns behind the first

    def __init__(self, longest_name: str = USUAL_NOUNS.biases) -> None:
        self.first_width = len(longest_name) + 1

    def __enter__(self) -> "LinesReport":
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def begin(self, n_epochs: int, n_batches: int, n_rows: int) -> None:
        self._print(list(HEADINGS))

    def epoch(self, epoch: Epoch) -> None:
        self._print(epoch_cells(epoch))

    def baselines(self, scores: Scores) -> None:
        """Print the rows of the baselines."""
        for name, errors in scores.items():
            self._print(baseline_cells(name, errors))

    def _print(self, cells: list[str]) -> None:
        first, *rest = cells
        columns = (f" {cell:>{width - 1}}" for cell, width in zip(rest, self.WIDTHS, strict=True))
        say(f"{first:<{self.first_width}}{''.join(columns)}".rstrip())


class TerminalReport(Progress):
    """Grow a table of epochs over a bar with loss, ratings a second and time left."""

    def __init__(self) -> None:
        self.table = Table(header_style="bold")
        for heading in HEADINGS:
            self.table.add_column(heading, justify="left" if heading == "epoch" else "right")
        self.bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("loss {task.fields[loss]}"),
            TextColumn("{task.fields[speed]} ratings/s"),
            TimeRemainingColumn(),
            TextColumn("left"),
        )
        self.live = Live(Group(self.table, self.bar), refresh_per_second=8)

    def __enter__(self) -> "TerminalReport":
        self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.live.update(self.table if self.table.row_count else "")
        self.live.stop()

    def begin(self, n_epochs: int, n_batches: int, n_rows: int) -> None:
        self.n_epochs, self.n_batches, self.n_rows = n_epochs, n_batches, n_rows
        self.task = self.bar.add_task(f"epoch 1/{n_epochs}", total=n_epochs * n_batches, loss="-", speed="-")
        self.live.refresh()  # a short fit would be over before the first one

    def batches(self, step: int, loss: float) -> None:
        number = min(step // self.n_batches + 1, self.n_epochs)
        speed = (self.bar.tasks[0].speed or 0) * self.n_rows / self.n_batches
        self.bar.update(
            self.task,
            completed=step,
            description=f"epoch {number}/{self.n_epochs}",
            loss=f"{loss:.4f}",
            speed=f"{speed:,.0f}" if speed else "-",
        )

    def epoch(self, epoch: Epoch) -> None:
        self.table.add_row(*epoch_cells(epoch))

    def baselines(self, scores: Scores) -> None:
        """Add the rows of the baselines."""
        self.table.add_section()
        for name, errors in scores.items():
            self.table.add_row(*baseline_cells(name, errors))
