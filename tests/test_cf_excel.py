"""The public names: import cf_excel and use them."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import cf_excel
from cf_excel.model.file import load_factors

STUB = Path(cf_excel.__file__).with_suffix(".pyi")


@pytest.mark.parametrize("name", cf_excel.__all__)
def test_every_public_name_is_there_with_its_types(name: str) -> None:
    there = getattr(cf_excel, name)
    imports = [node for node in ast.parse(STUB.read_text()).body if isinstance(node, ast.ImportFrom)]
    typed = {alias.asname or alias.name: (node.module, alias.name) for node in imports for alias in node.names}
    assert typed[name] == (there.__module__, there.__name__)
    assert set(typed) == set(cf_excel.__all__)
    assert name in dir(cf_excel)


def test_the_package_says_that_it_has_types() -> None:
    assert STUB.with_name("py.typed").exists()


def test_a_name_loads_only_what_it_needs() -> None:
    code = "import sys, cf_excel; cf_excel.load_predictor; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "numpy" in loaded
    assert {"torch", "pandas", "openpyxl", "scipy"}.isdisjoint(loaded)


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'forest'"):
        cf_excel.forest  # noqa: B018


@pytest.mark.parametrize("kind", ["bayes", "dot"])
def test_from_ratings_to_a_recommendation(kind: str, make_ratings, tmp_path: Path) -> None:
    ratings = make_ratings([(user, movie, 1 + (user * movie) % 5) for user in range(1, 9) for movie in range(1, 8)])
    factors = cf_excel.train(ratings, kind, n_factors=3)
    assert factors.kind == kind
    assert factors.user_factors.shape == (8, 3)
    cf_excel.save_factors(factors, tmp_path / "model")
    assert load_factors(tmp_path / "model").record["n_train"] == 56
    assert len(cf_excel.load_predictor(tmp_path / "model").similar(1, n=3)) == 3
    cf_excel.export(factors, tmp_path / "recommender.xlsx")
    cf_excel.build(ratings, tmp_path / "lesson.xlsx", n_users=3, n_movies=3)
    assert (tmp_path / "recommender.xlsx").exists()
    assert (tmp_path / "lesson.xlsx").exists()


def test_another_kind_is_refused(make_ratings) -> None:
    with pytest.raises(cf_excel.CfExcelError, match="kind 'forest': expected one of bayes, dot, dot-bias, net, collab"):
        cf_excel.train(make_ratings([(1, 1, 5)]), "forest")


def test_nothing_says_to_get_it_from_a_registry_that_lacks_it() -> None:
    root = STUB.parents[1]
    texts = [*STUB.parent.rglob("*.py"), *(root / "docs").glob("*.md"), root / "README.md", root / "run.bat"]
    said = re.compile(r"pip install( -[-\w]+)* [\"']?cf.excel\b")
    assert {path.name for path in texts if said.search(path.read_text("utf-8"))} == set()


def test_the_small_install_has_all_but_torch_and_numba() -> None:
    root = STUB.parents[1]
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    names = {re.match(r"[\w-]+", each)[0] for each in project["dependencies"]}
    lines = re.findall("^python -m pip install (\\w.*)$", (root / "docs/python.md").read_text("utf-8"), re.MULTILINE)
    assert set(" ".join(lines).split()) == names - {"torch", "numba"}
