"""The commands without torch and numba: all go on but the lesson's models, which say what is missing."""

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest

from cf_excel.errors import needs
from cf_excel.model.file import save_factors

WORKBOOK = Path(__file__).parents[2] / "workbooks" / "collab_filter.xlsx"
HIDING = """
from importlib.machinery import PathFinder

find = PathFinder.find_spec
PathFinder.find_spec = staticmethod(lambda name, *rest: None if name in {names} else find(name, *rest))
"""
DICE = random.Random(1)
ROWS = [
    (f"u{u}", f"m{m}", DICE.randint(3, 5) if u % 2 == m % 2 else DICE.randint(1, 3))
    for u in range(30)
    for m in range(12)
    if DICE.random() < 0.7
]
TABLE = "customer,product,rating\n" + "".join(f"{u},{m},{rating}\n" for u, m, rating in ROWS)

Run = Callable[..., subprocess.CompletedProcess]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return a function that runs a command in a folder with sales.csv, in a Python that finds no such packages."""
    (tmp_path / "sales.csv").write_text(TABLE)

    def run(command: str, *names: str) -> subprocess.CompletedProcess:
        hiding = tmp_path / "hiding"
        hiding.mkdir(exist_ok=True)
        (hiding / "sitecustomize.py").write_text(HIDING.format(names=names or ("torch", "numba")))
        paths = os.pathsep.join([str(hiding), *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = {**os.environ, "PYTHONPATH": paths, "CF_EXCEL_MODEL": str(tmp_path / "model.safetensors")}
        words = [sys.executable, *(["-c", command] if "import" in command else ["-m", "cf_excel", *command.split()])]
        return subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    return run


def test_a_table_is_learnt_and_asked(run: Run, tmp_path: Path) -> None:
    for command in (
        "train --ratings sales.csv",
        "predict u1 m4",
        "recommend u1 -n 1",
        "similar m1 -n 3",
        "rate m1=5 -n 3",
        "export --out recommender.xlsx",
    ):
        done = run(command)
        assert done.returncode == 0, (command, done.stderr)
    assert (tmp_path / "recommender.xlsx").exists()


@pytest.mark.slow
def test_workbooks_are_built_and_filled(run: Run, tmp_path: Path, busy_factors: Callable) -> None:
    book = openpyxl.Workbook()
    for row in (("customer", "product", "rating"), *ROWS):
        book.active.append(row)
    book.save(tmp_path / "scores.xlsx")
    shutil.copy(WORKBOOK, tmp_path / "lesson.xlsx")
    save_factors(busy_factors(), tmp_path / "model.safetensors")
    for command in (
        "build --out books --force",  # the model is of fewer ratings
        "write lesson.xlsx --out written.xlsx",
        "solve lesson.xlsx --out solved.xlsx",
        "fill scores.xlsx --out filled.xlsx",
    ):
        done = run(command)
        assert done.returncode == 0, (command, done.stderr)


def test_a_table_is_learnt_in_python(run: Run) -> None:
    table = "import cf_excel, pandas as pd; sales = pd.read_csv('sales.csv'); "
    done = run(table + "print(cf_excel.fit(sales, n_factors=2, iterations=2, tune=False).recommend('u1', n=1))")
    assert done.returncode == 0, done.stderr
    assert "u1" in done.stdout
    assert run(table + "cf_excel.fit(sales[['customer', 'product']], 'picks', n_factors=2)").returncode == 0
    for code in (table + "cf_excel.fit(sales, 'dot')", "from cf_excel.lesson import *"):
        assert run(code).stderr.splitlines()[-1].endswith(needs("torch"))


@pytest.mark.parametrize("options", ["--kind dot", "--kind net", "--device cuda"])
def test_what_needs_torch_says_so_in_a_line(run: Run, options: str) -> None:
    done = run(f"train --ratings sales.csv {options}")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == f"cf_excel train: {needs('torch')}"
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_the_lesson_needs_no_numba(run: Run) -> None:
    assert run("train --ratings sales.csv --kind dot --epochs 1 --force", "numba").returncode == 0
    done = run("train --ratings sales.csv --kind dot --epochs 1 --engine lazy", "numba")
    assert done.returncode == 2
    assert "it needs numba: python -m pip install numba" in done.stderr
