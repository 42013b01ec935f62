"""solve and write from Python: a file, and a workbook that is open, with LibreOffice in Excel's place."""

import gc
import os
import re
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from support.live_office import open_live
from support.models import RATED, model_of, saved, values_in
from support.owned import BIAS, DOT, MOVIES, RATINGS, USERS, make

import cf_excel
from cf_excel.cli import main
from cf_excel.errors import FileError, InputError
from cf_excel.model.predictor import Predictor

TITLES = ("dotprod", "bias", "movielens_emb")
EXAMPLE = Path(__file__).parents[2] / "docs" / "workbooks.md"


@pytest.fixture
def path(tmp_path):
    return make(tmp_path / "mine.xlsx")


@pytest.fixture
def live_book(path, office):
    book = open_live(office, path)
    yield book
    book.impl.close()


def stored_rmse(path):
    return openpyxl.load_workbook(path, data_only=True)["dotprod"].cell(DOT.rmse.top, DOT.rmse.left).value


def test_solve_reports_what_the_file_holds(path):
    before = path.read_bytes()
    report = cf_excel.solve(path, backup=True)
    assert tuple(fit.sheet for fit in report.sheets) == TITLES
    fit = report.sheets[0]
    assert fit.n_ratings == RATED.sum()
    assert (fit.before, fit.after) == fit.history
    assert fit.after == pytest.approx(stored_rmse(path), abs=1e-9)
    assert fit.after < fit.before
    assert (fit.n_held_out, fit.held_out_before, fit.held_out_after) == (0, None, None)
    assert (report.path, report.backup) == (path, path.with_name("mine.bak.xlsx"))
    assert report.backup.read_bytes() == before
    assert (report.history_sheet, report.changes, report.notes) == (None, (), ())


def test_who_waits_for_solve_hears_how_many_sheets_are_fitted(path):
    heard: list[tuple[int, int]] = []
    cf_excel.solve(path, dry_run=True, tell=lambda *share: heard.append(share))
    assert heard == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("options", [{}, {"sheet": "bias", "dry_run": True}, {"hold_out": 0.2, "out": "copy.xlsx"}])
def test_a_report_reads_as_the_command_prints(path, tmp_path, capsys, monkeypatch, options):
    monkeypatch.chdir(tmp_path)
    arguments = []
    for name, value in options.items():
        arguments += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    before = path.read_bytes()
    assert main(["solve", path.name, *arguments]) == 0
    printed = capsys.readouterr()
    path.write_bytes(before)
    report = cf_excel.solve(path.name, **options)
    assert f"{report}\n" == printed.out
    assert "".join(f"note: {text}\n" for text in report.notes) == printed.err
    assert capsys.readouterr() == ("", "")


def test_a_dry_run_gives_the_changes(path):
    before = path.read_bytes()
    report = cf_excel.solve(str(path), sheet="dotprod", optimizer="adam", steps=3, history=True, dry_run=True)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]
    assert (report.path, report.backup, report.history_sheet) == (None, None, None)
    assert len(report.changes) == (len(USERS) + len(MOVIES)) * 2
    sheet = openpyxl.load_workbook(path)["dotprod"]
    assert all(change.sheet == "dotprod" and sheet[change.address].value == change.old for change in report.changes)
    cf_excel.solve(path, sheet="dotprod", optimizer="adam", steps=3)
    sheet = openpyxl.load_workbook(path)["dotprod"]
    assert all(sheet[change.address].value == change.new for change in report.changes)


def test_history_and_held_out_ratings_are_told(path, tmp_path):
    out = tmp_path / "copy.xlsx"
    report = cf_excel.solve(path, optimizer="adam", steps=7, lr=0.1, history=True, hold_out=0.2, out=out)
    assert report.path == out
    assert report.history_sheet == "history"
    assert "history" in openpyxl.load_workbook(out).sheetnames
    for fit in report.sheets:
        assert len(fit.history) == 8
        assert fit.n_ratings + fit.n_held_out == RATED.sum()
        assert fit.held_out_before != fit.held_out_after
    assert report.notes == ("--hold-out starts from random numbers: the sheets' may know the held-out ratings",)


