"""What cf_excel wrote is known again, and any change of it shows."""

import zipfile
from dataclasses import replace

import numpy as np
import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from support.cell_texts import write
from support.zip_parts import rewritten

from cf_excel.evaluate import report
from cf_excel.model.file import load_factors, save_factors
from cf_excel.plots import figures
from cf_excel.written import CHANGED, PLACE, UNKNOWN, change_of, sealed


@pytest.fixture(scope="module")
def files(tmp_path_factory, busy_ratings, tiny_model):
    """One file of each kind."""
    folder = tmp_path_factory.mktemp("written")
    write(folder / "book.xlsx", [["a", 1.5], ["b", 2.5]])
    save_factors(tiny_model, folder / "model")
    figures.save_figure(figures.plot_map(np.array(["A"], object), np.zeros((1, 2))), folder / "map")
    report.save(folder, [], busy_ratings, {}, [])
    return {path.name: path for path in folder.iterdir()}


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("scratch")


def test_every_kind_of_file_is_known_again(files):
    assert set(files) == {"book.xlsx", "model", "map.png", "map.svg", "results.json", "results.md"}
    assert {change_of(path) for path in files.values()} == {""}


@given(data=st.data())
def test_any_other_byte_shows(files, scratch, data):
    name = data.draw(st.sampled_from(sorted(files.keys() - {"book.xlsx"})))
    content = bytearray(files[name].read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    (scratch / "file").write_bytes(content)
    assert change_of(scratch / "file") in (CHANGED, UNKNOWN)
    (scratch / "file").write_bytes(content[: data.draw(st.integers(1, len(content) - 1))])
    assert change_of(scratch / "file") in (CHANGED, UNKNOWN)


def test_any_other_part_of_a_workbook_shows(files, tmp_path):
    path = files["book.xlsx"]
    with zipfile.ZipFile(path) as package:
        names = package.namelist()
    copy = tmp_path / "copy.xlsx"
    for changed in names:
        copy.write_bytes(path.read_bytes())
        assert change_of(rewritten(copy, lambda name, content: content)) == ""  # packed otherwise, with the same parts
        rewritten(copy, lambda name, content, changed=changed: content + b" " * (name == changed))
        assert change_of(copy) == CHANGED, changed
    copy.write_bytes(path.read_bytes())
    with zipfile.ZipFile(copy, "a") as package:
        package.writestr("xl/more.xml", "<more/>")
    assert change_of(copy) == CHANGED


def test_a_workbook_that_a_program_saves_was_changed(files, tmp_path):
    book = openpyxl.load_workbook(files["book.xlsx"])
    book.save(tmp_path / "saved.xlsx")
    assert change_of(tmp_path / "saved.xlsx") in (CHANGED, UNKNOWN)


def test_what_others_wrote_is_not_ours(tmp_path):
    path = tmp_path / "file"
    assert change_of(path) == ""
    path.write_bytes(b"")
    assert change_of(path) == ""
    for content in (b"mine", b"PK\3\4 and no zip", b"\x89PNG\r\n\x1a\n", PLACE[:-1].encode()):
        path.write_bytes(content)
        assert change_of(path) == UNKNOWN
    with zipfile.ZipFile(path, "w") as package:
        package.writestr("xl/workbook.xml", "<workbook/>")
    assert change_of(path) == UNKNOWN
    openpyxl.Workbook().save(path)
    assert change_of(path) == UNKNOWN
    assert change_of(tmp_path) == UNKNOWN


def test_files_with_a_digest_can_be_read(files, tiny_model):
    with Image.open(files["map.png"]) as picture:
        picture.load()  # checks every chunk
        assert picture.text["Comment"].startswith("cf_excel sha256 ")
    np.testing.assert_array_equal(load_factors(files["model"]).user_factors, tiny_model.user_factors)
    assert openpyxl.load_workbook(files["book.xlsx"]).properties.identifier.startswith("cf_excel sha256 ")


def test_a_digest_is_that_of_the_rest(tiny_model, tmp_path):
    data = f"a {PLACE} b".encode()
    assert sealed(data) == sealed(sealed(data)) != sealed(data + b".")[:-1]
    save_factors(tiny_model, tmp_path / "a")
    save_factors(replace(tiny_model, global_mean=1.0), tmp_path / "b")
    digests = [path.read_bytes().partition(b"cf_excel sha256 ")[2][:64] for path in (tmp_path / "a", tmp_path / "b")]
    assert digests[0] != digests[1]
