"""Write Excel's binary workbooks (.xlsb): records of BIFF12, as far as a table of ratings needs them (MS-XLSB)."""

import datetime
import struct
import zipfile
from pathlib import Path

_TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="bin" ContentType="application/vnd.ms-excel.sheet.binary.macroEnabled.main"/>{}</Types>'
)
_RELATIONS = '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{}</Relationships>'
_RELATION = '<Relationship Id="rId{}" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/{}" '
_OVERRIDE = '<Override PartName="/xl/{}.bin" ContentType="application/vnd.ms-excel.{}"/>'
_DATE = 14  # the number format of a day, and the second style
_EPOCH = datetime.datetime(1899, 12, 30)


def _record(kind: int, data: bytes = b"") -> bytes:
    """Return a record: its kind and its length in sevens of bits, then what is in it."""
    head = bytes([kind]) if kind < 128 else bytes([kind & 127 | 128, kind >> 7])
    length, rest = b"", len(data)
    while rest > 127:
        length, rest = length + bytes([rest & 127 | 128]), rest >> 7
    return head + length + bytes([rest]) + data


def _text(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")


def _cell(column: int, value: object, texts: list[str]) -> bytes:
    if isinstance(value, datetime.datetime):
        return _record(5, struct.pack("<IId", column, 1, (value - _EPOCH) / datetime.timedelta(1)))
    at = struct.pack("<II", column, 0)
    if value == "#N/A":
        return _record(3, at + b"\x2a")
    if isinstance(value, str) and value.startswith("="):  # =2.5, with its result
        number = float(value[1:])
        return _record(9, at + struct.pack("<dHIBdI", number, 0, 9, 0x1F, number, 0))
    if isinstance(value, str):
        texts.append(value)
        return _record(7, at + struct.pack("<I", len(texts) - 1))
    if isinstance(value, int):
        return _record(2, at + struct.pack("<i", value << 2 | 2))
    return _record(5, at + struct.pack("<d", value))


def _sheet(rows: list[list], texts: list[str]) -> bytes:
    size = struct.pack("<4I", 0, len(rows) - 1, 0, max(map(len, rows)) - 1)
    data = [_record(129), _record(148, size), _record(145)]
    for i, row in enumerate(rows):
        data.append(_record(0, struct.pack("<IIHHBIII", i, 0, 300, 0, 0, 1, 0, max(len(row) - 1, 0))))
        data += [_cell(j, value, texts) for j, value in enumerate(row) if value is not None]
    return b"".join([*data, _record(146), _record(130)])


def write_binary_book(path: Path, sheets: dict[str, list[list]]) -> None:
    """Write sheets of rows: texts, numbers, days, "#N/A" for that error value, and "=2.5" for a formula."""
    texts: list[str] = []
    parts = {f"worksheets/sheet{n}": _sheet(rows, texts) for n, rows in enumerate(sheets.values(), 1)}
    named = [
        _record(156, struct.pack("<II", 0, n) + _text(f"rId{n}") + _text(name)) for n, name in enumerate(sheets, 1)
    ]
    parts["workbook"] = b"".join([_record(131), _record(143), *named, _record(144), _record(132)])
    styles = [_record(47, struct.pack("<8H", 0, form, 0, 0, 0, 0, 0, 1)) for form in (0, _DATE)]
    count = struct.pack("<I", len(styles))
    parts["styles"] = b"".join([_record(278), _record(617, count), *styles, _record(618), _record(279)])
    shared = [_record(19, b"\0" + _text(text)) for text in texts]
    parts["sharedStrings"] = b"".join([_record(159, struct.pack("<II", len(texts), len(texts))), *shared, _record(160)])
    kinds = {name: "worksheet" if "/" in name else name for name in parts if name != "workbook"}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", _TYPES.format("".join(map(_OVERRIDE.format, kinds, kinds.values()))))
        book = _RELATION.format(1, "officeDocument") + 'Target="xl/workbook.bin"/>'
        archive.writestr("_rels/.rels", _RELATIONS.format(book))
        relations = [_RELATION.format(n, kinds[name]) + f'Target="{name}.bin"/>' for n, name in enumerate(kinds, 1)]
        archive.writestr("xl/_rels/workbook.bin.rels", _RELATIONS.format("".join(relations)))
        for name, content in parts.items():
            archive.writestr(f"xl/{name}.bin", content)
