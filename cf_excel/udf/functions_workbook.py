"""Put the functions into a workbook that somebody owns, and take them out again.

What is put in: the VBA project, the sheet xlwings.conf, and the code names by which the project knows the sheets.
"""

import os
import posixpath
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from cf_excel.errors import FileError, InputError
from cf_excel.files import check_target
from cf_excel.sheets.fill.changes import Outcome
from cf_excel.sheets.fill.write_back import save_book
from cf_excel.sheets.panel.panel_layout import ConfSheet
from cf_excel.udf.descriptions import signatures
from cf_excel.udf.environments import CONDA_SETTINGS
from cf_excel.udf.found_functions import BUILT_MACROS, has_functions, is_ours, others_in, own_project
from cf_excel.udf.functions_vba import BUILT_WITH, INTERPRETERS
from cf_excel.udf.open_books import refuse_open_in_cloud
from cf_excel.udf.panel_workbooks import settings
from cf_excel.xlsx.edit.code_names import code_name, give_code_names, take_code_names_back
from cf_excel.xlsx.edit.drop_sheet import drop_sheet
from cf_excel.xlsx.edit.workbook_file import OpenedBook
from cf_excel.xlsx.edit.zip_archive import open_archive
from cf_excel.xlsx.opc import CONTENT_TYPES, MAIN, VBA_RELATION, VBA_TYPE, XLSM_TYPE, XLSX_TYPE
from cf_excel.xlsx.vba.read_project import VbaSources, read_project
from cf_excel.xlsx.vba.vba_project import WORKBOOK_CODE_NAME, VbaProject
from cf_excel.xlsx.write.sheet_cells import SheetCells, sheet_xml

CONF = ConfSheet(0).title
CONF_CODE_NAME = "xlwings_conf"
GIVEN_NAMES = "cf_excel: code names given"  # a line of xlwings.conf that xlwings passes over, as BUILT_WITH
_ADDIN = (
    "xlwings' add-in brings the functions into it: docs/excel-windows.md, 'A workbook with macros of its own', says how"
)
_CALL = re.compile(rb"<(?:[\w.-]+:)?f(?:\s[^>]*)?>[^<]*\bCF_")

Rows = list[tuple[str, str]]


@dataclass(frozen=True, repr=False)
class FunctionsReport(Outcome):
    """What became of the workbook; str() gives the lines that the command prints.

    notes: what the workbook's owner may want to know, a line each.
    """

    notes: tuple[str, ...] = ()


def add_functions(
    workbook: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str] | None = None,
    backup: bool = False,
    force: bool = False,
) -> FunctionsReport:
    """Put the functions into a copy of an .xlsx, an .xlsm of the same name, or into an .xlsm where it lies.

    Where they are already, what differs in this version, and this Python, are put in. out: the .xlsm to write. backup:
    keep the file that is replaced. force: replace an .xlsm that holds other things than this workbook.

    Return what was written. Raises InputError for files of other kinds, FileError where a file can't be read or
    written and where the workbook has VBA or settings of xlwings of its own.
    """
    path = Path(workbook)
    book, target = _opened(path, (".xlsx", ".xlsm"), None if out is None else Path(out), ".xlsm")
    vba, conf = vba_of(book), _conf_of(book)
    if BUILT_WITH not in dict(conf or []) and CONF in (title.lower() for title in book.all_titles):
        raise FileError(f"{path.name} has a sheet {CONF} of its own, which is left alone: {_ADDIN}")
    others = [] if vba is None else others_in(vba)
    is_current = vba is not None and has_functions(vba, with_wizard=not others)
    if others and not is_current:
        raise FileError(_refusal(path, others))
    hidden = [name for name in signatures() if name.lower() in book.names]
    if hidden:
        book.notes.append(
            f"the workbook's own name {hidden[0]} hides the function: Excel shows what the name stands for"
        )
    if vba is None and _has_calls(book):
        book.notes.append(
            "formulas that call the functions are there already: let Excel calculate everything anew once"
        )
    given = _given_names(conf or [])
    if conf is None:
        book.add_sheet(
            CONF, book.free_name("worksheets", "sheet"), _conf_xml(settings(), CONF_CODE_NAME), has_formulas=False
        )
    if not others:
        project = own_project()
        names, added = give_code_names(book, [*project.modules, *project.classes])
        given |= added
        if vba is None or not is_current or vba.documents.keys() != names.keys() | {WORKBOOK_CODE_NAME}:
            _put_project(book, project, names)
    _put_conf(book, conf, given)
    _declare(book, XLSX_TYPE, XLSM_TYPE)
    return _save(book, target, backup=backup, force=force)


