"""Styles are added beside those that are there, each once."""

import re
import zipfile

import openpyxl
import pytest
from support.own_books import list_book
from support.owned import make

from cf_excel.errors import FileError
from cf_excel.xlsx.edit.added_styles import TWO_DECIMALS, AddedStyles, Look
from cf_excel.xlsx.edit.workbook_file import OpenedBook

LOOKS = [
    Look(),
    Look(bold=True),
    Look(number=TWO_DECIMALS, italic=True, ink="FF0000", fill="00FF00", box=True),
    Look("0.0000"),
    Look("0.00000"),
]


def rewritten(path, change):
    """Change the parts of a workbook, or leave out those that become None."""
    with zipfile.ZipFile(path) as package:
        parts = {name: change(name, package.read(name)) for name in package.namelist()}
    with zipfile.ZipFile(path, "w") as package:
        for name, content in parts.items():
            if content is not None:
                package.writestr(name, content)
    return path


def prefixed(name, content):
    if name != "xl/styles.xml":
        return content
    content = re.sub(rb"<(/?)(?=\w)", rb"<\1x:", content)
    return content.replace(b"xmlns=", b"xmlns:x=", 1)


def without_styles(name, content):
    if name == "xl/styles.xml":
        return None
    content = re.sub(rb'<Override PartName="/xl/styles.xml"[^>]*>|<Relationship [^>]*styles.xml"[^>]*>', b"", content)
    return re.sub(rb' s="\d+"', b"", content)


def plain(name, content):
    return content


@pytest.mark.parametrize("change", [plain, prefixed, without_styles])
def test_looks_are_added_once_and_found_again(tmp_path, change):
    path = rewritten(list_book(tmp_path / "own.xlsx"), change)
    book = OpenedBook(path)
    numbers = [AddedStyles(book).number(look) for look in LOOKS]
    assert len(set(numbers)) == len(LOOKS)
    assert numbers[0] == 0  # plain cells
    again = AddedStyles(book)
    assert [again.number(look) for look in LOOKS] == numbers
    xml = book.archive.read(book.root_target("styles"))
    for kind, child in ((b"cellXfs", b"xf"), (b"fonts", b"font"), (b"fills", b"fill"), (b"borders", b"border")):
        pattern = rb'<(?:x:)?%s\b[^>]*count="(\d+)"[^>]*>(.*?)</(?:x:)?%s>' % (kind, kind)
        count, inside = re.search(pattern, xml, re.DOTALL).groups()
        assert int(count) == len(re.findall(rb"<(?:x:)?%s[\s/>]" % child, inside))
    book.archive.save(path)
    found = openpyxl.load_workbook(path)._cell_styles[numbers[2]]
    workbook = openpyxl.load_workbook(path)
    font, fill = workbook._fonts[found.fontId], workbook._fills[found.fillId]
    assert (font.i, font.color.rgb, fill.start_color.rgb, found.numFmtId) == (True, "FFFF0000", "FF00FF00", 2)
    codes = [workbook._number_formats[workbook._cell_styles[number].numFmtId - 164] for number in numbers[3:]]
    assert codes == ["0.0000", "0.00000"]


def test_styles_without_fonts_are_damaged(tmp_path):
    path = rewritten(make(tmp_path / "own.xlsx"), lambda name, xml: re.sub(rb"<fonts.*</fonts>", b"", xml))
    with pytest.raises(FileError, match=r"its styles are damaged \(fonts is missing or empty\)"):
        AddedStyles(OpenedBook(path)).number(Look(bold=True))
