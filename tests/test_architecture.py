"""The rules that keep the rooms apart."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import cf_excel

PACKAGE = Path(cf_excel.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
# SHA256 and the like have the form of an address: what stands in a text of ours and is none
NOT_ADDRESSES = {"ISO8601", "MD5", "UTF8", "UTF16", "SHA256"}
GUID = re.compile(r"\{[0-9A-F-]{36}\}")
ADDRESS = re.compile(r"(?<![\w.])\$?[A-Z]{1,3}\$?[1-9]\d{0,6}(?![\w(])")

POSSESSIVE = re.compile(r"(?<!\\)\)[*+?]\+")


def texts_of(tree: ast.Module) -> list[ast.Constant]:
    """Return the string constants that are no docstrings."""
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    constants = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return [node for node in constants if id(node) not in docstrings]


@pytest.mark.parametrize(
    "path", [path for path in MODULES if path.name != "layout.py"], ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_no_cell_address_outside_the_layout(path):
    found = [
        (node.lineno, address)
        for node in texts_of(ast.parse(path.read_text()))
        for address in ADDRESS.findall(GUID.sub("", node.value))
        if address not in NOT_ADDRESSES
    ]
    assert found == []


def test_the_rule_finds_an_address():
    assert [n.value for n in texts_of(ast.parse('"""A1"""\nx = "SUM($B$2:C3)"'))] == ["SUM($B$2:C3)"]
    assert ADDRESS.findall("SUM($B$2:C3)") == ["$B$2", "C3"]


def loaded_by(statement: str) -> set[str]:
    """Return the top-level modules that a statement loads in a fresh Python."""
    code = f"import sys; {statement}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing_else():
    loaded = loaded_by("import cf_excel")
    assert "cf_excel" in loaded
    assert loaded - loaded_by("pass") - {"cf_excel"} == set()


def test_the_command_line_starts_light():
    heavy = {"numpy", "pandas", "openpyxl", "torch", "rich", "matplotlib", "xlwings"}
    assert loaded_by("import cf_excel.cli; cf_excel.cli.make_parser()") & heavy == set()


def test_the_lessons_ratings_come_without_pandas():
    loaded = loaded_by("from cf_excel.ratings.lesson_ratings import load_lesson_ratings as load; load()")
    assert loaded & {"pandas", "python_calamine", "charset_normalizer"} == set()


def test_building_needs_no_torch():
    assert loaded_by("import cf_excel.sheets.lesson.collab") & {"torch", "matplotlib", "xlwings"} == set()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_no_group_is_repeated_possessively(path):
    """Python 3.11.0 to 3.11.4 match such patterns wrongly (CPython's issue 106052); an atomic group does the same."""
    constants = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant))
    patterns = ((node.lineno, node.value) for node in constants if isinstance(node.value, (str, bytes)))
    texts = ((line, text if isinstance(text, str) else text.decode("latin-1")) for line, text in patterns)
    assert [line for line, text in texts if POSSESSIVE.search(text)] == []


def test_the_rule_finds_a_group():
    assert POSSESSIVE.search("(?:ab|c)*+")
    assert not POSSESSIVE.search("(?>(?:ab|c)*)[^x]*+")
