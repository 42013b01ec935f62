"""The workbooks that ask a model: collab_filter.xlsm and its twin for LibreOffice."""

import re
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from openpyxl import Workbook
from support.hosts import development_tool
from support.models import list_factors
from support.recommenders import everything

from cf_excel.cli import main
from cf_excel.errors import FileError
from cf_excel.learn.list_fit import fit_lists
from cf_excel.model.file import save_factors
from cf_excel.model.predictor import Predictor
from cf_excel.sheets.lesson.collab import build_collab
from cf_excel.sheets.lesson.lesson_layout import CollabBook
from cf_excel.sheets.panel.panel_layout import PanelSheet
from cf_excel.udf import functions_vba as vba
from cf_excel.udf.descriptions import ARGUMENTS, help_of, signatures
from cf_excel.udf.functions import Functions
from cf_excel.udf.functions_vba import INTERPRETERS, MACROS, UDF_MODULE, functions_project, wrappers
from cf_excel.udf.panel_workbooks import excel_extension, libreoffice_extension, settings
from cf_excel.xlsx.vba.vba_project import VbaProject
from cf_excel.xlsx.write.buttons import Macros
from cf_excel.xlsx.write.new_workbook import write_workbook

olevba = development_tool("oletools.olevba")

SCRIPTS = Path(__file__).parents[1] / "support" / "functions_scripts.py"
COMPARED = CollabBook(15, 15, 5, 206).bias.predictions.address
TRAIN = ("--ratings", 'C:\\my "files" & more\\50% é.csv')


@pytest.fixture(scope="module")
def model(tmp_path_factory, busy_factors):
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save_factors(busy_factors(), path)
    return path


@pytest.fixture(scope="module")
def workbooks(tmp_path_factory, busy_ratings, model):
    """The .xlsm and the .xlsx, built while the model is there."""
    folder = tmp_path_factory.mktemp("workbooks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CF_EXCEL_MODEL", str(model))
        extend = excel_extension(busy_ratings.rating_range, TRAIN)
        build_collab(busy_ratings, folder / "functions.xlsm", extend=extend)
        extend = libreoffice_extension(busy_ratings.rating_range)
        build_collab(busy_ratings, folder / "functions.xlsx", extend=extend)
    return folder / "functions.xlsm", folder / "functions.xlsx"


def modules(path):
    """Return the sources that olevba reads, without attributes of the module."""
    parser = olevba.VBA_Parser(str(path))
    try:
        return {Path(name).stem: text.replace("\r\n", "\n") for _, _, name, text in parser.extract_macros()}
    finally:
        parser.close()


def test_olevba_reads_every_module_as_written(workbooks):
    project, found = functions_project(TRAIN), modules(workbooks[0])
    written = project.modules | project.classes
    assert set(written) == {"xlwings", "xlwings_udfs", "cf_excel_wizard", "cf_excel_macros", "Dictionary"}
    for name, source in written.items():
        body = re.sub(r"\A(Attribute VB_\w+ = .*\n)+", "", found[name])
        assert body.strip("\n").splitlines() == source.strip("\n").splitlines()
    folder = Path(vba.find_spec("xlwings").submodule_search_locations[0])
    installed = (folder / "xlwings.bas").read_text().rstrip("\n").splitlines()[1:]
    assert found["xlwings"].splitlines()[1:] == installed


def test_the_validator_finds_nothing(workbooks, validator_errors):
    for path in workbooks:
        assert validator_errors(path) == []


@pytest.mark.parametrize(
    ("platform", "windows", "mac"),
    [("win32", sys.executable, ""), ("darwin", "pythonw", sys.executable), ("linux", "pythonw", "")],
)
def test_settings_name_the_python_of_this_system_alone(monkeypatch, platform, windows, mac):
    monkeypatch.setattr(sys, "platform", platform)
    found = dict(settings())
    assert (found["Interpreter_Win"], found["Interpreter_Mac"]) == (windows, mac)


def test_no_path_of_this_machine_is_in_a_workbook(workbooks, model):
    """Workbooks are passed on."""
    for path in workbooks:
        with zipfile.ZipFile(path) as archive:
            sheets = b"".join(archive.read(name) for name in archive.namelist() if name.endswith(".xml"))
        assert str(model.parent).encode() not in sheets
        assert f"; {model.name}<".encode() in sheets
        if sys.platform not in INTERPRETERS:
            assert sys.executable.encode() not in sheets


