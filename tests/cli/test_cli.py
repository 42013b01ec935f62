"""The command line: help with examples, one line and exit code 2 for what is wrong."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest
from support.owned import make

import cf_excel
from cf_excel.cli import main, make_parser
from cf_excel.sheets.lesson.collab import build_collab


def commands() -> list[str]:
    """Return the name of every command."""
    actions = make_parser()._actions
    return next(list(action.choices) for action in actions if action.dest == "command")


@pytest.mark.parametrize("command", commands())
def test_every_help_shows_an_example(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    assert f"example:\n  python -m cf_excel {command}" in capsys.readouterr().out


def test_build_prints_what_it_wrote(tmp_path, capsys, lesson_ratings):
    assert main(["build", "--out", str(tmp_path / "a folder" / "with spaces")]) == 0
    out = capsys.readouterr().out
    path = tmp_path / "a folder" / "with spaces" / "collab_filter.xlsx"
    assert path.is_file()
    rmse = build_collab(lesson_ratings, tmp_path / "again.xlsx")
    assert f"wrote {path} from MovieLens" in out
    for sheet, value in rmse.items():
        assert f"{sheet:<14} RMSE {value:.6f}" in out


def test_build_takes_a_table_of_ones_own(tmp_path, capsys):
    table = tmp_path / "my ratings.csv"
    table.write_text("user,film,stars\nann,Alien,5\nbob,Alien,4\nann,Brazil,3\n")
    options = ["--movie-column", "film", "--rating-column", "stars", "--top-users", "2", "--top-movies", "2"]
    assert main(["build", "--ratings", str(table), "--out", str(tmp_path), *options]) == 0
    assert "my ratings.csv" in capsys.readouterr().out


def test_build_takes_the_users_and_movies_that_there_are(tmp_path, capsys):
    table = tmp_path / "few.csv"
    table.write_text("user,item,rating\nann,Alien,5\nbob,Alien,4\nann,Brazil,3\n")
    assert main(["build", "--ratings", str(table), "--out", str(tmp_path), "--only", "collab"]) == 0
    assert "RMSE" in capsys.readouterr().out
    assert main(["build", "--ratings", str(table), "--out", str(tmp_path), "--top-users", "15"]) == 2
    assert "asked for 15 users, but few.csv has 2: pass --top-users 2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            ["--top-users", "700"],
            "asked for 700 users, but MovieLens (ml-latest-small, 2016) has 671: pass --top-users",
        ),
        (["--top-movies", "9067"], "has 9,066: pass --top-movies 9066"),
        (["--top-users", "0"], "--top-users 0: expected 1 or more"),
        (["--factors", "0"], "--factors 0: expected 1 or more"),
        (["--factors", "16400", "--top-users", "1"], "1,048,576 and 16,384 is the most"),
        (["--seed", "-1"], "--seed -1: expected 0 or more"),
        (["--epochs", "0"], "--epochs 0: expected 1 to 1,000"),
        (["--points", "-3", "--only", "gradient"], "--points -3: expected 1 to 10,000"),
        (["--points", "9999", "--epochs", "999"], "--epochs 999 --points 9999: expected at most 100,000 rows"),
        (["--slope", "inf"], "--slope inf: expected a number from -1,000,000 to 1,000,000"),
        (["--intercept", "1e7"], "--intercept 10000000.0: expected a number"),
        (["--only", "nothing"], "invalid choice: 'nothing'"),
        (["--ratings", "nowhere.csv"], "nowhere.csv"),
        (["--top-users", "x"], "'x': expected a whole number"),
        (["--nonsense"], "cf_excel build: unrecognized arguments: --nonsense (see cf_excel build --help)"),
        (["my", "scores.xlsx"], "unrecognized arguments: my scores.xlsx: a name with blanks needs quotes around it"),
        (["--slop", "1", "--interept=3"], "unrecognized arguments: --interept=3: did you mean --intercept?"),
    ],
)
def test_bad_options_get_one_line(tmp_path, capsys, options, says):
    try:
        code = main(["build", "--out", str(tmp_path), *options])
    except SystemExit as stop:
        code = stop.code
    captured = capsys.readouterr()
    assert code == 2
    assert captured.out == ""
    assert says in captured.err
    assert captured.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_out_that_is_a_file_is_named(tmp_path, capsys):
    (tmp_path / "taken").write_text("mine")
    assert main(["build", "--out", str(tmp_path / "taken")]) == 2
    assert "taken is no folder" in capsys.readouterr().err
    assert (tmp_path / "taken").read_text() == "mine"


def test_good_workbooks_survive_bad_input(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("CF_EXCEL_MODEL", str(tmp_path / "none"))
    assert main(["build", "--out", str(tmp_path)]) == 0
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert sorted(before) == ["collab_filter.xlsx", "gradient_descent.xlsm", "gradient_descent.xlsx"]
    for bad in (["--top-users", "700"], ["--epochs", "0"]):
        assert main(["build", "--out", str(tmp_path), "--seed", "7", *bad]) == 2
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_folder_without_permission_is_named(tmp_path, capsys, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.touch", refuse)
    assert main(["build", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err.endswith("collab_filter.xlsx: Permission denied\n")


def test_a_workbook_that_is_open_elsewhere_is_named(tmp_path, capsys, monkeypatch):
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.replace", refuse)
    assert main(["build", "--out", str(tmp_path)]) == 2
    assert "it is open in another program or write-protected; close it" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def run_in(folder: Path, *command: str, encoding: str, output: int | IO) -> subprocess.CompletedProcess:
    """Run a command with an encoding of the terminal and something that takes its output."""
    return subprocess.run(
        [sys.executable, "-m", "cf_excel", *command],
        env=os.environ | {"PYTHONIOENCODING": encoding, "PYTHONPATH": str(Path(cf_excel.__file__).parent.parent)},
        cwd=folder,
        stdout=output,
        stderr=subprocess.PIPE,
        check=False,
    )


def test_names_that_the_terminal_cannot_show(tmp_path):
    path = make(tmp_path / "שלום.xlsx", lambda workbook, _: workbook.add_worksheet("גיליון"))
    done = run_in(tmp_path, "solve", path.name, encoding="cp1252", output=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"wrote \u05e9\u05dc\u05d5\u05dd.xlsx" in done.stdout
    done = run_in(tmp_path, "solve", path.name, "--sheet", "nothing", encoding="cp1252", output=subprocess.PIPE)
    assert done.returncode == 2
    assert rb"\u05d2" in done.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a disk that is always full")
@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_output_that_cannot_be_written_gets_one_line(tmp_path, options):
    path = make(tmp_path / "mine.xlsx")
    with open("/dev/full", "w") as full:
        done = run_in(tmp_path, "solve", path.name, *options, encoding="utf-8", output=full)
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1
    assert b"No space left on device" in done.stderr


def test_python_m_cf_excel(tmp_path):
    command = [sys.executable, "-m", "cf_excel", "build", "--out", str(tmp_path), "--seed", "-1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "cf_excel build: --seed -1: expected 0 or more\n"


@pytest.mark.parametrize(
    ("argv", "meant"), [(["trian"], "train"), (["recomend", "15"], "recommend"), (["train", "--split", "tme"], "time")]
)
def test_a_slip_of_the_pen_is_answered_with_what_was_meant(argv, meant, capsys):
    with pytest.raises(SystemExit) as stop:
        main(argv)
    assert stop.value.code == 2
    assert f"did you mean {meant}?" in capsys.readouterr().err


def test_what_is_like_no_command_gets_no_guess(capsys):
    with pytest.raises(SystemExit):
        main(["xyzzy"])
    assert "did you mean" not in capsys.readouterr().err


def test_the_doctor_speaks_json(capsys):
    main(["doctor", "--json"])
    checks = json.loads(capsys.readouterr().out)
    assert {"name", "state", "found", "advice"} == set(checks[0])
    assert {check["state"] for check in checks} <= {"ok", "wrong", "unknown"}


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        ("[enforce fail at alloc_cpu.cpp:127] not enough memory: you tried to allocate 4000 bytes", ""),
        ("CUDA out of memory. Tried to allocate 20.00 GiB", "; that of the GPU was too small: --device cpu"),
    ],
)
def test_too_little_memory_is_one_line(error, hint, monkeypatch, capsys):
    def fail(args):
        raise RuntimeError(error)

    monkeypatch.setattr("cf_excel.cli.train.run", fail)
    assert main(["train"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"cf_excel train: not enough memory for this table and these options{hint}")
    assert ("GPU" in line) == bool(hint)
