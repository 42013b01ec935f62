"""The data of a fit: columns of categories, columns of numbers and what to predict, split in two."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from cf_excel.errors import InputError
from cf_excel.ratings.validation import row_numbers

if TYPE_CHECKING:
    import pandas as pd


_DO = "drop the others, or map them to 0, 1, 2 ..."


class Columns(NamedTuple):
    """Rows as tensors on one device: cats (n, n_cats) int64, conts (n, n_conts) float32, y (n,) float32."""

    cats: Tensor
    conts: Tensor
    y: Tensor


class ColumnarModelData:
    """Hold a table for training: its rows, which of them validate, and the batch size.

    cats (n, n_cats): whole numbers from 0. conts (n, n_conts): numbers. y (n,): what to predict.
    val_idxs: the numbers of the validation rows, or a mask of all rows; a number that comes twice counts once, and both
    parts keep the order of the table, as in fastai 0.7.
    Raises InputError for rows that don't exist, a negative category, a NaN, or when no row is left to train on.
    """

    def __init__(self, val_idxs: ArrayLike, cats: np.ndarray, conts: np.ndarray, y: np.ndarray, bs: int = 64):
        if bs < 1:
            raise InputError(f"batch size {bs}: expected 1 or more")
        self.bs = bs
        self.cats = np.ascontiguousarray(_categories(cats))
        self.conts = np.ascontiguousarray(conts, dtype=np.float32)
        self.y = np.ascontiguousarray(y, dtype=np.float32).reshape(-1)
        if not len(self.cats) == len(self.conts) == len(self.y):
            raise InputError(f"{len(self.cats):,} rows of columns, but {len(self.y):,} values to predict")
        self.is_val = np.zeros(len(self.y), bool)
        self.is_val[row_numbers(val_idxs, len(self.y))] = True
        self._check()

    @classmethod
    def from_data_frame(
        cls, path: str, val_idxs: ArrayLike, df: "pd.DataFrame", y: ArrayLike, cat_flds: list[str], bs: int
    ) -> "ColumnarModelData":
        """Take the columns cat_flds of a data frame as categories and its other columns as numbers.

        path is where fastai kept its files; nothing is written here. Raises InputError for a column that is not there.
        """
        missing = [name for name in cat_flds if name not in df.columns]
        if missing:
            raise InputError(f"the table has no column {missing[0]!r} (found: {', '.join(map(str, df.columns))})")
        try:
            conts = df.drop(columns=cat_flds).to_numpy(np.float32)
        except (TypeError, ValueError) as error:
            raise InputError(f"columns must be numbers: {error}; {_DO}") from None
        return cls(val_idxs, df[cat_flds].to_numpy(), conts, np.asarray(y), bs)

    def __repr__(self) -> str:
        n_val = int(self.is_val.sum())
        return f"<{type(self).__name__}: {len(self.y) - n_val:,} rows to train on, {n_val:,} to validate, bs {self.bs}>"

    @property
    def trn_y(self) -> np.ndarray:
        """What to predict in the training rows, (n_train,) float32."""
        return self.y[~self.is_val]

    @property
    def val_y(self) -> np.ndarray:
        """What to predict in the validation rows, (n_val,) float32, in the order of the table."""
        return self.y[self.is_val]

    @property
    def n_batches(self) -> int:
        """Batches in an epoch; the last one may be short."""
        return -(-int((~self.is_val).sum()) // self.bs)

    def training(self, device: torch.device) -> Columns:
        """Return the training rows on the device."""
        return self._columns(~self.is_val, device)

    def validation(self, device: torch.device) -> Columns:
        """Return the validation rows on the device; there may be none."""
        return self._columns(self.is_val, device)

    def _columns(self, rows: np.ndarray, device: torch.device) -> Columns:
        return Columns(*(torch.from_numpy(part[rows]).to(device) for part in (self.cats, self.conts, self.y)))

    def _check(self) -> None:
        if self.is_val.all():
            raise InputError(
                f"no row is left to train on: {int(self.is_val.sum()):,} of {len(self.y):,} rows are for validation"
            )
        if self.cats.size and self.cats.min() < 0:
            raise InputError(f"category {self.cats.min()}: expected row numbers from 0")
        for name, values in (("columns", self.conts), ("values to predict", self.y)):
            if not np.isfinite(values).all():
                raise InputError(f"the {name} have a NaN or an infinite number: drop these rows or fill them")


def _categories(cats: ArrayLike) -> np.ndarray:
    """Return whole numbers as int64; what is none would be cut off without a word."""
    given = np.asarray(cats)
    try:
        with np.errstate(invalid="ignore"):  # NaN becomes some number, which is not what was given
            whole = given.astype(np.int64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"columns of categories must be numbers: {error}; {_DO}") from None
    changed = given[whole != given]
    if len(changed):
        raise InputError(f"category {changed[0]!s:.40}: expected a row number from 0; {_DO}")
    return whole
