from pathlib import Path

import numpy as np
import pytest
from support.planted import low_rank_ratings

from cf_excel.errors import FileError, InputError
from cf_excel.learn.bayes.factorization import fit_bayes
from cf_excel.learn.bayes.feature_tables import read_blocks
from cf_excel.learn.bayes.features import from_lists, movie_blocks, stack
from cf_excel.ratings.table import Ratings

IDS = np.array([5, 7, 9, 11])


def table(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "features.csv"
    path.write_text(text)
    return path


def test_from_lists() -> None:
    root = 1 / np.sqrt(2)
    matrix = from_lists([["b", "a"], [], ["b", "b"]]).toarray()
    np.testing.assert_allclose(matrix, [[root, root], [0, 0], [0, 1]], rtol=1e-6)


def test_genres_and_years_of_the_lesson(lesson_ratings: Ratings) -> None:
    genres, years = movie_blocks(lesson_ratings)
    assert (genres.name, years.name) == ("genres", "years")
    lengths = np.sqrt(genres.matrix.power(2).sum(axis=1))
    np.testing.assert_allclose(lengths, [1.0 if text else 0.0 for text in lesson_ratings.genres], atol=1e-6)
    n_in_row = np.diff(years.matrix.indptr)
    np.testing.assert_array_equal(n_in_row, lesson_ratings.years != 0)
    same_bucket = years.matrix @ years.matrix.T
    known = np.flatnonzero(lesson_ratings.years)[:200]
    bucket = np.clip(lesson_ratings.years[known], 1930, 2020) // 5
    np.testing.assert_array_equal(same_bucket[known][:, known].toarray() > 0, bucket[:, None] == bucket)


def test_ratings_without_content_have_no_blocks() -> None:
    assert movie_blocks(low_rank_ratings(5, 5)) == []


def test_stack_puts_an_intercept_first(lesson_ratings: Ratings) -> None:
    blocks = movie_blocks(lesson_ratings)
    matrix, precisions = stack(lesson_ratings.n_movies, blocks)
    assert matrix.shape[1] == len(precisions) == 1 + sum(block.matrix.shape[1] for block in blocks)
    assert (matrix[:, [0]].toarray() == 1).all()
    assert precisions[[0, 1, -1]].tolist() == [[0.01, 0.01], [40, 40], [40, 1]]


def test_columns_of_every_kind(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "movie,price,studio,cast,title,empty,same\n"
        "5,1.5,A,ann|bob,One,,3\n9,,B,bob,Two,,3\n11,4.5,A,bob|ann|zoe,Three,,3\n99,100,B,ann,Four,,3\n",
    )
    blocks, dull = read_blocks(path, IDS, "movie")
    assert [block.name for block in blocks] == ["movie price", "movie studio", "movie cast"]
    assert dull == ["title", "empty", "same"]
    price, studio, cast = (block.matrix.toarray() for block in blocks)
    assert price.tolist() == [[-1], [0], [0], [1]]  # 7 is not in the table, 9 has a blank
    assert studio.tolist() == [[1], [0], [0], [1]]  # B comes once among the ids: it tells nothing about another
    root = 1 / np.sqrt(2)
    np.testing.assert_allclose(cast, [[root, root], [0, 0], [0, 1], [root, root]], rtol=1e-6)


def test_text_ids_and_other_separators(tmp_path: Path) -> None:
    blocks, _ = read_blocks(table(tmp_path, "who;age\nann;20\n7;40\n"), np.array(["ann", "7"], object), "user")
    assert blocks[0].matrix.toarray().tolist() == [[-1], [1]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("movie\n5\n", "features.csv has one column: expected the movie's id, then features"),
        ("movie,a\n5,1\n5,2\n", "line 3: movie '5' comes twice"),
        ("movie,a\n,1\n", "line 2: the movie's id is blank"),
        ("movie,a\n5,1,2\n", "line 2: 3 cells, expected 2"),
        ("movie,a\n1,1\n2,2\n", "none of its 2 movie ids is in the ratings .the first: 1."),
        ("movie,a\n", "none of its 0 movie ids"),
        ("", "is empty"),
    ],
)
def test_tables_that_can_not_be_used(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        read_blocks(table(tmp_path, text), IDS, "movie")


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="there is no such file"):
        read_blocks(tmp_path / "no.csv", IDS, "movie")


def test_numbers_that_are_not_finite_are_categories(tmp_path: Path) -> None:
    blocks, _ = read_blocks(table(tmp_path, "movie,a\n5,inf\n7,inf\n9,2\n11,2\n"), IDS, "movie")
    assert blocks[0].matrix.shape == (4, 2)


def test_a_row_without_features_gets_the_average(tmp_path: Path) -> None:
    ratings = low_rank_ratings(30, 40)
    rows = "\n".join(f"{movie},{'x' if movie % 2 else 'y'}" for movie in ratings.movie_ids[1:])
    blocks, _ = read_blocks(table(tmp_path, f"movie,kind\n{rows}\n"), ratings.movie_ids, "movie")
    fit = fit_bayes(ratings, np.flatnonzero(ratings.movie_idx == 0), more_movie_blocks=blocks)
    assert np.isfinite(fit.val_predictions).all()
    assert fit.features == ["movie kind"]
