"""SIGTERM ends a command in order: its temporary files go, and the exit code says what ended it."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from cf_excel.cli import main
from cf_excel.cli.signals import ending_in_order

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows ends processes without a signal")

# export, told to end in the middle of its file, twice
COMMAND = """if True:
    import os, signal, sys
    import cf_excel.xlsx.write.new_workbook
    from cf_excel.cli import main

    def told(*part):
        assert any(name.endswith(".tmp") for name in os.listdir())
        for _ in range(2):
            os.kill(os.getpid(), signal.Signals[sys.argv[1]])
        raise AssertionError("went on")

    cf_excel.xlsx.write.new_workbook.sheet_xml = told
    signal.signal(signal.Signals[sys.argv[1]], signal.SIG_DFL)  # a parent may ignore it, as nohup does
    sys.exit(main(["build", "--only", "gradient"]))
"""


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_command_that_is_told_to_end_leaves_nothing_behind(tmp_path, name, code):
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, name],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def handlers():
    """The signals' own handlers, whatever the parent of the tests set."""
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.SIG_DFL) for number in numbers]
    yield numbers
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def test_afterwards_the_handlers_are_as_they_were(handlers, tmp_path):
    with ending_in_order():
        assert all(callable(signal.getsignal(number)) for number in handlers)
    assert main(["build", "--out", str(tmp_path), "--seed", "-1"]) == 2
    assert all(signal.getsignal(number) is signal.SIG_DFL for number in handlers)
    with pytest.raises(SystemExit) as end, ending_in_order():
        os.kill(os.getpid(), signal.SIGTERM)
    assert end.value.code == 143
    assert all(signal.getsignal(number) is signal.SIG_DFL for number in handlers)


def test_handlers_of_others_stay(handlers):
    def mine(*_: object) -> None:
        pass

    signal.signal(signal.SIGTERM, mine)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # nohup
    with ending_in_order():
        assert [signal.getsignal(number) for number in handlers] == [mine, signal.SIG_IGN]
    assert [signal.getsignal(number) for number in handlers] == [mine, signal.SIG_IGN]


def test_other_threads_have_no_signals(tmp_path):
    codes = []
    thread = threading.Thread(target=lambda: codes.append(main(["build", "--out", str(tmp_path), "--seed", "-1"])))
    thread.start()
    thread.join()
    assert codes == [2]
