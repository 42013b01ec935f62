"""Workbooks that Excel has open from OneDrive or SharePoint: found as the file on disk, or refused in one line."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import xlwings
from support.own_books import list_book
from xlwings.utils import fullname_url_to_local_path

import cf_excel
from cf_excel.cli import main
from cf_excel.errors import OpenInExcelError
from cf_excel.udf import open_books
from cf_excel.udf.functions_workbook import add_functions

PERSONAL = "https://d.docs.live.net/0f1e2d3c4b5a/Sales/my scores.xlsx"
BUSINESS = "https://shop-my.sharepoint.com/personal/ann_shop_com/Documents/Sales/my scores.xlsx"
OTHER = "https://files.shop.com/dav/my%20scores.xlsx"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a workbook in a folder that OneDrive keeps in step, on a Windows whose Excel has nothing open yet."""
    folder = tmp_path / "OneDrive" / "Sales"
    folder.mkdir(parents=True)
    monkeypatch.setattr(open_books.sys, "platform", "win32")
    for name in ("OneDrive", "OneDriveConsumer", "OneDriveCommercial"):
        monkeypatch.setenv(name, str(tmp_path / "OneDrive"))
    monkeypatch.setattr("xlwings.utils.get_url_to_mount", dict)
    fullname_url_to_local_path.cache_clear()
    return list_book(folder / "my scores.xlsx")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch):
    """Return a function that lets Excel have workbooks open, by what it calls them."""

    def opened(*names: str) -> list[SimpleNamespace]:
        books = [SimpleNamespace(fullname=name) for name in names]
        monkeypatch.setattr(xlwings, "apps", [SimpleNamespace(books=books)])
        return books

    opened()
    return opened


@pytest.mark.parametrize("url", [PERSONAL, PERSONAL.replace(" ", "%20"), BUSINESS])
def test_the_file_of_a_url_is_found(path: Path, opened, url: str) -> None:
    books = opened("Book1", url)
    assert open_books.find_open_book(path) is books[1]
    assert open_books.find_in_cloud(path) is books[1]


def test_one_of_the_same_name_elsewhere_is_another(path: Path, opened, tmp_path: Path) -> None:
    other = list_book(tmp_path / path.name)
    opened(PERSONAL)
    assert open_books.find_in_cloud(other) is None
    opened(PERSONAL.replace("my scores", "other"))
    assert open_books.find_in_cloud(path) is None


@pytest.mark.parametrize("url", [OTHER, PERSONAL.replace("Sales", "Elsewhere")])
def test_what_can_not_be_told_is_refused_and_nothing_written(path: Path, opened, url: str, capsys) -> None:
    opened(url)
    before = path.read_bytes()
    for command in ("fill", "solve", "write"):
        assert main([command, str(path)]) == 2
        said = capsys.readouterr().err
        assert f"my scores.xlsx is open in Excel from {url[:100]}, which may be {path}: close it there" in said
        assert said.count("\n") == 1
    assert path.read_bytes() == before


def test_nothing_is_replaced_behind_excel(path: Path, opened, tmp_path: Path, capsys) -> None:
    source = list_book(tmp_path / "source.xlsx")
    opened(PERSONAL)
    before = path.read_bytes()
    with pytest.raises(OpenInExcelError, match="is open in Excel: close it, or choose another file to write to"):
        cf_excel.fill(source, out=path)
    assert main(["export", "--out", str(path)]) == 2
    assert f"{path} is open in Excel: close it" in capsys.readouterr().err
    macros = path.with_suffix(".xlsm")
    macros.write_bytes(b"")
    opened(PERSONAL.replace(".xlsx", ".xlsm"))
    with pytest.raises(OpenInExcelError, match="is open in Excel: close it"):
        add_functions(path)
    assert (path.read_bytes(), macros.read_bytes()) == (before, b"")


def test_what_is_open_from_the_cloud_is_changed_in_excel(path: Path, opened, monkeypatch: pytest.MonkeyPatch) -> None:
    (book,) = opened(PERSONAL)
    taken = []
    monkeypatch.setattr("cf_excel.udf.live_cells.saved_copy", lambda found: taken.append(found) or exit_early())
    before = path.read_bytes()
    with pytest.raises(EarlyExit):
        cf_excel.fill(path)
    assert taken == [book]
    assert path.read_bytes() == before


def test_an_excel_that_can_not_be_asked_stops_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(xlwings, "apps")  # as without pywin32
    assert open_books.find_in_cloud(path) is None


def test_an_excel_that_does_not_answer_may_have_the_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Busy:
        @property
        def books(self) -> list:
            raise RuntimeError("Call was rejected by callee.")

    monkeypatch.setattr(xlwings, "apps", [Busy()])
    with pytest.raises(OpenInExcelError, match=r"Excel does not say whether it has .* open: finish"):
        open_books.find_in_cloud(path)


def test_a_mac_is_asked_only_about_folders_of_onedrive(path: Path, opened, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(open_books.sys, "platform", "darwin")
    (book,) = opened(PERSONAL)
    assert open_books.find_in_cloud(path) is book
    monkeypatch.delattr(xlwings, "apps")
    assert open_books.find_in_cloud(list_book(tmp_path / "mine.xlsx")) is None


class EarlyExit(Exception):
    pass


def exit_early() -> None:
    raise EarlyExit
