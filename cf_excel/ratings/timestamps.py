"""Read times: whole seconds, ISO 8601, Excel's serial numbers, and dates as people write them."""

import re

import numpy as np
import pandas as pd

from cf_excel.errors import InputError

EXPECTED = "expected whole seconds or 2016-10-17 12:00 (or --timestamp-column none)"
_LARGEST_EXACT = 2**53  # of the whole numbers in a float
_SERIALS = (20_000, 80_000)  # days since 1899: from 1954 to 2119
_SERIAL_OF_1970 = 25_569
_SECONDS_A_DAY = 86_400
_WRITTEN = re.compile(
    r"\s*(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})(?:[ T,]+(\d{1,2}):(\d\d)(?::(\d\d)(?:\.\d+)?)?\s*([AaPp][Mm])?)?\s*"
)
_ORDERS = {"DMY": True, "MDY": False, "YMD": None}


def day_comes_first(date_format: str | None) -> bool | None:
    """Return whether the day stands before the month in dates, as --date-format says; None where it does not.

    Raises InputError for another format than DD/MM/YYYY, MM/DD/YYYY or YYYY-MM-DD, with any signs between.
    """
    if date_format is None:
        return None
    order = re.sub(r"(.)\1+", r"\1", re.sub("[^A-Z]", "", date_format.upper()))  # %d.%m.%Y will do, too
    if order not in _ORDERS:
        raise InputError(f"--date-format {date_format[:40]!r}: expected DD.MM.YYYY, MM/DD/YYYY or YYYY-MM-DD")
    return _ORDERS[order]


def as_seconds(times: pd.Series, day_first: bool | None = None) -> tuple[np.ndarray, np.ndarray | None]:
    """Return int64 seconds since 1970 (UTC unless a time says otherwise), and which rows can't be read, if any.

    Of dates such as 31.01.2026 the day comes first with dots; else as day_first says, or as a number over 12 tells.
    """
    if times.dtype == np.int64:
        return times.to_numpy(), None
    seconds = pd.to_numeric(times, errors="coerce").astype(float)
    if seconds.isna().any():
        texts = times[seconds.isna()].astype(str)
        dates = pd.to_datetime(texts, format="ISO8601", utc=True, errors="coerce")
        since_1970 = (dates - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(seconds=1)
        seconds = seconds.fillna(since_1970)  # type: ignore[arg-type]  # pandas' types know no Series here
        if since_1970.isna().any():
            seconds = seconds.fillna(_written(texts[since_1970.isna()], day_first))
    wrong = ~(seconds.abs() < _LARGEST_EXACT).to_numpy()
    if not wrong.any():
        return seconds.to_numpy().astype(np.int64), None
    return np.where(wrong, 0, seconds.to_numpy()).astype(np.int64), wrong


def serials_as_seconds(times: np.ndarray) -> np.ndarray:
    """Return the times (n,) int64 of a table in seconds, where all are days since 1899, as Excel counts; else as is."""
    low, high = _SERIALS
    if not len(times) or not low <= times.min() <= times.max() < high:
        return times
    return (times - _SERIAL_OF_1970) * _SECONDS_A_DAY


def is_ambiguous(text: str) -> bool:
    """Return whether of a date, such as 01/02/2026, the day may be before or behind the month."""
    match = _WRITTEN.fullmatch(text)
    return match is not None and match[2] != "." and int(match[1]) <= 12 and int(match[3]) <= 12


def _written(texts: pd.Series, day_first: bool | None) -> pd.Series:
    """Return seconds of dates as people write them, NaN for what is none and for what is ambiguous."""
    found = {text: match for text in texts.unique() if (match := _WRITTEN.fullmatch(text))}
    dotted_first, slashed_first = True if day_first is None else day_first, day_first
    slashed = [match for match in found.values() if match[2] != "."]
    if day_first is None:
        first_over, second_over = (any(int(match[i]) > 12 for match in slashed) for i in (1, 3))
        slashed_first = first_over if first_over != second_over else None
    seconds = {}
    for text, match in found.items():
        is_day_first = dotted_first if match[2] == "." else slashed_first
        if is_day_first is not None:
            seconds[text] = _seconds(match, is_day_first)
    return texts.map(seconds).astype(float)


def _seconds(match: re.Match[str], day_first: bool) -> float:
    day, month = (match[1], match[3]) if day_first else (match[3], match[1])
    hour, year = int(match[5] or 0), int(match[4])
    if match[8]:
        hour = hour % 12 + 12 * (match[8].lower() == "pm")
    year += (2000 if year < 70 else 1900) if year < 100 else 0
    try:
        moment = pd.Timestamp(year, int(month), int(day), hour, int(match[6] or 0), int(match[7] or 0))
    except ValueError:
        return float("nan")
    return float((moment - pd.Timestamp(0)) // pd.Timedelta(seconds=1))
