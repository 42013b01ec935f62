"""Everything that a page of the docs tells its reader to type is run, in its order, in a folder with its files."""

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openpyxl.utils import range_boundaries
from support import doc_files
from support.doc_files import FILES, Prepare
from support.doc_steps import OPTIONS, PAGES, ROOT, Step, arguments, steps, text_of
from support.planted import low_rank_ratings

from cf_excel.cli import main
from cf_excel.learn.bayes.factorization import BayesFit, fit_bayes
from cf_excel.ratings.table import Ratings
from cf_excel.udf.functions import Functions

NUMBER = r"\d*\.\d+|\d+"
# commands, or what they are like, that can't be run here, and why
NOT_RUN = {
    r"(python -m |uv )?pip install\b.*": "installs from the network",
    r"python -m pytest .*": "runs tests like this one",
    r"pre-commit install|ruff check \.|xlwings addin install": "changes the reader's own programs, or checks the code",
    r"python scripts/\S+\.py.*": "takes minutes, or needs a folder of workbooks",
    r"python -m benchmarks\b.*": "takes minutes",
    r"torchrun .*|python -m cf_excel train .*--workers 4.*": "starts other processes: tests/cli/test_cli_workers.py",
    r"#SBATCH .*": "needs Slurm",
    r"from cf_excel\.cluster import train_on_spark\n.*": "needs Spark: tests/test_cluster.py",
    r"import os\nimport socket\n\nimport ray\n.*": "needs Ray, which takes 260 MB",
    r"python -m cf_excel serve.*": "serves until it is stopped: tests/udf/test_server.py",
    r"py -m venv .*|\.venv\\Scripts\\activate": "only Windows has it",
    r"conda .*|uv venv .*": "makes environments: conda and uv need the network",
    r"ok      xlwings.*": "what doctor finds on Windows",
    r"apt install .*": "changes the machine",
    r"=CF\.PREDICT\(user, movie\).*": "says which arguments there are: tests/sheets/test_lambdas.py",
}
# what the reader puts in the place of a word in capitals
MEANT = {
    "COMMAND --help": ["train", "--help"],
    "fill FILE": ["fill", "scores.xlsx"],
    "solve FILE": ["solve", "collab_filter.xlsx"],
    "write FILE": ["write", "collab_filter.xlsx"],
    "predict USER MOVIE": ["predict", "15", "The Matrix"],
    "predict --pairs FILE": ["predict", "--pairs", "pairs.csv"],
    "recommend USER": ["recommend", "15"],
    "similar MOVIE": ["similar", "Toy Story"],
    "rate MOVIE=RATING ...": ["rate", "Toy Story=5"],
    "functions add FILE": ["functions", "add", "scores.xlsx"],
    "functions remove FILE": ["functions", "remove", "scores.xlsm"],
    "doctor WORKBOOK": ["doctor", "collab_filter.xlsm"],
}
# what the reader does before a command, where the page says so in words
BEFORE: dict[tuple[str, str], Prepare] = {
    ("README.md", "recommend 15 -n 5"): doc_files.trained,
    ("docs/own_workbook.md", "fill scores.xlsx --sheet 2026"): doc_files.a_year_more,
    ("docs/own_workbook.md", "fill scores.xlsx --range A3:AO63 --form grid --not-rated 0"): doc_files.one_year,
    ("docs/windows.md", "doctor scores.xlsm"): doc_files.with_functions,
    (OPTIONS, "write collab_filter.xlsx --backup"): doc_files.trained,
}


# which command prints a block that begins so, and what the reader does before
PRINTED: dict[str, tuple[list[str], Prepare]] = {
    "note: orders.xlsx sheet Orders": (["fill", "orders.xlsx"], doc_files.orders_book),
    "off by": (["fill", "scores.xlsx", "--backup"], doc_files.next_month),
}
# figures and names that a page says of what a command prints
SAID = {
    ("README.md", "build"): "2.9965 collab_filter.xlsx gradient_descent.xlsx",
    ("README.md", "solve collab_filter.xlsx"): "0.3929",
    ("docs/workbooks.md", "solve collab_filter.xlsx --backup"): "0.392901 0.318655",
    ("docs/lesson.md", "build"): "17.71 16.84 0.89 3.11 0.09 0.01 1.45",
    ("docs/own_workbook.md", "fill scores.xlsx --backup"): "0.71 0.90 0.96",
    ("docs/excel-windows.md", "functions add scores.xlsx"): "scores.xlsm",
}


