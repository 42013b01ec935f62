"""The model for notebooks: tables in, tables out, and the same answers as the predictor's."""

import copy
import pickle
import pydoc
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
from support.hosts import missing

import cf_excel
from cf_excel.errors import InputError, UnknownIdError

PEOPLE = ["Ann", "Ben", "Cem", "Dia", "Eva", "Fay"]


@pytest.fixture(scope="module")
def sales() -> pd.DataFrame:
    """Return ratings of products by customers, with an index of its own."""
    rows = [(who, f"mug {j}", 1 + (i * j + i) % 5) for i, who in enumerate(PEOPLE) for j in range(7) if (i + j) % 5]
    return pd.DataFrame(rows, columns=["customer", "product", "stars"], index=range(100, 100 + len(rows)))


@pytest.fixture(scope="module")
def model(sales) -> cf_excel.FittedModel:
    return cf_excel.fit(sales, n_factors=2, iterations=20, tune=False)


def test_columns_are_found_and_nouns_kept(sales):
    ratings = cf_excel.Ratings.from_frame(sales)
    assert (len(ratings), ratings.nouns.users, ratings.nouns.movies) == (len(sales), "customers", "products")
    assert ratings.rating.tolist() == sales.stars.tolist()
    assert repr(ratings).startswith(f"<Ratings: {len(sales)} by 6 customers, 7 products")


def test_columns_can_be_named(sales):
    odd = sales.set_axis(["a", "b", "c"], axis=1)
    ratings = cf_excel.Ratings.from_frame(odd, user="a", item="b", rating="c")
    assert ratings.user_ids.tolist() == PEOPLE
    with pytest.raises(InputError, match="the table"):
        cf_excel.Ratings.from_frame(odd)


def test_ratings_go_into_a_table_and_back(sales):
    ratings = cf_excel.Ratings.from_frame(sales)
    frame = ratings.to_frame()
    assert list(frame) == ["user_id", "movie_id", "rating"]
    again = cf_excel.Ratings.from_frame(frame)
    assert len(again) == len(ratings) == len(frame)
    for name in ("user_ids", "movie_ids", "user_idx", "movie_idx", "rating"):
        np.testing.assert_array_equal(getattr(again, name), getattr(ratings, name))


def test_missing_values_and_types_of_pandas():
    table = pd.DataFrame(
        {
            "user": pd.array([1, 2, 2], "Int64"),
            "item": pd.Categorical(["x", "y", "x"]),
            "rating": pd.array([4, pd.NA, 3], "Int64"),
            "timestamp": pd.to_datetime(["2020-01-01", None, "2020-01-02"]),
        }
    )
    ratings = cf_excel.Ratings.from_frame(table)
    assert ratings.rating.tolist() == [4, 3]
    assert ratings.user_ids.tolist() == [1, 2]
    assert ratings.timestamp is not None
    assert np.diff(ratings.timestamp).tolist() == [86_400]


def test_other_tables_come_by_to_pandas(sales):
    class Other:
        def to_pandas(self) -> pd.DataFrame:
            return sales

    assert len(cf_excel.Ratings.from_frame(Other())) == len(sales)
    assert len(cf_excel.Ratings.from_frame(sales.to_dict("list"))) == len(sales)
    with pytest.raises(InputError, match="an int: expected a table"):
        cf_excel.Ratings.from_frame(7)


@pytest.mark.parametrize(("package", "table"), [("pyarrow", "Table"), ("polars", "DataFrame")])
def test_tables_of_polars_and_pyarrow(model, sales, package, table):
    if find_spec(package) is None:
        missing(package)
    made = getattr(import_module(package), table)
    other = made.from_pandas(sales, preserve_index=False) if package == "pyarrow" else made(sales.to_dict("list"))
    ratings = cf_excel.Ratings.from_frame(other)
    assert (ratings.user_ids.tolist(), ratings.rating.tolist()) == (PEOPLE, sales.stars.tolist())
    assert model.predict(other).tolist() == model.predict(sales).tolist()


