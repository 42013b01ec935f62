"""What the tests ask of LibreOffice; runs inside tests/office_worker.py."""

import os
import shutil
import tempfile
from contextlib import contextmanager

import uno
from com.sun.star.beans import PropertyValue

ERROR_RESULTS = 4  # com.sun.star.sheet.FormulaResult.ERROR
NEVER_RUN_MACROS, ALWAYS_RUN_MACROS = 0, 4


@contextmanager
def opened(desktop, path, macros=False, hidden=True):
    """Open a copy of a workbook: LibreOffice drops lock files beside what it opens."""
    folder = tempfile.mkdtemp()
    copy = shutil.copy(path, os.path.join(folder, "copy" + os.path.splitext(path)[1]))
    arguments = {"Hidden": hidden, "MacroExecutionMode": ALWAYS_RUN_MACROS if macros else NEVER_RUN_MACROS}
    properties = tuple(PropertyValue(Name=name, Value=value) for name, value in arguments.items())
    document = desktop.loadComponentFromURL(f"file://{copy}", "_blank", 0, properties)
    try:
        yield document
    finally:
        document.close(True)
        shutil.rmtree(folder, ignore_errors=True)


def read_sheets(document, only=None):
    """Return {sheet: {"values": rows from A1, "errors": addresses}} of all sheets or of one; a blank cell is ""."""
    sheets = {}
    for sheet in [document.Sheets.getByName(only)] if only else document.Sheets:
        cursor = sheet.createCursor()
        cursor.gotoEndOfUsedArea(False)
        end = cursor.RangeAddress
        rows = sheet.getCellRangeByPosition(0, 0, end.EndColumn, end.EndRow).getDataArray()
        errors = sheet.queryFormulaCells(ERROR_RESULTS).RangeAddressesAsString
        sheets[sheet.Name] = {"values": [list(row) for row in rows], "errors": errors}
    return sheets


def _change(document, changes):
    for name, cells in changes.items():
        for address, value in cells.items():
            cell = document.Sheets.getByName(name).getCellRangeByName(address)
            if isinstance(value, str):
                cell.setString(value)
            else:
                cell.setValue(value)


def recalculate(desktop, context, path, changes=None):
    """Recalculate everything, after changes {sheet: {address: number or text}}, and read all sheets."""
    with opened(desktop, path) as document:
        _change(document, changes or {})
        document.calculateAll()
        return read_sheets(document)


def ask(desktop, context, path, questions, read):
    """Open a workbook once and answer questions: changes as in recalculate; read: {name: [sheet, range]}.

    Returns for every question {name: rows}. Each starts from the changes of those before it.
    """
    answers = []
    with opened(desktop, path) as document:
        document.calculateAll()
        document.enableAutomaticCalculation(False)  # it would calculate after each of the changes
        sheets = document.Sheets
        ranges = {name: sheets.getByName(sheet).getCellRangeByName(area) for name, (sheet, area) in read.items()}
        for changes in questions:
            _change(document, changes)
            document.calculate()
            answers.append({name: [list(row) for row in area.getDataArray()] for name, area in ranges.items()})
    return answers


def dropdowns(desktop, context, path, sheet, addresses):
    """Return the type and the formula of the validation of cells."""
    with opened(desktop, path) as document:
        cells = [document.Sheets.getByName(sheet).getCellRangeByName(address) for address in addresses]
        return [[cell.Validation.Type.value, cell.Validation.getFormula1()] for cell in cells]


def add_pivot(desktop, context, path, out, sheet, edges):
    """Add a pivot table of a table (left, top, right, bottom from 0), the mean of column 3 by column 2; save as .xlsx."""
    with opened(desktop, path) as document:
        source = document.Sheets.getByName(sheet).getCellRangeByPosition(*edges).RangeAddress
        document.Sheets.insertNewByName("pivot", document.Sheets.Count)
        target = document.Sheets.getByName("pivot")
        tables = target.getDataPilotTables()
        descriptor = tables.createDataPilotDescriptor()
        descriptor.setSourceRange(source)
        fields = descriptor.getDataPilotFields()
        fields.getByIndex(1).Orientation = uno.Enum("com.sun.star.sheet.DataPilotFieldOrientation", "ROW")
        fields.getByIndex(2).Orientation = uno.Enum("com.sun.star.sheet.DataPilotFieldOrientation", "DATA")
        tables.insertNewByName("ratings", target.getCellByPosition(0, 0).CellAddress, descriptor)
        document.storeToURL(f"file://{out}", (PropertyValue(Name="FilterName", Value="Calc MS Excel 2007 XML"),))