# they ask the model, and nothing that follows reads what they write: the same command of two pages is run on one
ONCE = {"predict", "recommend", "similar", "rate", "plot", "export", "evaluate"}


def is_listed(step: Step) -> bool:
    """Tell whether a step is among those that can't be run here."""
    return any(re.fullmatch(pattern, step.text, re.DOTALL) for pattern in NOT_RUN)


@pytest.fixture(scope="module")
def lesson_model(tmp_path_factory) -> Path:
    """Train what train makes of the lesson's ratings."""
    path = tmp_path_factory.mktemp("model") / "lesson.safetensors"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CF_EXCEL_MODEL", str(path))
        assert main(["train"]) == 0
    return path


@pytest.fixture(scope="module")
def built() -> dict[tuple[bool, bool], tuple[str, Path]]:
    """Keep what build printed and its files, without a model and LibreOffice's folder and with them."""
    return {}


@pytest.fixture(scope="module")
def done() -> set[str]:
    """Remember the commands that were run."""
    return set()


@pytest.fixture
def folder(tmp_path, monkeypatch, lesson_model) -> Path:
    """Make a reader's folder, with a home and a place for a model."""
    folder = tmp_path / "reader"
    folder.mkdir()
    (tmp_path / "lesson.safetensors").hardlink_to(lesson_model)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("CF_EXCEL_MODEL", str(tmp_path / "model.safetensors"))
    return folder


@pytest.fixture
def run(capsys, monkeypatch) -> Callable[..., str]:
    """Return a function that runs a command and returns what it prints."""

    def run(argv: list[str]) -> str:
        with monkeypatch.context() as patch:
            if argv[0] == "evaluate":  # of the whole lesson, with the priors chosen for each fit, it would take minutes
                patch.setattr("cf_excel.ratings.lesson_ratings.load_lesson_ratings", few_ratings)
                patch.setattr("cf_excel.evaluate.systems.fit_tuned", untuned)
            try:
                code = main(argv)
            except SystemExit as end:  # of --help and the like
                code = end.code
        printed = capsys.readouterr()
        assert code == 0, (argv, printed.err)
        return printed.err + printed.out

    return run


@pytest.mark.parametrize("page", [*PAGES, OPTIONS])
def test_what_a_page_says_can_be_typed(page, folder, run, done, built, tmp_path_factory):
    todo = [step for step in steps(page) if not is_listed(step)]
    if todo:
        for prepare in FILES.get(page, ()):
            prepare(folder)
    names: dict = {}
    printed: dict[str, str] = {}
    for step in todo:
        if step.kind == "python":
            exec(step.text, names)
        elif step.kind == "formulas":
            calculate(step.text, folder)
        elif step.kind == "printed":
            compare(step.text, folder, run)
        else:
            argv = arguments(step.text)
            assert argv, f"{step.text}: neither run here nor in NOT_RUN"
            command = " ".join(argv)
            BEFORE.get((page, command), lambda folder: None)(folder)
            if command == "train":  # lesson_model ran it
                doc_files.trained(folder)
            elif command == "build" and not any(folder.glob("collab_filter*")):
                printed[command] = built_once(folder, run, built, tmp_path_factory)
            elif command not in printed and not (argv[0] in ONCE and but_where(command) in done):
                printed[command] = run(MEANT.get(command, argv))
                done.add(but_where(command))
    for (place, command), words in SAID.items():
        for word in words.split() if place == page else ():
            assert word in text_of(page), word
            assert is_printed(word, printed[command]), (command, word)


def but_where(command: str) -> str:
    """Return a command without the place for pictures or a recommender, which it writes in any case."""
    return re.sub(r"^(plot|export)\b(.*?) --out \S+", r"\1\2", command)


def built_once(folder: Path, run: Callable[..., str], built: dict, tmp_path_factory) -> str:
    """Build the lesson's workbooks in a folder, or copy what another page's build made; return what it printed."""
    beside = (folder.parent / "model.safetensors").exists(), (folder / ".config").exists()
    if beside not in built:
        former = set(folder.iterdir())
        printed, files = run(["build"]), tmp_path_factory.mktemp("built")
        for path in set(folder.iterdir()) - former:
            shutil.copy(path, files)
        built[beside] = printed, files
    shutil.copytree(built[beside][1], folder, dirs_exist_ok=True)
    return built[beside][0]


