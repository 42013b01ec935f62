"""Measure the default model on many kinds of tables: python -m benchmarks.tables [WHEEL].

MovieLens, the lesson's split and the latest fifth; with WHEEL as in benchmarks.ml100k, the five folds of ml-100k; and
planted tables, three draws of each, by lot 20. Ours as `train` fits it and with --no-tune, against
biases, ALS and KNN and what is installed of the extra `bench`, each with settings that a holdout within the training
ratings chose. CPU seconds are of one fit, ours with its choice, theirs without. Set OMP_NUM_THREADS=1 for one core.
Writes tables.md, tables.png and tables.json to benchmarks/results; of what tables.json has only ours is measured anew.
"""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from benchmarks.__main__ import RESULTS
from benchmarks.clock import now
from benchmarks.ml100k import read_wheel
from benchmarks.table_kinds import KINDS
from benchmarks.table_peers import MOST_ITEMS, textbook
from cf_excel.evaluate.run import choose
from cf_excel.evaluate.splits import Fold, make_folds
from cf_excel.evaluate.systems import Scorer, System, peers
from cf_excel.files import replacing
from cf_excel.learn.bayes.bayes_factors import bayes_to_factors
from cf_excel.learn.bayes.factorization import BayesFit, BayesSettings, fit_bayes
from cf_excel.learn.bayes.tuning import fit_tuned
from cf_excel.metrics import coverage
from cf_excel.model.predictor import Predictor
from cf_excel.ratings.readers import load_ratings

N_DRAWS = 3
MORE_DRAWS = {"by lot, 60 x 40": 20}  # where there is nothing to find, the order of three is chance
MOST_TRIALS = 12
ABOUT = (
    "Validation MSE, and in brackets CPU seconds of one fit (ours with its choice of priors), of `python -m "
    "benchmarks.tables`; ours untouched, the others each at the settings that a holdout within the training ratings "
    "chose. Planted tables: means of three draws, by lot of twenty. Last: what share of our errors intervals of 50 and "
    "90% hold."
)
MEASURED = RESULTS / "tables.json"
NONE = np.empty(0, np.int64)


def tables(wheel: str | None) -> Iterator[tuple[str, list[Fold]]]:
    """Return the folds of each table, with its name."""
    for name, make in KINDS.items():
        split = "time" if "latest" in name else "kfold"
        n = MORE_DRAWS.get(name, N_DRAWS)
        yield name, [make_folds(make(seed), split, seed)[0] for seed in range(1, n + 1)]
    ratings = load_ratings()
    bare = replace(ratings, years=np.zeros_like(ratings.years), genres=np.full(ratings.n_movies, "", object))
    yield "MovieLens, lesson's split", make_folds(ratings, "lesson")
    yield "MovieLens, lesson's split, ratings alone", make_folds(bare, "lesson")
    yield "MovieLens, latest fifth", make_folds(ratings, "time")
    if wheel:
        yield "ml-100k, 5 folds, ratings alone", make_folds(read_wheel(wheel)[0], "kfold")


def ours() -> list[System]:
    """Return our model as it is by default, and without its choice of priors."""

    def fitted(fit: Callable[..., BayesFit]) -> Callable[[Fold, dict, int], Scorer]:
        def of(fold: Fold, settings: dict, seed: int) -> Scorer:
            factors = bayes_to_factors(fit(fold.train, NONE, BayesSettings(seed=seed)), fold.train, "none")
            predictor = Predictor(factors)
            return Scorer(
                lambda users, movies: np.asarray(predictor.predict_rows(users, movies)),
                lambda users, movies: np.asarray(predictor.uncertainty_rows(users, movies)),
            )

        return of

    return [System("bayes", fitted(fit_tuned)), System("bayes --no-tune", fitted(fit_bayes))]


