"""The functions in Windows' Python under Wine: xlwings' COM server, started by its DLL as the VBA starts it."""

import json
import os
import subprocess
from pathlib import Path

import openpyxl
import pytest
from support.function_calls import CALLS, MISSING, NOT_AVAILABLE
from support.hosts import missing
from support.own_books import grid_book

import cf_excel
from cf_excel.model.file import save_factors
from cf_excel.sheets.lesson.collab import build_collab
from cf_excel.udf import panel_workbooks as workbook
from cf_excel.udf.descriptions import signatures
from cf_excel.udf.functions import Functions
from cf_excel.udf.functions_workbook import add_functions
from cf_excel.udf.panel_workbooks import excel_extension

HERE = Path(__file__).parents[1] / "windows"
ROOT = Path(cf_excel.__file__).parent.parent
pytestmark = [pytest.mark.windows, pytest.mark.slow]


def windows_path(path: Path) -> str:
    """Return how Wine names a file of this system."""
    return "Z:" + str(path).replace("/", "\\")


def server_command(settings: dict[str, str], workbook: str) -> str:
    """Return the command line that xlwings' VBA (XLPyCommand) makes of the settings, for a workbook at a path."""
    assert "Conda Path" not in settings
    assert settings["Debug UDFs"] == "False"
    folders = [settings["ADD_WORKBOOK_TO_PYTHONPATH"], workbook, workbook, "", "", "", settings.get("PYTHONPATH", "")]
    path = ";".join(folders).replace("\\", "\\\\").replace("'", "\\'").replace("&", "^&")
    python = f'cmd.exe  /K ""{settings["Interpreter_Win"]}"'
    code = f'import sys, os;import xlwings.utils;xlwings.utils.prepare_sys_path(\\"{path}\\");'
    return f'{python} -B -c "{code}import xlwings; xlwings.serve(\'$(CLSID)\')""'


