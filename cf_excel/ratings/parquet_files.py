"""Read ratings from Parquet: one file, or a folder of them, local or at an address such as s3://bucket/folder."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cf_excel.errors import FileError, InputError
from cf_excel.ratings.cell_tables import texts_of
from cf_excel.ratings.columns import CHUNK_ROWS
from cf_excel.ratings.movies import Movie
from cf_excel.ratings.record_files import plain
from cf_excel.ratings.sources import Source

_ENDING = ".parquet"
_READ_BYTES = 2**20  # of each column at a time, however large a row group is
# Files beside those of tables in which not every file, or not every row of one, counts.
_OF_LAKES = re.compile(r"(_delta_log|\.hoodie)/|metadata/[^/]+\.metadata\.json$")


@dataclass(frozen=True)
class ParquetPart:
    """A file of a table: what messages call it, where it is, and how many rows each of its row groups has."""

    name: str
    path: str
    groups: tuple[int, ...]

    @property
    def n_rows(self) -> int:
        return sum(self.groups)


@dataclass(frozen=True)
class Parquet:
    """The rows of one or more files of the same columns, in the order of parts.

    filesystem: pyarrow's, None for files of this machine.
    """

    name: str
    first_record: list[str]
    parts: list[ParquetPart]
    filesystem: Any = None

    has_header = True
    decimal_comma = False

    @property
    def n_columns(self) -> int:
        return len(self.first_record)

    def places(self, rows: list[int]) -> list[str]:
        """Return where rows are, "row 7", with the file's name where there are several."""
        if len(self.parts) == 1:
            return [f"row {row + 1}" for row in rows]
        ends = list(accumulate(part.n_rows for part in self.parts))
        found = [(row, int(np.searchsorted(ends, row, "right"))) for row in rows]
        names = [part.name.removeprefix(f"{self.name}/") for part in self.parts]
        return [f"{names[i]} row {row + 1 - ends[i] + self.parts[i].n_rows}" for row, i in found]

    def chunks(self, column: dict[str, int]) -> Iterator[pd.DataFrame]:
        """Yield the values of columns, as texts (times may be int64), piece by piece; most are categorical.

        Raises FileError, with the file's name, for one that turns out to be damaged.
        """
        for part in self.parts:
            yield from self.chunks_of(part, range(len(part.groups)), column)

    def chunks_of(self, part: ParquetPart, groups: range, column: dict[str, int]) -> Iterator[pd.DataFrame]:
        """Yield the values of columns of some row groups of a file, as chunks does."""
        keys = {kind: self.first_record[i] for kind, i in column.items()}
        with _refusing(part.name), _opened(part.path, self.filesystem) as file:
            for batch in file.iter_batches(CHUNK_ROWS, list(groups), list(dict.fromkeys(keys.values()))):
                yield pd.DataFrame({kind: _values(batch[key], kind) for kind, key in keys.items()})


def holds_parquet(path: Path) -> bool:
    """Return whether a folder has Parquet files in it, however deep."""
    return path.is_dir() and any(map(_is_part, _local_files(path)))


def read_parquet(source: Source) -> Parquet:
    """Return the table of a Parquet file, or of all those below a folder or an address.

    They come in the order of their paths, numbers in these counted as numbers; files and folders whose names begin with
    "_" or "." are left out. Raises FileError where one can't be read, where pyarrow is not there and for a table format
    whose files may hold rows that were deleted, and InputError for files whose columns differ.
    """
    several = bool(source.url) or source.path.is_dir()
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        what = "a folder of Parquet files" if several else "a Parquet file"
        raise FileError(f"{source.name} is {what}: to read it, python -m pip install pyarrow") from error
    filesystem, paths = _files_of(source)
    if not paths:
        raise FileError(f"{source.name}: expected a folder with files that end in {_ENDING}")
    found = [_look_at(name, path, filesystem) for name, path in paths.items()]
    filled = [one for one in found if one[0].n_rows] or found[:1]  # what wrote an empty file may not know its types
    first, names, types = filled[0]
    for part, _, others in filled[1:]:
        _refuse_other_columns(first, types, part, others)
    return Parquet(source.name, names, [part for part, _, _ in filled], filesystem)


@contextmanager
def _refusing(name: str) -> Iterator[None]:
    from pyarrow import ArrowException

    try:
        yield
    except (ArrowException, OSError, ValueError) as error:
        raise FileError(f"{name} can't be read as Parquet: {_in_a_line(error)}") from error


