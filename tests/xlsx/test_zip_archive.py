"""The zip of somebody's workbook: written whole or not at all, and never trusted."""

import errno
import io
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest
from support.models import model_of, saved
from support.own_books import list_book
from support.owned import make, png
from support.printed import refused
from support.zip_parts import rewritten

from cf_excel.cli import main
from cf_excel.errors import FileError
from cf_excel.xlsx.edit import zip_archive as archive
from cf_excel.xlsx.edit.workbook_file import OpenedBook

SHEET = "xl/worksheets/sheet1.xml"


@pytest.fixture
def path(tmp_path) -> Path:
    return make(tmp_path / "mine.xlsx")


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> bytes:
    return make(tmp_path_factory.mktemp("whole") / "w.xlsx").read_bytes()


def test_what_is_no_workbook_is_named(tmp_path, capsys, whole):
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
    ods = io.BytesIO()
    with zipfile.ZipFile(ods, "w") as package:
        package.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as package:
        package.writestr("readme.txt", "hello")
    for data, says in (
        (ole, "it is an old .xls; save it as .xlsx"),
        (ole + whole, "it is an old .xls; save it as .xlsx"),  # with a workbook embedded
        (ole + "EncryptedPackage".encode("utf-16-le"), "it is encrypted with a password"),
        (ods.getvalue(), "is an OpenDocument file: save it as .xlsx"),
        (other.getvalue(), "is a zip without workbook parts"),
        (b"", "it is empty"),
        (b"\xef\xbb\xbf\n<html><table>", "it is a web page or another XML file; open it in Excel"),
        (b'<?xml version="1.0"?><Workbook/>', "it is a web page or another XML file; open it in Excel"),
        (png().getvalue(), "expected an .xlsx or .xlsm"),
        (whole[:-40], "its zip is truncated or damaged"),
        (whole[: len(whole) // 2], "its zip is truncated or damaged"),
    ):
        file = tmp_path / "file.xlsx"
        file.write_bytes(data)
        assert says in refused(file, capsys)
    assert "no such file" in refused(tmp_path / "nowhere.xlsx", capsys)
    assert "is a folder" in refused(tmp_path, capsys)


def test_a_binary_workbook_and_a_strict_one_are_named(tmp_path, capsys):
    def strict(name: str, content: bytes) -> bytes:
        return content.replace(
            b"http://schemas.openxmlformats.org/spreadsheetml/2006", b"http://purl.oclc.org/ooxml/spreadsheetml"
        )

    assert "is a strict Open XML workbook" in refused(rewritten(make(tmp_path / "s.xlsx"), strict), capsys)
    file = tmp_path / "b.xlsb"
    for name in ("xl/workbook.bin", "Book\\workbook.bin"):
        with zipfile.ZipFile(file, "w") as package:
            package.writestr("[Content_Types].xml", "<Types/>")
            package.writestr(name, b"\x83\x01")
        assert "is a binary workbook (.xlsb): save it as .xlsx or .xlsm" in refused(file, capsys)


def test_a_bomb_is_not_unpacked(path, capsys, monkeypatch):
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as package:
        package.writestr("xl/media/bomb.bin", bytes(100 * 2**20))
    assert re.search(
        r"unpacks to 10\d,\d{3},\d{3} bytes or more: no workbook is packed like that", refused(path, capsys)
    )
    monkeypatch.setattr(archive, "MAX_PARTS", 5)
    assert "parts, 5 is the most" in refused(path, capsys)


def test_a_part_that_unpacks_to_more_than_it_says_is_refused(tmp_path, capsys):
    file = make(tmp_path / "liar.xlsx")
    with zipfile.ZipFile(file) as package:
        entry = package.getinfo(SHEET)
    data = bytearray(file.read_bytes())
    place = data.rindex(SHEET.encode()) - 46
    data[place + 24 : place + 28] = (entry.file_size - 1000).to_bytes(4, "little")
    file.write_bytes(data)
    assert "sheet1.xml is not what the zip says it is" in refused(file, capsys)


def test_two_parts_of_one_name_are_refused(path, capsys):
    with zipfile.ZipFile(path, "a") as package, pytest.warns(UserWarning, match="Duplicate name"):
        package.writestr(SHEET, b"<worksheet/>")
    assert "has two parts of one name" in refused(path, capsys)


@pytest.mark.parametrize("part", [SHEET, "xl/workbook.xml", "xl/_rels/workbook.xml.rels", "_rels/.rels"])
def test_entities_are_never_expanded(tmp_path, capsys, part):
    laughs = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;"><!ENTITY f SYSTEM "file:///etc/passwd">]>'

    def hide(name: str, content: bytes) -> bytes:
        return re.sub(rb"(<\?xml[^>]*\?>)", rb"\1" + laughs, content, count=1) if name == part else content

    assert "declares a document type, which can hide entities: not read" in refused(
        rewritten(make(tmp_path / "x.xlsx"), hide), capsys
    )


def test_broken_xml_and_other_encodings_are_named(tmp_path, capsys):
    def cut(name: str, content: bytes) -> bytes:
        return content[:-20] if name == SHEET else content

    def utf16(name: str, content: bytes) -> bytes:
        return content.decode().replace("UTF-8", "UTF-16").encode("utf-16") if name == SHEET else content

    assert "sheet1.xml is damaged" in refused(rewritten(make(tmp_path / "x.xlsx"), cut), capsys)
    assert "is stored as UTF-16: open the workbook in Excel" in refused(
        rewritten(make(tmp_path / "y.xlsx"), utf16), capsys
    )


def test_names_without_a_namespace_and_odd_sheet_numbers_are_named(tmp_path, capsys):
    def unbound(name: str, content: bytes) -> bytes:
        return re.sub(rb'\sxmlns:r="[^"]*"', b"", content) if name == "xl/workbook.xml" else content

    def odd(name: str, content: bytes) -> bytes:
        return content.replace(b'sheetId="1"', b'sheetId="one"') if name == "xl/workbook.xml" else content

    file = rewritten(make(tmp_path / "x.xlsx"), unbound)
    assert "xl/workbook.xml is damaged: unbound prefix" in refused(file, capsys)
    file, model = rewritten(make(tmp_path / "y.xlsx"), odd), saved(model_of("dot"), tmp_path)
    before = file.read_bytes()
    assert main(["write", str(file), "--model", model]) == 2
    assert capsys.readouterr().err == ("cf_excel write: y.xlsx is damaged: its sheets have the numbers one, 2, 3\n")
    assert file.read_bytes() == before


def test_endless_formulas_are_not_read(tmp_path, capsys):
    def grow(name: str, content: bytes) -> bytes:
        return content.replace(b"<f>SQRT(", b"<f>" + b"A" * 200_000 + b"+SQRT(", 1) if name == SHEET else content

    said = refused(rewritten(make(tmp_path / "x.xlsx"), grow), capsys)
    assert re.search(r"sheet dotprod: the formula of [A-Z]+\d+ has 200,\d{3} characters, 16,384 is the most", said)


def renamed(path: Path, change: Callable[[str], str]) -> Path:
    """Give parts of a workbook other names in the zip than its XML uses."""
    with zipfile.ZipFile(path) as package:
        parts = [(change(name), package.read(name)) for name in package.namelist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in parts:
            package.writestr(name, content)
    return path


@pytest.mark.parametrize("change", [str.upper, str.lower, lambda name: name.replace("t1.xml", "t%31.xml")])
def test_the_case_and_the_escapes_of_part_names_do_not_count(tmp_path, change):
    path = renamed(make(tmp_path / "named.xlsx"), change)
    with zipfile.ZipFile(path) as package:
        before = {name: package.read(name) for name in package.namelist()}
    assert main(["solve", str(path)]) == 0
    assert main(["write", str(path), "--model", saved(model_of("dot"), tmp_path)]) == 0
    with zipfile.ZipFile(path) as package:
        assert package.namelist()[: len(before)] == list(before)
        changed = {name.lower() for name, content in before.items() if package.read(name) != content}
    assert change(SHEET).lower() in changed
    assert changed & {"xl/styles.xml", "xl/theme/theme1.xml"} == set()


def test_names_that_differ_in_case_alone_are_one_name(path, capsys):
    with zipfile.ZipFile(path, "a") as package:
        package.writestr(SHEET.upper(), b"<worksheet/>")
    assert "has two parts of one name" in refused(path, capsys)


def test_a_zips_comment_stays_and_what_stands_before_it_is_refused(path, capsys):
    with zipfile.ZipFile(path, "a") as package:
        package.comment = b"mine, " * 99
    assert main(["solve", str(path)]) == 0
    with zipfile.ZipFile(path) as package:
        assert package.comment == b"mine, " * 99
    capsys.readouterr()
    path.write_bytes(b"#!/bin/sh\n" + path.read_bytes())
    assert "has something before its zip" in refused(path, capsys)


def place_in(path: Path, part: str, offset: int) -> int:
    """Return where a byte of a packed part is in the file."""
    with zipfile.ZipFile(path) as package:
        entry = package.getinfo(part)
    return entry.header_offset + 30 + len(part) + offset


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_damage_in_a_part_that_is_not_read_is_named(path, capsys, compression):
    with zipfile.ZipFile(path, "a", compression) as package:
        package.writestr("docProps/mine.xml", b"<mine>" + bytes(range(65, 91)) * 9 + b"</mine>")
    assert main(["solve", str(path)]) == 0
    capsys.readouterr()
    data = bytearray(path.read_bytes())
    data[place_in(path, "docProps/mine.xml", 20)] ^= 0xFF
    path.write_bytes(data)
    assert "is damaged: docProps/mine.xml " in refused(path, capsys)


def test_a_zip_that_does_not_read_back_is_not_written(path, capsys, monkeypatch):
    """Whatever goes wrong in putting the zip together: parts missing, doubled, in another order or other bytes."""
    zipped = archive.Archive._zip

    def spoiled(change: Callable[[dict], dict]) -> Callable:
        return lambda self, parts: zipped(self, change(dict(parts)))

    def swapped(parts: dict) -> dict:
        sheets = [SHEET, SHEET.replace("1", "2")]
        packed = [replace(parts[name], packed=parts[other].packed) for name, other in (sheets, sheets[::-1])]
        return parts | dict(zip(sheets, packed, strict=True))

    for change in (lambda p: dict(list(p.items())[:-1]), lambda p: dict(reversed(p.items())), swapped):
        monkeypatch.setattr(archive.Archive, "_zip", spoiled(change))
        assert "can't be rewritten without loss: nothing was written" in refused(path, capsys)
    monkeypatch.setattr(archive.Archive, "_zip", lambda self, parts: zipped(self, parts)[:-30])
    assert "its zip is truncated or damaged" in refused(path, capsys)


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_everything_as_it_was(path, capsys, monkeypatch, call):
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, refuse)
    assert "No space left on device" in refused(path, capsys, "--backup")


def test_a_faulty_disk_is_noticed(path, capsys, monkeypatch):
    real = os.fsync

    def spoil(handle: int) -> None:
        real(handle)
        os.lseek(handle, -200, os.SEEK_CUR)
        os.write(handle, b"\xa5" * 3)

    monkeypatch.setattr(os, "fsync", spoil)
    assert "reads back otherwise" in refused(path, capsys)


def test_a_change_in_between_is_not_lost(path, monkeypatch):
    opened = OpenedBook(path)
    opened.archive.put("xl/new.xml", b"<x/>")
    path.write_bytes(path.read_bytes() + b"saved by Excel meanwhile")
    newer = path.read_bytes()
    with pytest.raises(FileError, match="was changed by another program in between"):
        opened.archive.save(path)
    assert path.read_bytes() == newer


@pytest.mark.slow
@pytest.mark.parametrize("command", ["solve", "write", "fill"])
def test_ended_at_any_moment_the_workbook_is_old_or_new(tmp_path, path, command):
    copy = tmp_path / "work" / "copy.xlsx"
    copy.parent.mkdir()
    options = {"solve": ["--optimizer", "sgd", "--steps", "3"], "write": ["--model", saved(model_of("dot"), tmp_path)]}
    if command == "fill":
        list_book(path)
    script = Path(__file__).parents[1] / "support" / "interrupted.py"
    done = subprocess.run(
        [sys.executable, str(script), str(path), str(copy), command, "COPY", "--backup", *options.get(command, [])],
        capture_output=True,
        text=True,
        check=True,
    )
    outcomes = json.loads(done.stdout)
    ended, last = outcomes[:-1], outcomes[-1]
    assert len(ended) > 10
    assert last["code"] == 0
    assert all(outcome["code"] == 9 for outcome in ended)
    assert all(outcome["as_it_was"] or outcome["digest"] == last["digest"] for outcome in ended)
    # both happened: ended before the replacement, and after it
    assert {outcome["as_it_was"] for outcome in ended} == {True, False}
    backups = [file for file in copy.parent.iterdir() if ".bak" in file.name and file.suffix == ".xlsx"]
    assert backups
    assert all(file.read_bytes() == path.read_bytes() for file in backups)


def test_a_rewritten_workbook_still_opens(path):
    book = OpenedBook(path)
    book.archive.save(path)
    assert openpyxl.load_workbook(path).sheetnames == ["dotprod", "bias", "movielens_emb"]
