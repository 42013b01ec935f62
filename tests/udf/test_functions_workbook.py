"""The functions in a workbook of one's own: what is put in, what stays, and what comes out again."""

import re
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest
import xlwings
from support.own_books import grid_book, list_book
from support.owned import DECORATIONS, decorated, make, with_prefix
from support.package_parts import packed
from support.vba_projects import sources
from support.zip_parts import rewritten

from cf_excel.errors import CfExcelError
from cf_excel.udf.fill_workbook import fill
from cf_excel.udf.found_functions import own_project
from cf_excel.udf.functions_vba import INTERPRETERS, functions_project
from cf_excel.udf.functions_workbook import CONF, add_functions, remove_functions
from cf_excel.udf.panel_workbooks import settings

SCRIPTS = Path(__file__).parents[1] / "support" / "functions_scripts.py"
CONVERT = Path(__file__).parents[1] / "support" / "office_scripts.py"
CODE_NAME = re.compile(rb"""\scodeName=("[^"]*"|'[^']*')""")
MAY_DIFFER = {"[Content_Types].xml", "xl/workbook.xml", "xl/_rels/workbook.xml.rels"}


def parts(path):
    with zipfile.ZipFile(path) as package:
        return {name: package.read(name) for name in package.namelist()}


def settings_in(path):
    rows = openpyxl.load_workbook(path, keep_vba=True)[CONF].iter_rows(values_only=True)
    return dict(rows)


def there_and_back(path):
    """Add the functions, check that nothing else differs, and take them out again; return the .xlsm."""
    add_functions(path)
    before, with_functions = parts(path), parts(path.with_suffix(".xlsm"))
    new = list(with_functions)[len(before) :]
    assert list(with_functions)[: len(before)] == list(before)
    assert len(new) == 2
    assert "xl/vbaProject.bin" in new
    names = ["ThisWorkbook"]
    for name, content in with_functions.items():
        found = CODE_NAME.search(content) if name.endswith(".xml") else None
        names += [found[1][1:-1].decode()] if found and name != "xl/workbook.xml" else []
        if name in MAY_DIFFER or name in new or content == before[name]:
            continue
        assert "sheets/" in name
        one_name_less = CODE_NAME.sub(b"", content, count=1)
        assert before[name] in (one_name_less, re.sub(rb"<[\w:]*sheetPr\s*/>", b"", one_name_less, count=1))
    project = own_project()
    found = sources(path.with_suffix(".xlsm"))
    assert found == dict.fromkeys(names, "") | {
        name: re.sub(r"(?m)^Attribute .*\n", "", text).strip("\n") + "\n"
        for name, text in (project.modules | project.classes).items()
    }
    remove_functions(path.with_suffix(".xlsm"), out=path.with_stem("back"))
    assert list(parts(path.with_stem("back")).items()) == list(before.items())
    return path.with_suffix(".xlsm")


@pytest.mark.parametrize("name", [name for name in DECORATIONS if name != "buttons"])
def test_nothing_else_changes(tmp_path, name):
    there_and_back(decorated(name, tmp_path))


@pytest.mark.parametrize("name", ["charts", "looks", "slicers"])
@pytest.mark.validator
def test_the_validator_finds_nothing_new(tmp_path, validator_errors, name):
    path = decorated(name, tmp_path)
    errors = validator_errors(add_functions(path).path)
    assert errors == [] or errors == validator_errors(path)


@pytest.mark.parametrize("book", [grid_book, list_book])
def test_it_comes_beside_the_workbook(tmp_path, book):
    path = book(tmp_path / "scores.xlsx")
    before = path.read_bytes()
    report = add_functions(path)
    assert report.path == tmp_path / "scores.xlsm"
    assert (path.read_bytes(), sorted(file.name for file in tmp_path.iterdir())) == (
        before,
        ["scores.xlsm", "scores.xlsx"],
    )
    there_and_back(path)
    assert settings_in(report.path).items() >= dict(settings()).items()