def test_the_three_lists_are_those_that_recommend_gives(folder, run):
    doc_files.trained(folder)
    tables = re.findall(r"^\| user (\d+): .*\n\|-.*\n((?:\|.*\n)+)", text_of("docs/models.md"), re.MULTILINE)
    assert [user for user, _ in tables] == ["1", "14", "15"]
    for user, table in tables:
        printed = run(["recommend", user, "-n", "6"])
        found = re.findall(r"^ *\d+ +(\w+).*\((\d{4})\) +(\d\.\d\d)", printed, re.MULTILINE)
        shown = re.findall(r"\| *(?:The )?(\w+)[^|]*\((\d{4})\) \| (\d\.\d\d) \|$", table, re.MULTILINE)
        assert shown == found


def test_what_is_not_run_stands_on_a_page():
    every = [step.text for page in (*PAGES, OPTIONS) for step in steps(page)]
    for pattern in NOT_RUN:
        for one in pattern.split("|") if "(" not in pattern else [pattern]:
            assert any(re.fullmatch(one, text, re.DOTALL) for text in every), one
    commands = {" ".join(arguments(text) or ()) for text in every}
    assert MEANT.keys() - commands == set()
    assert {command for _, command in [*BEFORE, *SAID]} - commands == set()


def test_what_is_installed_and_tested_by_name_is_there():
    import tomllib

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    text = "".join(map(text_of, PAGES))
    assert set(re.findall(r'pip install (?:-e )?"?[\w.]*\[([\w,]+)\]', text)) - extras.keys() == set()
    assert [path for path in re.findall(r"pytest (tests/\S+)", text) if not (ROOT / path).exists()] == []
    modules = {name.replace(".", "/") for name in set(re.findall(r"python -m (benchmarks[\w.]*\w)", text))}
    assert [m for m in modules if not (ROOT / f"{m}.py").exists() and not (ROOT / m / "__main__.py").exists()] == []


def untuned(*args: Any, keep: tuple, **blocks: Any) -> BayesFit:
    """Fit as fit_tuned does where the priors suit the ratings."""
    return fit_bayes(*args, **blocks)


def few_ratings() -> Ratings:
    """Return few planted ratings in place of the lesson's."""
    few = low_rank_ratings(40, 30)
    return replace(few, timestamp=np.arange(len(few)))


def is_printed(word: str, text: str) -> bool:
    """Tell whether a word, or a number that comes to it where it is rounded, is in a text."""
    try:
        number, places = float(word), len(word.partition(".")[2])
    except ValueError:
        return word in text
    return any(abs(float(found) - number) <= 0.5001 * 10**-places for found in re.findall(NUMBER, text))


def compare(block: str, folder: Path, run: Callable[..., str]) -> None:
    """Check that a command prints every line of a block, with numbers that are nearly the same."""
    found = [name for name in PRINTED if block.startswith(name)]
    assert found, f"{block}: nobody says which command prints it"
    argv, prepare = PRINTED[found[0]]
    prepare(folder)
    printed = {re.sub(NUMBER, "#", line): line for line in run(argv).splitlines()}
    for line in block.splitlines():
        assert re.sub(NUMBER, "#", line) in printed, (line, list(printed.values()))
        numbers = ([float(x) for x in re.findall(NUMBER, text)] for text in (line, printed[re.sub(NUMBER, "#", line)]))
        np.testing.assert_allclose(*numbers, rtol=0.03, atol=0.011, err_msg=line)


def calculate(block: str, folder: Path) -> None:
    """Call every function of a block of formulas on a sheet whose ids are users' and movies' alike."""
    functions = Functions(folder.parent / "model.safetensors", error_value=pytest.fail)
    known = functions.load().factors
    ids = sorted(set(known.user_ids.tolist()) & set(known.movie_ids.tolist()))[:100]
    rng = np.random.default_rng(0)
    sheet = [[None, *map(float, ids[:60])]]
    sheet += [[float(name), *(rng.integers(1, 11, 60) / 2).tolist()] for name in ids]
    for row, column in rng.integers(1, 60, (1500, 2)).tolist():
        sheet[row][column] = None
    calls = re.findall(r"=(CF_\w+)\(([^)]*)\)", block)
    assert len(calls) == block.count("=")
    for name, inside in calls:
        answer = getattr(functions, name)(*(cells(word.strip(), sheet) for word in inside.split(",") if word.strip()))
        assert answer not in (None, "", []), name


def cells(word: str, sheet: list[list]) -> object:
    """Return what an argument of a formula is: a text, a number, or the values of a range."""
    if word.startswith('"'):
        return word.strip('"')
    if ":" not in word:
        return float(word)
    left, top, right, bottom = range_boundaries(word)
    return [row[left - 1 : right] for row in sheet[top - 1 : bottom]]
