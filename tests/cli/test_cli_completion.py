"""python -m cf_excel completion: what a shell completes at a tab."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cf_excel.cli import main
from cf_excel.cli.completion import SHELLS

# what bash does at a tab behind the words
TAB = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
_shtab_cf_excel
printf '%s\\n' "${COMPREPLY[@]}"
"""
needs_bash = pytest.mark.skipif(sys.platform == "win32" or not shutil.which("bash"), reason="asks bash")


@pytest.fixture
def script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert main(["completion", "bash"]) == 0
    path = tmp_path / "completion.sh"
    path.write_text(capsys.readouterr().out)
    return path


@needs_bash
def test_bash_takes_the_script(script: Path) -> None:
    subprocess.run(["bash", "-n", script], check=True)


@needs_bash
@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["rec"], ["recommend"]),
        (["recommend", "--mo"], ["--model"]),
        (["train", "--mo"], ["--movie-features", "--movies", "--movie-column"]),
        (["train", "--split", "ti"], ["time"]),
        (["functions", ""], ["add", "remove"]),
        (["fill", "sc"], ["scores.xlsx"]),
        (["train", "--ratings", "sc"], ["scores.xlsx"]),
        (["build", "--out", "bo"], ["books"]),
    ],
)
def test_a_tab_completes(words: list[str], found: list[str], script: Path) -> None:
    (script.parent / "scores.xlsx").touch()
    (script.parent / "books").mkdir()
    done = subprocess.run(
        ["bash", "-c", TAB, "-", script, "cf_excel", *words],
        cwd=script.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert sorted(done.stdout.split()) == sorted(found)


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_has_its_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert "--user-features" in capsys.readouterr().out


def test_nothing_heavy_is_loaded() -> None:
    code = (
        "import sys; from cf_excel.cli import main; main(['completion', 'bash']); print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "shtab" in done.stderr.split()
    assert {"numpy", "pandas"} & set(done.stderr.split()) == set()
