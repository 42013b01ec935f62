"""Open a workbook's zip without trusting it, and write it again with every untouched part as it was, to the byte.

Parts that do not change are copied as they are packed, so that a large workbook is rewritten in the time of a copy.
"""

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Iterable
from concurrent.futures import Future
from pathlib import Path

from cf_excel.errors import FileError
from cf_excel.files import check_source, not_there, replacing
from cf_excel.xlsx.edit.compression import Packing, Part, background, check_packed, unpack
from cf_excel.xlsx.edit.xml_check import check_xml
from cf_excel.xlsx.opc import Package, plain
from cf_excel.zip_guard import BROKEN, UnpackingLimits, is_encrypted

MAX_PARTS = 20_000
LIMITS = UnpackingLimits("workbook is", ratio=200, most=2**31)  # XML of many equal cells shrinks a hundredfold

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_UTF8_NAME = 0x800
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


class Archive(Package):
    """The parts of a workbook by name, in their order; what is put is kept here until save writes all."""

    def __init__(self, path: Path, data: bytes) -> None:
        """Take the bytes of a workbook. Raises FileError where they are no whole .xlsx or .xlsm."""
        self.path = path
        self.original = data
        self._parts, self._comment = _read_parts(path, data)
        self._changed: dict[str, Packing] = {}
        self._unpacked: dict[str, bytes] = {}
        self._unpacking: dict[str, Future[bytes]] = {}
        self._checks: list[Future[None]] = []
        self._pool = background()

    @property
    def names(self) -> list[str]:
        """Names of the parts, in order."""
        return [*self._parts, *(name for name in self._changed if name not in self._parts)]

    @property
    def changed(self) -> list[str]:
        """Names of the parts that were put."""
        return list(self._changed)

    @property
    def entries(self) -> list[zipfile.ZipInfo]:
        """What the zip's directory will say of each part."""
        return [part.entry for part in self._all_parts().values()]

    def _all_parts(self) -> dict[str, Part]:
        """Return the parts as they will be written, by name."""
        return {name: self._changed[name].part() if name in self._changed else self._parts[name] for name in self.names}

    def read(self, name: str) -> bytes:
        """Return a part as it is now. Raises FileError where it is missing or damaged."""
        if name not in self._unpacked:
            if name in self._changed:
                self._unpacked[name] = unpack(self._changed[name].part(), self.path.name)
            elif name in self._unpacking:
                self._unpacked[name] = self._unpacking.pop(name).result()
            elif name in self._parts:
                self._unpacked[name] = unpack(self._parts[name], self.path.name)
            else:
                raise FileError(f"{self.path.name} is no whole workbook: its part {name} is missing")
        return self._unpacked[name]

    def unpack_ahead(self, names: Iterable[str]) -> None:
        """Unpack parts in the background that will be read."""
        for name in names:
            if name in self._parts and not {name} & (self._unpacked.keys() | self._unpacking.keys()):
                self._unpacking[name] = self._pool.submit(unpack, self._parts[name], self.path.name)

    def size(self, name: str) -> int:
        """Return the number of bytes of a part, without unpacking it."""
        return self._changed[name].size if name in self._changed else self._parts[name].entry.file_size

    def head(self, name: str, size: int = 2**18) -> bytes:
        """Return the beginning of a part, unpacking no more than that where it is large."""
        part = self._parts.get(name)
        is_there = name in self._unpacked or name in self._changed
        if is_there or not part or part.entry.compress_type != zipfile.ZIP_DEFLATED or part.entry.file_size < 4 * size:
            return self.read(name)[:size]
        try:
            return zlib.decompressobj(-15).decompress(part.packed, size)
        except zlib.error as error:
            raise FileError(f"{self.path.name} is damaged: {name} can't be unpacked ({error})") from None

    def read_xml(self, name: str) -> bytes:
        """Return a part that is whole XML in UTF-8 and declares no entities; raises FileError for another one."""
        content = self.read(name)
        check_xml(content, f"{self.path.name}: {name}")
        return content

    def put(self, name: str, content: bytes | Iterable[bytes]) -> None:
        """Replace a part, or add one at the end; content may come in pieces."""
        if not self._checks:
            self._check_unread()
        pieces = [content] if isinstance(content, bytes) else content
        old = self._parts.get(name)
        self._changed[name] = Packing(name, pieces, old.entry if old else None, self._pool)
        self._unpacked.pop(name, None)
        if isinstance(content, bytes):
            self._unpacked[name] = content

    def drop(self, name: str) -> None:
        """Leave a part out."""
        for parts in (self._parts, self._changed, self._unpacked, self._unpacking):
            parts.pop(name, None)

    def save(self, path: Path, *, backup: Path | None = None) -> None:
        """Write the workbook beside the target, read it back, and only then put it in the target's place.

        backup: where the file that is replaced is kept. Raises FileError, with the target as it was, where anything
        fails, and where the original changed since it was read.
        """
        parts = self._all_parts()
        content = self._zip(parts)
        self._check(content, parts)
        for check in self._checks:
            check.result()
        with replacing(path) as temporary:
            with open(temporary, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if temporary.read_bytes() != content:
                raise FileError(f"can't write {path}: what was written reads back otherwise (a faulty disk?)")
            if self.path.read_bytes() != self.original:
                raise FileError(f"{self.path} was changed by another program in between: run the command again")
            if backup:
                with replacing(backup, like=path) as copy:
                    copy.write_bytes(path.read_bytes())

    def _check_unread(self) -> None:
        """Begin to check the parts that were not read: a damaged one is not copied on as if it were whole."""
        for name in self._parts.keys() - self._unpacked.keys() - self._unpacking.keys():
            self._checks.append(self._pool.submit(check_packed, self._parts[name], self.path.name))

    def _zip(self, parts: dict[str, Part]) -> bytes:
        target, directory = io.BytesIO(), []
        for part in parts.values():
            entry, offset = part.entry, target.tell()
            encoded = entry.orig_filename.encode("utf-8" if entry.flag_bits & _UTF8_NAME else "cp437")
            fields = _fields(entry)
            sizes = entry.CRC, len(part.packed), entry.file_size
            extra = _without_zip64(entry.extra)
            target.write(_LOCAL.pack(b"PK\3\4", *fields[1:], *sizes, len(encoded), 0) + encoded + part.packed)
            lengths = len(encoded), len(extra), len(entry.comment)
            attributes = 0, entry.internal_attr, entry.external_attr, offset
            directory.append(
                _CENTRAL.pack(b"PK\1\2", *fields, *sizes, *lengths, *attributes) + encoded + extra + entry.comment
            )
        start = target.tell()
        if start >= 2**32 - 1:
            raise FileError(f"{self.path.name} would grow beyond the 4 GB of a plain zip")
        target.write(b"".join(directory))
        n = len(directory)
        size = target.tell() - start
        target.write(_END.pack(b"PK\5\6", 0, 0, n, n, size, start, len(self._comment)) + self._comment)
        return target.getvalue()

    def _check(self, content: bytes, parts: dict[str, Part]) -> None:
        """Raise FileError unless the parts, and no others, are in a zip as they were packed."""
        written, comment = _read_parts(self.path, content)
        same = (written[name].packed == part.packed for name, part in parts.items() if name in written)
        if list(written) != list(parts) or not all(same) or comment != self._comment:
            raise FileError(f"{self.path.name} can't be rewritten without loss: nothing was written")


def open_archive(path: Path) -> Archive:
    """Read a workbook from disk. Raises FileError for anything but a whole, unencrypted .xlsx or .xlsm."""
    path = Path(path)
    check_source(path)
    try:
        if path.is_dir():
            raise FileError(f"{path} is a folder: expected a workbook")
        data = path.read_bytes()
    except FileNotFoundError:
        raise not_there(path) from None
    except (OSError, ValueError) as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"{path} can't be read: {getattr(error, 'strerror', None) or error}") from None
    return Archive(path, data)


