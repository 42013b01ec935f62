"""Calculate formulas from their trees: the functions that a prediction is written with, on numbers and on more.

What stands for a number may be an array of numbers, for many cells that have one formula, or something that computes
otherwise: a Symbolic one.
"""

import math
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np

from cf_excel.xlsx.formula_tree import Call, Constant, ErrorValue, Ref, Tree

Area = list[list[Any]]  # the values of a rectangle, row by row


class NotCalculated(Exception):
    """A formula has what is not known here."""


class Symbolic:
    """Something that stands for a number in a formula."""

    def through(self, *others: Any) -> "Symbolic":
        """Return what a function makes of this and others. Raises NotCalculated where that can't be told."""
        raise NotCalculated


class _Failed(Exception):
    def __init__(self, error: ErrorValue) -> None:
        self.error = error


def calculate(tree: Tree, values: Sequence[Any]) -> Any:
    """Return what a formula gives, an ErrorValue for an error; values: of its references, Areas for rectangles.

    Raises NotCalculated.
    """
    try:
        return _one(_value(tree, values))
    except _Failed as failed:
        return failed.error


def _value(tree: Tree, values: Sequence[Any]) -> Any:
    if isinstance(tree, Constant):
        return tree.value
    if isinstance(tree, Ref):
        return values[tree.number]
    if tree.name in _LAZY:
        return _LAZY[tree.name](tree, values)
    if tree.name not in _FUNCTIONS:
        raise NotCalculated
    return _FUNCTIONS[tree.name](*(_value(argument, values) for argument in tree.arguments))


def _one(value: Any) -> Any:
    """Return the value of an area of one cell, and any other as it is."""
    if isinstance(value, list):
        if len(value) != 1 or len(value[0]) != 1:
            raise NotCalculated
        return value[0][0]
    return value


def _number(value: Any) -> Any:
    """Return what a function takes a value for that wants a number."""
    if value is None:
        return 0.0
    if isinstance(value, ErrorValue):
        raise _Failed(value)
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            raise _Failed(ErrorValue("#VALUE!")) from None
    return float(value) if isinstance(value, bool) else value


def _if(tree: Call, values: Sequence[Any]) -> Any:
    asked = _number(_one(_value(tree.arguments[0], values)))
    branches = [*tree.arguments[1:], Constant(False)][:2]
    if isinstance(asked, (np.ndarray, Symbolic)):
        yes, no = (_number(_one(_value(branch, values))) for branch in branches)
        return asked.through(yes, no) if isinstance(asked, Symbolic) else np.where(asked, yes, no)
    chosen = _value(branches[0] if asked else branches[1], values)
    return 0.0 if chosen is None else chosen


def _otherwise(tree: Call, values: Sequence[Any]) -> Any:
    try:
        value = _value(tree.arguments[0], values)
        if not isinstance(value, ErrorValue):
            return value
    except _Failed:
        pass
    return _value(tree.arguments[1], values)


def _tells(test: Callable[[Any], bool]) -> Callable[[Call, Sequence[Any]], bool]:
    """Return a function that tells something about one value, which may be an error."""

    def told(tree: Call, values: Sequence[Any]) -> bool:
        return test(calculate(tree.arguments[0], values))

    return told


def _is_number(value: Any) -> bool:
    return isinstance(value, (float, np.ndarray, Symbolic))


_LAZY: dict[str, Callable[[Call, Sequence[Any]], Any]] = {
    "IF": _if,
    "IFERROR": _otherwise,
    "IFNA": _otherwise,
    "ISBLANK": _tells(lambda value: value is None),
    "ISNUMBER": _tells(_is_number),
    "ISTEXT": _tells(lambda value: isinstance(value, str) and not isinstance(value, ErrorValue)),
    "ISNONTEXT": _tells(lambda value: not isinstance(value, str) or isinstance(value, ErrorValue)),
    "ISERROR": _tells(lambda value: isinstance(value, ErrorValue)),
    "ISNA": _tells(lambda value: value == "#N/A" and isinstance(value, ErrorValue)),
}


