"""The functions as Excel on Windows calls them, through xlwings; the UDF module of the workbook's xlwings.conf.

Values travel raw: rows of cells as COM has them, with blanks as None and errors as numbers, and whole ranges at once.
An unexpected exception arrives as its text in the cell.
"""

from collections.abc import Callable

import xlwings

from cf_excel.udf.functions import ARGUMENTS, Functions, help_of, signatures
from cf_excel.udf.values import Rows, Value, is_range

CATEGORY = "cf_excel"
_functions = Functions()


def _decorated(name: str) -> Callable[..., Rows]:
    """Return a function of the module with xlwings' decorators, the signature and the help of ours."""
    method = getattr(_functions, name)

    def function(*args: Value) -> Rows:
        result = method(*args)
        return result if is_range(result) else [[result]]  # the COM server wants rows, and gives one cell as one value

    function.__name__ = function.__qualname__ = name
    function.__doc__ = help_of(name)
    function.__annotations__ = {}
    function.__signature__ = signature = signatures()[name]
    for argument in signature.parameters:
        function = xlwings.arg(argument, "raw", doc=ARGUMENTS[argument])(function)
    return xlwings.func(xlwings.ret("raw")(function), category=CATEGORY)  # outermost: the others reset the category


globals().update({name: _decorated(name) for name in signatures()})
