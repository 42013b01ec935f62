"""The harness that runs solve and write on a folder of workbooks: it passes sound packages, and it can fail."""

import argparse
import re
import sys
import zipfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType

import openpyxl
import pytest
from openpyxl.chart import LineChart, Reference
from openpyxl.comments import Comment
from openpyxl.drawing.image import Image
from openpyxl.worksheet.table import Table
from support import owned
from support.zip_parts import rewritten

from cf_excel.errors import InputError
from cf_excel.xlsx.edit.workbook_file import OpenedBook
from cf_excel.xlsx.opc import CONTENT_TYPES, OFFICE, Package

NO_VALIDATOR = ("--validate", "0")
SCRIPTS = Path(__file__).parents[1] / "scripts"
DRAWING = "application/vnd.openxmlformats-officedocument.drawing+xml"
SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"
RELS = "application/vnd.openxmlformats-package.relationships+xml"


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Return a function that imports a module of the harness."""
    monkeypatch.syspath_prepend(SCRIPTS)
    return import_module


def of_openpyxl(path: Path) -> Path:
    """Write a workbook with a chart, a comment, a picture and a table."""
    book = openpyxl.Workbook()
    sheet = book.active
    for row in ("a", "b"), (1, 2), (3, "=SUM(A2:B2)"):
        sheet.append(row)
    sheet["A1"].comment = Comment("whose?", "me")
    sheet.add_table(Table(displayName="Mine", ref="A1:B3"))
    sheet.add_image(Image(owned.png()), "D10")
    chart = LineChart()
    chart.add_data(Reference(sheet, min_col=1, min_row=2, max_row=3))
    sheet.add_chart(chart, "D1")
    book.save(path)
    return path


def with_types(path: Path, change: Callable[[str], str]) -> Path:
    """Change the content types of a workbook."""
    return rewritten(path, lambda name, c: change(c.decode()).encode() if name == CONTENT_TYPES else c)


def renamed(path: Path, new_name: Callable[[str], str], change: Callable[[bytes], bytes] = bytes) -> Path:
    """Give the parts of a workbook other names in its zip."""
    with zipfile.ZipFile(path) as package:
        parts = {new_name(name): change(package.read(name)) for name in package.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in parts.items():
            package.writestr(name, content)
    return path


def override(part: str, content_type: str) -> str:
    return f'<Override PartName="/{part}" ContentType="{content_type}"/>'


def no_default_of_relations(path: Path) -> Path:
    with zipfile.ZipFile(path) as package:
        rels = "".join(override(name, RELS) for name in package.namelist() if name.endswith(".rels"))
    default = f'<Default Extension="rels" ContentType="{RELS}"/>'
    return with_types(path, lambda xml: xml.replace(default, "").replace("</Types>", rels + "</Types>"))


def leftovers(path: Path) -> Path:
    """Declare parts that are missing, under the names that are free next."""
    missing = {"drawings/drawing1": DRAWING, "worksheets/sheet2": SHEET}
    left = [override(f"xl/{part}.xml", kind) for part, kind in missing.items()]
    return with_types(path, lambda xml: xml.replace("</Types>", "".join(left) + "</Types>"))


def other_leftover(path: Path) -> Path:
    """Declare a missing part to be what it won't be."""
    left = override("xl/worksheets/sheet2.xml", DRAWING)
    return with_types(path, lambda xml: xml.replace("</Types>", left + "</Types>"))


def in_the_root(path: Path) -> Path:
    return renamed(
        path, lambda name: name.removeprefix("xl/"), lambda c: c.replace(b"/xl/", b"/").replace(b'"xl/', b'"')
    )


def with_backslashes(path: Path) -> Path:
    return renamed(path, lambda name: name.replace("/", "\\"))


def with_prefixes(path: Path) -> Path:
    return rewritten(path, owned.with_prefix)


def plain_book(path: Path) -> Path:
    with owned.xlsxwriter.Workbook(path) as workbook:
        sheet = workbook.add_worksheet("mine")
        sheet.write_row(0, 0, ["a", 1, 2])
        sheet.write_formula(1, 0, "=SUM(B1:C1)", None, 3)
    return path


STRANGE = (no_default_of_relations, leftovers, other_leftover, in_the_root, with_backslashes, with_prefixes)


@pytest.mark.parametrize("strange", STRANGE)
def test_strange_packages_stay_sound(tmp_path, harness, capsys, strange):
    strange(plain_book(tmp_path / "w.xlsx"))
    assert harness("check_corpus").main([str(tmp_path), *NO_VALIDATOR]) == 0, capsys.readouterr().out
    assert re.search(r"^write +1 +0 +0$", capsys.readouterr().out, re.MULTILINE)


