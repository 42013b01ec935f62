"""Read from a prediction's formula what it multiplies, what it adds, and what it shows.

Authors write the same prediction in many ways: IF(r="",0,MMULT(u,m)), SUMPRODUCT(u,TRANSPOSE(m)), NA() for blanks,
ROUND(MMULT(u,m)+b,1). In place of a list of them the formula is calculated. With a symbol for each cell but the rating,
what comes out says which cells are multiplied with which, and which are added; with numbers, what the cells show.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from cf_excel.xlsx.calculate import Area, NotCalculated, Symbolic, calculate
from cf_excel.xlsx.cells import Block
from cf_excel.xlsx.edit.sheet_xml import Address
from cf_excel.xlsx.formula_tree import Call, Constant, Ref, Tree, formula_tree
from cf_excel.xlsx.formulas import CellFormula

_MOST_FACTORS = 2**11  # a longer line of cells is no user's or movie's
_MAY_MULTIPLY = re.compile(r"MMULT\(|SUMPRODUCT\(|SUM\([^()]*\*", re.IGNORECASE)
_TELLING = {"=", "<>", "<", ">", "<=", ">=", "COUNT", "COUNTA", "COUNTBLANK", "LEN", "N", "TRIM"}
_NUMBERS = ("ROUND", "ROUNDUP", "ROUNDDOWN", "INT", "MIN", "MAX", "MEDIAN", "IF")  # their slopes are no guide


@dataclass(frozen=True, eq=False)  # each is made once: see prediction_form
class PredictionForm:
    """How a formula predicts, by the numbers of its different references.

    rating: the cell that it asks whether there is a rating, or None. factors: the two lines of cells that it
    multiplies, as they come in it. biases: cells that it adds. is_plain: whether it shows the sum as it is. is_smooth:
    whether what it shows otherwise follows the sum everywhere, as a logistic does and ROUND does not.
    """

    tree: Tree
    sizes: tuple[tuple[int, int], ...]
    rating: int | None
    factors: tuple[int, int]
    biases: tuple[int, ...]
    is_plain: bool
    is_smooth: bool

    def predicts(self, ratings: np.ndarray) -> np.ndarray:
        """Return for which ratings, NaN for blanks, the formula multiplies."""
        if self.rating is None:
            return np.ones(len(ratings), bool)
        levels, which = np.unique(ratings, return_inverse=True)
        cores = [_core(self.tree, self.sizes, self.rating, _cell(level)) for level in levels.tolist()]
        return np.array([core is not None and core.multiplies for core in cores])[which]

    def shown(self, ratings: np.ndarray, products: np.ndarray, biases: Sequence[np.ndarray]) -> list[Any]:
        """Return what the cells show for ratings, NaN for blanks, products and biases, (n,) each."""
        found = np.empty(len(products), object)
        levels, which = np.unique(ratings, return_inverse=True) if self.rating is not None else ([np.nan], None)
        for number, level in enumerate(levels):
            chosen = np.flatnonzero(which == number) if which is not None else np.arange(len(products))
            part = calculate(self.tree, self._values(float(level), products[chosen], [b[chosen] for b in biases]))
            found[chosen] = part.tolist() if isinstance(part, np.ndarray) else part
        return found.tolist()

    def link(self, sums: np.ndarray, biases: Sequence[float]) -> np.ndarray:
        """Return what is shown for a rating where the products come to sums, (n,), beside these biases."""
        return calculate(self.tree, self._values(self._some_rating, sums, biases))

    @cached_property
    def _some_rating(self) -> float:
        return next(level for level in _LEVELS if _core(self.tree, self.sizes, self.rating, level))

    def _values(self, rating: float, products: np.ndarray, biases: Sequence[Any]) -> list[Any]:
        """Return values of the references, the products as a first factor of theirs times 1."""
        values: list[Any] = [None] * len(self.sizes)
        if self.rating is not None:
            values[self.rating] = _cell(rating)
        for number, first in zip(self.factors, (products, 1.0), strict=True):
            n_rows, n_columns = self.sizes[number]
            values[number] = [[0.0] * n_columns for _ in range(n_rows)]
            values[number][0][0] = first
        for number, bias in zip(self.biases, biases, strict=True):
            values[number] = bias
        return values


def may_predict(formula: str) -> bool:
    """Whether a formula multiplies lines of cells, told at a glance."""
    return bool(_MAY_MULTIPLY.search(formula))


def form_of(formula: CellFormula, shown: Callable[[Address], Any] | None = None) -> PredictionForm | None:
    """Return how a formula predicts, None where it is no prediction.

    shown: what a cell shows; without it, a cell that switches predictions of blanks on and off counts as blank.
    """
    if not may_predict(formula.text):
        return None
    same, firsts = different(formula)
    references = [formula.references[first] for first in firsts]
    blocks = [reference.block for reference in references]
    sizes = tuple((block.n_rows, block.n_columns) for block in blocks)
    fixed = tuple(all(reference.fixed) for reference in references)
    switches = tuple(
        (number, shown((blocks[number].top, blocks[number].left)) if shown else None)
        for number in _switches(formula.skeleton, same, sizes, fixed)
    )
    return prediction_form(formula.skeleton, same, sizes, switches)


def different(formula: CellFormula) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return, for each reference, the number of its cells among different ones; and where each of these comes first."""
    firsts: dict[tuple[Block, tuple[bool, ...]], int] = {}
    same = tuple(firsts.setdefault((one.block, one.fixed), len(firsts)) for one in formula.references)
    return same, tuple(same.index(number) for number in range(len(firsts)))


