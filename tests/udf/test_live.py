"""Numbers into a workbook that is open, through the real xlwings, with LibreOffice in Excel's place."""

import numpy as np
import openpyxl
import pytest
from support.live_office import PageSetup, open_live
from support.models import RATED, model_of, saved, values_in
from support.owned import BIAS, DOT, EMB, MOVIES, RATINGS, USERS, make

from cf_excel.cli import main
from cf_excel.errors import InputError
from cf_excel.model.predictor import Predictor
from cf_excel.sheets.fill.added_layout import ModelSheet
from cf_excel.udf import open_books
from cf_excel.udf.live import LiveBook, LiveSheet
from cf_excel.udf.macros import write_learned

pytestmark = pytest.mark.libreoffice


@pytest.fixture
def path(tmp_path):
    return make(tmp_path / "mine.xlsx")


@pytest.fixture
def book(path, office):
    book = open_live(office, path)
    yield book
    book.impl.close()


def shown(book, title):
    """Values by rows, as LibreOffice has calculated them by now."""
    return {"values": book.sheets[title].used_range.options(ndim=2, empty="").value}


def test_the_sheets_are_found_as_in_the_file(book):
    found = {title: sheet for title in LiveBook(book).titles if (sheet := LiveBook(book).find(title))}
    user, movie = np.nonzero(RATED)
    for layout in (DOT, BIAS, EMB):
        sheet = found[layout.title]
        assert (sheet.user_ids, sheet.movie_ids) == (USERS, MOVIES)
        assert sheet.with_bias == (layout is BIAS)
        order = np.lexsort((sheet.movie_idx, sheet.user_idx))
        np.testing.assert_array_equal(sheet.rating[order], RATINGS[user, movie])


def test_a_model_goes_into_the_open_workbook(book):
    dot, bayes = model_of("dot"), model_of("bayes")
    expected = Predictor(dot).predict(np.array(USERS)[:, None], np.array(MOVIES))
    for _ in range(2):  # the second time over the first
        write_learned(book, Predictor(dot))
        assert [sheet.name for sheet in book.sheets][3:] == ["model", "user_factors", "movie_factors"]
        np.testing.assert_allclose(
            values_in(shown(book, "dotprod"), DOT.predictions).astype(float)[RATED], expected[RATED], atol=1e-6
        )
        np.testing.assert_allclose(
            values_in(shown(book, "movielens_emb"), EMB.predictions)[:, 0].astype(float), expected[RATED], atol=1e-6
        )
        layout = ModelSheet("model", len(USERS), len(MOVIES), 2, "dot")
        np.testing.assert_allclose(
            values_in(shown(book, "model"), layout.predictions).astype(float), expected, atol=1e-6
        )
        assert book.sheets["model"].range(layout.predictions.first).formula.startswith("=MMULT(")
    said = book.app.impl.alerts[-1]
    assert "sheet dotprod: factors of 5 users, 4 movies" in said
    assert "left alone: sheet bias adds plain biases, the model is of kind dot" in said
    write_learned(book, Predictor(bayes))
    rmse = values_in(shown(book, "model"), layout.rmse)[0, 0]
    assert f"RMSE of the ratings {rmse:.6f}" in book.app.impl.alerts[-1]
    assert values_in(shown(book, "bias"), BIAS.user_bias)[0, 0] == pytest.approx(
        3.4 + bayes.user_bias[bayes.user_ids.tolist().index(USERS[0])], abs=1e-6
    )


def test_new_sheets_are_printed_as_in_a_file(book, tmp_path):
    write_learned(book, Predictor(model_of("bayes")))
    book.api.SaveCopyAs(str(tmp_path / "copy.xlsx"))
    saved_book = openpyxl.load_workbook(tmp_path / "copy.xlsx")
    layout = ModelSheet("model", len(USERS), len(MOVIES), 2, "bayes")
    assert saved_book["model"].print_area.replace("'", "") == f"model!{layout.page.fixed}"
    for title, height in (("model", 1), ("user_factors", 0), ("movie_factors", 0)):
        sheet = saved_book[title]
        assert sheet.sheet_properties.pageSetUpPr.fitToPage
        assert (sheet.page_setup.orientation, sheet.page_setup.fitToHeight) == ("landscape", height)
        assert sheet.print_title_rows == (None if title == "model" else "$1:$1")


