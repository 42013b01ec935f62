"""Write answers as a file of the kind that its name says."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from cf_excel.errors import FileError, InputError
from cf_excel.files import replacing
from cf_excel.model.factor_tables import column_names
from cf_excel.sheets.answers.answer_table import SCORES, AnswerTable
from cf_excel.xlsx.cells import MAX_ROWS

ENDINGS = (".xlsx", ".csv", ".parquet", ".json")
_LONGEST_ROW = 2**20  # characters


def check_kind(path: Path) -> None:
    """Raise InputError for a name that says no kind of file, and FileError where pyarrow is missing for Parquet."""
    if path.suffix.lower() not in ENDINGS:
        raise InputError(f"--out {path}: expected a name that ends in .xlsx, .csv, .parquet or .json")
    if path.suffix.lower() == ".parquet":
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError as error:
            raise FileError(f"{path} is a Parquet file: to write it, python -m pip install pyarrow") from error


def check_rows(path: Path, n_rows: int) -> None:
    """Raise InputError for more rows than a sheet has below its header, where the file is a workbook."""
    if path.suffix.lower() == ".xlsx" and n_rows >= MAX_ROWS:
        raise InputError(
            f"{path}: {n_rows:,} rows are more than the {MAX_ROWS - 1:,} that a sheet has below its header: "
            f"write {path.stem}.csv or {path.stem}.parquet"
        )


def is_answers(path: Path) -> bool:
    """Say whether a .csv, .parquet or .json file has the columns of answers; another table is somebody's own.

    Scores of pairs, by a model of picks, can't be told from a table of somebody's own scores, and count as one.
    """
    names = _first_names(path) if path.suffix.lower() == ".json" else column_names(path)
    names = [name.replace("_", " ") for name in names]
    ranked = "rank" in names[1:3] and names[-2] in {name.replace("_", " ") for name in SCORES}
    return ranked or names[2:3] == ["prediction"] or names[2:4] == ["title", "prediction"]


def _first_names(path: Path) -> list[str]:
    """Return the names in the first object of what print_json wrote; none where it is another kind of file."""
    try:
        with path.open(encoding="utf-8") as stream:
            opened, row = stream.readline(_LONGEST_ROW), stream.readline(_LONGEST_ROW)
        return list(json.loads(row.rstrip(",\n"))) if opened == "[\n" and row.startswith("{") else []
    except (ValueError, OSError):
        return []


def write_answers(path: Path, table: AnswerTable) -> None:
    """Write answers, whole or not at all. Raises InputError and FileError as check_kind and check_rows do."""
    check_kind(path)
    check_rows(path, len(table))
    ending = path.suffix.lower()
    if ending == ".xlsx":
        from cf_excel.sheets.answers.answer_book import write_book

        write_book(path, table)
        return
    with replacing(path) as temporary:
        if ending == ".parquet":
            _write_parquet(temporary, table)
        elif ending == ".json":
            with temporary.open("w", encoding="utf-8") as stream:
                print_json(stream, table)
        else:
            # with the mark by which Excel knows UTF-8; half a character, as JSON may hold, becomes a question mark
            with temporary.open("w", encoding="utf-8-sig", errors="replace", newline="") as stream:
                writer = csv.writer(stream)
                writer.writerow(table.headers)
                for columns in table.pieces():
                    writer.writerows(zip(*columns, strict=True))


def print_json(stream: TextIO, table: AnswerTable) -> None:
    """Write a JSON list with an object a row, each on a line of its own."""
    separator = "[\n"
    for row in _rows(table):
        stream.write(f"{separator}{json.dumps(dict(zip(table.columns, row, strict=True)))}")
        separator = ",\n"
    stream.write("\n]\n")


def _rows(table: AnswerTable) -> Iterator[tuple]:
    for columns in table.pieces():
        yield from zip(*columns, strict=True)


def _write_parquet(path: Path, table: AnswerTable) -> None:
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    kinds = {"whole": pyarrow.int64(), "number": pyarrow.float64(), "text": pyarrow.string(), "mixed": pyarrow.string()}
    schema = pyarrow.schema(list(zip(table.headers, map(kinds.__getitem__, table.kinds.values()), strict=True)))
    with ParquetWriter(path, schema) as writer:
        for piece in table.pieces():
            columns = zip(piece, schema.types, strict=True)
            arrays = [list(map(_text, values)) if kind == pyarrow.string() else values for values, kind in columns]
            writer.write_table(pyarrow.table(arrays, schema=schema))


def _text(value: object) -> str | None:
    """Return a value as Parquet holds texts; ids of which some are texts are all texts there."""
    return None if value is None else str(value).encode(errors="replace").decode()
