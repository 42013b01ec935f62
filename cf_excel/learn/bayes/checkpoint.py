"""Keep where a fit stands after each iteration, whole or not at all, and go on from there."""

import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol
from zipfile import BadZipFile

import numpy as np

from cf_excel import __version__
from cf_excel.errors import CfExcelError, FileError, InputError
from cf_excel.files import make_folder, replacing
from cf_excel.learn.bayes.arrays import Array, Arrays
from cf_excel.learn.bayes.bayes_settings import BayesSettings
from cf_excel.learn.bayes.comm import Comm, Cut
from cf_excel.learn.bayes.features import FeatureBlock
from cf_excel.learn.bayes.sides import Side
from cf_excel.learn.progress import Epoch
from cf_excel.ratings.hashes import content_sums, id_hashes
from cf_excel.ratings.spill import rows_of
from cf_excel.ratings.table import Ratings

_INDEX = "checkpoint.json"  # names the iteration whose parts are whole
_WORDS = {
    "cf_excel": "another version of cf_excel",
    "data": "other ratings, or of these in another order",
    "held_back": "another split",
    "features": "other features",
}


class FitState(Protocol):
    """What the next iteration of a fit starts from: the rows and weights that it finds are not all that there are."""

    users: Side
    movies: Side
    alpha: Array
    usual_alpha: float
    arrays: Arrays


def identity_of(
    ratings: Ratings, val_rows: np.ndarray, settings: BayesSettings, blocks: Sequence[FeatureBlock], comm: Comm
) -> dict[str, Any]:
    """Return what a fit is of, ready for JSON: a checkpoint of anything else is none for it.

    Its rows are those of the table's users and movies, in order of appearance: so the order of the ratings counts.
    """
    numbers = [id_hashes(np.arange(n)) for n in (ratings.n_users, ratings.n_movies)]
    pairs = ratings.user_idx, ratings.movie_idx, ratings.rating
    sums = [content_sums(*numbers, *of) for of in (pairs, [rows_of(part, val_rows) for part in pairs])]
    data, held_back = (comm.total(part.view(np.int64)).view(np.uint64) for part in sums)
    of = {
        "cf_excel": __version__,
        "data": _digest(data, np.array([len(of) for of in numbers]), np.array(ratings.rating_range)),
        "held_back": _digest(held_back),
        "features": [_digest(m.matrix.data, m.matrix.indices, m.matrix.indptr, m.precision) for m in blocks],
    }
    return of | {name: value for name, value in asdict(settings).items() if name != "device"}


def _digest(*arrays: Any) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).view(np.uint8).data)
    return digest.hexdigest()


