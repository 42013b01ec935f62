"""Know again what cf_excel wrote: a file carries a digest of all else in it, so that a change by anybody shows."""

import hashlib
import re
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

from cf_excel.zip_guard import BROKEN

_NO_DIGEST = "0" * 64
PLACE = f"cf_excel sha256 {_NO_DIGEST}"  # what a file holds once, where its format has room for a text
CORE = "docProps/core.xml"  # the part of a workbook that has the digest
_MARK = re.compile(rb"cf_excel sha256 ([0-9a-f]{64})")
_IDENTIFIER = re.compile(rb"<dc:identifier>cf_excel sha256 [0-9a-f]{64}</dc:identifier>")
_PNG, _ZIP = b"\x89PNG\r\n", b"PK\3\4"
_LONGEST_CORE = 2**16  # bytes
CHANGED = "was changed since cf_excel wrote it"
UNKNOWN = "was not written by cf_excel, or by an older one"


def sealed(data: bytes) -> bytes:
    """Return a file's bytes with their digest where they hold PLACE, or a former digest."""
    return sealed_head(data, ())


def sealed_head(head: bytes, rest: Iterable[bytes | memoryview]) -> bytes:
    """Return the head of a file, which holds PLACE or a former digest, with the digest of all of the file."""
    digest = hashlib.sha256(_with_digest(head, _NO_DIGEST))
    for part in rest:
        digest.update(part)
    return _with_digest(head, digest.hexdigest())


def sealed_core(core: bytes, entries: Iterable[zipfile.ZipInfo]) -> bytes:
    """Return a workbook's CORE with the digest of it and of the other parts; entries: as the zip lists them.

    The zip's checksums stand for the parts, so that nothing is unpacked to compare a workbook with its digest.
    """
    digest = hashlib.sha256(core)
    for entry in entries:
        if entry.filename != CORE:
            digest.update(f"{entry.filename} {entry.file_size} {entry.CRC:08x}\n".encode())
    mark = f"<dc:identifier>cf_excel sha256 {digest.hexdigest()}</dc:identifier>"
    return core.replace(b"</coreProperties>", mark.encode() + b"</coreProperties>")


def change_of(path: Path) -> str:
    """Return what tells that a file is not as cf_excel wrote it, and "" for one that is.

    What is not there, or empty, is nobody's work. What can't be read and what other programs wrote
    is not ours.
    """
    try:
        with open(path, "rb") as file:
            start = file.read(len(_PNG))
        if not start:
            return ""
        is_same = _is_sealed_package(path) if start.startswith(_ZIP) else _is_sealed(path.read_bytes())
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, *BROKEN):
        is_same = None
    if is_same is None:
        return UNKNOWN
    return "" if is_same else CHANGED


def _is_sealed(data: bytes) -> bool | None:
    return sealed(data) == data if _MARK.search(data) else None


def _is_sealed_package(path: Path) -> bool | None:
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        with archive.open(CORE) as part:
            core = part.read(_LONGEST_CORE)
    bare, n_marks = _IDENTIFIER.subn(b"", core)
    return sealed_core(bare, entries) == core if n_marks else None


def _with_digest(data: bytes, digest: str) -> bytes:
    mark = _MARK.search(data)
    if not mark:
        raise ValueError("no place for a digest")
    data = data[: mark.start(1)] + digest.encode() + data[mark.end() :]
    if data.startswith(_PNG):  # a chunk ends with the checksum of its type and its content
        checksum = zlib.crc32(data[data.rfind(b"tEXt", 0, mark.start()) : mark.end()])
        data = data[: mark.end()] + checksum.to_bytes(4) + data[mark.end() + 4 :]
    return data
