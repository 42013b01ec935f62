"""Write VBA projects (vbaProject.bin) from source text alone.

MS-OVBA without the performance cache: programs compile the source when they open the workbook. The bytes depend on
nothing but the sources.
"""

import re
import struct
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from cf_excel.xlsx.vba.compound_file import compound_file

_CODE_PAGE = "cp1252"
_CHUNK = 4096
_WORKBOOK_CLASS = "0{00020819-0000-0000-C000-000000000046}"
_SHEET_CLASS = "0{00020820-0000-0000-C000-000000000046}"
_CHART_CLASS = "0{00020821-0000-0000-C000-000000000046}"
_CLASS_CLASS = "0{FCFB3D2A-A0FA-1068-A738-08002B3371B5}"
_LIBRARIES = {
    "stdole": r"*\G{00020430-0000-0000-C000-000000000046}#2.0#0#C:\Windows\System32\stdole2.tlb#OLE Automation",
    "Office": r"*\G{2DF8D04C-5BFA-101B-BDE5-00AA0044DE52}#2.0#0#C:\Program Files\Common Files\Microsoft Shared"
    r"\OFFICE16\MSO.DLL#Microsoft Office 16.0 Object Library",
}
WORKBOOK_CODE_NAME = "ThisWorkbook"


@dataclass(frozen=True)
class VbaProject:
    """Sources by module name, without their Attribute lines; documents go by code name (ThisWorkbook, Sheet1, ...)."""

    modules: dict[str, str]
    classes: dict[str, str] = field(default_factory=dict)
    documents: dict[str, str] = field(default_factory=dict)
    name: str = "VBAProject"

    def packed(self, sheets: list[str], chart_sheets: Sequence[str] = ()) -> bytes:
        """Return the bytes of vbaProject.bin for a workbook whose sheets have these code names.

        Raises ValueError for a module name that VBA does not take or a character outside Windows-1252.
        """
        modules = self._modules(sheets, chart_sheets)
        for module in modules:
            if not is_module_name(module.name):
                raise ValueError(f"{module.name!r} is no name of a VBA module")
        identity = "{" + str(uuid.uuid5(uuid.NAMESPACE_OID, repr(modules))).upper() + "}"
        streams = {module.name: compress(module.text.encode(_CODE_PAGE)) for module in modules}
        header = struct.pack("<HHBH", 0x61CC, 0xFFFF, 0, 0)
        names = b"".join(m.name.encode(_CODE_PAGE) + b"\0" + m.name.encode("utf-16le") + b"\0\0" for m in modules)
        return compound_file(
            {
                "VBA": {"_VBA_PROJECT": header, "dir": compress(_directory(self.name, modules)), **streams},
                "PROJECT": _properties(self.name, identity, modules).encode(_CODE_PAGE),
                "PROJECTwm": names + b"\0\0",
            }
        )

    def _modules(self, sheets: list[str], chart_sheets: Sequence[str]) -> list["_Module"]:
        unknown = set(self.documents) - {WORKBOOK_CODE_NAME, *sheets, *chart_sheets}
        if unknown:
            raise ValueError(f"no sheet has the code name {sorted(unknown)[0]}")
        bases = {WORKBOOK_CODE_NAME: _WORKBOOK_CLASS} | dict.fromkeys(sheets, _SHEET_CLASS)
        documents = [
            _Module("Document", name, _text(name, self.documents.get(name, ""), base, predeclared=True))
            for name, base in (bases | dict.fromkeys(chart_sheets, _CHART_CLASS)).items()
        ]
        modules = [_Module("Module", name, _text(name, source)) for name, source in self.modules.items()]
        classes = [
            _Module("Class", name, _text(name, source, _CLASS_CLASS, predeclared=False))
            for name, source in self.classes.items()
        ]
        return documents + modules + classes


@dataclass(frozen=True)
class _Module:
    kind: str
    name: str
    text: str


def is_module_name(name: str) -> bool:
    """Whether VBA, and every code page, takes a name for a module."""
    return re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,30}", name) is not None


def _text(name: str, source: str, base: str | None = None, *, predeclared: bool = False) -> str:
    attributes = {"VB_Name": f'"{name}"'}
    if base:
        attributes |= {
            "VB_Base": f'"{base}"',
            "VB_GlobalNameSpace": "False",
            "VB_Creatable": "False",
            "VB_PredeclaredId": str(predeclared),
            "VB_Exposed": str(predeclared),
            "VB_TemplateDerived": "False",
            "VB_Customizable": str(predeclared),
        }
    lines = [f"Attribute {key} = {value}" for key, value in attributes.items()] + source.strip("\n").splitlines()
    return "\r\n".join(lines) + "\r\n"


def _record(number: int, content: bytes) -> bytes:
    return struct.pack("<HI", number, len(content)) + content


def _texts(number: int, unicode_number: int, text: str) -> bytes:
    return _record(number, text.encode(_CODE_PAGE)) + _record(unicode_number, text.encode("utf-16le"))