def _read_parts(path: Path, data: bytes) -> tuple[dict[str, Part], bytes]:
    """Return the parts of a zip by name, and the zip's comment."""
    if data.startswith(_OLE):  # before the zip is looked for: one may be embedded
        raise FileError(f"{path.name} is no workbook: {_what_ole_is(data)}")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries, comment = archive.infolist(), archive.comment
    except (*BROKEN, OSError, ValueError) as error:
        raise FileError(f"{path.name} is no workbook: {_what_it_is(data, error)}") from None
    for entry in entries:  # some programs write the names as Windows does, which others can't read
        entry.filename = entry.orig_filename = entry.filename.replace("\\", "/")
    names = {plain(entry.filename) for entry in entries}
    _check_entries(path, entries, names, len(data))
    if not data.startswith(b"PK"):
        raise FileError(f"{path.name} has something before its zip: open it in Excel and save it again")
    if "[content_types].xml" not in names:
        ods = "an OpenDocument file" if "mimetype" in names else "a zip without workbook parts"
        raise FileError(f"{path.name} is {ods}: save it as .xlsx and pass that")
    if any(name.endswith("/workbook.bin") for name in names):
        raise FileError(f"{path.name} is a binary workbook (.xlsb): save it as .xlsx or .xlsm and pass that")
    try:
        return {entry.filename: Part(entry, _packed_bytes(entry, data)) for entry in entries}, comment
    except (*BROKEN, ValueError):
        raise FileError(f"{path.name} is damaged: its zip is truncated or out of order") from None


