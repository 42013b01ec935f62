"""The folder of the server: what is in it stays, but for a certificate that is of no use any more."""

import os
import re
import ssl

import pytest

from cf_excel.errors import FileError
from cf_excel.udf.server import project
from cf_excel.udf.server.project import prepare

pytest.importorskip("cryptography", reason="the extra server is not installed")


def test_the_folder_keeps_its_identity(tmp_path):
    prepare(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    prepare(tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def issued(folder, monkeypatch, days):
    """Prepare a folder with a certificate of ours for a number of days; return what is in its files."""
    with monkeypatch.context() as patch:
        patch.setattr(project, "_DAYS", days)
        prepare(folder)
    return pair_in(folder)


def pair_in(folder):
    return [(folder / name).read_bytes() for name in ("localhost.crt", "localhost.key")]


@pytest.mark.parametrize(("days", "is_new"), [(0, True), (30, True), (32, False)])
def test_a_certificate_that_ends_is_made_anew(tmp_path, monkeypatch, days, is_new):
    before = issued(tmp_path, monkeypatch, days)
    note = prepare(tmp_path)
    after = pair_in(tmp_path)
    assert [new != old for new, old in zip(after, before, strict=True)] == [is_new, is_new]
    said = re.search(r"localhost.crt was good until 20\d\d-\d\d-\d\d: there is a new one; trust it", note or "")
    assert bool(said) == is_new
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "localhost.crt", tmp_path / "localhost.key")
    assert prepare(tmp_path) == ""
    assert pair_in(tmp_path) == after


def test_a_certificate_without_its_key_is_made_anew(tmp_path, monkeypatch):
    before = issued(tmp_path, monkeypatch, 300)
    other = issued(tmp_path / "other", monkeypatch, 300)
    (tmp_path / "localhost.key").write_bytes(other[1])
    assert "localhost.crt did not fit its key: there is a new one" in prepare(tmp_path)
    assert pair_in(tmp_path)[0] != before[0]
    (tmp_path / "localhost.key").write_text("no key")
    with pytest.raises(FileError, match="is damaged: delete both"):
        prepare(tmp_path)


def test_a_certificate_of_ones_own_stays(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(project, "_COMMON_NAME", "cf.example.org")
        before = issued(tmp_path, monkeypatch, 0)
    assert prepare(tmp_path) == ""
    assert pair_in(tmp_path) == before


@pytest.mark.skipif(os.name != "posix", reason="Windows has no modes")
def test_the_key_is_nobody_elses_from_its_first_byte(tmp_path, monkeypatch):
    modes, of = [], os.replace

    def replace(source, target):
        modes.append((target.name, os.stat(source).st_mode & 0o777))
        of(source, target)

    monkeypatch.setattr("os.replace", replace)
    before = os.umask(0o022)
    try:
        prepare(tmp_path)
        (tmp_path / "localhost.key").chmod(0o644)
        (tmp_path / "localhost.crt").unlink()
        prepare(tmp_path)
    finally:
        os.umask(before)
    assert [mode for name, mode in modes if name == "localhost.key"] == [0o600, 0o600]
    assert {mode for name, mode in modes if name != "localhost.key"} == {0o644}
