"""run.bat: what a double click does on a Windows with nothing of ours, in Wine's command prompt."""

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest
from support.hosts import missing

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "run.bat"
# what a Python needs beside python.exe
PARTS = ("python.exe", "*.dll", "*.pyd")


def test_its_lines_end_as_command_prompts_want_it() -> None:
    content = SCRIPT.read_bytes()
    assert content.count(b"\n") == content.count(b"\r\n") > 0
    assert "*.bat text eol=crlf" in (ROOT / ".gitattributes").read_text().splitlines()


def test_a_network_path_gets_a_letter_for_as_long_as_it_runs() -> None:
    lines = SCRIPT.read_text().splitlines()
    assert 'pushd "%~dp0"' in lines  # which cd can't do for \\server\share, nor Wine give a letter
    assert lines.count("popd") == sum(line.startswith("exit /b") for line in lines) == 3


@pytest.fixture
def windows() -> Path:
    """The folder that tests/windows/setup.sh filled."""
    folder = Path(os.environ.get("CF_EXCEL_WINDOWS", "/nowhere"))
    if not (folder / "ready").exists():
        missing("Windows' Python under Wine (tests/windows/setup.sh; CF_EXCEL_WINDOWS names its folder)")
    return folder


def run(windows: Path, folder: Path, *arguments: str, python: Path | None = None) -> tuple[int, str]:
    """Run the script in a copy of its folder; return its exit code, and what it printed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment |= {"WINEPREFIX": str(windows / "prefix"), "WINEDEBUG": "-all", "WINEARCH": "win64"}
    environment |= {"CF_EXCEL_NO_PAUSE": "1"} | ({"WINEPATH": windows_path(python)} if python else {})
    environment.pop("DISPLAY", None)
    command = ["wine", "cmd", "/c", "run.bat", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout


def windows_path(path: Path) -> str:
    """Return how Wine names a file of this system."""
    return "Z:" + str(path).replace("/", "\\")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the script, in a folder whose name wants quotes."""
    folder = tmp_path / "cups & pots (2)"
    folder.mkdir()
    shutil.copy(SCRIPT, folder)
    return folder


@pytest.mark.windows
@pytest.mark.slow
def test_without_a_python_it_says_which_to_install(windows: Path, folder: Path) -> None:
    code, said = run(windows, folder)
    assert code == 2
    assert "There is no Python 3.11 or later for 64 bits: install one from https://www.python.org" in said
    assert "Not done" in said


@pytest.mark.windows
@pytest.mark.slow
def test_a_python_that_makes_no_environment_ends_it(windows: Path, folder: Path) -> None:
    code, said = run(windows, folder, python=windows / "py")  # it has no module venv
    assert code == 2
    assert f'Making a Python environment, once, in "{windows_path(folder)}\\.venv"' in said
    assert said.rstrip().endswith("Not done: what is wrong stands above.")
    assert not (folder / ".venv" / "installed").exists()


@pytest.mark.windows
@pytest.mark.slow
def test_it_builds_the_workbooks_and_runs_other_commands(windows: Path, folder: Path) -> None:
    scripts = folder / ".venv" / "Scripts"  # as an earlier run has left it
    scripts.mkdir(parents=True)
    for part in PARTS:
        for path in (windows / "py").glob(part):
            shutil.copy(path, scripts)
    places = [windows / "py" / "python311.zip", windows / "py" / "Lib" / "site-packages", ROOT]
    lines = [windows_path(place) for place in [*places, Path(sysconfig.get_path("purelib"))]]
    (scripts / "python311._pth").write_text("\n".join([".", *lines, "import site"]))
    (folder / ".venv" / "installed").touch()
    code, said = run(windows, folder)
    assert code == 0, said
    assert f'The lesson\'s workbooks are in "{windows_path(folder)}\\lesson"' in said
    assert {"collab_filter.xlsx", "gradient_descent.xlsm"} <= {path.name for path in (folder / "lesson").iterdir()}
    code, said = run(windows, folder, "build", "--only", "gradient", "--out", "my books")
    assert code == 0, said
    assert (folder / "my books" / "gradient_descent.xlsx").exists()
