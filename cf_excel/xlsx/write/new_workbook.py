"""Write workbooks: openpyxl makes the frame (styles, names, views), the cells come with their results.

openpyxl writes formulas without results, so that previewers, phones and pandas show blanks. Here every formula cell
carries its result. The bytes depend on nothing but the inputs.
"""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

from openpyxl import Workbook
from openpyxl.packaging.core import DocumentProperties

from cf_excel.errors import InputError
from cf_excel.files import replacing
from cf_excel.written import CORE, sealed_core
from cf_excel.xlsx.well_formed import check_part
from cf_excel.xlsx.write.buttons import Macros, add_buttons, add_macros
from cf_excel.xlsx.write.charts import Chart, add_charts
from cf_excel.xlsx.write.data_bars import with_plain_bars
from cf_excel.xlsx.write.frame import Frame, sheet_of
from cf_excel.xlsx.write.sheet_cells import SheetCells, sheet_xml

_COMPRESSION = 3
_TIME = (2018, 1, 1, 0, 0, 0)


def write_workbook(
    path: Path | str,
    workbook: Workbook,
    cells: dict[str, SheetCells],
    *,
    title: str = "",
    charts: dict[str, list[Chart]] | None = None,
    macros: Macros | None = None,
    tell: Callable[[int, int], None] | None = None,
) -> None:
    """Write a workbook whose cells and charts are given by sheet name, whole or not at all.

    title: what the file's properties say. Every sheet of the openpyxl workbook that is named in cells must hold no cell
    of its own, and none of its sheets a chart. Every part that holds XML is parsed before the file is replaced, and the
    last one has a digest of them all. tell: called with how many cells are written, and how many there are. Raises
    InputError for a name that programs take for another kind of file, and FileError.
    """
    ending = ".xlsm" if macros else ".xlsx"
    if Path(path).suffix.lower() != ending and not Path(path).is_dir():
        raise InputError(f"{path}: expected a name that ends in {ending}")
    code_names = macros.name_sheets(workbook) if macros else []
    workbook.properties = DocumentProperties(creator="cf_excel", title=title or None)
    workbook.security = None  # openpyxl writes an empty protection otherwise
    saved = io.BytesIO()
    workbook.save(saved)
    with zipfile.ZipFile(saved) as source:
        frame = Frame({name: source.read(name) for name in source.namelist()})
    for number, worksheet in enumerate(workbook.worksheets, 1):
        add_charts(frame, number, (charts or {}).get(worksheet.title, []))
        if macros and macros.buttons.get(worksheet.title):
            add_buttons(frame, number, macros.buttons[worksheet.title])
        frame.put(sheet_of(number), with_plain_bars(frame.read(sheet_of(number))))
    if macros:
        add_macros(frame, macros.project, code_names)
    sheets = {sheet_of(i): cells.get(sheet.title) for i, sheet in enumerate(workbook.worksheets, 1)}
    n_written, n_cells = 0, sum(sheet.n_cells for sheet in cells.values())
    with replacing(Path(path)) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as target:
        for name in sorted(frame.names, key=lambda name: name == CORE):
            content = frame.read(name)
            if name == CORE:
                content = sealed_core(content, target.infolist())
            entry = zipfile.ZipInfo(name, _TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            # half the time of the usual level for a tenth more bytes; open() takes no level, only its entry has one
            entry._compresslevel = _COMPRESSION  # type: ignore[attr-defined]
            entry.external_attr = 0o600 << 16
            with target.open(entry, "w", force_zip64=False) as part:
                sheet = sheets.get(name)
                if sheet is None:
                    check_part(name, content)
                for chunk in [content] if sheet is None else sheet_xml(content, sheet, name):
                    part.write(chunk)
                    if tell and sheet:
                        n_written += chunk.count(b"<c ")
                        tell(n_written, n_cells)
