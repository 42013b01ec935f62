"""The ratings that a sheet of the lesson is fitted to, and how far its numbers are off."""

from dataclasses import dataclass

import numpy as np

from cf_excel.model.parameters import Parameters
from cf_excel.sheets.find.found_sheet import CellLink


@dataclass(frozen=True, eq=False)
class SheetRatings:
    """The ratings of a sheet: user_idx, movie_idx and rating, (n,) each; link: what its predictions show, or None."""

    user_idx: np.ndarray
    movie_idx: np.ndarray
    rating: np.ndarray
    link: CellLink | None = None

    def __len__(self) -> int:
        return len(self.rating)

    def part(self, chosen: np.ndarray) -> "SheetRatings":
        """Return some of the ratings, by number or by mask."""
        return SheetRatings(self.user_idx[chosen], self.movie_idx[chosen], self.rating[chosen], self.link)

    def predicted(self, parameters: Parameters) -> np.ndarray:
        """Return what the sheet shows for each rating."""
        sums = parameters.predict(self.user_idx, self.movie_idx)
        return self.link.shown(sums) if self.link else sums

    def split(self, fraction: float, seed: int) -> tuple["SheetRatings", "SheetRatings"]:
        """Return the ratings to fit and those held out, a random fraction of them, at least one each."""
        n_held = min(len(self) - 1, max(1, round(fraction * len(self))))
        order = np.random.default_rng(seed).permutation(len(self))
        return self.part(np.sort(order[n_held:])), self.part(np.sort(order[:n_held]))


def rmse_of(parameters: Parameters, ratings: SheetRatings) -> float:
    """Return the RMSE of the predictions of the ratings, in rating units."""
    return float(np.sqrt(np.mean((ratings.rating - ratings.predicted(parameters)) ** 2)))
