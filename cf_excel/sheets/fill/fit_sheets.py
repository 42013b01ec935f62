"""Fit the sheets of a workbook to their ratings: the same for a file and for a workbook that is open in Excel."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cf_excel.errors import InputError
from cf_excel.model.parameters import Parameters
from cf_excel.sheets.fill.changes import Changes
from cf_excel.sheets.fill.sheet_fit import SheetRatings, rmse_of
from cf_excel.sheets.fill.solver import OPTIMIZERS, solve
from cf_excel.sheets.find.find_sheet import lesson_sheets
from cf_excel.sheets.find.found_sheet import FoundSheet

_MOST_STEPS = 1_000_000  # a sheet has room for the RMSE of each


@dataclass(frozen=True)
class FitOptions:
    """How sheets are fitted. Raises InputError, which names options as the command does, for values that can't work.

    optimizer: lm, adam or sgd. steps, lr: None for the optimizer's own. hold_out: the part of the ratings that is not
    fitted. history: whether the RMSE of every step gets a sheet.
    """

    optimizer: str = "lm"
    steps: int | None = None
    lr: float | None = None
    l2: float = 0.0
    hold_out: float | None = None
    seed: int = 42
    history: bool = False

    def __post_init__(self) -> None:
        if self.optimizer not in OPTIMIZERS:
            raise InputError(f"--optimizer {self.optimizer}: expected one of {', '.join(OPTIMIZERS)}")
        if self.steps is not None and self.steps < 1:
            raise InputError(f"--steps {self.steps}: expected 1 or more")
        if self.steps is not None and self.steps > _MOST_STEPS:
            raise InputError(f"--steps {self.steps}: {_MOST_STEPS:,} is the most")
        if self.lr is not None and not 0 < self.lr < float("inf"):
            raise InputError(f"--lr {self.lr}: expected a number above 0")
        if not 0 <= self.l2 < float("inf"):
            raise InputError(f"--l2 {self.l2}: expected 0 or more")
        if self.hold_out is not None and not 0 < self.hold_out < 1:
            raise InputError(f"--hold-out {self.hold_out}: expected a part between 0 and 1, such as 0.1")
        if self.seed < 0:
            raise InputError(f"--seed {self.seed}: expected 0 or more")
        if self.optimizer == "lm" and (self.history or self.lr is not None):
            option = "--history" if self.history else "--lr"
            raise InputError(f"{option} belongs to the steps of adam and sgd: add --optimizer adam")


@dataclass(frozen=True)
class SheetFit:
    """How a sheet was fitted: its ratings, and their RMSE before and after, in rating units.

    history: the RMSE from the start on, step by step; of lm the first and the last alone. n_held_out, held_out_before,
    held_out_after: the same of the ratings that were not fitted, 0 and None where there are none.
    """

    sheet: str
    n_ratings: int
    history: tuple[float, ...]
    n_held_out: int = 0
    held_out_before: float | None = None
    held_out_after: float | None = None

    @property
    def before(self) -> float:
        return self.history[0]

    @property
    def after(self) -> float:
        return self.history[-1]


def fit_sheets(
    changes: Changes, options: FitOptions, wanted: str = "all", tell: Callable[[int, int], None] | None = None
) -> tuple[tuple[SheetFit, ...], str | None]:
    """Fit sheets and put their numbers into the workbook; return how they fit, and the name of the sheet `history`.

    wanted: a sheet's name or "all". tell: called with how many sheets are fitted, and how many there are. Raises
    InputError where no sheet is of the lesson's kinds or one can't be fitted.
    """
    notes = changes.book.notes
    sheets = lesson_sheets(changes.book, wanted, notes=notes)
    if options.hold_out:
        notes.append("--hold-out starts from random numbers: the sheets' may know the held-out ratings")
    fits = []
    for sheet in sheets:
        fits.append(_fit_sheet(changes, sheet, options))
        if tell:
            tell(len(fits), len(sheets))
    changes.apply()
    if not options.history:
        return tuple(fits), None
    return tuple(fits), changes.add_history(sheets, {one.sheet: list(one.history) for one in fits}, options.optimizer)


def _fit_sheet(changes: Changes, sheet: FoundSheet, options: FitOptions) -> SheetFit:
    ratings = SheetRatings(sheet.user_idx, sheet.movie_idx, sheet.rating, sheet.link)
    if not len(ratings) or (options.hold_out and len(ratings) < 2):
        raise InputError(f"sheet {sheet.title} has {len(ratings)} ratings: nothing to fit")
    fitted, held = ratings.split(options.hold_out, options.seed) if options.hold_out else (ratings, None)
    start = _start(sheet, options.seed, anew=held is not None)
    solved, history = solve(
        fitted, start, optimizer=options.optimizer, steps=options.steps, lr=options.lr, l2=options.l2
    )
    changes.put(sheet, solved)
    known = sheet.title, len(fitted), tuple(history)
    return SheetFit(*known, len(held), rmse_of(start, held), rmse_of(solved, held)) if held else SheetFit(*known)


def _start(sheet: FoundSheet, seed: int, *, anew: bool) -> Parameters:
    """Return the sheet's numbers; blank cells, and with anew those of everyone who rated or is rated, are random."""
    rng, arrays = np.random.default_rng(seed), {}
    rated = {"user": sheet.user_idx, "movie": sheet.movie_idx}
    for name, array in sheet.numbers().arrays.items():
        drawn, is_open = rng.random(array.shape), np.isnan(array)
        if anew:
            is_open[rated[name.partition("_")[0]]] = True
        arrays[name] = np.where(is_open, drawn, array)
    return Parameters(**arrays)


def fit_table(fits: tuple[SheetFit, ...]) -> list[str]:
    """Return the lines that show the RMSE of each sheet, of held-out ratings, too, where there are some."""
    columns = f"{'RMSE before':>14}{'after':>14}"
    lines = [f"{'sheet':<16}{'ratings':>8}{columns}" + (f"{'held out':>10}{columns}" if fits[0].n_held_out else "")]
    for one in fits:
        line = f"{one.sheet:<16}{one.n_ratings:>8,}{_shown(one.before)}{_shown(one.after)}"
        if one.held_out_before is not None and one.held_out_after is not None:
            line += f"{one.n_held_out:>10,}{_shown(one.held_out_before)}{_shown(one.held_out_after)}"
        lines.append(line)
    return lines


def _shown(rmse: float) -> str:
    text = f"{rmse:.6f}" if rmse < 1e5 else f"{rmse:.5e}"
    return f" {text:>13}"
