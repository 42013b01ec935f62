"""Text tables of unknown make: find the encoding, the separator and the header."""

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from cf_excel.errors import FileError, InputError
from cf_excel.ratings.encodings import decoded, guess_encoding, is_utf_8, known_encoding
from cf_excel.ratings.file_kinds import refuse_no_table, refuse_nul
from cf_excel.ratings.quoting import Misquoted, Quoting, Watch, as_doubled, find_quoting
from cf_excel.ratings.sources import MAX_LINE_BYTES, Source

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")

CHUNK_ROWS = 500_000
_HEAD_BYTES = 2**16
_LINES_AT_A_TIME = 4096
_LINES_FOR_SEPARATOR = 50
_NUMBER = re.compile(r"[-+]?\d+([.,]\d+)?")
_BYTE_ORDER_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_SEPARATORS = (",", "\t", ";", "|")
_SEPARATOR_LINE = re.compile(r"\ufeff?sep=([,;|\t])[ \t]*(?:\r\n|\r|\n)", re.IGNORECASE)


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
    """How to read a table: first_record has its header's names, or is a row already; n_header_lines come before.

    quoting: None until the whole file was looked through for it; it is read as DOUBLED and watched.
    n_records: how many rows it has, if they were counted. number_column: the one that holds numbers, if that is known.
    separator_line: whether Excel's "sep=;" is the first line.
    notes: what somebody may want to know of how it was read; all tables made from this one share them.
    """

    source: Source
    encoding: str
    separator: str
    first_record: list[str]
    n_header_lines: int
    quoting: Quoting | None = None
    has_header: bool = True
    separator_line: bool = False
    n_records: int | None = None
    number_column: int | None = None
    notes: list[str] = field(default_factory=list, compare=False)

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def n_columns(self) -> int:
        return len(self.first_record)

    @property
    def decimal_comma(self) -> bool:
        """Whether numbers may have a comma for the point."""
        return self.separator in ";\t"

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

    def from_start(self) -> "TextTable":
        """Return the table without a header, from the first line on, its separator found in many lines, not in one."""
        n_before = int(self.separator_line)
        with replace(self, encoding="latin-1", n_header_lines=n_before)._open_as_written() as text:
            lines = [text.readline() for _ in range(_LINES_FOR_SEPARATOR)]
        is_known = self.separator_line or self.separator == "::" or self.encoding.startswith("utf-16")
        separator = self.separator if is_known else find_separator(lines)
        return replace(self, separator=separator, n_header_lines=n_before, has_header=False)

    def records(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the number of the last line and the cells of every record after the header that is not blank.

        Raises Misquoted as open does.
        """
        with self.open() as text:
            lines = text.rewritten or iter(text.readline, "")
            yield from _records(
                lines, self.separator, self.name, self.n_header_lines, self.quoting, watched=self.quoting is None
            )

    def places(self, rows: list[int]) -> list[str]:
        """Return where rows are, "line 7", by reading once more: there may be blank lines and line breaks in quotes."""
        lines = {row: row + self.n_header_lines + 1 for row in rows}
        for i, (line, _) in enumerate(islice(self.records(), max(rows) + 1)):
            if i in lines:
                lines[i] = line
        return [f"line {lines[row]}" for row in rows]

    def chunks(self, column: dict[str, int]) -> Iterator["pd.DataFrame"]:
        """Yield rows piece by piece: texts as written, but for the timestamps, and "wide", what is right of the last.

        Raises InputError where the file is no table, and Misquoted as open does.
        """
        import pandas as pd  # most of the time of what reads the lesson's own ratings, which come without it

        step = 2 if self.separator == "::" else 1  # read as ":", with an empty column between two: pandas' fast parser
        n_fields = step * (self.n_columns - 1) + 1
        name_of_field = {step * i: kind for kind, i in column.items()} | {n_fields: "wide"}
        names = [name_of_field.get(i, f"unused {i}") for i in range(n_fields + 1)]
        separator = self.separator[0]
        n_rows = 0
        try:
            with self.open(header=separator.join(names) + "\n") as text:
                for chunk in pd.read_csv(
                    text,
                    sep=separator,
                    quoting=csv.QUOTE_NONE if self.quoting is Quoting.LITERAL else csv.QUOTE_MINIMAL,
                    usecols=list(name_of_field.values()),
                    dtype={name: object for name in name_of_field.values() if name != "timestamp"},
                    chunksize=CHUNK_ROWS,
                    na_filter=False,
                    index_col=False,
                    low_memory=False,
                    engine="c",
                ):
                    n_rows += len(chunk)
                    yield chunk
                self.check_count(text, n_rows)
        except pd.errors.ParserError as error:
            raise InputError(f"{self.name} is no table: {error}") from error

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

        The encoding is guessed where the text is not UTF-8 (or as given), and a note says so. Raises InputError as
        find_quoting and guess_encoding do.
        """
        try:
            return self._read_as_quoted(read)
        except UnicodeError as error:
            if self.encoding != "utf-8-sig":
                raise InputError(f"{self.name} can't be read as {self.encoding.upper()}: save it as UTF-8") from error
        return replace(self, encoding=_guess(self.source, self.notes))._read_as_quoted(read)

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


def are_data(cells: list[str]) -> bool:
    """Return whether a first row is no header but a rating: the third of three or four cells is a number."""
    return len(cells) in (3, 4) and _NUMBER.fullmatch(cells[2]) is not None


def look_at(
    source: Source,
    *,
    always_header: bool = False,
    encoding: str | None = None,
    notes: list[str] | None = None,
    is_data: Callable[[list[str]], bool] = are_data,
) -> TextTable:
    """Return how to read a table, from its first bytes.

    The encoding that is given, or UTF-8, UTF-16 with its mark or another one, which is guessed when all is read; comma,
    tab, semicolon or "|" between the cells, whichever is most in the first line, or "::" if it is there, or the one
    that Excel's own first line "sep=;" names; a header, unless is_data holds for the cells of the first row.

    Raises FileError for a file that is not text and InputError for an empty one, and for an unknown encoding.
    """
    with source.open() as stream:
        head = stream.read(_HEAD_BYTES)
        encoding = known_encoding(encoding) or next(
            (name for mark, name in _BYTE_ORDER_MARKS.items() if head.startswith(mark)), "utf-8-sig"
        )
        if encoding == "utf-8-sig":
            refuse_nul(source.name, head)
        refuse_no_table(source.name, decoded(head, encoding))
        head += stream.readline(MAX_LINE_BYTES)  # so that the first record is whole, however long it is
    notes = [] if notes is None else notes
    if encoding == "utf-8-sig" and not is_utf_8(head):
        encoding = _guess(source, notes)
    text = decoded(head, encoding)
    declared = _SEPARATOR_LINE.match(text)
    n_before = 1 if declared else 0
    text = text[declared.end() :] if declared else text
    line = next((line for line in io.StringIO(text, newline="") if line.strip()), "")
    separator = declared[1] if declared else find_separator([line])
    quoting = Quoting.LITERAL if separator == "::" else None  # MovieLens' own form knows no quotes
    cells = [cell.strip() for cell in line.split(separator)]
    if separator in ("\t", "::") and not always_header and is_data(cells):  # with quotes that may be characters
        return TextTable(source, encoding, separator, cells, n_before, quoting, False, bool(declared), notes=notes)
    records = _records(io.StringIO(text, newline=""), separator, source.name, n_before, quoting, watched=False)
    last_line, record = next(records, (0, None))
    if record is None:
        raise InputError(f"{source.name} is empty: expected a header such as userId,movieId,rating, then the rows")
    cells = [cell.strip() for cell in record]
    has_header = always_header or not is_data(cells)
    n_lines = last_line if has_header else n_before
    return TextTable(source, encoding, separator, cells, n_lines, quoting, has_header, bool(declared), notes=notes)


def _guess(source: Source, notes: list[str]) -> str:
    """Return the encoding that a text looks like, with a note that says so."""
    with source.open() as stream:
        encoding = guess_encoding(source.name, stream)
    note = f"{source.name} is not UTF-8: read as {encoding} (--encoding names another)"
    if note not in notes:
        notes.append(note)
    return encoding


def find_separator(lines: list[str]) -> str:
    """Return what stands between the cells of lines: "::" if it is in the first, else what is most in all."""
    if "::" in lines[0]:
        return "::"
    unquoted = re.sub(r'"[^"]*"', "", "".join(lines))
    return max(_SEPARATORS, key=unquoted.count)


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
