"""solve and write on workbooks that are damaged at random: one line or a whole workbook, and never a traceback."""

import io
import os
import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.models import model_of, saved
from support.owned import course, make
from support.zip_parts import rewritten

from cf_excel.cli import main

SHEETS = [f"xl/worksheets/sheet{n}.xml" for n in (1, 2, 3, 4)]
OTHERS = [
    *("xl/workbook.xml", "xl/_rels/workbook.xml.rels", "_rels/.rels", "[Content_Types].xml"),
    *("xl/sharedStrings.xml", "xl/styles.xml"),
]
PIECES = [
    *(b'<c r="A1"/>', b"<c/>", b"<row/>", b"</row>", b"<f>", b"</f>", b"<v>", b"1e999", b"NaN", b'<c r="ZZZ9999999"/>'),
    *(
        b'<!-- <c r="B2"><v>1</v></c> -->',
        b"<![CDATA[<c>]]>",
        b"&#0;",
        b"&x;",
        b'r="A1"',
        b't="s"',
        b't="shared"',
        b'si="0"',
    ),
    *(
        b'<f t="array" ref="A1:XFD1048576">1</f>',
        b"MMULT(A1,A1:B2)",
        b'ref="B1:A0"',
        b"<?pi x?>",
        b"<sheetData>",
        b"\xff",
        b" ",
    ),
    *(
        b"&#x110000;",
        b"0" * 400,
        b"-1",
        b"9" * 20,
        b"<extLst/>",
        b"$",
        b"'",
        b"1:1048576",
        b"#REF!",
        b"\xc3",
        b"",
        b"/",
    ),
    *(b"rId1", b"../../..", b"%2e%2e/", b"x:", b' xmlns=""', b' xmlns:r="x"', b"dotprod!", b"INDIRECT(", b"_x0000_"),
]

FUZZ = settings(
    max_examples=int(os.environ.get("CF_EXCEL_FUZZ", 100)), suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def wholes(tmp_path_factory) -> list[Path]:
    """Workbooks that nothing is wrong with: one as it was made, the course's, and one that holds a model."""
    folder = tmp_path_factory.mktemp("whole")
    made, courses = make(folder / "made.xlsx"), course(folder / "course.xlsx")
    written = folder / "written.xlsx"
    assert main(["write", str(made), "--model", saved(model_of("collab"), folder), "--out", str(written)]) == 0
    return [made, courses, written]


@pytest.fixture(scope="module")
def commands(tmp_path_factory) -> list[list[str]]:
    """What is run on a damaged workbook, with FILE for its name."""
    model = saved(model_of("dot"), tmp_path_factory.mktemp("model"))
    return [
        ["solve", "FILE"],
        ["solve", "FILE", "--force"],
        ["solve", "FILE", "--optimizer", "adam", "--steps", "2", "--history"],
        ["write", "FILE", "--model", model],
    ]


def check(command: list[str], file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Run a command on a damaged workbook where it lies: it gets through, or nothing changes and one line says why."""
    before = file.read_bytes()
    code = main([part.replace("FILE", str(file)) for part in command])
    captured = capsys.readouterr()
    complaints = [line for line in captured.err.splitlines() if not line.startswith("note: ")]
    assert (code, len(complaints)) in ((0, 0), (2, 1))
    assert list(file.parent.iterdir()) == [file]
    if code:
        assert complaints[0].startswith(f"cf_excel {command[0]}: ")
        assert captured.out == ""
        assert file.read_bytes() == before
        return
    with zipfile.ZipFile(file) as package:
        assert package.testzip() is None
        with zipfile.ZipFile(io.BytesIO(before)) as old:
            was = {name: old.read(name) for name in old.namelist()}
        # a part that is no part of the work stays as damaged as it was
        changed = [name for name in package.namelist() if package.read(name) != was.get(name)]
        for name in changed:
            ElementTree.fromstring(package.read(name))


# where a change begins, what is put there, and how many bytes make room for it
PLACES = st.integers(0, 2**20)
changes_of_bytes = st.tuples(st.booleans(), PLACES, st.binary(max_size=8), st.integers(0, 8))
changes_of_xml = st.tuples(PLACES, st.booleans(), st.sampled_from(PIECES), st.sampled_from([0, 0, 1, 5, 20]))


@pytest.mark.slow
@FUZZ
@given(st.integers(0, 2), st.lists(changes_of_bytes, min_size=1, max_size=4), st.integers(0, 3))
def test_any_bytes_in_the_zip(tmp_path, capsys, wholes, commands, which, changes, command):
    """Bytes changed, cut out or doubled, anywhere in the file and most of all in its directory."""
    damaged = bytearray(wholes[which].read_bytes())
    for in_directory, place, piece, cut in changes:
        low = len(damaged) - 1500 if in_directory else 0
        place = low + place % (len(damaged) - low)
        damaged[place : place + cut] = piece
    file = tmp_path / "fuzz.xlsx"
    file.write_bytes(damaged)
    check(commands[command], file, capsys)


@pytest.mark.slow
@FUZZ
@given(
    st.integers(0, 2),
    st.one_of(st.sampled_from(SHEETS), st.sampled_from(OTHERS)),
    st.lists(changes_of_xml, min_size=1, max_size=3),
    st.integers(0, 3),
)
def test_any_xml_in_a_part(tmp_path, capsys, wholes, commands, which, part, changes, command):
    """Pieces of cells, formulas, names and marks put anywhere into the XML of a sheet or of what leads to it."""

    def damage(name: str, content: bytes) -> bytes:
        if name == part:
            for place, behind, piece, cut in changes:
                marks = [found.start() for found in re.finditer(rb"[<>\"=]", content)] or [0]
                place = marks[place % len(marks)] + behind
                content = content[:place] + piece + content[place + cut :]
        return content

    file = tmp_path / "fuzz.xlsx"
    file.write_bytes(wholes[which].read_bytes())
    check(commands[command], rewritten(file, damage), capsys)