def test_without_a_printer_the_numbers_come_all_the_same(book, monkeypatch):
    def refuse(*_):
        raise OSError("unable to set the property")

    monkeypatch.setattr(PageSetup, "__setattr__", refuse)
    write_learned(book, Predictor(model_of("bayes")))
    assert [sheet.name for sheet in book.sheets][3:] == ["model", "user_factors", "movie_factors"]


def noted(sheet):
    sheet.range(LIVE_MODEL.predictions.first).impl._call("add_note")


def charted(sheet):
    block = LIVE_MODEL.predictions
    sheet.range((block.top, block.left), (block.bottom, block.right)).impl._call("add_chart")


def colored(sheet):
    sheet.range(LIVE_MODEL.user_factors.first).color = (255, 0, 0)


LIVE_MODEL = ModelSheet("model", len(USERS), len(MOVIES), 2, "dot")
ADDED = {
    "beside": lambda sheet: setattr(sheet.range((50, 26)), "value", "mine"),
    "changed": lambda sheet: setattr(sheet.range(LIVE_MODEL.movie_factors.first), "value", 0.25),
    "commented": noted,
    "charted": charted,
    "colored": colored,
    "referred to": lambda sheet: setattr(
        sheet.book.sheets["bias"].range((60, 1)), "formula", f"=model!{LIVE_MODEL.rmse.first}*2"
    ),
}


@pytest.mark.parametrize("change", ADDED.values(), ids=ADDED)
def test_what_somebody_added_to_the_open_sheet_stays(book, change):
    write_learned(book, Predictor(model_of("dot")))
    change(book.sheets["model"])
    before = shown(book, "model")["values"]
    write_learned(book, Predictor(model_of("dot", n_factors=3)))
    assert [sheet.name for sheet in book.sheets if sheet.name.startswith("model")] == ["model", "model 2"]
    assert shown(book, "model")["values"] == before
    assert "it stays, and another one is added" in book.app.impl.alerts[-1]


def test_where_excel_saves_no_copy_the_sheet_stays(book, monkeypatch):
    write_learned(book, Predictor(model_of("dot")))
    monkeypatch.delattr(type(book.impl), "SaveCopyAs")
    before = shown(book, "model")["values"]
    write_learned(book, Predictor(model_of("dot", n_factors=3)))
    assert shown(book, "model")["values"] == before
    assert "sheet model stays, and another one is added: Excel saves no copy of mine.xlsx" in book.app.impl.alerts[-1]


def test_cells_look_like_those_of_the_lessons_sheets(book):
    cell = book.sheets["dotprod"].range(DOT.predictions.first)
    cell.color, cell.number_format = (255, 230, 153), "0.0000"
    write_learned(book, Predictor(model_of("dot")))
    layout = ModelSheet("model", len(USERS), len(MOVIES), 2, "dot")
    new = book.sheets["model"].range(layout.predictions.first)
    assert (new.color, new.number_format) == ((255, 230, 153), "0.0000")
    titles = layout.titles(layout.predictions)
    assert book.sheets["model"].range((titles.top, titles.left), (titles.bottom, titles.right)).wrap_text


def test_texts_make_no_formulas_and_errors_are_read(book):
    sheet = book.sheets["dotprod"]
    sheet.range((60, 1)).value = [["'=1+1", "'007"]]
    sheet.range((61, 1)).formula = "=NA()"
    found = LiveSheet(sheet)
    assert [found.value((60, 1)), found.value((60, 2)), found.value((61, 1))] == ["=1+1", "007", "#N/A"]
    assert found.formula((60, 1)) is None
    assert found.formula((61, 1)).text == "NA()"
    assert found.value((999, 999)) is None


