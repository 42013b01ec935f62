"""VBA projects as an independent reader (olevba) sees them."""

import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.vba_projects import macro_workbook, olevba, sources

from cf_excel.xlsx.vba.vba_project import VbaProject, compress

MODULE = (
    "Option Explicit\n\nPublic Sub Hello()\n    ThisWorkbook.Worksheets(1).Cells(2, 1).Value = Twice(21)\nEnd Sub\n"
)
OTHER = "Public Function Twice(ByVal x As Double) As Double\n    Twice = 2 * x ' \u00e9\u00fc\u2026\nEnd Function\n"
CLASS = "Public Name As String\n\nPublic Property Get Shout() As String\n    Shout = UCase(Name)\nEnd Property\n"
EVENT = "Private Sub Workbook_Open()\n    Rem nothing\nEnd Sub\n"


def test_modules_come_back_as_written(tmp_path, validator_errors):
    project = VbaProject(
        {"First": MODULE, "Second": OTHER}, {"Person": CLASS}, {"ThisWorkbook": EVENT, "Sheet2": OTHER}
    )
    path = macro_workbook(tmp_path / "m.xlsm", project)
    found = sources(path)
    expected = {"First": MODULE, "Second": OTHER, "Person": CLASS, "ThisWorkbook": EVENT, "Sheet1": "", "Sheet2": OTHER}
    assert found == expected
    assert validator_errors(path) == []


@pytest.mark.libreoffice
def test_macros_run(tmp_path, office):
    path = macro_workbook(tmp_path / "m.xlsm", VbaProject({"First": MODULE, "Second": OTHER}))
    script = Path(__file__).parents[1] / "support" / "office_macros.py"
    (after,) = office.call("run_macros", str(path), [["one", "First.Hello"]], script=script)
    assert after["values"] == [["text"], [42]]


@given(st.lists(st.sampled_from([b"a", b"End Sub\r\n", b"x = x + 1\r\n", bytes(range(256))]), max_size=2000))
def test_compressed_text_comes_back(pieces):
    data = b"".join(pieces)
    unpacked = olevba.decompress_stream(bytearray(compress(data)))
    assert bytes(unpacked[: len(data)]) == data
    assert unpacked[len(data) :].strip(b"\0") == b""


def test_noise_comes_back():
    noise = bytes((i * i * 7919 >> 5) & 255 for i in range(10_000))
    assert bytes(olevba.decompress_stream(bytearray(compress(noise)))[:10_000]) == noise


def test_compression_is_worth_it():
    assert len(compress(b"End Sub\r\n" * 400)) < 100


@pytest.mark.parametrize("name", ["", "1st", "two words", "a" * 32, "é"])
def test_names_that_vba_does_not_take(name):
    with pytest.raises(ValueError, match="no name of a VBA module"):
        VbaProject({name: MODULE}).packed(["Sheet1"])


def test_code_of_a_sheet_that_is_not_there():
    with pytest.raises(ValueError, match="no sheet has the code name Sheet9"):
        VbaProject({}, documents={"Sheet9": EVENT}).packed(["Sheet1"])


def test_characters_outside_windows_1252():
    with pytest.raises(UnicodeEncodeError):
        VbaProject({"First": "' \u05e9"}).packed(["Sheet1"])


def test_same_sources_same_bytes(tmp_path):
    paths = [macro_workbook(tmp_path / f"{i}.xlsm", VbaProject({"First": MODULE})) for i in range(2)]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_the_workbook_says_that_it_has_macros(tmp_path):
    path = macro_workbook(tmp_path / "m.xlsm", VbaProject({"First": MODULE}))
    with zipfile.ZipFile(path) as package:
        assert b"ms-excel.sheet.macroEnabled.main+xml" in package.read("[Content_Types].xml")
        assert b'codeName="ThisWorkbook"' in package.read("xl/workbook.xml")
        assert b'codeName="Sheet2"' in package.read("xl/worksheets/sheet2.xml")
