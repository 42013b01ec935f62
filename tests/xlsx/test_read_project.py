"""VBA projects are read as they were written, by this package and by Excel."""

import contextlib
import zipfile
from pathlib import Path

import pytest
import xlwings
from hypothesis import given
from hypothesis import strategies as st

from cf_excel.errors import FileError
from cf_excel.xlsx.vba.compound_file import compound_file
from cf_excel.xlsx.vba.read_project import decompress, read_compound_file, read_project
from cf_excel.xlsx.vba.vba_project import VbaProject, compress

XLWINGS = Path(xlwings.__file__).parent
MODULE = "Sub Hello()\n    MsgBox 1 + 1\nEnd Sub\n"


def lines(source: str) -> list[str]:
    """Return the lines of a source that are no attributes."""
    return [line for line in source.splitlines() if line and not line.startswith("Attribute ")]


def test_what_is_written_is_read():
    project = VbaProject({"First": MODULE, "Long": MODULE * 900}, {"Person": MODULE}, {"Sheet2": MODULE})
    found = read_project(project.packed(["Sheet1", "Sheet2"], ["Chart1"]), "book.xlsm")
    assert list(found.documents) == ["ThisWorkbook", "Sheet1", "Sheet2", "Chart1"]
    assert list(found.modules) == ["First", "Long", "Person"]
    sources = found.documents | found.modules
    assert {name: lines(source) for name, source in sources.items() if lines(source)} == {
        "First": MODULE.splitlines(),
        "Long": (MODULE * 900).splitlines(),
        "Person": MODULE.splitlines(),
        "Sheet2": MODULE.splitlines(),
    }


def test_a_project_that_excel_saved():
    with zipfile.ZipFile(XLWINGS / "quickstart_standalone.xlsm") as package:
        found = read_project(package.read("xl/vbaProject.bin"), "quickstart")
    assert list(found.documents) == ["ThisWorkbook", "Sheet1", "Sheet2"]
    assert set(found.modules) == {"Module1", "xlwings", "Dictionary"}
    assert lines(found.modules["xlwings"]) == lines((XLWINGS / "xlwings.bas").read_text())


@given(st.lists(st.sampled_from([b"a", b"End Sub\r\n", bytes(range(256))]), max_size=300))
def test_compressed_text_comes_back(pieces):
    assert decompress(compress(b"".join(pieces))).rstrip(b"\0") == b"".join(pieces).rstrip(b"\0")


def test_many_streams_of_all_sizes_come_back():
    tree = {"folder": {f"stream {n}": bytes([n]) * (n * 701) for n in range(40)}, "large": b"x" * 3_000_000}
    found = read_compound_file(compound_file(tree))
    assert found == {"LARGE": tree["large"]} | {
        f"FOLDER/{name.upper()}": content for name, content in tree["folder"].items()
    }


@given(st.integers(0, 6000), st.binary(min_size=1, max_size=8))
def test_a_damaged_project_is_one_line_or_read(place, bytes_put):
    data = bytearray(VbaProject({"First": MODULE}).packed(["Sheet1"]))
    data[place : place + len(bytes_put)] = bytes_put
    with contextlib.suppress(FileError):
        read_project(bytes(data), "book.xlsm")


@pytest.mark.parametrize("data", [b"", b"PK", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"])
def test_what_is_no_project(data):
    with pytest.raises(FileError, match="its VBA project can't be read"):
        read_project(data, "book.xlsm")
