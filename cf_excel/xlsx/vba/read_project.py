"""Read VBA projects: which modules there are, and their sources (MS-CFB, MS-OVBA)."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from cf_excel.errors import FileError

_SIGNATURE = bytes.fromhex("D0CF11E0A1B11AE1")
_LAST_SECTOR = 0xFFFFFFFA  # larger numbers are no sectors
_NO_ENTRY = 0xFFFFFFFF
_FOLDER, _STREAM = 1, 2
_CHUNK = 4096
_CODE_PAGE, _VERSION, _NAME, _STREAM_NAME, _OFFSET = 0x03, 0x09, 0x19, 0x32, 0x31


@dataclass(frozen=True)
class VbaSources:
    """Sources by module name: of the documents, which are the workbook and its sheets, and of the other modules."""

    documents: dict[str, str]
    modules: dict[str, str]


def read_project(data: bytes, name: str) -> VbaSources:
    """Return the sources in a vbaProject.bin. Raises FileError where it is damaged; name: what the message calls it."""
    try:
        streams = read_compound_file(data)
        folder = next(path.removesuffix("VBA/DIR") for path in streams if path.endswith("VBA/DIR"))
        code_page, modules = _directory(decompress(streams[f"{folder}VBA/DIR"]))
        listed = streams[f"{folder}PROJECT"].decode(code_page, "replace")
        sources = {
            module: decompress(streams[f"{folder}VBA/{stream.upper()}"][offset:]).decode(code_page, "replace")
            for module, (stream, offset) in modules.items()
        }
    except (struct.error, IndexError, KeyError, ValueError, StopIteration, LookupError):
        raise FileError(f"{name} is damaged: its VBA project can't be read") from None
    documents = {document.lower() for document in re.findall(r"(?m)^Document=([^/\r\n]+)", listed)}
    return VbaSources(
        {module: source for module, source in sources.items() if module.lower() in documents},
        {module: source for module, source in sources.items() if module.lower() not in documents},
    )


def read_compound_file(data: bytes) -> dict[str, bytes]:
    """Return the streams of a compound file by path, in upper case: FOLDER/STREAM.

    Raises IndexError, ValueError or struct.error where it is damaged.
    """
    if not data.startswith(_SIGNATURE):
        raise ValueError("no compound file")
    shift, mini_shift = struct.unpack_from("<2H", data, 30)
    first_entry, limit, first_mini, first_table = struct.unpack_from("<I4xII4xI", data, 48)
    size = 1 << shift

    def sector(number: int) -> bytes:
        return data[(number + 1) << shift : (number + 2) << shift]

    tables = [number for number in struct.unpack_from("<109I", data, 76) if number < _LAST_SECTOR]
    while first_table < _LAST_SECTOR and len(tables) * size < len(data):  # more of them than the head has room for
        *more, first_table = _numbers(sector(first_table))
        tables += [number for number in more if number < _LAST_SECTOR]
    fat = [number for table in tables for number in _numbers(sector(table))]

    def stream(start: int) -> bytes:
        return b"".join(sector(number) for number in _chain(start, fat))

    directory = stream(first_entry)
    entries = [directory[place : place + 128] for place in range(0, len(directory), 128)]
    mini_fat = _numbers(stream(first_mini))
    mini_stream = stream(struct.unpack_from("<I", entries[0], 116)[0])

    def content(entry: bytes) -> bytes:
        start, length = struct.unpack_from("<II", entry, 116)
        if length >= limit:
            return stream(start)[:length]
        pieces = (mini_stream[n << mini_shift : (n + 1) << mini_shift] for n in _chain(start, mini_fat))
        return b"".join(pieces)[:length]

    streams: dict[str, bytes] = {}
    left = len(data)
    for path, number in _paths(entries):
        streams[path] = content(entries[number])
        left -= len(streams[path])
        if left < 0:
            raise ValueError("streams that share sectors")
    return streams


def _paths(entries: list[bytes]) -> Iterator[tuple[str, int]]:
    """Give path and number of every stream."""
    waiting, seen = [("", struct.unpack_from("<I", entries[0], 76)[0])], set()
    while waiting:
        folder, number = waiting.pop()
        if number == _NO_ENTRY or number in seen:
            continue
        seen.add(number)
        entry = entries[number]
        length, kind, left, right, child = struct.unpack_from("<HBx3I", entry, 64)
        path = folder + entry[: max(length - 2, 0)].decode("utf-16-le").upper()
        if kind == _STREAM:
            yield path, number
        waiting += [(folder, left), (folder, right), (f"{path}/", child if kind == _FOLDER else _NO_ENTRY)]


def _numbers(data: bytes) -> list[int]:
    return list(struct.unpack(f"<{len(data) // 4}I", data[: len(data) // 4 * 4]))


def _chain(start: int, fat: list[int]) -> Iterator[int]:
    n = 0
    while start < _LAST_SECTOR:
        n += 1
        if n > len(fat):
            raise ValueError("sectors in a circle")
        yield start
        start = fat[start]


def decompress(data: bytes) -> bytes:
    """Return what compress (vba_project.py) makes of data, back. Raises IndexError, ValueError or struct.error."""
    if data[0] != 1:
        raise ValueError("not compressed as VBA has it")
    out, place = bytearray(), 1
    while place < len(data):
        (header,) = struct.unpack_from("<H", data, place)
        end = min(place + (header & 0xFFF) + 3, len(data))
        place += 2
        if header & 0x8000:
            out += _decompressed_chunk(data[place:end])
        else:
            out += data[place:end]
        place = end
    return bytes(out)


def _decompressed_chunk(data: bytes) -> bytes:
    out, place = bytearray(), 0
    while place < len(data):
        flags = data[place]
        place += 1
        for bit in range(8):
            if place >= len(data):
                break
            if not flags >> bit & 1:
                out.append(data[place])
                place += 1
                continue
            (token,) = struct.unpack_from("<H", data, place)
            distance_bits = max(4, (len(out) - 1).bit_length())
            distance = (token >> (16 - distance_bits)) + 1
            for _ in range((token & (0xFFFF >> distance_bits)) + 3):
                out.append(out[-distance])
            place += 2
        if len(out) > _CHUNK:
            raise ValueError("a chunk that is too long")
    return bytes(out)


def _directory(data: bytes) -> tuple[str, dict[str, tuple[str, int]]]:
    """Return the code page, and by module its stream and where its source starts there (MS-OVBA 2.3.4.2)."""
    code_page, name, stream, place = "cp1252", "", "", 0
    modules: dict[str, tuple[str, int]] = {}
    while place + 6 <= len(data):
        kind, size = struct.unpack_from("<HI", data, place)
        size = 6 if kind == _VERSION else size  # which has a number of another meaning there
        content = data[place + 6 : place + 6 + size]
        place += 6 + size
        if kind == _CODE_PAGE:
            number = struct.unpack("<H", content)[0]
            code_page = "mac_roman" if number == 10000 else f"cp{number}"
        elif kind == _NAME:
            name = content.decode(code_page, "replace")
        elif kind == _STREAM_NAME:
            stream = content.decode("utf-16-le")
        elif kind == _OFFSET:
            modules[name] = stream, struct.unpack("<I", content)[0]
    return code_page, modules
