"""Say what a file is that is no table, so that one knows what to do about it."""

import re

from cf_excel.errors import FileError

_TABLE = "expected a text table (CSV, TSV)"
_BY_FIRST_BYTES = {
    b"PAR1": "a Parquet file",
    b"PK\x03\x04": "a zip archive",
    b"\x1f\x8b": "a gzip inside another archive",
    b"SQLite": "an SQLite database",
    b"\x89HDF": "an HDF file",
    b"%PDF": "a PDF",
    b"BZh": "a bzip2 inside another archive",
    b"\xfd7zXZ": "an xz inside another archive",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"\x28\xb5\x2f\xfd": "a Zstandard archive",
    b"Rar!": "a RAR archive",
    b"ARROW1": "an Arrow file",
    b"\x93NUMPY": "a NumPy array",
    **{bytes([0x80, version]): "a Python pickle" for version in range(2, 6)},
    **dict.fromkeys((b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*"), "a picture"),
    b"\xff\xfe\0\0": "a text in UTF-32",
}
_BY_FIRST_CHARACTERS = {
    r"\s*<(!doctype\s+html|html|head|body)\b": "a web page (HTML): what was saved is not the file but a page about it",
    r"\s*<(\?xml|!doctype|\w+[\s/>])": "an XML file: save it as CSV",
    r'\s*(\{\s*"|\[\s*[\[{"]|\[\s*-?\d+(\.\d+)?\s*[],])': "a JSON file: save it as CSV",
    r"version https://git-lfs": "a pointer of Git LFS, not the file itself: fetch it with git lfs pull",
    r"\s*\d+:[ \t]*\r?\n": "in the form of the Netflix Prize (a movie's id and a colon, then its ratings): write a "
    "row for each rating: user,movie,rating",
}
# How the name of a zip's first member begins.
_BY_FIRST_MEMBER = {
    ("[content_types].xml", "_rels/", "docprops/", "xl/"): "an Excel workbook",
    ("mimetypeapplication/vnd.oasis.opendocument",): "a LibreOffice workbook",  # its content stands right behind
}
_BINARY = re.compile("[\0-\x08\x0e-\x1a\x1c-\x1f]")  # but \x1b, which colours texts
_HEAD_CHARACTERS = 1000


def refuse_binary(name: str, head: bytes) -> None:
    """Raise FileError for the first bytes of a file of a known kind that is no text."""
    if kind := _workbook(head):
        raise FileError(f"{name} is {kind}: save the sheet as CSV and pass that")
    for magic, kind in _BY_FIRST_BYTES.items():
        if head.startswith(magic):
            raise FileError(f"{name} is {kind}: {_TABLE}")


def _workbook(head: bytes) -> str:
    """Return what kind of workbook begins with these bytes, "" where it is none."""
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        return "an old Excel workbook (.xls)"
    member = head[30:100].decode("latin-1").lower() if head.startswith(b"PK\x03\x04") else ""
    return next((kind for starts, kind in _BY_FIRST_MEMBER.items() if member.startswith(starts)), "")


def refuse_nul(name: str, head: bytes) -> None:
    """Raise FileError where the first line of a text that should have one byte a character has NULs."""
    line = head.partition(b"\n")[0] or head[:_HEAD_CHARACTERS]
    if b"\0" not in line:
        return
    n_even, n_odd = line[::2].count(0), line[1::2].count(0)
    if min(n_even, n_odd) <= 1 and max(n_even, n_odd) > len(line) / 4:  # letters of the West have one NUL each
        raise FileError(f"{name} is UTF-16 without the mark that says so: save it as UTF-8")
    raise FileError(f"{name} is a binary file: {_TABLE}")


def refuse_no_table(name: str, text: str) -> None:
    """Raise FileError for the beginning of a text that is no table: a web page, JSON, cells apart by spaces alone."""
    for pattern, kind in _BY_FIRST_CHARACTERS.items():
        if re.match(pattern, text, re.IGNORECASE):
            raise FileError(f"{name} is {kind}")
    text = text[:_HEAD_CHARACTERS]
    if len(_BINARY.findall(text)) > len(text) / 20:
        raise FileError(f"{name} is a binary file: {_TABLE}")
    lines = [line for line in text.splitlines() if line.strip()][:3]
    n_words = {len(line.split()) for line in lines}
    if len(lines) > 1 and len(n_words) == 1 and min(n_words) > 2 and not any(re.search("[,;|\t]|::", x) for x in lines):
        raise FileError(f"{name} has spaces between its cells: put commas or tabs there")


def shorten(text: str, width: int = 40) -> str:
    """Return a text fit for a message: quoted, without control characters, at most about width characters."""
    return repr(text if len(text) <= width else text[: width - 1] + "…")