def test_settings_name_the_functions(workbooks):
    sheet = openpyxl.load_workbook(workbooks[0], keep_vba=True)["xlwings.conf"]
    found = {row[0].value: row[1].value for row in sheet.iter_rows()}
    assert found["UDF Modules"] == UDF_MODULE
    assert found["ADD_WORKBOOK_TO_PYTHONPATH"] == "false"
    assert "xlwings.conf" not in openpyxl.load_workbook(workbooks[1]).sheetnames


def test_buttons_and_dropdowns_are_in_the_file(workbooks):
    with zipfile.ZipFile(workbooks[0]) as archive:
        drawings = "".join(archive.read(name).decode() for name in archive.namelist() if name.endswith(".vml"))
    assert re.findall(r"<x:FmlaMacro>\[0\]!(\w+)</x:FmlaMacro>", drawings) == list(MACROS.values())
    source = modules(workbooks[0])["cf_excel_macros"]
    for caption, macro in MACROS.items():
        assert caption in drawings
        assert f"Sub {macro}()" in source
    for path in workbooks:
        sheet = openpyxl.load_workbook(path, keep_vba=True)["predict"]
        lists = {str(v.sqref): v.formula1 for v in sheet.data_validations.dataValidation}
        assert lists == {"B6": "bias!$G$2:$G$16", "B7": "titles!$A$1:$A$60", "A25:A29": "titles!$A$1:$A$60"}


def test_the_train_button_quotes_its_options(workbooks):
    source = modules(workbooks[0])["cf_excel_macros"]
    command = re.search(r'RunPython\("(.*)"\) = 0', source)[1]
    assert not set(command) & set('"%&^')
    arguments = eval(re.search(r"main\((\[.*\])\)", command)[1])
    assert arguments == ["train", "--ratings", 'C:/my "files" & more/50% é.csv']


def test_cells_hold_what_the_functions_answer(workbooks, busy_ratings, model):
    sheet = Functions(model)
    for path in workbooks:
        book = openpyxl.load_workbook(path, data_only=True, keep_vba=True)
        page, compared = book["predict"], book["bias"]
        users = [[cell.value for cell in row] for row in compared["G2:G16"]]
        movies = [[cell.value for cell in row] for row in compared["H1:V1"]]
        grid = [[cell.value for cell in row] for row in page["H6:V20"]]
        assert grid == sheet.CF_PREDICT(users, movies)
        assert page["B8"].value == sheet.CF_PREDICT(page["B6"].value, page["B7"].value)
        assert [[cell.value or "" for cell in row] for row in page["A12:B21"]] == sheet.CF_RECOMMEND(users[0][0], 10)
        own = [[cell.value for cell in row] for row in page["H25:V39"]]
        assert own == [[cell.value for cell in row] for row in compared[COMPARED]]
        ratings = [[cell.value for cell in row] for row in compared["H2:V16"]]
        assert page["H40"].value == pytest.approx(sheet.CF_RMSE(ratings, own), abs=1e-12)
        formulas = openpyxl.load_workbook(path, keep_vba=True)["predict"]
        assert formulas["H6"].value.text == "=CF_PREDICT(G6:G20,H5:V5)"
        assert formulas["H6"].value.ref == "H6:V20"


def best(factors, user):
    return Predictor(factors).recommend(user, 10)


def test_the_panel_shows_lists_as_the_model_ranks_them(busy_ratings, busy_factors, tmp_path, monkeypatch):
    plain = everything(Predictor(busy_factors()))  # the first user rated nearly all
    factors = replace(plain, lists=fit_lists(busy_ratings, np.empty(0, np.int64)))
    save_factors(factors, tmp_path / "model")
    monkeypatch.setenv("CF_EXCEL_MODEL", str(tmp_path / "model"))
    build_collab(busy_ratings, tmp_path / "functions.xlsm", extend=excel_extension(busy_ratings.rating_range, TRAIN))
    page = openpyxl.load_workbook(tmp_path / "functions.xlsm", data_only=True, keep_vba=True)["predict"]
    user, sheet = page["B6"].value, Functions(tmp_path / "model")

    def shown(block):
        return [[cell.value or "" for cell in row] for row in page[block.address]]

    listed = shown(PanelSheet.recommended)
    assert listed == sheet.CF_RECOMMEND(user, 10) == [[one.title, one.score] for one in best(factors, user)]
    assert listed != [[one.title, one.score] for one in best(plain, user)]
    rated = shown(PanelSheet.rate_movies), shown(PanelSheet.rate_ratings)
    assert shown(PanelSheet.for_you) == sheet.CF_RATE(*rated, 10)
    assert shown(PanelSheet.for_you)[0][0]


