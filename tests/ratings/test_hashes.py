"""The split by hash and the hash of the data: the same on every machine, in every order."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cf_excel import train
from cf_excel.cli import main
from cf_excel.cli.plot import validation_predictions
from cf_excel.errors import InputError
from cf_excel.evaluate.splits import make_folds
from cf_excel.predictor import Predictor
from cf_excel.ratings import spill, validation
from cf_excel.ratings.hashes import content_sums, digest_of, id_hashes
from cf_excel.ratings.table import Ratings, data_hash, former_data_hash
from cf_excel.ratings.validation import validation_rows

PINNED = [
    5196802822362493915,
    16490336266968443936,
    16294208416658607535,
    10451216379200822465,
    9753551079159975941,
    3055647633038352039,
]
PINNED_TEXTS = [
    13655456112802015817,
    14009827683418652810,
    17131524162659661690,
    12351115430977815287,
    7133245170051001874,
    5382350874120677158,
]
LESSON_HASH = "48c90e99d425f165e72777a0bc8b1f7dedf351ae6ad0aa9587bddde634dfcbd3"
LESSON_HELD_BACK = 20005
LESSON_ROWS = [2, 16, 42, 45, 49]


def shuffled(frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    return frame.iloc[np.random.default_rng(seed).permutation(len(frame))]


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    pairs = rng.choice(40 * 50, 900, replace=False)
    return pd.DataFrame({"user": pairs // 50 - 7, "item": pairs % 50, "rating": rng.integers(1, 11, 900) / 2})


def held_pairs(ratings: Ratings) -> set:
    rows = validation_rows(ratings, "hash")
    users, movies = ratings.user_ids[ratings.user_idx[rows]], ratings.movie_ids[ratings.movie_idx[rows]]
    return set(zip(map(str, users.tolist()), map(str, movies.tolist()), strict=True))


def test_hashes_stay_what_they_are():
    ids = [-(2**63), -1, 0, 1, 15, 2**63 - 1]
    assert id_hashes(np.array(ids)).tolist() == PINNED
    texts = np.array([*map(str, ids), "007", "9223372036854775808", "B00X", "שלום", "-0", "½"], object)
    assert id_hashes(texts).tolist() == PINNED + PINNED_TEXTS


def test_the_lessons_ratings_have_their_hash_and_their_fifth(lesson_ratings):
    assert data_hash(lesson_ratings) == LESSON_HASH
    rows = validation_rows(lesson_ratings, "hash")
    assert len(rows) == LESSON_HELD_BACK
    assert rows[:5].tolist() == LESSON_ROWS


def test_no_order_changes_what_is_held_back_nor_the_hash(frame):
    ratings = Ratings.from_frame(frame)
    held = held_pairs(ratings)
    assert len(held) == pytest.approx(180, abs=40)
    for seed in (1, 2):
        other = Ratings.from_frame(shuffled(frame, seed))
        assert held_pairs(other) == held
        assert data_hash(other) == data_hash(ratings)
        assert former_data_hash(other) != former_data_hash(ratings)


def test_a_text_among_the_ids_leaves_the_others_where_they_are(frame):
    more = pd.concat([frame.astype({"user": object}), pd.DataFrame({"user": ["ann"], "item": [3], "rating": [4.0]})])
    assert held_pairs(Ratings.from_frame(more)) - {("ann", "3")} == held_pairs(Ratings.from_frame(frame))


def test_what_is_held_back_depends_on_user_and_item_alike(frame):
    """Of every user about a fifth, of every item, too, and not the same of a pair turned round."""
    ratings = Ratings.from_frame(
        pd.DataFrame({"user": np.arange(10**4) // 100, "item": np.arange(10**4) % 100, "rating": 1.0})
    )
    is_held = np.isin(np.arange(10**4), validation_rows(ratings, "hash")).reshape(100, 100)
    assert 0.05 < is_held.mean(0).min() < is_held.mean(0).max() < 0.35
    assert 0.05 < is_held.mean(1).min() < is_held.mean(1).max() < 0.35
    assert (is_held & is_held.T).sum() == pytest.approx(400, abs=120)


def test_parts_of_a_table_add_up_to_its_hash(frame, monkeypatch):
    ratings = Ratings.from_frame(frame)
    monkeypatch.setattr(spill, "BLOCK_ROWS", 100)
    ids = id_hashes(ratings.user_ids), id_hashes(ratings.movie_ids)
    parts = [
        content_sums(*ids, ratings.user_idx[one], ratings.movie_idx[one], ratings.rating[one])
        for one in (slice(0, 250), slice(250, None))
    ]
    assert digest_of(sum(parts)) == data_hash(ratings)
    signed = replace(ratings, rating=np.where(ratings.rating == 1, -0.0, ratings.rating))
    assert data_hash(signed) == data_hash(replace(ratings, rating=np.where(ratings.rating == 1, 0.0, ratings.rating)))


def test_splits_that_need_an_order_are_refused_of_very_many_ratings(frame, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(validation, "MOST_IN_ORDER", 899)
    ratings = Ratings.from_frame(frame)
    for split in ("lesson", "random", "time"):
        with pytest.raises(
            InputError, match=f"--split {split} of 900 ratings: it is for 899 at most; pass --split hash"
        ):
            validation_rows(ratings, split)
    with pytest.raises(InputError, match="--split kfold of 900 ratings"):
        make_folds(ratings, "kfold")
    frame.to_csv(tmp_path / "ratings.csv", index=False)
    arguments = ["train", "--ratings", str(tmp_path / "ratings.csv"), "--epochs", "1", "--no-tune"]
    arguments += ["--out", str(tmp_path / "model")]
    assert main(arguments) == 2
    assert capsys.readouterr().err.endswith("draws by user and item and needs no order\n")
    assert main([*arguments, "--split", "hash", "--force"]) == 0
    assert f"{len(held_pairs(ratings))} held back (split: hash)" in capsys.readouterr().out
    (fold,) = make_folds(ratings, "hash")
    assert len(fold.rating) == len(held_pairs(ratings))


def test_pictures_find_the_validation_rows_again_or_say_that_the_order_is_another(frame):
    ratings, other = Ratings.from_frame(frame), Ratings.from_frame(shuffled(frame, 1))
    for split in ("random", "hash"):
        predictor = Predictor(train(ratings, split=split, iterations=2, tune=False, lists="rating"))
        _, truth, heading = validation_predictions(predictor, ratings)
        assert f"{len(truth)} ratings: validation ratings" in heading
        if split == "hash":
            assert sorted(validation_predictions(predictor, other)[1]) == sorted(truth)
            continue
        with pytest.raises(InputError, match="trained on the table in another order, in which --split random held"):
            validation_predictions(predictor, other)
        assert len(validation_predictions(predictor, other, others=True)[1]) == 900
        record = predictor.factors.record | {"data_hash": former_data_hash(ratings)}
        former = Predictor(replace(predictor.factors, record=record))  # of an older version
        assert validation_predictions(former, ratings)[2] == heading
        with pytest.raises(InputError, match="not trained on the table"):
            validation_predictions(former, other)
