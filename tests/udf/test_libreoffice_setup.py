"""The functions in LibreOffice Calc: the files in the profile, and the cells of a real LibreOffice."""

import io
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import openpyxl
import pytest
from openpyxl.worksheet.formula import ArrayFormula
from support.function_calls import GRID
from support.hosts import missing
from support.office import Office

from cf_excel.cli import main
from cf_excel.errors import FileError
from cf_excel.model.file import save_factors
from cf_excel.sheets.lesson.collab import build_collab
from cf_excel.sheets.lesson.lesson_layout import CollabBook
from cf_excel.sheets.panel.panel_layout import PanelSheet
from cf_excel.udf import libreoffice_setup as libreoffice
from cf_excel.udf import worker
from cf_excel.udf.descriptions import signatures
from cf_excel.udf.functions import Functions
from cf_excel.udf.libreoffice_setup import MODULE, SCRIPT, basic_source, install, uninstall
from cf_excel.udf.panel_workbooks import libreoffice_extension

SCRIPTS = Path(__file__).parents[1] / "support" / "functions_scripts.py"
LIBRARY = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE library:library PUBLIC "-//OpenOffice.org//DTD OfficeDocument 1.0//EN" "library.dtd">
<library:library xmlns:library="http://openoffice.org/2000/library" library:name="Standard" library:readonly="false"\
 library:passwordprotected="false"%s"""
MINE = '>\n <library:element library:name="Mine"/>\n</library:library>\n'
# formula, and the arguments that a cell of that formula gives; None is a blank cell
USERS, MOVIES = [[15.0], [None], ["3"], [99.0], [7.0]], [[1.0, "The Matrix", None]]
CELLS = {"A1:A5": USERS, "B1:D1": MOVIES, "B2:D2": [[5.0, 3.0, None]], "A6:A6": [['O\'Neil "quoted"']], "A8:E13": GRID}
FORMULAS = [
    ("CF_PREDICT(15,1)", (15, 1)),
    ('CF_PREDICT("15","the matrix")', ("15", "the matrix")),
    ("CF_PREDICT(A1,B1)", (15, 1)),
    ("CF_PREDICT(A2,B1)", (None, 1)),
    ("CF_PREDICT(A4,B1)", (99, 1)),
    ("CF_PREDICT(A1,A6)", (15, 'O\'Neil "quoted"')),
    ("CF_PREDICT(A1:A5,B1:D1)", (USERS, MOVIES)),
    ("CF_PREDICT(A1:A5,1)", (USERS, 1)),
    ("CF_UNCERTAINTY(A1,B1)", (15, 1)),
    ("CF_USER_FACTORS(A1:A5)", (USERS,)),
    ("CF_MOVIE_FACTORS(B1:D1)", (MOVIES,)),
    ("CF_USER_BIAS(A1:A5)", (USERS,)),
    ("CF_MOVIE_BIAS(B1:D1)", (MOVIES,)),
    ("CF_TITLE(B1:D1)", (MOVIES,)),
    ("CF_TITLE(4973)", (4973,)),
    ("CF_RECOMMEND(42,3)", (42, 3)),
    ("CF_RECOMMEND(42)", (42,)),
    ("CF_RECOMMEND(A4,2)", (99, 2)),
    ("CF_SIMILAR(B1,3,0)", (1, 3, 0)),
    ("CF_SIMILAR(B1,3)", (1, 3)),
    ("CF_RATE(B1:D1,B2:D2,4)", (MOVIES, [[5, 3, None]], 4)),
    ("CF_RATE(B1:D1,B2:D2)", (MOVIES, [[5, 3, None]])),
    ('CF_FIND("hamlet",3)', ("hamlet", 3)),
    ("CF_RMSE(B2:D2,B1:D1)", ([[5, 3, None]], MOVIES)),
    ("CF_MODEL()", ()),
    ("CF_FILL(A8:E13)", (GRID,)),
    ("CF_FILL(B9:E12)", ([row[1:] for row in GRID[1:-1]],)),
    ("CF_TOP(A8:E13,2)", (GRID, 2)),
    ("CF_TOP(A8:E13)", (GRID,)),
    ("CF_FIT(A8:E13)", (GRID,)),
]


def rows_of(result: object) -> list[list[object]]:
    return result if isinstance(result, list) else [[result]]


@pytest.fixture(scope="module")
def sheet(tmp_path_factory, tiny_factors):
    path = tmp_path_factory.mktemp("office") / "model.safetensors"
    save_factors(tiny_factors(), path)
    return Functions(path)


@pytest.fixture(scope="module")
def calc(tmp_path_factory, sheet):
    """A LibreOffice that the command installed the functions in, after a first start that makes its profile."""
    if not shutil.which("soffice"):
        missing("LibreOffice")
    if libreoffice.lacks_python():
        missing("LibreOffice's script provider for Python (libreoffice-script-provider-python)")
    folder = tmp_path_factory.mktemp("profile with space")
    Office(profile=folder).close()
    assert main(["libreoffice", "install", "--profile", str(folder / "user")]) == 0
    office = Office(profile=folder, CF_EXCEL_MODEL=str(sheet.path))
    yield office
    office.close()


@pytest.fixture(scope="module")
def workbook(tmp_path_factory, sheet):
    """Every formula in column G and to the right, each below the other; the arguments in columns A to E."""
    book = openpyxl.Workbook()
    page = book.active
    for area, rows in CELLS.items():
        for cells, values in zip(page[area], rows, strict=True):
            for cell, value in zip(cells, values, strict=True):
                cell.value = value
    places, row = [], 1
    for formula, arguments in FORMULAS:
        name = formula.partition("(")[0]
        result = rows_of(getattr(sheet, name)(*arguments))
        places.append((row, name, arguments))
        first = page.cell(row, 7)
        if len(result) == len(result[0]) == 1:
            first.value = f"={formula}"
        else:
            end = page.cell(row + len(result) - 1, 6 + len(result[0])).coordinate
            page[first.coordinate] = ArrayFormula(f"{first.coordinate}:{end}", f"={formula}")
        row += len(result) + 1
    path = tmp_path_factory.mktemp("workbook") / "functions.xlsx"
    book.save(path)
    return path, places


def check_cells(values, places, sheet):
    for row, name, arguments in places:
        for i, expected in enumerate(rows_of(getattr(sheet, name)(*arguments))):
            shown = values[row - 1 + i][6 : 6 + len(expected)]
            if all(isinstance(value, (int, float)) for value in expected):
                np.testing.assert_allclose(shown, expected, atol=1e-9, err_msg=name)
            else:
                assert shown == expected, name


@pytest.mark.libreoffice
def test_every_cell_shows_what_the_predictor_returns_after_a_retrain_too(calc, workbook, sheet, tiny_factors):
    path, places = workbook
    for seed in (0, 1, 0):
        save_factors(tiny_factors(seed=seed), sheet.path)
        page = calc.recalculate(path)["Sheet"]
        assert page["errors"] == ""
        check_cells(page["values"], places, sheet)


@pytest.mark.libreoffice
def test_the_built_workbook_answers_there(calc, sheet, busy_ratings, busy_factors, tiny_factors, tmp_path, monkeypatch):
    monkeypatch.setenv("CF_EXCEL_MODEL", str(sheet.path))
    save_factors(busy_factors(0), sheet.path)
    path = tmp_path / "built.xlsx"
    build_collab(busy_ratings, path, extend=libreoffice_extension(busy_ratings.rating_range))
    layout = PanelSheet(CollabBook(15, 15, 5, 206))
    own = {layout.user.first: 30, layout.movie.first: "Pulp Fiction (1994)"}
    own |= {f"A{row}": "" for row in range(26, 30)} | {"A25": "Fargo (1996)", "B25": 5}
    for seed, changes in ((0, {}), (1, {}), (1, own)):
        save_factors(busy_factors(seed), sheet.path)
        page = calc.recalculate(path, {"predict": changes})
        values = page["predict"]["values"]
        at = lambda block: [row[block.left - 1 : block.right] for row in values[block.top - 1 : block.bottom]]  # noqa: E731, B023
        assert page["predict"]["errors"] == ""
        if not changes:
            user, movie = at(layout.user)[0][0], at(layout.movie)[0][0]
            rated, stars = at(layout.rate_movies), at(layout.rate_ratings)
        else:
            user, movie, rated, stars = 30, "Pulp Fiction (1994)", [["Fargo (1996)"]], [[5.0]]
        users, movies = at(layout.grids[0].users), at(layout.grids[0].movies)
        ratings = [row[7:22] for row in page["bias"]["values"][1:16]]
        for block, expected in {
            layout.rating: sheet.CF_PREDICT(user, movie),
            layout.model: sheet.CF_MODEL(),
            layout.recommended: sheet.CF_RECOMMEND(user, 10),
            layout.similar: sheet.CF_SIMILAR(movie, 10),
            layout.for_you: sheet.CF_RATE(rated, stars, 10),
            layout.grids[0].predictions: sheet.CF_PREDICT(users, movies),
            layout.grids[0].rmse: sheet.CF_RMSE(ratings, sheet.CF_PREDICT(users, movies)),
            layout.grids[1].rmse: sheet.CF_RMSE(ratings, at(layout.grids[1].predictions)),
        }.items():
            for shown, wanted in zip(at(block), rows_of(expected), strict=True):
                assert shown == [v if isinstance(v, str) else pytest.approx(v, abs=1e-9) for v in wanted]
    save_factors(tiny_factors(), sheet.path)


@pytest.mark.libreoffice
def test_a_missing_and_a_corrupt_model_are_told_in_the_cell(calc, workbook, sheet, tiny_factors):
    path, places = workbook
    for content in (None, b"junk"):
        sheet.path.unlink() if content is None else sheet.path.write_bytes(content)
        values = calc.recalculate(path)["Sheet"]["values"]
        assert values[0][6] == sheet.CF_PREDICT(15, 1)
        assert str(sheet.path) in values[0][6]
    save_factors(tiny_factors(), sheet.path)
    check_cells(calc.recalculate(path)["Sheet"]["values"], places, sheet)


@pytest.mark.libreoffice
def test_formulas_survive_saving(calc, workbook, tmp_path, sheet):
    path, places = workbook
    calc.call("save_as_xlsx", str(path), str(tmp_path / "saved.xlsx"), script=SCRIPTS)
    page = openpyxl.load_workbook(tmp_path / "saved.xlsx").active
    for (row, _, _), (formula, _) in zip(places, FORMULAS, strict=True):
        kept = page.cell(row, 7).value
        assert getattr(kept, "text", kept) == f"={formula}"


@pytest.mark.libreoffice
def test_error_values_and_missing_arguments(calc, tmp_path, sheet):
    book = openpyxl.Workbook()
    page = book.active
    page["A1"], page["A2"] = "=NA()", 15
    page["B1"], page["B2"], page["B3"] = "=CF_PREDICT(A1,1)", "=CF_PREDICT(A2)", "=CF_PREDICT(A2,1)+1"
    book.save(tmp_path / "errors.xlsx")
    page = calc.recalculate(tmp_path / "errors.xlsx")["Sheet"]
    assert page["errors"] == "Sheet.A1:B1"
    assert page["values"][1][1] == "CF_PREDICT: movie is missing"
    assert page["values"][2][1] == pytest.approx(sheet.CF_PREDICT(15, 1) + 1, abs=1e-9)


@pytest.fixture
def profile(tmp_path):
    (tmp_path / "user/basic/Standard").mkdir(parents=True)
    return tmp_path / "user"


@pytest.mark.parametrize("end", ["/>", ">\n</library:library>\n", MINE])
def test_installing_twice_and_uninstalling_leaves_everything_else(profile, end):
    library = profile / "basic/Standard/script.xlb"
    library.write_text(LIBRARY % end)
    (profile / "basic/Standard/Mine.xba").write_text("mine")
    before = sorted(profile.rglob("*.xba"))
    install(profile)
    once = {path: path.read_bytes() for path in profile.rglob("*") if path.is_file()}
    install(profile)
    assert {path: path.read_bytes() for path in profile.rglob("*") if path.is_file()} == once
    names = [
        element.get("{http://openoffice.org/2000/library}name") for element in ElementTree.parse(library).getroot()
    ]
    assert names == ["Mine", MODULE] if end == MINE else [MODULE]
    module = ElementTree.parse(profile / f"basic/Standard/{MODULE}.xba").getroot()
    assert module.text.replace("\r\n", "\n") == basic_source()
    uninstall(profile)
    assert sorted(profile.rglob("*.xba")) == before
    assert not (profile / "Scripts/python" / SCRIPT).exists()
    kept = [element.get("{http://openoffice.org/2000/library}name") for element in ElementTree.parse(library).getroot()]
    assert kept == (["Mine"] if end == MINE else [])
    uninstall(profile)


@pytest.mark.parametrize("content", ["", "not xml", "<library/>", "\x00\x01"])
def test_a_list_of_modules_that_is_none_is_left_alone(profile, content, capsys):
    library = profile / "basic/Standard/script.xlb"
    library.write_text(content)
    assert main(["libreoffice", "install", "--profile", str(profile)]) == 2
    assert library.read_text() == content
    assert not list(profile.rglob(SCRIPT))
    assert "list of Basic modules" in capsys.readouterr().err


def test_without_a_profile_it_says_what_to_do(tmp_path, monkeypatch, capsys):
    assert main(["libreoffice", "install", "--profile", str(tmp_path / "none")]) == 2
    assert main(["libreoffice", "install", "--profile", str(tmp_path)]) == 2
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.delenv("APPDATA", raising=False)
    assert main(["libreoffice", "install"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert "there is no such folder" in lines[0]
    assert "start LibreOffice once" in lines[1]
    assert "no LibreOffice profile was found" in lines[2]
    (tmp_path / ".config/libreoffice/4/user").mkdir(parents=True)
    assert libreoffice.default_profile() == tmp_path / ".config/libreoffice/4/user"


def test_a_libreoffice_without_python_is_told(tmp_path, monkeypatch):
    program = tmp_path / "soffice"
    program.write_text("")
    monkeypatch.setattr(shutil, "which", lambda name: str(program))
    assert "libreoffice-script-provider-python" in libreoffice.lacks_python()
    (tmp_path / "pythonscript.py").write_text("")
    assert libreoffice.lacks_python() == ""


@pytest.fixture
def script(profile, sheet, monkeypatch):
    """The installed script, as LibreOffice's Python loads it."""
    monkeypatch.setenv("CF_EXCEL_MODEL", str(sheet.path))
    install(profile)
    namespace = {}
    exec((profile / "Scripts/python" / SCRIPT).read_text(), namespace)
    yield namespace
    if namespace["_process"]:
        namespace["_stop"]()