def test_a_table_that_does_not_come_says_what_is_missing():
    class Lazy:
        def collect(self) -> None: ...

    class NoArrow:
        def to_pandas(self) -> None:
            raise ModuleNotFoundError("pa.Table requires 'pyarrow' module to be installed", name="pyarrow")

    for table, says in ((Lazy(), "call its collect"), (NoArrow(), "needs pyarrow: python -m pip install pyarrow")):
        with pytest.raises(InputError, match=says):
            cf_excel.Ratings.from_frame(table)


def test_lists_for_some_have_the_columns_of_those_for_all(model, sales):
    assert model.recommend("Ann", n=2).equals(model.recommend(n=2).query("user_id == 'Ann'").reset_index(drop=True))
    assert model.fold_in(["mug 1"], [5], n=1).columns.tolist() == ["rank", "movie_id", "prediction", "n_ratings"]
    alike = model.similar(n=2)
    of_one = alike[alike.movie_id == "mug 1"].reset_index(drop=True)
    pd.testing.assert_frame_equal(model.similar("mug 1", n=2), of_one)
    titles = np.array([f"Mug number {i}" for i in range(7)], dtype=object)
    titled = cf_excel.FittedModel(replace(model.factors, titles=titles))
    assert titled.similar("Mug number 1", n=1).columns.tolist() == titled.similar(n=1).columns.tolist()
    assert titled.recommend("Ann", n=1).columns.tolist() == titled.recommend(n=1).columns.tolist()


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"product": "thing to drink of"}, r'no column \'product\' .*: pass item="thing to drink of"$'),
        ({"customer": "a", "product": "b"}, r'pass user="NAME" and item="NAME"$'),
        ({"stars": None}, r'pass rating="NAME", or implicit=True \(kind="picks" to fit\) where each row is an order'),
        ({"product": "b", "stars": "c"}, r"or melt\(\) the table where every product has a column$"),
    ],
)
def test_what_is_missing_is_said_in_pythons_words(sales, changed, says):
    table = sales.drop(columns=[name for name, new in changed.items() if new is None]).rename(columns=changed)
    with pytest.raises(InputError, match=says):
        cf_excel.Ratings.from_frame(table)


def test_times_that_are_none_are_said_in_pythons_words(model, sales):
    for times, says in (("soon", r'or timestamp="none"\): mend or drop them$'), ("01/02/2020", "with pd.to_datetime")):
        with pytest.raises(InputError, match=says):
            cf_excel.fit(sales.assign(date=times))
    with pytest.raises(InputError, match=r'pass item="stars"$'):
        model.predict(sales[["customer", "stars"]])


def test_columns_named_by_numbers(sales):
    ratings = cf_excel.Ratings.from_frame(sales.set_axis([0, 1, 2], axis=1), user=0, item=1, rating=2)
    assert repr(ratings).startswith(f"<Ratings: {len(sales)} by 6 users, 7 movies")


@pytest.mark.parametrize(
    ("kind", "name", "says"),
    [
        ("bayes", "factors", "setting factors: bayes has n_factors, iterations, .*: did you mean n_factors"),
        ("dot", "iterations", "setting iterations: dot has optimizer, epochs, "),
        ("picks", "wd", "setting wd: picks has n_factors$"),
    ],
)
def test_a_setting_that_is_none_is_said_in_one_line(sales, kind, name, says):
    with pytest.raises(InputError, match=says):
        cf_excel.fit(sales, kind, **{name: 3})


def test_help_says_the_names_of_types() -> None:
    shown = pydoc.render_doc(cf_excel, renderer=pydoc.plaintext)
    assert "recommend(self, users: 'object' = None, n: 'int' = 10" in shown
    assert "numpy._typing" not in shown


