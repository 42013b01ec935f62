"""A function that tells how much the COM server holds; a module beside the functions, in the server's Python."""

import gc

import win32api
import win32process
import xlwings


@xlwings.func
@xlwings.ret("raw")
def objects():
    """Return how many objects Python tracks, and the bytes of memory that the process uses."""
    gc.collect()
    return [[len(gc.get_objects()), win32process.GetProcessMemoryInfo(win32api.GetCurrentProcess())["PagefileUsage"]]]
