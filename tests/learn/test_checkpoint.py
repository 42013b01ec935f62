import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.planted import low_rank_ratings
from support.thread_comm import ThreadComm, dealt_to, on_threads

from cf_excel.errors import FileError, InputError
from cf_excel.learn.bayes import checkpoint
from cf_excel.learn.bayes.factorization import BayesFit, BayesSettings, fit_bayes
from cf_excel.learn.progress import Epoch, Progress

RATINGS, HELD_BACK = replace(low_rank_ratings(11, 7), genres=np.array(list("ababbca"), object)), np.arange(9)
SETTINGS = BayesSettings(n_factors=3, iterations=4, device="cpu")


class Killed(Progress):
    """End the process, as it were, in the third iteration."""

    def epoch(self, epoch: Epoch) -> None:
        if epoch.number == 3:
            raise ConnectionError


def fitted(size: int, folder: Path | None = None, progress: Progress | None = None) -> BayesFit:
    def work(comm: ThreadComm) -> BayesFit:
        own = dealt_to(comm, RATINGS, HELD_BACK)
        return fit_bayes(*own, SETTINGS, comm=comm, checkpoint=folder, progress=progress)

    return on_threads(size, work)[0]


def begun(size: int, folder: Path) -> Path:
    with pytest.raises(ConnectionError):
        fitted(size, folder, Killed())
    return folder


def numbers(fit: BayesFit) -> list[np.ndarray]:
    return [fit.users.mean, fit.users.variance, fit.movies.mean, fit.movies.variance, fit.noise_variance]


@pytest.mark.parametrize("size", [1, 3])
def test_a_fit_that_was_killed_ends_as_if_it_had_not_been(size: int, tmp_path: Path) -> None:
    folder = begun(size, tmp_path / "kept")
    assert sorted(path.name for path in folder.rglob("*")) == [
        "checkpoint.json",
        "iteration-2",
        *(f"part-{rank}-of-{size}.npz" for rank in range(size)),
    ]
    undisturbed, resumed = fitted(size), fitted(size, folder)
    for one, other in zip(numbers(undisturbed), numbers(resumed), strict=True):
        assert one.tobytes() == other.tobytes()
    losses = [[(epoch.number, epoch.val_loss) for epoch in fit.history.epochs] for fit in (undisturbed, resumed)]
    assert losses[0] == losses[1]
    twice = fitted(size, folder)  # done as it is, it has but the last iteration to do
    assert twice.users.mean.tobytes() == resumed.users.mean.tobytes()


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 5), (3, 1), (5, 3)])
def test_another_number_of_processes_goes_on(before: int, after: int, tmp_path: Path) -> None:
    resumed = fitted(after, begun(before, tmp_path))
    for mine, one in zip(numbers(resumed), numbers(fitted(1)), strict=True):
        np.testing.assert_allclose(mine, one, rtol=1e-3, atol=1e-4)


def test_a_checkpoint_of_anything_else_is_refused(tmp_path: Path) -> None:
    folder = begun(1, tmp_path / "kept")
    others = {
        "other ratings, or of these in another order": (
            replace(RATINGS, rating=RATINGS.rating[::-1].copy()),
            HELD_BACK,
            SETTINGS,
        ),
        "another split": (RATINGS, HELD_BACK[1:], SETTINGS),
        "other features": (replace(RATINGS, genres=RATINGS.genres[::-1].copy()), HELD_BACK, SETTINGS),
        r"other settings \(n_factors 3, and here 4\)": (RATINGS, HELD_BACK, replace(SETTINGS, n_factors=4)),
    }
    before = (folder / "checkpoint.json").read_bytes()
    for what, of in others.items():
        with pytest.raises(InputError, match=f"is of {what}: pass another folder, or delete this one"):
            fit_bayes(*of, checkpoint=folder)

        def work(comm: ThreadComm, of: tuple = of) -> None:
            fit_bayes(*dealt_to(comm, *of[:2]), of[2], comm=comm, checkpoint=folder)

        with pytest.raises(InputError, match=what):
            on_threads(2, work)
    assert (folder / "checkpoint.json").read_bytes() == before


@pytest.mark.parametrize("held_back", [HELD_BACK, HELD_BACK[:0]])
def test_the_same_ratings_in_another_order_are_other_ratings(held_back: np.ndarray, tmp_path: Path) -> None:
    turned = replace(RATINGS, user_ids=RATINGS.user_ids[::-1], user_idx=RATINGS.n_users - 1 - RATINGS.user_idx)
    fit_bayes(RATINGS, held_back, SETTINGS, checkpoint=tmp_path)
    with pytest.raises(InputError, match="is of other ratings, or of these in another order"):
        fit_bayes(turned, held_back, SETTINGS, checkpoint=tmp_path)


def test_a_part_that_one_process_can_not_read_is_the_fault_of_all(tmp_path: Path) -> None:
    begun(2, tmp_path)
    (tmp_path / "iteration-2" / "part-1-of-2.npz").write_bytes(b"PK")
    found = []

    def work(comm: ThreadComm) -> None:
        try:
            fit_bayes(*dealt_to(comm, RATINGS, HELD_BACK), SETTINGS, comm=comm, checkpoint=tmp_path)
        except FileError as error:
            found.append(str(error))

    on_threads(2, work)
    assert found == [f"the checkpoint in {tmp_path} can't be read: delete it, and start anew"] * 2


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(FileError, match="has other files and no checkpoint: pass a folder that is new or empty"):
        fitted(1, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize("name", ["checkpoint.json", "iteration-2/part-0-of-1.npz"])
@pytest.mark.parametrize("text", [b"", b"PK\x03\x04", b"[]"])
def test_a_damaged_checkpoint_is_refused(name: str, text: bytes, tmp_path: Path) -> None:
    folder = begun(1, tmp_path)
    (folder / name).write_bytes(text)
    with pytest.raises(FileError, match="can't be read"):
        fitted(1, folder)


def test_what_can_not_be_written_whole_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: int) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.os, "fsync", full)
        with pytest.raises(FileError, match="is the disk full"):
            fitted(2, tmp_path)
    assert json.loads((tmp_path / "checkpoint.json").read_text())["epochs"] == []
    assert fitted(2, tmp_path).users.mean.tobytes() == fitted(2).users.mean.tobytes()