def test_a_function_says_what_is_held_back(sales):
    given = []

    def fays(ratings: pd.DataFrame) -> "pd.Series[bool]":
        given.append(ratings)
        return ratings.user_id == "Fay"

    held = sales.customer == "Fay"
    model = cf_excel.fit(sales, n_factors=2, iterations=20, tune=False, split=fays)
    assert given[0].columns.tolist() == ["user_id", "movie_id", "rating"]
    assert given[0].rating.tolist() == sales.stars.tolist()
    assert (model.factors.record["split"], model.factors.record["n_validation"]) == ("own", held.sum())
    errors = model.evaluate(sales, split=fays)
    assert errors["n"] == held.sum()
    assert errors["mse"] == pytest.approx(model.factors.metric("val_mse"), rel=1e-4)
    assert errors["mse"] == pytest.approx(model.evaluate(sales[held])["mse"])


@pytest.mark.parametrize(
    ("split", "says"),
    [
        (lambda ratings: ratings.rating, r"split returned float\d+ in the shape \(33,\): expected True or False"),
        (lambda ratings: [True], r"split returned bool in the shape \(1,\): expected True or False for each of the 33"),
        (lambda ratings: pd.array([True] * 32 + [None], "boolean"), "split returned object in the shape"),
        (lambda ratings: ratings.rating > 0, "split holds back all 33 ratings: none is left to train on"),
    ],
)
def test_a_split_that_makes_no_sense_gets_a_line(model, sales, split, says):
    assert len(sales) == 33
    with pytest.raises(InputError, match=says):
        cf_excel.fit(sales, split=split)
    if "all" not in says:
        with pytest.raises(InputError, match=says):
            model.evaluate(sales, split=split)


def test_an_empty_split_has_no_error(model, sales):
    with pytest.raises(InputError, match="split chooses none of the 33 ratings"):
        model.evaluate(sales, split=lambda ratings: ratings.rating > 5)


def test_predictions_are_the_predictors(model, sales):
    found = model.predict(sales)
    assert found.index.equals(sales.index)
    assert found.tolist() == model.predictor.predict(sales.customer.tolist(), sales["product"].tolist()).tolist()
    with pytest.raises(UnknownIdError, match="Zoe"):
        model.predict({"customer": ["Zoe"], "product": ["mug 1"]})


def test_lists_are_the_predictors(model):
    found = model.recommend(["Ann", "Eva"], n=1)
    assert found.columns.tolist() == ["user_id", "rank", "movie_id", "prediction", "n_ratings"]
    assert found.movie_id.tolist() == [model.predictor.recommend(who, 1)[0].movie_id for who in ("Ann", "Eva")]
    everybody = model.recommend(n=1)
    assert everybody[everybody.user_id.isin(["Ann", "Eva"])].movie_id.tolist() == found.movie_id.tolist()
    alike = model.similar("mug 1", n=3)
    assert alike.similar_movie_id.tolist() == [movie.movie_id for movie in model.predictor.similar("mug 1", 3)]
    new = model.fold_in(["mug 1", "mug 2"], [5, 1], n=2)
    assert new.movie_id.tolist() == [movie.movie_id for movie in model.predictor.fold_in(["mug 1", "mug 2"], [5, 1], 2)]


def test_errors_are_those_of_the_predictions(model, sales):
    found = model.evaluate(sales)
    assert found["mse"] == pytest.approx(((model.predict(sales) - sales.stars) ** 2).mean(), rel=1e-5)
    assert found["n"] == len(sales)


def test_factors_as_a_table(model):
    users = model.to_frame("users")
    assert (users.index.tolist(), users.index.name) == (PEOPLE, "customer_id")
    np.testing.assert_array_equal(users[["factor_1", "factor_2"]], model.factors.user_factors)
    with pytest.raises(InputError, match="expected items or users"):
        model.to_frame("both")


def test_saved_and_loaded(model, sales, tmp_path):
    model.save(tmp_path / "model")
    assert cf_excel.load(tmp_path / "model").predict(sales).equals(model.predict(sales))


def test_how_it_shows_itself(model, sales):
    assert repr(model) == "<FittedModel: bayes, 6 customers, 7 products, 2 factors>"
    assert repr(model.factors) == "<Factors: bayes, 6 customers, 7 products, 2 factors>"
    assert repr(model.predictor) == "<Predictor: bayes, 6 customers, 7 products, 2 factors>"
    ratings = cf_excel.Ratings.from_frame(sales)
    for shown in (model._repr_html_(), ratings._repr_html_()):
        assert "6 customers" in shown
        assert shown.partition("<tbody>")[2].count("<tr") == 5
    assert "cf_excel.fit(" in (cf_excel.__doc__ or "")


