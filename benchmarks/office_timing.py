"""What benchmarks/export.py times inside LibreOffice; runs in tests/support/office_worker.py."""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
from office_scripts import opened


def timing(desktop, context, path, sheet, picks, shown):
    """Return seconds: to open, to calculate all, and from each change of a cell to the values that are shown."""
    start = time.perf_counter()
    with opened(desktop, path) as document:
        times = {"open": time.perf_counter() - start}
        start = time.perf_counter()
        document.calculateAll()
        times["all"] = time.perf_counter() - start
        front = document.Sheets.getByName(sheet)
        for kind, changes in picks.items():
            times[kind] = []
            for address, value in changes:
                start = time.perf_counter()
                cell = front.getCellRangeByName(address)
                if isinstance(value, str):
                    cell.setString(value)
                else:
                    cell.setValue(value)
                front.getCellRangeByName(shown).getDataArray()
                times[kind].append(time.perf_counter() - start)
        return times
