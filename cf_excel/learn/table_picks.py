"""Fit a table of picks of any size, and say how good its lists are on picks that were held out."""

from dataclasses import dataclass

import numpy as np

from cf_excel.learn.bayes.tuning import LEAST_RATINGS
from cf_excel.learn.pick_fit import fit_picks
from cf_excel.learn.table_fit import TableFit, fit_table
from cf_excel.model.factors import Factors
from cf_excel.model.picks import ListQuality
from cf_excel.ratings.table import Ratings

_PART_HELD_OUT = 5
_SURE = 2.0  # standard errors


@dataclass(frozen=True, eq=False)
class PicksTableFit:
    """A model of kind picks that was learnt from all picks of a table, and how good such lists are on picks held out.

    quality, popular: of lists of 10, by the model and by what is picked most, for everybody; None where nothing can be
    held out. sureness: by how many standard errors the first's NDCG is above the other's. nouns: what the table calls a
    user and an item. is_full: everybody picked everything.
    """

    factors: Factors
    n_ratings: int
    n_held_out: int
    quality: ListQuality | None
    popular: ListQuality | None
    sureness: float
    nouns: tuple[str, str]
    is_full: bool

    @property
    def is_better(self) -> bool:
        """Whether the model's lists beat those of what is picked most on the picks held out."""
        return self.quality is not None and self.popular is not None and self.quality.ndcg > self.popular.ndcg

    @property
    def verdict(self) -> str:
        """What that means, in one sentence."""
        user, item = self.nouns
        if self.is_full:
            return f"nothing can be learnt: every {user} picked every {item}"
        if self.quality is None or self.popular is None:
            return f"too little to learn from: expected {LEAST_RATINGS} picks, of more than one {user} and {item}"
        own, other = (
            f"NDCG {found.ndcg:.2f}, a hit for {found.hit_rate:.0%}" for found in (self.quality, self.popular)
        )
        if self.is_better:
            chance = "" if self.sureness > _SURE else "; that may be chance"
            return f"lists of 10 on picks held out: {own}, better than what is picked most ({other}){chance}"
        return f"no pattern was found: lists of 10 on picks held out have {own}, what is picked most {other}"


def fit_own_table(ratings: Ratings) -> TableFit | PicksTableFit:
    """Learn from a table of ratings as fit_table does, or from one of picks; the same table, the same fit.

    A fifth of the picks is held out; what is chosen without them is then fitted to all. Raises InputError as both do.
    """
    if not ratings.implicit:
        return fit_table(ratings)
    n = len(ratings)
    is_full = n == ratings.n_users * ratings.n_movies
    can_tell = not is_full and n >= LEAST_RATINGS and min(ratings.n_users, ratings.n_movies) > 1
    held_out = np.random.default_rng(0).permutation(n)[: n // _PART_HELD_OUT if can_tell else 0]
    fit = fit_picks(ratings, np.sort(held_out), of_all=True)
    return PicksTableFit(fit.factors, n, len(held_out), fit.quality, fit.popular, fit.sureness, ratings.nouns, is_full)
