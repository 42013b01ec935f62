"""The line that says on a terminal what a command is at: there in silence, gone before anything is printed."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cf_excel.cli import working
from cf_excel.cli.working import doing, working_line

pty = pytest.importorskip("pty")

# a command whose silence is long from the start
CODE = """
import sys
from cf_excel.cli import main, working
working.SILENCE, working._TICK = 0.0, 0.005
sys.exit(main(sys.argv[1:]))
"""
SHARES = """
import time
from cf_excel.cli import working
working.SILENCE, working._TICK = 0.0, 0.005
with working.working_line("cf_excel"), working.doing("reading a.csv") as tell:
    for done in range(1, 5):
        tell(done, 4)
        time.sleep(0.3)
print("done")
"""
TABLE = "user,movie,rating\n" + "".join(f"{u},{m},{1 + (u * m) % 5}\n" for u in range(100) for m in range(50))


def screen(shown: str) -> list[str]:
    """Return the lines that a terminal shows in the end, those that aren't blank."""
    lines, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[\??[\d;]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", shown):
        if part == "\r":
            column = 0
        elif part == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif part.endswith("K") and part.startswith("\x1b"):
            lines[row] = ""
        elif part.endswith("A") and part.startswith("\x1b"):
            row -= int(part[2:-1] or 1)
        elif not part.startswith("\x1b"):
            lines[row] = lines[row][:column].ljust(column) + part + lines[row][column + len(part) :]
            column += len(part)
    return [line for line in lines if line.strip()]


def run(folder: Path, *options: str, to_terminal: bool = True, code: str = CODE) -> tuple[str, str]:
    """Run a command whose stderr is a terminal, and its stdout, too, or a pipe; return what both got."""
    leader, follower = pty.openpty()
    env = dict(os.environ, TERM="xterm", COLUMNS="80", LINES="24", CF_EXCEL_MODEL=str(folder / "model.safetensors"))
    command = [sys.executable, "-c", code, *options]
    stdout = follower if to_terminal else subprocess.PIPE
    with subprocess.Popen(command, cwd=folder, stdout=stdout, stderr=follower, env=env) as running:
        os.close(follower)
        shown = b""
        while chunk := read(leader):
            shown += chunk
        os.close(leader)
        printed = running.stdout.read() if running.stdout else b""
    assert running.returncode == 0, shown.decode()
    return shown.decode(), printed.decode()


def read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so when the other side is closed
        return b""


def test_silence_is_filled_and_nothing_of_it_stays(tmp_path: Path) -> None:
    shown, _ = run(tmp_path, "build", "--only", "collab", "--top-users", "60")
    assert " writing collab_filter.xlsx" in shown
    assert screen(shown)[0] == "wrote collab_filter.xlsx from MovieLens (ml-latest-small, 2016)"
    assert not [line for line in screen(shown) if " 0:0" in line]
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h")  # the cursor is there again


def test_a_bar_shows_the_share_where_it_is_known(tmp_path: Path) -> None:
    shown, _ = run(tmp_path, code=SHARES)
    assert {int(share) for share in re.findall(r" reading a\.csv [^%\r\n]*?(\d+)%", shown)} == {25, 50, 75}
    assert screen(shown) == ["done"]
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h")


def test_a_bar_changes_nothing_that_is_printed(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text(TABLE)
    train = ["train", "--ratings", "ratings.csv", "--split", "random", "--no-tune"]
    run(tmp_path, *train, to_terminal=False)
    with_bar = run(tmp_path, "similar", "--all", to_terminal=False)
    command = [sys.executable, "-m", "cf_excel", "similar", "--all"]
    env = dict(os.environ, CF_EXCEL_MODEL=str(tmp_path / "model.safetensors"))
    alone = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
    assert "cf_excel similar" in with_bar[0]
    assert (alone.stdout, alone.stderr) == (with_bar[1], "")


def test_it_never_comes_into_what_is_piped(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text(TABLE)
    shown, printed = run(tmp_path, "train", "--ratings", "ratings.csv", "--split", "random", to_terminal=False)
    assert "reading ratings.csv" in shown
    assert "cf_excel train" in shown
    assert screen(shown) == []
    assert "\x1b" not in printed
    assert "\nmodel: " in printed


@pytest.mark.parametrize("option", ["--quiet", "--json"])
def test_who_wants_no_report_gets_no_line(tmp_path: Path, option: str) -> None:
    (tmp_path / "ratings.csv").write_text(TABLE)
    shown, _ = run(tmp_path, "train", "--ratings", "ratings.csv", "--split", "random", option, to_terminal=False)
    assert shown == ""


def test_no_line_without_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(working, "SILENCE", 0.0)
    with working_line("waiting"), doing("more"):
        time.sleep(3 * working._TICK)
    assert capsys.readouterr() == ("", "")
