"""The kinds of models: how each makes a rating of a sum, in numbers and in formulas, and what else sets it apart.

A sum x is p.q + bu + bm of a user's and a movie's factors and biases, plus the model's mean rating; that of "net" comes
out of its second layer. Formulas are written for x, a cell, a name or a term in brackets, and for the range's ends.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # loaded with the first number, because the command line lists the kinds
    import numpy as np


@dataclass(frozen=True)
class Link:
    """How a rating grows with its sum, between low and high; arrays keep their shape and precision."""

    ratings: "Callable[[np.ndarray, float, float], np.ndarray]"
    slope: "Callable[[np.ndarray, float, float], np.ndarray]"
    formula: Callable[[str, str, str], str]
    slope_formula: Callable[[str, str, str], str]


def _ones(x: "np.ndarray", low: float, high: float) -> "np.ndarray":
    import numpy as np

    return np.ones_like(x)


def _squeezed(x: "np.ndarray", low: float, high: float) -> "np.ndarray":
    import numpy as np

    return (low + high) / 2 + (high - low) / 2 * np.tanh(x / 2)  # tanh can't overflow, exp can


def _squeezed_slope(x: "np.ndarray", low: float, high: float) -> "np.ndarray":
    import numpy as np

    return (high - low) * (1 - np.tanh(x / 2) ** 2) / 4


def _softsign(x: "np.ndarray", low: float, high: float) -> "np.ndarray":
    import numpy as np

    return low + (high - low) * (x / (1 + np.abs(x)))


def _softsign_slope(x: "np.ndarray", low: float, high: float) -> "np.ndarray":
    import numpy as np

    root = 1 / (1 + np.abs(x))  # squared last, because the square of a large sum overflows
    return (high - low) * root * root


LINE = Link(lambda x, low, high: x, _ones, lambda x, low, high: x, lambda x, low, high: f"1+0*{x}")
SIGMOID = Link(
    _squeezed,
    _squeezed_slope,
    lambda x, low, high: f"{low}+({high}-{low})*(1+TANH({x}/2))/2",
    lambda x, low, high: f"({high}-{low})*(1-TANH({x}/2)^2)/4",
)
SOFTSIGN = Link(
    _softsign,
    _softsign_slope,
    lambda x, low, high: f"{low}+({high}-{low})*{x}/(1+ABS({x}))",
    lambda x, low, high: f"({high}-{low})/(1+ABS({x}))/(1+ABS({x}))",
)


@dataclass(frozen=True)
class Kind:
    """What is true of every model of a kind.

    words: what a prediction is made of. with_bias: users and movies have biases, which are zeros otherwise.
    is_cut: the mean rating is added, and predictions are cut off at the range. is_net: the factors meet in a neural
    net, which no cell's formula holds, and its sigmoid reaches half a rating beyond both ends of the range.
    layers: the names of Factors' layers and the axes of each: users, movies, factors, numbers (the factors and the
    bias), pair (the factors of a user and a movie), hidden, one. knows_spread: the layers are variances, never below 0,
    and tell how far a prediction may be off. sheet_forms: the forms of the lesson's sheets whose formulas can use the
    numbers. of_lesson: one of the lesson's, trained with torch. of_picks: of a table without ratings, and predictions
    are scores from 0 to 1. n_factors: how many there are unless told otherwise.
    """

    link: Link
    words: str
    with_bias: bool = True
    is_cut: bool = False
    is_net: bool = False
    layers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    knows_spread: bool = False
    sheet_forms: tuple[str, ...] = ()
    of_lesson: bool = True
    of_picks: bool = False
    n_factors: int = 50

    @property
    def score(self) -> str:
        """Return what a prediction is called."""
        return "score" if self.of_picks else "prediction"

    @property
    def rows(self) -> str:
        """Return what the rows of its table are called."""
        return "picks" if self.of_picks else "ratings"

    @property
    def did(self) -> str:
        """Return what users did with what they have already."""
        return "picked" if self.of_picks else "rated"

    def ratings(self, x: "np.ndarray", low: float, high: float) -> "np.ndarray":
        """Return the predictions for sums, in rating units, an array of the shape and precision of x."""
        import numpy as np

        found = self.uncut(x, low, high)
        return np.clip(found, float(low), float(high)) if self.is_cut else found

    def uncut(self, x: "np.ndarray", low: float, high: float) -> "np.ndarray":
        """Return the predictions that are cut off nowhere: a new user is fitted to these."""
        return self.link.ratings(x, *self._ends(low, high))

    def slope(self, x: "np.ndarray", low: float, high: float) -> "np.ndarray":
        """Return how fast the uncut predictions grow with their sums."""
        return self.link.slope(x, *self._ends(low, high))

    def formula(self, x: str, low: str, high: str) -> str:
        """Return the formula of one prediction or many."""
        found = self.link.formula(x, low, high)
        return f"IF({found}<{low},{low},IF({found}>{high},{high},{found}))" if self.is_cut else found

    def formula_of_term(self, x: str, low: str, high: str) -> str:
        """Return the formula of one prediction whose sum x is a long term, without brackets: it comes but once."""
        found = x if self.link is LINE else self.link.formula(f"({x})", low, high)
        return f"MAX({low},MIN({high},{found}))" if self.is_cut else found

    def _ends(self, low: float, high: float) -> tuple[float, float]:
        margin = 0.5 if self.is_net else 0.0
        return float(low) - margin, float(high) + margin


KINDS = {
    "bayes": Kind(
        LINE,
        "the mean rating, factors and biases, cut off at the range",
        is_cut=True,
        layers={
            "alpha": ("one",),
            "noise_variance": ("users",),
            "user_variance": ("users", "numbers"),
            "movie_variance": ("movies", "numbers"),
        },
        knows_spread=True,
        sheet_forms=("bias",),
        of_lesson=False,
        n_factors=15,
    ),
    "dot": Kind(LINE, "the user's factors times the movie's", with_bias=False, sheet_forms=("dot", "rows")),
    "dot-bias": Kind(SIGMOID, "factors and biases, squeezed into the range by the sigmoid"),
    "net": Kind(
        SIGMOID,
        "a neural net",
        with_bias=False,
        is_net=True,
        layers={"w1": ("hidden", "pair"), "b1": ("hidden",), "w2": ("one", "hidden"), "b2": ("one",)},
    ),
    "collab": Kind(SIGMOID, "factors and biases, squeezed into the range by the sigmoid"),
    "picks": Kind(
        SOFTSIGN,
        "how likely the user is to pick it, x / (1 + x), from 0 to 1",
        is_cut=True,
        layers={"given": ("movies", "factors"), "half_count": ("one",), "usual_count": ("one",)},
        of_lesson=False,
        of_picks=True,
        n_factors=48,
    ),
}

LISTS = {
    "score": "how likely the user is to pick a movie, times how far its predicted rating is above the low end",
    "watch": "how likely the user is to pick it",
    "rating": "the predicted rating",
}
"""What lists of recommendations can rank by."""
DEFAULT_LISTS = "score"