def test_lists_for_any_collection_of_names(model, sales):
    for names in ({"Ann": 1}.keys(), (name for name in ["Ann"]), {"Ann"}, sales[["customer"]][:1]):
        assert model.recommend(names, n=1).equals(model.recommend("Ann", n=1))
    assert model.recommend(sales.customer, n=1).user_id.tolist() == sales.customer.tolist()
    rated = {"mug 1": 5, "mug 2": 1}
    assert model.fold_in(rated.keys(), rated.values()).equals(model.fold_in(["mug 1", "mug 2"], [5, 1]))
    with pytest.raises(InputError, match="a DataFrame: expected one column of it"):
        model.recommend(sales)


def test_a_blank_of_pandas_is_no_name(model):
    for blank in (pd.NA, pd.NaT):
        with pytest.raises(InputError, match="an id is blank"):
            model.recommend(blank)


def test_pickled_and_copied(model, sales):
    for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert again.predict(sales).equals(model.predict(sales))
    assert repr(pickle.loads(pickle.dumps(model.predictor))) == repr(model.predictor)


def test_predictions_for_ratings(model, sales):
    assert model.predict(cf_excel.Ratings.from_frame(sales)).tolist() == model.predict(sales).tolist()


def test_what_takes_factors_takes_the_model(model, sales, tmp_path):
    book = cf_excel.export(model, tmp_path / "recommender.xlsx")
    assert repr(book) == "<Recommender: bayes, 6 customers, 7 products, 2 factors>"
    cf_excel.save_factors(model, tmp_path / "model")
    assert cf_excel.Predictor(model).factors is cf_excel.FittedModel(model.predictor).factors is model.factors
    cf_excel.build(cf_excel.Ratings.from_frame(sales), tmp_path / "lesson.xlsx")
    assert cf_excel.write(tmp_path / "lesson.xlsx", model).model_sheet == "model"


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda table: cf_excel.fit("sales.csv"), r"a str: expected a table, .*load_ratings\(path\) reads a file$"),
        (lambda table: cf_excel.train(table), "a DataFrame: expected Ratings, as cf_excel.load_ratings"),
        (lambda table: cf_excel.build(table, "lesson.xlsx"), "a DataFrame: expected Ratings, as"),
        (lambda table: cf_excel.load_ratings(table), "a DataFrame: expected the path of a file or folder"),
        (lambda table: cf_excel.fill(table), "a DataFrame: expected the path of a workbook"),
        (lambda table: cf_excel.export(table, "book.xlsx"), "a DataFrame: expected a trained model, as cf_excel.fit"),
        (lambda table: cf_excel.FittedModel("model.safetensors"), "a str: expected a trained model"),
        (
            lambda table: cf_excel.fit(table, split=table.stars > 3),
            "a Series: expected split to be lesson, .*tion",
        ),
        (lambda table: cf_excel.fit(table, split="time"), "no timestamps, which split time needs: take lesson, random"),
        (lambda table: cf_excel.Ratings.from_frame(table, rating_range=5), "rating range 5: expected two numbers"),
        (lambda table: cf_excel.Ratings.from_frame(table, nouns="guest"), "^nouns 'guest': expected two words"),
        (lambda table: cf_excel.Ratings.from_frame(table.assign(stars=None)), "33 rows without one$"),
        (
            lambda table: cf_excel.Ratings.from_frame(table.assign(customer=[None, *["Ann"] * 32])),
            "customer's id is bla",
        ),
    ],
)
def test_what_is_given_in_place_of_another_gets_a_line(sales, call, says):
    with pytest.raises(InputError, match=says):
        call(sales)


