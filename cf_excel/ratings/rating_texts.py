"""The texts of ratings: numbers, in every way of writing them, and what means that there is none."""

import re
from collections.abc import Callable
from math import isfinite

from cf_excel.errors import InputError
from cf_excel.ratings.file_kinds import shorten
from cf_excel.ratings.reading import LARGEST_RATING
from cf_excel.ratings.totals import is_no_answer

_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2},\d{3}")
_TRUTH = {"true": 1.0, "false": 0.0}  # as of likes


def is_blank(text: str) -> bool:
    """Return whether there is nothing, or only white space."""
    return not text or text.isspace()


def means_not_rated(values: tuple[str, ...], decimal_comma: bool | None) -> Callable[[str], bool]:
    """Return whether the text of a rating means that there is none: a blank, "n/a", or what --not-rated names."""
    texts = {value.strip().casefold() for value in values}
    numbers = {number for value in values if (number := as_number(value, decimal_comma)) is not None}

    def is_none(text: str) -> bool:
        if is_blank(text) or is_no_answer(text):
            return True
        return bool(texts) and (text.strip().casefold() in texts or as_number(text, decimal_comma) in numbers)

    return is_none


def as_number(text: str, decimal_comma: bool | None) -> float | None:
    """Return the finite number that a text is, None where it is none.

    decimal_comma: whether a comma stands for the point; None where it may, or part thousands: 1,000 is none.
    """
    if decimal_comma is None and _THOUSANDS.fullmatch(text.strip()):
        return None
    try:
        value = float(text if decimal_comma is False else text.replace(",", "."))
    except ValueError:
        return None
    return value if isfinite(value) and "_" not in text else None


def as_rating(text: str, decimal_comma: bool | None, rating_range: tuple[float, float] | None) -> float:
    """Return the rating that a text is. Raises InputError for one that is none, or is out of the range."""
    value = _TRUTH.get(text.casefold())
    value = as_number(text, decimal_comma) if value is None else value
    if value is None:
        raise InputError(f"rating {shorten(text)}: expected a number")
    low, high = rating_range or (-LARGEST_RATING, LARGEST_RATING)
    if not low <= value <= high:
        raise InputError(f"rating {shorten(text)}: expected {low:,.10g} to {high:,.10g}")
    return value
