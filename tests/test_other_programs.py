"""Every workbook that is written, in programs of other people: ExcelJS, SheetJS, calamine, Gnumeric, openxml-audit."""

import json
import math
import os
import re
import shutil
import subprocess
import warnings
import zipfile
from dataclasses import replace
from datetime import date
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import openpyxl
import pytest
from python_calamine import CalamineWorkbook
from support.hosts import missing
from support.models import list_factors
from support.own_books import list_book
from support.recommenders import random_factors
from support.zip_parts import rewritten

import cf_excel
from cf_excel.cli import main
from cf_excel.sheets.gradient.gradient_books import build_gradient
from cf_excel.sheets.lesson.collab import build_collab
from cf_excel.sheets.recommender.recommender_book import build_recommender

pytestmark = pytest.mark.slow
RECALCULATED = ("collab_filter.xlsx", "gradient_descent.xlsx", "recommender.xlsx", "solved.xlsx", "written.xlsx")


@pytest.fixture(scope="module")
def books(tmp_path_factory, busy_ratings) -> dict[str, Path]:
    """One workbook of each sort, by name."""
    folder = tmp_path_factory.mktemp("books")
    build_gradient(folder, n_epochs=6, n_points=12)  # every kind of cell and chart is in it
    build_collab(busy_ratings, folder / "collab_filter.xlsx")
    cf_excel.solve(folder / "collab_filter.xlsx", out=folder / "solved.xlsx")
    model = folder / "model.safetensors"
    cf_excel.save_factors(cf_excel.train(busy_ratings, kind="bayes", split="none"), model)
    cf_excel.write(folder / "collab_filter.xlsx", model=model, out=folder / "written.xlsx")
    factors = random_factors("bayes")
    factors = replace(factors, lists=list_factors(n_movies=factors.n_movies))
    build_recommender(factors, folder / "recommender.xlsx", made=date(2026, 1, 2))
    cf_excel.fill(list_book(folder / "scores.xlsx"))
    assert main(["functions", "add", str(folder / "scores.xlsx")]) == 0
    assert main(["recommend", "--all", "-n", "3", "--model", str(model), "--out", str(folder / "answers.xlsx")]) == 0
    return {path.name: path for path in sorted(folder.glob("*.xls*"))}


@pytest.fixture(scope="module")
def stored(books) -> dict[str, dict[str, dict]]:
    """What each of the books stores, by its name, sheet and place."""
    return {name: values_of(path) for name, path in books.items()}


