"""The functions in a VBA project that was read: whether they are there, of which version, and what else is."""

import re
from dataclasses import replace

from cf_excel.udf.functions_vba import UDF_MODULE, WIZARD_MODULE, functions_project
from cf_excel.xlsx.vba.read_project import VbaSources
from cf_excel.xlsx.vba.vba_project import VbaProject

BUILT_MACROS = "cf_excel_macros"  # the module of the buttons in the workbooks that build makes
_BLANK = re.compile(r"(?im)^(Attribute .*|Option Explicit)$")


def own_project() -> VbaProject:
    """Return the VBA that a workbook of one's own gets: the functions, without the macros of build's buttons."""
    project = functions_project()
    return replace(project, modules={name: text for name, text in project.modules.items() if name != BUILT_MACROS})


def is_ours(vba: VbaSources) -> bool:
    """Whether a project holds the functions, of whichever version."""
    return f'CallUDF("{UDF_MODULE}"' in vba.modules.get("xlwings_udfs", "")


def has_functions(vba: VbaSources, *, with_addin: bool = False, with_wizard: bool = True) -> bool:
    """Whether a project holds the functions as this version has them, whoever saved it.

    with_addin: whether xlwings' add-in may stand in for its modules. with_wizard: whether what helps in the Function
    Wizard must be there, too, which whoever imports the functions does otherwise.
    """
    project = own_project()
    wanted = project.modules | project.classes
    if not with_wizard:
        del wanted[WIZARD_MODULE]
    if with_addin and "xlwings" not in vba.modules:
        wanted = {"xlwings_udfs": wanted["xlwings_udfs"]}
    return all(_compared(vba.modules.get(name, "")) == _compared(source) for name, source in wanted.items())


def others_in(vba: VbaSources) -> list[str]:
    """Return the names of the modules, and of the workbook and its sheets, that hold VBA which is not ours."""
    ours = {"xlwings", "xlwings_udfs", WIZARD_MODULE, "Dictionary"} if is_ours(vba) else set()
    if set(re.findall(r'CallUDF\("([^"]*)"', vba.modules.get("xlwings_udfs", ""))) - {UDF_MODULE}:
        ours.discard("xlwings_udfs")  # functions of somebody else were imported, too
    with_code = [name for name, source in vba.documents.items() if _BLANK.sub("", source.replace("\r", "")).strip()]
    return [*(name for name in vba.modules if name not in ours), *with_code]


def _compared(source: str) -> str:
    # Excel writes other spaces and, all over the project, the case in which a name was written last
    return "".join(re.sub(r"(?im)^\s*Attribute .*$", "", source).split()).lower()