def _check_entries(path: Path, entries: list[zipfile.ZipInfo], names: set[str], size: int) -> None:
    if len(entries) > MAX_PARTS:
        raise FileError(f"{path.name} has {len(entries):,} parts, {MAX_PARTS:,} is the most: no workbook, not read")
    LIMITS.check(path.name, size, sum(entry.file_size for entry in entries))
    if len(names) != len(entries):
        raise FileError(f"{path.name} has two parts of one name: not read")
    if any(is_encrypted(entry) for entry in entries):
        raise FileError(f"{path.name} is encrypted: save it without a password and pass that")


def _packed_bytes(entry: zipfile.ZipInfo, data: bytes) -> bytes:
    local = _LOCAL.unpack_from(data, entry.header_offset)
    start = entry.header_offset + _LOCAL.size + local[-2] + local[-1]
    packed = data[start : start + entry.compress_size]
    if local[0] != b"PK\3\4" or len(packed) != entry.compress_size:
        raise EOFError
    return packed


def _fields(entry: zipfile.ZipInfo) -> tuple[int, ...]:
    """Return the fields of a central header from the version to the date."""
    year, month, day, hour, minute, second = entry.date_time
    date, time = (year - 1980) << 9 | month << 5 | day, hour << 11 | minute << 5 | second // 2
    made = entry.create_system << 8 | (entry.create_version & 0xFF)
    # sizes stand in the headers: no descriptor follows the data
    return made, max(20, entry.extract_version & 0xFF), entry.flag_bits & ~8, entry.compress_type, time, date


def _without_zip64(extra: bytes) -> bytes:
    kept, rest = b"", extra
    while len(rest) >= 4:
        kind, size = struct.unpack_from("<HH", rest)
        if kind != 1:
            kept += rest[: 4 + size]
        rest = rest[4 + size :]
    return kept


def _what_ole_is(data: bytes) -> str:
    if "EncryptedPackage".encode("utf-16-le") in data:
        return "it is encrypted with a password; save it without one and pass that"
    return "it is an old .xls; save it as .xlsx and pass that"


def _what_it_is(data: bytes, error: Exception) -> str:
    if not data:
        return "it is empty"
    if data.startswith(b"PK"):
        return f"its zip is truncated or damaged ({error})"
    if data[:100].lstrip(b"\xef\xbb\xbf\r\n\t ").startswith(b"<"):  # of websites, often called .xls; of Excel 2003
        return "it is a web page or another XML file; open it in Excel, save it as .xlsx and pass that"
    if b"\0" not in data[:4096]:  # a CSV, most likely
        return "it is a text; open it in Excel, save it as .xlsx and pass that"
    return "expected an .xlsx or .xlsm"
