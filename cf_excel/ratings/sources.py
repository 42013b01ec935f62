"""Open files safely: plain, compressed, in a folder, or inside a zip, which is never unpacked to disk."""

import bz2
import gzip
import io
import lzma
import os
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, TYPE_CHECKING, BinaryIO

from cf_excel.errors import FileError, wrong_type
from cf_excel.files import check_source, not_there
from cf_excel.ratings.file_kinds import refuse_binary
from cf_excel.zip_guard import BROKEN, UnpackingLimits, is_encrypted

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# Ratings shrink about fivefold, with long names as ids seventeenfold.
LIMITS = UnpackingLimits("ratings are", ratio=30, most=8 * 2**30)
MAX_LINE_BYTES = 2**20

_BLOCK_BYTES = 2**18
_ZIP = b"PK"
_OLD_WORKBOOK = b"\xd0\xcf\x11\xe0"  # .xls, and a workbook with a password
WORKBOOK_ENDINGS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
_WORKBOOK_MEMBERS = {"[Content_Types].xml", "content.xml"}  # of Excel and of LibreOffice
_PARQUET = b"PAR1"
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_PACKED_ENDING = re.compile(r"\.(gz|bz2|xz)$")
_Bytes = IO[bytes] | gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile
# What the standard library raises over damaged archives.
BROKEN_FILE = (*BROKEN, lzma.LZMAError, OSError, ValueError)


@dataclass(frozen=True)
class Source:
    """A file: one on disk, plain or compressed, or a member of a zip. kind: "text", "workbook" or "parquet".

    Parquet may be a folder of files, or url: the address of such a folder, whose last part is the path.
    tell: called, while a text is read, with how many of its bytes were, and how many it has, both as they are packed.
    """

    path: Path
    member: str = ""
    kind: str = "text"
    url: str = ""
    tell: Callable[[int, int], None] | None = field(default=None, compare=False)

    @property
    def name(self) -> str:
        """What messages call it, on one line of a terminal."""
        return printable(f"{self.path.name}/{self.member}" if self.member else self.path.name)

    @property
    def file_name(self) -> str:
        """The bare name in lower case, without .gz and the like."""
        return _PACKED_ENDING.sub("", (self.member or self.path.name).rsplit("/")[-1].lower())

    @property
    def size(self) -> int:
        """How many bytes it has, as they are packed."""
        if not self.member:
            return self.path.stat().st_size
        with zipfile.ZipFile(self.path) as archive:
            return archive.getinfo(self.member).compress_size

    def read_bytes(self) -> bytes:
        """Return all bytes, of a workbook. Raises FileError for an encrypted one, and what zipfile raises."""
        if not self.member:
            return self.path.read_bytes()
        with ExitStack() as stack:
            return self._open_member(stack.enter_context(self.path.open("rb")), stack).read()

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Open for reading unpacked bytes.

        Raises FileError, also while reading, for a file that is missing, broken or encrypted, that unpacks to too much,
        or that is of a known kind that is no text.
        """
        with ExitStack() as stack:
            try:
                file = stack.enter_context(self.path.open("rb"))
                raw: _Bytes = self._open_member(file, stack) if self.member else _open_plain_or_packed(file, stack)
            except FileError:
                raise
            except BROKEN_FILE as error:
                raise FileError(f"{self.name} can't be read: {reason(error)}") from error
            stream = io.BufferedReader(_Guarded(raw, file, self), _BLOCK_BYTES)
            refuse_binary(self.name, stream.peek(16))
            yield stream

    def _open_member(self, file: BinaryIO, stack: ExitStack) -> IO[bytes]:
        archive = stack.enter_context(zipfile.ZipFile(file))
        entry = archive.getinfo(self.member)
        if is_encrypted(entry):
            raise FileError(f"{self.name} is encrypted: unpack it with its password and pass the folder")
        LIMITS.check(self.name, entry.compress_size, entry.file_size)
        file.seek(entry.header_offset)
        return stack.enter_context(archive.open(entry))


def _open_plain_or_packed(file: BinaryIO, stack: ExitStack) -> _Bytes:
    magic = file.read(6)
    file.seek(0)
    if magic.startswith(b"\x1f\x8b"):
        return stack.enter_context(gzip.GzipFile(fileobj=file))
    if magic.startswith(b"BZh"):
        return stack.enter_context(bz2.BZ2File(file))
    return stack.enter_context(lzma.LZMAFile(file)) if magic == b"\xfd7zXZ\0" else file


def printable(name: str) -> str:
    """Return a name as a line of a terminal can hold it."""
    return "".join(character if character.isprintable() else "?" for character in name)


def is_url(path: Path | str) -> bool:
    """Return whether a path is an address, such as s3://bucket/folder."""
    return isinstance(path, str) and _URL.match(path) is not None


