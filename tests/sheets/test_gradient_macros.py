"""The buttons of gradient descent: macros in LibreOffice beside the formulas, and real clicks."""

import shutil
import subprocess
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from support.gradient_sheets import TITLES, sheet_of
from support.hosts import missing
from support.models import block_values
from support.office import Office
from support.vba_projects import macro_workbook, sources

from cf_excel.sheets.gradient.gradient_books import BUTTONS, build_gradient
from cf_excel.sheets.gradient.gradient_layout import HISTORY_FULL, HISTORY_ROWS
from cf_excel.xlsx.vba.vba_project import VbaProject

SCRIPT = Path(__file__).parents[1] / "support" / "office_macros.py"


@pytest.fixture(scope="module")
def fresh(gradient_folder, office) -> dict:
    """All sheets of the .xlsm before any button was pressed, as LibreOffice calculates them."""
    return office.recalculate(gradient_folder / "gradient_descent.xlsm")


@pytest.fixture(scope="module")
def run_macros(gradient_folder, office):
    """Run macros in the .xlsm and return the sheet after each."""

    def run(
        steps: list[tuple[str, str]], path: Path = gradient_folder / "gradient_descent.xlsm", changes: tuple = ()
    ) -> list:
        steps = [(sheet, f"Epochs.{macro}") for sheet, macro in steps]
        return office.call("run_macros", str(path), steps, changes, script=SCRIPT)

    return run


@pytest.mark.libreoffice
@pytest.mark.parametrize("title", TITLES)
def test_macros_do_what_the_formulas_do(title, fresh, run_macros, gradient_values):
    steps = ["FiveEpochs", "OneEpoch", "FiveEpochs", "Reset", "Reset", "OneEpoch"]
    five, six, eleven, reset, again, one = run_macros([(title, step) for step in steps])
    sheet = sheet_of(title, n_epochs=1, with_buttons=True)
    by_formulas = block_values(gradient_values[title], sheet_of(title).history)
    for after, n_epochs in ((five, 5), (six, 6), (eleven, 11), (one, 1)):
        history = block_values(after, sheet.history)
        np.testing.assert_array_equal(history[:n_epochs].astype(float), by_formulas[:n_epochs])
        assert set(history[n_epochs:].flat) == {""}
        assert block_values(after, sheet.result)[0, 0] == n_epochs + 1
        assert after["errors"] == ""
    assert reset["values"] == again["values"] == fresh[title]["values"] != one["values"]


@pytest.mark.libreoffice
def test_reset_takes_the_start_cells(run_macros):
    sheet = sheet_of("adam", n_epochs=1, with_buttons=True)
    changes = [("adam", sheet.input(0).first, 5), ("adam", sheet.input(1).first, -3)]
    (after,) = run_macros([("adam", "Reset")], changes=tuple(changes))
    assert block_values(after, sheet.column("b", "a"))[0].tolist() == [5, -3]


@pytest.mark.libreoffice
def test_a_full_history_says_so_and_stays(tmp_path, run_macros):
    build_gradient(tmp_path, n_points=2)
    sheet = sheet_of("sgd", 2, 1, with_buttons=True)
    runs = [("sgd", "FiveEpochs")] * (HISTORY_ROWS // 5) + [("sgd", "OneEpoch")]
    *_, full, more = run_macros(runs, tmp_path / "gradient_descent.xlsm")
    assert block_values(full, sheet.history)[:, 0].tolist() == list(range(1, HISTORY_ROWS + 1))
    assert block_values(full, sheet.status)[0, 0] == HISTORY_FULL
    assert more == full


PROBE = """
Public Function UpdatingAfterEpoch() As Boolean
    Epochs.OneEpoch
    UpdatingAfterEpoch = Application.ScreenUpdating
End Function

Public Function UpdatingAfterReset() As Boolean
    Epochs.Reset
    UpdatingAfterReset = Application.ScreenUpdating
End Function
"""


@pytest.mark.libreoffice
def test_an_error_changes_nothing_and_frees_the_screen(tmp_path, office):
    source = (files("cf_excel.data") / "epochs.bas").read_text()
    path = macro_workbook(tmp_path / "bare.xlsm", VbaProject({"Epochs": source, "Probe": PROBE}))
    steps = [("one", "Probe.UpdatingAfterEpoch"), ("one", "Probe.UpdatingAfterReset")]
    for after in office.call("run_macros", str(path), steps, script=SCRIPT):
        assert after == {"values": [["text"]], "errors": "", "returned": True}


@pytest.mark.libreoffice
def test_every_sheet_has_its_three_buttons(gradient_folder, office):
    url = "vnd.sun.star.script:VBAProject.Epochs.{}?language=Basic&location=document"
    assert office.call("buttons", str(gradient_folder / "gradient_descent.xlsm"), script=SCRIPT) == [
        [title, caption, [url.format(macro)]] for title in TITLES for caption, macro in BUTTONS.items()
    ]


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    """A screen that nobody sees."""
    if not (shutil.which("Xvfb") and shutil.which("xdotool")):
        missing("Xvfb or xdotool")
    # -noreset: the screen would start anew when its first, short guest leaves, and break the one that comes in
    command = ["Xvfb", "-displayfd", "1", "-noreset", "-screen", "0", "1600x1000x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    yield f":{server.stdout.readline().strip()}"
    server.terminate()
    server.wait(10)
    server.stdout.close()


@pytest.mark.libreoffice
def test_buttons_answer_to_the_mouse(gradient_folder, display, gradient_values):
    office = Office(display)
    try:
        path = str(gradient_folder / "gradient_descent.xlsm")
        clicks = office.call("click", path, "rmsprop", list(BUTTONS), script=SCRIPT)
    finally:
        office.close()
    sheet = sheet_of("rmsprop", n_epochs=1, with_buttons=True)
    by_formulas = block_values(gradient_values["rmsprop"], sheet_of("rmsprop").history)
    for values, n_epochs in zip(clicks, (1, 6, 0), strict=True):
        history = block_values({"values": values}, sheet.history)
        np.testing.assert_array_equal(history[:n_epochs].astype(float), by_formulas[:n_epochs])
        assert set(history[n_epochs:].flat) == {""}


def test_one_module_that_no_sheet_repeats(gradient_folder):
    found = sources(gradient_folder / "gradient_descent.xlsm")
    source = (files("cf_excel.data") / "epochs.bas").read_text()
    assert found.pop("Epochs") == source
    assert set(found.values()) == {""}
    assert not any(title in source for title in TITLES)
