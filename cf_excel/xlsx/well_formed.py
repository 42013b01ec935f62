"""Check XML while it is written, before anything is replaced by it."""

import string
from collections.abc import Iterable
from xml.parsers import expat

from cf_excel.errors import FileError

# what in a text or a number can't change how XML is read
_HARMLESS = (string.ascii_letters + string.digits + " .,:!?()+-*").encode()


class WellFormed:
    """Parses a part as it comes. Raises FileError where it is no XML; name: what messages call it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._parser = expat.ParserCreate()
        self._parsed: set[bytes] = set()

    def checked(self, content: bytes, *, is_last: bool = False) -> bytes:
        """Return a piece of the part once it is parsed."""
        try:
            self._parser.Parse(content, is_last)
        except expat.ExpatError as error:
            raise FileError(
                f"{self._name} would be no whole XML ({error}): nothing was written; please report it with the data"
            ) from None
        return content

    def checked_rows(self, rows: Iterable[str]) -> bytes:
        """Return whole elements, one after the other, once they are parsed.

        One that differs from another in harmless characters alone is not parsed again: of a sheet of numbers, which
        has millions of them, some rows are.
        """
        encoded = [row.encode() for row in rows]
        new = []
        for row in encoded:
            form = row.translate(None, _HARMLESS)
            if form not in self._parsed or b"&" in row:
                self._parsed.add(form)
                new.append(row)
        self.checked(b"".join(new))
        return b"".join(encoded)


def check_part(name: str, content: bytes) -> None:
    """Raise FileError where a part that holds XML, by its name, is not well-formed."""
    if name.endswith((".xml", ".rels", ".vml")):
        WellFormed(name).checked(content, is_last=True)
