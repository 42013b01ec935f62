"""The scoreboard as cells, as Markdown and as a file that says how it was made."""

import json
import math
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from cf_excel import __version__
from cf_excel.evaluate.run import LIST_LENGTH, Result
from cf_excel.files import make_folder, replacing
from cf_excel.ratings.nouns import USUAL_NOUNS, Nouns
from cf_excel.ratings.table import Ratings, data_hash
from cf_excel.written import PLACE, sealed

HEADINGS = (
    *("model", "MSE", "RMSE", "MAE", "MSE above the first", "in 50%", "in 90%"),
    *(f"{name}@{LIST_LENGTH}" for name in ("precision", "recall", "NDCG")),
    *("fit s", "predict s"),
)
LIBRARIES = ("numpy", "scipy", "torch", "scikit-surprise", "cornac", "lenskit", "myfm", "implicit")


def cells(result: Result) -> list[str]:
    """Return the cells of a result, under HEADINGS; "-" for what the system does not have."""
    above = result.more_than_first
    covered = result.coverage or (math.nan, math.nan)
    ranking = result.ranking or (math.nan,) * 3
    return [
        result.system,
        *(_number(value, 4) for value in (result.mse, result.rmse, result.mae)),
        f"{above.mean:+.4f} [{above.low:+.4f}, {above.high:+.4f}]" if above else "-",
        *("-" if math.isnan(share) else f"{share:.1%}" for share in covered),
        *(_number(value, 3) for value in ranking),
        *(_number(value, 2) for value in (result.fit_seconds, result.predict_seconds)),
    ]


def heading(results: Sequence[Result], nouns: Nouns = USUAL_NOUNS) -> str:
    """Return the line above the table of a split."""
    first = results[0]
    what = {
        "lesson": "the lesson's validation ratings, drawn at random",
        "kfold": "five random folds",
        "time": "the latest fifth of the ratings",
        "new-users": f"the later ratings of {nouns.users} of whom only the first ones are known",
    }
    tried = max(result.n_tried for result in results)
    tuned = f"; up to {tried} settings each, chosen within the training ratings" if tried > 1 else ""
    return f"{first.split}: {first.n_test:,} ratings, {what[first.split]}{tuned}"


def as_markdown(boards: Sequence[Sequence[Result]], nouns: Nouns = USUAL_NOUNS) -> str:
    """Return a table for every split."""
    lines = []
    for results in boards:
        lines += [heading(results, nouns), "", f"| {' | '.join(HEADINGS)} |", f"|---|{'---:|' * (len(HEADINGS) - 1)}"]
        lines += [f"| {' | '.join(cells(result))} |" for result in results]
        lines.append("")
    return "\n".join(lines)


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


def _number(value: float, decimals: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{decimals}f}"
