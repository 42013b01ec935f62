"""What is special about a model of picks, learnt from a table without ratings: orders, plays, clicks, likes."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from cf_excel.errors import InputError
from cf_excel.model.factors import Factors
from cf_excel.model.kinds import KINDS
from cf_excel.model.lookup import shown


class ListQuality(NamedTuple):
    """How good lists of ten are: NDCG, and the share of users with one or more hits, each 0 to 1."""

    ndcg: float
    hit_rate: float


@dataclass(frozen=True)
class PickWeights:
    """What counts weigh: count / (count + half), in units of the weight of the usual count; half 0: all the same."""

    half: float
    usual: float

    def of(self, counts: np.ndarray) -> np.ndarray:
        """Return the weights of counts, in their shape."""
        return counts / (counts + self.half) * (self.usual + self.half) / self.usual

    @property
    def layers(self) -> dict[str, np.ndarray]:
        """Return them as layers of Factors."""
        return {"half_count": np.array([self.half], np.float32), "usual_count": np.array([self.usual], np.float32)}


def weights_of(layers: dict[str, np.ndarray]) -> PickWeights:
    """Return the weights that Factors' layers hold."""
    return PickWeights(float(layers["half_count"][0]), float(layers["usual_count"][0]))


def picked(layers: dict[str, np.ndarray], movie_rows: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the factors (n_factors,), float32, of a user who picked these movies, each so often."""
    weights = weights_of(layers).of(counts)
    return (weights @ layers["given"][movie_rows].astype(np.float64)).astype(np.float32)


def refuse_picks(factors: Factors, why: str) -> None:
    """Raise InputError for a model of picks, with what can't be done with it and what can."""
    if KINDS[factors.kind].of_picks:
        raise InputError(
            f"the model was trained on picks, not on ratings, {why}: predict, recommend, similar, rate and the CF_ "
            "functions work with it"
        )


def checked_count(value: Any) -> float:
    """Return a count that somebody gave. Raises InputError for what is no number above 0."""
    try:
        count = np.nan if isinstance(value, (bool, np.bool_)) else float(value)
    except (TypeError, ValueError, OverflowError):
        count = np.nan
    if not 0 < count <= 1e6:
        raise InputError(f"count {shown(value)}: expected a number above 0, up to a million")
    return count
