"""Take a worksheet out of a workbook that somebody owns."""

import re

from cf_excel.xlsx.edit.markup import tag_prefix
from cf_excel.xlsx.edit.workbook_file import OpenedBook
from cf_excel.xlsx.opc import rels_of

_SHEET = rb"<%(p)ssheet(?=\s)(?=[^>]*:id\s*=\s*[\"']%(id)s[\"'])[^>]*?(?:/>|>\s*</%(p)ssheet\s*>)"
_DEFINED = rb"<%(p)sdefinedName(?=\s)([^>]*)(?:/>|>[^<]*</%(p)sdefinedName\s*>)"
_NO_NAMES = rb"<%(p)sdefinedNames\s*(?:/>|>\s*</%(p)sdefinedNames\s*>)"
_SHEET_NUMBER = re.compile(rb"""(\s(?:localSheetId|activeTab|firstSheet)\s*=\s*["'])(\d{1,5})(?=["'])""")


def drop_sheet(book: OpenedBook, title: str) -> None:
    """Take out a worksheet and the names that belong to it; the book is to be saved, not asked, after that.

    What counts the sheets, the open one and the names of single sheets, counts on without it.
    """
    archive, part, place = book.archive, book.part_of(title), book.all_titles.index(title)
    identity = next(i for i, (_, target) in archive.relations(book.root).items() if target == part)
    archive.drop_relation(book.root, identity, part)
    archive.drop(archive.find(rels_of(part)))
    xml = archive.read(book.root)
    names = {b"p": tag_prefix(xml, b"workbook"), b"id": re.escape(identity.encode())}

    def kept(found: re.Match[bytes]) -> bytes:
        number = _SHEET_NUMBER.search(found[1])
        return b"" if number and int(number[2]) == place else found[0]

    def counted(found: re.Match[bytes]) -> bytes:
        number = int(found[2])
        return found[1] + str(number - (number > place or number == place > 0)).encode()

    xml = re.sub(_SHEET % names, b"", xml, count=1)
    without_own = re.sub(_DEFINED % names, kept, xml)
    if without_own != xml:
        xml = re.sub(_NO_NAMES % names, b"", without_own)
    archive.put(book.root, _SHEET_NUMBER.sub(counted, xml))