def test_the_macros_find_users_movies_and_their_ratings(workbooks):
    for path in workbooks:
        names = openpyxl.load_workbook(path, keep_vba=True).defined_names
        found = {name: names[name].attr_text for name in ("cf_users", "cf_movies", "cf_ratings")}
        assert found == {
            "cf_users": "predict!$G$6:$G$20",
            "cf_movies": "predict!$H$5:$V$5",
            "cf_ratings": "bias!$G$1:$V$16",
        }


def test_its_lists_rank_by_the_models_list_scores(busy_ratings, busy_factors, tmp_path, monkeypatch):
    n_users, n_movies = len(busy_ratings.user_ids), len(busy_ratings.movie_ids)
    seen = {"seen_offsets": np.arange(n_users + 1) * 2, "seen_movies": np.tile(np.int32([0, 3]), n_users)}
    factors = replace(busy_factors(), lists=list_factors(n_movies=n_movies), **seen)
    save_factors(factors, tmp_path / "model")
    monkeypatch.setenv("CF_EXCEL_MODEL", str(tmp_path / "model"))
    extend = excel_extension(busy_ratings.rating_range, TRAIN)
    build_collab(busy_ratings, tmp_path / "book.xlsm", extend=extend)
    page = openpyxl.load_workbook(tmp_path / "book.xlsm", data_only=True, keep_vba=True)["predict"]
    read = lambda block: [[cell.value for cell in row] for row in page[block.span()]]  # noqa: E731
    [[user]] = read(PanelSheet.user)
    mine = [row[0] for row in read(PanelSheet.rate_movies)], [row[0] for row in read(PanelSheet.rate_ratings)]
    by_rating = Predictor(replace(factors, lists=None))
    for block, ask in (
        (PanelSheet.recommended, lambda predictor: predictor.recommend(user)),
        (PanelSheet.for_you, lambda predictor: predictor.fold_in(*mine)),
    ):
        shown = [list(row) for row in read(block)]
        assert shown == [[movie.title, pytest.approx(movie.score)] for movie in ask(Predictor(factors))]
        assert [title for title, _ in shown] != [movie.title for movie in ask(by_rating)]


def test_the_bytes_depend_on_nothing_else(workbooks, busy_ratings, model, tmp_path, monkeypatch):
    monkeypatch.setenv("CF_EXCEL_MODEL", str(model))
    build_collab(busy_ratings, tmp_path / "a.xlsm", extend=excel_extension(busy_ratings.rating_range, TRAIN))
    assert (tmp_path / "a.xlsm").read_bytes() == workbooks[0].read_bytes()


def test_the_other_sheets_are_those_of_the_lesson(workbooks, busy_ratings, tmp_path):
    build_collab(busy_ratings, tmp_path / "plain.xlsx")
    plain, with_functions = (openpyxl.load_workbook(path) for path in (tmp_path / "plain.xlsx", workbooks[1]))
    assert with_functions.sheetnames == ["intro", "predict", *plain.sheetnames[1:], "titles"]
    for name in ("dotprod", "bias", "movielens_emb", "movies"):
        for mine, other in zip(plain[name].iter_rows(), with_functions[name].iter_rows(), strict=True):
            assert [getattr(cell.value, "text", cell.value) for cell in mine] == [
                getattr(cell.value, "text", cell.value) for cell in other
            ]
    assert "predict" in [row[0] for row in with_functions["intro"].values]
    assert "predict" not in [row[0] for row in plain["intro"].values]


def panel(folder, ratings, n_users):
    """Return the sheet predict of a workbook for these ratings."""
    path = folder / "panel.xlsx"
    extend = libreoffice_extension(ratings.rating_range)
    build_collab(ratings, path, n_users=n_users, n_movies=2, n_factors=1, extend=extend)
    return openpyxl.load_workbook(path, data_only=True)["predict"]


