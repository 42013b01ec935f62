"""Text tables of unknown make: find the encoding, the separator and the columns."""

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

from cf_excel.archives import Source
from cf_excel.errors import FileError, InputError

T = TypeVar("T")

# Usual names of columns in lower case and without space, "_", "-" and ".", the likeliest first.
USUAL_NAMES = {
    "user": ("userid", "user", "uid", "username", "customerid", "customer", "reviewerid", "reviewer", "memberid"),
    "movie": (
        *("movieid", "itemid", "filmid", "productid", "bookid", "isbn", "asin", "mid", "iid"),
        *("movie", "item", "film", "product", "book", "title"),
    ),
    "rating": ("rating", "ratings", "score", "stars", "userrating", "grade", "value"),
    "timestamp": ("timestamp", "unixtimestamp", "time", "datetime", "date"),
    "id": ("movieid", "itemid", "filmid", "productid", "bookid", "isbn", "asin", "id", "movie", "item", "title"),
    "title": ("title", "movietitle", "name", "moviename", "movie", "item"),
    "genres": ("genres", "genre"),
    "year": ("year", "releaseyear", "releasedate"),
}
CANONICAL_NAMES = {"user": "userId", "movie": "movieId", "id": "movieId"}

_HEAD_BYTES = 2**16
_BYTE_ORDER_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_SEPARATORS = (",", "\t", ";", "|")


class _Text(io.TextIOWrapper):
    """Text that goes to pandas after a header line of our own, with the guards that pandas lacks."""

    header = ""
    name_of_source = ""

    def read(self, size: int | None = -1) -> str:
        if self.header:
            header, self.header = self.header, ""
            return header
        text = super().read(size)
        if "\0" in text:
            # pandas would cut the cell there.
            raise FileError(f"{self.name_of_source} has a NUL byte: expected a text table (CSV, TSV)")
        return text


