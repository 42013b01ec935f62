"""How to fit the model bayes."""

from dataclasses import dataclass

from cf_excel.errors import InputError
from cf_excel.learn.bayes.arrays import arrays_on
from cf_excel.learn.bayes.precisions import Precisions
from cf_excel.model.kinds import KINDS

MAX_FACTORS = 256
MAX_ITERATIONS = 1000


@dataclass(frozen=True)
class BayesSettings:
    """How to fit: the number of factors and of iterations, the seed, the device, and the precisions.

    noise_prior: as how many ratings the common noise counts against a user's own. cg_steps: conjugate-gradient steps
    for the weights in an iteration. use_content: take genres, years and tables, not only ratings. precisions: None
    takes WITH_CONTENT where movies have content, else RATINGS_ALONE. most_alpha: what the precision of a rating, which
    grows as the error falls, may grow to, in 1 / squared rating units. draws: after the iterations, average so many
    draws from the posterior (see sampling.py), 0 for none. device: "cpu", or without draws "cuda" or "auto", see
    arrays_on.
    Raises InputError for values that can't work.
    """

    n_factors: int = KINDS["bayes"].n_factors
    iterations: int = 8
    seed: int = 0
    device: str = "auto"
    noise_prior: float = 60.0
    cg_steps: int = 3
    use_content: bool = True
    precisions: Precisions | None = None
    most_alpha: float | None = None
    draws: int = 0
    kind: str = "bayes"

    def __post_init__(self) -> None:
        for name, value, most in (
            ("factors", self.n_factors, MAX_FACTORS),
            ("epochs", self.iterations, MAX_ITERATIONS),
            ("conjugate-gradient steps", self.cg_steps, MAX_ITERATIONS),
        ):
            if not 1 <= value <= most:
                raise InputError(f"{name} {value}: expected 1 to {most:,}")
        if not 0 <= self.seed < 2**63:
            raise InputError(f"seed {self.seed}: expected a whole number from 0 to {2**63 - 1}")
        if self.draws and self.device == "cuda":
            raise InputError("draws on cuda: expected device cpu")
        arrays_on(self.device)  # refuses a device that is not there before anything is read
