"""Compound files as an independent reader (olefile) sees them."""

import io

import olefile
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cf_excel.xlsx.vba.compound_file import compound_file

NAMES = st.text("abcXYZ_09", min_size=1, max_size=31)
# sizes around those of a mini sector, a sector, and the largest stream that is kept in mini sectors
SIZES = st.sampled_from([0, 1, 63, 64, 65, 511, 512, 513, 4095, 4096, 4097, 70_000])


def streams(content: bytes) -> dict[str, bytes]:
    with olefile.OleFileIO(io.BytesIO(content), raise_defects=olefile.DEFECT_POTENTIAL) as file:
        return {"/".join(path): file.openstream(path).read() for path in file.listdir()}


@given(st.dictionaries(NAMES, SIZES, max_size=12), st.dictionaries(NAMES, SIZES, max_size=12))
def test_every_stream_comes_back(outer, inner):
    outer = {name.upper(): bytes([i + 1]) * size for i, (name, size) in enumerate(outer.items())}
    inner = {name.upper(): bytes([i + 100]) * size for i, (name, size) in enumerate(inner.items())}
    content = compound_file({**outer, "a folder of streams": inner})
    assert streams(content) == outer | {f"a folder of streams/{name}": data for name, data in inner.items()}


def test_many_sectors():
    content = compound_file({"big": bytes(range(256)) * 4000, "small": b"x"})
    assert streams(content) == {"big": bytes(range(256)) * 4000, "small": b"x"}


def test_too_large():
    with pytest.raises(ValueError, match="too many bytes"):
        compound_file({"huge": bytes(8_000_000)})
