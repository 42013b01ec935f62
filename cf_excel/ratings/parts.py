"""The part that one of several processes has of a table of ratings: those of its users, every size-th one."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

import numpy as np

from cf_excel.ratings.table import Ratings, data_hash

ROUND_ROWS = 1 << 20  # that all processes together hand over at a time


class Team(Protocol):
    """What the processes need of each other: one of size, of this rank."""

    rank: int
    size: int

    def gather(self, block: np.ndarray) -> np.ndarray:
        """Return the blocks (n, ...) of all processes, (size * n, ...), in the order of ranks."""

    def exchange(self, blocks: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Send a block (n, ) of any length to each process; return what each has sent to this one."""

    def shared(self, given: Any) -> Any:
        """Return what rank 0 was given."""


class RatingsPart(NamedTuple):
    """What one process has of a table of ratings.

    ratings: user_ids and movie_ids are those of the whole table, the same in every process, and so is declared_range,
    the lowest and the highest rating; user_idx, movie_idx, rating and timestamp are those of the users whose row % size
    is the rank, in the table's order. row (n,) int64: rising numbers, by which the parts of all processes fall into the
    table's order; none of a part that is the whole. n_ratings: of the whole table. data_hash: what data_hash says of
    it; "" of a part that is the whole.
    """

    ratings: Ratings
    row: np.ndarray
    n_ratings: int
    data_hash: str

    @classmethod
    def whole(cls, ratings: Ratings) -> "RatingsPart":
        """Return the part of a process that is alone."""
        return cls(ratings, np.empty(0, np.int64), len(ratings), "")


def dealt(team: Team, ratings: Ratings | None, val_rows: np.ndarray | None) -> tuple[RatingsPart, np.ndarray]:
    """Return this process's part of the ratings that rank 0 was given, and which of its rows are of val_rows there.

    All call it, the others with None.
    """
    told: Any = None
    columns: dict[str, np.ndarray] = {}
    if ratings is not None:
        is_held = np.zeros(len(ratings), bool)
        is_held[val_rows] = True
        numbers = np.arange(len(ratings))
        columns = ratings_columns(ratings) | {"is_held": is_held, "row": numbers}
        none = {name: values[:0] for name, values in columns.items()}
        without_rows: dict[str, Any] = {name: none[name] for name in ratings_columns(ratings)}
        rest = replace(ratings, **without_rows, declared_range=ratings.rating_range)
        told = rest, len(ratings), data_hash(ratings), none
    rest, n_ratings, digest, none = team.shared(told)
    own: dict[str, Any] = moved(team, columns or none)
    is_held = own.pop("is_held")
    row = own.pop("row")
    return RatingsPart(replace(rest, **own), row, n_ratings, digest), np.flatnonzero(is_held)


def ratings_columns(ratings: Ratings) -> dict[str, np.ndarray]:
    """Return the arrays of ratings that have a number for each, (n,)."""
    names = ("user_idx", "movie_idx", "rating", "timestamp")
    return {name: values for name in names if (values := getattr(ratings, name)) is not None}


def moved(team: Team, columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the rows of this process's users, of those that all processes have, in the order of the column "row".

    They go to the process of their user in rounds of ROUND_ROWS, so that little else is in memory beside them.
    """
    if team.size == 1:
        return columns
    pieces: dict[str, list[np.ndarray]] = {name: [values[:0]] for name, values in columns.items()}
    step = max(1, ROUND_ROWS // team.size)
    for start in range(0, most(team, len(columns["row"])), step):
        rows = slice(start, start + step)
        owner = columns["user_idx"][rows] % team.size
        ours = [np.flatnonzero(owner == rank) for rank in range(team.size)]
        for name, values in columns.items():
            pieces[name] += team.exchange([values[rows][mine] for mine in ours])
    order = np.argsort(np.concatenate(pieces["row"]))
    return {name: np.concatenate(pieces.pop(name))[order] for name in list(pieces)}


def everyones(team: Team, block: np.ndarray) -> list[np.ndarray]:
    """Return the arrays (n, ) of all processes, each of its own length."""
    counts = team.gather(np.array([len(block)], np.int64))
    longest = int(counts.max())
    if not longest:
        return [block] * team.size
    blocks = team.gather(np.pad(block, (0, longest - len(block)))).reshape(team.size, longest)
    return [one[:n] for one, n in zip(blocks, counts.tolist(), strict=True)]


def summed(team: Team, n: int) -> int:
    """Return the sum of a number over all processes."""
    return int(team.gather(np.array([n], np.int64)).sum())


def most(team: Team, n: int) -> int:
    """Return the largest of a number of each process."""
    return int(team.gather(np.array([n], np.int64)).max())
