"""Formulas as trees, and what they give: as Excel's functions do."""

import numpy as np
import pytest

from cf_excel.xlsx.calculate import NotCalculated, calculate
from cf_excel.xlsx.formula_tree import Call, Constant, ErrorValue, Ref, formula_tree
from cf_excel.xlsx.references import take_apart


def given(formula: str, *values: object) -> object:
    return calculate(formula_tree(take_apart(formula)[0]), values)


@pytest.mark.parametrize(
    ("formula", "tree"),
    [
        ("-2^2", Call("^", (Call("neg", (Constant(2.0),)), Constant(2.0)))),  # as Excel binds
        ("1+2*3", Call("+", (Constant(1.0), Call("*", (Constant(2.0), Constant(3.0)))))),
        ("_xlfn.single(A1)", Ref(0)),
        ("MATCH(A1,B1:B9,)", Call("MATCH", (Ref(0), Ref(1), Constant(None)))),
        ("TRUE()", Constant(True)),
        ('"a""b"', Constant('a"b')),
        ("#N/A", Constant(ErrorValue("#N/A"))),
        ("A1:B2 C3", None),  # an intersection
        ("SUM({1,2})", None),
        ("1+", None),
        ("(1", None),
    ],
)
def test_formulas_become_trees(formula, tree):
    assert formula_tree(take_apart(formula)[0]) == tree


@pytest.mark.parametrize(
    ("formula", "values", "expected"),
    [
        ('IF(A1="",0,MMULT(B1:C1,D1:D2))', (None, [[1.0, 2.0]], [[3.0], [4.0]]), 0.0),
        ('IF(A1="",0,MMULT(B1:C1,D1:D2))', (2.0, [[1.0, 2.0]], [[3.0], [4.0]]), 11.0),
        ("SUMPRODUCT(A1:C1,TRANSPOSE(D1:D3))", ([[1.0, 2.0, 3.0]], [[1.0], [1.0], [2.0]]), 9.0),
        ("ROUND(A1,2)", (1.005,), 1.01),
        ("ROUND(A1,1)", (2.345,), 2.3),
        ("ROUND(A1,0)", (-2.5,), -3.0),
        ("ROUNDUP(A1,1)", (2.3,), 2.3),
        ("ROUNDDOWN(A1,1)", (2.39,), 2.3),
        ("MEDIAN(1,A1,5)", (7.0,), 5.0),
        ("IF(COUNT(A1),1,2)", (None,), 2.0),
        ("IF(A1>0,1)", (None,), False),
        ("IFERROR(1/A1,4)", (None,), 4.0),
        ("1/0", (), "#DIV/0!"),
        ("A1+1", ("text",), "#VALUE!"),
        ("A1+1", ("2",), 3.0),
        ('A1="TEXT"', ("text",), True),
        ("A1<B1", (5.0, "a"), True),  # numbers stand before texts
        ("INDEX(A1:B1,1,2)", ([[1.0, 2.0]],), 2.0),
        ("COUNTA(A1:B1)+COUNTBLANK(A1:B1)", ([[None, "x"]],) * 2, 2.0),
        ("LEN(A1)", (None,), 0.0),
        ("NOT(ISBLANK(A1))", (None,), False),
        ("MMULT(A1:B1,C1:C3)", ([[1.0, 2.0]], [[1.0], [1.0], [1.0]]), "#VALUE!"),
    ],
)
def test_functions_give_what_excels_give(formula, values, expected):
    assert given(formula, *values) == expected


def test_many_cells_at_once():
    numbers = np.array([0.0, 3.0, 9.0])
    assert given("MIN(5,MAX(1,A1))", numbers).tolist() == [1, 3, 5]
    assert given("IF(A1>5,5,A1)", numbers, numbers).tolist() == [0, 3, 5]


@pytest.mark.parametrize("formula", ["FOO(1)", "SUM(A1:B1)+IF(A1:B1,1,2)"])
def test_what_is_not_known_is_not_guessed(formula):
    with pytest.raises(NotCalculated):
        given(formula, *([[[1.0, 2.0]]] * 2))
