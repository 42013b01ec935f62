"""What hosts show of the functions, and how they call them: signatures, help, and what each argument is."""

import inspect
from collections.abc import Callable

from cf_excel.udf.functions import Functions
from cf_excel.udf.values import Value

CATEGORY = "cf_excel"  # of the functions, in Excel's Function Wizard
ARGUMENTS = {
    "user": "Id of a user (customer), or a range of ids",
    "users": "Id of a user (customer), or a column or row of ids",
    "movie": "Id or title of a movie (item), or a range of them",
    "movies": "Id or title of a movie (item), or a range of them",
    "ratings": "Ratings of these movies (items), as many cells",
    "n": "How many (10 unless given)",
    "min_ratings": "Least number of ratings of what is shown (20, or fewer in a small table, unless given)",
    "text": "Words of the title, in any case and order",
    "actual": "Range of ratings",
    "predicted": "Range of predictions, as large",
    "table": "Range of ratings: users down, items across, blank where not rated; with names above and left, or without",
}


def signatures() -> dict[str, inspect.Signature]:
    """Return the signature of every function by its name, without self, in the order of this file."""
    found = {}
    for name, function in vars(Functions).items():
        if name.startswith("CF_"):
            signature = inspect.signature(function)
            found[name] = signature.replace(parameters=list(signature.parameters.values())[1:])
    return found


def help_of(name: str) -> str:
    """Return the help of a function in one line, 255 characters at most."""
    return " ".join(getattr(Functions, name).__doc__.split())


def as_function(name: str, answer: Callable[..., Value]) -> Callable[..., Value]:
    """Return a function that answers calls, with the name, the signature and the help of ours."""

    def function(*args: Value) -> Value:
        return answer(*args)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = help_of(name)
    function.__annotations__ = {}
    vars(function)["__signature__"] = signatures()[name]
    return function