def test_the_script_starts_its_process_again(script, sheet):
    call = script["call"]
    assert call("CF_PREDICT", (15.0, "The Matrix")) == sheet.CF_PREDICT(15, "The Matrix")
    first = script["_process"]
    first.kill()
    first.wait()
    assert call("CF_TITLE", (((1.0, None),),)) == (("Toy Story (1995)", ""),)
    assert script["_process"] is not first
    assert call("CF_NOTHING", ()) == "CF_NOTHING: there is no function CF_NOTHING"


def test_the_script_says_when_python_is_gone(script):
    script["PYTHON"] = "/no/such/python"
    assert script["call"]("CF_MODEL", ()).startswith("CF_MODEL: can't start /no/such/python")
    script["PYTHON"] = shutil.which("false") or sys.executable
    assert script["call"]("CF_MODEL", ()).endswith("gives no answer: run python -m cf_excel libreoffice install again")


def test_the_worker_answers_every_line(sheet, monkeypatch):
    monkeypatch.setenv("CF_EXCEL_MODEL", str(sheet.path))
    target = io.StringIO()
    lines = [
        "junk\n",
        "{}\n",
        '{"function": "__init__", "arguments": []}\n',
        '{"function": "CF_TITLE", "arguments": [1]}\n',
    ]
    worker.serve(io.StringIO("".join(lines)), target)
    answers = target.getvalue().splitlines()
    assert len(answers) == 4
    assert all('"error"' in answer for answer in answers[:3])
    assert answers[3] == '{"result": "Toy Story (1995)"}'
    done = subprocess.run([sys.executable, "-m", "cf_excel.udf.worker"], input=lines[3], capture_output=True, text=True)
    assert done.stdout == answers[3] + "\n"
    assert done.returncode == 0


def test_every_function_has_its_basic():
    source = basic_source()
    for name in signatures():
        assert f"Function {name}(" in source


def test_the_installed_script_needs_nothing(profile):
    install(profile)
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(profile / "Scripts/python" / SCRIPT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_profile_that_can_not_be_written(profile, monkeypatch):
    monkeypatch.setattr(libreoffice, "replacing", lambda path: (_ for _ in ()).throw(FileError("no")))
    with pytest.raises(FileError):
        install(profile)


def test_a_profile_is_changed_whole_or_not_at_all(profile):
    library = profile / "basic/Standard/script.xlb"
    library.write_text(LIBRARY % "/>")
    library.chmod(0o444)
    with pytest.raises(FileError, match=r"script\.xlb is read-only"):
        install(profile)
    assert [path for path in profile.rglob("*") if path.is_file()] == [library]