def remove_functions(
    workbook: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str] | None = None,
    backup: bool = False,
    force: bool = False,
) -> FunctionsReport:
    """Take out of a copy of an .xlsm what add_functions put in; the copy is an .xlsx of the same name.

    out: the .xlsx to write. backup: keep the file that is replaced. force: replace an .xlsx that holds other things.

    Return what was written. Raises InputError for files of other kinds and without the functions, FileError where a
    file can't be read or written and where the workbook has VBA of its own, too.
    """
    path = Path(workbook)
    book, target = _opened(path, (".xlsm",), None if out is None else Path(out), ".xlsx")
    vba, conf = vba_of(book), _conf_of(book)
    if vba is None or not is_ours(vba):
        raise InputError(f"{path.name} has none of the functions: nothing to take out")
    others = others_in(vba)
    if others:
        raise FileError(f"{path.name} has VBA of its own ({_shown(others)}), which an .xlsx can't hold: left alone")
    if book.all_titles == [CONF]:
        raise FileError(f"{path.name} has no sheet but {CONF}: nothing would be left")
    if _has_calls(book):
        book.notes.append("formulas that call the functions stay, and show #NAME? once Excel calculates them")
    take_code_names_back(book, _given_names(conf or []))
    book.archive.drop_related(book.root, "vbaProject")
    if conf is not None:
        drop_sheet(book, CONF)
    _declare(book, XLSM_TYPE, XLSX_TYPE)
    return _save(book, target, backup=backup, force=force)


def vba_of(book: OpenedBook) -> VbaSources | None:
    """Return the sources of a workbook's VBA, None where it has none. Raises FileError for a damaged project."""
    part = book.root_target("vbaProject")
    return None if part is None else read_project(book.archive.read(part), book.path.name)


def _has_calls(book: OpenedBook) -> bool:
    """Whether formulas call the functions."""
    return any(_CALL.search(book.sheet_bytes(title)) for title in book.titles)


def _opened(path: Path, endings: tuple[str, ...], out: Path | None, ending: str) -> tuple[OpenedBook, Path]:
    """Return a workbook that may be changed, and the file to write."""
    target = out or path.with_suffix(ending)
    if path.suffix.lower() not in endings:
        advice = "" if path.suffix.lower() in (".xlsx", ".xlsm") else ": open it in Excel and save it as .xlsx"
        raise InputError(f"{path}: expected a workbook that ends in {' or '.join(endings)}{advice}")
    if target.suffix.lower() != ending:
        raise InputError(f"--out {target}: expected a name that ends in {ending}")
    if out is None and path.suffix.lower() == ending:
        target = path
    check_target(target, [] if target == path else [path])
    refuse_open_in_cloud(target)
    book = OpenedBook(path)
    if any("_xmlsignatures/" in name or "vbaprojectsignature" in name.lower() for name in book.archive.names):
        raise FileError(f"{path.name} is signed, and would no longer be: remove the signature in Excel first")
    return book, target


def _refusal(path: Path, others: list[str]) -> str:
    if others == [BUILT_MACROS]:
        return f"{path.name} was written by build, with its buttons: python -m cf_excel build writes it anew"
    return f"{path.name} has VBA of its own ({_shown(others)}), which is left alone: {_ADDIN}"