def windows_environment(folder: Path, model: Path) -> dict[str, str]:
    """Return the environment of Windows' Python in the folder that setup.sh filled."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment |= {
        "WINEPREFIX": str(folder / "prefix"),
        "WINEDEBUG": "-all",
        "WINEARCH": "win64",
        "PYTHONUTF8": "1",
        "CF_EXCEL_MODEL": windows_path(model),
    }
    environment.pop("DISPLAY", None)
    return environment


class Excel:
    """Calls functions through the client, which runs in Windows' Python."""

    def __init__(self, folder: Path, command: str, environment: dict[str, str]) -> None:
        self.environment = environment
        dll = next((folder / "py").glob("xlwings64-*.dll"))
        arguments = [windows_path(HERE / "client.py"), windows_path(dll), command]
        self._process = subprocess.Popen(
            ["wine", str(folder / "py" / "python.exe"), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env=environment,
        )
        self.version = self._answer()["result"]

    def call(self, name: str, arguments: list, **options: object) -> object:
        self._process.stdin.write(json.dumps({"name": name, "arguments": arguments, **options}) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict:
        line = self._process.stdout.readline()
        assert line, "the client ended"
        return json.loads(line)

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()


@pytest.fixture(scope="module")
def sheet(tmp_path_factory, tiny_factors):
    path = tmp_path_factory.mktemp("windows") / "model.safetensors"
    save_factors(tiny_factors(), path)
    return Functions(path)


@pytest.fixture(scope="module")
def windows():
    """The folder that tests/windows/setup.sh filled."""
    folder = Path(os.environ.get("CF_EXCEL_WINDOWS", "/nowhere"))
    if not (folder / "ready").exists():
        missing("Windows' Python under Wine (tests/windows/setup.sh; CF_EXCEL_WINDOWS names its folder)")
    # the project, as an editable installation has it
    (folder / "py/Lib/site-packages/cf_excel.pth").write_text(f"{windows_path(ROOT)}\n{windows_path(HERE)}\n")
    return folder


@pytest.fixture(scope="module")
def excel(windows, sheet, busy_ratings, tmp_path_factory):
    python = windows_path(windows / "py" / "python.exe")
    path = tmp_path_factory.mktemp("with space & é") / "functions.xlsm"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workbook.sys, "platform", "win32")
        patch.setattr(workbook.sys, "executable", python)
        build = excel_extension(busy_ratings.rating_range, ())
        build_collab(busy_ratings, path, extend=build)
    rows = openpyxl.load_workbook(path, keep_vba=True)["xlwings.conf"].iter_rows(values_only=True)
    command = server_command(dict(rows), windows_path(path))
    excel = Excel(windows, command, windows_environment(windows, sheet.path))
    yield excel
    excel.close()


def test_a_workbook_of_ones_own_asks_the_same_python(excel, windows, sheet, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workbook.sys, "platform", "win32")
        patch.setattr(workbook.sys, "executable", windows_path(windows / "py" / "python.exe"))
        path = add_functions(grid_book(tmp_path / "scores.xlsx")).path
    book = openpyxl.load_workbook(path, keep_vba=True)
    command = server_command(dict(book["xlwings.conf"].iter_rows(values_only=True)), windows_path(path))
    table = [[cell.value for cell in row] for row in book["Stars"]["A3:M27"]]
    own = Excel(windows, command, excel.environment)
    try:
        assert own.call("CF_FILL", [table]) == {"result": close_to(expected(sheet, "CF_FILL", [table]))}
    finally:
        own.close()


def test_the_doctor_runs_there(excel, windows):
    done = subprocess.run(
        ["wine", str(windows / "py" / "python.exe"), "-m", "cf_excel", "doctor"],
        input="",
        capture_output=True,
        text=True,
        env=excel.environment,
        check=False,
    )
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert f"ok      Python: {windows_path(windows / 'py' / 'python.exe')}, 64 bits" in lines
    assert any(line.startswith("ok      xlwings' library: Z:") for line in lines)
    assert "unknown Excel: not found in the registry" in lines
    assert "ok      macro settings: as Excel comes: it asks before macros run" in lines


def as_sent(value: object) -> object:
    if isinstance(value, list):
        return [as_sent(item) for item in value]
    return {MISSING: {"missing": True}, NOT_AVAILABLE: {"error": 2042}}.get(value, value)


def as_shown(result: object) -> object:
    """Return a result as the COM server gives it: a single cell as a value, a single row as a row."""
    result = json.loads(json.dumps(result))
    if not isinstance(result, list) or len(result) > 1:
        return result
    return result[0][0] if len(result[0]) == 1 else result[0]


def expected(sheet: Functions, name: str, arguments: list) -> object:
    given = [None if argument == MISSING else argument for argument in arguments]
    return as_shown(getattr(sheet, name)(*given))


@pytest.mark.parametrize("ranges", [False, True])
def test_every_function_over_com(excel, sheet, ranges):
    assert "MSC" in excel.version
    assert {name for name, _ in CALLS} == set(signatures())
    for name, arguments in CALLS:
        if name != "CF_MODEL":
            found = excel.call(name, as_sent(arguments), ranges=ranges)
            assert found == {"result": close_to(expected(sheet, name, arguments))}, name


def close_to(value: object) -> object:
    # another numpy, another order of sums
    if isinstance(value, list):
        return [close_to(item) for item in value]
    return value if isinstance(value, str) else pytest.approx(value, abs=1e-6)


def test_the_model_says_what_it_is(excel, sheet):
    found = excel.call("CF_MODEL", [])["result"]
    assert found.startswith("collab: 5 users, 8 movies, 3 factors; trained 20")
    assert found.endswith(f"; {sheet.path.name}")


def test_the_model_file_is_replaced_between_calls(excel, sheet, tiny_factors):
    shown = []
    for seed in (1, 0):
        save_factors(tiny_factors(seed=seed), sheet.path)
        shown.append(excel.call("CF_PREDICT", [15.0, 1.0])["result"])
        assert shown[-1] == pytest.approx(sheet.CF_PREDICT(15, 1), abs=1e-6)
    assert shown[0] != pytest.approx(shown[1], abs=1e-3)
    sheet.path.unlink()
    assert excel.call("CF_PREDICT", [15.0, 1.0])["result"].startswith("CF_PREDICT: there is no model at Z:\\")
    save_factors(tiny_factors(), sheet.path)
    assert excel.call("CF_PREDICT", [15.0, 1.0])["result"] == pytest.approx(shown[1], abs=1e-6)


def test_an_unexpected_error_is_read_as_its_sentence(excel):
    assert "cf_excel.udf.nothing" in excel.call("CF_PREDICT", [1.0, 1.0], module="cf_excel.udf.nothing")["error"]


def test_a_thousand_calls_leave_nothing_behind(excel, sheet):
    """Objects that Python tracks in the server, and its memory: neither number moves by itself."""
    count = {"name": "CF_PREDICT", "arguments": [15.0, 1.0]}
    excel.call(**count, times=200)
    before = excel.call("objects", [], module="server_state")["result"]
    excel.call(**count, times=1000)
    after = excel.call("objects", [], module="server_state")["result"]
    assert after[0] - before[0] < 50
    assert after[1] - before[1] < 500 * 1000  # bytes


def test_a_large_column(excel, sheet):
    users = [[15.0], [3.0], [None], ["7"]] * 2500
    found = excel.call("CF_PREDICT", [users, 1.0])["result"]
    one = sheet.CF_PREDICT(users[:4], 1.0)
    assert found == close_to(one) * 2500