@dataclass(frozen=True)
class Table:
    """How to read a table: columns are its header's names, or none where the first line is already data."""

    source: Source
    encoding: str
    separator: str
    first_record: list[str]
    n_header_lines: int

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def n_columns(self) -> int:
        return len(self.first_record)

    @contextmanager
    def open(self, header: str = "") -> Iterator[io.TextIOBase]:
        """Open for reading what follows the header, line ends untouched, with another header before it if given."""
        with self.source.open() as stream:
            text = _Text(stream, encoding=self.encoding, newline="")
            for _ in range(self.n_header_lines):
                text.readline()
            text.header, text.name_of_source = header, self.name
            yield text

    def records(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the number of the last line and the cells of every record after the header that is not blank."""
        with self.open() as text:
            yield from _records(text, self.separator, self.name, self.n_header_lines)

    def in_its_encoding(self, read: Callable[["Table"], T]) -> T:
        """Return what read(table) returns, in Windows' encoding or Latin-1 where the text turns out not to be UTF-8."""
        for encoding in dict.fromkeys((self.encoding, "cp1252", "latin-1")):
            try:
                return read(replace(self, encoding=encoding))
            except UnicodeError as error:
                if self.encoding.startswith("utf-16"):
                    raise InputError(
                        f"{self.name} can't be read as {self.encoding.upper()}: save it as UTF-8"
                    ) from error
        raise AssertionError("Latin-1 reads every byte")


def look_at(source: Source, *, always_header: bool = False) -> Table:
    """Return how to read a table, from its first bytes.

    UTF-8, UTF-16 with its mark or Windows' encoding; comma, tab, semicolon or "|" between the cells, whichever is
    most in the first line, or "::" if it is there; a header, unless the third of three or four cells is a number.

    Raises FileError for a file that is not text and InputError for an empty one.
    """
    with source.open() as stream:
        head = stream.read(_HEAD_BYTES)
    encoding = next((name for mark, name in _BYTE_ORDER_MARKS.items() if head.startswith(mark)), "utf-8-sig")
    if encoding == "utf-8-sig" and b"\0" in head.partition(b"\n")[0]:
        raise FileError(f"{source.name} is a binary file: expected a text table (CSV, TSV)")
    text = _decode(head, encoding)
    separator = _separator(next((line for line in io.StringIO(text, newline="") if line.strip()), ""))
    last_line, record = next(_records(io.StringIO(text, newline=""), separator, source.name, 0), (0, None))
    if record is None:
        raise InputError(f"{source.name} is empty: expected a header such as userId,movieId,rating, then the rows")
    cells = [cell.strip() for cell in record]
    is_data = not always_header and len(cells) in (3, 4) and re.fullmatch(r"[-+]?\d+([.,]\d+)?", cells[2])
    return Table(source, encoding, separator, cells, 0 if is_data else last_line)


def find_columns(
    table: Table, required: tuple[str, ...], optional: tuple[str, ...], names: Mapping[str, str] | None = None
) -> dict[str, int]:
    """Return the position of every column by what is in it ("user", "rating", ...), from names or else the usual names.

    Raises InputError for a column that is missing or twice there, saying what was found and what to pass.
    """
    if table.n_header_lines == 0:
        return {kind: i for i, kind in enumerate((*required, *optional)) if i < table.n_columns}
    header = table.first_record
    found = {}
    for kind in (*required, *optional):
        wanted = (names or {}).get(kind)
        matches = _named(header, wanted) if wanted is not None else _usual(header, kind)
        if len(matches) > 1:
            raise InputError(f"{table.name} has {len(matches)} columns {header[matches[0]]!r}: rename all but one")
        if matches:
            found[kind] = matches[0]
        elif wanted is not None or kind in required:
            raise InputError(_missing(table, kind, wanted, set(found.values())))
    if names and len(set(found.values())) < len(found):
        columns = ", ".join(f"{kind} {header[i]!r}" for kind, i in found.items())
        raise InputError(f"{table.name}: one column can't be two things ({columns})")
    return found


def shorten(text: str, width: int = 40) -> str:
    """Return a text fit for a message: quoted, without control characters, at most about width characters."""
    return repr(text if len(text) <= width else text[: width - 1] + "…")


def _decode(head: bytes, encoding: str) -> str:
    for name in (encoding, "cp1252", "latin-1"):
        try:
            return codecs.getincrementaldecoder(name)().decode(head)
        except UnicodeError:
            continue
    raise AssertionError("Latin-1 reads every byte")


def _separator(line: str) -> str:
    if "::" in line:
        return "::"
    unquoted = re.sub(r'"[^"]*"', "", line)
    return max(_SEPARATORS, key=unquoted.count)


def _records(lines: Iterable[str], separator: str, name: str, n_lines_before: int) -> Iterator[tuple[int, list[str]]]:
    if separator == "::":  # MovieLens' own form knows no quotes
        for number, line in enumerate(lines, n_lines_before + 1):
            if line.strip():
                yield number, line.rstrip("\r\n").split(separator)
        return
    reader = csv.reader(lines, delimiter=separator, strict=True)
    try:
        for record in reader:
            if len(record) > 1 or "".join(record).strip():
                yield n_lines_before + reader.line_num, record
    except csv.Error as error:
        raise InputError(f"{name} line {n_lines_before + reader.line_num}: {error}") from error


def _fold(name: str) -> str:
    return re.sub(r"[\s_.-]", "", name.lower())


def _named(header: list[str], wanted: str) -> list[int]:
    exact = [i for i, name in enumerate(header) if name == wanted.strip()]
    return exact or [i for i, name in enumerate(header) if _fold(name) == _fold(wanted)]


def _usual(header: list[str], kind: str) -> list[int]:
    folded = [_fold(name) for name in header]
    for usual in USUAL_NAMES[kind]:
        if usual in folded:
            return [i for i, name in enumerate(folded) if name == usual]
    return []


def _missing(table: Table, kind: str, wanted: str | None, taken: set[int]) -> str:
    header = table.first_record
    free = [name for i, name in enumerate(header) if i not in taken]
    shown = ", ".join(repr(name)[1:-1][:40] for name in header[:12]) + (", …" if len(header) > 12 else "")
    column = wanted if wanted is not None else CANONICAL_NAMES.get(kind, kind)
    name = free[0] if len(free) == 1 and free[0].isprintable() and free[0] else "NAME"
    hint = f'pass --{kind}-column "{name}"' if " " in name else f"pass --{kind}-column {name}"
    return f"{table.name} has no column {column!r} (found: {shown}): {'rename one' if kind == 'id' else hint}"
