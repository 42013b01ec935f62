"""Time solve and write: python -m benchmarks.workbook [--large].

The yardstick is openpyxl loading and saving the same workbook, which loses what openpyxl does not know. Wall clock,
because parts are packed on a second processor: run it on an idle machine. Medians of alternating runs.
"""

import argparse
import io
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import openpyxl

from cf_excel.cli import main
from cf_excel.model.parameters import Parameters
from cf_excel.ratings.readers import load_ratings
from cf_excel.ratings.table import crosstab
from cf_excel.sheets.fill.sheet_fit import SheetRatings
from cf_excel.sheets.fill.solver import solve
from cf_excel.sheets.lesson.collab import build_collab


def seconds(call: Callable[[], object]) -> float:
    """Return the seconds of a call."""
    start = time.perf_counter()
    with redirect_stdout(io.StringIO()):
        call()
    return time.perf_counter() - start


def solving(n_starts: int = 9) -> None:
    """Time the least squares alone, on the lesson's 15 x 15 x 5."""
    values = crosstab(load_ratings()).values
    user, movie = np.nonzero(~np.isnan(values))
    ratings = SheetRatings(user, movie, values[user, movie])
    for title, with_bias in (("dotprod", False), ("bias", True)):
        times = []
        for seed in range(n_starts):
            rng = np.random.default_rng(seed)
            biases = (rng.random(15), rng.random(15)) if with_bias else ()
            start = Parameters(rng.random((15, 5)), rng.random((15, 5)), *biases)
            times.append(seconds(lambda start=start: solve(ratings, start)))
        print(f"solving {title:<10} median {statistics.median(times):.2f} s, slowest {max(times):.2f} s")


def commands(folder: Path, n: int, n_factors: int, repeats: int) -> None:
    """Time whole commands on a workbook of n users and movies, beside openpyxl."""
    path, out = folder / "book.xlsx", ["--out", str(folder / "out.xlsx")]
    build_collab(load_ratings(), path, n_users=n, n_movies=n, n_factors=n_factors)
    calls = {}
    for name, kind in (("write, the sheet model", "collab"), ("write, all that fits", "dot")):
        model = folder / f"{kind}.safetensors"
        with redirect_stdout(io.StringIO()):
            main(["train", "--kind", kind, "--factors", str(n_factors), "--epochs", "1", "--out", str(model)])
        calls[name] = lambda model=model: main(["write", str(path), "--model", str(model), *out])
    calls["openpyxl, load and save"] = lambda: openpyxl.load_workbook(path).save(folder / "plain.xlsx")
    if n < 100:
        calls["solve"] = lambda: main(["solve", str(path), *out])
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            times[name].append(seconds(call))
    yardstick = statistics.median(times["openpyxl, load and save"])
    for name, taken in times.items():
        median = statistics.median(taken)
        print(f"{n} x {n} x {n_factors}: {name:<24}{median:8.2f} s {median / yardstick:8.2f} of openpyxl")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true", help="200 x 200 x 50, too: openpyxl takes minutes")
    args = parser.parse_args()
    solving()
    with tempfile.TemporaryDirectory() as name:
        commands(Path(name), 15, 5, 5)
        if args.large:
            commands(Path(name), 200, 50, 3)
    sys.exit(0)
