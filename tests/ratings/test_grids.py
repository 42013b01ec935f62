"""Grids of ratings: users down and items across, or the other way, as texts and within other cells."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.ratings_files import table_of

from cf_excel.errors import InputError
from cf_excel.ratings.readers import load_ratings
from cf_excel.ratings.table import crosstab

READ = [("Ann", "Mug", 5), ("Ann", "Cup", 3.5), ("Bob", "Mug", 4), ("Cy", "Cup", 1)]
GRID = "Customer,Mug,Cup\nAnn,5,3.5\nBob,4,\nCy,,1\n"
DOWN = "Product,Ann,Bob,Cy\nMug,5,4,\nCup,3.5,,1\n"

FORMS = {
    "a corner of users": GRID,
    "a blank corner": GRID.replace("Customer", ""),
    "tabs": GRID.replace(",", "\t"),
    "semicolons and decimal commas": GRID.replace(",", ";").replace(".", ","),
    "Excel's line of the separator": "sep=;\r\n" + GRID.replace(",", ";"),
    "quoted": '"Customer","Mug","Cup"\n"Ann","5","3.5"\n"Bob","4",\n"Cy",,"1"\n',
    "titles above": "Scores; all of them\n\n" + GRID.replace(",", ";"),
    "a noun above": ",Product,\n" + GRID,
    "ghost rows and columns": GRID.replace("\n", ",,\n") + ",,,,\n,,,,\n",
    "a sum below": GRID + "Total,9,4.5\n",
    "sums without a name": GRID.replace("\n", ",8.5\n").replace("Cup,8.5", "Cup,Sum") + ",9,4.5,13.5\n",
    "counts and means": GRID + "Anzahl,2,2\nMittelwert,4.5,2.25\n",
    "counts and means beside": "Customer,Mug,Cup,Average,Count\nAnn,5,3.5,4.25,2\nBob,4,,4,1\nCy,,1,1,1\n",
    "sums and their number beside": ",Mug,Cup,Summe,Anzahl\nAnn,5,3.5,8.5,2\nBob,4,,4,1\nCy,,1,1,1\n",
    "counts and means with their nouns": GRID + "Average rating,4.5,2.25\nNumber of ratings,2,2\n",
    "counts of answers": GRID + "n,2,2\nAnzahl der Bewertungen,2,2\nNb de notes,2,2\nStd dev,.5,1.25\n",
    "sums of hidden rows": GRID + "Summe,90,45\n",
    "what is known of the users": "Customer,Town,Mug,Cup\nAnn,Rome,5,3.5\nBob,Bonn,4,\nCy,,,1\n",
    "ages and prices": "Customer,Age,Mug,Cup,Umsatz (EUR)\nAnn,33,5,3.5,9.5\nBob,44,4,,4\nCy,55,,1,7\n",
    "numbered rows": ",Name,Mug,Cup\n1,Ann,5,3.5\n2,Bob,4,\n3,Cy,,1\n",
    "answers to a form": "Timestamp,Nickname,Mug,Pot,Cup\n2026/01/30 5:05:00,Ann,5,,3.5\n2026/01/30 5:09:00,Bob,4,,\n"
    "2026/01/31 8:00:00,Cy,,,1\n",
    "a comment behind": "Customer,Mug,Cup,Comment\nAnn,5,3.5,good\nBob,4,,\nCy,,1,so so\n",
    "an item that nobody rated": "Customer,Mug,Pot,Cup\nAnn,5,,3.5\nBob,4,,\nCy,,,1\n",
    "words for no answer": "Name,Mug,Pot,Cup\nAnn,5,n/a,3.5\nBob,4,-,k. A.\nCy,–,N/A,1\n",
    "a note below": GRID + "\nSource: the shop\n",
    "another table beside": "Customer,Mug,Cup,,Key\nAnn,5,3.5,,9\nBob,4,,,8\nCy,,1,,7\n",
}


def read(tmp_path, text, **options):
    path = tmp_path / "scores.csv"
    path.write_text(text, newline="")
    return load_ratings(path, **options)


@pytest.mark.parametrize("form", FORMS)
def test_forms(tmp_path, form):
    ratings = read(tmp_path, FORMS[form])
    assert table_of(ratings) == READ
    assert (
        f"scores.csv read as a grid: 3 {ratings.nouns.users} down, 2 items across, {len(READ)} ratings" in ratings.notes
    )


@pytest.mark.parametrize("form", FORMS)
def test_the_order_of_a_grid_has_those_without_a_rating_but_no_totals(tmp_path, form):
    path = tmp_path / "grid.csv"
    path.write_text(FORMS[form])
    items = ["Mug", "Pot", "Cup"] if "Pot" in FORMS[form] else ["Mug", "Cup"]
    assert load_ratings(path).grid == (["Ann", "Bob", "Cy"], items, False)


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("Customer,Mug,New,Cup\nEve,,,\nAnn,5,,3\nFay,,,\nBob,4,,2\nGus,,,\n\nA note,,,\n", (0, 1)),
        ("Product,Ann,New,Bob\nPot,,,\nMug,5,,3\nTea,,,\nCup,4,,2\nJug,,,\nTotal,9,,5\nA note,,,\n", (1, 0)),
    ],
)
def test_new_ones_in_a_grid_keep_their_place(tmp_path, text, order):
    path = tmp_path / "grid.csv"
    path.write_text(text)
    lines = [line.split(",") for line in text.splitlines()]
    down, across = [line[0] for line in lines[1:6]], lines[0][1:]
    found = load_ratings(path).grid
    assert ([*found[:2]][order[0]], [*found[:2]][order[1]]) == (down, across)
    assert found.items_down == (order == (1, 0))


def test_items_down(tmp_path):
    by_user = sorted(READ)
    for text, options in ((DOWN, {}), (DOWN.replace("Product", ""), {"items_down": True})):
        ratings = read(tmp_path, text, **options)
        assert sorted(table_of(ratings)) == by_user
        assert any(
            f"2 {'products' if text is DOWN else 'items'} down, 3 users across" in line for line in ratings.notes
        )
    told = read(tmp_path, "SKU,Title,Category,Ann,Bob\n1,Mug (1999),china|red,5,\n2,Cup,china,4,3\n")
    assert (told.titles.tolist(), told.years.tolist()) == (["Mug (1999)", "Cup"], [1999, 0])
    assert told.genres.tolist() == ["china|red", "china"]


@pytest.mark.parametrize(
    ("corner", "nouns"),
    [
        ("Customer", ("customer", "item")),
        ("Kunde \\ Artikel", ("Kunde", "Artikel")),
        ("", ("user", "movie")),
        ("Row Labels", ("user", "movie")),
    ],
)
def test_the_corner_says_what_they_are_called(tmp_path, corner, nouns):
    assert read(tmp_path, GRID.replace("Customer", corner)).nouns == nouns


def test_the_crosstab_of_the_lesson(tmp_path, lesson_ratings):
    table = crosstab(lesson_ratings)
    frame = pd.DataFrame(table.values, index=table.user_ids, columns=table.movie_ids)
    frame.index.name = "userId"
    frame.to_csv(tmp_path / "crosstab.csv")
    frame.to_excel(tmp_path / "crosstab.xlsx")
    for name in ("crosstab.csv", "crosstab.xlsx"):
        ratings = load_ratings(tmp_path / name)
        again = crosstab(ratings)
        np.testing.assert_array_equal(again.values, table.values)
        assert (again.user_ids, again.movie_ids) == (table.user_ids, table.movie_ids)


def test_users_with_the_names_of_sums_stay(tmp_path):
    text = "Customer,Mug,Cup,Total\nMax,5,4,1\nAnn,4,2,3\nBob,1,1,4\nCy,3,4,\nMin,5,,2\n"
    ratings = read(tmp_path, text)
    assert set(ratings.user_ids) == {"Max", "Ann", "Bob", "Cy", "Min"}
    assert ratings.movie_ids.tolist() == ["Mug", "Cup", "Total"]


NO_GRIDS = {
    "a list without the column of ratings": "userId,movieId,mark\n1,2,3\n2,2,4\n3,4,5\n",
    "a list without the column of users": "who,movieId,rating\n1,2,3\n2,2,4\n3,4,5\n",
    "a list of unknown names": "who,what,mark\n1,20,3\n1,21,4\n2,20,5\n",
    "another list of unknown names": "who,what,mark,when\n1,20,3,1700000000\n2,21,4,1700000001\n3,20,5,1700000002\n",
    "a table of texts": "name,town,street\nann,rome,via\nbob,bonn,weg\ncy,paris,rue\n",
    "prices": "Product,Price,Stock,Weight (kg)\nMug,9.99,3,.3\nCup,8.99,4,.2\nPot,19.99,5,.9\n",
    "sums alone": "Customer,Orders\nAnn,3\nBob,4\nCy,5\n",
    "records": "order,who,what,mark,price\n1,ann,mug,3,9.99\n2,bob,mug,4,9.99\n3,cy,pot,5,19.99\n",
}


@pytest.mark.parametrize("case", NO_GRIDS)
def test_what_is_no_grid(tmp_path, case):
    with pytest.raises(InputError, match=r"scores.csv has no columns? '"):
        read(tmp_path, NO_GRIDS[case])


def test_a_form_that_is_asked_for(tmp_path):
    text = "who,what,mark\n1,20,3\n1,21,4\n2,20,5\n"
    assert len(read(tmp_path, text, form="grid")) == 4
    with pytest.raises(InputError, match=r"has no columns 'product', 'rating' .*, or --form grid where every product"):
        read(tmp_path, GRID, form="list")
    with pytest.raises(InputError, match="form 'table': expected list or grid"):
        read(tmp_path, GRID, form="table")
    with pytest.raises(InputError, match="items down: only a grid has them"):
        read(tmp_path, GRID, form="list", items_down=True)


def test_faults_are_named_by_line_and_column(tmp_path):
    text = GRID.replace("Bob,4,", "Bob,good,9")
    message = (
        r"scores.csv: .* line 3, column 'Mug': rating 'good': .*; line 3, column 'Cup': rating '9': expected 1 to 5"
    )
    with pytest.raises(InputError, match=message):
        read(tmp_path, text, rating_range=(1, 5))
    ratings = read(tmp_path, text, rating_range=(1, 5), skip_bad=True, not_rated=[1])
    assert table_of(ratings) == READ[:2]
    with pytest.raises(InputError, match=r"scores.csv: column 4 has ratings, but no name above them"):
        read(tmp_path, "Customer,Mug,Cup,\nAnn,5,4,3\nBob,3,4,4\n")


@pytest.mark.parametrize(("yes", "no", "told"), [("x", "", "'x'"), ("Yes", "No", "'yes' and 'no'"), ("✓", "", "'✓'")])
def test_marks_in_place_of_numbers(tmp_path, yes, no, told):
    rows = [[f"customer {i}", *(yes if (i + j) % 2 else no for j in range(5))] for i in range(10)]
    text = "Who has what,,,,,\nCustomer,Mug,Cup,Pot,Pan,Tea\n" + "".join(",".join(row) + "\n" for row in rows)
    frame = pd.DataFrame([line.split(",") for line in text.splitlines()])
    frame.to_excel(tmp_path / "marks.xlsx", header=False, index=False)
    for form in (None, "grid"):
        with pytest.raises(InputError) as error:
            load_ratings(tmp_path / "marks.xlsx", form=form)
        assert set(told.split(" and ")) <= set(str(error.value).split())
        assert str(error.value).endswith("where numbers are expected: write 1 for yes, and nothing for no")


OTHERS = {
    "of the same": GRID + "\n2026,,\n" + GRID.replace("Bob", "Dan"),
    "of others": "Customer,Mug,Cup,Pot\nAnn,5,3,1\nBob,4,,2\n,,,\nGuest,Tea,Milk,Soup\nCy,5,4,\nDi,1,,2\n",
}


@pytest.mark.parametrize("other", OTHERS)
def test_another_grid_below(tmp_path, other):
    header = {"of the same": 7, "of others": 5}[other]
    for form in (None, "grid"):
        with pytest.raises(
            InputError, match=rf"below the first \(their headers: line 1, line {header}\): pass --range"
        ):
            read(tmp_path, OTHERS[other], form=form)
    assert len(read(tmp_path, OTHERS[other], cells=f"A{header}:D20")) == 4


LABELS = st.text("abcdefgh ", min_size=1, max_size=6).filter(str.strip).map(lambda text: f"{text.strip()}?")


@given(
    st.lists(LABELS, min_size=2, max_size=6, unique=True),
    st.lists(LABELS, min_size=2, max_size=6, unique=True),
    st.data(),
)
def test_every_rating_of_a_grid_comes_back(tmp_path_factory, users, items, data):
    rating = st.one_of(st.none(), st.integers(-3, 40).map(lambda n: n / 2))
    values = [[data.draw(rating) for _ in items] for _ in users]
    values[0][0], values[1][-1] = 1, 2
    frame = pd.DataFrame(values, index=users, columns=items)
    frame.index.name = "user"
    folder = tmp_path_factory.mktemp("grids")
    expected = [
        (user, item, value)
        for user, row in zip(users, values, strict=True)
        for item, value in zip(items, row, strict=True)
        if value is not None
    ]
    frame.to_csv(folder / "grid.csv")
    frame.to_excel(folder / "grid.xlsx")
    for name in ("grid.csv", "grid.xlsx"):
        assert table_of(load_ratings(folder / name)) == expected
    frame.T.to_csv(folder / "turned.csv")
    assert sorted(table_of(load_ratings(folder / "turned.csv", items_down=True))) == sorted(expected)
