"""Measure lists of recommendations: python -m benchmarks.lists [WHEEL].

NDCG@10 over all users with a held-out rating of 4 or more, all movies that they did not rate in training as candidates:
the lesson's split, the latest fifth, new users of whom 5 ratings are known, and, with WHEEL as in benchmarks.ml100k,
the five folds of ml-100k. Means of the seeds 0 to 2. Then what the fit of the lists costs, in CPU seconds, and how far
--explore goes. Set OMP_NUM_THREADS=1 for one core. Writes benchmarks/results/lists.md.
"""

import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from benchmarks.__main__ import RESULTS
from benchmarks.clock import now
from benchmarks.ml100k import read_wheel
from cf_excel.evaluate.splits import Fold, make_folds
from cf_excel.learn.bayes.bayes_factors import bayes_to_factors
from cf_excel.learn.bayes.factorization import BayesSettings, fit_bayes
from cf_excel.learn.list_fit import fit_lists
from cf_excel.metrics import mse, ranking
from cf_excel.model.everyone import lists_of_users
from cf_excel.model.predictor import Predictor
from cf_excel.ratings.readers import load_ratings

SEEDS, LENGTH, GOOD, N_GIVEN = range(3), 10, 4.0, 5
EXPLORED = (0.25, 0.5, 1.0)
NONE = np.empty(0, np.int64)


def folds(wheel: str | None, seed: int) -> Iterator[tuple[str, Fold]]:
    """Return each fold with the name of its split; the seed draws the new users alone."""
    ratings = load_ratings()
    for split, name in (("lesson", "lesson's split"), ("time", "latest fifth")):
        yield from ((name, fold) for fold in make_folds(ratings, split))
    yield from (("new users, 5 ratings", fold) for fold in make_folds(ratings, "new-users", seed, N_GIVEN))
    if wheel:
        yield from (("ml-100k, 5 folds", fold) for fold in make_folds(read_wheel(wheel)[0], "kfold"))


def found(fold: Fold, predictor: Predictor, **options: float) -> tuple[float, float]:
    """Return the mean NDCG of the lists, and how many ratings a listed movie has, median."""
    good = fold.rating >= GOOD
    users, movies = fold.users[good], fold.movies[good]
    asked = np.unique(users)
    ndcg, listed = [], []
    lists = lists_of_users(
        predictor.factors, LENGTH, partial(predictor.row_scores.of_lists, **options), exclude_seen=True
    )
    for user in asked:
        wanted, rows = movies[users == user], lists.movies[lists.owners == user]
        ndcg.append(ranking(np.isin(rows, wanted), len(wanted), LENGTH).ndcg)
        listed.append(predictor.n_ratings[rows])
    return float(np.mean(ndcg)), float(np.median(np.concatenate(listed)))


def main(wheel: str | None = None) -> None:
    """Print and write the tables."""
    values: dict[tuple[str, str], list[float]] = {}
    for seed in SEEDS:
        for split, fold in folds(wheel, seed):
            start = now()
            fit = fit_bayes(fold.train, NONE, BayesSettings(seed=seed))
            fitted = now()
            lists = fit_lists(fold.train, NONE, seed=seed)
            ended = now()
            factors = bayes_to_factors(fit, fold.train, "none")
            measured = {"fit of bayes, CPU s": fitted - start, "fit of the lists, CPU s": ended - fitted}
            for name, by in {"rating": None, "watch": replace(lists, by="watch"), "score": lists}.items():
                predictor = Predictor(replace(factors, lists=by))
                measured[name], measured[f"ratings of a listed movie, {name}"] = found(fold, predictor)
            for explore in EXPLORED:
                name = f"score, explore {explore:g}"
                measured[name], measured[f"ratings of a listed movie, {name}"] = found(fold, predictor, explore=explore)
            measured["MSE of the predictions"] = mse(predictor.predict_rows(fold.users, fold.movies), fold.rating)
            for name, value in measured.items():
                values.setdefault((name, split), []).append(value)
            print(seed, split, {name: round(value, 4) for name, value in measured.items()}, flush=True)
    text = table(values)
    (RESULTS / "lists.md").write_text(text, encoding="utf-8")
    print(text)


def table(values: dict[tuple[str, str], list[float]]) -> str:
    """Return the means as Markdown."""
    names, splits = (list(dict.fromkeys(key[i] for key in values)) for i in range(2))
    lines = ["NDCG@10 of lists by rating, watch and score, and what else is named; means of 3 seeds.", ""]
    lines += [f"| | {' | '.join(splits)} |", f"|---|{'---:|' * len(splits)}"]
    for name in sorted(names, key=lambda name: ("," in name, names.index(name))):
        digits = 0 if name.startswith("ratings of") else 2 if "CPU" in name else 4
        cells = [f"{np.mean(values[name, split]):.{digits}f}".removeprefix("0") or "0" for split in splits]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main(*sys.argv[1:2])
