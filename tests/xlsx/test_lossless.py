"""solve and write on workbooks full of what openpyxl drops: what must change does, and nothing else."""

import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from support import owned
from support.models import small_factors
from support.owned import BIAS, DECORATIONS, DOT, EMB, RATINGS, course, decorated, make, with_prefix
from support.package_parts import MAIN, differing_cells, packed
from support.zip_parts import rewritten

from cf_excel.cli import main
from cf_excel.model.file import save_factors
from cf_excel.xlsx.cells import Block, cell
from cf_excel.xlsx.edit.new_sheet import replace_sheet
from cf_excel.xlsx.edit.workbook_file import OpenedBook
from cf_excel.xlsx.write.sheet_cells import SheetCells


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """A model of kind dot that fits the collection's dotprod and movielens_emb."""
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save_factors(small_factors("dot"), path)
    return path


def addresses(*blocks: Block) -> set[str]:
    return {cell(r, c) for b in blocks for r in range(b.top, b.bottom + 1) for c in range(b.left, b.right + 1)}


TARGETS = {
    "dotprod": addresses(DOT.user_factors, DOT.movie_factors),
    "bias": addresses(BIAS.user_factors, BIAS.movie_factors, BIAS.user_bias, BIAS.movie_bias),
    "movielens_emb": addresses(EMB.user_factors, EMB.movie_factors),
}
RESULTS = {
    "dotprod": addresses(DOT.predictions, DOT.rmse),
    "bias": addresses(BIAS.predictions, BIAS.rmse),
    "movielens_emb": addresses(
        EMB.rating_user_factors, EMB.rating_movie_factors, EMB.predictions, EMB.squared_errors, EMB.rmse
    ),
}


MARK = re.compile(rb"\n<!-- cf_excel copy, sha256 [0-9a-f]{64} -->\Z")  # of a copy


def sheet_titles(path: Path) -> dict[str, str]:
    """Title of every worksheet's part."""
    with zipfile.ZipFile(path) as package:
        rels = {
            r.get("Id"): r.get("Target") for r in ElementTree.fromstring(package.read("xl/_rels/workbook.xml.rels"))
        }
        sheets = ElementTree.fromstring(package.read("xl/workbook.xml")).iter(f"{MAIN}sheet")
        kind = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
        return {"xl/" + rels[s.get(kind)].removeprefix("/xl/"): s.get("name") for s in sheets}


def check_only_cells_differ(before: Path, after: Path, targets: dict[str, set[str]]) -> dict[str, set[str]]:
    """Check two workbooks part by part; return the formula cells whose results differ, by sheet."""
    old, new, titles = packed(before), packed(after), sheet_titles(before)
    assert list(old) == list(new)
    results = {}
    with zipfile.ZipFile(before) as first, zipfile.ZipFile(after) as second:
        for name in old:
            if old[name] == new[name]:
                continue
            was, now = first.read(name), second.read(name)
            if name == "xl/workbook.xml":
                now = MARK.sub(b"", now)
                assert b'fullCalcOnLoad="1"' in now
                assert was.replace(b' fullCalcOnLoad="1"', b"") == now.replace(b' fullCalcOnLoad="1"', b"")
                continue
            title = titles[name]
            for address, (was_cell, now_cell) in differing_cells(was, now).items():
                formula = was_cell.find(f"{MAIN}f")
                keep = ("r", "s") if formula is None else ("r", "s", "cm", "vm")
                assert [was_cell.get(key) for key in keep] == [now_cell.get(key) for key in keep]
                if address in targets.get(title, ()):
                    assert formula is None
                    assert [part.tag for part in now_cell] == [f"{MAIN}v"]
                    continue
                results.setdefault(title, set()).add(address)
                rest = [part for part in now_cell if part.tag != f"{MAIN}v"]
                assert [ElementTree.tostring(p) for p in rest] == [
                    ElementTree.tostring(p) for p in was_cell if p.tag != f"{MAIN}v"
                ]
    return results


@pytest.mark.validator
@pytest.mark.parametrize("name", DECORATIONS)
def test_everything_else_survives(tmp_path, model, validator_errors, name):
    before = decorated(name, tmp_path)
    solved, written = before.with_stem("solved"), before.with_stem("written")
    assert main(["solve", str(before), "--out", str(solved)]) == 0
    stale = check_only_cells_differ(before, solved, TARGETS)
    for title, expected in RESULTS.items():
        assert stale[title] <= expected
    assert main(["write", str(solved), "--model", str(model), "--out", str(written)]) == 0
    with zipfile.ZipFile(solved) as first, zipfile.ZipFile(written) as second:
        names = second.namelist()
        assert names[: len(first.namelist())] == first.namelist()
        assert len(names) == len(first.namelist()) + 1
        own = {name for name, title in sheet_titles(before).items() if title in RESULTS or title in stale}
        may = own | {"xl/workbook.xml", "xl/_rels/workbook.xml.rels", "[Content_Types].xml"}
        assert {name for name in first.namelist() if first.read(name) != second.read(name)} <= may
    errors = validator_errors(written)
    assert errors == [] or errors == validator_errors(before)