def test_prefixed_names_and_folders_elsewhere(tmp_path):
    there_and_back(rewritten(make(tmp_path / "own.xlsx"), with_prefix))


@pytest.mark.libreoffice
@pytest.mark.validator
def test_a_workbook_of_libreoffice_opens_there_with_macros_and_its_values(tmp_path, office, validator_errors):
    path = tmp_path / "own.xlsx"
    office.call("convert", str(grid_book(tmp_path / "made.xlsx")), str(path), script=CONVERT)
    with_functions = there_and_back(path)
    modules, sheets = office.call("modules", str(with_functions), script=SCRIPTS)
    assert {*own_project().modules, "Dictionary", "ThisWorkbook"} <= set(modules)
    conf = sheets.pop(CONF)
    assert conf["values"][0][0] == "Interpreter_Win"
    before = office.recalculate(path)
    after = office.recalculate(with_functions)
    assert {title: sheet for title, sheet in after.items() if title != CONF} == before == sheets
    assert validator_errors(with_functions) == validator_errors(path)


def test_again_changes_nothing(tmp_path):
    path = list_book(tmp_path / "scores.xlsx")
    target = add_functions(path).path
    before = target.read_bytes()
    for given in (path, target):
        report = add_functions(given)
        assert (report.path, str(report)) == (None, f"{target} is as it should be already: nothing was written")
    assert target.read_bytes() == before


def resaved(path, project):
    """Put another project into a workbook that has the functions."""
    names = [name for name in sources(path) if name.startswith(("Sheet", "xlwings_conf"))]
    content = project.packed(sorted(names, key=lambda name: (name == "xlwings_conf", name)))
    return rewritten(path, lambda name, old: content if name == "xl/vbaProject.bin" else old)


def test_what_excel_writes_otherwise_is_the_same(tmp_path):
    path = add_functions(list_book(tmp_path / "scores.xlsx")).path
    project = own_project()
    modules = {name: text.replace("ByRef", "byref ").replace("  ", " ") for name, text in project.modules.items()}
    assert modules != project.modules
    resaved(path, replace(project, modules=modules, documents={"Sheet1": "Option Explicit\n\n"}))
    before = path.read_bytes()
    assert add_functions(path).path is None
    assert path.read_bytes() == before


def test_the_functions_of_another_version_are_replaced_and_settings_kept(tmp_path):
    path = add_functions(list_book(tmp_path / "scores.xlsx")).path
    project = own_project()
    older = project.modules | {"xlwings_udfs": project.modules["xlwings_udfs"].split("Function CF_TOP")[0]}
    resaved(path, replace(project, modules=older))
    book = openpyxl.load_workbook(path, keep_vba=True)
    rows = [["PYTHONPATH", r"C:\mine"], ["Interpreter_Win", r"C:\Python\python.exe"], ["Interpreter_Mac", "/gone"]]
    del book[CONF]
    book.create_sheet(CONF)
    for row in [*rows, *(row for row in settings() if row[0] not in dict(rows))]:
        book[CONF].append(row)
    book.save(path)
    report = add_functions(path, backup=True)
    assert report.backup.name == "scores.bak.xlsm"
    assert parts(path)["xl/vbaProject.bin"] != parts(report.backup)["xl/vbaProject.bin"]
    assert "Function CF_TOP" in sources(path)["xlwings_udfs"]
    kept = {name: value for name, value in rows if name != INTERPRETERS.get(sys.platform)}
    assert settings_in(path).items() >= (dict(settings()) | kept).items()


def test_sheets_that_come_later_get_their_code(tmp_path):
    path = add_functions(grid_book(tmp_path / "scores.xlsx")).path
    fill(path)
    assert "Sheet4" not in sources(path)
    add_functions(path)
    assert {f"Sheet{n}" for n in range(1, 7)} <= set(sources(path))
    remove_functions(path, out=tmp_path / "back.xlsx")
    found = openpyxl.load_workbook(tmp_path / "back.xlsx")
    assert found.sheetnames == ["Stars", "Notes & more", "predictions", "recommendations", "similar", "fit"]
    assert b"codeName" not in b"".join(parts(tmp_path / "back.xlsx").values())
    fill(tmp_path / "back.xlsx")


