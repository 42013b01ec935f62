"""Check what keeps the functions from working in Excel in practice, and say what to do about it.

Each check is a function of the surroundings, so that a test can make up any machine. What can't be known here, because
this is no Windows or a part can't be read, is said to be so.
"""

import os
import re
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from cf_excel.errors import CfExcelError, FileError
from cf_excel.model.file import default_model_path, load_factors
from cf_excel.udf.environments import PythonEnvironment, environment_of, interpreter_of
from cf_excel.udf.found_functions import BUILT_MACROS, has_functions, is_ours
from cf_excel.udf.functions_vba import BUILT_WITH, INTERPRETERS, UDF_MODULE
from cf_excel.xlsx.edit.zip_archive import open_archive
from cf_excel.xlsx.vba.read_project import VbaSources, read_project

_ADD = "python -m cf_excel functions add"
_SECURITY = r"Software\Microsoft\Office\16.0\Excel\Security"
_POLICIES = r"Software\Policies\Microsoft\Office\16.0\Excel\Security"
_SECONDS = 60  # that another Python may take to import the functions
_CLICK_TO_RUN = r"SOFTWARE\Microsoft\Office\ClickToRun\Configuration"


@dataclass(frozen=True)
class Check:
    """What was found, and what to do where it is not as it should be.

    state: "ok", "wrong" or "unknown".
    """

    name: str
    state: str
    found: str
    advice: str = ""


def read_registry(root: str, key: str, name: str) -> object | None:
    """Return a value of Windows' registry (root: HKCU, HKLM or HKCR), None where it is not there or can't be read."""
    if sys.platform != "win32":
        return None
    import winreg

    roots = {"HKCU": "HKEY_CURRENT_USER", "HKLM": "HKEY_LOCAL_MACHINE", "HKCR": "HKEY_CLASSES_ROOT"}
    try:
        with winreg.OpenKey(getattr(winreg, roots[root]), key) as opened:
            return winreg.QueryValueEx(opened, name)[0]
    except OSError:
        return None