def test_results_that_depend_on_others_are_followed(tmp_path):
    before, after = decorated("names", tmp_path), tmp_path / "after.xlsx"
    assert main(["solve", str(before), "--out", str(after)]) == 0
    stale = check_only_cells_differ(before, after, TARGETS)
    # everything but =1+1 and a cell that stays: through names, names of names, INDIRECT and a range of sheets
    assert stale["sums"] == {"A1", "A2", "A3", "A4", "A5", "B1"}


def test_tables_that_do_not_depend_are_left_alone(tmp_path):
    before, after = decorated("tables", tmp_path), tmp_path / "after.xlsx"
    assert main(["solve", str(before), "--out", str(after)]) == 0
    stale = check_only_cells_differ(before, after, TARGETS)
    assert stale["my table"] == {"F1"}


def test_a_filled_formula_is_old_only_where_it_depends(tmp_path):
    def fill(name: str, content: bytes) -> bytes:
        if name != "xl/worksheets/sheet4.xml":
            return content
        first = '<row r="1"><c r="A1"><f t="shared" ref="A1:A60" si="0">dotprod!B1*2</f><v>1</v></c></row>'
        rows = [f'<row r="{r}"><c r="A{r}"><f t="shared" si="0"/><v>1</v></c></row>' for r in range(2, 61)]
        return content.replace(b"<sheetData/>", f"<sheetData>{first}{''.join(rows)}</sheetData>".encode())

    path = make(tmp_path / "filled.xlsx", lambda workbook, _: workbook.add_worksheet("mine"))
    before, after = rewritten(path, fill), tmp_path / "after.xlsx"
    assert main(["solve", str(before), "--out", str(after)]) == 0
    stale = check_only_cells_differ(before, after, TARGETS)
    assert DOT.user_factors.left == 2
    assert stale["mine"] == addresses(Block(DOT.user_factors.top, 1, DOT.user_factors.bottom, 1))


def test_array_formulas_lose_their_old_results_whole(tmp_path):
    before, after = decorated("arrays", tmp_path), tmp_path / "after.xlsx"
    assert main(["solve", str(before), "--out", str(after)]) == 0
    stale = check_only_cells_differ(before, after, TARGETS)
    assert stale["arrays"] == addresses(Block(1, 1, 2, 4)) | {"A6"}


def test_prefixed_elements(tmp_path, office):
    before, after = rewritten(make(tmp_path / "p.xlsx"), with_prefix), tmp_path / "after.xlsx"
    assert main(["solve", str(before), "--out", str(after)]) == 0
    check_only_cells_differ(before, after, TARGETS)
    with zipfile.ZipFile(after) as package:
        sheet = ElementTree.fromstring(package.read("xl/worksheets/sheet1.xml"))
    found = office.recalculate(after)["dotprod"]["values"]
    stored = {c.get("r"): float(c.find(f"{MAIN}v").text) for c in sheet.iter(f"{MAIN}c")}
    for block in (DOT.user_factors, DOT.movie_factors, DOT.predictions, DOT.rmse):
        for row in range(block.top, block.bottom + 1):
            for column in range(block.left, block.right + 1):
                assert found[row - 1][column - 1] == pytest.approx(stored[cell(row, column)], abs=1e-9)


@pytest.mark.libreoffice
def test_the_courses_own_formulas(tmp_path, office):
    before, after = course(tmp_path / "course.xlsx"), tmp_path / "after.xlsx"
    assert main(["solve", str(before), "--out", str(after)]) == 0
    check_only_cells_differ(before, after, TARGETS)
    found = office.recalculate(after)
    # a root of a sum that LibreOffice takes over blanks, too, with the biases that are their predictions
    by_excel = BIAS.rmse.first
    for number, (title, wanted) in enumerate(RESULTS.items(), 1):
        assert found[title]["errors"] == ""
        with zipfile.ZipFile(after) as package:
            sheet = ElementTree.fromstring(package.read(f"xl/worksheets/sheet{number}.xml"))
        stored = {c.get("r"): float(c.find(f"{MAIN}v").text) for c in sheet.iter(f"{MAIN}c") if c.get("r") in wanted}
        assert stored.keys() == wanted
        for address, value in stored.items():
            if (title, address) == ("bias", by_excel):
                continue
            row, column = PLACES[address]
            assert value == pytest.approx(found[title]["values"][row - 1][column - 1], abs=1e-9), (title, address)
        if title == "bias":
            predicted = np.array(
                [[stored[cell(row, column)] for column in columns_of(BIAS)] for row in rows_of(BIAS)], dtype=float
            )
            assert (predicted[np.isnan(RATINGS)] != 0).all()
            errors = (predicted - RATINGS)[~np.isnan(RATINGS)]
            assert stored[by_excel] == pytest.approx(np.sqrt(np.sum(errors**2)), abs=1e-9)


