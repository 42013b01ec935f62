"""Read features of users or movies from a table: numbers, categories and lists become blocks."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

from cf_excel.errors import FileError, InputError
from cf_excel.files import check_source
from cf_excel.learn.bayes.features import FeatureBlock, Precision, from_lists
from cf_excel.ratings.columns import TextTable, look_at
from cf_excel.ratings.file_kinds import shorten
from cf_excel.ratings.sources import Source
from cf_excel.ratings.table import canonical_id

COLUMN: Precision = (40.0, 40.0)


def read_blocks(path: Path, ids: np.ndarray, kind: str) -> tuple[list[FeatureBlock], list[str]]:
    """Return a block for every column of a table that tells rows apart, and the names of the columns that don't.

    The first line holds the names, the first column the ids; kind is "user" or "movie", for messages. A column is of
    numbers (scaled to mean 0 and standard deviation 1), of lists ("a|b", items weigh 1 / sqrt(length)) or of
    categories. A blank, or a row that is not there, says nothing. Values that come once are left out: they tell
    nothing about anyone else. Raises FileError for a file that can't be read, and InputError for a blank id or one
    that comes twice, a row that is too long, and a table with none of the ids.
    """
    check_source(path)
    if not path.is_file():
        raise FileError(f"{path}: there is no such file; expected a table of {kind}s and their features")
    header, rows = look_at(Source(path), always_header=True).read_with(lambda table: _read(table, kind))
    row_of = {identity: row for row, identity in enumerate(ids.tolist())}
    if ids.dtype != np.int64:
        rows = {str(identity): cells for identity, cells in rows.items()}
    known = {row_of[identity]: cells for identity, cells in rows.items() if identity in row_of}
    if not known:
        first = next(iter(rows), "none")
        raise InputError(f"{path.name}: none of its {len(rows):,} {kind} ids is in the ratings (the first: {first!r})")
    blocks, dull = [], []
    for column, name in enumerate(header):
        cells = [""] * len(ids)
        for row, values in known.items():
            cells[row] = values[column].strip()
        matrix = _matrix(cells)
        if matrix.shape[1]:
            blocks.append(FeatureBlock(f"{kind} {name}", matrix, COLUMN))
        else:
            dull.append(name)
    return blocks, dull


def _read(table: TextTable, kind: str) -> tuple[list[str], dict[int | str, list[str]]]:
    n, rows = table.n_columns, {}
    if n < 2:
        raise InputError(f"{table.name} has one column: expected the {kind}'s id, then features")
    for line, cells in table.records():
        if len(cells) > n and any(cells[n:]):
            raise InputError(f"{table.name} line {line}: {len(cells)} cells, expected {n} (a text to quote?)")
        if not cells[0].strip():
            raise InputError(f"{table.name} line {line}: the {kind}'s id is blank")
        identity = canonical_id(cells[0])
        if identity in rows:
            raise InputError(f"{table.name} line {line}: {kind} {shorten(str(identity))} comes twice, expected one row")
        rows[identity] = [*cells[1:n], *[""] * (n - len(cells))]
    return table.first_record[1:], rows


def _matrix(cells: Sequence[str]) -> csr_array:
    """Return the features (n_rows, n_features) of a column: none where it tells no rows apart."""
    numbers = _numbers(cells)
    if numbers is not None:
        return _standardised(numbers)
    if any("|" in cell for cell in cells):
        lists = [[item.strip() for item in cell.split("|") if item.strip()] for cell in cells]
    else:
        lists = [[cell] if cell else [] for cell in cells]
    counts = Counter(item for items in lists for item in set(items))
    return from_lists([[item for item in items if counts[item] > 1] for items in lists])


def _numbers(cells: Sequence[str]) -> np.ndarray | None:
    """Return the cells as numbers, NaN for blanks; None where one is no finite number."""
    try:
        numbers = np.array([float(cell) if cell else np.nan for cell in cells])
    except ValueError:
        return None
    return None if np.isinf(numbers).any() else numbers


def _standardised(numbers: np.ndarray) -> csr_array:
    known = np.flatnonzero(~np.isnan(numbers))
    spread = numbers[known].std() if len(known) else 0.0
    if not 0 < spread < np.inf:
        return csr_array((len(numbers), 0), dtype=np.float32)
    values = ((numbers[known] - numbers[known].mean()) / spread).astype(np.float32)
    return csr_array((values, (known, np.zeros(len(known), np.int32))), (len(numbers), 1))
