"""Zips and gzips that are broken, hostile or no text are refused in one line, and nothing is unpacked to disk."""

import gzip
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.ratings_files import CSV, HEAD, refusal_of_file, write_zip, zipped

from cf_excel import zip_guard
from cf_excel.errors import CfExcelError, FileError
from cf_excel.ratings.readers import load_ratings


def encrypted(content: bytes) -> bytes:
    """Set the flag of the only member, in its own header and in the directory, that says so."""
    marked = bytearray(content)
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        marked[marked.index(magic) + offset] |= 1
    return bytes(marked)


TOO_MUCH = r"unpacks to [0-9,]+ bytes or more: no ratings are packed like that"
MANY_ROWS = HEAD + "".join(f"{i},{i * 7 % 1000},3,{i}\n" for i in range(5000))
RATINGS_IN_ZIP = zipped({"ratings.csv": MANY_ROWS})
GZIPPED = gzip.compress(MANY_ROWS.encode())

REFUSED = {
    "a broken workbook": (zipped({"[Content_Types].xml": "", "xl/workbook.xml": ""}), "can't be read as a workbook: "),
    "a broken old workbook": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 99, "can't be read as a workbook: "),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is a picture: expected a text table"),
    "Parquet in gzip": (gzip.compress(b"PAR1\x15\x04\x15\0"), "is a Parquet file"),
    "gzip in gzip": (gzip.compress(gzip.compress(CSV.encode())), "is a gzip inside another archive"),
    "a truncated gzip": (GZIPPED[:-2000], "can't be read to its end: it ends too early (a broken download?)"),
    "a gzip cut in its header": (GZIPPED[:5], "can't be read"),
    "a damaged gzip": (GZIPPED[:500] + b"\xff" * 50 + GZIPPED[550:], "can't be read to its end"),
    "a truncated zip": (RATINGS_IN_ZIP[:-30], "can't be read: File is not a zip file"),
    "a damaged zip": (RATINGS_IN_ZIP[:500] + b"\xff" * 50 + RATINGS_IN_ZIP[550:], "can't be read to its end"),
    "an encrypted zip": (encrypted(RATINGS_IN_ZIP), "ratings.csv/ratings.csv is encrypted: unpack it"),
    "a zip with a path above": (zipped({"ratings.csv": CSV, "../evil": ""}), "outside itself ('../evil'): not read"),
    "a zip with a path from the root": (zipped({"ratings.csv": CSV, "/evil": ""}), "outside itself ('/evil')"),
    "a zip with a Windows path": (zipped({"ratings.csv": CSV, "C:\\evil": ""}), "outside itself ('"),
    "a zip with a backslash path": (zipped({"ratings.csv": CSV, "a\\..\\..\\evil": ""}), "outside itself ('"),
    "a zip without tables": (zipped({"readme.md": "", "notes.md": ""}), "table of ratings (found: no table)"),
    "a zip of many tables": (
        zipped({"a.csv": CSV, "b.csv": CSV}),
        "table of ratings (found: ratings.csv/a.csv, ratings.csv/b.csv)",
    ),
    "an empty zip": (zipped({}), "table of ratings (found: no table)"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_one_line_with_nothing_written(tmp_path, capsys, case):
    content, message = REFUSED[case]
    assert message in refusal_of_file(tmp_path, capsys, content)


@pytest.mark.parametrize("form", ["zip", "gzip"])
def test_what_unpacks_to_too_much_is_refused_after_a_little(tmp_path, monkeypatch, form):
    monkeypatch.setattr(zip_guard, "SMALL_BYTES", 1_000_000)
    text = HEAD + "1,2,3,4\n" * 2_000_000
    path = tmp_path / "ratings"
    if form == "gzip":
        path.write_bytes(gzip.compress(text.encode(), 1))
    else:
        # the directory says less than what comes: only counting helps
        lying = zipped({"ratings.csv": text}).replace(struct.pack("<I", len(text)), struct.pack("<I", 900_000))
        path.write_bytes(lying)
    with pytest.raises(FileError, match=TOO_MUCH if form == "gzip" else f"{TOO_MUCH}|can't be read to its end"):
        load_ratings(path)


@given(
    st.sampled_from([MANY_ROWS.encode()[:300], gzip.compress(CSV.encode()), zipped({"ratings.csv": CSV, "a": ""})]),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 8), st.binary(max_size=4)), min_size=1, max_size=4),
)
@settings(max_examples=300)
def test_any_damage_is_read_or_refused(tmp_path_factory, content, edits):
    for place, n_bytes, instead in edits:
        at = int(place * len(content))
        content = content[:at] + instead + content[at + n_bytes :]
    path = tmp_path_factory.mktemp("damaged") / "ratings.csv"
    path.write_bytes(content)
    message = ""
    try:
        ratings = load_ratings(path)
    except CfExcelError as error:
        message = str(error)
    else:
        assert np.isfinite(ratings.rating).all()
        assert (len(ratings), ratings.n_users) == (len(ratings.user_idx), ratings.user_idx.max() + 1)
    assert message.isprintable()


def test_what_is_packed_as_ratings_are_is_read_however_long(tmp_path, monkeypatch):
    monkeypatch.setattr(zip_guard, "SMALL_BYTES", 0)
    path = tmp_path / "ratings.gz"
    path.write_bytes(GZIPPED)
    assert len(load_ratings(path)) == 5000


@pytest.mark.parametrize("size", [10 * 2**30, 2**32 - 2])
def test_a_zip_that_says_it_unpacks_to_gigabytes_is_not_even_opened(tmp_path, monkeypatch, size):
    path = write_zip(tmp_path / "bomb.zip", {"ratings.csv": CSV})
    get_entry = zipfile.ZipFile.getinfo

    def lie(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
        entry = get_entry(archive, name)
        entry.file_size = size
        return entry

    monkeypatch.setattr(zipfile.ZipFile, "getinfo", lie)
    with pytest.raises(FileError, match=rf"bomb.zip/ratings.csv unpacks to {size:,} bytes or more: no ratings"):
        load_ratings(path)


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    path = tmp_path / "ratings.csv"
    path.write_text(CSV)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(FileError, match=r"ratings.csv can't be read: permission denied"):
        load_ratings(path)