def test_a_folder_of_workbooks(tmp_path, harness, capsys):
    (tmp_path / "more").mkdir()
    of_openpyxl(tmp_path / "openpyxl.xlsx")
    for name in ("charts", "comments", "buttons", "tables"):
        owned.decorated(name, tmp_path / "more")
    for name in ("a.xlsx", "b.xlsm"):
        (tmp_path / name).write_text("no workbook")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.xls?")}
    assert harness("check_corpus").main([str(tmp_path), "--jobs", "2", *NO_VALIDATOR]) == 0, capsys.readouterr().out
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.xls?")} == before
    out = capsys.readouterr().out
    assert out.startswith("7 workbooks, 0 of them seen by the validator\n")
    assert len(re.findall(r"^(solve|solve --history|write) +7 +2 +0$", out, re.MULTILINE)) == 3
    assert "1 x cf_excel write: workbook.xlsm is no workbook: it is a text; open it in Excel, save it as .xlsx" in out


def replaced(name: str, old: str, new: str) -> Callable[[dict[str, bytes]], None]:
    def change(parts: dict[str, bytes]) -> None:
        assert old.encode() in parts[name]
        parts[name] = parts[name].replace(old.encode(), new.encode(), 1)

    return change


def at_the_end(name: str, tag: str, added: str) -> Callable[[dict[str, bytes]], None]:
    return replaced(name, f"</{tag}>", f"{added}</{tag}>")


TYPES, BOOK, BOOK_RELS = CONTENT_TYPES.lower(), "xl/workbook.xml", "xl/_rels/workbook.xml.rels"
OTHER, LESSON, DRAWN = "xl/worksheets/sheet1.xml", "xl/worksheets/lesson.xml", "xl/drawings/drawing1.xml"
RATING, RMSE = owned.DOT.ratings.first, owned.DOT.rmse.first
PLANTED = {
    "no content type": (lambda parts: parts.update({"a.bin": b""}), "a.bin has no content type"),
    "a part that is not there": (
        at_the_end(TYPES, "Types", override("xl/gone.xml", SHEET)),
        "an Override names xl/gone.xml, which is missing",
    ),
    "two types": (
        at_the_end(TYPES, "Types", override(BOOK, SHEET)),
        "the content type of xl/workbook.xml is said twice",
    ),
    "another type": (
        replaced(TYPES, override(OTHER, SHEET), override(OTHER, DRAWING)),
        f"{OTHER} is a worksheet, and its content type says {DRAWING}",
        f'{TYPES} has lost <Override PartName="/{OTHER}" ContentType="{SHEET}">',
    ),
    "a relation to nowhere": (
        at_the_end(BOOK_RELS, "Relationships", '<Relationship Id="new" Type="a/b" Target="c.xml"/>'),
        "relation new of xl/workbook.xml leads to xl/c.xml, which is missing",
    ),
    "an unknown relation": (
        at_the_end(BOOK, "sheets", '<sheet name="x" sheetId="99" r:id="none"/>'),
        "xl/workbook.xml uses relation none, which is missing",
    ),
    "a relation without relations": (
        replaced(LESSON, "</sheetData>", f'</sheetData><drawing xmlns:r="{OFFICE}" r:id="rId1"/>'),
        f"{LESSON} uses relation rId1, which is missing",
        f"{LESSON}: <worksheet> is another one",
    ),
    "two relations of one name": (
        at_the_end(BOOK_RELS, "Relationships", '<Relationship Id="rId1" Type="a/b" Target="styles.xml"/>'),
        "two relations of xl/workbook.xml are called rId1",
    ),
    "relations of nothing": (
        lambda parts: parts.update({"xl/_rels/no.xml.rels": b"<Relationships/>"}),
        "xl/_rels/no.xml.rels has the relations of a part that is missing",
    ),
    "broken XML": (replaced(DRAWN, "<", "<<"), f"{DRAWN} is no whole XML: StartTag: invalid element name"),
    "a part gone": (
        lambda parts: parts.pop("docprops/core.xml"),
        "an Override names docprops/core.xml, which is missing",
        "docprops/core.xml is gone",
        "relation rId2 of the package leads to docprops/core.xml, which is missing",
    ),
    "a part changed": (
        replaced(DRAWN, ">", "> "),
        f"{DRAWN} is another one, though nothing in it had to change",
    ),
    "a sheet renamed": (
        replaced(BOOK, 'name="bias"', 'name="bios"'),
        f'{BOOK} has lost <sheet name="bias" sheetId="2" id="rId2">',
        "the sheets were dotprod, bias, movielens_emb, dotprod1 and are dotprod, bios, movielens_emb, dotprod1",
    ),
    "a setting lost": (replaced(BOOK, 'xWindow="240" ', ""), f"{BOOK} has lost <workbookView xWindow="),
    "a rating changed": (
        replaced(LESSON, f'"{RATING}"><v>4', f'"{RATING}"><v>5'),
        f'{LESSON}: <c r="{RATING}"> is another one',
    ),
    "a formula changed": (replaced(LESSON, "<f>SQRT(", "<f>SUM("), f'{LESSON}: <c r="{RMSE}"> is another one'),
    "another sheet's number": (
        replaced(OTHER, f'"{RATING}"><v>4', f'"{RATING}"><v>5'),
        f'{OTHER}: <c r="{RATING}"> is another one',
    ),
    "a row lost": (replaced(LESSON, "</sheetData>", "<row/></sheetData>"), f"{LESSON}: <sheetData> is another one"),
}


