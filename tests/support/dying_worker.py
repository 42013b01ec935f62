"""A process of a shared fit that is killed in its third iteration; as a script, the command line with such a rank 1."""

import os
import signal
import sys
from pathlib import Path

from cf_excel.cli import main
from cf_excel.learn.bayes import factorization, processes

work, iterate = processes.work, factorization._Model.iterate


def die_in_the_third_iteration() -> None:
    n_done = 0

    def iterate_or_die(model: factorization._Model) -> float:
        nonlocal n_done
        n_done += 1
        if n_done == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return iterate(model)

    factorization._Model.iterate = iterate_or_die


def dying_work(rank: int, size: int, meeting: str) -> None:
    """Stand in for processes.work."""
    die_in_the_third_iteration()
    work(rank, size, meeting)


if __name__ == "__main__":
    if os.environ["TORCHELASTIC_RESTART_COUNT"] != "0":
        assert not Path(sys.argv[sys.argv.index("--out") + 1]).exists()
        assert any(Path(sys.argv[sys.argv.index("--checkpoint") + 1]).iterdir())
    elif os.environ["RANK"] == "1":
        die_in_the_third_iteration()
    sys.exit(main(sys.argv[1:]))