@pytest.mark.parametrize(
    ("ids", "picked", "number_format"),
    [
        (["007", "7"], "007", "@"),
        (["0306406152", "080442957X"], "0306406152", "@"),
        ([12345678901234567, 5], "5", "@"),
        (["a\x01", "a\x02"], "a␁", "@"),
        ([7, 8], 7, "General"),
    ],
)
def test_ids_and_titles_that_are_texts_stay_texts_when_they_are_picked(
    tmp_path, make_ratings, monkeypatch, ids, picked, number_format
):
    monkeypatch.setenv("CF_EXCEL_MODEL", str(tmp_path / "none"))
    page = panel(tmp_path, make_ratings([(user, movie, 1 + movie) for user in ids for movie in (1, 2)]), 2)
    assert (page["B6"].value, page["B6"].number_format) == (picked, number_format)
    assert [page[cell].number_format for cell in ("B7", "A25", "A29")] == ["@"] * 3


@pytest.mark.parametrize(
    ("given", "scale"),
    [
        ([0, 1], (0, 1)),
        ([0.1, 0.3], (0.1, 0.3)),
        ([-9.95, 3.21, 10], (-9.95, 10)),
        ([200, 900], (0, 1000)),
        ([3], (3, 3)),
    ],
)
def test_the_panel_starts_with_ratings_of_the_data(tmp_path, make_ratings, monkeypatch, given, scale):
    monkeypatch.setenv("CF_EXCEL_MODEL", str(tmp_path / "none"))
    ratings = make_ratings(
        [(user, movie, given[(user + movie) % len(given)]) for user in range(9) for movie in range(9)]
    )
    page = panel(tmp_path, replace(ratings, declared_range=scale), 9)
    stars = [cell[0].value for cell in page["B25:B29"] if cell[0].value is not None]
    assert len(stars) == 2
    assert set(stars) <= set(given)


@pytest.mark.parametrize(("users", "movies", "factors"), [(1, 1, 1), (3, 2, 9), (40, 30, 2)])
def test_any_size_without_a_model(busy_ratings, tmp_path, monkeypatch, validator_errors, users, movies, factors):
    monkeypatch.setenv("CF_EXCEL_MODEL", str(tmp_path / "none"))
    path = tmp_path / "any.xlsm"
    extend = excel_extension(busy_ratings.rating_range, ())
    build_collab(busy_ratings, path, n_users=users, n_movies=movies, n_factors=factors, extend=extend)
    assert validator_errors(path) == []
    page = openpyxl.load_workbook(path, data_only=True)["predict"]
    assert page["B8"].value == f"CF_PREDICT: there is no model at {tmp_path / 'none'}: run python -m cf_excel train"


def test_build_writes_both(tmp_path, capsys, monkeypatch, model):
    monkeypatch.setenv("CF_EXCEL_MODEL", str(model))
    table = tmp_path / "my ratings.csv"
    table.write_text("userId,movieId,rating\n1,1,5\n2,1,4\n1,2,3\n")
    options = ["--ratings", str(table), "--top-users", "2", "--top-movies", "2", "--rating-range", "1", "5", "--force"]
    assert main(["build", "--only", "functions", "--out", str(tmp_path), *options]) == 0
    assert sorted(path.name for path in tmp_path.glob("*.xls*")) == [
        "collab_filter.xlsm",
        "collab_filter_libreoffice.xlsx",
    ]
    source = modules(tmp_path / "collab_filter.xlsm")["cf_excel_macros"]
    arguments = eval(re.search(r"main\((\[.*\])\)", source)[1])
    expected = ["train", "--ratings", str(table), "--rating-range", "1.0", "5.0"]
    assert arguments == [*expected, "--explicit", "--split", "random"]
    assert "Excel on Windows" in capsys.readouterr().out


@pytest.mark.parametrize("trained", [True, False])
def test_build_writes_functions_once_there_is_a_model(tmp_path, capsys, monkeypatch, model, trained):
    monkeypatch.setenv("CF_EXCEL_MODEL", str(model if trained else tmp_path / "none"))
    table = tmp_path / "ratings.csv"
    table.write_text("userId,movieId,rating\n1,1,5\n")
    options = ["--ratings", str(table), "--top-users", "1", "--top-movies", "1", "--epochs", "1"]
    options += ["--force"] * trained  # the model is one of other ratings
    assert main(["build", "--out", str(tmp_path), *options]) == 0
    assert (tmp_path / "collab_filter.xlsx").is_file()
    assert (tmp_path / "collab_filter.xlsm").is_file() is trained
    assert ("no trained model yet" in capsys.readouterr().out) is not trained