@lru_cache(maxsize=1 << 10)
def prediction_form(
    skeleton: str,
    same: tuple[int, ...],
    sizes: tuple[tuple[int, int], ...],
    switches: tuple[tuple[int, Any], ...] = (),
) -> PredictionForm | None:
    """Return how a formula predicts, None where it is no prediction.

    skeleton: the formula with # for its references. same: for each of them the number of its cells among different
    ones. sizes: rows and columns of each different one. switches: of these, cells that count as what they show.
    """
    lines = all(1 in size and max(size) <= _MOST_FACTORS for size in sizes)
    tree = formula_tree(skeleton) if lines and may_predict(skeleton) else None
    if tree is None:
        return None
    tree = _bound(_renumbered(tree, same), dict(switches))
    asked = _tested(tree, sizes)
    if len(asked) > 1:
        return None
    rating = asked.pop() if asked else None
    core = next(filter(None, (_core(tree, sizes, rating, level) for level in _LEVELS)), None)
    factors = core and core.factors()
    if not core or not factors:
        return None
    biases = tuple(dict.fromkeys(number for (number, *_) in core.added()))
    if any(sizes[number] != (1, 1) for number in biases):
        return None
    is_smooth = not any(name in _NUMBERS for name in _names(_without_guard(tree, rating)))
    return PredictionForm(tree, sizes, rating, factors, biases, core.is_plain, is_smooth)


_LEVELS = (3.0, 1.0, 5.0, 0.0)  # ratings for one of which any guard lets the prediction through


def _renumbered(tree: Tree, same: tuple[int, ...]) -> Tree:
    if isinstance(tree, Ref):
        return Ref(same[tree.number])
    if isinstance(tree, Call):
        return Call(tree.name, tuple(_renumbered(argument, same) for argument in tree.arguments))
    return tree


def _bound(tree: Tree, switches: dict[int, Any]) -> Tree:
    if isinstance(tree, Ref) and tree.number in switches:
        return Constant(switches[tree.number])
    if isinstance(tree, Call) and switches:
        return Call(tree.name, tuple(_bound(argument, switches) for argument in tree.arguments))
    return tree


@lru_cache(maxsize=1 << 10)
def _switches(
    skeleton: str, same: tuple[int, ...], sizes: tuple[tuple[int, int], ...], fixed: tuple[bool, ...]
) -> tuple[int, ...]:
    """Return the references to one cell for all predictions that a formula tests beside the rating's."""
    tree = formula_tree(skeleton)
    tested = _tested(_renumbered(tree, same), sizes) if tree else set()
    own = [number for number in tested if not fixed[number]]
    return tuple(sorted(tested.difference(own))) if len(own) == 1 else ()


def _tested(tree: Tree, sizes: tuple[tuple[int, int], ...]) -> set[int]:
    """Return the single cells that a formula tests and does not compute with."""
    return {number for number in _asked(tree) if sizes[number] == (1, 1)} - set(_used(tree))


def _asked(tree: Tree, inside: bool = False) -> list[int]:
    """Return the references whose values a formula tests."""
    if isinstance(tree, Ref):
        return [tree.number] if inside else []
    if not isinstance(tree, Call):
        return []
    inside = inside or tree.name in _TELLING or tree.name.startswith("IS")
    tests = [inside or (tree.name == "IF" and place == 0) for place in range(len(tree.arguments))]
    return [number for one, test in zip(tree.arguments, tests, strict=True) for number in _asked(one, test)]


def _used(tree: Tree) -> list[int]:
    """Return the references whose values a formula computes with."""
    if isinstance(tree, Ref):
        return [tree.number]
    if not isinstance(tree, Call) or tree.name in _TELLING or tree.name.startswith("IS"):
        return []
    return [number for one in tree.arguments[tree.name == "IF" :] for number in _used(one)]


def _names(tree: Tree) -> list[str]:
    """Return the names of the functions that a formula calls."""
    if not isinstance(tree, Call):
        return []
    return [tree.name, *(name for one in tree.arguments for name in _names(one))]


