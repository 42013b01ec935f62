"""Text tables of unknown make: find the encoding, the separator and the columns."""

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeVar

from cf_excel.errors import FileError, InputError
from cf_excel.ratings.file_kinds import refuse_no_table, refuse_nul
from cf_excel.ratings.quoting import Misquoted, Quoting, Watch, as_doubled, find_quoting
from cf_excel.ratings.sources import MAX_LINE_BYTES, Source

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
_LINES_AT_A_TIME = 4096
_NUMBER = re.compile(r"[-+]?\d+([.,]\d+)?")
_BYTE_ORDER_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_SEPARATORS = (",", "\t", ";", "|")


class _Text(io.TextIOWrapper):
    """Text that goes to pandas after a header line of our own, with the guards that pandas lacks."""

    header = ""
    name_of_source = ""
    watch: Watch | None = None
    rewritten: Iterator[str] | None = None

    def read(self, size: int | None = -1) -> str:
        if self.header:
            header, self.header = self.header, ""
            return header
        text = super().read(size) if self.rewritten is None else "".join(islice(self.rewritten, _LINES_AT_A_TIME))
        if "\0" in text:
            # pandas would cut the cell there.
            raise FileError(f"{self.name_of_source} has a NUL byte: expected a text table (CSV, TSV)")
        if self.watch is not None and not self.watch.fits(text):
            raise Misquoted(f"{self.name_of_source} has a quote within a text")
        return text


