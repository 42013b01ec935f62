"""Rows of one shape are read once: what that saves must not show, whatever is in between."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl.formula.translate import Translator
from support.sheet_parts import MAIN

from cf_excel.errors import FileError
from cf_excel.xlsx.cells import Block, cell
from cf_excel.xlsx.edit.new_values import Results
from cf_excel.xlsx.edit.sheet_edit import changed_sheet
from cf_excel.xlsx.edit.sheet_xml import Address, SheetXml

TAG = f"{{{MAIN}}}"
NUMBERS = ["0", "5", "12", "-0.5", "1e-7", "3.25E+5", "7"]
# What a cell of a column may look like: {a} is its address, {r} its row, {v} a number.
CELLS = [
    '<c r="{a}" s="1"><v>{v}</v></c>',
    '<c r="{a}" s="{r}"><v>{v}</v></c>',
    '<c r="{a}"/>',
    '<c r="{a}" s="2"><f t="shared" si="0"/><v>{v}</v></c>',
    '<c r="{a}" t="n" s="2"><f t="shared" si="{r}"/><v>{v}</v></c>',
    '<c r="{a}"><f>$A$1+{r}</f><v>{v}</v></c>',
    '<c r="{a}"><f>$A$1*2</f><v>{v}</v></c>',
    '<c r="{a}" t="str"><f>$A$1&amp;""</f><v>{v}</v></c>',
    '<c r="{a}" t="str"><v>a&lt;{v}</v></c>',
    '<c r="{a}" t="b"><v>1</v></c>',
    '<c r="{a}" t="inlineStr"><is><t>v{v}</t></is></c>',
    '<c s="3"><v>{v}</v></c>',
    "<c r='{a}'><v>{v}</v></c>",
    '<c r="{a}"><v xml:space="preserve">{v}</v></c>',
    '<c r="{a}"><v>{v}</v><extLst><ext uri="{r}"/></extLst></c>',
    '<c r="{a}"><f t="array" ref="{a}">SUM($A$1)</f><v>{v}</v></c>',
    '<c r="{a}"><v></v></c>',
    '<c r="{a}"><!-- <v>9</v> --><v>{v}</v></c>',
]
ROWS = ['<row r="{r}">', '<row r="{r}" spans="1:{r}">', '<row r="{r}" ht="15">', "<row r='{r}'>"]
Oracle = dict[Address, tuple[object, str | None]]


@st.composite
def sheets(draw: st.DrawFn) -> bytes:
    """Many rows like each other, and some that differ somewhere."""
    n_columns = draw(st.integers(1, 4))
    usual = [draw(st.sampled_from(CELLS[:4])) for _ in range(n_columns)]
    first = draw(st.sampled_from([1, 5, 9, 98]))
    rows, number = [], first - 1
    for _ in range(draw(st.integers(1, 8))):
        number += draw(st.sampled_from([1, 1, 1, 2]))
        looks, head = list(usual), ROWS[0]
        if draw(st.integers(0, 3)) == 0:
            looks[draw(st.integers(0, n_columns - 1))] = draw(st.sampled_from(CELLS))
            head = draw(st.sampled_from(ROWS))
        cells = "".join(
            look.format(a=cell(number, column), r=number, v=draw(st.sampled_from(NUMBERS)))
            for column, look in enumerate(looks, 1)
        )
        rows.append(head.format(r=number) + cells + "</row>" + draw(st.sampled_from(["", "", "", "\n", "<!-- x -->"])))
    master = (
        f'<row r="{number + 1}"><c r="A{number + 1}"><f t="shared" ref="A1:D{number}" si="0">B{number + 1}*$C$1</f>'
    )
    rows.append(f"{master}<v>1</v></c></row>")
    return f'<worksheet xmlns="{MAIN}"><sheetData>{"".join(rows)}</sheetData><x r="1"/></worksheet>'.encode()


def read(xml: bytes) -> Oracle:
    """Read values and formulas with the standard library, one by one."""
    found: Oracle = {}
    masters: dict[str, tuple[str, str]] = {}
    shared = []
    for row in ElementTree.fromstring(xml).iter(f"{TAG}row"):
        column = 0
        for one in row:
            place = re.fullmatch(r"([A-Z]+)(\d+)", one.get("r", ""))
            column = ord(place[1]) - 64 if place else column + 1
            address = int(row.get("r")), column
            text, kind = one.findtext(f"{TAG}v") or "", one.get("t", "n")
            value = float(text) if text and kind == "n" else bool(text) if kind == "b" else text or None
            if kind == "inlineStr":
                value = one.findtext(f"{TAG}is/{TAG}t")
            formula = one.find(f"{TAG}f")
            if formula is not None and formula.get("t") == "shared":
                shared.append((address, formula.get("si")))
                if formula.text:
                    masters[formula.get("si")] = cell(*address), formula.text
            found[address] = value, None if formula is None else formula.text or ""
    for address, group in shared:
        if group in masters:
            origin, text = masters[group]
            moved = Translator(f"={text}", origin).translate_formula(cell(*address))[1:]
            found[address] = found[address][0], moved
    return found


def shown(sheet: SheetXml, address: Address) -> tuple[object, str | None]:
    formula = sheet.formula(address)
    return sheet.value(address), None if formula is None else sheet.shown_formula(address)


@given(xml=sheets())
def test_cells_are_what_they_are_one_by_one(xml):
    sheet, expected = SheetXml(xml, [], "s"), read(xml)
    assert sorted(sheet.addresses) == sorted(expected)
    assert {address: shown(sheet, address) for address in expected} == expected
    # the rectangles of formulas are the same formulas
    filled = {place for fill in sheet.fills for place in sheet.addresses_in(fill.block)}
    assert filled == {address for address, (_, formula) in expected.items() if formula is not None}
    for fill in sheet.fills:
        for place in sheet.addresses_in(fill.block):
            assert fill.at(*place) == sheet.formula(place)


@given(xml=sheets(), data=st.data())
def test_what_changes_does_and_all_else_stays(xml, data):
    sheet, before = SheetXml(xml, [], "s"), read(xml)
    constants = [address for address, (_, formula) in before.items() if formula is None]
    formulas = [address for address in before if address not in constants]
    numbers = {a: data.draw(st.sampled_from([1.5, -2.0])) for a in constants if data.draw(st.booleans())}
    values = st.sampled_from([2.5, 3.0, "<text>", True, None])
    results = Results({a: data.draw(values) for a in formulas if data.draw(st.booleans())})
    if formulas and data.draw(st.booleans()):
        row, column = data.draw(st.sampled_from(formulas))
        if all((row + i, column) in formulas for i in range(2)):
            results.cells.pop((row, column), None)
            results.put(
                Block(row, column, row + 1, column), data.draw(st.sampled_from([1, 9])) * np.array([[0.1], [1]])
            )
    new = b"".join(changed_sheet(sheet, numbers, results))
    after = read(new)
    expected = {address: value for address, (value, _) in before.items()}
    expected |= {address: results[address] for address in before if address in results} | numbers
    assert after == {address: (expected[address], formula) for address, (_, formula) in before.items()}
    touched = {address for address in before if address in numbers or address in results}
    assert without_cells(new, touched, list(before)) == without_cells(xml, touched, list(before))
    assert b"".join(changed_sheet(sheet, {}, Results())) == xml


def without_cells(xml: bytes, touched: set[Address], order: list[Address]) -> bytes:
    """Everything but what is in some cells."""
    root = ElementTree.fromstring(xml)
    for one, address in zip(root.iter(f"{TAG}c"), order, strict=True):
        if address in touched:
            kept = {name: value for name, value in one.attrib.items() if name in "rs"}
            one.clear()
            one.attrib.update(kept)
    return ElementTree.tostring(root)


ROW = '<row r="{r}"><c r="A{r}"><v>{v}</v></c></row>'


@pytest.mark.parametrize(
    "spoilt",
    [
        '<row r="3"><c r="A3"><v>5</6</v></c></row>',
        '<row r="3"><c r="A3"><v>5v></c></row>',
        '<row r="3"><c r="A3"><v>&x;</v></c></row>',
        '<row r="3"><c r="A3"><v>\0</v></c></row>',
        '<row r="3"><c r="A3"><v>3</v></row>',
        '<row r="3"><c r="A3"><v>3</v></c></row></row>',
        '<row r="3"/></row>',
        '<row r="3"><c r="A3><v>3</v></c></row>',
        '<row r="3"><c r="A3"><v>3</v></c></row><row r="4"/></row><row r="5"/></row>',
    ],
)
def test_one_broken_row_among_good_ones_is_noticed(spoilt):
    rows = [ROW.format(r=r, v=r) for r in (1, 2)] + [spoilt] + [ROW.format(r=r, v=r) for r in (6, 7)]
    for at in (1, 2, 3):
        given = [*rows[:2], *rows[3:]]
        given.insert(at, spoilt)
        with pytest.raises(FileError, match="is damaged"):
            SheetXml(f'<worksheet xmlns="{MAIN}"><sheetData>{"".join(given)}</sheetData></worksheet>'.encode(), [], "s")


def test_many_rows_of_one_shape_are_read_once(monkeypatch):
    from cf_excel.xlsx.edit.sheet_rows import SheetRows

    calls, real = [], SheetRows.read_shape
    monkeypatch.setattr(SheetRows, "read_shape", lambda self, row: calls.append(row.number) or real(self, row))
    rows = "".join(ROW.format(r=r, v=r % 7) for r in range(1, 5001))
    sheet = SheetXml(f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>'.encode(), [], "s")
    assert len(calls) < 5
    assert [sheet.value((r, 1)) for r in (1, 77, 5000)] == [1, 0, 5000 % 7]
