"""Tables on terminals of any width."""

import io
import re
import sys

import pytest

from cf_excel.cli.tables import print_table


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


HEADINGS = ("model", *(f"figure {i}" for i in range(9)))
ROWS = [("bayes, ratings alone", *("0.1234",) * 9), ("Surprise SVD", *("1.2345",) * 9)]


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_a_table_wider_than_the_terminal_becomes_several(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdout", Terminal())
    print_table(HEADINGS, ROWS)
    lines = re.sub(r"\x1b\[[\d;]*m", "", sys.stdout.getvalue()).splitlines()
    assert all(len(line) <= width for line in lines)
    for heading in HEADINGS[1:]:
        assert sum(heading in line for line in lines) == 1  # whole, in one line
    leading = [line for line in lines if "bayes, ratings alone" in line]
    assert (len(leading) == 1) == (width == 200)
    assert sum(line.count("0.1234") for line in leading) == 9


def test_a_pipe_gets_a_line_a_row_however_wide(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("title", "n"), [("寿司", 1), ("x" * 20_000, 22), ("", "")])
    assert capsys.readouterr().out.splitlines() == [
        "title" + " " * 19_995 + "   n",
        "寿司" + " " * 19_996 + "   1",
        "x" * 20_000 + "  22",
        " " * 20_004,
    ]
