"""What a quote means in a text table: found from the whole file, because it may be a mark or a character."""

import io
import re
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from functools import cache
from typing import NamedTuple

import numpy as np

from cf_excel.errors import InputError

_LONGEST_RECORD = 2**20  # characters; a quote that is open for longer never closes


class Quoting(Enum):
    """How cells are marked, from the most usual on."""

    DOUBLED = "cells in quotes, a quote in them written twice (RFC 4180: Excel, Python, pandas)"
    ESCAPED = r"cells in quotes, a quote in them written \" (Spark, R, MySQL)"
    LOOSE = "as DOUBLED, but cells with quotes within, or text behind a closing one, are as they are written"
    LITERAL = "a quote is a character like any other, and every line is a row"


class Misquoted(InputError):
    """A table was read as DOUBLED, and has quotes where it has none there; or rows were merged."""


class _Fault(Exception):
    """Why a table is not of some quoting."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"line {line}: {message}")


class _Grammar(NamedTuple):
    """What a line may be that begins outside of quotes, then inside; and a cell: (text)(what follows) or (bare)."""

    whole: re.Pattern
    opens: re.Pattern
    stays: re.Pattern
    closes: re.Pattern
    reopens: re.Pattern
    cell: re.Pattern


@cache
def _grammar(separator: str, quoting: Quoting) -> _Grammar:
    s, end = re.escape(separator), r"(?:\r\n|\r|\n)?"
    plain, escaped = (r'[^"\\]*+', r"|\\.") if quoting is Quoting.ESCAPED else ('[^"]*+', "")
    inside = f'{plain}(?>(?:(?:""{escaped}){plain})*)'
    is_loose = quoting is Quoting.LOOSE
    behind = rf'(?>(?:[^"{s}\r\n]++|"[^"{s}\r\n]*+")*)' if is_loose else ""
    no_quote = "" if is_loose else '"'  # outside of quotes: who quotes cells, quotes those with a quote
    after_backslash = '(?!")' if quoting is Quoting.DOUBLED else r'["\\]?'
    bare = rf'(?!")(?>(?:[^\\{s}\r\n{no_quote}]++|\\{after_backslash})*)'
    cell = f'(?:"{inside}"{behind}|{bare})'
    more, before = f"(?>(?:{s}{cell})*)", f"(?>(?:{cell}{s})*)"
    patterns = (
        f"{cell}{more}{end}",
        f'{before}"{inside}',
        inside,
        f'{inside}"{more}{end}',
        f'{inside}"{s}{before}"{inside}',
        f'(?:^|(?<={s}))(?:"({inside})"({behind})|({bare}))',
    )
    return _Grammar(*(re.compile(pattern, re.DOTALL) for pattern in patterns))


def _split(
    lines: Iterable[str], separator: str, quoting: Quoting, n_lines_before: int = 0
) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of the first line and the lines of every record; raises _Fault where they are not so quoted."""
    numbered = enumerate(lines, n_lines_before + 1)
    if quoting is Quoting.LITERAL:
        yield from ((number, [line]) for number, line in numbered)
        return
    grammar = _grammar(separator, quoting)
    for first, line in numbered:
        record = [line]
        if '"' in line and not grammar.whole.fullmatch(line):
            if not grammar.opens.fullmatch(line):
                raise _Fault(first, 'text follows a closing quote (a quote that is a character is written "" there)')
            record += _rest_of_record(first, numbered, grammar)
        yield first, record


def _rest_of_record(first: int, numbered: Iterator[tuple[int, str]], grammar: _Grammar) -> list[str]:
    lines, n_characters = [], 0
    for number, line in numbered:
        lines.append(line)
        n_characters += len(line)
        if grammar.closes.fullmatch(line):
            return lines
        if n_characters > _LONGEST_RECORD:
            break
        if not (grammar.stays.fullmatch(line) or grammar.reopens.fullmatch(line)):
            raise _Fault(first, f"a quote opens here, and text follows the one that closes it in line {number}")
    raise _Fault(first, "a quote opens and never closes")


