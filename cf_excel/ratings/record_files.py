"""Read ratings from JSON lines and DataFrames: records with named values, without holding all of them as texts."""

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pandas as pd

from cf_excel.errors import InputError, wrong_type
from cf_excel.ratings.cell_tables import text_of, texts_of
from cf_excel.ratings.columns import CHUNK_ROWS
from cf_excel.ratings.sources import Source

_LINES_FOR_NAMES = 1000
# what messages say of the command line's options, and what is to be done about a DataFrame
_OPTION = re.compile(r"""--(user|movie|item|rating|timestamp)-column (?:"([^"]*)"|([^\s,:)]+))""")
_IN_PYTHON = (
    (", or --form grid where every ", ", or melt() the table where every "),
    (": mend them, or pass --skip-bad", ": mend or drop them"),
    ("--explicit: as ratings", "implicit=False: as ratings"),
    (" (formulas never calculated? save it in Excel once)", ""),
    ("--nouns", "nouns"),
    ("pass --date-format DD/MM/YYYY or MM/DD/YYYY", "read it with pd.to_datetime"),
)


@dataclass(frozen=True)
class JsonLines:
    """A file with a JSON object in each line; first_record: the keys of the first thousand, its columns."""

    source: Source
    first_record: list[str]

    has_header = True
    decimal_comma = False

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def n_columns(self) -> int:
        return len(self.first_record)

    def places(self, rows: list[int]) -> list[str]:
        """Return where rows are, "line 7"."""
        wanted = set(rows)
        lines = {
            row: line for row, (line, _) in enumerate(islice(_records(self.source), max(rows) + 1)) if row in wanted
        }
        return [f"line {lines[row]}" for row in rows]

    def chunks(self, column: dict[str, int]) -> Iterator[pd.DataFrame]:
        """Yield the values of columns, as texts, piece by piece."""
        records = _records(self.source)
        keys = {kind: self.first_record[i] for kind, i in column.items()}
        while piece := [[record.get(key) for key in keys.values()] for _, record in islice(records, CHUNK_ROWS)]:
            columns = zip(*piece, strict=True)
            yield pd.DataFrame(
                {kind: texts_of([plain(x) for x in values]) for kind, values in zip(keys, columns, strict=True)},
                dtype=object,
            )


def read_json_lines(source: Source) -> JsonLines:
    """Return the table of a file of JSON lines. Raises FileError or InputError for what is none."""
    keys: dict[str, None] = {}
    for _, record in islice(_records(source), _LINES_FOR_NAMES):
        keys.update(dict.fromkeys(record))
    return JsonLines(source, list(keys))


def is_json_lines(source: Source) -> bool:
    """Return whether the first line of a file is a JSON object."""
    with source.open() as stream:
        line = stream.readline(2**20).removeprefix(b"\xef\xbb\xbf").strip()
    if not line.startswith(b"{"):
        return False
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


@dataclass(frozen=True)
class FrameRecords:
    """A DataFrame of pandas, read as the records of a file are."""

    frame: pd.DataFrame
    name: str = "the table"

    has_header = True
    decimal_comma = False

    @property
    def first_record(self) -> list[str]:
        return [str(name) for name in self.frame.columns]

    @property
    def n_columns(self) -> int:
        return self.frame.shape[1]

    def places(self, rows: list[int]) -> list[str]:
        """Return where rows are, "row 7", from 1 on whatever the index is."""
        return [f"row {row + 1}" for row in rows]

    def chunks(self, column: dict[str, int]) -> Iterator[pd.DataFrame]:
        """Yield the values of columns, as texts, piece by piece."""
        for start in range(0, len(self.frame), CHUNK_ROWS):
            piece = self.frame.iloc[start : start + CHUNK_ROWS]
            columns = {kind: piece.iloc[:, i].astype(object) for kind, i in column.items()}
            yield pd.DataFrame(
                {
                    kind: texts_of([plain(value) for value in values.where(values.notna(), None)])
                    for kind, values in columns.items()
                },
                dtype=object,
            )


def find_in_frame(
    frame: pd.DataFrame, find: Callable[[FrameRecords], dict[str, int]]
) -> tuple[FrameRecords, dict[str, int]]:
    """Return the columns that are found in a DataFrame or, as in one grouped by user and movie, in its index, too.

    The index stays what it is. Raises what find raises.
    """
    try:
        return FrameRecords(frame), find(FrameRecords(frame))
    except InputError:
        levels = {i: name for i, name in enumerate(frame.index.names) if name is not None}
        if not levels or set(levels.values()) & set(frame.columns):
            raise
    whole = frame.copy(deep=False)
    for i, name in levels.items():
        whole[name] = frame.index.get_level_values(i)
    return FrameRecords(whole), find(FrameRecords(whole))


@contextmanager
def naming_arguments() -> Iterator[None]:
    """Let an InputError about a DataFrame speak as in_python does."""
    try:
        yield
    except InputError as error:
        raise type(error)(in_python(str(error))) from None


def in_python(text: str) -> str:
    """Return a message about a table that names arguments of Python, such as item="product", and no option."""
    text = _OPTION.sub(_argument, text)
    for option, argument in _IN_PYTHON:
        text = text.replace(option, argument)
    return text


def _argument(option: re.Match[str]) -> str:
    return f'{"item" if option[1] == "movie" else option[1]}="{option[2] or option[3]}"'


def as_frame(table: Any) -> pd.DataFrame:
    """Return a table as a DataFrame: pandas', one with to_pandas (polars, pyarrow), or what pd.DataFrame takes.

    Raises InputError for what is no table.
    """
    if isinstance(table, pd.DataFrame):
        return table
    if isinstance(table, str | os.PathLike):
        raise wrong_type(table, "a table, such as a DataFrame; cf_excel.load_ratings(path) reads a file")
    if hasattr(table, "collect"):
        raise wrong_type(table, "a table that is there already: call its collect() first")
    try:
        found = table.to_pandas() if hasattr(table, "to_pandas") else pd.DataFrame(table)
    except ImportError as error:  # polars wants pyarrow for it
        package = error.name or "pyarrow"
        raise InputError(
            f"a {type(table).__name__}: turning it into pandas' needs {package}: python -m pip install {package}"
        ) from error
    except (TypeError, ValueError) as error:
        raise wrong_type(table, f"a table, such as a DataFrame ({error})") from error
    if not isinstance(found, pd.DataFrame):
        raise wrong_type(table, "a table with columns, such as a DataFrame")
    return found


def _records(source: Source) -> Iterator[tuple[int, dict]]:
    with source.open() as stream:
        for number, line in enumerate(stream, 1):
            if line.isspace():
                continue
            try:
                record = json.loads(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line)
            except ValueError as error:
                raise InputError(
                    f"{source.name} line {number}: expected a JSON object in each line ({error})"
                ) from error
            if not isinstance(record, dict):
                raise InputError(f"{source.name} line {number}: expected a JSON object in each line")
            yield number, record


def plain(value: Any) -> Any:
    """Return a value of a record as a cell has it: blank for none, a|b for a list."""
    if value is None or value != value:
        return ""
    if isinstance(value, list):
        return "|".join(text_of(item) for item in value if item is not None)
    return json.dumps(value) if isinstance(value, dict) else value