def _without_guard(tree: Tree, rating: int | None) -> Tree:
    """Return what a formula computes once it has asked for the rating."""
    if isinstance(tree, Call) and tree.name == "IF" and rating in _asked(tree.arguments[0], inside=True):
        return Call("", tuple(_without_guard(one, rating) for one in tree.arguments[1:]))
    if isinstance(tree, Call):
        return Call(tree.name, tuple(_without_guard(one, rating) for one in tree.arguments))
    return tree


def _cell(rating: float) -> float | None:
    return None if rating != rating else rating


@lru_cache(maxsize=1 << 14)
def _core(
    tree: Tree, sizes: tuple[tuple[int, int], ...], rating: int | None, level: float | None
) -> "Polynomial | None":
    """Return what a formula computes of cells for a rating, None where it computes nothing of them."""
    values: list[Any] = [_symbols(number, size) for number, size in enumerate(sizes)]
    if rating is not None:
        values[rating] = level
    try:
        result = calculate(tree, values)
    except NotCalculated:
        return None
    return result if isinstance(result, Polynomial) else None


def _symbols(number: int, size: tuple[int, int]) -> "Area | Polynomial":
    rows, columns = size
    area = [[Polynomial({((number, row, column),): 1.0}) for column in range(columns)] for row in range(rows)]
    return area[0][0] if size == (1, 1) else area


_Cell = tuple[int, int, int]  # the number of a reference, and the row and column in it


class Polynomial(Symbolic):
    """Sums of products of cells, or what a function makes of such sums: terms maps products to how often they count."""

    def __init__(self, terms: dict[tuple[_Cell, ...], float], *, is_plain: bool = True) -> None:
        self.terms = terms
        self._is_sum = is_plain

    @property
    def multiplies(self) -> bool:
        return any(len(cells) == 2 for cells in self.terms)

    @property
    def is_plain(self) -> bool:
        """Whether it is a sum in which all counts once."""
        return self._is_sum and all(cells and count == 1 for cells, count in self.terms.items())

    def added(self) -> list[_Cell]:
        """Return the cells that are added, in order."""
        return [cells[0] for cells in self.terms if len(cells) == 1]

    def factors(self) -> tuple[int, int] | None:
        """Return the numbers of the two references whose cells are multiplied, each once and all alike, else None."""
        pairs = [cells for cells in self.terms if len(cells) == 2]
        counts = {count for cells, count in self.terms.items() if cells}
        numbers = {(first[0], second[0]) for first, second in pairs}
        if len(counts) != 1 or len(numbers) != 1:
            return None
        ((first, second),) = numbers
        places = [[cells[side][1:] for cells in pairs] for side in (0, 1)]
        straight = all(line == sorted(line) and len(set(line)) == len(line) for line in places)
        return (first, second) if straight and first != second else None

    def through(self, *others: Any) -> "Polynomial":
        """Return the sum that a function is one of: of one sum alone, whatever the function."""
        sums = [one._core() for one in (self, *others) if isinstance(one, Polynomial)]
        if any(one != sums[0] for one in sums):
            raise NotCalculated
        return Polynomial(sums[0], is_plain=False)

    def _core(self) -> dict[tuple[_Cell, ...], float]:
        """Return the terms without constants, the first counted once."""
        cells = {cells: count for cells, count in self.terms.items() if cells}
        scale = next(iter(cells.values()), 1.0)
        return {one: count / scale for one, count in cells.items()}

    def __add__(self, other: Any) -> "Polynomial":
        other = other if isinstance(other, Polynomial) else Polynomial({(): other} if other else {})
        if not other.terms:
            return self
        if not self._is_sum or not other._is_sum:
            return self.through(*([other] if any(other.terms) else []))
        terms = dict(self.terms)
        for cells, count in other.terms.items():
            terms[cells] = terms.get(cells, 0.0) + count
        return Polynomial({cells: count for cells, count in terms.items() if count})

    __radd__ = __add__

    def __neg__(self) -> "Polynomial":
        return self * -1.0

    def __sub__(self, other: Any) -> "Polynomial":
        return self + -other

    def __rsub__(self, other: Any) -> "Polynomial":
        return -self + other

    def __mul__(self, other: Any) -> "Polynomial":
        if not isinstance(other, Polynomial):
            other = Polynomial({(): other} if other else {})
        if not self._is_sum or not other._is_sum:
            return self.through(*([other] if any(other.terms) else []))
        terms: dict[tuple[_Cell, ...], float] = {}
        for cells, count in self.terms.items():
            for more, times in other.terms.items():
                terms[cells + more] = terms.get(cells + more, 0.0) + count * times
        if any(len(cells) > 2 for cells in terms):
            raise NotCalculated
        return Polynomial(terms)

    __rmul__ = __mul__