def test_an_xlsm_without_vba_is_changed_where_it_lies(tmp_path):
    path = rewritten(
        list_book(tmp_path / "a.xlsx"),
        lambda name, content: content.replace(
            b"openxmlformats-officedocument.spreadsheetml.sheet.main", b"ms-excel.sheet.macroEnabled.main"
        ),
    ).rename(tmp_path / "a.xlsm")
    before = parts(path)
    report = add_functions(path, backup=True)
    assert (report.path, parts(report.backup)) == (path, before)
    assert parts(path)["[Content_Types].xml"].count(b"macroEnabled") == 1


def user_module(path, *, older=False):
    """Let somebody add a module to a workbook that has the functions."""
    project = own_project()
    modules = project.modules | {"Module1": "Sub Mine()\nEnd Sub\n"}
    if older:
        modules["xlwings_udfs"] += "\n' older"
    return resaved(path, replace(project, modules=modules))


def test_vba_of_ones_own_stays(tmp_path):
    path = user_module(add_functions(list_book(tmp_path / "scores.xlsx")).path)
    before = packed(path)
    assert add_functions(path).path is None
    with pytest.raises(CfExcelError, match=r"scores.xlsm has VBA of its own \(Module1\), which an .xlsx can't hold"):
        remove_functions(path)
    user_module(path, older=True)
    with pytest.raises(CfExcelError, match=r"has VBA of its own \(Module1\), which is left alone: xlwings' add-in"):
        add_functions(path)
    assert packed(path).keys() == before.keys()


def test_what_build_wrote_is_builds(tmp_path):
    path = resaved(add_functions(list_book(tmp_path / "scores.xlsx")).path, functions_project())
    assert add_functions(path).path is None
    with pytest.raises(CfExcelError, match="has VBA of its own"):
        remove_functions(path)
    project = functions_project()
    resaved(path, replace(project, modules=project.modules | {"xlwings": "' older"}))
    with pytest.raises(CfExcelError, match=r"was written by build, with its buttons: python -m cf_excel build"):
        add_functions(path)


def test_a_workbook_that_excel_saved_without_its_macros_gets_them_again(tmp_path):
    book = openpyxl.load_workbook(add_functions(list_book(tmp_path / "scores.xlsx")).path)
    book.save(tmp_path / "later.xlsx")
    assert "xl/vbaProject.bin" not in parts(tmp_path / "later.xlsx")
    report = add_functions(tmp_path / "later.xlsx")
    assert set(sources(report.path)) == set(sources(tmp_path / "scores.xlsm"))
    remove_functions(report.path, force=True)
    assert b"codeName" not in b"".join(parts(tmp_path / "later.xlsx").values())
    assert openpyxl.load_workbook(tmp_path / "later.xlsx").sheetnames == ["Orders"]


def quickstart(folder):
    path = folder / "own.xlsm"
    path.write_bytes(Path(xlwings.__file__).with_name("quickstart_standalone.xlsm").read_bytes())
    return path


def of_kind(folder, change, name="own.xlsx"):
    return rewritten(list_book(folder / "own.xlsx"), change).rename(folder / name)


def with_conf(folder, title=CONF):
    book = openpyxl.load_workbook(list_book(folder / "own.xlsx"))
    book.create_sheet(title).append(["Interpreter_Win", "mine"])
    book.save(folder / "own.xlsx")
    return folder / "own.xlsx"


def signed(folder):
    path = list_book(folder / "own.xlsx")
    with zipfile.ZipFile(path, "a") as package:
        package.writestr("_xmlsignatures/sig1.xml", b"<x/>")
    return path


def written(folder, name, content=b"text"):
    (folder / name).write_bytes(content)
    return folder / name


