"""A sheet's XML."""

import re
from xml.etree import ElementTree

from cf_excel.xlsx.edit.new_values import Results
from cf_excel.xlsx.edit.sheet_edit import changed_sheet
from cf_excel.xlsx.edit.sheet_xml import Address, CellValue, SheetXml

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def sheet(rows: str, strings: tuple[str, ...] = ()) -> SheetXml:
    """Read a sheet that has these rows."""
    return SheetXml(f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>'.encode(), list(strings), "s")


def changed(
    found: SheetXml, numbers: dict[Address, float], results: Results | dict[Address, CellValue], **options: bool
) -> str:
    """Change constants and results; return the rows, of a sheet that is whole XML."""
    results = results if isinstance(results, Results) else Results(results)
    xml = b"".join(changed_sheet(found, numbers, results, **options))
    ElementTree.fromstring(xml)
    return re.search(r"sheetData>(.*)</[\w:]*sheetData>", xml.decode(), re.DOTALL)[1]
