"""Parts that are packed piece by piece are parts of a plain zip."""

import zipfile
import zlib
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.owned import make

from cf_excel.errors import FileError
from cf_excel.xlsx.edit import compression as packing
from cf_excel.xlsx.edit.zip_archive import open_archive


@pytest.fixture
def path(tmp_path):
    return make(tmp_path / "w.xlsx")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(content=st.lists(st.binary(max_size=200)), piece=st.sampled_from([1, 7, 100, 10_000]))
def test_content_of_any_pieces_reads_back(path, monkeypatch, content, piece):
    monkeypatch.setattr(packing, "PIECE", piece)
    archive, out = open_archive(path), path.with_name("out.xlsx")
    archive.put("xl/new.bin", iter(content))
    whole = b"".join(content)
    assert archive.size("xl/new.bin") == len(whole)
    assert archive.read("xl/new.bin") == whole
    archive.save(out)
    with zipfile.ZipFile(out) as package:
        assert package.testzip() is None
        assert package.read("xl/new.bin") == whole
        assert package.namelist()[:-1] == zipfile.ZipFile(path).namelist()


def test_the_same_content_gives_the_same_bytes(path, monkeypatch):
    monkeypatch.setattr(packing, "PIECE", 1000)
    saved = []
    for _ in range(3):
        archive, out = open_archive(path), path.with_name("out.xlsx")
        archive.put("xl/new.bin", (bytes([i % 7]) * 99 for i in range(200)))
        archive.save(out)
        saved.append(out.read_bytes())
    assert saved[0] == saved[1] == saved[2]


def test_parts_that_are_unpacked_ahead_are_the_same(path):
    plain, ahead = open_archive(path), open_archive(path)
    ahead.unpack_ahead([*ahead.names, *ahead.names, "not there"])
    assert [ahead.read(name) for name in ahead.names] == [plain.read(name) for name in plain.names]


def test_a_damaged_part_that_is_unpacked_ahead_is_named(path):
    archive = open_archive(path)
    name = "xl/worksheets/sheet1.xml"
    part = archive._parts[name]
    archive._parts[name] = packing.Part(part.entry, part.packed[:-9])
    archive.unpack_ahead([name])
    with pytest.raises(FileError, match=r"w\.xlsx is damaged: xl/worksheets/sheet1\.xml"):
        archive.read(name)


def test_what_does_not_unpack_to_what_it_was_is_not_written(path, monkeypatch):
    archive, before = open_archive(path), path.read_bytes()
    other = SimpleNamespace(decompress=lambda packed: b"something else")
    monkeypatch.setattr(packing, "zlib", SimpleNamespace(**vars(zlib) | {"decompressobj": lambda _: other}))
    archive.put("xl/new.bin", b"content")
    with pytest.raises(FileError, match="what was packed does not unpack to what it was"):
        archive.save(path)
    assert path.read_bytes() == before