def find_quoting(
    open_lines: Callable[[], Iterator[str]],
    separator: str,
    looks_like_row: Callable[[str], bool],
    *,
    n_lines_before: int,
    quotes_header: bool,
) -> tuple[Quoting, int]:
    """Return the first quoting that all lines are of, and the number of records that are not blank.

    n_lines_before: how many lines come before those, for messages. In a tab file whose header has no quotes
    (quotes_header), they are characters where nothing else fits. Cells in quotes that swallow what looks like rows do
    not fit: those over several lines, more than one of which does, and in a tab file those with tabs, where the line
    does. Raises InputError with the line where nothing fits.
    """
    last = Quoting.LITERAL if separator == "\t" and not quotes_header else Quoting.LOOSE
    for quoting in (Quoting.DOUBLED, Quoting.ESCAPED, last):
        n_records = 0
        try:
            for first, lines in _split(open_lines(), separator, quoting, n_lines_before):
                if (len(lines) > 1 or separator == "\t") and quoting is not Quoting.LITERAL:
                    _refuse_swallowed(first, lines, separator, quoting, looks_like_row)
                n_records += len(lines) > 1 or not lines[0].isspace()
        except _Fault as error:
            fault = error
        else:
            return quoting, n_records
    raise InputError(str(fault))


def _refuse_swallowed(
    first: int, lines: list[str], separator: str, quoting: Quoting, looks_like_row: Callable[[str], bool]
) -> None:
    if len(lines) > 1 and sum(map(looks_like_row, lines)) > 1:
        raise _Fault(
            first,
            f"a quote opens here and closes in line {first + len(lines) - 1}, over lines that look like rows: "
            'remove it, or write a quote that is a character as "" within quotes',
        )
    if len(lines) == 1 and '"' in lines[0] and looks_like_row(lines[0]):
        n_cells = sum(1 for _ in _grammar(separator, quoting).cell.finditer(lines[0]))
        if n_cells <= lines[0].count(separator):
            raise _Fault(first, "a cell in quotes has tabs, without which the line looks like a row")


def as_doubled(lines: Iterable[str], separator: str, quoting: Quoting) -> Iterator[str]:
    """Yield the lines of a table that is ESCAPED or LOOSE as DOUBLED has them, one by one."""
    cell, write = _grammar(separator, quoting).cell, _unescaped if quoting is Quoting.ESCAPED else _kept_whole
    for _, record in _split(lines, separator, quoting):
        text = "".join(record)
        yield from io.StringIO(cell.sub(write, text) if '"' in text else text, newline="")


def _unescaped(cell: re.Match) -> str:
    text, _, bare = cell.groups()
    if bare is not None and '\\"' not in bare:
        return bare
    return '"' + re.sub(r'\\(["\\])', lambda escaped: escaped[1].replace('"', '""'), text or bare or "") + '"'


def _kept_whole(cell: re.Match) -> str:
    return '"' + cell[0].replace('"', '""') + '"' if cell[2] else cell[0]


class Watch:
    r"""Looks, piece by piece, whether every quote stands where DOUBLED has one, far faster than it could be read.

    Quotes open and close in turn (of a doubled one, the first closes and the second opens), so that each that opens
    must follow a separator, a line end or a quote, and each that closes must come before one. A tab in quotes is
    rare enough to be looked into.
    """

    def __init__(self, separator: str) -> None:
        self.has_quotes = False
        self.n_lines = 0
        self._separator = separator
        self._edges = f'{separator}\r\n"'.encode()
        self._kept = "\n"  # the last two characters: what comes before the next, and one that waits for what follows
        self._n_quotes = 0

    def fits(self, piece: str) -> bool:
        """Return whether the quotes up to here, but for the last character, are where they should be."""
        self.n_lines += piece.count("\n")
        text = self._kept + piece
        self._kept = text[-2:]
        if '"' not in text:
            return True
        self.has_quotes = True
        characters = np.frombuffer(text.encode(), np.uint8)
        is_edge = np.zeros(256, bool)
        is_edge[list(self._edges)] = True
        places = np.flatnonzero(characters[1:-1] == ord('"')) + 1
        opening, closing = (places[(self._n_quotes + i) % 2 :: 2] for i in (0, 1))
        if self._separator == "\t":
            tabs = np.flatnonzero(characters == ord("\t"))
            if ((np.searchsorted(places, tabs) + self._n_quotes) % 2).any():
                return False
        self._n_quotes += len(places)
        return bool(is_edge[characters[opening - 1]].all() and is_edge[characters[closing + 1]].all())

    def has_seen(self, n_rows: int) -> bool:
        """Return whether, now that all is read, n_rows may be all the rows: without quotes nothing merges them."""
        rest = self._kept[-1:] not in ("\n", "\r")
        is_whole = self.fits("\n" if rest else "") and self._n_quotes % 2 == 0
        return not self.has_quotes or (is_whole and n_rows == self.n_lines)
