"""What the tests ask of LibreOffice; runs inside office_inside.py."""

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


def as_html(desktop, context, path):
    """Return all sheets as LibreOffice shows them, colours by conditions included."""
    with opened(desktop, path) as document:
        document.calculateAll()
        target = os.path.join(os.path.dirname(document.URL.removeprefix("file://")), "copy.html")
        document.storeToURL(f"file://{target}", (PropertyValue(Name="FilterName", Value="HTML (StarCalc)"),))
        with open(target, encoding="utf-8") as file:
            return file.read()


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
    """Add a pivot table of a table (left, top, right, bottom from 0), column 3 by column 2; save as .xlsx."""
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


def convert(desktop, context, path, out, form="Calc MS Excel 2007 XML"):
    """Open a workbook and save it as .xlsx, or in another form, as its user would."""
    with opened(desktop, path) as document:
        document.calculateAll()
        document.storeToURL(f"file://{out}", (PropertyValue(Name="FilterName", Value=form),))


def rearrange(desktop, context, path, out, edges):
    """Do to the first sheet what users do: sort, remove and insert rows and columns, add a mean by each user."""
    left, top, right, bottom = edges  # the user ids and the ratings, from 0
    with opened(desktop, path) as document:
        sheet = document.Sheets.getByIndex(0)
        field = uno.createUnoStruct("com.sun.star.table.TableSortField")
        field.Field, field.IsAscending = 0, False
        fields = uno.Any("[]com.sun.star.table.TableSortField", (field,))
        sort = PropertyValue(Name="SortFields", Value=fields), PropertyValue(Name="ContainsHeader", Value=False)
        table = sheet.getCellRangeByPosition(left, top, right, bottom)
        uno.invoke(table, "sort", (sort,))
        ids = [table.getCellByPosition(0, row).Value for row in range(bottom - top + 1)]
        gone = ids.index(30)
        n_users = bottom - top + 1
        values = sheet.getCellRangeByPosition(0, 0, right, 60).getDataArray()
        predictions = max(i for i, row in enumerate(values) if row[left] == ids[-1]) - n_users + 1
        sheet.Rows.removeByIndex(predictions + gone, 1)
        sheet.Rows.removeByIndex(top + gone, 1)
        sheet.Columns.removeByIndex(left + 2, 1)
        sheet.Columns.insertByIndex(left + 1, 1)
        for row in range(top, bottom):
            last = sheet.getCellByPosition(right, row).AbsoluteName.rpartition(".")[2]
            first = sheet.getCellByPosition(left + 2, row).AbsoluteName.rpartition(".")[2]
            sheet.getCellByPosition(left + 1, row).setFormula(f"=AVERAGE({first}:{last})")
        sheet.Rows.insertByIndex(0, 2)
        sheet.Columns.insertByIndex(left, 1)
        sheet.Columns.insertByIndex(0, 1)
        document.calculateAll()
        document.storeToURL(f"file://{out}", (PropertyValue(Name="FilterName", Value="Calc MS Excel 2007 XML"),))


def rearrange_embedding(desktop, context, path, out, gone):
    """Do to the third sheet what users do: remove a row (from 0) of a table, insert rows and columns."""
    with opened(desktop, path) as document:
        sheet = document.Sheets.getByIndex(2)
        sheet.Rows.removeByIndex(gone, 1)
        sheet.Rows.insertByIndex(0, 3)
        sheet.Columns.insertByIndex(2, 1)  # between the ids and their factors
        sheet.Columns.insertByIndex(0, 2)
        document.calculateAll()
        document.storeToURL(f"file://{out}", (PropertyValue(Name="FilterName", Value="Calc MS Excel 2007 XML"),))


def edit(desktop, context, path, out, steps):
    """Do to a workbook what users do, with the references that follow; save as .xlsx.

    steps: ["rows" or "columns", sheet, where from 0, how many] to insert; ["move", sheet, area, top left cell].
    """
    with opened(desktop, path) as document:
        for kind, name, *rest in steps:
            sheet = document.Sheets.getByName(name)
            if kind == "move":
                source, target = (sheet.getCellRangeByName(area) for area in rest)
                sheet.moveRange(target.getCellByPosition(0, 0).CellAddress, source.RangeAddress)
            else:
                lines = sheet.Rows if kind == "rows" else sheet.Columns
                lines.insertByIndex(*rest)
        document.calculateAll()
        document.storeToURL(f"file://{out}", (PropertyValue(Name="FilterName", Value="Calc MS Excel 2007 XML"),))