class Checkpoint:
    """A folder that all processes see, with the last iteration that is there whole: an index, and of each a part.

    of: what the fit is of, the same on all. Raises InputError for a folder with a checkpoint of something else, and
    FileError for one with other files and for one that can't be read or written.
    """

    def __init__(self, folder: Path, cut: Cut, of: dict[str, Any]) -> None:
        self.folder, self.cut, self.comm = folder, cut, cut.comm
        self.index: dict[str, Any] = {}
        error = None
        if self.comm.rank == 0:
            try:
                self._open(json.loads(json.dumps(of)))
            except CfExcelError as found:
                error = found
        error, self.index = self.comm.shared((error, self.index))
        if error:
            raise error

    def _open(self, of: dict[str, Any]) -> None:
        path = self.folder / _INDEX
        make_folder(self.folder)
        if not path.exists():
            if any(self.folder.iterdir()):
                raise FileError(f"{self.folder} has other files and no checkpoint: pass a folder that is new or empty")
            self.index = {"of": of, "workers": 0, "epochs": []}
            self._write_index()
            return
        try:
            self.index = json.loads(path.read_bytes())
            there = dict(self.index["of"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FileError(f"{path} can't be read: pass another folder for the checkpoint, or delete this") from error
        for name in of:
            if there.get(name) != of[name]:
                what = _WORDS.get(name, f"other settings ({name} {there.get(name)}, and here {of[name]})")
                raise InputError(
                    f"the checkpoint in {self.folder} is of {what}: pass another folder, or delete this one"
                )

    def restore(self, fit: FitState) -> list[Epoch]:
        """Put the fit where the checkpoint stands; return the epochs until there, none where there is none yet.

        Raises FileError on each where one can't read what it needs.
        """
        epochs: list[Epoch] = []
        cause = None
        try:
            epochs = [Epoch(**epoch | {"metrics": tuple(epoch["metrics"])}) for epoch in self.index["epochs"]]
            if epochs:
                self._read_parts(fit, len(epochs))
        except (OSError, EOFError, ValueError, KeyError, TypeError, BadZipFile) as error:
            cause = error
        if self.comm.total(cause is not None):
            raise FileError(f"the checkpoint in {self.folder} can't be read: delete it, and start anew") from cause
        return epochs

    def _read_parts(self, fit: FitState, number: int) -> None:
        workers, dense = self.index["workers"], fit.arrays.dense
        ranks = [self.comm.rank] if workers == self.comm.size else range(workers)
        with ExitStack() as open_files:
            files = [open_files.enter_context(open(self._part(number, rank, workers), "rb")) for rank in ranks]
            parts = [np.load(file) for file in files]
            fit.alpha, fit.usual_alpha = dense(self._of_users(parts, "alpha")), float(parts[0]["usual_alpha"])
            means, covariances, users_weights = (
                self._of_movies(parts, name) for name in ("movies_mean", "movies_covariance", "users_weights")
            )
            fit.movies.mean, fit.movies.covariance = dense(means), dense(covariances)
            movies_weights = self._of_users(parts, "movies_weights")
            fit.users.weights = dense(np.concatenate([parts[0]["users_content"], users_weights]))
            fit.movies.weights = dense(np.concatenate([parts[0]["movies_content"], movies_weights]))

    def write(self, fit: FitState, epochs: Sequence[Epoch]) -> None:
        """Keep where the fit stands after these epochs, and drop what was kept before. Raises FileError on each."""
        former = len(self.index["epochs"])
        failed = False
        try:
            self._write_part(self._part(len(epochs), self.comm.rank, self.comm.size), fit)
        except OSError:
            failed = True
        if self.comm.total(failed):  # all have written from here on
            raise FileError(f"can't write the checkpoint in {self.folder}: is the disk full?")
        self.index |= {"workers": self.comm.size, "epochs": [asdict(epoch) for epoch in epochs]}
        if self.comm.rank == 0:
            self._write_index()
            with suppress(OSError):  # what is left there does no harm
                for part in self._part(former, 0, 1).parent.glob("part-*.npz"):
                    part.unlink()
                self._part(former, 0, 1).parent.rmdir()

    def _write_part(self, path: Path, fit: FitState) -> None:
        n_users, n_movies = fit.users.design.n_content, fit.movies.design.n_content
        state: dict[str, Any] = {
            "alpha": fit.alpha,
            "movies_mean": fit.movies.mean,
            "movies_covariance": fit.movies.covariance,
            "users_content": fit.users.weights[:n_users],
            "users_weights": fit.users.weights[n_users:],
            "movies_content": fit.movies.weights[:n_movies],
            "movies_weights": fit.movies.weights[n_movies:],
        }
        path.parent.mkdir(exist_ok=True)
        with open(path, "wb") as file:
            arrays: dict[str, Any] = {name: fit.arrays.to_numpy(x) for name, x in state.items()}
            np.savez(file, usual_alpha=fit.usual_alpha, **arrays)
            file.flush()
            os.fsync(file.fileno())

    def _write_index(self) -> None:
        with replacing(self.folder / _INDEX) as path:
            path.write_text(json.dumps(self.index), encoding="utf-8")

    def _part(self, number: int, rank: int, workers: int) -> Path:
        return self.folder / f"iteration-{number}" / f"part-{rank}-of-{workers}.npz"

    def _of_users(self, parts: Sequence[Any], name: str) -> np.ndarray:
        """Return this process's rows of what is as long as the users."""
        size = self.index["workers"]
        if size == self.comm.size:
            return np.asarray(parts[0][name])
        first = parts[0][name]
        own = np.empty((self.cut.shape[0], *first.shape[1:]), first.dtype)
        for rank, part in enumerate(parts):
            users = np.arange(rank, self.cut.n_users, size)
            mine = self.cut.is_mine(users)
            own[users[mine] // self.comm.size] = part[name][mine]
        return own

    def _of_movies(self, parts: Sequence[Any], name: str) -> np.ndarray:
        """Return this process's rows of what is as long as the movies."""
        if self.index["workers"] == self.comm.size:
            return np.asarray(parts[0][name])
        return np.asarray(self.cut.own(np.concatenate([part[name] for part in parts])[: self.cut.n_movies], "movie"))
