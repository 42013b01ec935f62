import pytest

from cf_excel.errors import InputError
from cf_excel.ratings.nouns import Nouns, capital, check_nouns, in_a_sentence, is_noun, plural, with_article
from cf_excel.ratings.readers import load_ratings


@pytest.mark.parametrize(
    ("noun", "several"),
    [
        *(("user", "users"), ("movie", "movies"), ("customer", "customers"), ("category", "categories")),
        *(("box", "boxes"), ("dish", "dishes"), ("business", "businesses"), ("toy", "toys"), ("SKU", "SKUs")),
        *(("series", "series"), ("products", "products"), ("person", "people")),
        *(("Kunde", "Kunden"), ("Produkt", "Produkte"), ("Artikel", "Artikel")),
    ],
)
def test_plurals(noun, several):
    assert plural(noun) == several
    assert Nouns(noun, noun).users == Nouns(noun, noun).movies == several


def test_words_in_a_sentence():
    assert [*map(with_article, ("user", "movie", "item", "artist"))] == ["a user", "a movie", "an item", "an artist"]
    assert [*map(in_a_sentence, ("Customer", "PRODUCT", "Kunde", "SKU"))] == ["customer", "product", "Kunde", "SKU"]
    assert [capital("wine from France"), capital("")] == ["Wine from France", ""]


@pytest.mark.parametrize("noun", ["", "  ", "x" * 41, 'a "cup"', "two\nlines", 5, None])
def test_what_can_not_stand_for_a_movie(noun):
    assert not is_noun(noun)


def test_nouns_of_ones_own(tmp_path):
    (tmp_path / "scores.csv").write_text("Client,Article,Score\nAnn,Mug,5\nBob,Cup,4\n")
    assert load_ratings(tmp_path / "scores.csv").nouns == ("client", "article")
    assert load_ratings(tmp_path / "scores.csv", nouns=(" guest ", "Wein")).nouns == Nouns("guest", "Wein")
    with pytest.raises(InputError, match="expected a word, such as customer, 40 characters at most"):
        check_nouns(("guest", "two\nlines"))
    with pytest.raises(InputError, match="two different words"):
        check_nouns(("guest", "guest "))