def _each(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of areas, cell by cell, from one of numbers."""

    def of_all(*values: Any) -> Any:
        areas = [value for value in values if isinstance(value, list)]
        if not areas:
            return function(*map(_number, values))
        n_rows, n_columns = max(len(area) for area in areas), max(len(area[0]) for area in areas)

        def at(value: Any, row: int, column: int) -> Any:
            if not isinstance(value, list):
                return value
            row, column = min(row, len(value) - 1), min(column, len(value[0]) - 1)
            return value[row][column]

        if any(len(area) not in (1, n_rows) or len(area[0]) not in (1, n_columns) for area in areas):
            raise NotCalculated
        return [
            [function(*(_number(at(value, row, column)) for value in values)) for column in range(n_columns)]
            for row in range(n_rows)
        ]

    return of_all


def _changes(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that also takes Symbolic numbers, from one of plain numbers and arrays."""

    def of_any(*values: Any) -> Any:
        symbolic = [value for value in values if isinstance(value, Symbolic)]
        if symbolic:
            return symbolic[0].through(*(value for value in values if value is not symbolic[0]))
        with np.errstate(all="ignore"):
            result = function(*values)
        if isinstance(result, np.ndarray) and result.ndim:
            return result
        if not math.isfinite(result):
            raise _Failed(ErrorValue("#NUM!"))
        return bool(result) if isinstance(result, (bool, np.bool_)) else float(result)

    return of_any


def _divided(first: Any, second: Any) -> Any:
    if isinstance(second, float) and not second:
        raise _Failed(ErrorValue("#DIV/0!"))
    return first / second


def _rounded(value: Any, digits: Any = 0.0, how: Callable[[Any], Any] = lambda size: np.floor(size + 0.5)) -> Any:
    """Round as Excel does, halves away from 0, and a number that is whole or a half but for its last bits as such."""
    scale = 10.0**digits
    size = np.abs(value) * scale
    near = np.rint(size * 2) / 2
    size = np.where(np.abs(size - near) <= size * 2.0**-50, near, size)
    return np.copysign(how(size), value) / scale


def _compared(sign: str) -> Callable[[Any, Any], Any]:
    test = {"=": np.equal, "<>": np.not_equal, "<": np.less, ">": np.greater, "<=": np.less_equal,
            ">=": np.greater_equal}[sign]  # fmt: skip

    def compare(first: Any, second: Any) -> Any:
        first, second = _one(first), _one(second)
        for value in (first, second):
            if isinstance(value, ErrorValue):
                raise _Failed(value)
        if isinstance(first, (Symbolic, np.ndarray)) or isinstance(second, (Symbolic, np.ndarray)):
            return _changes(test)(_number(first), _number(second))
        ranks = [_rank(value, other) for value, other in ((first, second), (second, first))]
        return bool(test((ranks[0] > ranks[1]) - (ranks[0] < ranks[1]), 0))

    return compare


def _rank(value: Any, other: Any) -> tuple[int, Any]:
    """Return what values are sorted by: numbers, then texts, then truth values; a blank is what it is compared with."""
    if value is None:
        value = "" if isinstance(other, str) else False if isinstance(other, bool) else 0.0
    kind = 2 if isinstance(value, bool) else 1 if isinstance(value, str) else 0
    return kind, value.lower() if isinstance(value, str) else value


def _cells(values: tuple[Any, ...]) -> list[Any]:
    """Return the cells of areas and other values; of areas, only numbers count."""
    found = []
    for value in values:
        if isinstance(value, list):
            found += [one for row in value for one in row if _is_number(one) or isinstance(one, ErrorValue)]
        else:
            found.append(value)
    return [_number(value) for value in found]


def _sum(*values: Any) -> Any:
    return reduce(lambda total, value: total + value, _cells(values), 0.0)


def _sumproduct(*areas: Any) -> Any:
    if len({(len(area), len(area[0])) for area in map(_area, areas)}) > 1:
        raise _Failed(ErrorValue("#VALUE!"))
    return _sum(reduce(_each(lambda first, second: first * second), areas))


def _area(value: Any) -> Area:
    return value if isinstance(value, list) else [[value]]


def _mmult(first: Any, second: Any) -> Area:
    first, second = _area(first), _area(second)
    if len(first[0]) != len(second):
        raise _Failed(ErrorValue("#VALUE!"))
    return [
        [reduce(lambda total, k: total + _number(row[k]) * _number(second[k][column]), range(len(second)), 0.0)
         for column in range(len(second[0]))] for row in first
    ]  # fmt: skip


def _index(area: Any, row: Any, column: Any = None) -> Any:
    area, row, column = _area(area), int(_number(row)), int(_number(column))
    if len(area) == 1 and column == 0:
        row, column = 1, row
    row, column = row or 1, column or 1
    if row > len(area) or column > len(area[0]):
        raise _Failed(ErrorValue("#REF!"))
    return area[row - 1][column - 1]


def _count(*values: Any) -> float:
    cells = [one for value in values for row in _area(value) for one in row]
    return float(sum(_is_number(one) for one in cells))


def _na() -> None:
    raise _Failed(ErrorValue("#N/A"))


def _all_of(test: Callable[[list[Any]], bool]) -> Callable[..., bool]:
    return lambda *values: test([_number(_one(value)) for value in values])


def _among(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *values: _changes(lambda *numbers: reduce(function, numbers))(*_cells(values))


def _median(*values: Any) -> Any:
    return _changes(lambda *numbers: np.median(np.broadcast_arrays(*numbers), axis=0))(*_cells(values))


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "+": _each(lambda first, second: first + second),
    "-": _each(lambda first, second: first - second),
    "*": _each(lambda first, second: first * second),
    "/": _each(lambda first, second: _changes(_divided)(first, second)),
    "^": _each(_changes(lambda first, second: first**second)),
    "neg": _each(lambda value: -value),
    "%": _each(lambda value: value * 0.01),
    "&": lambda first, second: "".join(_text(_one(value)) for value in (first, second)),
    **{sign: _compared(sign) for sign in ("=", "<>", "<", ">", "<=", ">=")},
    "SUM": _sum,
    "SUMPRODUCT": _sumproduct,
    "MMULT": _mmult,
    "TRANSPOSE": lambda area: [list(column) for column in zip(*_area(area), strict=True)],
    "INDEX": _index,
    "ROUND": _each(_changes(_rounded)),
    "ROUNDUP": _each(_changes(lambda value, digits=0.0: _rounded(value, digits, np.ceil))),
    "ROUNDDOWN": _each(_changes(lambda value, digits=0.0: _rounded(value, digits, np.floor))),
    "INT": _each(_changes(np.floor)),
    "MIN": _among(np.minimum),
    "MAX": _among(np.maximum),
    "MEDIAN": _median,
    "ABS": _each(_changes(np.abs)),
    "EXP": _each(_changes(np.exp)),
    "TANH": _each(_changes(np.tanh)),
    "AND": _all_of(all),
    "OR": _all_of(any),
    "NOT": lambda value: not _number(_one(value)),
    "NA": _na,
    "N": lambda value: value if _is_number(value := _one(value)) else float(value is True),
    "LEN": lambda value: float(len(_text(_one(value)))),
    "TRIM": lambda value: _text(_one(value)).strip(),
    "COUNT": _count,
    "COUNTA": lambda *values: float(sum(one is not None for value in values for row in _area(value) for one in row)),
    "COUNTBLANK": lambda value: float(sum(one in (None, "") for row in _area(value) for one in row)),
}


def _text(value: Any) -> str:
    if isinstance(value, (np.ndarray, Symbolic)):
        raise NotCalculated
    if isinstance(value, ErrorValue):
        raise _Failed(value)
    if isinstance(value, bool):
        return str(value).upper()
    return "" if value is None else f"{value:.15g}" if isinstance(value, float) else value