@pytest.fixture(scope="module")
def by_node(books) -> dict[str, dict]:
    """What ExcelJS and SheetJS find, by the workbook's path."""
    modules = os.environ.get("CF_EXCEL_NODE_MODULES")
    if not (modules and (Path(modules) / "exceljs").is_dir() and (Path(modules) / "xlsx").is_dir()):
        missing("ExcelJS or SheetJS (npm: exceljs xlsx; CF_EXCEL_NODE_MODULES names the folder)")
    script = Path(__file__).parent / "support" / "node_readers.js"
    done = subprocess.run(
        ["node", script, *books.values()],
        env={**os.environ, "NODE_PATH": modules},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def by_gnumeric(tmp_path_factory):
    """Return a function that gives all values of a workbook as Gnumeric calculates them, by sheet and place."""
    if not shutil.which("ssconvert"):
        missing("Gnumeric")

    def recalculate(path: Path) -> dict[str, dict]:
        out = tmp_path_factory.mktemp("gnumeric") / path.name
        subprocess.run(["ssconvert", "--recalc", path, out], capture_output=True, check=True)
        return values_of(out)

    return recalculate


def values_of(path: Path) -> dict[str, dict[tuple[int, int], object]]:
    """Return what a workbook stores, blank cells left out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Gnumeric's files have no default style
        book = openpyxl.load_workbook(path, data_only=True)
    return {
        sheet.title: {
            (cell.row, cell.column): cell.value
            for row in sheet.iter_rows()
            for cell in row
            if cell.value not in (None, "")
        }
        for sheet in book.worksheets
    }


def numbers_in(cells: dict) -> list[float]:
    return [value for value in cells.values() if isinstance(value, (int, float)) and not isinstance(value, bool)]


@pytest.mark.parametrize("program", ["exceljs", "sheetjs"])
def test_programs_on_node_read_every_number(books, stored, by_node, program):
    assert len(books) == 9
    for name, sheets in stored.items():
        found = by_node[str(books[name])][program]
        assert list(found) == list(sheets)
        for title, cells in sheets.items():
            numbers = numbers_in(cells)
            assert found[title]["n"] == sum(number != 0 for number in numbers), (name, title)
            assert found[title]["sum"] == pytest.approx(math.fsum(numbers), rel=1e-9)


def test_calamine_reads_every_number(books, stored):
    for name, sheets in stored.items():
        book = CalamineWorkbook.from_path(books[name])
        for title, cells in sheets.items():
            rows = book.get_sheet_by_name(title).to_python()
            found = [value for row in rows for value in row if isinstance(value, float)]
            numbers = numbers_in(cells)
            assert len(found) == len(numbers), (name, title)
            assert math.fsum(found) == pytest.approx(math.fsum(numbers), rel=1e-9)


def test_openxml_audit_finds_no_error(books):
    """But for the recommender, for which it takes minutes."""
    if find_spec("openxml_audit") is None:
        missing("openxml-audit")
    audit = import_module("openxml_audit")
    validator = audit.OpenXmlValidator(file_format=audit.FileFormat.MICROSOFT_365)
    for name in books.keys() - {"recommender.xlsx"}:
        result = validator.validate(books[name])
        assert not [error for error in result.errors if error.severity.name == "ERROR"], name


def test_properties_name_the_workbook_and_no_library(books):
    for name in books.keys() - {"scores.xlsx", "scores.xlsm"}:  # of somebody's own
        properties = openpyxl.load_workbook(books[name], read_only=True).properties
        assert (properties.creator, bool(properties.title)) == ("cf_excel", True), name
    for path in books.values():
        with zipfile.ZipFile(path) as archive:
            assert not any(b"openpyxl" in archive.read(part) for part in archive.namelist() if "docProps" in part)


def check_equal(found: dict, expected: dict) -> None:
    assert list(found) == list(expected)
    for title, cells in expected.items():
        assert found[title].keys() == cells.keys()
        for place, value in cells.items():
            wanted = pytest.approx(value, rel=1e-9, abs=1e-9) if isinstance(value, (int, float)) else value
            assert found[title][place] == wanted, (title, place)


@pytest.mark.parametrize("name", RECALCULATED)
def test_gnumeric_calculates_what_is_stored(books, stored, by_gnumeric, name):
    check_equal(by_gnumeric(books[name]), stored[name])


@pytest.mark.libreoffice
@pytest.mark.parametrize(
    ("name", "sheet"), [("collab_filter.xlsx", "dotprod"), ("solved.xlsx", "bias"), ("gradient_descent.xlsx", "data")]
)
def test_gnumeric_and_libreoffice_agree_once_inputs_change(books, stored, by_gnumeric, office, tmp_path, name, sheet):
    """The stored results are stale then: neither program can have taken them."""
    path = tmp_path / name
    shutil.copy(books[name], path)
    part = f"xl/worksheets/sheet{list(stored[name]).index(sheet) + 1}.xml"

    def larger(match: re.Match[bytes]) -> bytes:  # whole numbers are ids or counts, but for the points
        return (
            match[1] + str(1.25 * float(match[2])).encode() + match[3]
            if b"." in match[2] or sheet == "data"
            else match[0]
        )

    def change(name: str, content: bytes) -> bytes:
        constant = rb'(<c r="[A-Z]+[0-9]+" s="[0-9]+"><v>)(-?[0-9.]+)(</v></c>)'
        return re.sub(constant, larger, content) if name == part else content

    before = numbers_in(stored[name]["intro"])
    rewritten(path, change)
    found = by_gnumeric(path)
    assert any(abs(a - b) > 1e-3 for a, b in zip(numbers_in(found["intro"]), before, strict=True))
    for title, sheet_found in office.recalculate(path).items():
        for (row, column), value in found[title].items():
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                assert sheet_found["values"][row - 1][column - 1] == pytest.approx(value, rel=1e-9, abs=1e-9), (
                    title,
                    row,
                )


def with_inputs(path: Path, inputs: dict[str, object]) -> Path:
    """Put texts and numbers into cells of the first sheet, as somebody's program would: the stored results stay."""

    def change(name: str, content: bytes) -> bytes:
        if name != "xl/worksheets/sheet1.xml":
            return content
        for address, value in inputs.items():
            cell = rf'<c r="{address}" s="([0-9]+)"[^>]*?(?:/>|>.*?</c>)'.encode()
            inner = f"><v>{value}</v>" if isinstance(value, (int, float)) else f' t="inlineStr"><is><t>{value}</t></is>'
            content, n = re.subn(cell, rf'<c r="{address}" s="\1"{inner}</c>'.encode(), content)
            assert n == 1, address
        return content

    return rewritten(path, change)


@pytest.mark.libreoffice
@pytest.mark.parametrize("kind", ["dot-bias", "bayes", "bayes score"])
def test_gnumeric_and_libreoffice_recommend_the_same_once_inputs_change(by_gnumeric, office, tmp_path, kind):
    """Another user, another movie, and four ratings of one's own, under the results for those before."""
    recommender = build_recommender(random_factors(kind, seed=4), tmp_path / "recommender.xlsx", made=date(2026, 1, 2))
    sheet, titles = recommender.book.predict, recommender.titles
    before = values_of(tmp_path / "recommender.xlsx")[sheet.title]
    inputs = {sheet.picked_user.first: int(recommender.factors.user_ids[7]), sheet.picked_movie.first: titles[60]}
    for i, (movie, rating) in enumerate([(titles[33], 0.5), (titles[71], 5), (titles[90], 3.5), (titles[31], 4)]):
        inputs |= {sheet.rated_titles.row(i).first: movie, sheet.given_ratings.row(i).first: rating}
    path = with_inputs(tmp_path / "recommender.xlsx", inputs)
    found, expected = by_gnumeric(path), office.recalculate(path)
    n_compared = 0
    for title, cells in found.items():
        for (row, column), value in cells.items():
            wanted = expected[title]["values"][row - 1][column - 1]
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                assert wanted == pytest.approx(value, rel=1e-9, abs=1e-9), (title, row, column)
                n_compared += 1
            elif title == sheet.title:
                assert wanted == value, (row, column)
    assert n_compared > 1000
    for name in ("best", "similar", "yours"):
        scores = sheet.list_at(name).column(3)
        places = [(row, scores.left) for row in range(scores.top, scores.bottom + 1)]
        assert [found[sheet.title][place] for place in places] != [before[place] for place in places], name
