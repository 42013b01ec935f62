"""Stand in for Excel: start the COM server as the workbook's VBA does, and call functions; runs in Windows' Python.

usage: python.exe client.py xlwings.dll COMMAND
Reads JSON lines {"name": ..., "arguments": [...], "ranges": bool, "times": n} and writes {"result": ...} or
{"error": text} with the server's memory in MB. Special arguments: {"error": 2042} is an error value, {"missing": true}
an argument that was left out. ranges: hand ranges over as Excel's Range objects instead of as their values.
"""

import ctypes
import json
import os
import struct
import sys
import tempfile

import pythoncom
import pywintypes
import win32com.client
import win32com.server.policy
import win32com.server.util

EXCEL = "{00020813-0000-0000-C000-000000000046}"
INTERFACES = {
    "Range": "{00020846-0000-0000-C000-000000000046}",
    "_Worksheet": "{000208D8-0000-0000-C000-000000000046}",
    "_Workbook": "{000208DA-0000-0000-C000-000000000046}",
    "_Application": "{000208D5-0000-0000-C000-000000000046}",
}


def excel_types():
    """Return a library that tells Excel's objects from each other; Excel itself would bring it along."""
    path = os.path.join(tempfile.mkdtemp(), "excel.tlb")
    library = pythoncom.CreateTypeLib2(3, path)
    library.SetName("Excel")
    library.SetGuid(pywintypes.IID(EXCEL))
    library.SetVersion(1, 9)
    for name, identity in INTERFACES.items():
        information = library.CreateTypeInfo(name, pythoncom.TKIND_DISPATCH)
        information.SetGuid(pywintypes.IID(identity))
        information.LayOut()
    library.SaveAllChanges()
    return pythoncom.LoadTypeLib(path)


TYPES = excel_types()


class ExcelPolicy(win32com.server.policy.DesignatedWrapPolicy):
    """Answer which of Excel's objects this is."""

    def _build_typeinfos_(self):
        return [TYPES.GetTypeInfoOfGuid(pywintypes.IID(self._obj_.CLSID))]

    def _query_interface_(self, iid):
        return iid == pywintypes.IID(self._obj_.CLSID)


class ExcelObject:
    """One of Excel's objects, with a few fixed properties."""

    def __init__(self, interface, **properties):
        self.CLSID = INTERFACES[interface]
        self.__dict__.update(properties)
        self._public_methods_ = []
        self._public_attrs_ = ["CLSID", *properties]


def wrapped(interface, **properties):
    return win32com.server.util.wrap(ExcelObject(interface, **properties), usePolicy=ExcelPolicy)


def excel_range(value):
    """Return a Range with this value, on a sheet of a workbook."""
    application = wrapped("_Application", Version="16.0", Hwnd=0, Name="Microsoft Excel")
    book = wrapped("_Workbook", Name="functions.xlsm", FullName="functions.xlsm", Application=application)
    sheet = wrapped("_Worksheet", Name="Sheet1", Parent=book, Application=application)
    rows = value if isinstance(value, list) else [[value]]
    return wrapped(
        "Range",
        Value=value,
        Worksheet=sheet,
        Parent=sheet,
        Application=application,
        Row=1,
        Column=1,
        Rows=wrapped("Range", Count=len(rows)),
        Columns=wrapped("Range", Count=len(rows[0])),
        Count=len(rows) * len(rows[0]),
    )


def as_variant(value, ranges):
    """Return an argument as VBA hands it over."""
    if isinstance(value, dict):
        return -2147352572 if "missing" in value else -2146828288 + value["error"]
    if isinstance(value, list):
        rows = [[as_variant(cell, False) for cell in row] for row in value]
        one = rows[0][0] if len(rows) == len(rows[0]) == 1 else rows
        return excel_range(one) if ranges else tuple(map(tuple, rows))
    return value


def activate(library, command, mode):
    """Call the function of xlwings' DLL as its VBA module declares it; mode 1 starts or finds, -1 ends the server."""
    variant = ctypes.create_string_buffer(24)
    failed = library.XLPyDLLActivateAuto(variant, command.encode(), mode)
    kind, pointer = struct.unpack_from("<H", variant)[0], struct.unpack_from("<Q", variant, 8)[0]
    if failed:
        raise OSError(ctypes.wstring_at(pointer) if kind == 8 else f"variant of type {kind}")
    if kind == 9:
        found = pythoncom.ObjectFromAddress(pointer, pythoncom.IID_IDispatch)
        return win32com.client.dynamic.Dispatch(found)
    return None


def answer(server, request):
    """Call once or many times, and return the last result."""
    arguments = tuple(as_variant(value, request.get("ranges")) for value in request["arguments"])
    module = request.get("module", "cf_excel.udf.excel")
    try:
        for _ in range(request.get("times", 1)):
            result = server.CallUDF(module, request["name"], arguments, None, None)
    except pythoncom.com_error as error:
        return {"error": error.excepinfo[2] if error.excepinfo else str(error)}
    return {"result": result}


def main():
    pythoncom.CoInitialize()
    library = ctypes.WinDLL(sys.argv[1])
    server = activate(library, sys.argv[2], 1)
    print(json.dumps({"result": server.Str(server.Eval("__import__('sys').version"))}), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(server, json.loads(line))), flush=True)
    del server
    activate(library, sys.argv[2], -1)


if __name__ == "__main__":
    main()
