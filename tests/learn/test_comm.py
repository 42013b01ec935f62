import numpy as np
import pytest
from support.planted import low_rank_ratings
from support.thread_comm import ThreadComm, on_threads

from cf_excel.errors import InputError
from cf_excel.learn.bayes.comm import Alone
from cf_excel.learn.bayes.factorization import BayesFit, BayesSettings, fit_bayes
from cf_excel.ratings.table import validation_rows

SETTINGS = BayesSettings(n_factors=3, iterations=3, device="cpu")


def numbers(fit: BayesFit) -> list[np.ndarray]:
    rows = [fit.users.mean, fit.users.variance, fit.movies.mean, fit.movies.variance]
    return [*rows, fit.noise_variance, fit.val_predictions]


@pytest.mark.parametrize("shape", [(40, 50), (4, 7), (11, 3)])
@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_processes_learn_what_one_learns(size: int, shape: tuple[int, int]) -> None:
    ratings = low_rank_ratings(*shape)
    held_back = validation_rows(ratings, "random", 1)
    alone = fit_bayes(ratings, held_back, SETTINGS)

    def together() -> list[BayesFit]:
        return on_threads(size, lambda comm: fit_bayes(ratings, held_back, SETTINGS, comm=comm))

    fits, again = together(), together()
    for fit in fits:
        np.testing.assert_allclose(fit.val_predictions, alone.val_predictions, atol=2e-5)
        for mine, one, twice in zip(numbers(fit), numbers(alone), numbers(again[0]), strict=True):
            np.testing.assert_allclose(mine, one, rtol=1e-3, atol=1e-4)
            assert mine.tobytes() == twice.tobytes()
            assert size > 1 or mine.tobytes() == one.tobytes()


def test_a_process_sends_as_many_bytes_a_sweep_as_the_formula_says() -> None:
    ratings, size = low_rank_ratings(30, 12), 3

    def sent(iterations: int) -> list[int]:
        def work(comm: ThreadComm) -> int:
            fit_bayes(ratings, np.arange(9), BayesSettings(iterations=iterations, device="cpu"), comm=comm)
            return comm.sent

        return on_threads(size, work)

    a_sweep = np.subtract(sent(3), sent(2))
    assert set(a_sweep) == {704 * 4 * 12 * (size - 1) // size}


def test_draws_are_for_one_process() -> None:
    class Two(Alone):
        size = 2

    with pytest.raises(InputError, match="5 draws on 2 processes: expected one process"):
        fit_bayes(low_rank_ratings(4, 7), np.array([0]), BayesSettings(draws=5, device="cpu"), comm=Two())
