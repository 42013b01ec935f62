"""What the tests of the functions ask of LibreOffice; runs inside office_inside.py."""

import os
import sys
import time

sys.path.append(os.path.dirname(__file__))

from com.sun.star.beans import PropertyValue
from office_scripts import opened, read_sheets


def save_as_xlsx(desktop, context, path, target):
    """Recalculate a workbook and save it as .xlsx."""
    with opened(desktop, path) as document:
        document.calculateAll()
        document.storeToURL(f"file://{target}", (PropertyValue(Name="FilterName", Value="Calc MS Excel 2007 XML"),))


def recalculate_with_macros(desktop, context, path):
    """Recalculate everything with the document's macros switched on, and read all sheets."""
    with opened(desktop, path, macros=True) as document:
        document.calculateAll()
        return read_sheets(document)


def recalculation(desktop, context, path, repeat):
    """Return the median time of recalculating everything, in seconds, after one that warms up."""
    with opened(desktop, path) as document:
        times = []
        for _ in range(repeat + 1):
            start = time.perf_counter()
            document.calculateAll()
            times.append(time.perf_counter() - start)
        return sorted(times[1:])[repeat // 2]


def modules(desktop, context, path):
    """Open a workbook with its macros, as its user would, and recalculate it; return its modules and all sheets."""
    with opened(desktop, path, macros=True) as document:
        document.calculateAll()
        return [list(document.BasicLibraries.getByName("VBAProject").ElementNames), read_sheets(document)]
