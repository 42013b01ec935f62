"""What hosts hand over as arguments: single values and ranges, with blanks and errors in them."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import Any, TypeGuard

import numpy as np

from cf_excel.errors import InputError
from cf_excel.model.lookup import cut, shown

# Excel hands errors over COM as these numbers (the HRESULTs of XlCVError), Office.js and LibreOffice as texts
ERRORS: dict[object, str] = {
    -2146828288 + number: name
    for number, name in {
        **{2000: "#NULL!", 2007: "#DIV/0!", 2015: "#VALUE!", 2023: "#REF!", 2029: "#NAME?", 2036: "#NUM!"},
        **{2042: "#N/A", 2043: "#GETTING_DATA", 2045: "#SPILL!", 2046: "#CONNECT!", 2047: "#BLOCKED!"},
        **{2048: "#UNKNOWN!", 2049: "#FIELD!", 2050: "#CALC!"},
    }.items()
}
_ERROR_CODES = np.sort(np.array(list(ERRORS), float))
_ERROR_NAMES = frozenset(ERRORS.values())
_HINTS = 20  # so many unknown ids of one call are explained with titles that come close; more would take minutes

MOST_ROWS = 1_048_576  # of a sheet
_RANGES = (list, tuple, np.ndarray)

Value = object
Rows = list[list[Value]]


def is_range(value: Value) -> TypeGuard[list[Value] | tuple[Value, ...] | np.ndarray]:
    """Say whether a host handed over a range (rows of values) and not a single value."""
    return isinstance(value, _RANGES)


def as_cells(value: Value) -> np.ndarray:
    """Return a range as an object array (n_rows, n_columns); a single value is 1 x 1, a flat list is one row."""
    if not is_range(value):
        cell = np.empty((1, 1), object)
        cell[0, 0] = value
        return cell
    try:
        cells: np.ndarray = np.array(value, dtype=object)
    except ValueError:  # arrays of several shapes
        cells = np.empty(0, object)
    if cells.ndim == 1 and not any(map(is_range, cells.tolist())):  # rows of unequal length are a list of lists
        cells = cells[None, :]
    if cells.ndim != 2 or not cells.size or any(issubclass(kind, _RANGES) for kind in set(map(type, cells.flat))):
        raise InputError("expected a single value or a rectangle of cells")
    return cells


def as_single(value: Value, what: str) -> Value:
    """Return the one value of a single cell. Raises InputError for a larger range."""
    cells = as_cells(value)
    if cells.size != 1:
        raise InputError(f"expected one {what}, not {cells.shape[0]:,} x {cells.shape[1]:,} cells")
    return cells[0, 0]


def is_blank(value: Value) -> bool:
    """Say whether a value is that of an empty cell."""
    if isinstance(value, str):
        return not value.strip()
    try:
        return value is None or bool(value != value)
    except (TypeError, ArithmeticError):  # pandas' NA, and a NaN that signals, can't be compared
        return True


def error_name(value: Value) -> str | None:
    """Return the name of an error value, #N/A or such, or None where the value is none."""
    if isinstance(value, str):
        return value if value in _ERROR_NAMES else None
    return ERRORS.get(value) if isinstance(value, Real) else None


def as_numbers(value: Value) -> np.ndarray:
    """Return a range as floats, NaN where a cell holds no number, infinity where a number is beyond floats.

    Raises InputError where it holds an error value.
    """
    cells = as_cells(value)
    flat = cells.ravel().tolist()
    for error in filter(None, map(error_name, flat)):
        raise InputError(error)
    return np.array([as_float(value) if _is_number(value) else np.nan for value in flat]).reshape(cells.shape)


def as_float(value: Any) -> float:
    """Return a number, or a text that is one, as a float; NaN for anything else, infinity for what is beyond floats."""
    try:
        return np.nan if isinstance(value, bool) else float(value)
    except OverflowError:
        return np.inf
    except (TypeError, ValueError):
        return np.nan


def as_text(value: Value) -> str:
    """Return a value as a message names it in words of a sheet: 40 characters at most."""
    try:
        return cut(str(value), 40)
    except (ValueError, RecursionError):
        return shown(value)


