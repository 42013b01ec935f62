"""Let the Windows half of xlwings (its udfs module) run on any system, over stand-ins for pywin32.

Import this in a process of its own, before xlwings. Nothing of Excel is here: only what xlwings needs to be imported,
and a workbook that takes the module that Import Functions writes.
"""

import asyncio  # noqa: F401  (whatever looks at sys.platform at import comes before it is changed)
import atexit
import concurrent.futures  # noqa: F401
import ctypes
import datetime
import importlib.machinery
import multiprocessing  # noqa: F401
import socket  # noqa: F401
import subprocess  # noqa: F401
import sys
import types
from unittest.mock import MagicMock

import dateutil.tz  # noqa: F401
import numpy  # noqa: F401
import pandas  # noqa: F401


class _Anything:
    def __init__(self, *args, **kwargs):
        pass


class com_error(Exception):
    """Stand-in for pywintypes.com_error."""


def _stand_in(name: str, **contents: object) -> None:
    module = types.ModuleType(name)
    module.__path__, module.__file__ = [], f"<{name}>"
    module.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=True)
    module.__dict__.update(contents)
    sys.modules[name] = module
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, module)


def load_xlwings() -> types.ModuleType:
    """Return xlwings, imported as on Windows."""
    time = type("TimeType", (datetime.datetime,), {})
    _stand_in("pywintypes", com_error=com_error, TimeType=time, IID=str, Time=lambda *args: args)
    dispatch = type("PyIDispatch", (), {})
    _stand_in(
        "pythoncom",
        CoInitialize=lambda: None,
        IID_IDispatch="dispatch",
        IID_IEnumVARIANT="enum",
        com_error=com_error,
        TypeIIDs={"dispatch": dispatch},
    )
    classes = dict.fromkeys(("CDispatch", "DispatchBaseClass", "CoClassBaseClass"), _Anything)
    _stand_in("win32com")
    _stand_in("win32com.client", Dispatch=lambda thing, **_: thing, DispatchEx=None, **classes)
    _stand_in("win32com.client.dynamic", CDispatch=_Anything)
    _stand_in("win32com.server")
    _stand_in("win32com.server.util", wrap=lambda thing, **_: thing, unwrap=lambda thing: thing)
    _stand_in("win32com.server.dispatcher", DefaultDebugDispatcher=_Anything)
    _stand_in("win32com.server.policy", BasicWrapPolicy=_Anything, DesignatedWrapPolicy=_Anything)
    for name in ("win32api", "win32con", "win32gui", "win32process", "win32timezone", "win32event"):
        _stand_in(name)
    platform, loader = sys.platform, ctypes.PyDLL
    ctypes.oledll, ctypes.windll, ctypes.PyDLL = MagicMock(), MagicMock(), MagicMock()
    sys.platform = "win32"
    try:
        import xlwings
    finally:
        sys.platform, ctypes.PyDLL = platform, loader
    atexit.unregister(xlwings._xlwindows.cleanup)  # it would look for a running Excel
    return xlwings


class Workbook:
    """What Import Functions sees of an Excel workbook: it keeps the imported module and the macros' options."""

    Name = "book.xlsm"

    def __init__(self) -> None:
        self.options = {}
        self.Application = types.SimpleNamespace(Version="16.0", MacroOptions=self._set_options)
        components = type("Components", (), {"__call__": lambda _, name: name})()
        components.Remove = lambda component: None
        components.Import = self._import
        self.VBProject = types.SimpleNamespace(VBComponents=components)

    def _set_options(self, macro: str, **options: object) -> None:
        self.options[macro.partition("!")[2]] = options

    def _import(self, path: str) -> None:
        with open(path) as file:
            self.module = file.read()
