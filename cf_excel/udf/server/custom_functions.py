"""The functions as xlwings-server calls them: what its package custom_functions imports.

Arguments come as Office.js sends them: an empty cell as 0 or null, an error as an object with its name. Results go back
through xlwings, which turns texts such as #N/A into real error values where Excel takes them.
"""

import sys
from collections.abc import Callable

# xlwings looks for this module of the browser's Python at every argument, and a search that fails takes a millisecond
sys.modules.setdefault("pyodide", None)  # type: ignore[arg-type]  # typeshed knows no None, which stands for no module

from xlwings import server  # noqa: E402

from cf_excel.errors import CfExcelError  # noqa: E402
from cf_excel.udf.descriptions import ARGUMENTS, as_function, signatures  # noqa: E402
from cf_excel.udf.functions import Functions  # noqa: E402
from cf_excel.udf.values import Value, as_cells, is_blank, is_range  # noqa: E402

_functions = Functions()


def _decorated(name: str) -> Callable[..., Value]:
    method, signature = getattr(_functions, name), signatures()[name]

    def answer(*args: Value) -> Value:
        named = zip(signature.parameters, args, strict=False)
        return method(*(_read(value, _zero_is_blank(argument, value)) for argument, value in named))

    function = as_function(name, answer)
    function.__module__ = __name__
    for argument in signature.parameters:
        function = server.arg(argument, "raw", doc=ARGUMENTS[argument])(function)
    return server.func(function)


def _zero_is_blank(argument: str, value: Value) -> bool:
    """Say whether a 0 can only be an empty cell: an id that the model lacks, or a rating below all ratings.

    In a table of ratings it is one where no other cell is empty and no number is below it.
    """
    if argument == "table":
        numbers = [cell for cell in as_cells(value).flat if type(cell) in (int, float)]
        return len(numbers) > 0 and min(numbers) == 0 and not any(map(is_blank, as_cells(value).flat))
    try:
        factors = _functions.load().factors
    except CfExcelError:
        return False
    if argument in ("ratings", "actual"):
        return factors.rating_range[0] > 0
    if argument in ("user", "users", "movie", "movies"):
        rows = _functions.load().user_rows if argument.startswith("user") else _functions.load().movie_rows
        return int(rows(0)) < 0
    return False


def _read(value: Value, zero_is_blank: bool) -> Value:
    """Return a value as the functions want it."""
    if is_range(value):
        return [_read(item, zero_is_blank) for item in value]
    if isinstance(value, dict):
        return value.get("basicValue")
    if zero_is_blank and type(value) in (int, float) and value == 0:
        return None
    return value


globals().update({name: _decorated(name) for name in signatures()})
