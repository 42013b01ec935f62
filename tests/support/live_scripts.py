"""What a stand-in for Excel asks of LibreOffice: workbooks that stay open; runs inside office_worker.py."""

import uno
from com.sun.star.beans import PropertyValue
from com.sun.star.table import CellAddress

EXCEL_ADDRESSES = 1  # com.sun.star.sheet.AddressConvention.XL_A1
FORMULA = uno.Enum("com.sun.star.table.CellContentType", "FORMULA")
documents = {}


def open_book(desktop, context, path):
    """Open a copy of the file in memory and keep it open."""
    arguments = {"Hidden": True, "AsTemplate": True}
    properties = tuple(PropertyValue(Name=name, Value=value) for name, value in arguments.items())
    documents[path] = desktop.loadComponentFromURL(f"file://{path}", "_blank", 0, properties)
    documents[path].calculateAll()


def save_copy(desktop, context, path, copy):
    """Save what is open under another name; it stays what it is."""
    kind = PropertyValue(Name="FilterName", Value="Calc MS Excel 2007 XML")
    documents[path].storeToURL(f"file://{copy}", (kind,))


def add_note(desktop, context, path, sheet, edges):
    sheet = documents[path].Sheets.getByName(sheet)
    sheet.Annotations.insertNew(CellAddress(sheet.RangeAddress.Sheet, edges[0], edges[1]), "mine")


def add_chart(desktop, context, path, sheet, edges):
    sheet = documents[path].Sheets.getByName(sheet)
    place = uno.createUnoStruct("com.sun.star.awt.Rectangle", 20000, 20000, 5000, 5000)
    area = sheet.getCellRangeByPosition(*edges).RangeAddress
    sheet.Charts.addNewByName("mine", place, (area,), False, False)


def close_book(desktop, context, path):
    documents.pop(path).close(True)


def titles(desktop, context, path):
    return list(documents[path].Sheets.ElementNames)


def add_sheet(desktop, context, path, name):
    documents[path].Sheets.insertNewByName(name, documents[path].Sheets.Count)


def clear(desktop, context, path, sheet):
    area = documents[path].Sheets.getByName(sheet)
    area.clearContents(1 | 2 | 4 | 16 | 32)  # values, dates, texts, formulas, formats


def used(desktop, context, path, sheet):
    """Return the rows and columns up to the last cell in use."""
    cursor = documents[path].Sheets.getByName(sheet).createCursor()
    cursor.gotoEndOfUsedArea(False)
    return cursor.RangeAddress.EndRow + 1, cursor.RangeAddress.EndColumn + 1


def _area(path, sheet, edges):
    return documents[path].Sheets.getByName(sheet).getCellRangeByPosition(*edges)


def _cells(area, edges):
    left, top, right, bottom = edges
    return [[area.getCellByPosition(c, r) for c in range(right - left + 1)] for r in range(bottom - top + 1)]


def values(desktop, context, path, sheet, edges):
    """Return numbers and texts by rows; a blank is None, an error what Excel hands over for #N/A."""
    area = _area(path, sheet, edges)
    for row, cells in zip(data := [list(row) for row in area.getDataArray()], _cells(area, edges), strict=True):
        for i, one in enumerate(cells):
            if one.getError():
                row[i] = {"error": 2042}
            elif row[i] == "" and one.Type != FORMULA:
                row[i] = None
    return data


def _parser(document):
    parser = document.createInstance("com.sun.star.sheet.FormulaParser")
    parser.CompileEnglish, parser.FormulaConvention = True, EXCEL_ADDRESSES
    return parser


def formulas(desktop, context, path, sheet, edges):
    """Return what Excel's Formula does: formulas in its own notation, constants as texts."""
    area, parser = _area(path, sheet, edges), _parser(documents[path])
    return [
        [
            "=" + parser.printFormula(one.getTokens(), one.CellAddress).replace(";", ",")
            if one.Type == FORMULA
            else one.getFormula().removeprefix("'")
            for one in row
        ]
        for row in _cells(area, edges)
    ]


def set_values(desktop, context, path, sheet, edges, rows):
    """Set numbers and texts; None empties a cell, and a leading apostrophe says that a text is one."""
    area = _area(path, sheet, edges)
    if area.getSpreadsheet().isProtected():
        raise RuntimeError("The cell is on a protected sheet.")
    plain = [["" if v is None else v.removeprefix("'") if isinstance(v, str) else v for v in row] for row in rows]
    area.setDataArray(tuple(map(tuple, plain)))
    documents[path].calculateAll()


def set_formula(desktop, context, path, sheet, edges, text):
    """Fill cells from the formula of the first one."""
    area, parser = _area(path, sheet, edges), _parser(documents[path])
    origin = CellAddress(area.RangeAddress.Sheet, edges[0], edges[1])
    tokens = parser.parseFormula(text.removeprefix("=").replace(",", ";"), origin)
    for row in _cells(area, edges):
        for one in row:
            one.setTokens(tokens)
    documents[path].calculateAll()


def protect(desktop, context, path, sheet):
    documents[path].Sheets.getByName(sheet).protect("")


def look(desktop, context, path, sheet, edges, new=None):
    """Return number format and color of a range's first cell, or set those of all of it."""
    area = _area(path, sheet, edges)
    formats, locale = documents[path].NumberFormats, uno.createUnoStruct("com.sun.star.lang.Locale", "en", "US", "")
    if new:
        text, color = new
        key = formats.queryKey(text, locale, False)
        area.NumberFormat = formats.addNew(text, locale) if key < 0 else key
        area.CellBackColor = color
    first = area.getCellByPosition(0, 0)
    return formats.getByKey(first.NumberFormat).FormatString, first.CellBackColor


def wrapped(desktop, context, path, sheet, edges, new=None):
    """Return whether texts of a range wrap, or set that."""
    area = _area(path, sheet, edges)
    if new is not None:
        area.IsTextWrapped = new
    return area.IsTextWrapped
