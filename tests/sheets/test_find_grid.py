"""Sheets like dotprod and bias that somebody has changed: followed by their formulas, or left alone with one line."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from openpyxl.worksheet.worksheet import Worksheet
from support.checked_results import check_results
from support.models import RATED, model_of, saved, values_in
from support.owned import BIAS, DOT, MOVIES, USERS, course, make
from support.printed import printed_rmse

from cf_excel.cli import main
from cf_excel.model.predictor import Predictor
from cf_excel.xlsx.cells import Block, cell


def changed(path: Path, title: str, change: Callable[[Worksheet], None]) -> Path:
    """Write the collection's workbook with something changed in one sheet; its formulas have no stored results."""
    workbook = openpyxl.load_workbook(make(path))
    change(workbook[title])
    workbook.save(path)
    return path


def replace_formulas(sheet: Worksheet, block: Block, old: str, new: str) -> None:
    for row in sheet[block.address]:
        for one in row:
            assert old in one.value
            one.value = one.value.replace(old, new)


def moved_factors(sheet: Worksheet) -> None:
    """Do what Excel does when somebody cuts the factors out and pastes them into another sheet."""
    sheet.parent.create_sheet("my factors")
    replace_formulas(sheet, DOT.predictions, "MMULT(", "MMULT('my factors'!")


@pytest.mark.parametrize("command", ["solve", "write"])
def test_factors_on_another_sheet_are_refused(tmp_path, capsys, command):
    path = changed(tmp_path / "moved.xlsx", "dotprod", moved_factors)
    before = path.read_bytes()
    options = ["--model", saved(model_of("dot"), tmp_path)] if command == "write" else []
    line = f"sheet dotprod: the prediction in {DOT.predictions.first} reads sheet my factors: move what it reads"
    assert main([command, str(path), "--sheet", "dotprod", *options]) == 2
    err = capsys.readouterr().err
    assert line in err
    assert err.count("\n") == 1
    assert path.read_bytes() == before
    assert main([command, str(path), *options]) == 0
    captured = capsys.readouterr()
    assert f"note: left alone: {line}" in captured.err
    assert "sheet dotprod: factors" not in captured.out
    old, new = openpyxl.load_workbook(tmp_path / "moved.xlsx"), openpyxl.load_workbook(make(tmp_path / "plain.xlsx"))
    for block in (DOT.user_factors, DOT.movie_factors):
        shown = [[[one.value for one in row] for row in book["dotprod"][block.address]] for book in (old, new)]
        assert shown[0] == shown[1]


def test_the_sheets_own_name_is_no_other_sheet(tmp_path):
    def name_it(sheet: Worksheet) -> None:
        replace_formulas(sheet, DOT.predictions, "MMULT(", "MMULT(DotProd!")

    assert main(["solve", str(changed(tmp_path / "own.xlsx", "dotprod", name_it)), "--sheet", "dotprod"]) == 0


def test_an_rmse_of_another_sheet_is_not_computed_from_this_one(tmp_path):
    ratings, predictions = (f"bias!{block.address}" for block in (BIAS.ratings, BIAS.predictions))

    def compare(sheet: Worksheet) -> None:
        sheet[DOT.rmse.first] = f"=SQRT(SUMXMY2({ratings},{predictions})/COUNT({ratings}))"

    path = changed(tmp_path / "other.xlsx", "dotprod", compare)
    assert main(["solve", str(path), "--sheet", "dotprod"]) == 0
    assert openpyxl.load_workbook(path, data_only=True)["dotprod"][DOT.rmse.first].value is None


def mirrored(sheet: Worksheet, layout: object) -> None:
    """Write IF(rating<>"",product,0) for IF(rating="",0,product)."""
    for row in sheet[layout.predictions.address]:
        for one in row:
            condition, _, product = one.value.removeprefix("=IF(").partition(",0,")
            one.value = f"=IF({condition.replace('=', '<>')},{product[:-1]},0)"


@pytest.mark.libreoffice
@pytest.mark.parametrize("layout", [DOT, BIAS], ids=lambda layout: layout.title)
def test_the_mirrored_form_is_followed(tmp_path, office, capsys, layout):
    path = changed(tmp_path / "m.xlsx", layout.title, lambda sheet: mirrored(sheet, layout))
    assert main(["solve", str(path), "--sheet", layout.title]) == 0
    check_results(path, layout.title, office, [layout.predictions, layout.rmse])
    shown = office.recalculate(path)[layout.title]["values"][layout.rmse.top - 1][layout.rmse.left - 1]
    assert printed_rmse(capsys.readouterr().out)[layout.title][1] == pytest.approx(shown, abs=1e-6)


