"""A second model takes the place of the first, unless somebody has put something else on its sheet."""

import re
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from support.models import model_of, saved, values_in
from support.owned import BIAS, MOVIES, USERS, Sheets, make
from support.package_parts import differing_cells, packed
from support.zip_parts import rewritten

from cf_excel.cli import main
from cf_excel.model.predictor import Predictor
from cf_excel.ratings.nouns import Nouns
from cf_excel.sheets.fill.added_layout import ModelSheet

PART = "xl/worksheets/sheet4.xml"
OWN = ModelSheet("model", len(USERS), len(MOVIES), 2, "dot")


@pytest.fixture
def path(tmp_path) -> Path:
    """A workbook with a model of kind dot on its sheet model."""
    path = make(tmp_path / "w.xlsx")
    assert main(["write", str(path), "--model", saved(model_of("dot"), tmp_path)]) == 0
    return path


def write(path: Path, kind: str, n_factors: int = 2) -> list[str]:
    """Write another model; return the names of the sheets."""
    model = saved(model_of(kind, n_factors), path.parent)
    assert main(["write", str(path), "--model", model]) == 0
    return openpyxl.load_workbook(path).sheetnames


@pytest.mark.parametrize(("kind", "n_factors"), [("dot", 2), ("collab", 7), ("bayes", 1), ("net", 3)])
def test_the_second_model_takes_the_place_of_the_first(path, office, validator_errors, kind, n_factors):
    before = packed(path)
    assert write(path, kind, n_factors) == ["dotprod", "bias", "movielens_emb", "model"]
    after = packed(path)
    assert list(after) == list(before)
    assert after["xl/_rels/workbook.xml.rels"] == before["xl/_rels/workbook.xml.rels"]
    assert validator_errors(path) == []
    factors, layout = model_of(kind, n_factors), ModelSheet("model", len(USERS), len(MOVIES), n_factors, "")
    expected = Predictor(factors).predict(np.array(USERS)[:, None], np.array(MOVIES))
    shown = office.recalculate(path)["model"]
    assert shown["errors"] == ""
    np.testing.assert_allclose(values_in(shown, layout.predictions), expected, atol=1e-6)
    # the same as a sheet that is added
    fresh = make(path.with_name("fresh.xlsx"))
    write(fresh, kind, n_factors)
    with zipfile.ZipFile(path) as first, zipfile.ZipFile(fresh) as second:
        assert differing_cells(first.read(PART), second.read(PART)) == {}


def test_a_sheet_of_customers_and_products_is_replaced(path, capsys):
    model = saved(replace(model_of("bayes"), nouns=Nouns("customer", "product")), path.parent)
    for _ in range(2):
        assert main(["write", str(path), "--model", model]) == 0
        book = openpyxl.load_workbook(path)
        assert book.sheetnames == ["dotprod", "bias", "movielens_emb", "model"]
    said = " ".join(str(cell) for row in book["model"].iter_rows(values_only=True) for cell in row if cell)
    assert f"{len(USERS)} customers, {len(MOVIES)} products, 2 factors" in said
    assert "product bias" in said
    assert "sheet model: " in (out := capsys.readouterr().out)
    assert f"{len(USERS)} customers, {len(MOVIES)} products" in out


def test_a_sheet_that_excel_or_libreoffice_saved_is_replaced(path, office):
    office.call("convert", str(path), str(path))
    assert write(path, "bayes", 3) == ["dotprod", "bias", "movielens_emb", "model"]
    assert office.recalculate(path)["model"]["errors"] == ""


def in_cell(address: str, value: object) -> Callable[[openpyxl.Workbook], None]:
    return lambda workbook: workbook["model"].__setitem__(address, value)


def with_chart(workbook: openpyxl.Workbook) -> None:
    workbook["model"].add_chart(openpyxl.chart.LineChart(), "Z3")


def with_reference(workbook: openpyxl.Workbook) -> None:
    workbook["bias"]["Z40"] = f"=MODEL!{OWN.rmse.first}*2"


def with_name(workbook: openpyxl.Workbook) -> None:
    name = openpyxl.workbook.defined_name.DefinedName("best", attr_text=f"'model'!{OWN.rmse.fixed}")
    workbook.defined_names["best"] = name


def with_format(workbook: openpyxl.Workbook) -> None:
    rule = openpyxl.formatting.rule.CellIsRule("greaterThan", ["3"])
    workbook["model"].conditional_formatting.add(OWN.predictions.address, rule)


def with_comment(workbook: openpyxl.Workbook) -> None:
    workbook["model"][OWN.predictions.first].comment = openpyxl.comments.Comment("why?", "me")


def with_color(row: int, column: int) -> Callable[[openpyxl.Workbook], None]:
    def change(workbook: openpyxl.Workbook) -> None:
        workbook["model"].cell(row, column).fill = openpyxl.styles.PatternFill("solid", fgColor="FF0000")

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (in_cell(OWN.user_factors.first, 0.25), "no longer as write left it"),
        (in_cell(OWN.user_ids.first, "Ann"), "no longer as write left it"),
        (in_cell(OWN.predictions.first, "=MMULT($M8:$N8,B$14:B$15)"), "no longer as write left it"),
        (with_comment, "no longer as write left it"),
        (with_color(OWN.ratings.top, OWN.ratings.left), "no longer as write left it"),
        (with_color(60, 20), "no longer as write left it"),
        (in_cell("Z50", "my note"), "no longer as write left it"),
        (in_cell(OWN.ratings.first, "=1+1"), "no longer as write left it"),
        (in_cell(OWN.predictions.first, 3.5), "no longer as write left it"),
        (with_chart, "no longer as write left it"),
        (with_format, "no longer as write left it"),
        (with_reference, "refers to"),
        (with_name, "refers to"),
    ],
)
def test_what_somebody_added_stays(path, capsys, office, change, says):
    workbook = openpyxl.load_workbook(path)
    change(workbook)
    workbook.save(path)
    office.call("convert", str(path), str(path))  # stores the results
    before = packed(path)
    capsys.readouterr()
    assert write(path, "bayes") == ["dotprod", "bias", "movielens_emb", "model", "model 2"]
    assert re.fullmatch(rf"note: .*{says}.*another one is added\n", capsys.readouterr().err)
    assert packed(path)[PART] == before[PART]


def test_a_sheet_of_that_name_by_somebody_else_stays(tmp_path, capsys):
    def mine(workbook: object, sheets: Sheets) -> None:
        workbook.add_worksheet("model").write(0, 0, "my own model")

    path = make(tmp_path / "w.xlsx", mine)
    before = packed(path)[PART]
    assert write(path, "dot")[-2:] == ["model", "model 2"]
    assert capsys.readouterr().err == ""
    assert packed(path)[PART] == before


def test_the_calculation_chain_does_not_outlive_the_formulas(path):
    def chained(name: str, content: bytes) -> bytes:
        kind = b"officeDocument/2006/relationships/calcChain"
        new = b'<Relationship Id="rId99" Type="http://schemas.openxmlformats.org/%s" Target="calcChain.xml"/>' % kind
        return (
            content.replace(b"</Relationships>", new + b"</Relationships>") if "workbook.xml.rels" in name else content
        )

    rewritten(path, chained)
    with zipfile.ZipFile(path, "a") as package:
        package.writestr("xl/calcChain.xml", f'<calcChain><c r="{BIAS.rmse.first}" i="4"/></calcChain>')
    write(path, "net")
    assert "xl/calcChain.xml" not in packed(path)