def test_a_formula_in_a_factor_cell_is_left_alone(book):
    sheet, cell = book.sheets["dotprod"], DOT.movie_factors.first
    sheet.range(cell).formula = "=0.1+0.2"
    with pytest.raises(InputError, match=rf"sheet dotprod: {cell} holds a formula \(=0.1\+0.2\)"):
        write_learned(book, Predictor(model_of("dot")))
    assert sheet.range(cell).formula == "=0.1+0.2"


def test_a_protected_sheet_is_named(book):
    book.impl.call("protect", "dotprod")
    says = r"Excel refused to change dotprod!E\d+:H\d+ \(.*protected sheet\.\): unprotect the sheet"
    with pytest.raises(InputError, match=says):
        write_learned(book, Predictor(model_of("dot")))


@pytest.fixture
def is_open(path, book, monkeypatch):
    """The workbook lies there with Excel's mark beside it, and Excel has it open."""
    path.with_name(f"~${path.name}").write_bytes(b"me")
    monkeypatch.setattr(open_books, "find_open_book", lambda wanted: book if wanted == path else None)
    return path


def test_the_commands_change_what_is_open(is_open, book, tmp_path, capsys):
    before = is_open.read_bytes()
    factors = model_of("dot")
    assert main(["write", str(is_open), "--model", saved(factors, tmp_path)]) == 0
    assert f"wrote into {is_open}, which is open in Excel: save it there" in capsys.readouterr().out
    expected = Predictor(factors).predict(np.array(USERS)[:, None], np.array(MOVIES))
    predictions = values_in(shown(book, "dotprod"), DOT.predictions).astype(float)
    np.testing.assert_allclose(predictions[RATED], expected[RATED], atol=1e-6)
    assert main(["solve", str(is_open), "--sheet", "dotprod"]) == 0
    after = float(capsys.readouterr().out.splitlines()[1].split()[-1])
    assert values_in(shown(book, "dotprod"), DOT.rmse)[0, 0] == pytest.approx(after, abs=1e-6)
    assert is_open.read_bytes() == before


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--optimizer", "adam", "--history"], "--history adds a sheet to the file: close"),
        (["--backup"], "--backup copies the file as it is saved: save"),
    ],
)
def test_what_needs_the_file_says_so(is_open, capsys, options, says):
    assert main(["solve", str(is_open), *options]) == 2
    assert says in capsys.readouterr().err


def test_a_copy_comes_from_the_file(is_open, tmp_path, capsys):
    out = tmp_path / "copy.xlsx"
    assert main(["solve", str(is_open), "--out", str(out)]) == 0
    assert out.exists()
    assert f"wrote {out}" in capsys.readouterr().out


def test_only_the_workbook_that_is_meant_is_found(path, book, monkeypatch, tmp_path):
    import xlwings

    assert open_books.find_open_book(path) is None  # no Excel on this system
    other = make(tmp_path / "other.xlsx")
    monkeypatch.setattr(open_books.sys, "platform", "win32")
    apps = [type("App", (), {"books": [book]})]
    monkeypatch.setattr(xlwings, "apps", apps)
    assert open_books.find_open_book(path) is book
    assert open_books.find_open_book(other) is None
    apps[0].books.insert(0, type("Unsaved", (), {"fullname": "Book1"}))
    assert open_books.find_open_book(path) is book


def test_what_can_not_be_followed_is_left_alone_and_named(book):
    place = DOT.predictions.first
    cell = book.sheets["dotprod"].range(place)
    cell.formula = cell.formula.replace("MMULT(", "MMULT(bias!")
    before = values_in(shown(book, "dotprod"), DOT.user_factors).tolist()
    ids = book.sheets["movielens_emb"].range(EMB.user_ids.first)
    ids.value = 12345
    write_learned(book, Predictor(model_of("dot")))
    said = book.app.impl.alerts[-1]
    assert f"left alone: sheet dotprod: the prediction in {place} reads sheet bias" in said
    assert f"sheet movielens_emb: MATCH finds no user {USERS[0]}: the ratings are left out" in said
    assert values_in(shown(book, "dotprod"), DOT.user_factors).tolist() == before
