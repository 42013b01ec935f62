"""XML is parsed before it is written."""

import pytest

from cf_excel.errors import FileError
from cf_excel.xlsx.well_formed import WellFormed, check_part


def feed(*rows, tail=b"</a>"):
    part = WellFormed("sheet1.xml")
    return part.checked(b"<a>") + part.checked_rows(rows) + part.checked(tail, is_last=True)


def test_what_is_whole_passes():
    rows = ['<row r="1"><c>1</c></row>', '<row r="2"><c>-2.5e-3</c></row>', '<row r="3"><c>é &amp; &lt;</c></row>']
    assert feed(*rows) == f"<a>{''.join(rows)}</a>".encode()


@pytest.mark.parametrize("text", ["a\x01", "<", "a & b", "&nbsp;", "</c>", "\x00", "\ufffe"])
def test_the_row_that_is_not_is_found_among_others(text):
    with pytest.raises(FileError, match=r"^sheet1.xml would be no whole XML \(.*\): nothing was written"):
        feed("<c>1</c>", "<c>a &amp; b</c>", "<c>2</c>", f"<c>{text}</c>", "<c>3</c>")


def test_rows_alike_are_parsed_once():
    part = WellFormed("s")
    parsed = []
    part._parser = type("Parser", (), {"Parse": lambda self, content, last: parsed.append(content)})()
    part.checked_rows([f'<row r="{i}"><c>{i / 7}</c></row>' for i in range(100)])
    assert parsed == [b'<row r="0"><c>0.0</c></row>']


def test_what_is_cut_off():
    with pytest.raises(FileError):
        feed(tail=b"")


def test_parts_by_name():
    check_part("vbaProject.bin", b"\xd0\xcf")
    check_part("a.rels", b"<a/>")
    with pytest.raises(FileError, match=r"^xl/a.vml would be no whole XML"):
        check_part("xl/a.vml", b"<a>")
