"""Make the functions known to LibreOffice Calc: a Basic module in the user's profile hands each call to a script.

A plain =CF_PREDICT(15,260) then works in every workbook, an .xlsx from Excel too, with the macros of documents switched
off. LibreOffice's own Python needs nothing: its script asks the Python that cf_excel is installed in.
"""

import os
import shutil
import sys
from importlib.resources import files
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import cf_excel
from cf_excel.errors import FileError
from cf_excel.files import check_source, check_target, make_folder, replacing
from cf_excel.udf.descriptions import signatures

MODULE = "cf_excel"
SCRIPT = "cf_excel_functions.py"
_NAMES = "http://openoffice.org/2000/library"
_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<!DOCTYPE {0}:{1} PUBLIC "-//OpenOffice.org//DTD OfficeDocument 1.0//EN" "{2}.dtd">\n'
)
_EMPTY_LIBRARY = (
    _HEAD.format("library", "library", "library")
    + f'<library:library xmlns:library="{_NAMES}" library:name="Standard" library:readonly="false" '
    'library:passwordprotected="false">\n</library:library>\n'
)
_ELEMENT = f' <library:element library:name="{MODULE}"/>\n'
# a cell range wants a two-dimensional array where the script gives an array of rows
_BASIC = """' Written by cf_excel: python -m cf_excel libreoffice install
Private cfProvider As Object

Private Function cfAsk(cfName, cfArguments)
  Dim cfScript, cfResult
  If IsNull(cfProvider) Then
    cfProvider = createUnoService("com.sun.star.script.provider.MasterScriptProviderFactory").createScriptProvider("")
  End If
  cfScript = cfProvider.getScript("vnd.sun.star.script:{script}$call?language=Python&location=user")
  cfResult = cfScript.invoke(Array(cfName, cfArguments), Array(), Array())
  If Not IsArray(cfResult) Then
    cfAsk = cfResult
    Exit Function
  End If
  Dim cfCells(UBound(cfResult), UBound(cfResult(0)))
  Dim i, j, cfRow
  For i = 0 To UBound(cfResult)
    cfRow = cfResult(i)
    For j = 0 To UBound(cfRow)
      cfCells(i, j) = cfRow(j)
    Next j
  Next i
  cfAsk = cfCells
End Function
"""


def default_profile() -> Path:
    """Return the folder `user` of LibreOffice's profile. Raises FileError where LibreOffice never ran."""
    home = Path.home()
    candidates = [
        home / ".config/libreoffice/4/user",
        home / ".var/app/org.libreoffice.LibreOffice/config/libreoffice/4/user",
        home / "snap/libreoffice/current/.config/libreoffice/4/user",
        home / "Library/Application Support/LibreOffice/4/user",
    ]
    if os.environ.get("APPDATA"):
        candidates.insert(0, Path(os.environ["APPDATA"]) / "LibreOffice/4/user")
    for folder in candidates:
        if folder.is_dir():
            return folder
    raise FileError("no LibreOffice profile was found: start LibreOffice once, or name its user folder with --profile")


def install(profile: Path) -> None:
    """Put the functions into a profile; what else is in it stays. Raises FileError where that can't be."""
    standard = profile / "basic" / "Standard"
    if not standard.is_dir():  # at its first start LibreOffice fills the folder and would undo this
        raise FileError(f"{profile} is no profile that LibreOffice used before: start LibreOffice once and close it")
    library = _read_library(standard / "script.xlb")
    if MODULE not in _modules(library):
        library = library.replace("</library:library>", f"{_ELEMENT}</library:library>")
    package = Path(cf_excel.__file__).parent
    script = files("cf_excel.data").joinpath("libreoffice_functions.py").read_text(encoding="utf-8")
    for name, folder in (("PYTHON", sys.executable), ("PACKAGE", str(package.parent))):
        script = script.replace(f'"@{name}@"', ascii(folder))
    texts = {
        profile / "Scripts" / "python" / SCRIPT: script,
        standard / f"{MODULE}.xba": _basic_module(),
        standard / "script.xlb": library,
    }
    for path in texts:  # all or none
        check_target(path)
    for path, text in texts.items():
        _write(path, text)


def uninstall(profile: Path) -> None:
    """Take the functions out of a profile, which need not have them. Raises FileError where that can't be."""
    standard = profile / "basic" / "Standard"
    if (standard / "script.xlb").exists():
        library = _read_library(standard / "script.xlb")
        if MODULE in _modules(library):
            _write(standard / "script.xlb", library.replace(_ELEMENT, ""))
    for path in (standard / f"{MODULE}.xba", profile / "Scripts" / "python" / SCRIPT):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise FileError(f"can't remove {path}: {error.strerror}") from error


def lacks_python() -> str:
    """Say what the LibreOffice on the path lacks to run Python scripts; "" where that is nothing or none is found."""
    program = shutil.which("soffice") or shutil.which("libreoffice")
    if program and not Path(program).resolve().with_name("pythonscript.py").exists():
        return (
            "LibreOffice here can't run Python scripts: install its script provider (Debian, Ubuntu: apt install "
            "libreoffice-script-provider-python)"
        )
    return ""


def basic_source() -> str:
    """Return the Basic module: one function for each of ours, with the same arguments."""
    parts = [_BASIC.replace("{script}", SCRIPT)]
    for name, signature in signatures().items():
        arguments = signature.parameters.values()
        lines = []
        for argument in arguments:
            lines.append(f"  Dim given_{argument.name}")
            if argument.default is argument.empty:
                lines.append(f"  If IsMissing({argument.name}) Then")
                lines.append(f'    {name} = "{name}: {argument.name} is missing"')
                lines += ["    Exit Function", "  End If", f"  given_{argument.name} = {argument.name}"]
            else:
                lines.append(f"  If Not IsMissing({argument.name}) Then given_{argument.name} = {argument.name}")
        given = ", ".join(f"given_{argument.name}" for argument in arguments)
        declared = ", ".join(f"Optional {argument.name}" for argument in arguments)
        lines.append(f'  {name} = cfAsk("{name}", Array({given}))')
        parts.append("\n".join([f"Function {name}({declared})", *lines, "End Function\n"]))
    return "\n".join(parts)


def _basic_module() -> str:
    head = _HEAD.format("script", "module", "module")
    return (
        f'{head}<script:module xmlns:script="http://openoffice.org/2000/script" script:name="{MODULE}" '
        f'script:language="StarBasic">{escape(basic_source())}</script:module>\n'
    )


def _read_library(path: Path) -> str:
    """Return the list of modules of the library Standard, with an end tag even where it is empty."""
    check_source(path)
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else _EMPTY_LIBRARY
        root = ElementTree.fromstring(text)
    except (OSError, ValueError, ElementTree.ParseError) as error:
        raise FileError(f"{path} can't be read ({error}): expected LibreOffice's list of Basic modules") from None
    if root.tag != f"{{{_NAMES}}}library":
        raise FileError(f"{path} is not LibreOffice's list of Basic modules: expected a library")
    if not len(root):
        text = text.rstrip().removesuffix("/>") + ">\n</library:library>\n" if text.rstrip().endswith("/>") else text
    return text


def _modules(library: str) -> list[str | None]:
    return [element.get(f"{{{_NAMES}}}name") for element in ElementTree.fromstring(library)]


def _write(path: Path, text: str) -> None:
    make_folder(path.parent)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