def measured(system: System, folds: list[Fold]) -> tuple[float, float, list[float]]:
    """Return the MSE over the folds, CPU seconds of a fit, and what share of errors intervals for 50 and 90% hold."""
    errors, deviations, seconds = [], [], 0.0
    for fold in folds:
        settings, _ = choose(system, fold, MOST_TRIALS, 0)
        start = now()
        scorer = system.fit(fold, settings, 0)
        seconds += now() - start
        errors.append(np.clip(scorer.score(fold.users, fold.movies), *fold.train.rating_range) - fold.rating)
        if scorer.deviation:
            deviations.append(scorer.deviation(fold.users, fold.movies))
    squared = [float(np.square(each).mean()) for each in errors]
    shares = (0.5, 0.9) if deviations else ()
    held = [coverage(np.concatenate(errors), np.concatenate(deviations), share) for share in shares]
    return float(np.mean(squared)), seconds / len(folds), held


def main(wheel: str | None = None) -> None:
    """Print the line of each table as it is done, and write them all."""
    installed, missing = peers(load_ratings())
    systems = [*ours(), *textbook(), *(system for system in installed if system.rates)]
    names = [system.name for system in systems]
    lines = [
        f"| table | ratings | {' | '.join(names)} | our rank | in 50% | in 90% |",
        f"|---|{'---:|' * (len(names) + 4)}",
    ]
    print(*lines, sep="\n", flush=True)
    known: dict[str, dict[str, list]] = json.loads(MEASURED.read_text()) if MEASURED.exists() else {}
    for name, folds in tables(wheel):
        n, figures = int(np.mean([len(fold.train) + len(fold.rating) for fold in folds])), known.setdefault(name, {})
        for system in systems:
            is_small = folds[0].train.n_movies <= MOST_ITEMS
            if (system.name != "item KNN" or is_small) and (
                system.name.startswith("bayes") or system.name not in figures
            ):
                figures[system.name] = measured(system, folds)
                with replacing(MEASURED) as path:
                    path.write_text(json.dumps(known, indent=1), encoding="utf-8")
        cells = [f"{figures[one][0]:.4f} ({figures[one][1]:.1f} s)" if one in figures else "-" for one in names]
        others = [error for one, (error, _, _) in figures.items() if not one.startswith("bayes")]
        error, _, held = figures["bayes"]
        rank = 1 + sum(other < error for other in others)
        shares = " | ".join(f"{share:.0%}" for share in held)
        lines.append(f"| {name} | {n:,} | {' | '.join(cells)} | {rank} of {len(others) + 1} | {shares} |")
        print(lines[-1], flush=True)
    without = f"\nNot installed: {', '.join(one.split(' (')[0] for one in missing)}.\n" if missing else ""
    text = f"# Many kinds of tables\n\n{ABOUT}\n{without}\n" + "\n".join(lines) + "\n"
    with replacing(RESULTS / "tables.md") as path:
        path.write_text(text, encoding="utf-8")
    draw(known)


def draw(measured: dict[str, dict[str, list]]) -> None:
    """Draw the RMSE of every model, as a multiple of that of the best of the others on the table."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    names = list(measured)
    figure = Figure(figsize=(10.5, 5.5), layout="constrained")
    axes = figure.subplots()
    for color, system in zip(colormaps["tab10"].colors, next(iter(measured.values())), strict=False):
        found = []
        for place, row in enumerate(measured.values()):
            best = min(error for other, (error, _, _) in row.items() if not other.startswith("bayes"))
            if system in row and row[system][0] > 1e-3 and best > 1e-3:  # without noise, every ratio is chance
                found.append((np.sqrt(row[system][0] / best), place))
        ours = system == "bayes"
        style = {"marker": "o", "s": 70, "zorder": 3} if ours else {"marker": "s", "s": 22}
        axes.scatter(*zip(*found, strict=True), color=color, label=system, **style)
    axes.axvline(1, color="gray", linewidth=1)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0.8, 1.4)
    axes.set_xlabel("RMSE as a multiple of the best of the others (lower is better; beyond 1.4 not shown)")
    axes.grid(alpha=0.3)
    figure.legend(fontsize=8, loc="outside right upper")
    figure.savefig(RESULTS / "tables.png", dpi=110)


if __name__ == "__main__":
    main(*sys.argv[1:2])