def _in_a_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


@contextmanager
def _opened(path: str, filesystem: Any) -> Iterator[Any]:
    from pyarrow.parquet import ParquetFile

    with ParquetFile(path, filesystem=filesystem, buffer_size=_READ_BYTES, pre_buffer=False) as file:
        yield file


def _look_at(name: str, path: str, filesystem: Any) -> tuple[ParquetPart, list[str], dict[str, str]]:
    """Return a file, the names of its columns, and their types, whatever the program that wrote it calls these."""
    with _refusing(name), _opened(path, filesystem) as file:
        told = file.metadata
        groups = tuple(told.row_group(i).num_rows for i in range(told.num_row_groups))
        columns = [file.schema.column(i) for i in range(told.num_columns)]
        types = {column.path: (column.logical_type.type, column.physical_type) for column in columns}
        shown = {path: (stored if meant == "NONE" else meant).lower() for path, (meant, stored) in types.items()}
        return ParquetPart(name, path, groups), list(map(str, file.schema_arrow.names)), shown


def _refuse_other_columns(first: ParquetPart, types: dict[str, str], part: ParquetPart, others: dict[str, str]) -> None:
    for column in [*types, *others]:
        one, other = types.get(column), others.get(column)
        if one != other:
            told = [f"{column} ({kind})" if kind else f"no column {column}" for kind in (other, one)]
            raise InputError(
                f"{part.name} has {told[0]}, {first.name} has {told[1]}: expected files with the same columns"
            )


def _files_of(source: Source) -> tuple[Any, dict[str, str]]:
    """Return the filesystem and the paths of the files that a source stands for, by their names for messages."""
    if not source.url and not source.path.is_dir():
        return None, {source.name: str(source.path)}
    name = source.name if source.url else source.path.resolve().name
    filesystem, below = _remote_files(source) if source.url else (None, _local_files(source.path))
    if set(below) == {""}:
        return filesystem, {name: below[""]}
    if any(map(_OF_LAKES.match, below)):
        raise FileError(
            f"{name} is a data lake's table, with rows that no longer count: export it as plain Parquet files"
        )
    return filesystem, {f"{name}/{file}": below[file] for file in sorted(filter(_is_part, below), key=_in_order)}


def _local_files(folder: Path) -> dict[str, str]:
    """Return all files below a folder by their paths from there."""
    files = (Path(place, name) for place, _, names in os.walk(folder) for name in names)
    return {file.relative_to(folder).as_posix(): str(file) for file in files}


def _remote_files(source: Source) -> tuple[Any, dict[str, str]]:
    """Return the filesystem of an address and all files below it by their paths from there, "" for the address."""
    from pyarrow.fs import FileSelector, FileSystem, FileType

    with _refusing(source.name):
        filesystem, base = FileSystem.from_uri(source.url)
        found = [info := filesystem.get_file_info(base)]
        if info.type == FileType.Directory:
            found = filesystem.get_file_info(FileSelector(base, recursive=True))
    files = [one for one in found if one.type == FileType.File]
    return filesystem, {one.path.removeprefix(base.rstrip("/")).lstrip("/"): one.path for one in files}


def _is_part(path: str) -> bool:
    return path.lower().endswith(_ENDING) and all(name[0] not in "._" for name in path.split("/"))


def _in_order(name: str) -> list[tuple[int, str]]:
    """Return what sorts part-2 before part-10."""
    pieces = re.split(r"([0-9]+)", name)
    return [(int(piece), piece) if i % 2 else (0, piece) for i, piece in enumerate(pieces)]


def _values(array: Any, kind: str) -> Any:
    """Return a column as texts, looking at each distinct value once; whole numbers of times as int64."""
    from pyarrow import ArrowNotImplementedError, int64, types

    if types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if kind == "timestamp" and types.is_signed_integer(array.type) and not array.null_count:
        return array.cast(int64()).to_numpy()
    try:
        encoded = array.dictionary_encode(null_encoding="encode")
    except ArrowNotImplementedError:  # lists
        return texts_of([plain(value) for value in array.to_pylist()])
    texts = texts_of([plain(value) for value in encoded.dictionary.to_pylist()])
    rows = encoded.indices.to_numpy()
    if kind in Movie._fields:  # which have other rules than ids and ratings
        return texts[rows]
    again, distinct = pd.factorize(texts)  # a null and a NaN are both blank
    return pd.Categorical.from_codes(again[rows], pd.Index(distinct, dtype=object))