def _directory(project: str, modules: list[_Module]) -> bytes:
    """Return the stream `dir` (MS-OVBA 2.3.4.2): what the project is, what it refers to, and its modules."""
    long, short = struct.Struct("<I").pack, struct.Struct("<H").pack
    records = [
        _record(0x01, long(3)),  # 64-bit Windows
        _record(0x02, long(0x409)),
        _record(0x14, long(0x409)),
        _record(0x03, short(int(_CODE_PAGE[2:]))),
        _record(0x04, project.encode(_CODE_PAGE)),
        _texts(0x05, 0x40, ""),
        _record(0x06, b"") + _record(0x3D, b""),
        _record(0x07, long(0)),
        _record(0x08, long(0)),
        struct.pack("<HIIH", 0x09, 4, 0x59F0F851, 7),
        _texts(0x0C, 0x3C, ""),
    ]
    for name, library in _LIBRARIES.items():
        reference = library.encode(_CODE_PAGE)
        records += [_texts(0x16, 0x3E, name), _record(0x0D, long(len(reference)) + reference + bytes(6))]
    records += [_record(0x0F, short(len(modules))), _record(0x13, short(0xFFFF))]
    for module in modules:
        records += [
            _texts(0x19, 0x47, module.name),
            _texts(0x1A, 0x32, module.name),
            _texts(0x1C, 0x48, ""),
            _record(0x31, long(0)),  # the source starts where its stream starts
            _record(0x1E, long(0)),
            _record(0x2C, short(0xFFFF)),
            _record(0x21 if module.kind == "Module" else 0x22, b""),
            _record(0x2B, b""),
        ]
    return b"".join(records) + _record(0x10, b"")


def _properties(project: str, identity: str, modules: list[_Module]) -> str:
    """Return the stream `PROJECT` (MS-OVBA 2.3.1); the project is not protected."""
    lines = [f'ID="{identity}"']
    for module in modules:
        lines.append(f"{module.kind}={module.name}" + "/&H00000000" * (module.kind == "Document"))
    lines += [
        f'Name="{project}"',
        'HelpContextID="0"',
        'VersionCompatible32="393222000"',
        f'CMG="{_encrypted(identity, bytes(4), 0x10)}"',
        f'DPB="{_encrypted(identity, bytes(1), 0x20)}"',
        f'GC="{_encrypted(identity, bytes([255]), 0x30)}"',
        "",
        "[Host Extender Info]",
        "&H00000001={3832D640-CF90-11CF-8E43-00A0C911005A};VBE;&H00000000",
        "",
        "[Workspace]",
        *(f"{module.name}=0, 0, 0, 0, C" for module in modules),
    ]
    return "\r\n".join(lines) + "\r\n"


def _encrypted(identity: str, data: bytes, seed: int) -> str:
    """Return data as MS-OVBA 2.4.3.2 scrambles it, in hexadecimal digits."""
    key = sum(identity.encode()) & 0xFF
    version, scrambled_key = seed ^ 2, seed ^ key
    out = [seed, version, scrambled_key]
    plain, last, before_last = key, scrambled_key, version
    ignored = bytes([7] * ((seed & 6) // 2))
    for byte in ignored + struct.pack("<I", len(data)) + data:
        scrambled = byte ^ ((before_last + plain) & 0xFF)
        out.append(scrambled)
        plain, last, before_last = byte, scrambled, last
    return bytes(out).hex().upper()


def compress(data: bytes) -> bytes:
    """Return data compressed as MS-OVBA 2.4.1 describes: chunks of 4,096 bytes, copies from what came before."""
    out = bytearray(b"\x01")
    for start in range(0, len(data), _CHUNK):
        chunk = data[start : start + _CHUNK]
        body = _compressed_chunk(chunk)
        if len(body) < _CHUNK:
            out += struct.pack("<H", 0xB000 | (len(body) - 1)) + body
        else:
            out += struct.pack("<H", 0x3000 | (_CHUNK - 1)) + chunk.ljust(_CHUNK, b"\0")
    return bytes(out)


def _compressed_chunk(chunk: bytes) -> bytes:
    body = bytearray()
    seen: dict[bytes, list[int]] = {}
    here = 0
    while here < len(chunk):
        flags, place = 0, len(body)
        body.append(0)
        for bit in range(8):
            if here == len(chunk):
                break
            # a copy is 16 bits: as many of them hold the distance as it can need here
            distance_bits = max(4, (here - 1).bit_length() if here else 0)
            at, length = _longest_match(chunk, here, seen, (0xFFFF >> distance_bits) + 3)
            if length >= 3:
                flags |= 1 << bit
                body += struct.pack("<H", ((here - at - 1) << (16 - distance_bits)) | (length - 3))
            else:
                length = 1
                body.append(chunk[here])
            for position in range(here, here + length):
                seen.setdefault(chunk[position : position + 3], []).append(position)
            here += length
        body[place] = flags
    return bytes(body)


def _longest_match(chunk: bytes, here: int, seen: dict[bytes, list[int]], most: int) -> tuple[int, int]:
    best_at, best = 0, 0
    if here + 3 > len(chunk):
        return best_at, best
    for at in reversed(seen.get(chunk[here : here + 3], [])[-64:]):
        length = 3
        while length < most and here + length < len(chunk) and chunk[at + length] == chunk[here + length]:
            length += 1
        if length > best:
            best_at, best = at, length
    return best_at, best
