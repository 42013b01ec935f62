"""The parts of a workbook's package, and the cells in which two of them differ."""

import zipfile
from pathlib import Path
from xml.etree import ElementTree

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def packed(path: Path) -> dict[str, bytes]:
    """The parts of a zip as they are packed, in order."""
    data = path.read_bytes()
    with zipfile.ZipFile(path) as package:
        starts = {}
        for entry in package.infolist():
            head = data[entry.header_offset : entry.header_offset + 30]
            start = (
                entry.header_offset + 30 + int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
            )
            starts[entry.filename] = data[start : start + entry.compress_size]
        return starts


def differing_cells(before: bytes, after: bytes) -> dict[str, tuple]:
    """Compare two sheets; return the cells that differ, and fail where anything else does."""
    found = {}

    def compare(old: ElementTree.Element, new: ElementTree.Element) -> None:
        if old.tag == f"{MAIN}c" and ElementTree.tostring(old) != ElementTree.tostring(new):
            assert old.get("r") == new.get("r")
            found[old.get("r")] = old, new
            return
        assert (old.tag, old.attrib, old.text, old.tail) == (new.tag, new.attrib, new.text, new.tail)
        assert len(old) == len(new)
        for pair in zip(old, new, strict=True):
            compare(*pair)

    compare(ElementTree.fromstring(before), ElementTree.fromstring(after))
    return found