@pytest.fixture
def grafted(tmp_path, harness):
    """A sound package with a chart and the sheet grafted in."""
    harness("corpus_graft").graft(owned.decorated("charts", tmp_path), tmp_path / "grafted.xlsx")
    return harness("corpus_packages").Package.read(tmp_path / "grafted.xlsx")


@pytest.mark.parametrize(("plant", "expected"), [(p, lines) for p, *lines in PLANTED.values()], ids=PLANTED)
def test_a_planted_fault_is_found(harness, grafted, plant, expected):
    parts = dict(grafted.parts)
    plant(parts)
    faulty = harness("corpus_packages").Package(parts, tuple(parts))
    new_faults = harness("corpus_packages").new_faults
    found = new_faults(grafted, faulty, {})
    assert len(found) == len(expected)
    assert all(map(str.startswith, found, sorted(expected)))
    assert new_faults(faulty, faulty, {}) == []  # what was there is no new one


def test_what_was_broken_hides_nothing(harness, grafted):
    packages = harness("corpus_packages")
    parts = grafted.parts | {"a.vml": b"<br>"}
    added = parts | {"b.bin": b""}
    before, after = (packages.Package(of, tuple(of)) for of in (parts, added))
    assert packages.package_faults(before) > {"a.vml has no content type"}
    assert packages.new_faults(before, after, {}) == ["b.bin has no content type"]


def test_results_and_factors_may_change(harness, grafted):
    parts = dict(grafted.parts)
    factor = owned.DOT.user_factors.first
    parts[LESSON] = re.sub(rb"</f><v>[^<]*", b"</f><v>9", parts[LESSON])
    parts[LESSON] = re.sub(rb'("%s"><v>)[^<]*' % factor.encode(), rb"\g<1>9", parts[LESSON])
    changed = harness("corpus_packages").Package(parts, tuple(parts))
    new_faults = harness("corpus_packages").new_faults
    assert new_faults(grafted, changed, {LESSON: {factor}}) == []
    assert new_faults(grafted, changed, {}) == [f'{LESSON}: <c r="{factor}"> is another one']


def test_a_part_that_is_there_twice(harness, grafted):
    packages = harness("corpus_packages")
    twice = packages.Package(grafted.parts, (*grafted.names, "XL/workbook.xml"))
    assert packages.new_faults(grafted, twice, {}) == ["xl/workbook.xml is there twice"]


def undeclared(self: Package, name: str, content: bytes, content_type: str) -> None:
    self.put(name, content.replace(b"</", b"< /"))


def careless(args: argparse.Namespace) -> None:
    args.file.write_bytes(b"")
    args.out.with_suffix(".tmp").touch()
    print("here and there", file=sys.stderr)
    raise InputError("no")


def failing(args: argparse.Namespace) -> None:
    raise ZeroDivisionError("oh")


def misspelt(self: OpenedBook) -> None:
    xml = self.archive.read(BOOK)
    self.archive.put(BOOK, xml.replace(b"<calcPr ", b'<calcPr fullCalcOnSave="maybe" '))


@pytest.mark.parametrize(
    ("broken", "substitute", "lines"),
    [
        ("cf_excel.xlsx.opc.Package.add", undeclared, ["write: xl/worksheets/sheet2.xml is no whole XML: "]),
        ("cf_excel.cli.solve.run", failing, ["solve: a traceback: ZeroDivisionError: oh"]),
        (
            "cf_excel.cli.solve.run",
            careless,
            [
                "solve: out.tmp was left behind",
                "solve: the workbook itself was changed",
                "solve: refused, with 2 lines",
            ],
        ),
        ("cf_excel.cli.solve.run", lambda args: None, ["solve: exit code 0, stderr []", "solve --history: exit code"]),
        (
            "cf_excel.cli.solve.run",
            lambda args: args.out.write_bytes(args.file.read_bytes()),
            ["solve: no factor was written"],
        ),
    ],
)
def test_a_fault_gives_a_line_and_exit_code_1(tmp_path, harness, capsys, monkeypatch, broken, substitute, lines):
    plain_book(tmp_path / "w.xlsx")
    monkeypatch.setattr(broken, substitute)
    assert harness("check_corpus").main([str(tmp_path), *NO_VALIDATOR]) == 1
    out = capsys.readouterr().out
    assert all(f"w.xlsx: {line}" in out for line in lines), out


@pytest.mark.validator
def test_what_the_validator_alone_sees_is_a_fault(tmp_path, harness, monkeypatch, validator_errors):
    check_corpus = harness("check_corpus")
    path = of_openpyxl(tmp_path / "w.xlsx")
    monkeypatch.setattr(check_corpus, "RUNS", {"solve": ("solve",)})
    monkeypatch.setattr(OpenedBook, "calculate_on_load", misspelt)
    (faulty,) = check_corpus.check_workbook(path, check_corpus.validator_command())
    assert [fault.partition(": The ")[0] for fault in faulty.faults] == ["validator: /xl/workbook.xml"]
