"""Factors as tables, for pandas and for files that other programs read."""

from pathlib import Path

import pandas as pd

from cf_excel.errors import InputError
from cf_excel.model.factors import Factors

_FIRST = ["side", "id", "title"]  # columns of both sides


def factor_table(factors: Factors, of: str = "items") -> pd.DataFrame:
    """Return the factors of "items" or "users" as a DataFrame, a row each: title (where there are any), bias, factors.

    Its index are the raw ids, named after the noun, and the factors are factor_1, factor_2, ...
    Raises InputError for another `of`.
    """
    if of not in ("items", "users"):
        raise InputError(f"of {of!r}: expected items or users")
    of_users = of == "users"
    ids, noun = (factors.user_ids, factors.nouns.user) if of_users else (factors.movie_ids, factors.nouns.movie)
    learnt, bias = (
        (factors.user_factors, factors.user_bias) if of_users else (factors.movie_factors, factors.movie_bias)
    )
    table = pd.DataFrame(learnt, columns=[f"factor_{i + 1}" for i in range(learnt.shape[1])])
    table.insert(0, "bias", bias)
    if not of_users and factors.titles.any():
        table.insert(0, "title", factors.titles)
    return table.set_axis(pd.Index(ids, name=f"{noun}_id"))


def is_factor_table(path: Path) -> bool:
    """Say whether a .csv or .parquet file has the columns that both_sides writes; another table is somebody's own."""
    names = column_names(path)
    return names[:2] == _FIRST[:2] and {"bias", "factor_1"} <= {*names}


def column_names(path: Path) -> list[str]:
    """Return the names of the columns of a .csv or .parquet file; none where it is no such table."""
    try:
        if path.suffix.lower() == ".csv":
            return pd.read_csv(path, nrows=0, encoding="utf-8-sig").columns.tolist()
        from pyarrow.parquet import read_schema

        return read_schema(path).names
    except (ValueError, OSError, ImportError):  # what is no such table raises one of the first two
        return []


def both_sides(factors: Factors) -> pd.DataFrame:
    """Return the factors of users and items in one table: side ("user" or "item"), id, title, bias and factors.

    Ids are whole numbers where all are, else texts.
    """
    sides = [("user", factor_table(factors, "users")), ("item", factor_table(factors, "items"))]
    tables = [table.rename_axis("id").reset_index().assign(side=side) for side, table in sides]
    if any(table["id"].dtype == object for table in tables):
        tables = [table.assign(id=table["id"].map(str)) for table in tables]
    joined = pd.concat(tables, ignore_index=True)
    first = [name for name in _FIRST if name in joined]
    return joined[first + [name for name in joined if name not in first]]
