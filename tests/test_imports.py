"""Imports flow one way: between rooms as MAY_IMPORT says, and between modules without a circle."""

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "cf_excel"
MODULES = sorted(PACKAGE.rglob("*.py"))
TABLES = {"errors", "files", "zip_guard", "written", "ratings"}
MODEL = TABLES | {"metrics", "model"}
MAY_IMPORT = {
    "errors": set(),
    "data": set(),
    "files": {"errors"},
    "zip_guard": {"errors"},
    "written": {"zip_guard"},
    "metrics": {"errors"},
    "ratings": TABLES | {"data"},
    "model": MODEL,
    "predictor": {"model"},
    "learn": MODEL | {"learn"},
    "notebook_model": MODEL | {"learn"},
    "lesson": MODEL | {"data", "learn", "plots"},
    "xlsx": {"errors", "files", "zip_guard", "written", "xlsx"},
    "sheets": MODEL | {"xlsx", "sheets"},
    "plots": MODEL | {"plots"},
    "evaluate": MODEL | {"learn", "plots", "evaluate"},
    "udf": MODEL | {"learn", "xlsx", "sheets", "udf"},
}
HEAVY = {"torch", "numba", "scipy"}
WITH_HEAVY = {"learn", "lesson", "evaluate", "cli"}


def imports(path: Path) -> set[str]:
    """Return every module that a file imports, anywhere in it and for types alone, too, written out in full."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write imports in full"
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def named(path: Path) -> str:
    """Return a module's name."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(name: str) -> str:
    return [*name.split("."), "__init__"][1]


NAMES = {named(path): path for path in MODULES}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_flow_one_way(path):
    room, found = room_of(named(path)), imports(path)
    if room in MAY_IMPORT:
        assert {room_of(name) for name in found & NAMES.keys()} - {"__init__"} <= MAY_IMPORT[room]
        assert room in WITH_HEAVY or not {name.partition(".")[0] for name in found} & HEAVY


def test_no_module_imports_itself_through_others():
    arrows = {name: imports(path) & NAMES.keys() for name, path in NAMES.items()}
    while arrows:  # take away what imports nothing that is left, until there is nothing or a circle
        free = {name for name, found in arrows.items() if not found & arrows.keys() - {name}}
        assert free, f"a circle of imports within {sorted(arrows)}"
        arrows = {name: found for name, found in arrows.items() if name not in free}


def test_a_name_has_one_meaning():
    modules = [path.stem for path in MODULES if path.stem not in ("__init__", "__main__") and path.parent.name != "cli"]
    classes = [
        node.name
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    ]
    # the public way to model.predictor
    assert {name for name, n in Counter(modules).items() if n > 1} == {"predictor"}
    assert {name for name, n in Counter(classes).items() if n > 1} == set()


def test_the_package_imports_nothing_from_outside():
    code = "import sys; before = set(sys.modules); import cf_excel; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["cf_excel"]
