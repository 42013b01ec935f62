"""Cells read from and changed in a sheet's own bytes."""

from xml.etree import ElementTree

import numpy as np
import pytest
from support.sheet_parts import MAIN

from cf_excel.errors import FileError
from cf_excel.xlsx.cells import Block
from cf_excel.xlsx.edit.new_values import Results
from cf_excel.xlsx.edit.sheet_edit import changed_sheet
from cf_excel.xlsx.edit.sheet_xml import Address, CellValue, SheetXml


def sheet(rows: str, strings: tuple[str, ...] = ()) -> SheetXml:
    return SheetXml(f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>'.encode(), list(strings), "s")


def changed(
    found: SheetXml, numbers: dict[Address, float], results: dict[Address, CellValue], **options: bool
) -> bytes:
    return b"".join(changed_sheet(found, numbers, Results(results), **options))


def rows_of(xml: bytes) -> str:
    ElementTree.fromstring(xml)
    return xml.decode().partition("<sheetData>")[2].partition("</sheetData>")[0]


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


def test_new_cells_go_where_they_belong():
    found = sheet('<row r="2" spans="1:3"><c r="B2" s="1"/><c r="D2"><v>4</v></c></row><row r="4"/>')
    new = {(2, 2): 2.5, (2, 1): 1, (2, 3): 3, (2, 5): 5, (4, 2): 7, (3, 1): 6, (9, 1): 8, (1, 1): 0}
    assert rows_of(changed(found, new, {})) == (
        '<row r="1"><c r="A1"><v>0</v></c></row>'
        '<row r="2" spans="1:3"><c r="A2"><v>1</v></c><c r="B2" s="1"><v>2.5</v></c><c r="C2"><v>3</v></c>'
        '<c r="D2"><v>4</v></c><c r="E2"><v>5</v></c></row>'
        '<row r="3"><c r="A3"><v>6</v></c></row><row r="4"><c r="B4"><v>7</v></c></row>'
        '<row r="9"><c r="A9"><v>8</v></c></row>'
    )


def test_an_empty_sheet_gets_its_first_cell():
    xml = f'<worksheet xmlns="{MAIN}"><sheetData/></worksheet>'.encode()
    assert rows_of(changed(SheetXml(xml, [], "s"), {(1, 1): 1}, {})) == '<row r="1"><c r="A1"><v>1</v></c></row>'


def test_results_change_and_formulas_stay():
    found = sheet(
        '<row r="1"><c r="A1" s="2" t="str"><f ca="1">B1&lt;2</f><v>x</v></c><c r="B1"><f>C1</f></c>'
        '<c r="C1" cm="1"><f t="array" ref="C1">D1</f><v>1</v><extLst/></c><c r="D1" t="e"><f>E1</f>'
        "<v>#N/A</v></c></row>"
    )
    assert rows_of(changed(found, {}, {(1, 1): 2.0, (1, 2): "<a>", (1, 3): None, (1, 4): True})) == (
        '<row r="1"><c r="A1" s="2"><f ca="1">B1&lt;2</f><v>2</v></c><c r="B1" t="str"><f>C1</f><v>&lt;a&gt;</v></c>'
        '<c r="C1" cm="1"><f t="array" ref="C1">D1</f><extLst/></c><c r="D1" t="b"><f>E1</f><v>1</v></c></row>'
    )


def test_shared_formulas_are_followed():
    found = sheet(
        '<row r="1"><c r="A1"><f t="shared" ref="A1:A3" si="0">B1*$B$1</f></c></row>'
        '<row r="2"><c r="A2"><f t="shared" si="0"/></c></row><row r="3"><c r="A3">'
        '<f t="shared" si="0"/><v>1</v></c></row>'
    )
    assert found.shown_formula((3, 1)) == "B3*$B$1"
    assert [block.address for block in found.formula((2, 1)).blocks] == ["B2", "B1"]
    assert rows_of(changed(found, {(1, 1): 7}, {(2, 1): 9.0}, drop_formulas=True)) == (
        '<row r="1"><c r="A1"><v>7</v></c></row><row r="2"><c r="A2"><f>B2*$B$1</f><v>9</v></c></row>'
        '<row r="3"><c r="A3"><f>B3*$B$1</f><v>1</v></c></row>'
    )


def test_a_formula_that_gets_its_own_text_keeps_a_result_of_a_table():
    found = sheet(
        '<row r="1"><c r="A1"><f t="shared" ref="A1:A2" si="0">B1</f><v>1</v></c></row>'
        '<row r="2"><c r="A2"><f t="shared" si="0"/><v>1</v></c></row>'
    )
    results = Results()
    results.put(Block(2, 1, 2, 1), np.array([[5.0]]))
    new = b"".join(changed_sheet(found, {(1, 1): 7}, results, drop_formulas=True))
    assert rows_of(new) == ('<row r="1"><c r="A1"><v>7</v></c></row><row r="2"><c r="A2"><f>B2</f><v>5</v></c></row>')


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
    assert '<c r="B1"><f><![CDATA[A1<2]]></f><v>5</v></c>' in rows_of(changed(found, {}, {(1, 2): 5.0}))


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
