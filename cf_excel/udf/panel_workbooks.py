"""The workbooks that ask a model: for Excel on Windows with its VBA project, and for LibreOffice without."""

import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

from cf_excel.sheets.lesson.collab import Draft
from cf_excel.sheets.panel.panel_sheet import add_conf_sheet, add_predict_sheet
from cf_excel.udf.environments import environment_of
from cf_excel.udf.functions import Functions
from cf_excel.udf.functions_vba import BUILT_WITH, INTERPRETERS, MACROS, UDF_MODULE, functions_project
from cf_excel.xlsx.write.buttons import Button, Macros


def settings() -> list[tuple[str, str]]:
    """Return what the sheet xlwings.conf says: the Python that builds the workbook answers its functions.

    A workbook names no Python of another system than the one it was built on, and none where there is no Excel: it is
    passed on, and the path would mean nothing there. The workbook's own folder is no place for code: on OneDrive it is
    a URL, which xlwings can't always resolve. An environment of conda on Windows is named by conda's settings, because
    its libraries are found only once it is activated.
    """
    here = INTERPRETERS.get(sys.platform)
    interpreters = {"Interpreter_Win": "pythonw", "Interpreter_Mac": ""}
    if here:
        interpreters[here] = sys.executable
    if here == "Interpreter_Win":
        interpreters |= environment_of(Path(sys.prefix), os.environ).settings
    return [
        *interpreters.items(),
        ("UDF Modules", UDF_MODULE),
        ("ADD_WORKBOOK_TO_PYTHONPATH", "false"),
        ("Debug UDFs", "False"),
        ("Use UDF Server", "False"),
        ("Show Console", "False"),
        (BUILT_WITH, version("xlwings")),
    ]


def excel_extension(rating_range: tuple[float, float], train: Sequence[str]) -> Callable[[Draft], Macros]:
    """Return what build_collab needs to make the .xlsm; train: the options that its button gives the command train."""
    project = functions_project(train)

    def extend(draft: Draft) -> Macros:
        sheet = add_predict_sheet(draft, Functions(), rating_range)
        add_conf_sheet(draft, settings())
        buttons = [Button(caption, macro, sheet.button(i)) for i, (caption, macro) in enumerate(MACROS.items())]
        return Macros(project, {sheet.title: buttons})

    return extend


def libreoffice_extension(rating_range: tuple[float, float]) -> Callable[[Draft], None]:
    """Return what build_collab needs to make the .xlsx whose functions LibreOffice calculates."""

    def extend(draft: Draft) -> None:
        add_predict_sheet(draft, Functions(), rating_range)

    return extend
