"""Pack and unpack the parts of a zip; large ones in the background, piece by piece on every processor."""

import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from cf_excel.errors import FileError
from cf_excel.zip_guard import BROKEN

PIECE = 2**22  # bytes that are packed at once; with smaller ones, threads wait for each other more often
LARGE = 2**26  # from here on speed counts more than size
_WORKERS = min(4, os.cpu_count() or 1)
_MOST_WAITING = 8
_UTF8_NAME = 0x800


@dataclass(frozen=True)
class Part:
    """A part as it is packed, with its entry in the zip's directory."""

    entry: zipfile.ZipInfo
    packed: bytes


def background() -> ThreadPoolExecutor:
    """Return threads for packing and unpacking; zlib lets others run meanwhile."""
    return ThreadPoolExecutor(_WORKERS, thread_name_prefix="packing")


def unpack(part: Part, file: str) -> bytes:
    """Return a part's content. Raises FileError where it is not what the zip says; file: what messages call the zip."""
    name = part.entry.filename
    try:
        if part.entry.compress_type == zipfile.ZIP_STORED:
            content = part.packed
        elif part.entry.compress_type == zipfile.ZIP_DEFLATED:
            content = zlib.decompressobj(-15).decompress(part.packed, part.entry.file_size + 1)
        else:
            raise NotImplementedError(f"{name} is packed in an unusual way")
    except BROKEN as error:
        raise FileError(f"{file} is damaged: {name} can't be unpacked ({error})") from None
    if len(content) != part.entry.file_size or zlib.crc32(content) != part.entry.CRC:
        raise FileError(f"{file} is damaged: {name} is not what the zip says it is")
    return content


def check_packed(part: Part, file: str) -> None:
    """Raise FileError where a part is not what the zip says; unlike unpack, keep no more than a piece of it at once.

    What is packed in an unusual way can't be told and passes.
    """
    if part.entry.compress_type == zipfile.ZIP_STORED:
        unpack(part, file)
    if part.entry.compress_type != zipfile.ZIP_DEFLATED:
        return
    size, crc, rest, unpacker = 0, 0, part.packed, zlib.decompressobj(-15)
    try:
        while not unpacker.eof and (piece := unpacker.decompress(rest, PIECE)):
            size, crc, rest = size + len(piece), zlib.crc32(piece, crc), unpacker.unconsumed_tail
    except zlib.error as error:
        raise FileError(f"{file} is damaged: {part.entry.filename} can't be unpacked ({error})") from None
    if size != part.entry.file_size or crc != part.entry.CRC:
        raise FileError(f"{file} is damaged: {part.entry.filename} is not what the zip says it is")


class Packing:
    """A part that is being packed from pieces of its content, while these are made.

    old: the entry of the part that it replaces. Each piece is unpacked again and compared.
    """

    def __init__(
        self, name: str, content: Iterable[bytes], old: zipfile.ZipInfo | None, pool: ThreadPoolExecutor
    ) -> None:
        self.size, self._crc = 0, 0
        self._entry = _entry(name, old)
        level = 1 if old and old.file_size >= LARGE else 6
        self._packed: list[Future[bytes]] = []
        before: bytes | None = None
        for piece in _pieces(content):
            self.size += len(piece)
            self._crc = zlib.crc32(piece, self._crc)
            if before is not None:
                self._packed.append(pool.submit(_pack, before, level, zlib.Z_SYNC_FLUSH))
            before = piece
            if len(self._packed) > _MOST_WAITING:
                self._packed[-_MOST_WAITING].result()
        self._packed.append(pool.submit(_pack, before or b"", level, zlib.Z_FINISH))

    def part(self) -> Part:
        """Return the part, once it is packed. Raises FileError where it does not read back."""
        packed = b"".join(future.result() for future in self._packed)
        self._entry.CRC, self._entry.file_size, self._entry.compress_size = self._crc, self.size, len(packed)
        return Part(self._entry, packed)


def _pack(piece: bytes, level: int, end: int) -> bytes:
    # a stream may go on behind a piece that was flushed: a zip's part is all of them in a row
    packer = zlib.compressobj(level, zlib.DEFLATED, -15)
    packed = packer.compress(piece) + packer.flush(end)
    if zlib.decompressobj(-15).decompress(packed) != piece:
        raise FileError("what was packed does not unpack to what it was (faulty memory?): nothing was written")
    return packed


def _pieces(content: Iterable[bytes]) -> Iterator[bytes]:
    """Give the content in pieces of about one size."""
    waiting, size = [], 0
    for part in content:
        waiting.append(part)
        size += len(part)
        if size >= PIECE:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)


def _entry(name: str, old: zipfile.ZipInfo | None) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, old.date_time if old else (2018, 1, 1, 0, 0, 0))
    if old:
        entry.create_system, entry.external_attr, entry.extra = old.create_system, old.external_attr, old.extra
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.flag_bits = 0 if name.isascii() else _UTF8_NAME
    return entry
