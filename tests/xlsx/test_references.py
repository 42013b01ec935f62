"""What formulas refer to."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl.formula.translate import Translator

from cf_excel.xlsx.cells import MAX_COLUMNS, MAX_ROWS, Block, cell
from cf_excel.xlsx.references import same_cells, take_apart


@pytest.mark.parametrize(
    ("formula", "skeleton", "blocks"),
    [
        ('IF(H2="",0,MMULT($B25:$F25,H$19:H$23))', 'IF(#="",0,MMULT(#,#))', ["H2", "B25:F25", "H19:H23"]),
        ("SUM( A1 , B2:C3 )\n+ 1", "SUM(#,#)+1", ["A1", "B2:C3"]),
        ('"A1 and B2"&C3', '"A1 and B2"&#', ["C3"]),
        ('"a ""quoted"" A1"&C3', '"a ""quoted"" A1"&#', ["C3"]),
        ("LOG10(A1)+ATAN2(B1,C1)", "LOG10(#)+ATAN2(#,#)", ["A1", "B1", "C1"]),
        ("rate1+A1x+_A1+taxes2024", "rate1+A1x+_A1+taxes2024", []),
        ("1E5+A1", "1E5+#", ["A1"]),
        ("SUM(A:C)+SUM(2:3)", "SUM(#)+SUM(#)", [f"A1:C{MAX_ROWS}", "A2:XFD3"]),
        ("Mine[rating]+Mine[[#This Row],[A1]]", "Mine[rating]+Mine[[#ThisRow],[A1]]", None),
    ],
)
def test_formulas_are_taken_apart(formula, skeleton, blocks):
    found, references = take_apart(formula)
    assert found.replace("[#]", "[A1]") == skeleton
    if blocks is not None:
        assert [reference.block.address for reference in references] == blocks


@pytest.mark.parametrize(
    ("formula", "sheet"),
    [
        ("dotprod!V41", "dotprod"),
        ("'my sheet'!A1", "my sheet"),
        ("'it''s'!$A$1", "it's"),
        ("one:three!A1", "one:three"),
        ("גיליון!A1", "גיליון"),
    ],
)
def test_sheets_of_references(formula, sheet):
    skeleton, (reference,) = take_apart(formula)
    assert (skeleton, reference.sheet) == ("#", sheet)


@pytest.mark.parametrize(
    ("formula", "skeleton", "addresses"),
    [
        ("mine:B2+C3", "mine:#+#", ["B2", "C3"]),
        ("'a \"quoted\" sheet'!A1+'other'!B2", "#+#", ["A1", "B2"]),
        ("[1]Sheet!A1+B2", "[1]Sheet!A1+#", ["B2"]),
        ("'A1'+B2", "'A1'+#", ["B2"]),
    ],
)
def test_words_and_quoted_names_are_taken_whole(formula, skeleton, addresses):
    found, references = take_apart(formula)
    assert (found, [reference.block.address for reference in references]) == (skeleton, addresses)


@pytest.mark.parametrize("piece", ["A", "'", "A.", "'x'", "$", "A1:", '"', "A!", "A1x"])
def test_long_texts_take_no_time(piece):
    for more in ("", "'", '"'):
        formula = piece * (200_000 // len(piece)) + more
        start = time.process_time()
        take_apart(formula)
        assert time.process_time() - start < 2  # minutes, where each place is searched to the end


edges = st.tuples(st.integers(1, 60), st.integers(1, 60), st.integers(0, 5), st.integers(0, 5))


@given(edges, st.tuples(*[st.booleans()] * 4), st.integers(-20, 40), st.integers(-20, 40))
def test_filling_moves_references_as_openpyxl_does(block, fixed, rows, columns):
    top, left, height, width = block
    first = cell(top, left, fix_row=fixed[0], fix_column=fixed[1])
    last = cell(top + height, left + width, fix_row=fixed[2], fix_column=fixed[3])
    formula = f"SUM({first}:{last})"
    if min(top + rows, left + columns) < 1:
        return
    origin = cell(50, 50)
    moved = Translator(f"={formula}", origin).translate_formula(cell(50 + rows, 50 + columns))[1:]
    expected = take_apart(moved)[1][0].shifted(0, 0)
    corners = sorted((expected.top, expected.bottom)), sorted((expected.left, expected.right))
    found = take_apart(formula)[1][0].shifted(rows, columns)
    assert (found.top, found.bottom, found.left, found.right) == (*corners[0], *corners[1])


def test_rectangles_that_share_cells():
    block = Block(2, 2, 4, 4)
    assert same_cells(block, Block(4, 4, 9, 9))
    assert same_cells(Block(1, 1, MAX_ROWS, MAX_COLUMNS), block)
    assert not same_cells(block, Block(5, 2, 9, 4))
    assert not same_cells(block, Block(2, 5, 4, 9))
