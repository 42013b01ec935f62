"""Columns are found by names in four languages, by options, or by numbers."""

import pytest
from support.ratings_files import table_of

from cf_excel.errors import InputError
from cf_excel.ratings.column_names import noun_of
from cf_excel.ratings.readers import load_ratings

HEADERS = [
    ("User-ID", "ISBN", "Book-Rating"),
    ("reviewerID", "asin", "overall"),
    ("customer_id", "product_id", "star_rating"),
    ("user_id", "business_id", "stars"),
    ("user_id", "anime_id", "rating"),
    ("Customer", "SKU", "Quantity"),
    ("user", "artist", "plays"),
    ("Client", "Article", "Score"),
    ("Kunde", "Artikel", "Bewertung"),
    ("Kundennr.", "Artikelnummer", "Menge"),
    ("Nutzer", "Buch", "Sterne"),
    ("utilisateur", "livre", "étoiles"),
    ("Client", "Produit", "Quantité"),
    ("usuario", "película", "puntuación"),
    ("Cliente", "Artículo", "Calificación"),
    ("Customer (name)", "Product [SKU]", "Rating (1-5)"),
    ("Customer:", "Product *", "Stars 1 to 5"),
    ("Customer", "Product", "Average of Rating"),
    ("Kunde", "Artikel", "Summe von Menge"),
]


def read(tmp_path, text, **options):
    path = tmp_path / "ratings.csv"
    path.write_text(text, encoding="utf-8")
    return load_ratings(path, **options)


@pytest.mark.parametrize("header", HEADERS, ids=" ".join)
def test_usual_names(tmp_path, header):
    assert table_of(read(tmp_path, ";".join(header) + ";other\na;b;3;z\n")) == [("a", "b", 3)]


def test_what_explains_a_header_is_no_part_of_its_noun(tmp_path):
    ratings = read(tmp_path, '"Customer\nname","Product\n(short)","Rating\n1-5"\na,b,3\n')
    assert table_of(ratings) == [("a", "b", 3)]
    assert ratings.nouns == ("customer", "product")
    assert read(tmp_path, "Customer,Product,Rating,Rating (max)\na,b,3,5\n").rating.tolist() == [3]


def test_a_title_beside_the_id_of_an_item_is_no_id(tmp_path):
    assert table_of(read(tmp_path, "customer,title,sku,stars\na,Mug,7,3\n")) == [("a", 7, 3)]
    assert table_of(read(tmp_path, "customer,title,stars\na,Mug,3\n")) == [("a", "Mug", 3)]


def test_columns_by_number(tmp_path):
    numbers = {"user": "2", "movie": "3", "rating": "1"}
    rows = "5,a,x\n4,b,x\n"
    read_rows = [("a", "x", 5), ("b", "x", 4)]
    assert table_of(read(tmp_path, rows, columns=numbers)) == read_rows
    assert table_of(read(tmp_path, "stars,who,what\n" + rows, columns=numbers)) == read_rows
    assert table_of(read(tmp_path, "stars,who,item\n" + rows, columns={"user": "2"})) == read_rows
    wide = "".join(f"{line},q,1\n" for line in rows.splitlines())
    assert table_of(read(tmp_path, wide, columns=numbers)) == read_rows
    assert table_of(read(tmp_path, "2,1,x\n9,8,7\n", columns={"user": "1", "movie": "x", "rating": "2"})) == [(8, 7, 9)]
    with pytest.raises(InputError, match=r"has no column '9' \(found: 5, a, x\)"):
        read(tmp_path, rows, columns=numbers | {"user": "9"})


def test_all_columns_that_are_missing_are_named_at_once(tmp_path):
    with pytest.raises(InputError) as error:
        read(tmp_path, "who,what,mark\na,b,3\n", columns={"movie": "item"})
    assert str(error.value) == (
        "ratings.csv has no columns 'userId', 'item', 'rating' (found: who, what, mark): pass --user-column NAME, "
        "--movie-column NAME and --rating-column NAME, or --form grid where every movie has a column"
    )


@pytest.mark.parametrize(
    ("header", "noun"),
    [
        ("Customer ID", "customer"),
        ("customer_id", "customer"),
        ("userId", "user"),
        ("Kundennr.", "Kunden"),
        ("Product", "product"),
        ("ISBN", "movie"),
        ("id", "movie"),
        ("", "movie"),
        ("x" * 50, "movie"),
    ],
)
def test_nouns(header, noun):
    assert noun_of(header, "movie") == noun
