"""What benchmarks/export.py times inside LibreOffice; runs in tests/support/office_worker.py, on Linux."""

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
from office_scripts import opened


def timing(desktop, context, path, sheet, picks, shown):
    """Return seconds to open and to calculate all, and CPU seconds from each change of a cell to the shown values."""
    stat = _office() / "stat"
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
                before = _cpu_seconds(stat)
                cell = front.getCellRangeByName(address)
                if isinstance(value, str):
                    cell.setString(value)
                else:
                    cell.setValue(value)
                front.getCellRangeByName(shown).getDataArray()
                times[kind].append(_cpu_seconds(stat) - before)
        return times


def _office():
    """Return the folder in /proc of the LibreOffice that the worker started, which names itself after the worker."""
    mark = f"cf_excel_{os.getpid()};".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            program, *arguments = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:  # ended, or somebody else's
            continue
        if program.endswith(b"soffice.bin") and any(mark in argument for argument in arguments):
            return folder
    raise RuntimeError("no process of LibreOffice found in /proc")


def _cpu_seconds(stat):
    """Return what a process has computed so far, of its own and in the kernel, to a hundredth of a second."""
    user, system = stat.read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
