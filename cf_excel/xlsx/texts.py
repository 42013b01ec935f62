"""Texts as a cell and XML can hold them. Every text that comes from data passes through here on its way into a cell."""

import re
from collections.abc import Iterable
from html import escape
from typing import overload

from cf_excel.errors import InputError

MAX_TEXT = 32_767  # of a cell, in units of UTF-16: most emoji are two
_MAX_DIGITS = 15  # of a number in a cell
_SHOWN = 60  # characters of an id in a message
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_LOOKS_ESCAPED = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")

CellValue = str | int | float | None


def clean_text(text: str) -> str:
    """Return a text as XML and a cell can hold it.

    Characters that XML forbids become visible ones, each control character its own (U+0001 is ␁), so that texts which
    differ in them stay apart; line ends become line feeds, as XML reads them; beyond the 32,767 characters of a cell a
    text ends in an ellipsis.
    """
    if not text.isprintable():
        text = _NOT_XML.sub(_visible, text.replace("\r\n", "\n").replace("\r", "\n"))
    if len(text) > MAX_TEXT // 2:
        units = text.encode("utf-16-le")
        if len(units) > 2 * MAX_TEXT:
            text = units[: 2 * (MAX_TEXT - 1)].decode("utf-16-le", "ignore") + "…"
    return text


def _visible(found: re.Match[str]) -> str:
    return chr(0x2400 + ord(found[0])) if found[0] < " " else "\ufffd"


def xml_text(text: str) -> str:
    """Return a text as it stands between tags; what looks like an escape of Excel's (_x0041_) is no escape there."""
    text = clean_text(text)
    return escape(_LOOKS_ESCAPED.sub("_x005F_", text) if "_x" in text else text, quote=False)


def number_text(value: float) -> str:
    """Return a number as a cell stores it, whole ones without a point."""
    value = float(value)
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


@overload
def shown_value(value: int | str) -> int | str: ...
@overload
def shown_value(value: CellValue) -> CellValue: ...
def shown_value(value: CellValue) -> CellValue:
    """Return what a cell shows: texts cleaned, and whole numbers beyond the 15 digits that a cell keeps as texts."""
    if isinstance(value, str):
        return clean_text(value)
    return str(value) if isinstance(value, int) and abs(value) >= 10**_MAX_DIGITS else value


def typed_value(value: CellValue) -> CellValue:
    """Return what is typed into a cell of a running program to show a value; None and NaN make a blank.

    Texts come behind an apostrophe, or 007 would become a number, 1/2 a date, TRUE a truth value and =1+1 a formula.
    """
    value = None if value is None or value != value else shown_value(value)
    return f"'{value}" if isinstance(value, str) and value else value


def shown_ids(kinds: str, ids: Iterable[int | str]) -> list[int | str]:
    """Return ids as cells hold them: all numbers, or all texts where one has to be a text.

    kinds: "users" or "movies", for messages. Raises InputError where two of them would be the same.
    """
    ids = list(ids)
    shown = [shown_value(identity) for identity in ids]
    if any(isinstance(cell, str) for cell in shown):
        shown = [str(cell) for cell in shown]
    if len(set(shown)) < len(shown):
        first: dict[int | str, int | str] = {}
        for identity, cell in zip(ids, shown, strict=True):
            if cell in first:
                one, other = (f"{value!r:.{_SHOWN}}" for value in (first[cell], identity))
                raise InputError(
                    f"{kinds} {one} and {other} are different ids, but the same text in a cell: rename one of them in "
                    "the ratings"
                )
            first[cell] = identity
    return shown


def headers_apart(headers: list[str]) -> list[str]:
    """Return headers of a table, of which no two may be the same in any case."""
    found: list[str] = []
    for header in headers:
        wanted, n = header, 2
        while wanted.casefold() in {other.casefold() for other in found}:
            wanted, n = f"{header} {n}", n + 1
        found.append(wanted)
    return found
