"""The encoding of a text: the one that is named, UTF-8, or the likeliest."""

import codecs
import re
from typing import BinaryIO

from cf_excel.errors import InputError
from cf_excel.ratings.file_kinds import shorten

# Those in which spreadsheets and shops still write, the likeliest first; charset-normalizer knows many more, which are
# rarely right.
_LIKELY = [
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "mac_roman", "cp850", "koi8_r"),
    *("cp932", "gb18030", "big5", "euc_kr", "euc_jp", "latin_1"),
]
_SAMPLE_BYTES = 2**16
_NEAR = 0.03  # of 271 titles of MovieLens, Windows' encoding has a chaos of .002, that of Central Europe one of 0
_UTF_8 = re.compile(rb"(?:[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})")


def guess_encoding(name: str, stream: BinaryIO) -> str:
    """Return the likeliest encoding of a text that is not UTF-8, from its lines that tell one.

    Raises InputError, with the line, for a text that is UTF-8 but for a few bytes.
    """
    from charset_normalizer import from_bytes

    sample, n_bytes, n_utf_8, bad_lines = [], 0, 0, []
    for number, line in enumerate(stream, 1):
        if line.isascii():
            continue
        rest = _UTF_8.sub(b"", line)
        n_utf_8 += rest.isascii()
        if not rest.isascii():
            bad_lines.append(number)
        sample.append(line)
        n_bytes += len(line)
        if n_bytes > _SAMPLE_BYTES and bad_lines:
            break
    if n_utf_8 > len(bad_lines):
        raise InputError(
            f"{name} line {bad_lines[0]}: a byte is not UTF-8, as {n_utf_8:,} other lines are: mend it, or pass "
            "--encoding"
        )
    matches = list(from_bytes(b"".join(sample), cp_isolation=_LIKELY))
    near = [match for match in matches if match.chaos <= matches[0].chaos + _NEAR]
    found = {encoding for match in near for encoding in match.could_be_from_charset}
    return next((encoding for encoding in _LIKELY if encoding in found), "latin_1")


def is_utf_8(head: bytes) -> bool:
    """Return whether the first bytes of a text are UTF-8."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeError:
        return False
    return True


def known_encoding(encoding: str | None) -> str | None:
    """Return Python's name of an encoding. Raises InputError for one that it does not know."""
    if encoding is None:
        return None
    try:
        "".encode(encoding)
        name = codecs.lookup(encoding).name
    except (LookupError, ValueError):
        raise InputError(f"--encoding {shorten(encoding)}: expected one such as utf-8, cp1252 or shift_jis") from None
    return "utf-8-sig" if name == "utf-8" else name


def decoded(head: bytes, encoding: str) -> str:
    """Return bytes as text, a character that is cut off at the end left out; where it is none, a byte a character."""
    for name in (encoding, "cp1252", "latin-1"):
        try:
            return codecs.getincrementaldecoder(name)().decode(head)
        except UnicodeError:
            continue
    raise AssertionError("Latin-1 reads every byte")