def has_package(interpreter: str) -> bool | None:
    """Whether another Python imports the functions, None where it isn't asked: no Python by its name, or far away.

    The name comes from a workbook, which anybody may have written.
    """
    is_far = interpreter.startswith((r"\\", "//"))
    if is_far or not re.fullmatch(r"pythonw?[\d.]*(\.exe)?", re.split(r"[\\/]", interpreter)[-1], re.IGNORECASE):
        return None
    try:
        done = subprocess.run(
            [interpreter, "-c", f"import {UDF_MODULE}"], capture_output=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


@dataclass(frozen=True)
class Machine:
    """The surroundings that the checks look at."""

    platform: str = sys.platform
    executable: str = sys.executable
    prefix: Path = Path(sys.prefix)
    bits: int = struct.calcsize("P") * 8
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    registry: Callable[[str, str, str], object | None] = read_registry
    has_package: Callable[[str], bool | None] = has_package

    @property
    def python(self) -> PythonEnvironment:
        return environment_of(self.prefix, self.environment)

    @property
    def is_windows(self) -> bool:
        return self.platform == "win32"


def examine(workbook: Path | None = None, machine: Machine | None = None) -> list[Check]:
    """Return every check of this machine and, where one is named, of a workbook."""
    machine = machine or Machine()
    checks = [*_python(machine), *_xlwings(machine), *_excel(machine), *_trust(machine), _model()]
    return checks + ([] if workbook is None else [*_workbook(workbook, machine)])


def _python(machine: Machine) -> Iterator[Check]:
    found = f"{machine.executable}, {machine.bits} bits"
    if not machine.is_windows:
        yield Check("Windows", "unknown", f"this is {machine.platform}: what only Windows has can't be checked here")
    elif "\\WindowsApps\\" in machine.executable:
        yield Check(
            "Python",
            "wrong",
            f"{found}, from the Microsoft Store",
            "install Python from python.org: Excel can't start it",
        )
        return
    python = machine.python
    if python.kind:
        found += f", {python}"
    if python.kind == "uvx":
        do = "uv venv --seed, activate it, uv pip install ., and build workbooks from there"
        yield Check("Python", "wrong", f"{found}: workbooks that name it lose it when uv's cache is cleaned", do)
    elif machine.is_windows and not python.is_active:
        do = f"conda activate {python.conda_env}"
        yield Check("Python", "wrong", f"{found}: what numpy needs may not be found", do)
    elif machine.is_windows and python.kind == "conda" and not python.settings:
        do = "make the environment without a space in its path, by a conda that has condabin\\conda.bat"
        yield Check("Python", "unknown", f"{found}: Excel starts it without activating it", do)
    else:
        yield Check("Python", "ok", found)


def _xlwings(machine: Machine) -> Iterator[Check]:
    installed = _installed()
    if installed is None:
        yield Check("xlwings", "wrong", "not installed", f"{machine.python.pip} xlwings")
        return
    yield Check("xlwings", "ok", installed)
    if not machine.is_windows:
        return
    # the library runs in Excel, whose bits count; xlwings' VBA looks for it beside python.exe and in the folder above
    bits = 32 if machine.registry("HKLM", _CLICK_TO_RUN, "Platform") == "x86" else 64
    library = f"xlwings{bits}-{installed}.dll"
    folders = [Path(machine.executable).parent, Path(machine.executable).parent.parent]
    place = next((folder for folder in folders if (folder / library).exists()), None)
    if place:
        yield Check("xlwings' library", "ok", str(place / library))
    else:
        again = "--reinstall" if machine.python.kind == "uv" else "--force-reinstall"
        yield Check(
            "xlwings' library",
            "wrong",
            f"{library} is not in {folders[0]} or above it",
            f"{machine.python.pip} {again} xlwings, in the Python that the workbook names",
        )
    if find_spec("win32com") is None:
        yield Check("pywin32", "wrong", "not installed", f"{machine.python.pip} pywin32")


def _installed() -> str | None:
    try:
        return version("xlwings")
    except PackageNotFoundError:
        return None


def _excel(machine: Machine) -> Iterator[Check]:
    if not machine.is_windows:
        yield Check("Excel", "unknown", "can't be checked here")
        return
    program = machine.registry("HKLM", r"SOFTWARE\Microsoft\Windows\CurrentVersion\App Paths\excel.exe", "")
    if not isinstance(program, str):
        yield Check("Excel", "unknown", "not found in the registry", "install Excel for Windows (desktop, not web)")
        return
    if "\\WindowsApps\\" in program:
        yield Check("Excel", "wrong", f"{program}, from the Microsoft Store", "install the desktop edition of Office")
        return
    edition = machine.registry("HKLM", _CLICK_TO_RUN, "Platform")
    number = machine.registry("HKLM", _CLICK_TO_RUN, "VersionToReport")
    known = ", ".join(str(part) for part in (number, edition) if part)
    yield Check("Excel", "ok", f"{program}{f' ({known})' if known else ''}")


def _trust(machine: Machine) -> Iterator[Check]:
    if not machine.is_windows:
        yield Check("macro settings", "unknown", "can't be checked here")
        return
    policy = machine.registry("HKCU", _POLICIES, "VBAWarnings")
    level = policy if policy is not None else machine.registry("HKCU", _SECURITY, "VBAWarnings")
    levels: dict[object, str] = {
        None: "as Excel comes: it asks before macros run",
        1: "all macros run",
        2: "Excel asks before macros run",
        3: "only signed macros run",
        4: "no macros run",
    }
    found = levels.get(level, f"unknown level {level}")
    by = ", by your organisation's policy" if policy is not None else ""
    if level in (3, 4):
        do = "ask your administrator" if by else "choose Disable VBA macros with notification"
        yield Check("macro settings", "wrong", found + by, f"{do} (File, Options, Trust Center, Macro Settings)")
    else:
        yield Check("macro settings", "ok" if level in (None, 1, 2) else "unknown", found + by)


def _model() -> Check:
    path = default_model_path()
    try:
        factors = load_factors(path)
    except CfExcelError as error:
        return Check("model", "wrong", str(error), "python -m cf_excel train")
    return Check("model", "ok", f"{path}: {factors.kind}, {factors.n_movies:,} {factors.nouns.movies}")


def _workbook(path: Path, machine: Machine) -> Iterator[Check]:
    open_archive(path)  # raises for what is no workbook
    try:
        with zipfile.ZipFile(path) as archive:
            part = next((name for name in archive.namelist() if name.lower() == "xl/vbaproject.bin"), None)
            project = archive.read(part) if part else None
        settings = _settings(path)
    except (OSError, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise FileError(f"{path} can't be read as a workbook ({error}): expected an .xlsm") from None
    vba = None if project is None else read_project(project, path.name)
    build = "python -m cf_excel build" if vba and BUILT_MACROS in vba.modules else f"{_ADD} {path}"
    yield _functions(vba, path, build)
    yield from _interpreter(settings, machine, build)
    if settings is not None and settings.get("UDF MODULES") != UDF_MODULE:
        yield Check("UDF Modules", "wrong", str(settings.get("UDF MODULES")), f"write {UDF_MODULE} into xlwings.conf")
    built = (settings or {}).get(BUILT_WITH.upper())
    if built and _installed() and built != _installed():
        found = f"the workbook has the VBA of {built}, this Python has {_installed()}"
        yield Check("xlwings' VBA", "wrong", found, f"{build}, or install that xlwings")
    yield from _place(path, machine)


def _functions(vba: VbaSources | None, path: Path, build: str) -> Check:
    if vba is None:
        return Check("VBA", "wrong", f"{path.name} has no VBA project", build)
    if not is_ours(vba):
        return Check("VBA", "wrong", f"{path.name} has VBA, but not the functions", build)
    if _installed() is None:
        return Check("VBA", "unknown", "the functions are there; of which version, only xlwings can tell")
    if not has_functions(vba, with_addin=True, with_wizard=False):
        return Check("VBA", "wrong", "the functions are those of another version", build)
    addin = "" if "xlwings" in vba.modules else ", through xlwings' add-in"
    return Check("VBA", "ok", f"the functions of this version{addin}")


def _settings(path: Path) -> dict[str, str] | None:
    import openpyxl

    book = openpyxl.load_workbook(path, read_only=True)
    try:
        if "xlwings.conf" not in book.sheetnames:
            return None
        rows = book["xlwings.conf"].iter_rows(max_col=2, values_only=True)
        return {str(name).upper(): "" if value is None else str(value) for name, value in rows if name is not None}
    finally:
        book.close()


def _interpreter(settings: dict[str, str] | None, machine: Machine, build: str) -> Iterator[Check]:
    if settings is None:
        yield Check("xlwings.conf", "wrong", "the workbook has no such sheet", build)
        return
    name = INTERPRETERS.get(machine.platform)
    if name is None:
        return  # no Excel runs here
    interpreter = interpreter_of(settings) if machine.is_windows else settings.get(name.upper(), "")
    is_path = "/" in interpreter or "\\" in interpreter
    if is_path and not Path(interpreter).exists():
        yield Check(name, "wrong", f"{interpreter} is not there", f"{build}, with the Python you use")
    elif interpreter == machine.executable:
        yield Check(name, "ok", f"{interpreter}, this Python")
    elif is_path and (found := machine.has_package(interpreter)) is not None:
        advice = f"{build}, with a Python that has cf_excel; or install it there"
        yield Check(
            name,
            "ok" if found else "wrong",
            f"{interpreter}, another Python, {'with' if found else 'without'} cf_excel",
            "" if found else advice,
        )
    else:
        advice = f"write {machine.executable} there, or run {build} on this machine"
        yield Check(name, "unknown", f"{interpreter or 'nothing'}: not the Python that you asked", advice)


def _place(path: Path, machine: Machine) -> Iterator[Check]:
    folders = [value for name, value in machine.environment.items() if name.upper().startswith("ONEDRIVE") and value]
    whole = str(path.absolute())
    if any(whole.lower().startswith(folder.lower().rstrip("\\/") + os.sep) for folder in folders):
        yield Check(
            "folder", "ok", "in OneDrive: the functions work there, since nothing is looked for beside the workbook"
        )
    if not machine.is_windows:
        yield Check("Mark of the Web", "unknown", "can't be checked here")
        return
    try:
        marked = "ZoneId=3" in Path(f"{whole}:Zone.Identifier").read_text(encoding="ascii", errors="replace")
    except OSError:
        marked = False
    if marked:
        advice = "right-click the file, Properties, Unblock; or build it on this machine"
        yield Check("Mark of the Web", "wrong", "the file came from the internet: Excel blocks its macros", advice)
    else:
        yield Check("Mark of the Web", "ok", "not set")