@pytest.mark.parametrize("how", ["factors", "path", "default"])
def test_write_takes_a_model_in_every_form(path, tmp_path, monkeypatch, how):
    factors = model_of("dot")
    model = {"factors": factors, "path": saved(factors, tmp_path), "default": None}[how]
    monkeypatch.setenv("CF_EXCEL_MODEL", str(tmp_path / "dot.safetensors"))
    report = cf_excel.write(path, model)
    assert report.sheets == ("dotprod", "movielens_emb")
    assert report.model_sheet == "model"
    errors = Predictor(factors).predict(np.array(USERS)[:, None], np.array(MOVIES)) - RATINGS
    assert report.rmse == pytest.approx(np.sqrt(np.nanmean(errors**2)), abs=1e-6)
    assert stored_rmse(path) == pytest.approx(report.rmse, abs=1e-6)
    assert "left alone: sheet bias adds plain biases" in str(report)
    assert repr(report) == str(report)


@pytest.mark.parametrize(
    ("call", "options", "says"),
    [
        ("solve", {"optimizer": "newton"}, "--optimizer newton: expected one of lm, adam, sgd"),
        ("solve", {"hold_out": 1.0}, "--hold-out 1.0: expected a part between 0 and 1"),
        ("solve", {"sheet": "nowhere"}, "has no sheet nowhere"),
        ("solve", {"out": "copy.csv"}, "expected a name that ends in .xlsx"),
        ("write", {"ids": "title"}, "--ids title: expected one of auto, raw, index"),
    ],
)
def test_bad_options_raise_one_line(path, call, options, says):
    before = path.read_bytes()
    with pytest.raises(InputError, match=re.escape(says)) as caught:
        getattr(cf_excel, call)(path, **options)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == before


def test_a_model_that_would_be_replaced_is_refused(path, tmp_path):
    with pytest.raises(FileError, match=r"mine\.xlsx"):
        cf_excel.write(path, path)


def test_an_error_carries_the_notes_before_it(path):
    workbook = openpyxl.load_workbook(path)
    del workbook["movielens_emb"]
    for row in workbook["bias"][BIAS.ratings.address]:
        for one in row:
            one.value = None
    workbook.save(path)
    with pytest.raises(InputError, match="nothing to fit") as caught:
        cf_excel.solve(path, hold_out=0.1)
    assert any("--hold-out starts from random numbers" in text for text in caught.value.__notes__)


@pytest.mark.parametrize("options", [{}, {"sheet": "nowhere"}])
def test_pythons_collector_runs_on(path, options):
    assert gc.isenabled()
    try:
        cf_excel.solve(path, dry_run=True, **options)
    except InputError:
        assert options
    assert gc.isenabled()


def test_the_example_of_the_docs_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "collab_filter.xlsx")
    monkeypatch.setenv("CF_EXCEL_MODEL", saved(model_of("dot"), tmp_path))
    (example,) = re.findall(r"^```python\n(.*?)^```$", EXAMPLE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    exec(example, {})
    said = capsys.readouterr().out
    assert "RMSE before" in said
    assert all(title in said for title in TITLES)
    assert openpyxl.load_workbook("with_model.xlsx").sheetnames[-1] == "model"


@pytest.mark.libreoffice
def test_what_is_open_in_excel_is_changed_there(live_book, path):
    before = path.read_bytes()
    report = cf_excel.solve(live_book, sheet="dotprod")
    shown = {"values": live_book.sheets["dotprod"].used_range.options(ndim=2, empty="").value}
    assert values_in(shown, DOT.rmse)[0, 0] == pytest.approx(report.sheets[0].after, abs=1e-6)
    assert report.lines[-1] == "wrote into mine.xlsx, which is open in Excel: save it there"
    written = cf_excel.write(live_book, model_of("dot"))
    assert written.sheets == ("dotprod", "movielens_emb")
    assert (written.path, written.backup, written.changes) == (None, None, ())
    assert live_book.sheets[-1].name == written.model_sheet == "model"
    assert path.read_bytes() == before


@pytest.mark.libreoffice
def test_what_needs_a_file_is_refused_for_an_open_workbook(live_book):
    for options, says in (
        ({"out": "copy.xlsx"}, "mine.xlsx is open in Excel: --out and --dry-run read a file, pass its path"),
        ({"dry_run": True}, "mine.xlsx is open in Excel: --out and --dry-run read a file, pass its path"),
        ({"backup": True}, "--backup copies the file as it is saved: save mine.xlsx"),
        ({"history": True, "optimizer": "adam"}, "--history adds a sheet to the file: close mine.xlsx in Excel"),
    ):
        with pytest.raises(InputError, match=re.escape(says)):
            cf_excel.solve(live_book, **options)
