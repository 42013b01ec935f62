"""Parts that are added to packages of every make: the result opens, and what was there stays."""

import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
from support.models import model_of, saved
from support.own_books import list_book
from support.owned import make
from support.zip_parts import rewritten

from cf_excel.cli import main
from cf_excel.errors import FileError
from cf_excel.xlsx.edit.workbook_file import OpenedBook
from cf_excel.xlsx.opc import OFFICE, plain, rels_of, with_child

RELATIONS = b"application/vnd.openxmlformats-package.relationships+xml"
DRAWING = b"application/vnd.openxmlformats-officedocument.drawing+xml"
Change = Callable[[str, bytes], bytes]


def declared(*entries: bytes) -> Change:
    """Add to what is declared."""

    def change(name: str, content: bytes) -> bytes:
        return content.replace(b"</Types>", b"".join(entries) + b"</Types>") if name.startswith("[Cont") else content

    return change


def each_by_itself(name: str, content: bytes) -> bytes:
    """Declare the relations part by part, not by their ending."""
    if not name.startswith("[Cont"):
        return content
    content = re.sub(rb'<Default Extension="rels"[^>]*>', b"", content)
    parts = b"/_rels/.rels", b"/xl/_rels/workbook.xml.rels"
    own = b"".join(b'<Override PartName="%s" ContentType="%s"/>' % (part, RELATIONS) for part in parts)
    return content.replace(b"</Types>", own + b"</Types>")


def in_root(name: str, content: bytes) -> bytes:
    if name.startswith("[Cont"):
        return content.replace(b'"/xl/', b'"/')
    return content.replace(b'"xl/', b'"') if name == "_rels/.rels" else content


def override(part: str, content_type: bytes) -> bytes:
    return b'<Override PartName="%s" ContentType="%s"/>' % (part.encode(), content_type)


PACKAGES: dict[str, tuple[Change | None, Callable[[str], str]]] = {
    "relations that are declared one by one": (each_by_itself, str),
    "a drawing that is gone": (declared(override("/xl/drawings/drawing1.xml", DRAWING)), str),
    "something else under the next names": (
        declared(override("/xl/worksheets/sheet4.xml", DRAWING), override("/XL/charts/chart1.xml", b"image/png")),
        str,
    ),
    "a workbook in the root": (in_root, lambda name: name.removeprefix("xl/")),
    "names as on Windows": (None, lambda name: name.replace("/", "\\")),
}


def changed(path: Path, change: Change | None, rename: Callable[[str], str]) -> Path:
    with zipfile.ZipFile(path) as package:
        parts = {name: package.read(name) for name in package.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in parts.items():
            package.writestr(rename(name), change(name, content) if change else content)
    return path


@pytest.mark.validator
@pytest.mark.parametrize("kind", PACKAGES)
def test_every_package_takes_new_sheets(tmp_path, validator_errors, kind):
    path = changed(make(tmp_path / "odd.xlsx"), *PACKAGES[kind])
    with zipfile.ZipFile(path) as package:
        before = {name.replace("\\", "/"): package.read(name) for name in package.namelist()}
    assert main(["solve", str(path), "--optimizer", "adam", "--steps", "2", "--history"]) == 0
    assert validator_errors(path) == []
    assert main(["write", str(path), "--model", saved(model_of("dot"), tmp_path)]) == 0
    assert validator_errors(path) == []
    titles = ["dotprod", "bias", "movielens_emb", "history", "model"]
    assert OpenedBook(path).titles == titles
    if kind != "a workbook in the root":  # where openpyxl finds no styles, not even those of the original
        workbook = openpyxl.load_workbook(path)
        assert workbook.sheetnames == titles
        assert len(workbook["history"]._charts) == 1
    with zipfile.ZipFile(path) as package:
        assert package.namelist()[: len(before)] == list(before)
        stays = [name for name in before if re.search("theme|docProps", name)]
        assert {name: package.read(name) for name in stays} == {name: before[name] for name in stays}
        declared_parts = re.findall(rb'PartName="([^"]*)"', package.read("[Content_Types].xml"))
        assert len({plain(part.decode()) for part in declared_parts}) == len(declared_parts)


@pytest.mark.validator
@pytest.mark.parametrize("kind", PACKAGES)
def test_every_package_takes_tables_and_styles(tmp_path, validator_errors, kind):
    path = changed(list_book(tmp_path / "odd.xlsx"), *PACKAGES[kind])
    assert main(["fill", str(path)]) == 0
    once = path.read_bytes()
    assert validator_errors(path) == []
    assert main(["fill", str(path)]) == 0
    assert path.read_bytes() == once
    if kind == "a workbook in the root":
        return  # where openpyxl finds no styles, not even those of the original
    workbook = openpyxl.load_workbook(path)
    assert [sorted(sheet.tables) for sheet in workbook] == [["Orders"], [], ["recommendations"], ["similar"], []]
    assert workbook["predictions"]["A2"].font.b


def test_a_name_whose_relations_were_left_behind_is_not_free(tmp_path):
    path = make(tmp_path / "left.xlsx")
    with zipfile.ZipFile(path, "a") as package:
        package.writestr("xl/worksheets/_rels/Sheet4.xml.rels", b"<Relationships/>")
    book = OpenedBook(path)
    assert book.free_name("worksheets", "sheet") == "xl/worksheets/sheet5.xml"
    assert book.free_name("charts", "chart") == "xl/charts/chart1.xml"


def test_relations_are_read_written_and_taken_out_whatever_their_markup(tmp_path):
    def prefixed(name: str, content: bytes) -> bytes:
        if name != "xl/_rels/workbook.xml.rels":
            return content
        content = re.sub(rb"<(/?)Rel", rb"<\1p:Rel", content).replace(b"xmlns=", b"xmlns:p=")
        odd = b'<p:Relationship Target="/xl/a%20b.xml" Type=\'x/odd\' Id = "rIdAdded9" ></p:Relationship>'
        return content.replace(b"</p:Rel", odd + b"</p:Rel", 1) if content.endswith(b"</p:Relationships>") else content

    archive = OpenedBook(rewritten(make(tmp_path / "r.xlsx"), prefixed)).archive
    owner = "xl/workbook.xml"
    before = archive.read(rels_of(owner))
    n = len(archive.relations(owner))
    archive.add("xl/a b.xml", b"<a/>", "text/xml")
    identity = archive.relate(owner, f"{OFFICE}/image", "media/one & two.png")
    assert archive.relations(owner)[identity] == (f"{OFFICE}/image", "media/one & two.png")
    assert b'Target="../media/one &amp; two.png"/>' in archive.read(rels_of(owner))
    assert archive.drop_related(owner, "image")
    assert archive.read(rels_of(owner)) == before
    assert len(archive.relations(owner)) == n
    assert not archive.drop_related(owner, "image")


def test_what_has_no_end_tag_is_damaged():
    with pytest.raises(FileError, match="the workbook is damaged: sheets is missing or empty"):
        with_child(b"<workbook><sheets/></workbook>", b"sheets", b"sheet/>")
