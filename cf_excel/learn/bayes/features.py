"""What is known of users and movies besides ratings, as sparse matrices with a prior for their weights."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array, hstack

from cf_excel.ratings.table import Ratings

FIRST_YEAR, LAST_YEAR, YEARS_IN_BUCKET = 1930, 2020, 5
Precision = tuple[float, float]
"""Of a normal prior with mean 0: of the numbers that make factors, and of those that make the bias."""
GENRES: Precision = (40.0, 40.0)
YEARS: Precision = (40.0, 1.0)
INTERCEPT: Precision = (0.01, 0.01)


class FeatureBlock(NamedTuple):
    """One kind of features: matrix (n_rows, n_features) float32, the precision of its weights, and its name."""

    name: str
    matrix: csr_array
    precision: Precision

    def scaled(self, times: Precision) -> "FeatureBlock":
        """Return the block with its precisions multiplied."""
        (of_factors, of_bias), (by_factors, by_bias) = self.precision, times
        return self._replace(precision=(of_factors * by_factors, of_bias * by_bias))


def movie_blocks(ratings: Ratings) -> list[FeatureBlock]:
    """Return the blocks of genres and years: those of which the ratings know any."""
    blocks = []
    if any(genres := ratings.genres.tolist()):
        lists = [item.split("|") if item else [] for item in genres]
        blocks.append(FeatureBlock("genres", from_lists(lists), GENRES))
    if ratings.years.any():
        blocks.append(FeatureBlock("years", _from_years(ratings.years), YEARS))
    return blocks


def from_lists(lists: Sequence[Sequence[str]]) -> csr_array:
    """Return a row of 1 / sqrt(length) at the column of every item of a list; columns in alphabetical order."""
    names = {name: column for column, name in enumerate(sorted({name for items in lists for name in items}))}
    unique = [sorted(set(items)) for items in lists]
    lengths = np.array([len(items) for items in unique], np.int64)
    columns = np.array([names[name] for items in unique for name in items], np.int32)
    values = np.repeat(1 / np.sqrt(np.maximum(lengths, 1)), lengths).astype(np.float32)
    return csr_array((values, columns, np.append(0, np.cumsum(lengths))), (len(lists), len(names)))


def _from_years(years: np.ndarray) -> csr_array:
    """Return a 1 in the column of a movie's bucket of five years; a row without one where the year is unknown."""
    known = np.flatnonzero(years)
    bucket = (np.clip(years[known].astype(np.int64), FIRST_YEAR, LAST_YEAR) - FIRST_YEAR) // YEARS_IN_BUCKET
    there, column = np.unique(bucket, return_inverse=True)
    return csr_array((np.ones(len(known), np.float32), (known, column)), (len(years), len(there)))


def stack(n_rows: int, blocks: Sequence[FeatureBlock]) -> tuple[csr_array, np.ndarray]:
    """Return an intercept and the blocks as one matrix (n_rows, n_features), and its precisions (n_features, 2)."""
    intercept = FeatureBlock("intercept", csr_array(np.ones((n_rows, 1), np.float32)), INTERCEPT)
    blocks = [intercept, *blocks]
    precisions = np.repeat([block.precision for block in blocks], [block.matrix.shape[1] for block in blocks], axis=0)
    return hstack([block.matrix for block in blocks], format="csr", dtype=np.float32), precisions