def opened_in_excel(folder):
    written(folder, "~$own.xlsm")
    return list_book(folder / "own.xlsx")


def template(folder):
    return of_kind(folder, lambda name, content: content.replace(b"sheet.main+xml", b"template.main+xml"))


@pytest.mark.parametrize(
    ("make_book", "message"),
    [
        (quickstart, r"own.xlsm has VBA of its own \(Module1, xlwings, Dictionary\), which is left alone: xlwings"),
        (lambda folder: decorated("buttons", folder), r"VBA of its own \(Module1\)"),
        (with_conf, "own.xlsx has a sheet xlwings.conf of its own, which is left alone"),
        (lambda folder: with_conf(folder, "XLWings.conf"), "own.xlsx has a sheet xlwings.conf of its own"),
        (signed, "own.xlsx is signed, and would no longer be"),
        (template, "own.xlsx is a template or an add-in"),
        (opened_in_excel, "own.xlsm is open in Excel"),
        (lambda folder: written(folder, "own.xlsx"), "own.xlsx is no workbook"),
        (lambda folder: written(folder, "own.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), "it is an old .xls"),
        (
            lambda folder: written(
                folder, "own.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le")
            ),
            "encrypted with a password",
        ),
        (lambda folder: folder / "none.xlsx", "no such file"),
        *(
            (
                lambda folder, name=name: written(folder, name),
                "expected a workbook that ends in .xlsx or .xlsm: open it",
            )
            for name in ("own.xls", "own.ods", "own.xlsb", "own.csv")
        ),
    ],
)
def test_what_is_refused_in_one_line(tmp_path, make_book, message):
    path = make_book(tmp_path)
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(CfExcelError, match=message) as caught:
        add_functions(path)
    assert "\n" not in str(caught.value)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_a_workbook_that_is_there_is_not_lost(tmp_path):
    path = list_book(tmp_path / "scores.xlsx")
    other = grid_book(tmp_path / "other.xlsx")
    for lost in (other.read_bytes(), b"text", add_functions(other).path.read_bytes()):
        target = written(tmp_path, "scores.xlsm", lost)
        with pytest.raises(
            CfExcelError, match=r"scores.xlsm is there and holds other things than scores.xlsx: --force"
        ):
            add_functions(path)
        assert target.read_bytes() == lost
    report = add_functions(path, force=True, backup=True)
    assert (report.path, report.backup.read_bytes()) == (target, lost)
    written(tmp_path, "scores.xlsx", other.read_bytes())
    with pytest.raises(CfExcelError, match=r"scores.xlsx is there and holds other things"):
        remove_functions(target)
    remove_functions(target, force=True)
    with pytest.raises(CfExcelError, match=r"--out .*copy.xlsx: expected a name that ends in .xlsm"):
        add_functions(path, out=tmp_path / "copy.xlsx")
    with pytest.raises(CfExcelError, match=r"expected a workbook that ends in .xlsm$"):
        remove_functions(path)


def test_where_there_is_nothing_to_take_out(tmp_path):
    with pytest.raises(CfExcelError, match="has none of the functions: nothing to take out"):
        remove_functions(quickstart(tmp_path))


def test_names_that_hide_a_function_and_formulas_that_call_one_are_told(tmp_path):
    book = openpyxl.Workbook()
    book.active["A1"] = "=CF_MODEL()"
    book.defined_names["cf_top"] = openpyxl.workbook.defined_name.DefinedName("cf_top", attr_text="Sheet!$A$1")
    book.save(tmp_path / "own.xlsx")
    report = add_functions(tmp_path / "own.xlsx")
    assert report.notes == (
        "the workbook's own name CF_TOP hides the function: Excel shows what the name stands for",
        "formulas that call the functions are there already: let Excel calculate everything anew once",
    )
    report = remove_functions(report.path, out=tmp_path / "back.xlsx")
    assert report.notes == ("formulas that call the functions stay, and show #NAME? once Excel calculates them",)
