"""Know again a copy of a workbook that somebody owns: a comment behind its list of sheets has a digest of the rest."""

import hashlib
import os
import re
from pathlib import Path

from cf_excel.errors import FileError
from cf_excel.written import change_of
from cf_excel.xlsx.edit.workbook_file import OpenedBook

_MARK = re.compile(rb"\n<!-- cf_excel copy, sha256 [0-9a-f]{64} -->\Z")


def seal_copy(book: OpenedBook) -> None:
    """Put the digest into a workbook that is about to be saved as a copy."""
    bare = _MARK.sub(b"", book.archive.read(book.root))
    book.archive.put(book.root, bare + _mark_of(book, bare))


def check_copy(path: Path, source: Path) -> None:
    """Raise FileError where a copy of the source would replace what is neither a copy nor build's, or was changed."""
    if not (os.path.exists(path) and os.path.exists(source)) or os.path.samefile(path, source):
        return
    if not change_of(path) or _is_unchanged(path):
        return
    raise FileError(
        f"{path} is there, and is no copy that cf_excel wrote, or was changed since: --backup keeps it beside the new "
        "one, --out FILE writes elsewhere"
    )


def _is_unchanged(path: Path) -> bool:
    try:
        book = OpenedBook(path)
        xml = book.archive.read(book.root)
    except FileError:
        return False
    bare = _MARK.sub(b"", xml)
    return bare != xml and bare + _mark_of(book, bare) == xml


def _mark_of(book: OpenedBook, bare: bytes) -> bytes:
    """Return the comment; bare: the part with the list of sheets, without one. Checksums stand for the other parts."""
    digest = hashlib.sha256(bare)
    for entry in book.archive.entries:
        if entry.filename != book.root:
            digest.update(f"{entry.filename} {entry.file_size} {entry.CRC:08x}\n".encode())
    return f"\n<!-- cf_excel copy, sha256 {digest.hexdigest()} -->".encode()
