"""rate --from: a file of one's own ratings, matched to the movies of a model."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cf_excel.cli.messages import note
from cf_excel.errors import InputError

if TYPE_CHECKING:
    from cf_excel.model.predictor import Predictor
    from cf_excel.ratings.exports import OwnRating

_N_LISTED = 5


def rated_in_file(path: Path, predictor: "Predictor") -> "tuple[list[tuple[int | str, str | float]], dict]":
    """Return id and rating of every movie of the model that a file rates, and what JSON says of the others.

    Notes on stderr how many were matched, and those that were not. Where two rows rate one movie, the later counts.
    Raises InputError where there are none, and as read_own_ratings does.
    """
    if predictor.kind.of_picks:
        raise InputError("--from is for models of ratings, and this one is of picks: name what was picked, MOVIE=COUNT")
    from cf_excel.model.title_match import SEVERAL
    from cf_excel.ratings.exports import read_own_ratings

    own = read_own_ratings(path, predictor.factors.rating_range)
    rows = _rows(own.ratings, predictor)
    nouns = predictor.factors.nouns
    ids = predictor.factors.movie_ids.tolist()
    rated: dict[int | str, str | float] = {
        ids[row]: rating.rating for row, rating in zip(rows, own.ratings, strict=True) if row >= 0
    }
    several = [rating.name for row, rating in zip(rows, own.ratings, strict=True) if row == SEVERAL]
    unknown = [rating.name for row, rating in zip(rows, own.ratings, strict=True) if row < 0 and row != SEVERAL]
    total = f"{len(own.ratings):,} rating{'s' if len(own.ratings) > 1 else ''}"
    whose = f"{own.layout} export" if own.layout else path.name
    if not rated:
        raise InputError(
            f"{whose}: none of its {total} is of {nouns.movies} in the model: {_listed(unknown + several)}"
        )
    rows_without = f"{own.n_unrated:,} row{'s' if own.n_unrated > 1 else ''} without one"
    unrated = f", {rows_without} left out" if own.n_unrated else ""
    matched = len(own.ratings) - len(unknown) - len(several)
    note(f"{whose}: {matched:,} of {total} matched to the model's {nouns.movies}{unrated}")
    if unknown:
        note(f"not in the model: {_listed(unknown)}")
    if several:
        note(f"several {nouns.movies} have the title, so it was left out: {_listed(several)}")
    return list(rated.items()), {"not_matched": unknown + several}


def _rows(ratings: "Sequence[OwnRating]", predictor: "Predictor") -> list[int]:
    """Return the model's row of each rating: by its id, else by its titles and year."""
    import numpy as np

    from cf_excel.model.title_match import TitleMatcher

    matcher = TitleMatcher(predictor.labels, predictor.factors.years)
    rows = []
    for rating in ratings:
        by_id = int(predictor.movie_rows(np.array(rating.movie_id, object))) if rating.movie_id else -1
        rows.append(by_id if by_id >= 0 else matcher.row(rating.titles or (rating.movie_id,), rating.year))
    return rows


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _N_LISTED:,} more" if len(names) > _N_LISTED else ""
    return f"{', '.join(names[:_N_LISTED])}{more}"
