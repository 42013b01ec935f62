"""Cells changed in a sheet's own bytes: what is not named stays as it is written."""

import numpy as np
import pytest
from support.sheet_parts import MAIN, changed, sheet

from cf_excel.xlsx.cells import Block
from cf_excel.xlsx.edit.new_values import Results
from cf_excel.xlsx.edit.sheet_xml import SheetXml


def test_new_cells_go_where_they_belong():
    found = sheet('<row r="2" spans="1:3"><c r="B2" s="1"/><c r="D2"><v>4</v></c></row><row r="4"/>')
    new = {(2, 2): 2.5, (2, 1): 1, (2, 3): 3, (2, 5): 5, (4, 2): 7, (3, 1): 6, (9, 1): 8, (1, 1): 0}
    assert changed(found, new, {}) == (
        '<row r="1"><c r="A1"><v>0</v></c></row>'
        '<row r="2" spans="1:3"><c r="A2"><v>1</v></c><c r="B2" s="1"><v>2.5</v></c><c r="C2"><v>3</v></c>'
        '<c r="D2"><v>4</v></c><c r="E2"><v>5</v></c></row>'
        '<row r="3"><c r="A3"><v>6</v></c></row><row r="4"><c r="B4"><v>7</v></c></row>'
        '<row r="9"><c r="A9"><v>8</v></c></row>'
    )


def test_an_empty_sheet_gets_its_first_cell():
    xml = f'<worksheet xmlns="{MAIN}"><sheetData/></worksheet>'.encode()
    assert changed(SheetXml(xml, [], "s"), {(1, 1): 1}, {}) == '<row r="1"><c r="A1"><v>1</v></c></row>'


