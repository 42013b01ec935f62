"""What commands print: nothing steers the terminal, and an output that goes away stops no work."""

import errno
import io
import subprocess
import sys
from pathlib import Path

import pytest

from cf_excel.cli import main
from cf_excel.cli.messages import lasting_output, note, say
from cf_excel.cli.plain_text import shown

RED = "\x1b[31mred\x1b]0;title\x07"
COMMAND = [sys.executable, "-m", "cf_excel"]
TABLE = "user,movie,rating\n" + "".join(f"{u},{m},{1 + (u * m) % 5}\n" for u in range(9) for m in range(9))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "ratings.csv"
    path.write_text(TABLE)
    return path


def shell(script: str, folder: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["bash", "-c", script, "-", *COMMAND], cwd=folder, capture_output=True, text=True, check=False
    )


def test_lines_do_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    say(RED)
    note(RED)
    printed = capsys.readouterr()
    assert printed.out == "?[31mred?]0;title?\n"
    assert printed.err == "note: ?[31mred?]0;title?\n"


def test_titles_of_every_language_stay_as_they_are() -> None:
    for title in ("Amélie", "20\u00a0000 lieues", "👩\u200d🚀", "شهر", "千と千尋"):
        assert shown(title) == title
    assert shown("a\u202eb\u2028c\ud800d\x9be") == "a?b?c?d?e"


def test_refused_options_do_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["build", "--only", RED])
    assert "\x1b" not in capsys.readouterr().err


def test_errors_do_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--ratings", RED]) == 2
    assert "\x1b" not in capsys.readouterr().err


class Broken(io.StringIO):
    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def write(self, text: str) -> int:
        raise OSError(self.number, "broken")


def test_what_nobody_reads_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Broken(errno.EPIPE))
    with lasting_output() as output:
        say("nobody hears this")
    assert isinstance(output.fault, BrokenPipeError)


def test_closed_streams_lead_to_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    with lasting_output():
        say("nobody hears this")
        note("nor this")
    assert sys.stdout is None
    assert sys.stderr is None


@pytest.mark.skipif(sys.platform == "win32", reason="asks a shell of Unix")
@pytest.mark.parametrize("rest", ["| head -1", ">&-", ">&- 2>&-"])
def test_training_goes_on_when_its_reader_leaves(rest: str, table: Path) -> None:
    done = shell(
        f"""set -o pipefail
        "$@" train --kind bayes --ratings ratings.csv --split random --out m {rest}""",
        table.parent,
    )
    assert done.returncode == 0
    assert done.stderr == ""
    assert (table.parent / "m").is_file()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="asks a device of Linux")
def test_a_full_disk_under_the_output_is_told_and_the_model_kept(table: Path) -> None:
    done = shell('"$@" train --ratings ratings.csv --split random --out m > /dev/full', table.parent)
    assert done.returncode == 2
    assert done.stderr == "cf_excel train: done, but what it prints can't be written: No space left on device\n"
    assert (table.parent / "m").is_file()


def test_ctrl_c_tells_what_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def press(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cf_excel.cli.build._build_gradient", press)
    assert main(["build", "--only", "gradient", "--out", str(tmp_path)]) == 130
    assert capsys.readouterr().err == "cf_excel build: stopped, nothing was written\n"
    assert main(["build", "--only", "collab", "--only", "gradient", "--out", str(tmp_path)]) == 130
    written = tmp_path / "collab_filter.xlsx"
    assert capsys.readouterr().err == f"cf_excel build: stopped; written before: {written}\n"


# Ctrl-C at the first import of the command line, and in the middle of the options' parser
@pytest.mark.parametrize("place", ["cf_excel.cli", "cf_excel.cli.serve"])
def test_ctrl_c_while_it_still_loads(place: str) -> None:
    code = f"""if True:
        import runpy, sys

        class Press:
            def find_spec(self, name, path=None, target=None):
                if name == {place!r}:
                    raise KeyboardInterrupt

        sys.meta_path.insert(0, Press())
        sys.argv = ["cf_excel", "train"]
        runpy.run_module("cf_excel", run_name="__main__")
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "cf_excel: stopped, nothing was written\n"


@pytest.mark.parametrize("option", ["train --factors", "build --epochs", "similar 1 -n", "export --digits"])
def test_numbers_beyond_measure_are_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([*option.split(), "9223372036854775807"])
    assert stop.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