@pytest.mark.parametrize("form", ['IF({r}="",0,{p}*{r})', 'IF({r}="",0,{p}*{p})', 'IF({r}="",0,{p}+$A$90:$B$91)'])
def test_predictions_of_another_form_are_named(tmp_path, capsys, form):
    def rewrite(sheet: Worksheet) -> None:
        for row in sheet[DOT.predictions.address]:
            for one in row:
                rating, _, product = one.value.removeprefix("=IF(").partition('="",0,')
                one.value = "=" + form.format(r=rating, p=product[:-1])

    path = changed(tmp_path / "form.xlsx", "dotprod", rewrite)
    line = "sheet dotprod has predictions of another form (="
    assert main(["solve", str(path)]) == 0
    assert f"note: left alone: {line}" in capsys.readouterr().err
    assert main(["solve", str(path), "--sheet", "dotprod"]) == 2
    err = capsys.readouterr().err
    assert line in err
    assert 'expected IF(rating="",0,MMULT(user,movie))' in err
    assert err.count("\n") == 1


def test_where_nothing_can_be_followed_the_first_reason_is_given(tmp_path, capsys):
    path = changed(tmp_path / "moved.xlsx", "dotprod", moved_factors)
    workbook = openpyxl.load_workbook(path)
    del workbook["bias"], workbook["movielens_emb"]
    workbook.save(path)
    assert main(["solve", str(path)]) == 2
    err = capsys.readouterr().err
    assert "reads sheet my factors" in err
    assert err.count("\n") == 1


def test_one_array_formula_for_all_predictions_is_refused(tmp_path, capsys):
    def fill(sheet: Worksheet) -> None:
        text = f'=IF({DOT.ratings.address}="",0,MMULT({DOT.user_factors.address},{DOT.movie_factors.address}))'
        for row in sheet[DOT.predictions.address]:
            for one in row:
                one.value = None
        address = DOT.predictions.address
        sheet[DOT.predictions.first] = openpyxl.worksheet.formula.ArrayFormula(address, text)

    path = changed(tmp_path / "array.xlsx", "dotprod", fill)
    assert main(["solve", str(path), "--sheet", "dotprod"]) == 2
    assert "is one array formula for many cells" in capsys.readouterr().err


def plain_headers(sheet: Worksheet, users: list | None = None) -> None:
    """Write the ids beside the predictions as numbers, not as links."""
    for block, ids in ((DOT.prediction_users, users or USERS), (DOT.prediction_movies, MOVIES)):
        cells = [one for row in sheet[block.address] for one in row]
        for one, identity in zip(cells, ids, strict=True):
            one.value = identity


@pytest.mark.libreoffice
@pytest.mark.parametrize("headers", ["typed", "none", "linked"])
def test_counts_between_ids_and_ratings_are_no_ids(tmp_path, office, headers):
    def change(sheet: Worksheet) -> None:
        if headers != "linked":
            plain_headers(sheet)
        if headers == "none":
            for block in (DOT.prediction_users, DOT.prediction_movies):
                for one in (one for row in sheet[block.address] for one in row):
                    one.value = None

    path, wide = changed(tmp_path / "w.xlsx", "dotprod", change), tmp_path / "wide.xlsx"
    office.call("edit", str(path), str(wide), [["columns", "dotprod", DOT.ratings.left - 1, 1]])
    workbook = openpyxl.load_workbook(wide)
    ratings = DOT.ratings
    for row in range(ratings.top, ratings.bottom + 1):
        block = Block(row, ratings.left + 1, row, ratings.right + 1)
        workbook["dotprod"].cell(row, ratings.left).value = f"=COUNT({block.address})"
    workbook.save(wide)
    office.call("convert", str(wide), str(wide))  # LibreOffice stores the counts
    factors = model_of("dot")
    assert main(["write", str(wide), "--model", saved(factors, tmp_path), "--sheet", "dotprod"]) == 0
    block = DOT.predictions
    right = Block(block.top, block.left + 1, block.bottom, block.right + 1)
    shown = values_in(office.recalculate(wide)["dotprod"], right).astype(float)
    expected = Predictor(factors).predict(np.array(USERS)[:, None], np.array(MOVIES))
    np.testing.assert_allclose(shown[RATED], expected[RATED], atol=1e-6)


def test_ids_that_disagree_are_refused_where_they_count(tmp_path, capsys):
    path = changed(tmp_path / "w.xlsx", "dotprod", lambda sheet: plain_headers(sheet, [7, 15, 31, 42, 73]))
    place = DOT.rating_users.row(2).first
    line = f"sheet dotprod: the ratings at {place} belong to 30 and their predictions to 31: write the same ids"
    assert main(["write", str(path), "--sheet", "dotprod", "--model", saved(model_of("dot"), tmp_path)]) == 2
    assert line in capsys.readouterr().err
    assert main(["solve", str(path), "--sheet", "dotprod"]) == 0  # which needs no ids
    assert f"note: {line}" in capsys.readouterr().err


