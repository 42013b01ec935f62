"""The scoreboard as cells, as Markdown and as a file that says how it was made."""

import json
import math
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from cf_excel import __version__
from cf_excel.evaluate.list_results import ListResult
from cf_excel.evaluate.run import Result
from cf_excel.files import make_folder, replacing
from cf_excel.learn.list_measures import LENGTH
from cf_excel.metrics import Interval, Ranking
from cf_excel.ratings.nouns import USUAL_NOUNS, Nouns
from cf_excel.ratings.table import Ratings, data_hash
from cf_excel.written import PLACE, sealed

HEADINGS = (
    *("model", "MSE", "RMSE", "MAE", "MSE above the first", "in 50%", "in 90%"),
    *("fit s", "predict s"),
)
LIST_HEADINGS = (
    *("model", f"NDCG@{LENGTH}", "above the first", "recall", "hit", "coverage", "ratings"),
    *(f"any NDCG@{LENGTH}", "any recall", "any hit", "fit s"),
)
LIBRARIES = ("numpy", "scipy", "torch", "scikit-surprise", "cornac", "lenskit", "myfm", "implicit", "scikit-learn")


class Table(NamedTuple):
    """A table of the report; cells has a row for each line."""

    title: str
    headings: Sequence[str]
    cells: Sequence[Sequence[str]]


def rows(results: Sequence[Result]) -> list[list[str]]:
    """Return the cells of what predicts ratings, under HEADINGS; "-" for what a system does not have."""
    return [_cells(result) for result in results if not math.isnan(result.mse)]


def _cells(result: Result) -> list[str]:
    covered = result.coverage or (math.nan, math.nan)
    return [
        result.system,
        *(_number(value, 4) for value in (result.mse, result.rmse, result.mae)),
        _interval(result.more_than_first, 4),
        *("-" if math.isnan(share) else f"{share:.1%}" for share in covered),
        *(_number(value, 2) for value in (result.fit_seconds, result.predict_seconds)),
    ]


def list_rows(results: Sequence[Result]) -> list[list[str]]:
    """Return the cells of what ranks, under LIST_HEADINGS; what has several orders has a row for each."""
    return [_list_cells(result, lists) for result in results for lists in result.lists]


def _list_cells(result: Result, lists: ListResult) -> list[str]:
    def measures(found: Ranking | None) -> list[str]:
        return ["-"] * 3 if found is None else [f"{found.ndcg:.4f}", f"{found.recall:.3f}", f"{found.hit:.3f}"]

    ndcg, recall, hit = measures(lists.liked)
    return [
        result.system if lists.by == "own" else f"{result.system}, {lists.by}",
        *(ndcg, _interval(lists.more_than_first, 3), recall, hit),
        *(f"{lists.coverage:.1%}", f"{lists.n_ratings:.0f}"),
        *measures(lists.rated),
        _number(lists.fit_seconds, 2),
    ]


def heading(results: Sequence[Result], nouns: Nouns = USUAL_NOUNS) -> str:
    """Return the line above the table of a split."""
    first = results[0]
    what = {
        "lesson": "the lesson's validation ratings, drawn at random",
        "kfold": "five random folds",
        "time": "the latest fifth of the ratings",
        "hash": f"a fifth by the hash of {nouns.user} and {nouns.movie}",
        "new-users": f"the later ratings of {nouns.users} of whom only the first ones are known",
    }
    tried = max(result.n_tried for result in results)
    tuned = f"; up to {tried} settings each, chosen within the training ratings" if tried > 1 else ""
    return f"{first.split}: {first.n_test:,} ratings, {what[first.split]}{tuned}"


def list_heading(results: Sequence[Result], nouns: Nouns = USUAL_NOUNS) -> str:
    """Return the line above the table of the lists of a split."""
    n = max(lists.n_users for result in results for lists in result.lists)
    unrated = f"{LENGTH} unrated {nouns.movies} for each of {n:,} {nouns.users}"
    return f"lists, {results[0].split}: {unrated}, to find what they rated well, or any"


def as_markdown(boards: Sequence[Sequence[Result]], nouns: Nouns = USUAL_NOUNS) -> str:
    """Return two tables for every split, of ratings and of lists."""
    return "\n".join(_table(*table) for results in boards for table in tables(results, nouns))


def tables(results: Sequence[Result], nouns: Nouns = USUAL_NOUNS) -> list[Table]:
    """Return the tables of a split: of ratings and of lists, those that are not empty."""
    found = []
    if ratings := rows(results):
        found.append(Table(heading(results, nouns), HEADINGS, ratings))
    if lists := list_rows(results):
        found.append(Table(list_heading(results, nouns), LIST_HEADINGS, lists))
    return found


def _table(title: str, headings: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    lines = [title, "", f"| {' | '.join(headings)} |", f"|---|{'---:|' * (len(headings) - 1)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in cells), ""])


def save(
    folder: Path, boards: Sequence[Sequence[Result]], ratings: Ratings, options: dict, missing: Sequence[str]
) -> list[Path]:
    """Write results.json, with data, options and versions, and results.md; raises FileError where that can't be."""
    make_folder(folder)
    everything = {
        "digest": PLACE,
        "data": {"source": ratings.source, "hash": data_hash(ratings), "ratings": len(ratings)},
        "options": options,
        "left_out": list(missing),
        "versions": {"cf_excel": __version__, "python": platform.python_version()} | _versions(),
        "machine": {
            "processor": platform.machine(),
            "cores": os.cpu_count(),
            "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS"),
        },
        "results": [_without_nan(asdict(result)) for results in boards for result in results],
    }
    texts = {
        "results.json": json.dumps(everything, indent=1, allow_nan=False) + "\n",
        "results.md": f"{as_markdown(boards, ratings.nouns)}\n<!-- {PLACE} -->\n",
    }
    for name, text in texts.items():
        with replacing(folder / name) as temporary:
            temporary.write_bytes(sealed(text.encode()))
    return [folder / name for name in texts]


def _versions() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _without_nan(result: dict) -> dict:
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in result.items()}


def _interval(above: Interval | None, decimals: int) -> str:
    if above is None:
        return "-"
    mean, low, high = (f"{value:+.{decimals}f}" for value in above)
    return f"{mean} [{low}, {high}]"


def _number(value: float, decimals: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{decimals}f}"