def list_sources(path: Path | str) -> list[Source]:
    """Return the files that a path stands for: itself, or those in a folder (two levels deep) or zip.

    An address stands for Parquet files. Raises FileError where nothing is there, for a zip that is broken or names
    files outside itself, and for an address on the web, of which download has some.
    """
    if not isinstance(path, str | os.PathLike):
        raise wrong_type(path, "the path of a file or folder; cf_excel.Ratings.from_frame takes a table")
    if is_url(path):
        address = str(path)
        if address.lower().startswith(("http:", "https:", "ftp:")):
            raise FileError(f"{address.partition('?')[0]}: save the file that is there, and pass its path")
        return [Source(Path(PurePosixPath(address.rstrip("/")).name), kind="parquet", url=address)]
    path = Path(path)
    try:
        if path.is_dir():
            found = sorted(path.glob("*")) + sorted(path.glob("*/*"))
            return [Source(file, kind=_kind_of(file.name)) for file in found if file.is_file()]
        if not path.exists():
            raise not_there(path, "file or folder")
        check_source(path)
        with open(path, "rb") as file:
            magic = file.read(4)
        if not magic.startswith(_ZIP):
            return [Source(path, kind={_OLD_WORKBOOK: "workbook", _PARQUET: "parquet"}.get(magic, "text"))]
        with zipfile.ZipFile(path) as archive:
            members = [name for name in archive.namelist() if name and not name.endswith("/")]
    except FileError:
        raise
    except BROKEN_FILE as error:
        raise FileError(f"{path.name} can't be read: {reason(error)}") from error
    if _WORKBOOK_MEMBERS & set(members):
        return [Source(path, kind="workbook")]
    for member in members:
        # Nothing is ever unpacked, but such a zip was made to harm: trust none of it.
        if ".." in member.replace("\\", "/").split("/") or _is_absolute(member):
            raise FileError(f"{path.name} names a file outside itself ({member!r}): not read")
    members.sort(key=lambda member: (member.count("/"), member))
    return [Source(path, member, _kind_of(member)) for member in members]


def _kind_of(name: str) -> str:
    """Return the kind of a file in a folder or a zip, where many are never opened."""
    return "workbook" if name.lower().endswith(WORKBOOK_ENDINGS) else "text"


class _Guarded(io.RawIOBase):
    """The unpacked bytes of a source, counted against the packed ones; every fault of the file becomes a FileError."""

    def __init__(self, raw: _Bytes, file: BinaryIO, source: Source) -> None:
        self._raw, self._file, self._name, self._tell = raw, file, source.name, source.tell
        self._start, self._size = file.tell(), source.size if source.tell else 0
        self._count = self._line_count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        wanted = memoryview(buffer)
        try:
            data = self._raw.read(len(wanted))
        except BROKEN_FILE as error:
            raise FileError(f"{self._name} can't be read to its end: {reason(error)}") from error
        self._count += len(data)
        if self._tell:
            self._tell(self._file.tell() - self._start, self._size)
        if self._raw is not self._file:
            LIMITS.check(self._name, self._file.tell() - self._start, self._count)
        after_last_line = len(data) - 1 - max(data.rfind(b"\n"), data.rfind(b"\r"))
        self._line_count = after_last_line + (self._line_count if after_last_line == len(data) else 0)
        if self._line_count > MAX_LINE_BYTES:
            raise FileError(f"{self._name} has a line of more than {MAX_LINE_BYTES:,} bytes: expected a table")
        wanted[: len(data)] = data
        return len(data)


def _is_absolute(member: str) -> bool:
    windows = PureWindowsPath(member)
    return PurePosixPath(member).is_absolute() or bool(windows.drive or windows.root)


def reason(error: Exception) -> str:
    """Return why a file can't be read, for a message."""
    if isinstance(error, EOFError):
        return "it ends too early (a broken download?)"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__
