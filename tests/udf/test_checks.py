"""The doctor on made-up machines."""

import sys
from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest
from support.machines import EXCEL, found, windows
from support.own_books import list_book
from support.zip_parts import rewritten

from cf_excel.cli import main
from cf_excel.errors import FileError
from cf_excel.model.file import save_factors
from cf_excel.sheets.lesson.collab import build_collab
from cf_excel.udf import checks as doctor
from cf_excel.udf.checks import Check, Machine, examine, has_package
from cf_excel.udf.found_functions import own_project
from cf_excel.udf.functions_workbook import add_functions
from cf_excel.udf.panel_workbooks import excel_extension


@pytest.fixture(autouse=True)
def model(tmp_path, tiny_factors, monkeypatch):
    save_factors(tiny_factors(), tmp_path / "model")
    monkeypatch.setenv("CF_EXCEL_MODEL", str(tmp_path / "model"))


@pytest.fixture(scope="module")
def workbook(tmp_path_factory, busy_ratings):
    """A workbook that was built on a Mac."""
    path = tmp_path_factory.mktemp("doctor") / "functions.xlsm"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "platform", "darwin")
        build_collab(busy_ratings, path, extend=excel_extension(busy_ratings.rating_range, ()))
    return path


def test_elsewhere_it_says_what_can_not_be_checked():
    checks = examine(machine=Machine(platform="linux"))
    for name in ("Windows", "Excel", "macro settings"):
        assert found(checks, name).state == "unknown"
        assert "can't be checked here" in found(checks, name).found
    assert found(checks, "model").state == "ok"


def test_a_good_windows(tmp_path, monkeypatch):
    library = f"xlwings64-{doctor.version('xlwings')}.dll"
    (tmp_path / library).write_text("")
    (tmp_path / "Scripts").mkdir()
    monkeypatch.setattr(doctor, "find_spec", lambda name: name)
    checks = examine(machine=windows(executable=str(tmp_path / "Scripts" / "python.exe"), VBAWarnings=2))
    assert {check.state for check in checks} == {"ok"}
    assert found(checks, "Excel").found == f"{EXCEL} (16.0.1, x64)"
    assert found(checks, "xlwings' library").found == str(tmp_path / library)


@pytest.mark.parametrize(
    ("machine", "name", "state", "words"),
    [
        (windows(), "xlwings' library", "wrong", "is not in"),
        (windows(), "pywin32", "wrong", "not installed"),
        (windows(r"C:\Program Files\WindowsApps\Python\python.exe"), "Python", "wrong", "Microsoft Store"),
        (windows(program=r"C:\Program Files\WindowsApps\EXCEL.EXE"), "Excel", "wrong", "Microsoft Store"),
        (windows(program=None), "Excel", "unknown", "not found"),
        (windows(VBAWarnings=4), "macro settings", "wrong", "no macros run"),
        (windows(VBAWarnings=1, policyVBAWarnings=3), "macro settings", "wrong", "by your organisation's policy"),
        (windows(VBAWarnings=9), "macro settings", "unknown", "unknown level 9"),
        (windows(VBAWarnings=1), "macro settings", "ok", "all macros run"),
    ],
)
def test_what_goes_wrong(machine, name, state, words):
    check = found(examine(machine=machine), name)
    assert check.state == state
    assert words in check.found
    assert check.advice if state == "wrong" else True


def test_without_xlwings(monkeypatch):
    def gone(name):
        raise doctor.PackageNotFoundError(name)

    monkeypatch.setattr(doctor, "version", gone)
    assert found(examine(), "xlwings") == Check("xlwings", "wrong", "not installed", "python -m pip install xlwings")


def test_a_workbook_of_this_python(workbook):
    checks = examine(workbook, Machine(platform="darwin"))
    assert [check.name for check in checks if check.state == "wrong"] == []
    assert "this Python" in found(checks, "Interpreter_Mac").found
    names = [check.name for check in examine(workbook, Machine(platform="linux"))]
    assert [name for name in names if name.startswith("Interpreter")] == []  # no Excel asks for a Python there


def test_a_workbook_with_the_vba_of_another_xlwings(workbook, monkeypatch):
    monkeypatch.setattr(doctor, "version", lambda name: "0.1.2")
    check = found(examine(workbook), "xlwings' VBA")
    assert check.state == "wrong"
    assert "this Python has 0.1.2" in check.found


def test_a_workbook_of_another_machine(workbook, tmp_path, monkeypatch):
    place = tmp_path / "OneDrive"
    place.mkdir()
    copy = Path(place / "book.xlsm")
    copy.write_bytes(workbook.read_bytes())
    Path(f"{copy}:Zone.Identifier").write_text("[ZoneTransfer]\nZoneId=3\n")
    checks = examine(copy, windows(environment={"OneDrive": str(place)}))
    assert "not the Python that you asked" in found(checks, "Interpreter_Win").found
    assert found(checks, "Mark of the Web").state == "wrong"
    assert "in OneDrive" in found(checks, "folder").found
    Path(f"{copy}:Zone.Identifier").unlink()
    assert found(examine(copy, windows()), "Mark of the Web").state == "ok"


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A workbook of one's own with the functions, on a Mac."""
    monkeypatch.setattr(sys, "platform", "darwin")
    return add_functions(list_book(tmp_path / "scores.xlsx")).path


