import numpy as np
import pytest
from support.planted import low_rank_ratings
from support.thread_comm import ThreadComm, on_threads

from cf_excel.errors import InputError
from cf_excel.learn.bayes.comm import Alone
from cf_excel.learn.bayes.factorization import BayesFit, BayesSettings, fit_bayes
from cf_excel.learn.bayes.together import Share, Task, fit_share
from cf_excel.ratings.parts import dealt
from cf_excel.ratings.table import Ratings
from cf_excel.ratings.validation import validation_rows

SETTINGS = BayesSettings(n_factors=3, iterations=3, device="cpu")


def fitted(
    comm: ThreadComm, ratings: Ratings, held_back: np.ndarray, settings: BayesSettings = SETTINGS
) -> tuple[BayesFit, Share]:
    """Return the fit of a process, of the ratings that rank 0 deals, and its share of these."""
    part, rows = dealt(comm, *((ratings, held_back) if comm.rank == 0 else (None, None)))
    share = Share(part, rows, len(held_back))
    return fit_share(comm, share, Task(settings, "random")), share


@pytest.mark.parametrize("shape", [(40, 50), (4, 7), (11, 3)])
@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_processes_learn_what_one_learns(size: int, shape: tuple[int, int]) -> None:
    ratings = low_rank_ratings(*shape)
    held_back = validation_rows(ratings, "random", 1)
    alone = fit_bayes(ratings, held_back, SETTINGS)

    def together() -> list[tuple[BayesFit, Share]]:
        return on_threads(size, lambda comm: fitted(comm, ratings, held_back))

    fits, again = together(), together()
    (first, _), (twice, _) = fits[0], again[0]
    for mine, one, same in zip(*map(numbers, (first, alone, twice)), strict=True):
        np.testing.assert_allclose(mine, one, rtol=1e-3, atol=1e-4)
        assert mine.tobytes() == same.tobytes()
        assert size > 1 or mine.tobytes() == one.tobytes()
    assert first.history.epochs[-1].val_loss == pytest.approx(alone.history.epochs[-1].val_loss, abs=2e-5)
    for fit, share in fits:
        rows = share.part.row[share.val_rows]
        of_one = alone.val_predictions[np.searchsorted(alone.val_rows, rows)]
        np.testing.assert_allclose(fit.val_predictions, of_one, atol=2e-5)
        np.testing.assert_array_equal(fit.movies.mean, first.movies.mean)


def numbers(fit: BayesFit) -> list[np.ndarray]:
    return [fit.users.mean, fit.users.variance, fit.movies.mean, fit.movies.variance, fit.noise_variance]


def test_a_process_sends_as_many_bytes_a_sweep_as_the_formula_says() -> None:
    ratings, size = low_rank_ratings(30, 12), 3

    def sent(iterations: int) -> list[int]:
        def work(comm: ThreadComm) -> int:
            fitted(comm, ratings, np.arange(9), BayesSettings(iterations=iterations, device="cpu"))
            return comm.sent

        return on_threads(size, work)

    a_sweep = np.subtract(sent(3), sent(2))
    assert set(a_sweep) == {704 * 4 * 12 * (size - 1) // size}


def test_draws_are_for_one_process() -> None:
    class Two(Alone):
        size = 2

    with pytest.raises(InputError, match="5 draws on 2 processes: expected one process"):
        fit_bayes(low_rank_ratings(4, 7), np.array([0]), BayesSettings(draws=5, device="cpu"), comm=Two())
