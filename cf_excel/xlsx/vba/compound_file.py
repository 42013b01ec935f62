"""Write compound files, the container of VBA projects (MS-CFB, version 3: sectors of 512 bytes)."""

import struct
from dataclasses import dataclass

Tree = dict[str, "bytes | Tree"]
"""Names of streams with their bytes, and of folders with what is in them."""

_SECTOR, _MINI_SECTOR, _MINI_STREAM_LIMIT = 512, 64, 4096
_FREE, _END_OF_CHAIN, _FAT_SECTOR = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
_FOLDER, _STREAM, _ROOT = 1, 2, 5
_BLACK = 1
_MOST_FAT_SECTORS = 109  # more than that need a table of tables: 7 MB of streams do not


@dataclass
class _Entry:
    name: str
    kind: int
    content: bytes = b""
    left: int = _FREE
    right: int = _FREE
    child: int = _FREE
    start: int = 0
    size: int = 0

    def packed(self) -> bytes:
        name = self.name.encode("utf-16le") + b"\0\0"
        return (
            name.ljust(64, b"\0")
            + struct.pack("<HBB3I", len(name), self.kind, _BLACK, self.left, self.right, self.child)
            + bytes(16)
            + struct.pack("<IQQIQ", 0, 0, 0, self.start, self.size)
        )


_UNUSED_ENTRY = bytes(68) + struct.pack("<3I", _FREE, _FREE, _FREE) + bytes(48)


def compound_file(tree: Tree) -> bytes:
    """Return the bytes of a compound file; they depend on nothing but the tree."""
    root = _Entry("Root Entry", _ROOT)
    entries = [root]
    root.child = _add_folder(entries, tree)

    small = [e for e in entries if e.kind == _STREAM and 0 < len(e.content) < _MINI_STREAM_LIMIT]
    large = [e for e in entries if e.kind == _STREAM and len(e.content) >= _MINI_STREAM_LIMIT]
    mini_stream = b""
    mini_fat: list[int] = []
    for entry in small:
        entry.start = len(mini_fat)
        mini_stream += _padded(entry.content, _MINI_SECTOR)
        mini_fat += _chain(entry.start, len(_padded(entry.content, _MINI_SECTOR)) // _MINI_SECTOR)
    root.size = len(mini_stream)

    n_directory = -(-len(entries) * 128 // _SECTOR)
    parts = [n_directory, _n_sectors(4 * len(mini_fat)), _n_sectors(len(mini_stream))]
    parts += [_n_sectors(len(entry.content)) for entry in large]
    n_fat = 1
    while n_fat * _SECTOR // 4 < n_fat + sum(parts):
        n_fat += 1
    if n_fat > _MOST_FAT_SECTORS:
        raise ValueError("too many bytes for one compound file")

    fat, starts = [_FAT_SECTOR] * n_fat, []
    for size in parts:
        starts.append(len(fat) if size else _END_OF_CHAIN)
        fat += _chain(len(fat), size)
    directory_start, mini_fat_start, root.start, *large_starts = starts
    for entry, start in zip(large, large_starts, strict=True):
        entry.start = start

    header = (
        bytes.fromhex("D0CF11E0A1B11AE1")
        + bytes(16)
        + struct.pack("<5H", 0x3E, 3, 0xFFFE, 9, 6)
        + bytes(6)
        + struct.pack("<5I", 0, n_fat, directory_start, 0, _MINI_STREAM_LIMIT)
        + struct.pack("<4I", mini_fat_start, parts[1], _END_OF_CHAIN, 0)
        + _numbers(range(n_fat), _MOST_FAT_SECTORS)
    )
    directory = b"".join(entry.packed() for entry in entries)
    directory += _UNUSED_ENTRY * (n_directory * _SECTOR // 128 - len(entries))
    return b"".join(
        [
            header,
            _numbers(fat, n_fat * _SECTOR // 4),
            directory,
            _numbers(mini_fat, parts[1] * _SECTOR // 4),
            _padded(mini_stream, _SECTOR),
            *(_padded(entry.content, _SECTOR) for entry in large),
        ]
    )


def _add_folder(entries: list[_Entry], tree: Tree) -> int:
    """Add what is in a folder to the entries and return the top of its search tree."""
    added: list[int] = []
    folders: dict[int, Tree] = {}
    # the order that readers search by: shorter names first, then upper case
    for name in sorted(tree, key=lambda name: (len(name.encode("utf-16le")), name.upper())):
        content = tree[name]
        if isinstance(content, bytes):
            start = 0 if content else _END_OF_CHAIN
            entry = _Entry(name, _STREAM, content, start=start, size=len(content))
        else:
            entry = _Entry(name, _FOLDER)
            folders[len(entries)] = content
        added.append(len(entries))
        entries.append(entry)
    for index, folder in folders.items():
        entries[index].child = _add_folder(entries, folder)
    return _balanced(entries, added)


def _balanced(entries: list[_Entry], indices: list[int]) -> int:
    if not indices:
        return _FREE
    middle = len(indices) // 2
    entry = entries[indices[middle]]
    entry.left = _balanced(entries, indices[:middle])
    entry.right = _balanced(entries, indices[middle + 1 :])
    return indices[middle]


def _n_sectors(size: int) -> int:
    return -(-size // _SECTOR)


def _padded(content: bytes, unit: int) -> bytes:
    return content.ljust(-(-len(content) // unit) * unit, b"\0")


def _chain(start: int, length: int) -> list[int]:
    return [*range(start + 1, start + length), _END_OF_CHAIN] if length else []


def _numbers(values: list[int] | range, length: int) -> bytes:
    return struct.pack(f"<{length}I", *values, *[_FREE] * (length - len(values)))
