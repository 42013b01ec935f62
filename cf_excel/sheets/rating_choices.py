"""Ratings that a dropdown offers, and that a panel starts with."""

import math
from collections.abc import Iterable

_MOST = 11


def rating_choices(low: float, high: float, given: Iterable[float] = ()) -> list[float]:
    """Return ratings from low to high, rising: those that were given where they are known, else round numbers.

    given: the rating values of the data (see ratings.distinct_ratings), nothing where they are many or not known.
    """
    known = sorted({float(rating) for rating in given if low <= rating <= high})
    if len(known) > 1 or low == high:
        return known or [low]
    exponent = math.floor(math.log10(high / _MOST - low / _MOST))
    for step in (1, 2, 5, 10, 20, 50):  # times 10 ** exponent: the smallest that makes few enough
        first, last = math.ceil(_in_steps(low, step, exponent)), math.floor(_in_steps(high, step, exponent))
        if last - first < _MOST:
            break
    # numbers as they are written, without the errors of a product; ends are met though they are not quite round
    choices = [float(f"{i * step}e{exponent}") for i in range(first, last + 1)]
    return sorted({min(max(choice, low), high) for choice in choices} or {low, high})


def nearest(choices: list[float], rating: float) -> float:
    """Return the choice that is closest to a rating."""
    return min(choices, key=lambda choice: abs(choice - rating))


def _in_steps(value: float, step: int, exponent: int) -> float:
    steps = value / step / 10.0**exponent
    return round(steps) if math.isclose(steps, round(steps), rel_tol=1e-9, abs_tol=1e-9) else steps
