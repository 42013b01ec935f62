"""Which workbook Excel has open: by its file, or by its address on OneDrive and SharePoint, where it is a URL."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from cf_excel.errors import OpenInExcelError

if TYPE_CHECKING:
    import xlwings

_LONGEST_SHOWN = 100


def find_open_book(path: Path) -> "xlwings.Book | None":
    """Return the workbook of a file that Excel has open on Windows or on a Mac, None where it has not.

    Raises OpenInExcelError where one of that name is open from the cloud and nothing tells whether it is this file.
    """
    if sys.platform not in ("win32", "darwin"):
        return None
    import xlwings

    for app in xlwings.apps:
        for book in app.books:
            if _is_of_file(book, path):
                return book
    return None


def find_in_cloud(path: Path) -> "xlwings.Book | None":
    """Return what find_open_book does of a file beside which no lock lies: of one in the cloud, Excel makes none.

    A Mac asks its user whether Excel may be asked, so that it is only for files in a folder of OneDrive's there.
    """
    is_synced = sys.platform == "win32" or any(part.startswith("OneDrive") for part in path.absolute().parts)
    if not (is_synced and path.is_file()):
        return None
    import xlwings

    try:
        return find_open_book(path)
    except (ImportError, AttributeError, xlwings.XlwingsError):  # without pywin32 xlwings can't ask
        return None
    except OpenInExcelError:
        raise
    except Exception as error:  # of COM, as while a cell is edited
        raise OpenInExcelError(
            f"Excel does not say whether it has {path} open: finish the cell or question it waits for, or close it"
        ) from error


def refuse_open_in_cloud(path: Path) -> None:
    """Raise OpenInExcelError for a file that Excel has open from the cloud: it must not be replaced behind it."""
    if find_in_cloud(path) is not None:
        raise OpenInExcelError(f"{path} is open in Excel: close it, or choose another file to write to")


def _is_of_file(book: "xlwings.Book", path: Path) -> bool:
    import xlwings

    try:
        name = str(book.fullname)
        if "://" not in name:
            return Path(name).samefile(path)
    except (OSError, xlwings.XlwingsError):  # a workbook that was never saved
        return False
    return _is_of_url(name, path)


def _is_of_url(url: str, path: Path) -> bool:
    """Whether the file in the cloud that a URL names is kept in step with this one. Raises OpenInExcelError."""
    if unquote(url).rpartition("/")[2].casefold() != path.name.casefold():
        return False
    from xlwings.utils import fullname_url_to_local_path

    for form in dict.fromkeys((url, unquote(url))):
        try:
            return Path(fullname_url_to_local_path(form)).samefile(path)
        except Exception:  # it guesses, and trips in many ways over what it does not expect
            continue
    raise OpenInExcelError(
        f"{path.name} is open in Excel from {url[:_LONGEST_SHOWN]}, which may be {path}: close it there, or change a "
        "copy of another name"
    )
