"""Cells read from a sheet's own bytes."""

import pytest
from support.sheet_parts import changed, sheet

from cf_excel.errors import FileError


def test_values_of_every_kind():
    found = sheet(
        '<row r="1"><c r="A1"><v>1.5</v></c><c r="B1" t="s"><v>1</v></c><c r="C1" t="b"><v>1</v></c>'
        '<c r="D1" t="e"><v>#N/A</v></c><c r="E1" t="inlineStr"><is><r><t>a&amp;</t></r><r><t>b</t></r></is></c>'
        '<c r="F1" t="str"><f>X</f><v>_x0041_ &lt;</v></c><c r="G1" s="3"/><c r="H1"><v/></c>'
        '<c r="I1" t="str"><v></v></c></row>',
        ("no", "yes"),
    )
    values = [found.value((1, column)) for column in range(1, 11)]
    assert values == [1.5, "yes", True, "#N/A", "a&b", "A <", None, None, "", None]
    assert found.style((1, 7)) == 3


def test_places_that_are_not_written_follow_from_the_order():
    found = sheet('<row><c><v>1</v></c><c><v>2</v></c></row><row r="5"><c r="C5"><v>3</v></c><c><v>4</v></c></row>')
    assert {address: found.value(address) for address in found.addresses} == {
        (1, 1): 1,
        (1, 2): 2,
        (5, 3): 3,
        (5, 4): 4,
    }


def test_array_formulas_own_the_cells_they_fill():
    found = sheet(
        '<row r="1"><c r="A1"><f t="array" ref="A1:B1">C1:D1</f><v>1</v></c><c r="B1"><v>2</v></c>'
        '<c r="C1"><v>3</v></c></row>'
    )
    assert [found.formula((1, column)) is None for column in (1, 2, 3)] == [False, False, True]
    assert found.formula((1, 2)).array.address == "A1:B1"


def test_comments_and_marked_texts_are_not_taken_for_cells():
    found = sheet(
        '<!-- <c r="A1"><v>9</v></c> --><row r="1"><c r="A1"><!-- <v>8</v> --><v>1</v></c>'
        '<c r="B1"><f><![CDATA[A1<2]]></f><v>0</v></c></row>'
    )
    assert found.value((1, 1)) == 1
    assert '<c r="B1"><f><![CDATA[A1<2]]></f><v>5</v></c>' in changed(found, {}, {(1, 2): 5.0})


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ('<row r="1"><c r="A1"/><c r="A1"/></row>', "there twice"),
        ('<row r="1"><c r="XFE1"/></row>', "outside the sheet"),
        ('<row r="1"><c r="A1" t="s"><v>9</v></c></row>', "cell A1 holds '9', damaged"),
        ('<row r="1"><c r="A1"><v>one</v></c></row>', "cell A1 holds 'one', damaged"),
    ],
)
def test_damaged_cells_are_named(rows, says):
    with pytest.raises(FileError, match=says):
        sheet(rows).value((1, 1))
