"""Environments of conda and uv, as they lie on a disk."""

import sys
from pathlib import Path, PureWindowsPath

import pytest
from support.machines import found, windows
from support.own_books import list_book

from cf_excel.udf import panel_workbooks
from cf_excel.udf.checks import examine
from cf_excel.udf.environments import PythonEnvironment, environment_of, interpreter_of
from cf_excel.udf.functions_workbook import add_functions
from cf_excel.udf.panel_workbooks import settings


@pytest.fixture
def conda(tmp_path: Path) -> Path:
    """Return a folder of conda with an environment, cf_excel."""
    base = tmp_path / "miniconda3"
    for prefix in (base, base / "envs" / "cf_excel"):
        (prefix / "conda-meta").mkdir(parents=True)
    (base / "condabin").mkdir()
    (base / "condabin" / "conda.bat").touch()
    return base


def uv(prefix: Path) -> Path:
    """Make an environment as uv does."""
    prefix.mkdir(parents=True)
    (prefix / "pyvenv.cfg").write_text(
        "home = C:\\Python\nimplementation = CPython\nuv = 0.9.1\nversion_info = 3.12.1\n"
    )
    return prefix


def test_an_environment_of_conda(conda: Path, tmp_path: Path) -> None:
    inside = conda / "envs" / "cf_excel"
    found = environment_of(inside, {"CONDA_PREFIX": str(inside)})
    assert found == PythonEnvironment("conda", str(conda), "cf_excel")
    assert found.settings == [("Interpreter_Win", "python"), ("Conda Path", str(conda)), ("Conda Env", "cf_excel")]
    assert environment_of(conda, {}).conda_env == "base"
    assert not environment_of(conda, {}).is_active
    elsewhere = tmp_path / "work" / "env"
    (elsewhere / "conda-meta").mkdir(parents=True)
    assert environment_of(elsewhere, {}) == PythonEnvironment("conda", conda_env=str(elsewhere), is_active=False)
    assert environment_of(elsewhere, {}).settings == []
    program = {"CONDA_EXE": str(conda / "Scripts" / "conda.exe"), "CONDA_PREFIX": str(elsewhere)}
    assert environment_of(elsewhere, program) == PythonEnvironment("conda", str(conda), str(elsewhere))
    (conda / "condabin" / "conda.bat").unlink()  # micromamba has none
    assert environment_of(inside, {}).settings == []


def test_no_name_with_a_space_goes_into_a_command_without_quotes() -> None:
    assert PythonEnvironment("conda", r"C:\conda", r"D:\my work\env").settings == []


def test_environments_of_uv_and_others(tmp_path: Path) -> None:
    kept, once = uv(tmp_path / ".venv"), uv(tmp_path / "uv" / "archive-v0" / "abc")
    assert environment_of(kept, {}) == PythonEnvironment("uv")
    assert environment_of(once, {}).kind == "uvx"
    plain = tmp_path / "plain"
    plain.mkdir()
    assert environment_of(plain, {}) == PythonEnvironment()
    (plain / "pyvenv.cfg").write_text("home = /usr/bin\nprompt = uv\n")
    assert environment_of(plain, {}) == PythonEnvironment()


@pytest.mark.parametrize(
    ("rows", "python"),
    [
        (
            {"INTERPRETER_WIN": r"C:\Python\python.exe", "CONDA PATH": r"C:\conda", "CONDA ENV": "a"},
            r"C:\Python\python.exe",
        ),
        ({"INTERPRETER_WIN": "pythonw"}, "pythonw"),
        ({"INTERPRETER_WIN": "python", "CONDA PATH": r"C:\conda", "CONDA ENV": "a"}, r"C:\conda\envs\a\python.exe"),
        ({"INTERPRETER_WIN": "python", "CONDA PATH": r"C:\conda", "CONDA ENV": "base"}, r"C:\conda\python.exe"),
        ({"INTERPRETER_WIN": "pythonw", "CONDA PATH": r"C:\conda", "CONDA ENV": r"D:\env"}, r"D:\env\pythonw.exe"),
    ],
)
def test_which_python_the_vba_starts(rows: dict[str, str], python: str) -> None:
    assert interpreter_of(rows) == python


def test_a_workbook_names_the_environment_of_conda(conda: Path, tmp_path: Path, monkeypatch) -> None:
    inside = conda / "envs" / "cf_excel"
    monkeypatch.setattr(panel_workbooks.sys, "platform", "win32")
    monkeypatch.setattr(panel_workbooks.sys, "prefix", str(inside))
    rows = dict(settings())
    assert [rows[name] for name in ("Interpreter_Win", "Conda Path", "Conda Env")] == ["python", str(conda), "cf_excel"]
    book = add_functions(list_book(tmp_path / "scores.xlsx")).path
    rows = {name.upper(): value for name, value in rows.items()}
    executable = str(PureWindowsPath(str(conda), "envs", "cf_excel", "python.exe"))
    assert interpreter_of(rows) == executable
    monkeypatch.setattr("cf_excel.udf.checks.Path.exists", lambda path: True)
    machine = windows(executable=executable, environment={"CONDA_PREFIX": str(inside)}, prefix=inside)
    assert found(examine(book, machine), "Interpreter_Win").found == f"{executable}, this Python"
    monkeypatch.setattr(panel_workbooks.sys, "prefix", str(tmp_path))  # another Python takes it over
    add_functions(book)
    monkeypatch.undo()
    from cf_excel.udf.checks import _settings

    left = _settings(book) or {}
    assert (left["INTERPRETER_WIN"], "CONDA PATH" in left) == (sys.executable, False)


def test_the_doctor_knows_them(conda: Path, tmp_path: Path) -> None:
    inside = conda / "envs" / "cf_excel"
    check = found(examine(machine=windows(prefix=inside, environment={"CONDA_PREFIX": str(inside)})), "Python")
    assert (check.state, check.found.endswith("conda's environment cf_excel")) == ("ok", True)
    check = found(examine(machine=windows(prefix=inside)), "Python")
    assert (check.state, check.advice) == ("wrong", "conda activate cf_excel")
    kept = windows(prefix=uv(tmp_path / ".venv"))
    assert found(examine(machine=kept), "pywin32").advice == "uv pip install pywin32"
    assert found(examine(machine=kept), "xlwings' library").advice.startswith("uv pip install --reinstall xlwings")
    once = found(examine(machine=windows(prefix=uv(tmp_path / "archive-v0" / "abc"))), "Python")
    assert (once.state, "uv venv --seed" in once.advice) == ("wrong", True)