def _shown(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def _put_project(book: OpenedBook, project: VbaProject, names: dict[str, str]) -> None:
    charts = [name for name, kind in names.items() if kind == "chartsheet"]
    content = project.packed([name for name in names if name not in charts], charts)
    part = book.root_target("vbaProject")
    if part is not None:
        book.archive.put(part, content)
        return
    part = posixpath.join(posixpath.dirname(book.root), "vbaProject.bin")
    book.archive.add(part, content, VBA_TYPE)
    book.archive.relate(book.root, VBA_RELATION, part)


def _conf_of(book: OpenedBook) -> Rows | None:
    """Return the settings in the sheet xlwings.conf, None where there is no such sheet."""
    if CONF not in book.titles:
        return None
    sheet = book.sheet(CONF)
    rows = [[sheet.value((row, column)) for column in (1, 2)] for row in range(1, sheet.last_row + 1)]
    return [(str(name), "" if value is None else str(value)) for name, value in rows if name is not None]


def _given_names(conf: Rows) -> dict[str, str]:
    """Return the code names that an earlier call gave, with the former ones."""
    pairs = (pair.partition("=") for pair in dict(conf).get(GIVEN_NAMES, "").split())
    return {name: former for name, _, former in pairs}


def _put_conf(book: OpenedBook, former: Rows | None, given: dict[str, str]) -> None:
    """Write the settings; those that somebody added or changed stay, but for what this Python must set."""
    here = INTERPRETERS.get(sys.platform)
    conda = CONDA_SETTINGS if here == "Interpreter_Win" else ()
    ours = {name.upper() for name in (here, "UDF Modules", BUILT_WITH, *conda) if name}
    rows = {name.upper(): (name, value) for name, value in settings()}
    rows |= {name.upper(): (name, value) for name, value in former or [] if name.upper() not in ours}
    if given:
        listed = " ".join(f"{name}={before}" if before else name for name, before in given.items())
        rows[GIVEN_NAMES.upper()] = GIVEN_NAMES, listed
    if former != list(rows.values()):
        own = code_name(book.sheet_bytes(CONF), "worksheet") or CONF_CODE_NAME
        book.archive.put(book.part_of(CONF), _conf_xml(list(rows.values()), own))


def _conf_xml(rows: Rows, own_name: str) -> bytes:
    block = ConfSheet(len(rows)).settings
    cells = SheetCells({"plain": 0})
    cells.put(block, "plain", rows)
    widths = "".join(f'<col min="{i}" max="{i}" width="{w}" customWidth="1"/>' for i, w in enumerate((30, 70), 1))
    frame = (
        f'<worksheet xmlns="{MAIN}"><sheetPr codeName="{own_name}"><pageSetUpPr fitToPage="1"/></sheetPr>'
        f'<dimension ref="{block.address}"/>'
        f"<cols>{widths}</cols><sheetData></sheetData>"
        '<pageSetup orientation="landscape" fitToHeight="0"/></worksheet>'
    )
    return b"".join(sheet_xml(frame.encode(), cells))


def _declare(book: OpenedBook, former: str, new: str) -> None:
    """Declare the workbook to be of another kind: with or without macros."""
    types = book.archive.find(CONTENT_TYPES)
    xml = book.archive.read_xml(types)
    if former.encode() in xml:
        book.archive.put(types, xml.replace(former.encode(), new.encode()))
    elif new.encode() not in xml:
        raise FileError(f"{book.path.name} is a template or an add-in: save it as .xlsx and pass that")


def _save(book: OpenedBook, target: Path, *, backup: bool, force: bool) -> FunctionsReport:
    """Write the workbook, unless the target is the same already, or holds something that nobody else has."""
    differing = _differing(book, target) if target.exists() else None
    if differing == set():
        return FunctionsReport((f"{target} is as it should be already: nothing was written",), notes=tuple(book.notes))
    ours = [book.root_target("vbaProject"), book.part_of(CONF) if CONF in book.titles else None]
    if differing and differing.difference(filter(None, ours)) and target != book.path and not force:
        raise FileError(
            f"{target} is there and holds other things than {book.path.name}: --force replaces it, --out FILE writes "
            "another one"
        )
    return FunctionsReport(**vars(save_book(book, target, backup=backup)), notes=tuple(book.notes))


def _differing(book: OpenedBook, target: Path) -> set[str]:
    """Return the names of the parts that a file has otherwise, or not at all; of another kind of file, all."""
    try:
        there = open_archive(target)
    except FileError:
        return set(book.archive.names)
    names = set(book.archive.names)
    return {n for n in names & set(there.names) if book.archive.read(n) != there.read(n)} | names ^ set(there.names)
