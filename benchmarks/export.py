"""Time writing the recommender workbook, and opening it and picking in it with LibreOffice.

    python -m benchmarks.export [MODEL]

Without a model, random ones of the lesson's size with 10 and 50 factors. Writing is timed beside openpyxl writing the
factors alone, alternating; times are medians. Times in LibreOffice need it, its Python bridge and Linux: those of a
pick are CPU seconds of LibreOffice's process, after two picks to warm up, for machines that others use, too.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from openpyxl import Workbook

from benchmarks.predictor import random_factors
from cf_excel.model.factors import Factors
from cf_excel.model.file import load_factors
from cf_excel.sheets.recommender.recommender import Recommender
from cf_excel.sheets.recommender.recommender_book import build_recommender

TESTS = Path(__file__).parents[1] / "tests"
SCRIPT = Path(__file__).with_name("office_timing.py")
ROUNDS, FIRST, PICKS = 3, 2, 15


def seconds(work: Callable[[], object]) -> float:
    """Return the time of some work."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def write_bare(factors: Factors, path: Path) -> None:
    """Write the movies' factors with openpyxl alone."""
    workbook = Workbook(write_only=True)
    sheet = workbook.create_sheet("movies")
    for row in np.round(factors.movie_factors.astype(float), 5).tolist():
        sheet.append(row)
    workbook.save(path)


def picks(recommender: Recommender) -> dict[str, list]:
    """Return cells to change, one after the other, for each kind of pick."""
    rng, sheet = np.random.default_rng(0), recommender.book.predict
    users = [int(user) for user in rng.choice(recommender.factors.user_ids, FIRST + PICKS)]
    titles = rng.choice(recommender.titles, FIRST + PICKS).tolist()
    return {
        "user": [(sheet.picked_user.first, user) for user in users],
        "movie": [(sheet.picked_movie.first, title) for title in titles],
        "rating": [(sheet.given_ratings.first, 0.5 + i % 9 / 2) for i in range(FIRST + PICKS)],
    }


def main() -> None:
    """Print a line for every file."""
    sys.path.insert(0, str(TESTS))
    from support.office import Office, OfficeError

    try:
        office = Office()
    except (OSError, OfficeError):
        office = None
        print("no LibreOffice with a Python bridge: only writing is timed")
    models = (
        [load_factors(sys.argv[1])] if len(sys.argv) > 1 else [random_factors("collab", n_factors=k) for k in (10, 50)]
    )
    with tempfile.TemporaryDirectory() as folder:
        path, bare = Path(folder) / "recommender.xlsx", Path(folder) / "bare.xlsx"
        for factors in models:
            for with_ratings in (True, False):
                write, beside = [], []
                for _ in range(ROUNDS):
                    write.append(seconds(lambda: build_recommender(factors, path, with_ratings=with_ratings)))  # noqa: B023
                    beside.append(seconds(lambda: write_bare(factors, bare)))  # noqa: B023
                recommender = build_recommender(factors, path, with_ratings=with_ratings)
                n_users, k = factors.user_factors.shape
                print(
                    f"{factors.kind}, {n_users:,} x {len(factors.movie_ids):,} x {k}, "
                    f"{'with' if with_ratings else 'without'} ratings: written in {statistics.median(write):.2f} s "
                    f"({statistics.median(write) / statistics.median(beside):.2f} of openpyxl with the movies' factors "
                    f"alone), {path.stat().st_size / 1e6:.1f} MB"
                )
                if office:
                    sheet = recommender.book.predict
                    cells = picks(recommender)
                    timed = office.call("timing", str(path), sheet.title, cells, sheet.printed, script=SCRIPT)
                    after = ", ".join(f"{kind} {statistics.median(timed[kind][FIRST:]):.2f} s" for kind in cells)
                    print(
                        f"  LibreOffice: open {timed['open']:.1f} s, all {timed['all']:.2f} s; "
                        f"CPU after a pick of {after}"
                    )
    if office:
        office.close()


if __name__ == "__main__":
    main()