@pytest.mark.libreoffice
@pytest.mark.parametrize("inserted", [(0, 0), (3, 2)], ids=["as is", "moved"])
def test_names_before_predictions_go_with_ids_before_ratings(tmp_path, office, inserted):
    names = ["Ann", "Bo", "Cy", "Di", "Ed"]
    path = changed(tmp_path / "w.xlsx", "dotprod", lambda sheet: plain_headers(sheet, names))
    down, right = inserted
    if any(inserted):
        office.call("edit", str(path), str(path), [["rows", "dotprod", 1, down], ["columns", "dotprod", 1, right]])
    assert main(["solve", str(path), "--sheet", "dotprod"]) == 0
    assert main(["write", str(path), "--sheet", "dotprod", "--model", saved(model_of("dot"), tmp_path)]) == 0
    block = DOT.user_factors
    rows = openpyxl.load_workbook(path)["dotprod"].iter_rows(
        block.top + down, block.bottom + down, block.left + right, block.right + right, values_only=True
    )
    written = [list(row) for row in rows]
    factors = model_of("dot")
    rows = [factors.user_ids.tolist().index(user) for user in USERS]
    np.testing.assert_allclose(written, factors.user_factors[rows], atol=1e-6)


@pytest.mark.libreoffice
@pytest.mark.parametrize("command", ["solve", "write"])
@pytest.mark.parametrize("base", [make, course], ids=["ours", "course"])
def test_a_user_without_id_and_ratings_is_left_alone(tmp_path, office, capsys, command, base):
    """A row that somebody filled down and did not use yet, with a note or a number of theirs in it."""
    path = base(tmp_path / "w.xlsx")
    workbook = openpyxl.load_workbook(path)
    for title, layout in (("dotprod", DOT), ("bias", BIAS)):
        sheet = workbook[title]
        sheet[layout.rating_users.row(2).first] = None
        for one in sheet[layout.ratings.row(2).address][0]:
            one.value = None
        first, second = sheet[layout.user_factors.row(2).address][0]
        first.value, second.value = "my note", None
        if layout.with_bias:
            sheet[layout.user_bias.row(2).first] = 0.75
    workbook.save(path)
    kind = {"dotprod": "dot", "bias": "bayes"}
    for title, layout in (("dotprod", DOT), ("bias", BIAS)):
        options = ["--model", saved(model_of(kind[title]), tmp_path)] if command == "write" else []
        assert main([command, str(path), "--sheet", title, *options]) == 0
        assert capsys.readouterr().err == ""
        kept = openpyxl.load_workbook(path)[title]
        assert [one.value for one in kept[layout.user_factors.row(2).address][0]] == ["my note", None]
        if layout.with_bias:
            assert kept[layout.user_bias.row(2).first].value == 0.75
        check_results(path, title, office, [layout.predictions])


@pytest.mark.libreoffice
@pytest.mark.parametrize("where", ["inside", "first row"])
def test_predictions_that_were_overwritten_are_named(tmp_path, office, capsys, where):
    block = DOT.predictions
    typed = [(0, 0)] if where == "inside" else [(0, column) for column in range(block.n_columns)]

    def overwrite(sheet: Worksheet) -> None:
        for row, column in typed:
            sheet.cell(block.top + row, block.left + column).value = 3

    path = changed(tmp_path / "typed.xlsx", "dotprod", overwrite)
    assert main(["solve", str(path), "--sheet", "dotprod"]) == 0
    captured = capsys.readouterr()
    n = sum(bool(RATED[place]) for place in typed)
    assert f"note: sheet dotprod: {n} ratings (first: {DOT.ratings.first}) have no prediction" in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out.splitlines()[1].split()[1] == str(RATED.sum() - n)
    check_results(path, "dotprod", office, [DOT.predictions, DOT.rmse], cleared=1)


def test_cells_that_are_ratings_and_factors_are_refused(tmp_path, capsys):
    def overlap(sheet: Worksheet) -> None:
        rows, columns = (f"$A$1:{cell(1, 2048)}", "A1:A2048")
        for one in (one for row in sheet[DOT.predictions.address] for one in row):
            one.value = f"{one.value.partition('MMULT(')[0]}MMULT({rows},{columns}))"

    path = changed(tmp_path / "o.xlsx", "dotprod", overlap)
    assert main(["solve", str(path), "--sheet", "dotprod"]) == 2
    assert "sheet dotprod: A1 is more than one of a user's factor, a movie's and a rating" in capsys.readouterr().err
