"""Read pairs of users and movies whose ratings are to be predicted, from tables of every form that ratings have."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cf_excel.errors import InputError
from cf_excel.ratings.column_names import find_columns
from cf_excel.ratings.columns import TextTable
from cf_excel.ratings.rating_rows import RatingsTable
from cf_excel.ratings.readers import find_rows
from cf_excel.ratings.reading import Reading
from cf_excel.ratings.sources import list_sources

# as a number is written plainly: 007, 1E5 and 16 digits are texts
_WHOLE, _NUMBER = re.compile(r"-?(0|[1-9]\d{0,14})"), re.compile(r"-?(0|[1-9]\d{0,14})(\.\d+)?(e[-+]\d{2,3})?")

_LONGEST_HEADER = 200  # of an Excel table: 255


@dataclass(frozen=True, eq=False)
class Pairs:
    """Users and movies (n,), texts as a file has them, "" for a blank; own: headers and values of its other columns.

    Of these, a column of plain numbers holds numbers: float64 with NaN for a blank, or whole ones as objects, None for
    a blank as in columns of texts.
    """

    users: np.ndarray
    movies: np.ndarray
    own: list[tuple[str, np.ndarray]]

    def __len__(self) -> int:
        return len(self.users)


def read_pairs(path: Path, how: Reading) -> Pairs:
    """Read a table of users and movies. how: where it is; its wanted columns are user and movie.

    Raises FileError for a file that can't be read and InputError for what is in it, as load_ratings does.
    """
    sources = list_sources(path)
    if len(sources) != 1:
        found = ", ".join(source.name for source in sources[:6]) or "nothing"
        raise InputError(f"{path}: expected a single table of pairs (found: {found})")
    table = find_rows(sources[0], how)
    column = find_columns(table, how.wanted, (), how.names)
    others = {f"own {i}": i for i in range(table.n_columns) if i not in column.values()}
    columns = column | others
    if isinstance(table, TextTable):
        rows = table.read_with(lambda table: _read(table, columns))
    else:
        rows = _read(table, columns)
    if not len(rows):
        raise InputError(f"{table.name} has a header but no pairs")
    own = []
    for name, i in others.items():
        header = " ".join(table.first_record[i].split())[:_LONGEST_HEADER] if table.has_header else ""
        if header or (rows[name] != "").any():
            own.append((header or f"column {i + 1}", _typed(rows[name])))
    return Pairs(rows["user"].to_numpy(object), rows["movie"].to_numpy(object), own)


def _read(table: RatingsTable, column: dict[str, int]) -> pd.DataFrame:
    """Return the rows that are not blank, all as texts."""
    pieces, n_before = [], 0
    for chunk in table.chunks(column):
        if "wide" in chunk and (chunk["wide"].str.strip() != "").any():
            row = n_before + int(np.argmax(chunk["wide"].str.strip() != ""))
            raise InputError(
                f"{table.name} {table.places([row])[0]}: more than the header's {table.n_columns} cells "
                "(a comma to quote?)"
            )
        n_before += len(chunk)
        texts = chunk[list(column)].apply(lambda column: column.str.strip())
        pieces.append(texts[(texts != "").any(axis=1)])
    return pd.concat(pieces, ignore_index=True) if pieces else pd.DataFrame(columns=list(column))


def _typed(texts: pd.Series) -> np.ndarray:
    """Return a column as numbers where all that is in it are, else as texts; None or NaN for blanks."""
    filled = [text for text in texts.unique().tolist() if text]
    if filled and all(map(_WHOLE.fullmatch, filled)):
        return np.array([int(text) if text else None for text in texts], object)
    if filled and all(map(_NUMBER.fullmatch, filled)):
        return np.array([float(text) if text else np.nan for text in texts])
    return np.array([text or None for text in texts], object)
