"""What a stand-in for Excel asks of LibreOffice: workbooks that stay open; runs inside office_inside.py."""

import uno
from com.sun.star.beans import PropertyValue
from com.sun.star.table import CellAddress, CellRangeAddress

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


def _enum(kind, name):
    return uno.Enum(f"com.sun.star.{kind}", name)


def _turned(color):
    """Return a colour with red and blue in each other's place, as Excel has them."""
    return color if color < 0 else (color & 255) << 16 | color & 0xFF00 | color >> 16


ITALIC, UPRIGHT = _enum("awt.FontSlant", "ITALIC"), _enum("awt.FontSlant", "NONE")
ACROSS = {1: "STANDARD", -4131: "LEFT", -4108: "CENTER", -4152: "RIGHT"}
DOWN = {-4107: 3, -4160: 1, -4108: 2}
# Excel's properties: how they are read of a range here, and what sets them
DRESS = {
    "Font.Name": (lambda area: area.CharFontName, lambda new: {"CharFontName": new}),
    "Font.Size": (lambda area: area.CharHeight, lambda new: {"CharHeight": new}),
    "Font.Bold": (lambda area: area.CharWeight > 100, lambda new: {"CharWeight": 150.0 if new else 100.0}),
    "Font.Italic": (lambda area: area.CharPosture == ITALIC, lambda new: {"CharPosture": ITALIC if new else UPRIGHT}),
    "Font.Color": (lambda area: max(0, _turned(area.CharColor)), lambda new: {"CharColor": _turned(new)}),
    "Font.ColorIndex": (lambda area: -4105, lambda new: {"CharColor": -1}),
    "Interior.Color": (lambda area: _turned(area.CellBackColor), lambda new: {"CellBackColor": _turned(new)}),
    "Interior.Pattern": (
        lambda area: -4142 if area.CellBackColor < 0 else 1,
        lambda new: {"CellBackColor": -1} if new == -4142 else {},
    ),
    "HorizontalAlignment": (
        lambda area: next(n for n, name in ACROSS.items() if area.HoriJustify.value == name),
        lambda new: {"HoriJustify": _enum("table.CellHoriJustify", ACROSS[new])},
    ),
    "VerticalAlignment": (
        lambda area: next((n for n, number in DOWN.items() if area.VertJustify == number), -4107),
        lambda new: {"VertJustify": DOWN[new]},
    ),
    "Orientation": (lambda area: area.RotateAngle // 100 or -4128, None),
    "Hidden": (lambda area: not area.Rows.IsVisible, None),
    "WrapText": (lambda area: area.IsTextWrapped, lambda new: {"IsTextWrapped": new}),
    "IndentLevel": (lambda area: area.ParaIndent // 352, lambda new: {"ParaIndent": 352 * new}),
}


def dress(desktop, context, path, sheet, edges, name, new=None, others=()):
    """Return a property of a range's first cell by Excel's name, or set that of all of it and of others."""
    document, area = documents[path], _area(path, sheet, edges)
    if new is None:
        if name == "NumberFormat":
            return look(desktop, context, path, sheet, edges)[0]
        return DRESS[name][0](area.getCellByPosition(0, 0))
    if others:
        sheet, first = area.RangeAddress.Sheet, area
        area = document.createInstance("com.sun.star.sheet.SheetCellRanges")
        rest = tuple(CellRangeAddress(sheet, *one) for one in others)
        area.addRangeAddresses((first.RangeAddress, *rest), False)
    if name == "NumberFormat":
        locale = uno.createUnoStruct("com.sun.star.lang.Locale", "en", "US", "")
        key = document.NumberFormats.queryKey(new, locale, False)
        area.NumberFormat = document.NumberFormats.addNew(new, locale) if key < 0 else key
    elif name == "Hidden":
        area.Rows.IsVisible = not new
    elif name == "Orientation":
        area.RotateAngle = 0 if new == -4128 else 100 * new
    else:
        for own, value in DRESS[name][1](new).items():
            setattr(area, own, value)
    return None


def clear_area(desktop, context, path, sheet, edges):
    _area(path, sheet, edges).clearContents(1 | 2 | 4 | 16 | 32)


def merge(desktop, context, path, sheet, edges):
    _area(path, sheet, edges).merge(True)


def size(desktop, context, path, sheet, edges, way, new=None):
    """Return the width of a column in characters or the height of a row in points, or set those of all."""
    area = _area(path, sheet, edges)
    lines, unit, own = (area.Columns, 247.1, "Width") if way == "width" else (area.Rows, 2540 / 72, "Height")
    if new is not None:
        setattr(lines, own, round(new * unit))
    return getattr(lines.getByIndex(0), own) / unit


def activate(desktop, context, path, sheet):
    controller = documents[path].CurrentController
    controller.setActiveSheet(documents[path].Sheets.getByName(sheet))


def active(desktop, context, path):
    return documents[path].CurrentController.ActiveSheet.Name


def tables(desktop, context, path, sheet):
    """Return the names of a sheet's tables."""
    document = documents[path]
    number = document.Sheets.getByName(sheet).RangeAddress.Sheet
    ranges = document.DatabaseRanges
    return [name for name in ranges.ElementNames if ranges.getByName(name).DataArea.Sheet == number]


def add_table(desktop, context, path, sheet, edges, name):
    area = _area(path, sheet, edges).RangeAddress
    documents[path].DatabaseRanges.addNewByName(name, area)
    documents[path].DatabaseRanges.getByName(name).AutoFilter = True


def table_area(desktop, context, path, sheet, name, edges=None):
    """Return the edges of a table, or give it others."""
    table = documents[path].DatabaseRanges.getByName(name)
    if edges:
        left, top, right, bottom = edges
        table.DataArea = CellRangeAddress(table.DataArea.Sheet, left, top, right, bottom)
    area = table.DataArea
    return [area.StartColumn, area.StartRow, area.EndColumn, area.EndRow]


def conditions(desktop, context, path, sheet):
    """Return the addresses of the ranges that are coloured by their values."""
    found = documents[path].Sheets.getByName(sheet).ConditionalFormats.ConditionalFormats
    return [one.Range.RangeAddressesAsString.rpartition(".")[2] for one in found]


def move_condition(desktop, context, path, sheet, edges, index):
    document = documents[path]
    ranges = document.createInstance("com.sun.star.sheet.SheetCellRanges")
    ranges.addRangeAddress(_area(path, sheet, edges).RangeAddress, False)
    document.Sheets.getByName(sheet).ConditionalFormats.ConditionalFormats[index].Range = ranges


def page(desktop, context, path, sheet, name, value):
    """Set one of the properties of Excel's PageSetup in a page style that only this sheet has."""
    document = documents[path]
    styles, target = document.StyleFamilies.getByName("PageStyles"), document.Sheets.getByName(sheet)
    if not styles.hasByName(f"of {sheet}"):
        styles.insertByName(f"of {sheet}", document.createInstance("com.sun.star.style.PageStyle"))
        target.PageStyle = f"of {sheet}"
    style, place = styles.getByName(f"of {sheet}"), target.RangeAddress.Sheet
    if name == "Orientation":
        style.IsLandscape = value == 2
        short, long = sorted((style.Width, style.Height))
        style.Width, style.Height = (long, short) if value == 2 else (short, long)
    elif name == "Zoom":
        assert value is False  # Excel fits to pages only then
    elif name in ("FitToPagesWide", "FitToPagesTall"):
        setattr(style, "ScaleToPagesX" if name == "FitToPagesWide" else "ScaleToPagesY", int(value))
    elif name == "CenterFooter":
        content = style.RightPageFooterContent
        content.CenterText.setString(value)
        style.RightPageFooterContent = content
    elif name == "PrintTitleRows":
        top, bottom = (int(number) - 1 for number in value.replace("$", "").split(":"))
        target.setTitleRows(CellRangeAddress(place, 0, top, 0, bottom))
    elif name == "PrintArea":
        target.setPrintAreas((target.getCellRangeByName(value.replace("$", "")).RangeAddress,))
    else:
        raise AttributeError(name)