def test_without_xlwings_it_says_what_to_do(monkeypatch):
    monkeypatch.setattr(vba, "find_spec", lambda name: None)
    with pytest.raises(FileError, match="xlwings is not installed: python -m pip install xlwings"):
        functions_project()


ANSWERING = """Public Function CallUDF(module, name, arguments, Optional book, Optional caller)
    CallUDF = module & "." & name & "/" & (UBound(arguments) + 1)
End Function
"""
XLPY = """Public Function XLPy()
    Set XLPy = New Answering
End Function
"""


@pytest.mark.libreoffice
def test_libreoffice_compiles_the_wrappers_and_calls_them(office, tmp_path):
    # LibreOffice has no Application.Caller; all else of the module is as written
    source = wrappers().replace("TypeOf Application.Caller Is Range", "True").replace("Application.Caller", "0")
    workbook = Workbook()
    for row, (name, signature) in enumerate(signatures().items(), 1):
        workbook.active.cell(row, 1).value = f"={name}({','.join('1' for _ in signature.parameters)})"
    path = tmp_path / "wrappers.xlsm"
    project = VbaProject({"xlwings": XLPY, "xlwings_udfs": source}, {"Answering": ANSWERING})
    write_workbook(path, workbook, {}, macros=Macros(project))
    values = office.call("recalculate_with_macros", str(path), script=SCRIPTS)["Sheet"]["values"]
    assert [row[0] for row in values] == [
        f"{UDF_MODULE}.{name}/{len(signature.parameters)}" for name, signature in signatures().items()
    ]


RUNNING = """Public Ran As String
Public Function RunPython(command)
    Ran = Ran & command & "|"
    RunPython = 1
End Function
Public Function RUNALL()
    Ran = ""
    TrainModel
    WriteFactors
    WritePredictions
    FillSheet
    RUNALL = Ran
End Function
"""


@pytest.mark.libreoffice
def test_libreoffice_compiles_the_macros_and_runs_them(office, tmp_path):
    # LibreOffice has no Application.InputBox: as in Excel, where it is closed, nothing is filled
    source = functions_project(TRAIN).modules["cf_excel_macros"]
    workbook = Workbook()
    workbook.active.cell(1, 1).value = "=RUNALL()"
    path = tmp_path / "macros.xlsm"
    write_workbook(path, workbook, {}, macros=Macros(VbaProject({"Running": RUNNING, "cf_excel_macros": source})))
    ((ran,),) = office.call("recalculate_with_macros", str(path), script=SCRIPTS)["Sheet"]["values"]
    commands = re.findall(r'RunPython\(?\s*"(.*?)"\)?', source)
    assert ran == "".join(f"{command}|" for command in commands[:3])
    assert len(commands) == len(MACROS)
    # and with an answer
    asked = re.sub(r"Application\.InputBox\(.*?Type:=8\)", 'ActiveSheet.Range("A1")', source, flags=re.DOTALL)
    asked = asked.replace("Application.Goto place", "place.Select")
    write_workbook(path, workbook, {}, macros=Macros(VbaProject({"Running": RUNNING, "cf_excel_macros": asked})))
    ((ran,),) = office.call("recalculate_with_macros", str(path), script=SCRIPTS)["Sheet"]["values"]
    assert ran == "".join(f"{command}|" for command in commands)


NOTING = """Public Noted As String
Public Sub MacroOptions(Macro, Description, Category, Optional ArgumentDescriptions)
    Noted = Noted & Macro & "|" & Description & "|" & Category
    If Not IsMissing(ArgumentDescriptions) Then Noted = Noted & "|" & Join(ArgumentDescriptions, "|")
    Noted = Noted & Chr(10)
End Sub
Public Function OPENED()
    Noted = ""
    Auto_Open
    OPENED = Noted & "open"
End Function
"""