def with_modules(path, modules, classes):
    """Put other VBA into a workbook with the functions."""
    content = replace(own_project(), modules=modules, classes=classes).packed(["Sheet1", "xlwings_conf"])
    return rewritten(path, lambda name, old: content if name == "xl/vbaProject.bin" else old)


def test_a_workbook_of_ones_own(own):
    checks = examine(own)
    assert [check.name for check in checks if check.state == "wrong"] == []
    assert found(checks, "VBA") == Check("VBA", "ok", "the functions of this version")
    project = own_project()
    udfs = {"xlwings_udfs": project.modules["xlwings_udfs"]}
    checks = examine(with_modules(own, udfs, {}))
    assert found(checks, "VBA").found == "the functions of this version, through xlwings' add-in"
    modules = project.modules | {"xlwings_udfs": project.modules["xlwings_udfs"].partition("Function CF_TOP")[0]}
    check = found(examine(with_modules(own, modules, project.classes)), "VBA")
    assert (check.state, check.found) == ("wrong", "the functions are those of another version")
    assert check.advice == f"python -m cf_excel functions add {own}"
    check = found(examine(with_modules(own, {"Module1": ""}, {})), "VBA")
    assert (check.state, check.found) == ("wrong", "scores.xlsm has VBA, but not the functions")


@pytest.mark.parametrize(("answer", "state"), [(True, "ok"), (False, "wrong"), (None, "unknown")])
def test_the_python_of_a_workbook_imports_the_functions_or_not(own, answer, state):
    asked = []
    ask = lambda path: asked.append(path) or answer  # noqa: E731
    machine = Machine(platform="darwin", executable="/another/python", has_package=ask)
    check = found(examine(own, machine), "Interpreter_Mac")
    assert (asked, check.state) == ([sys.executable], state)
    assert check.advice if state == "wrong" else True


def test_another_python_is_asked(tmp_path, monkeypatch):
    assert has_package(sys.executable)
    monkeypatch.setattr(doctor, "UDF_MODULE", "cf_excel.nothing")
    assert has_package(sys.executable) is False
    evil = tmp_path / "evil.exe"
    evil.write_text("#!/bin/sh\ntouch done\n")
    evil.chmod(0o700)
    for name in (str(evil), r"\\far\python.exe", "//far/python"):
        assert has_package(name) is None


def test_damaged_vba_is_one_line(own, capsys):
    rewritten(own, lambda name, content: content[:700] if name == "xl/vbaProject.bin" else content)
    assert main(["doctor", str(own)]) == 2
    assert capsys.readouterr().err == "cf_excel doctor: scores.xlsm is damaged: its VBA project can't be read\n"


def test_workbooks_that_are_none_of_ours(tmp_path, capsys):
    book = openpyxl.Workbook()
    book.save(tmp_path / "plain.xlsx")
    checks = examine(tmp_path / "plain.xlsx")
    assert [check.name for check in checks if check.state == "wrong"] == ["VBA", "xlwings.conf"]
    book.create_sheet("xlwings.conf").append(["Interpreter_Mac", "/no/such/python"])
    book.save(tmp_path / "plain.xlsx")
    checks = examine(tmp_path / "plain.xlsx", Machine(platform="darwin"))
    assert [check.name for check in checks if check.state == "wrong"] == ["VBA", "Interpreter_Mac", "UDF Modules"]
    (tmp_path / "text.xlsm").write_text("text")
    faults = {
        "text.xlsm": "text.xlsm is no workbook: it is a text; open it in Excel, save it as .xlsx and pass that",
        "none.xlsm": "none.xlsm: no such file",
        "plain": f"plain: no such file: did you mean {tmp_path / 'plain.xlsx'}?",
        ".": "is a folder: expected a workbook",
    }
    for name, fault in faults.items():
        with pytest.raises(FileError) as error:
            examine(tmp_path / name)
        assert str(error.value).endswith(fault)
        assert main(["doctor", str(tmp_path / name)]) == 2


def test_the_command_counts_what_is_wrong(monkeypatch, tmp_path, capsys):
    assert main(["doctor"]) == 0
    monkeypatch.setenv("CF_EXCEL_MODEL", str(tmp_path / "none"))
    assert main(["doctor"]) == 2
    captured = capsys.readouterr()
    assert "WRONG   model: there is no model at" in captured.out
    assert "-> python -m cf_excel train" in captured.out
    assert captured.err.splitlines()[-1].startswith("cf_excel doctor: 1 of ")
