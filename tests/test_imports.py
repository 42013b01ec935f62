"""Imports flow one way: between rooms as MAY_IMPORT says, and between modules without a circle."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "cf_excel"
MODULES = sorted(PACKAGE.rglob("*.py"))
TABLES = {"errors", "files", "ratings"}
MODEL = TABLES | {"metrics", "model"}
MAY_IMPORT = {
    "errors": set(),
    "data": set(),
    "files": {"errors"},
    "metrics": {"errors"},
    "ratings": TABLES | {"data"},
    "predictor": {"model"},
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


def test_the_package_imports_nothing_from_outside():
    code = "import sys; before = set(sys.modules); import cf_excel; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["cf_excel"]