def test_results_change_and_formulas_stay():
    found = sheet(
        '<row r="1"><c r="A1" s="2" t="str"><f ca="1">B1&lt;2</f><v>x</v></c><c r="B1"><f>C1</f></c>'
        '<c r="C1" cm="1"><f t="array" ref="C1">D1</f><v>1</v><extLst/></c><c r="D1" t="e"><f>E1</f>'
        "<v>#N/A</v></c></row>"
    )
    assert changed(found, {}, {(1, 1): 2.0, (1, 2): "<a>", (1, 3): None, (1, 4): True}) == (
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
    assert changed(found, {(1, 1): 7}, {(2, 1): 9.0}, drop_formulas=True) == (
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
    assert changed(found, {(1, 1): 7}, results, drop_formulas=True) == (
        '<row r="1"><c r="A1"><v>7</v></c></row><row r="2"><c r="A2"><f>B2</f><v>5</v></c></row>'
    )


def test_what_a_cell_says_besides_its_value_stays():
    """Its style and what belongs to neither value nor formula; what told of the old value goes."""
    found = sheet(
        '<row r="1"><c r="A1" s="7" t="s"><v>0</v></c><c s=\'4\' r="B1" cm="1" vm="2"><v>1</v></c>'
        '<c r="C1" t="inlineStr" s="2"><is><t>x</t></is></c><c r="D1" s="5"><v>1</v><extLst><ext/></extLst></c></row>',
        ("a",),
    )
    assert changed(found, dict.fromkeys([(1, 1), (1, 2), (1, 3), (1, 4)], 0.5), {}) == (
        '<row r="1"><c r="A1" s="7"><v>0.5</v></c><c s=\'4\' r="B1"><v>0.5</v></c>'
        '<c r="C1" s="2"><v>0.5</v></c><c r="D1" s="5"><v>0.5</v><extLst><ext/></extLst></c></row>'
    )


@pytest.mark.parametrize(
    "row",
    [
        '<row r="2" hidden="1" ht="0" customHeight="1">',
        '<row r="2" s="3" customFormat="1" collapsed="1">',
        "<row spans='1:9' r='2' outlineLevel=\"2\">",
    ],
)
def test_rows_that_are_hidden_or_styled_stay_so(row):
    found = sheet(f'{row}<c r="A2"><v>1</v></c><c r="B2"><f>A2</f><v>1</v></c></row>')
    expected = f'{row}<c r="A2"><v>3</v></c><c r="B2"><f>A2</f><v>4</v></c><c r="C2"><v>5</v></c></row>'
    assert changed(found, {(2, 1): 3, (2, 3): 5}, {(2, 2): 4.0}) == expected


def test_rows_and_cells_without_a_place_are_counted_and_get_none():
    found = sheet("<row><c><v>1</v></c><c s='1'><v>2</v></c></row><row><c><v>3</v></c></row><row r=\"9\"/><row/>")
    assert changed(found, {(1, 2): 5, (2, 1): 6, (2, 2): 7, (5, 1): 8, (10, 1): 9}, {}) == (
        "<row><c><v>1</v></c><c s='1'><v>5</v></c></row>"
        '<row><c><v>6</v></c><c r="B2"><v>7</v></c></row>'
        '<row r="5"><c r="A5"><v>8</v></c></row><row r="9"/><row><c r="A10"><v>9</v></c></row>'
    )


def test_cells_out_of_order_keep_their_order():
    found = sheet(
        '<row r="3"><c r="C3"><f>A3</f><v>1</v></c><c r="A3"><v>2</v></c></row>'
        '<row r="1"><c r="B1"><f>A3</f><v>3</v></c><c r="A1"><f>A3</f><v>4</v></c></row>'
    )
    results = Results({(3, 3): 7.0})
    results.put(Block(1, 1, 1, 2), np.array([[5.0, 6.0]]))
    assert changed(found, {(3, 1): 8, (3, 2): 9}, results) == (
        '<row r="3"><c r="C3"><f>A3</f><v>7</v></c><c r="A3"><v>8</v></c><c r="B3"><v>9</v></c></row>'
        '<row r="1"><c r="B1"><f>A3</f><v>6</v></c><c r="A1"><f>A3</f><v>5</v></c></row>'
    )


def test_a_formula_stays_unless_it_is_to_go():
    """The number counts, and the formula would replace it at the next calculation."""
    row = '<row r="1"><c r="A1" s="1"><f>B1*2</f><v>{}</v></c></row>'
    found = sheet(row.format(1))
    assert changed(found, {(1, 1): 2}, {}, drop_formulas=True) == '<row r="1"><c r="A1" s="1"><v>2</v></c></row>'


def test_the_first_of_shared_formulas_leaves_its_text_to_the_others():
    """Each with what it refers to from its own place, and each of another group alone."""
    found = sheet(
        '<row r="1"><c r="A1"><f t="shared" ref="A1:B2" si="3">$D1+D$1&amp;"D1"</f><v>0</v></c>'
        '<c r="B1"><f t="shared" si="3"/><v>0</v></c>'
        '<c r="C1"><f t="shared" ref="C1:C2" si="4">E1</f><v>0</v></c></row>'
        '<row r="2"><c r="A2"><f t="shared" si="3"/><v>0</v></c><c r="B2" s="1"><f t="shared" si="3"/><v>0</v></c>'
        '<c r="C2"><f t="shared" si="4"/><v>0</v></c></row>'
    )
    assert changed(found, {(1, 1): 7}, {(2, 1): 9.0}, drop_formulas=True) == (
        '<row r="1"><c r="A1"><v>7</v></c><c r="B1"><f>$D1+E$1&amp;"D1"</f><v>0</v></c>'
        '<c r="C1"><f t="shared" ref="C1:C2" si="4">E1</f><v>0</v></c></row>'
        '<row r="2"><c r="A2"><f>$D2+D$1&amp;"D1"</f><v>9</v></c><c r="B2" s="1"><f>$D2+E$1&amp;"D1"</f><v>0</v></c>'
        '<c r="C2"><f t="shared" si="4"/><v>0</v></c></row>'
    )


def test_a_follower_of_shared_formulas_goes_alone():
    found = sheet(
        '<row r="1"><c r="A1"><f t="shared" ref="A1:A3" si="0">B1</f><v>0</v></c></row>'
        '<row r="2"><c r="A2"><f t="shared" si="0"/><v>0</v></c></row>'
        '<row r="3"><c r="A3"><f t="shared" si="0"/><v>0</v></c></row>'
    )
    assert changed(found, {(2, 1): 7}, {(3, 1): 1.0}, drop_formulas=True) == (
        '<row r="1"><c r="A1"><f t="shared" ref="A1:A3" si="0">B1</f><v>0</v></c></row>'
        '<row r="2"><c r="A2"><v>7</v></c></row><row r="3"><c r="A3"><f t="shared" si="0"/><v>1</v></c></row>'
    )


def test_array_formulas_get_results_in_every_cell_that_they_fill():
    found = sheet(
        '<row r="1"><c r="A1" cm="1"><f t="array" ref="A1:B2" aca="1">C1:D2</f><v>1</v></c><c r="B1"><v>2</v></c></row>'
        '<row r="2"><c r="A2"><v>3</v></c><c r="B2" t="str"><v>four</v></c></row>'
    )
    results = {(1, 1): 5.0, (1, 2): None, (2, 1): "six", (2, 2): 8.0}
    assert changed(found, {}, results) == (
        '<row r="1"><c r="A1" cm="1"><f t="array" ref="A1:B2" aca="1">C1:D2</f><v>5</v></c><c r="B1"></c></row>'
        '<row r="2"><c r="A2" t="str"><v>six</v></c><c r="B2"><v>8</v></c></row>'
    )


def test_a_table_of_results_is_written_as_single_ones_are():
    """Whether all of its cells can take a number between their tags, or some can't."""
    for kind in ("", ' t="str"'):
        rows = "".join(
            f'<row r="{row}"><c r="A{row}"{kind}><f>C1</f><v>1</v></c><c r="B{row}"><f>C1</f><v>1</v></c></row>'
            for row in (1, 2, 3)
        )
        values = np.array([[0.1, -2.0], [3.0, 1e300]])
        table = Results()
        table.put(Block(1, 1, 3, 2), values, np.array([1, 0, 1]))
        single = {(row, column): table[row, column] for row in (1, 2, 3) for column in (1, 2)}
        assert changed(sheet(rows), {}, table) == changed(sheet(rows), {}, single)
        assert "<v>1e+300</v>" in changed(sheet(rows), {}, table)


def test_prefixed_elements_stay_prefixed():
    rows = '<x:row r="1"><x:c r="A1"><x:v>1</x:v></x:c><x:c r="B1"><x:f>A1</x:f></x:c></x:row>'
    xml = f'<x:worksheet xmlns:x="{MAIN}"><x:sheetData>{rows}</x:sheetData></x:worksheet>'.encode()
    assert changed(SheetXml(xml, [], "s"), {(1, 1): 2, (1, 3): 4, (2, 1): 5}, {(1, 2): 3.0}) == (
        '<x:row r="1"><x:c r="A1"><x:v>2</x:v></x:c><x:c r="B1"><x:f>A1</x:f><x:v>3</x:v></x:c>'
        '<x:c r="C1"><x:v>4</x:v></x:c></x:row><x:row r="2"><x:c r="A2"><x:v>5</x:v></x:c></x:row>'
    )


def test_nothing_to_change_changes_no_byte():
    row = '<row r="1">\n <c r="A1" ><v>1.50</v></c >\n</row><!-- x --><row r="2"/>'
    assert changed(sheet(row), {}, {}) == row