def rows_of(layout: owned.GridSheet) -> range:
    return range(layout.predictions.top, layout.predictions.bottom + 1)


def columns_of(layout: owned.GridSheet) -> range:
    return range(layout.predictions.left, layout.predictions.right + 1)


PLACES = {cell(row, column): (row, column) for row in range(1, EMB.ratings.bottom + 1) for column in range(1, 40)}


@pytest.mark.libreoffice
def test_a_pivot_table_of_libreoffice_survives(tmp_path, model, office):
    before, after = tmp_path / "pivot.xlsx", tmp_path / "after.xlsx"
    source = Block(EMB.ratings.top - 1, EMB.ratings.left, EMB.ratings.bottom, EMB.ratings.right)
    edges = source.left - 1, source.top - 1, source.right - 1, source.bottom - 1
    office.call("add_pivot", str(make(tmp_path / "plain.xlsx", headers)), str(before), "movielens_emb", edges)
    with zipfile.ZipFile(before) as package:
        assert [name for name in package.namelist() if "pivotTable" in name]
    assert main(["solve", str(before), "--out", str(after)]) == 0
    stale = check_only_cells_differ(before, after, TARGETS)
    assert set(stale) == set(RESULTS)
    written = tmp_path / "written.xlsx"
    assert main(["write", str(after), "--model", str(model), "--out", str(written)]) == 0
    old, new = packed(after), packed(written)
    assert all(new[name] == old[name] for name in old if "pivot" in name)


def headers(workbook: object, sheets: owned.Sheets) -> None:
    owned.put(sheets["movielens_emb"], Block(2, EMB.ratings.left, 2, EMB.ratings.right), ["user", "movie", "rating"])


def with_calculation_chain(name: str, content: bytes) -> bytes:
    """Add the relation and the content type of a part that lists the formulas."""
    if name == "xl/_rels/workbook.xml.rels":
        kind = b"http://schemas.openxmlformats.org/officeDocument/2006/relationships/calcChain"
        new = b'<Relationship Id="rId99" Type="%s" Target="calcChain.xml"/></Relationships>' % kind
        return content.replace(b"</Relationships>", new)
    if name == "[Content_Types].xml":
        kind = b"application/vnd.openxmlformats-officedocument.spreadsheetml.calcChain+xml"
        return content.replace(b"</Types>", b'<Override PartName="/xl/calcChain.xml" ContentType="%s"/></Types>' % kind)
    return content


@pytest.mark.validator
def test_the_calculation_chain_stays_until_formulas_are_added(tmp_path, model, validator_errors, capsys):
    def add_chain() -> bytes:
        with zipfile.ZipFile(rewritten(path, with_calculation_chain), "a") as package:
            chain = f'<calcChain xmlns="{MAIN[1:-1]}"><c r="{DOT.rmse.first}" i="1"/></calcChain>'
            package.writestr("xl/calcChain.xml", chain)
        return packed(path)["xl/calcChain.xml"]

    path = make(tmp_path / "chain.xlsx")
    before = add_chain()
    assert validator_errors(path) == []
    write = ["write", str(path), "--model", str(model)]
    assert main(["solve", str(path), "--optimizer", "adam", "--history"]) == 0
    assert packed(path)["xl/calcChain.xml"] == before
    assert "chain" not in capsys.readouterr().err
    assert main(write) == 0
    assert "note: formulas are added or removed, so that Excel's calculation chain goes" in capsys.readouterr().err
    with zipfile.ZipFile(path) as package:
        assert "xl/calcChain.xml" not in package.namelist()
        assert b"calcChain" not in package.read("[Content_Types].xml") + package.read("xl/_rels/workbook.xml.rels")
    assert validator_errors(path) == []
    before = add_chain()
    assert main(write) == 0  # again, and so with formulas in the same cells
    assert packed(path)["xl/calcChain.xml"] == before
    book = OpenedBook(path)
    cells = SheetCells({"plain": 0})
    cells.put(DOT.rmse, "plain", [[1]])
    replace_sheet(book, "model", cells, b"<worksheet><sheetData/></worksheet>", widths={})
    assert "xl/calcChain.xml" not in book.archive.names
