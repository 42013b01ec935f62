"""What the workbook's buttons write, into a stand-in for xlwings' Book."""

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import xlwings

from cf_excel.errors import InputError, UnknownIdError
from cf_excel.model.file import save_factors
from cf_excel.model.predictor import Predictor
from cf_excel.ratings.nouns import Nouns
from cf_excel.udf import macros
from cf_excel.udf.functions_vba import MACROS, functions_project
from cf_excel.udf.macros import fill_shown_sheet, run, write_factors, write_learned, write_predictions


class Sheet:
    def __init__(self, name):
        self.name, self.rows = name, {}

    def clear_contents(self):
        self.rows = {}

    def range(self, place):
        sheet = self

        class Target:
            def __setattr__(self, name, rows):
                assert (name, place[1]) == ("value", 1)
                sheet.rows |= {place[0] + i: row for i, row in enumerate(rows)}

        return Target()

    @property
    def used_range(self):
        width = max([1, *map(len, self.rows.values())])
        shown = [[*row, *[None] * (width - len(row))] for row in self.values] or [[None]]
        # an apostrophe that is typed marks a text and is no part of it
        shown = [[cell[1:] if isinstance(cell, str) and cell[:1] == "'" else cell for cell in row] for row in shown]
        return SimpleNamespace(row=1, column=1, options=lambda ndim: SimpleNamespace(value=shown))

    @property
    def values(self):
        return [self.rows[i] for i in sorted(self.rows)]


class Sheets(list):
    def __getitem__(self, key):
        return super().__getitem__(key) if isinstance(key, int) else next(s for s in self if s.name == key)

    def add(self, name, after):
        assert after is self[len(self) - 1]
        self.append(Sheet(name))
        return self[name]


def book(**names):
    cells = {
        name: SimpleNamespace(options=lambda ndim, values=values: SimpleNamespace(value=values))
        for name, values in names.items()
    }
    defined = [SimpleNamespace(name=name, refers_to_range=cell) for name, cell in cells.items()]
    return SimpleNamespace(name="book.xlsm", sheets=Sheets([Sheet("intro")]), names=defined)


@pytest.fixture
def model(tiny_factors):
    return Predictor(tiny_factors())


def test_factors_of_everyone_and_everything(model, monkeypatch):
    monkeypatch.setattr(macros, "_ROWS_AT_ONCE", 2)
    target = book()
    for _ in range(2):  # the second time over the first
        write_factors(target, model)
    assert [sheet.name for sheet in target.sheets] == ["intro", "user_factors", "movie_factors"]
    factors, users, movies = model.factors, *(target.sheets[name].values for name in ("user_factors", "movie_factors"))
    assert users[0] == ["'userId", "'bias", "'factor 1", "'factor 2", "'factor 3"]
    assert [row[0] for row in users[1:]] == factors.user_ids.tolist()
    assert [row[2:] for row in users[1:]] == factors.user_factors.tolist()
    assert movies[2] == [2571, "'Matrix, The (1999)", factors.movie_bias[1].item(), *factors.movie_factors[1].tolist()]
    assert len(movies) == 9


def test_predictions_for_the_users_and_movies_of_the_sheet(model):
    target = book(cf_users=[15.0, 3.0], cf_movies=[1.0, 10.0])
    write_predictions(target, model)
    grid = model.predict([[15], [3]], [[1, 10]]).tolist()
    assert target.sheets["predictions"].values == [["'userId", 1.0, 10.0], [15.0, *grid[0]], [3.0, *grid[1]]]
    with pytest.raises(UnknownIdError, match=r"user 99 is not in the model"):
        write_predictions(book(cf_users=[99.0], cf_movies=[1.0]), model)


def test_a_model_of_other_ratings_writes_no_predictions(tiny_factors):
    factors = tiny_factors()
    movies = [factors.movie_ids[row] for row in factors.seen_movies[: factors.n_seen[0]]]
    cells = [[*map(float, np.arange(len(movies)) % 5 + 1)], [None] * len(movies)]
    names = {"cf_users": factors.user_ids[:2].tolist(), "cf_movies": [float(movie) for movie in movies]}
    seen_ratings = np.zeros(len(factors.seen_movies), np.float32)
    seen_ratings[: len(movies)] = cells[0]
    rows = zip(names["cf_users"], cells, strict=True)
    target = book(**names, cf_ratings=[[None, *names["cf_movies"]], *([user, *row] for user, row in rows)])
    write_predictions(target, Predictor(replace(factors, seen_ratings=seen_ratings)))
    before = dict(target.sheets["predictions"].rows)
    message = rf"trained on 0 of the {len(movies)} ratings of book.xlsm: train it on these first$"
    with pytest.raises(InputError, match=message):
        write_predictions(target, Predictor(replace(factors, seen_ratings=seen_ratings + 1)))
    assert target.sheets["predictions"].rows == before
    write_predictions(book(**names), Predictor(replace(factors, seen_ratings=seen_ratings + 1)))  # an older workbook


