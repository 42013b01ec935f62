"""A model for notebooks: tables in, tables out, around train() and Predictor."""

from __future__ import annotations  # so that help() says ArrayLike, and not what that is

from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cf_excel.errors import InputError
from cf_excel.metrics import mae, mse, rmse
from cf_excel.model.everyone import Lists, columns_of
from cf_excel.model.factor_tables import factor_table
from cf_excel.model.factors import AnyModel
from cf_excel.model.file import load_factors, save_factors
from cf_excel.model.lookup import listed
from cf_excel.model.predictor import Predictor, ScoredMovie
from cf_excel.ratings.own_split import Chooser, chosen_rows, ratings_frame
from cf_excel.ratings.readers import frame_pairs
from cf_excel.ratings.table import Ratings


class FittedModel:
    """A trained model whose answers are DataFrames; its factors and its predictor are there for the rest."""

    def __init__(self, factors: AnyModel) -> None:
        self.predictor = Predictor(factors)
        self.factors = self.predictor.factors

    def predict(
        self, pairs: object, *, user: str | None = None, item: str | None = None, unknown: str = "raise"
    ) -> pd.Series:
        """Return the predicted rating of each row of a table of users and items, or Ratings, with the table's index.

        user, item: names of its columns; usual ones are found without. unknown and errors as in Predictor.predict.
        """
        if isinstance(pairs, Ratings):
            pairs = ratings_frame(pairs)
        named = {"user": user, "movie": item}
        frame, users, items = frame_pairs(pairs, {kind: name for kind, name in named.items() if name is not None})
        who, what = (frame[name].to_numpy(dtype=object) for name in (users, items))
        values = self.predictor.predict(who, what, unknown=unknown)
        return pd.Series(values, index=frame.index, name=self.predictor.kind.score)

    def recommend(self, users: object = None, n: int = 10, *, exclude_seen: bool = True) -> pd.DataFrame:
        """Return the n items to recommend first to a user, to several, or (None) to all: user_id, rank, movie_id ...

        The columns and the order are those of Predictor.recommend_all. Raises UnknownIdError.
        """
        if users is None:
            return pd.DataFrame(self.predictor.recommend_all(n, exclude_seen))
        rows = [self.predictor.user_row(user) for user in listed(users)]
        ids = {row: self.factors.user_ids[row] for row in rows}  # in a column of a table they come again and again
        lists = {row: self.predictor.recommend(user, n, exclude_seen) for row, user in ids.items()}
        return self._table([(row, lists[row]) for row in rows], "user", self.predictor.kind.score)

    def similar(self, items: object = None, n: int = 10) -> pd.DataFrame:
        """Return the n items most like an item (by id or title), each of several, or (None) all: movie_id, rank ...

        The columns are those of Predictor.similar_all. Raises UnknownIdError.
        """
        if items is None:
            return pd.DataFrame(self.predictor.similar_all(n))
        lists = [(self.predictor.movie_row(item), self.predictor.similar(item, n)) for item in listed(items)]
        return self._table(lists, "movie", "similarity")

    def fold_in(self, items: ArrayLike, ratings: ArrayLike, n: int = 10) -> pd.DataFrame:
        """Return n recommendations for somebody who is not in the data; errors as in Predictor.fold_in."""
        found = self.predictor.fold_in(items, ratings, n)
        return self._table([(0, found)], "user", self.predictor.kind.score).drop(columns="user_id")

    def evaluate(
        self,
        ratings: object,
        *,
        user: str | None = None,
        item: str | None = None,
        rating: str | None = None,
        split: Chooser | None = None,
    ) -> pd.Series:
        """Return n, mse, rmse and mae on ratings that the model was not trained on: a table or Ratings.

        split: a function that says which of them, as in fit. A user or item that the model does not know counts as the
        mean one. Raises InputError for a model of picks, which predicts no ratings, and where a split chooses none or
        says anything but True or False of each.
        """
        if self.predictor.kind.of_picks:
            raise InputError("a model of picks predicts no ratings: expected one that was trained on ratings")
        if not isinstance(ratings, Ratings):
            ratings = Ratings.from_frame(ratings, user=user, item=item, rating=rating)
        rows = np.arange(len(ratings)) if split is None else chosen_rows(ratings, split)
        if not len(rows):
            raise InputError(f"split chooses none of the {len(ratings):,} ratings")
        who, what = ratings.user_ids[ratings.user_idx[rows]], ratings.movie_ids[ratings.movie_idx[rows]]
        found = np.asarray(self.predictor.predict(who, what, unknown="bias"))
        errors = {measure.__name__: measure(found, ratings.rating[rows]) for measure in (mse, rmse, mae)}
        return pd.Series({"n": len(rows)} | errors, name=self.factors.kind)

    def to_frame(self, of: str = "items") -> pd.DataFrame:
        """Return the factors of "items" or "users" as factor_table does."""
        return factor_table(self.factors, of)

    def save(self, path: Path | str) -> None:
        """Write the model to a file that cf_excel.load and the command line read."""
        save_factors(self.factors, path)

    def __repr__(self) -> str:
        return f"<FittedModel: {self.factors.summary}>"

    def _repr_html_(self) -> str:
        return f"<b>FittedModel</b>: {escape(self.factors.summary)}{self.to_frame().head().to_html()}"

    def _table(self, lists: Sequence[tuple[int, list[ScoredMovie]]], of: str, score: str) -> pd.DataFrame:
        """Return lists of the users or movies in these rows, with the columns of the lists of all."""
        counts = [len(movies) for _, movies in lists]
        found = [movie for _, movies in lists for movie in movies]
        columns = Lists(
            owners=np.repeat([row for row, _ in lists], counts).astype(np.int64),
            ranks=np.array([rank for n in counts for rank in range(1, n + 1)], np.int32),
            movies=self.predictor.movie_rows(np.array([movie.movie_id for movie in found], object)),
            scores=np.array([movie.score for movie in found], np.float32),
        )
        return pd.DataFrame(columns_of(self.factors, columns, of, score))


def fit_model(
    table: object,
    kind: str = "bayes",
    *,
    user: str | None = None,
    item: str | None = None,
    rating: str | None = None,
    timestamp: str | None = None,
    rating_range: tuple[float, float] | None = None,
    nouns: tuple[str, str] | None = None,
    split: str | Chooser = "none",
    seed: int = 0,
    **settings: object,
) -> FittedModel:
    """Train a model on a DataFrame or on Ratings and return it, as cf_excel.fit.

    user to nouns: of a DataFrame, as in Ratings.from_frame. The rest is as in train, and so are the errors.
    """
    from cf_excel.learn.train import train

    if not isinstance(table, Ratings):
        table = Ratings.from_frame(
            table,
            user=user,
            item=item,
            rating=rating,
            timestamp=timestamp,
            rating_range=rating_range,
            nouns=nouns,
            implicit=kind == "picks",
        )
    return FittedModel(train(table, kind, split=split, seed=seed, **settings))  # type: ignore[arg-type]


def load_model(path: Path | str | None = None) -> FittedModel:
    """Read a model that save, save_factors or the command line wrote, as cf_excel.load; errors as in load_factors."""
    return FittedModel(load_factors(path))