def is_missing(value: Value) -> bool:
    """Say whether an id is blank. Raises InputError where it is an error value."""
    error = error_name(value)
    if error:
        raise InputError(error)
    return is_blank(value)


def whole_number(value: Value, what: str, least: int) -> int | None:
    """Return a whole number, None where it is blank or missing. Raises InputError for others and under the least."""
    single = as_single(value, what)
    if is_missing(single):
        return None
    number = as_float(single)
    if not (least <= number <= MOST_ROWS and number == int(number)):
        raise InputError(f"{what} {as_text(single)}: expected a whole number from {least} to {MOST_ROWS:,}")
    return int(number)


@dataclass(frozen=True)
class Found:
    """The rows of a range of ids, and what to show instead where there is none.

    rows (n_rows, n_columns): rows of the model, 0 where there is none. notes: of the same shape, None where the row is
    good, "" where the cell is blank, else what is wrong; None where all rows are good. What is wrong is a text and not
    the exception: that holds the frames it came through, they hold this array, and no garbage collector looks into an
    array of objects.
    """

    rows: np.ndarray
    notes: np.ndarray | None


def find_rows(
    value: Value, rows_of: Callable[[np.ndarray], np.ndarray], explain: Callable[[Value, bool], str]
) -> Found:
    """Return the rows of the ids in a range.

    rows_of gives the row of each id, -1 where it is unknown; explain(id, with_hint) says what is wrong with an unknown
    one.
    """
    cells = as_cells(value)
    values = cells.ravel()
    if set(map(type, values)) <= {float, type(None)}:  # nearly every range: numbers and blanks, a million in no time
        numbers = values.astype(float)
        good = np.isfinite(numbers)
        low, high = _ERROR_CODES[[0, -1]]
        if ((low <= numbers) & (numbers <= high)).any():  # hardly ever, and isin takes its time
            good &= ~np.isin(numbers, _ERROR_CODES)
        rows = np.full(len(numbers), -1, np.intp)
        rows[good] = rows_of(numbers[good])
    else:
        rows = _rows_of_each(values.tolist(), rows_of)
    notes: np.ndarray | None = None
    missing = np.flatnonzero(rows < 0)
    if len(missing):
        notes = np.full(len(values), None, object)
        known: dict[Value, str] = {}
        for position in missing.tolist():
            key = _key(values[position])
            if key not in known:
                known[key] = _note(values[position], explain, len(known) < _HINTS)
            notes[position] = known[key]
        rows[missing] = 0
    return Found(rows.reshape(cells.shape), None if notes is None else notes.reshape(cells.shape))


def _rows_of_each(flat: list[Value], rows_of: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Return the row of each value; the same value is looked up once."""
    keys = list(map(_key, flat))
    distinct = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    ids = [key for key in distinct if not isinstance(key, tuple) and not is_blank(key) and error_name(key) is None]
    places = np.array([distinct[key] for key in ids], np.intp)
    rows = np.full(len(distinct), -1, np.intp)
    rows[places] = rows_of(np.array([*ids, None], object)[:-1])
    return rows[[distinct[key] for key in keys]]


def _key(value: Value) -> Value:
    """Return what tells a value from others, TRUE from 1 too; it is a tuple where it can't be an id."""
    kind = type(value)
    if kind in (float, str, int) or value is None:
        return value
    if isinstance(value, str):
        return str(value)
    number = _plain(value) if _is_number(value) else None
    # beyond floats, numbers that differ become one infinity
    is_id = number is not None and (abs(number) != np.inf or isinstance(value, (float, np.floating)))
    return number if is_id else (kind, shown(value))


def _plain(value: float | Decimal) -> int | float:
    """Return a number of numpy and the like as one of Python's, a whole one as an int: floats lose digits of ids."""
    number = as_float(value)
    return int(value) if abs(number) < 2**64 and int(value) == value else number


def _is_number(value: Value) -> TypeGuard[float | Decimal]:
    return isinstance(value, (Real, Decimal)) and not isinstance(value, bool)


def _note(value: Value, explain: Callable[[Value, bool], str], with_hint: bool) -> str:
    if is_blank(value):
        return ""
    error = error_name(value)
    if error:
        return error
    if isinstance(_key(value), tuple) and not _is_number(value):
        return f"{as_text(value).upper()} is no id"
    return explain(value, with_hint)