def test_headings_say_what_they_are_called(tiny_factors):
    target, model = book(), Predictor(replace(tiny_factors(), nouns=Nouns("customer", "product")))
    write_factors(target, model)
    assert target.sheets["user_factors"].values[0][0] == "'customer"
    assert target.sheets["movie_factors"].values[0][:2] == ["'product", "'title"]


def test_a_workbook_without_the_names(model):
    with pytest.raises(InputError, match=r"book.xlsm has no name cf_users: use a workbook that"):
        write_predictions(book(), model)


def test_texts_stay_texts(tiny_factors):
    factors = tiny_factors()
    texts = ["007", "1/2", "TRUE", "12345678901234567", "=1+1", *map(str, range(len(factors.titles)))]
    factors.titles[:] = texts[: len(factors.titles)]
    n = len(factors.user_ids)
    ids = replace(factors, user_ids=np.array(texts[:n], object))
    target = book(cf_users=["007", "1/2"], cf_movies=factors.movie_ids[:1].tolist())
    write_factors(target, Predictor(ids))
    write_predictions(target, Predictor(ids))
    assert [row[0] for row in target.sheets["user_factors"].values[1:]] == [f"'{text}" for text in texts[:n]]
    titles = [row[1] for row in target.sheets["movie_factors"].values[1:]]
    assert titles == [f"'{text}" for text in texts[: len(titles)]]
    assert [row[0] for row in target.sheets["predictions"].values[1:]] == ["'007", "'1/2"]


def owned_books():
    yield "a note", lambda sheet: sheet.rows[1].append("my note")
    yield "a row below", lambda sheet: sheet.rows.update({99: ["total"]})
    yield "a text", lambda sheet: sheet.rows[2].__setitem__(-1, "high")
    yield "a table of its own", lambda sheet: setattr(sheet, "rows", {1: ["customer", "city"], 2: [1, "Oslo"]})


@pytest.mark.parametrize("change", [pytest.param(change, id=name) for name, change in owned_books()])
@pytest.mark.parametrize("title", ["user_factors", "movie_factors", "predictions"])
def test_a_sheet_on_which_somebody_worked_stays(model, title, change):
    target = book(cf_users=[15.0, 3.0], cf_movies=[1.0, 10.0])
    write_factors(target, model)
    write_predictions(target, model)
    change(target.sheets[title])
    before = {sheet.name: dict(sheet.rows) for sheet in target.sheets}
    write_factors(target, model)
    write_predictions(target, model)
    assert [sheet.name for sheet in target.sheets] == [*before, f"{title} 2"]
    assert target.sheets[title].rows == before[title]
    assert len(target.sheets[f"{title} 2"].rows) >= 3


def test_the_table_of_another_model_is_replaced(model, tiny_factors):
    target = book()
    write_factors(target, model)
    small = tiny_factors()
    write_factors(
        target,
        Predictor(replace(small, user_factors=small.user_factors[:, :1], movie_factors=small.movie_factors[:, :1])),
    )
    assert [sheet.name for sheet in target.sheets] == ["intro", "user_factors", "movie_factors"]
    assert target.sheets["user_factors"].values[0] == ["'userId", "'bias", "'factor 1"]


def test_what_is_wrong_is_one_line(monkeypatch, tmp_path, tiny_factors):
    monkeypatch.setattr(xlwings.Book, "caller", staticmethod(book))
    monkeypatch.setenv("CF_EXCEL_MODEL", str(tmp_path / "none"))
    with pytest.raises(SystemExit, match=r"^cf_excel: there is no model at .*: run python -m cf_excel train$"):
        run(write_factors)
    save_factors(tiny_factors(), tmp_path / "none")
    with pytest.raises(SystemExit, match=r"^cf_excel: book.xlsm has no name"):
        run(write_predictions)


def test_the_buttons_run_what_there_is(monkeypatch):
    source = functions_project(["--epochs", "1"]).modules["cf_excel_macros"]
    commands = re.findall(r'"(from cf_excel.*?)"', source)
    assert len(commands) == len(MACROS)
    called = []
    monkeypatch.setattr("cf_excel.cli.main", lambda arguments: called.append(arguments) or 0)
    monkeypatch.setattr(macros, "run", called.append)
    monkeypatch.setattr(macros, "run_in_excel", called.append)
    with pytest.raises(SystemExit, match=r"^0$"):
        exec(commands[0], {})
    for command in commands[1:]:
        exec(command, {})
    assert called == [["train", "--epochs", "1"], write_learned, write_predictions, fill_shown_sheet]
