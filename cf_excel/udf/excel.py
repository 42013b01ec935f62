"""The functions as Excel on Windows calls them, through xlwings; the UDF module of the workbook's xlwings.conf.

Values travel raw: rows of cells as COM has them, with blanks as None and errors as numbers, and whole ranges at once.
An unexpected exception arrives as its text in the cell.
"""

from collections.abc import Callable

import xlwings

from cf_excel.udf.descriptions import ARGUMENTS, CATEGORY, as_function, signatures
from cf_excel.udf.functions import Functions
from cf_excel.udf.values import Value, is_range

_functions = Functions()


def _decorated(name: str) -> Callable[..., Value]:
    """Return a function of the module with xlwings' decorators, the signature and the help of ours."""
    method = getattr(_functions, name)

    def rows(*args: Value) -> Value:
        result = method(*args)
        return result if is_range(result) else [[result]]  # the COM server wants rows, and gives one cell as one value

    function = as_function(name, rows)
    for argument in signatures()[name].parameters:
        function = xlwings.arg(argument, "raw", doc=ARGUMENTS[argument])(function)
    return xlwings.func(category=CATEGORY)(xlwings.ret("raw")(function))  # outermost: the others reset the category


globals().update({name: _decorated(name) for name in signatures()})
