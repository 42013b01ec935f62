import os
import sys

import numpy as np
import pytest
from support import dying_worker
from support.planted import low_rank_ratings

from cf_excel.errors import InputError, WorkerError
from cf_excel.learn.bayes import processes
from cf_excel.learn.bayes.factorization import BayesFit, BayesSettings, fit_bayes
from cf_excel.learn.bayes.processes import started
from cf_excel.learn.bayes.together import Task, all_do, deal, fit_share
from cf_excel.ratings.table import Ratings

RATINGS, HELD_BACK = low_rank_ratings(11, 7), np.arange(9)
SETTINGS = BayesSettings(iterations=4, device="cpu")


def fitted(size: int, settings: BayesSettings = SETTINGS, ratings: Ratings = RATINGS) -> tuple[BayesFit, int]:
    with started(size) as comm:
        share = deal(comm, ratings, HELD_BACK)
        fit = all_do(comm, fit_share, share, Task(settings, "random"))
        return fit, comm.sent


def test_processes_learn_what_one_learns_and_send_what_the_formula_says() -> None:
    before = dict(os.environ)
    fit, sent = fitted(2)
    alone = fit_bayes(RATINGS, HELD_BACK, SETTINGS)
    assert fit.history.epochs[-1].val_loss == pytest.approx(alone.history.epochs[-1].val_loss, abs=1e-6)
    np.testing.assert_allclose(fit.users.mean, alone.users.mean, rtol=1e-3, atol=1e-4)
    assert (fit.workers, fit.history.engine) == (2, "torch.distributed, gloo")
    again, sent_more = fitted(2, BayesSettings(iterations=5, device="cpu"))
    assert sent_more - sent == 704 * 4 * 8 // 2  # the 7 movies are two blocks of 4
    assert again.history.epochs[3].val_loss == fit.history.epochs[3].val_loss
    assert dict(os.environ) == before


def test_what_is_wrong_with_the_ratings_is_said_as_of_one_process() -> None:
    twice = low_rank_ratings(11, 7)
    twice.movie_idx[:] = 0
    with pytest.raises(InputError, match="rates the same movie twice"):
        fitted(2, SETTINGS, twice)


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_process_that_is_killed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "work", dying_worker.dying_work)
    with pytest.raises(WorkerError, match=r"^worker 1 of 2 was killed \(signal 9\): the fit can't go on without it$"):
        fitted(2)


def test_a_process_that_never_gets_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "work", os.abort)  # takes no arguments
    with pytest.raises(WorkerError, match=r"worker 1 of 2 ended \(exit code 1\)"):
        fitted(2)