@dataclass(frozen=True)
class TextTable:
    """How to read a table: columns are its header's names, or none where the first line is already data.

    quoting: None until the whole file was looked through for it; it is read as DOUBLED and watched.
    n_records: how many rows it has, if they were counted. number_column: the one that holds numbers, if that is known.
    """

    source: Source
    encoding: str
    separator: str
    first_record: list[str]
    n_header_lines: int
    quoting: Quoting | None = None
    n_records: int | None = None
    number_column: int | None = None

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def n_columns(self) -> int:
        return len(self.first_record)

    @contextmanager
    def open(self, header: str = "") -> Iterator[_Text]:
        """Open for reading what follows the header, line ends untouched, with another header before it if given.

        What is read has its quotes doubled, unless they are LITERAL. Raises Misquoted, also while reading, where the
        quoting is not known yet and is another one than DOUBLED.
        """
        with self._open_as_written() as text:
            text.header, text.name_of_source = header, self.name
            if self.quoting is None:
                text.watch = Watch(self.separator)
            elif self.quoting in (Quoting.ESCAPED, Quoting.LOOSE):
                text.rewritten = as_doubled(iter(text.readline, ""), self.separator, self.quoting)
            yield text

    @contextmanager
    def _open_as_written(self) -> Iterator[_Text]:
        with self.source.open() as stream:
            text = _Text(stream, encoding=self.encoding, newline="")
            for _ in range(self.n_header_lines):
                text.readline()
            yield text

    def records(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the number of the last line and the cells of every record after the header that is not blank.

        Raises Misquoted as open does.
        """
        with self.open() as text:
            lines = text.rewritten or iter(text.readline, "")
            yield from _records(
                lines, self.separator, self.name, self.n_header_lines, self.quoting, watched=self.quoting is None
            )

    def check_count(self, text: _Text, n_rows: int) -> None:
        """Raise Misquoted or InputError where another number of rows was read from a text than the file has."""
        if text.watch is not None and not text.watch.has_seen(n_rows):
            raise Misquoted(f"{self.name} may have more than {n_rows:,} rows")
        if self.n_records is not None and n_rows != self.n_records:
            raise InputError(
                f"{self.name} has {self.n_records:,} rows, but {n_rows:,} came out of it: save it as CSV once more"
            )

    def read_with(self, read: Callable[["TextTable"], T]) -> T:
        """Return what read(table) returns, in the encoding and the quoting that the file turns out to have.

        The encoding is Windows' or Latin-1 where the text is not UTF-8. Raises InputError as find_quoting does.
        """
        for encoding in dict.fromkeys((self.encoding, "cp1252", "latin-1")):
            try:
                return replace(self, encoding=encoding)._read_as_quoted(read)
            except UnicodeError as error:
                if self.encoding.startswith("utf-16"):
                    raise InputError(
                        f"{self.name} can't be read as {self.encoding.upper()}: save it as UTF-8"
                    ) from error
        raise AssertionError("Latin-1 reads every byte")

    def _read_as_quoted(self, read: Callable[["TextTable"], T]) -> T:
        """Read, and where that fails with the quoting unknown, find it: what was wrong may come from that alone."""
        try:
            return read(self)
        except InputError as error:
            if self.quoting is not None:
                raise
            table = self._with_its_quoting()
            if table.quoting is Quoting.DOUBLED and not isinstance(error, Misquoted):
                raise
        return read(table)

    def _with_its_quoting(self) -> "TextTable":
        def lines() -> Iterator[str]:
            with self._open_as_written() as text:
                yield from iter(text.readline, "")

        with replace(self, n_header_lines=0)._open_as_written() as text:
            quotes_header = '"' in "".join(text.readline() for _ in range(self.n_header_lines))
        try:
            quoting, n_records = find_quoting(
                lines,
                self.separator,
                self._looks_like_row,
                n_lines_before=self.n_header_lines,
                quotes_header=quotes_header,
            )
        except InputError as error:
            raise InputError(f"{self.name} {error}") from None
        return replace(self, quoting=quoting, n_records=n_records)

    def _looks_like_row(self, line: str) -> bool:
        """Return whether a line, read without quotes, has the cells of a row, and a number where every row has one."""
        cells = [cell.strip(' "\r\n') for cell in line.split(self.separator)]
        if len(cells) < self.n_columns or any(cells[self.n_columns :]):
            return False
        if self.number_column is None:  # of texts with line breaks in a CSV, many a line has as many commas
            return self.separator == "\t"
        return bool(_NUMBER.fullmatch(cells[self.number_column]))


def look_at(source: Source, *, always_header: bool = False) -> TextTable:
    """Return how to read a table, from its first bytes.

    UTF-8, UTF-16 with its mark or Windows' encoding; comma, tab, semicolon or "|" between the cells, whichever is
    most in the first line, or "::" if it is there; a header, unless the third of three or four cells is a number.

    Raises FileError for a file that is not text and InputError for an empty one.
    """
    with source.open() as stream:
        head = stream.read(_HEAD_BYTES)
        encoding = next((name for mark, name in _BYTE_ORDER_MARKS.items() if head.startswith(mark)), "utf-8-sig")
        if encoding == "utf-8-sig":
            refuse_nul(source.name, head)
        refuse_no_table(source.name, _decode(head, encoding))
        head += stream.readline(MAX_LINE_BYTES)  # so that the first record is whole, however long it is
    text = _decode(head, encoding)
    line = next((line for line in io.StringIO(text, newline="") if line.strip()), "")
    separator = _separator(line)
    quoting = Quoting.LITERAL if separator == "::" else None  # MovieLens' own form knows no quotes
    cells = [cell.strip() for cell in line.split(separator)]
    if separator in ("\t", "::") and not always_header and _are_data(cells):  # with quotes that may be characters
        return TextTable(source, encoding, separator, cells, 0, quoting)
    records = _records(io.StringIO(text, newline=""), separator, source.name, 0, quoting, watched=False)
    last_line, record = next(records, (0, None))
    if record is None:
        raise InputError(f"{source.name} is empty: expected a header such as userId,movieId,rating, then the rows")
    cells = [cell.strip() for cell in record]
    is_data = not always_header and _are_data(cells)
    return TextTable(source, encoding, separator, cells, 0 if is_data else last_line, quoting)


def find_columns(
    table: TextTable, required: tuple[str, ...], optional: tuple[str, ...], names: Mapping[str, str] | None = None
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
            raise InputError(
                f"{table.name} has {len(matches)} columns {shorten(header[matches[0]])}: rename all but one"
            )
        if matches:
            found[kind] = matches[0]
        elif wanted is not None or kind in required:
            raise InputError(_missing(table, kind, wanted, set(found.values())))
    if names and len(set(found.values())) < len(found):
        columns = ", ".join(f"{kind} {shorten(header[i])}" for kind, i in found.items())
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


def _are_data(cells: list[str]) -> bool:
    return len(cells) in (3, 4) and _NUMBER.fullmatch(cells[2]) is not None


def _records(
    lines: Iterable[str], separator: str, name: str, n_lines_before: int, quoting: Quoting | None, *, watched: bool
) -> Iterator[tuple[int, list[str]]]:
    """Yield the last line and the cells of each record; raise Misquoted for one of two lines where they are watched."""
    if separator == "::":
        for number, line in enumerate(lines, n_lines_before + 1):
            if line.strip():
                yield number, line.rstrip("\r\n").split(separator)
        return
    reader = csv.reader(
        lines,
        delimiter=separator,
        strict=True,
        quoting=csv.QUOTE_NONE if quoting is Quoting.LITERAL else csv.QUOTE_MINIMAL,
    )
    last_line = 0
    try:
        for record in reader:
            if watched and reader.line_num > last_line + 1:
                raise Misquoted(f"{name} may have rows that were read as one")
            last_line = reader.line_num
            if len(record) > 1 or "".join(record).strip():
                yield n_lines_before + last_line, record
    except csv.Error as error:
        kind = Misquoted if watched else InputError
        raise kind(f"{name} line {n_lines_before + reader.line_num}: {error}") from error


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


def _missing(table: TextTable, kind: str, wanted: str | None, taken: set[int]) -> str:
    header = table.first_record
    free = [name for i, name in enumerate(header) if i not in taken]
    shown = ", ".join(repr(name)[1:-1][:40] for name in header[:12]) + (", …" if len(header) > 12 else "")
    column = wanted if wanted is not None else CANONICAL_NAMES.get(kind, kind)
    name = free[0] if len(free) == 1 and free[0].isprintable() and 0 < len(free[0]) <= 40 else "NAME"
    hint = f'pass --{kind}-column "{name}"' if " " in name else f"pass --{kind}-column {name}"
    return f"{table.name} has no column {shorten(column)} (found: {shown}): {'rename one' if kind == 'id' else hint}"
