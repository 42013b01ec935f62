"""Imports flow one way: errors <- ratings <- learn -> model_file <- predictor <- {book, udf} <- cli."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "cf_excel"
DATA = {"errors", "files", "data", "ratings", "lesson_ratings", "readers"}
SCORE = {"errors", "files", "ratings", "model_file", "metrics", "lookup", "fold_in", "uncertainty", "predictor"}
MAY_IMPORT = {
    "errors": set(),
    "files": {"errors"},
    "ratings": {"errors", "ratings"},
    "metrics": {"errors"},
    "model_file": {"errors", "files"},
    "lookup": {"errors", "ratings"},
    "fold_in": {"errors", "model_file"},
    "uncertainty": {"model_file"},
    "predictor": SCORE,
    "labels": set(),
    "plots": {"errors", "files", "lookup", "labels"},
    "learn": DATA | {"metrics", "model_file", "learn"},
    "lesson": DATA | {"metrics", "model_file", "learn", "plots"},
    "evaluate": SCORE | DATA | {"learn", "evaluate"},
    "book": SCORE | {"book"},
    "udf": SCORE | {"book", "udf"},
}
HEAVY = {"torch", "numba", "scipy"}


def imports(path: Path) -> set[str]:
    """Every module that a file imports, anywhere in it, written out in full."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write imports in full"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def rooms(found: set[str]) -> set[str]:
    names = {name.split(".")[1] for name in found if name.startswith("cf_excel.")}
    return {name for name in names if (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").exists()}


MODULES = sorted(PACKAGE.rglob("*.py"))
READ_DATA = {room_of(path) for path in MODULES} - set(MAY_IMPORT) - {"cli", "__init__", "__main__"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_flow_one_way(path):
    room, found = room_of(path), imports(path)
    if room not in ("cli", "__main__"):
        # A module that is not named above reads data: it may know errors, ratings and others like itself.
        allowed = MAY_IMPORT.get(room, DATA | READ_DATA) | (READ_DATA if room in ("learn", "lesson") else set())
        assert rooms(found) <= allowed
    if room not in ("learn", "lesson"):
        assert not {name.partition(".")[0] for name in found} & HEAVY or room == "cli"


def test_the_package_imports_nothing_from_outside():
    code = "import sys; before = set(sys.modules); import cf_excel; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["cf_excel"]