@pytest.mark.libreoffice
def test_the_wizard_is_told_of_every_function_and_a_refusal_stops_nothing(office, tmp_path):
    workbook = Workbook()
    workbook.active.cell(1, 1).value = "=OPENED()"
    path = tmp_path / "wizard.xlsm"
    source = functions_project().modules["cf_excel_wizard"]
    said = [
        "|".join([f"'copy.xlsm'!{name}", help_of(name), "cf_excel", *(ARGUMENTS[one] for one in signature.parameters)])
        for name, signature in sorted(signatures().items())
    ]
    # LibreOffice has no MacroOptions, as Excel has none for a hidden workbook
    for text, expected in (
        (source.replace("Application.MacroOptions", "MacroOptions"), [*said, "open"]),
        (source, ["open"]),
    ):
        write_workbook(path, workbook, {}, macros=Macros(VbaProject({"Noting": NOTING, "cf_excel_wizard": text})))
        ((noted,),) = office.call("recalculate_with_macros", str(path), script=SCRIPTS)["Sheet"]["values"]
        assert noted.split("\n") == expected


def test_the_wizards_module_is_what_vba_takes():
    """A line has 1,023 characters at most, one statement 24 continuations."""
    lines = functions_project().modules["cf_excel_wizard"].splitlines()
    assert max(map(len, lines)) <= 1023
    assert all(len(text) <= 255 for text in ARGUMENTS.values())
    assert not any('"' in text for text in ARGUMENTS.values())


def test_the_layout_fits_any_book(workbooks):
    for users, movies in ((1, 1), (15, 15), (300, 200)):
        sheet = PanelSheet(CollabBook(users, movies, 5, users))
        blocks = [*sheet.calls, *(grid.users for grid in sheet.grids), *(grid.movies for grid in sheet.grids)]
        blocks += [sheet.button(i) for i in range(len(MACROS))] + [grid.heading for grid in sheet.grids]
        blocks += [sheet.user, sheet.movie, sheet.rate_movies, sheet.rate_ratings, sheet.recommended_head]
        taken = [(r, c) for b in blocks for r in range(b.top, b.bottom + 1) for c in range(b.left, b.right + 1)]
        assert len(taken) == len(set(taken))


def test_titles_are_picked_in_alphabetical_order(workbooks, busy_ratings):
    for path in workbooks:
        sheet = openpyxl.load_workbook(path)["titles"]
        titles = [cell.value for cell in sheet["A"]]
        assert titles == sorted(busy_ratings.titles.tolist(), key=str.casefold)
        assert sheet.sheet_state == "hidden"


def test_with_macros_off_what_is_stored_stays_and_a_cell_says_what_to_do(workbooks):
    for path in workbooks:
        with zipfile.ZipFile(path) as archive:
            calculation = re.search(r"<calcPr[^>]*>", archive.read("xl/workbook.xml").decode())[0]
        assert 'calcId="191029"' in calculation
        assert 'fullCalcOnLoad="1"' not in calculation
        book, stored = (openpyxl.load_workbook(path, data_only=only)["predict"] for only in (False, True))
        assert stored["A3"].value in (None, "")
        assert book["A3"].value.startswith("=IF(OR(ISERROR(B8),ISERROR(B9),ISERROR(A12),ISERROR(D12),ISERROR(D25)),")
        assert max(map(len, re.findall(r'"([^"]*)"', book["A3"].value))) <= 255  # more is no constant in Excel


@pytest.mark.libreoffice
def test_the_cell_speaks_where_no_function_is_known(workbooks, office):
    """LibreOffice without the functions' script, as Excel with macros off."""
    found = office.recalculate(workbooks[1])["predict"]["values"]
    assert "ask Python, which does not run" in found[2][0]


def test_what_the_panel_says_is_not_cut_off(workbooks):
    for path in workbooks:
        book = openpyxl.load_workbook(path)
        sheet = book["predict"]
        assert sheet[PanelSheet.model.first].alignment.shrink_to_fit
        assert PanelSheet.model_room.address in {str(area) for area in sheet.merged_cells.ranges}
        for block in (PanelSheet.recommended, PanelSheet.similar, PanelSheet.for_you, PanelSheet.rate_movies):
            assert sheet[block.first].alignment.shrink_to_fit
    assert openpyxl.load_workbook(workbooks[0])["xlwings.conf"].sheet_properties.pageSetUpPr.fitToPage
