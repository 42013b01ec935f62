"""The programs that open workbooks, and what a missing one means."""

import os
import warnings
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

# where this is set, as on the integration machine, a missing program is a failure and not a skip
HOSTS_REQUIRED = bool(os.environ.get("CF_EXCEL_REQUIRE_HOSTS"))


def development_tool(module: str) -> ModuleType:
    """Import a development tool, whose own warnings are not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return import_module(module)


def missing(host: str) -> None:
    """Skip, or fail where the programs must be there."""
    (pytest.fail if HOSTS_REQUIRED else pytest.skip)(f"{host} is not installed")


class IronCalc:
    """A workbook recalculated by IronCalc, an engine independent of all others."""

    def __init__(self, path: Path) -> None:
        try:
            import ironcalc
        except ImportError:
            missing("IronCalc")
        self._model = ironcalc.load_from_xlsx(str(path), "en", "UTC", "en")
        self._model.evaluate()
        self._sheets = {sheet["name"]: i for i, sheet in enumerate(self._model.get_worksheets_properties())}

    def value(self, sheet: str, row: int, column: int) -> object:
        """Return the value of one cell."""
        return self._model.get_cell_value(self._sheets[sheet], row, column)
