"""Texts as cells hold them."""

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cf_excel.errors import InputError
from cf_excel.xlsx.texts import MAX_TEXT, clean_text, shown_ids, shown_value, typed_value, xml_text


@given(st.text(st.characters(), max_size=60))
def test_any_text_is_xml_and_reads_back(text):
    assert (ElementTree.fromstring(f"<t>{xml_text(text)}</t>").text or "").replace("_x005F_", "_") == clean_text(text)


def test_what_xml_forbids_is_shown():
    assert clean_text("a\x00b\x1fc\ud800d\uffffe\x7f") == "a␀b␟c\ufffdd\ufffde\x7f"
    assert clean_text("a\r\nb\rc\td") == "a\nb\nc\td"


def test_texts_end_where_a_cell_ends():
    assert clean_text("a" * MAX_TEXT) == "a" * MAX_TEXT
    assert clean_text("a" * 40_000) == "a" * (MAX_TEXT - 1) + "…"
    assert clean_text("🎈" * 20_000) == "🎈" * (MAX_TEXT // 2) + "…"  # a balloon counts twice in a cell


def test_what_looks_like_an_escape_is_none():
    assert xml_text("_x0041_x0042_ _x41_ <") == "_x005F_x0041_x005F_x0042_ _x41_ &lt;"


def test_values_that_a_cell_shows():
    assert [shown_value(value) for value in (15, 10**15, 1e15, None, "a\x01")] == [15, "1" + "0" * 15, 1e15, None, "a␁"]


@pytest.mark.parametrize("text", ["007", "1/2", "TRUE", "12345678901234567", "=1+1", "+1", "'x", "1e5", "#N/A", "ann"])
def test_texts_are_typed_as_texts(text):
    assert typed_value(text) == f"'{text}"


def test_other_values_are_typed_as_they_are():
    assert [typed_value(value) for value in (15, 0.5, None, float("nan"), "")] == [15, 0.5, None, None, ""]
    assert typed_value(12345678901234567) == "'12345678901234567"


def test_ids_are_all_numbers_or_all_texts():
    assert shown_ids("users", [3, 1]) == [3, 1]
    assert shown_ids("users", [3, 10**16]) == ["3", "1" + "0" * 16]
    assert shown_ids("users", ["a\x01", "a\x02", "a\x0b"]) == ["a␁", "a␂", "a␋"]
    with pytest.raises(InputError, match=r"^movies 'a\\rb' and 'a\\nb' are different ids, but the same text in a cell"):
        shown_ids("movies", ["a\rb", "c", "a\nb"])