@pytest.mark.parametrize(
    ("split", "says"),
    [
        ("random", "a str: expected split to be a function, such as lambda ratings: "),
        (
            lambda ratings: ratings.customer == "Ann",
            "'customer': it is given a table with the columns user_id",
        ),
    ],
)
def test_a_split_that_fails_says_what_it_is_given(model, sales, split, says):
    with pytest.raises(InputError, match=says):
        model.evaluate(sales, split=split)


def test_likes_that_are_true_or_false(sales):
    likes = sales[["customer", "product"]].assign(liked=sales.stars > 3)
    ratings = cf_excel.Ratings.from_frame(likes)
    assert (ratings.rating.tolist(), ratings.rating_range) == ((sales.stars > 3).tolist(), (0, 1))
    for table, rating in ((likes, None), (likes.set_axis(["customer", "product", "fan"], axis=1), "fan")):
        picks = cf_excel.Ratings.from_frame(table, rating=rating, implicit=True)
        assert len(picks) == (sales.stars > 3).sum()
    assert len(cf_excel.Ratings.from_frame(likes, implicit=None)) == (sales.stars > 3).sum()


def test_notes_name_arguments_of_python(sales):
    found = cf_excel.Ratings.from_frame(sales[["customer", "product"]], implicit=None)
    assert found.notes[0].endswith("there is no column of ratings (implicit=False: as ratings)")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"n_factors": "5"}, "n_factors '5': expected a whole number"),
        ({"n_factors": 2.5}, r"n_factors 2\.5: expected a whole number"),
        ({"seed": None}, "seed None: expected a whole number"),
        ({"kind": "picks", "n_factors": "5"}, "n_factors '5': expected a whole number"),
        ({"kind": "dot", "lr": "0.1"}, r"lr '0\.1': expected a number"),
    ],
)
def test_a_setting_that_is_no_number_is_said_in_one_line(sales, settings, says):
    with pytest.raises(InputError, match=says):
        cf_excel.fit(sales, **settings)


def test_columns_may_stand_in_the_index(model, sales):
    names = ["customer", "product"]
    grouped = sales.groupby(names, sort=False).stars.mean()
    for table in (sales.set_index(names), grouped, sales.set_index("product")):
        ratings = cf_excel.Ratings.from_frame(table)
        assert (ratings.user_ids.tolist(), ratings.rating.tolist()) == (PEOPLE, sales.stars.tolist())
        predicted = model.predict(table)
        assert predicted.tolist() == model.predict(sales).tolist()
        assert predicted.index.equals(table.index)
    pivot = sales.pivot(index="customer", columns="product", values="stars")
    with pytest.raises(InputError, match=r"found: mug 0, .*, customer\): pass .* or melt\(\) the table"):
        cf_excel.Ratings.from_frame(pivot)


def test_an_empty_table_is_said_to_have_no_columns():
    with pytest.raises(InputError, match=r"no columns 'userId', 'movieId', 'rating' \(found: none\)"):
        cf_excel.Ratings.from_frame(pd.DataFrame())


def test_fit_reads_a_table_as_from_frame_does(sales):
    quick = {"n_factors": 2, "iterations": 1, "tune": False}
    dated = sales.assign(date="soon")
    with pytest.raises(InputError, match='or timestamp="none"'):
        cf_excel.fit(dated, **quick)
    model = cf_excel.fit(dated, timestamp="none", rating_range=(0, 6), nouns=("guest", "wine"), **quick)
    assert repr(model) == "<FittedModel: bayes, 6 guests, 7 wines, 2 factors>"
    assert model.factors.rating_range == (0, 6)


def test_a_notebook_tells_what_was_left_out(sales):
    twice = pd.concat([sales, sales.assign(stars=1)])
    shown = cf_excel.Ratings.from_frame(twice)._repr_html_()
    assert "33 ratings left out: the same customer rates the same product in a later row, which counts" in shown
    blank = cf_excel.Ratings.from_frame(sales.assign(stars=[None, *[3] * 32]))
    assert blank.remarks == ("1 row without a rating left out: not rated",)
    assert blank.remarks[0] in blank._repr_html_()
