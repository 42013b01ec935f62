"""Formulas as trees: what is called with what, in place of a text."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache


class ErrorValue(str):
    """An error as Excel shows it, such as #N/A."""


@dataclass(frozen=True)
class Constant:
    """A number, a text, a truth value or an error that stands in a formula; None where an argument is left out."""

    value: float | str | bool | None


@dataclass(frozen=True)
class Ref:
    """The formula's reference of this number, counted from 0."""

    number: int


@dataclass(frozen=True)
class Call:
    """A function or an operator, and what it is given. Operators go by their signs, "neg" and "%" are those of one."""

    name: str
    arguments: "tuple[Tree, ...]"


Tree = Constant | Ref | Call

_TOKEN = re.compile(
    r'(?P<text>"(?:[^"]|"")*")|(?P<error>#(?:N/A|REF!|VALUE!|DIV/0!|NUM!|NAME\?|NULL!))|(?P<ref>#)'
    r"|(?P<number>\d+\.?\d*(?:E[+-]?\d+)?|\.\d+(?:E[+-]?\d+)?)|(?P<call>[A-Z_][\w.]*)\(|(?P<word>[A-Z_]\w*)"
    r"|(?P<sign><=|>=|<>|[-+*/^&=<>%@(),])",
    re.IGNORECASE,
)
_BINDS = {sign: level for level, signs in enumerate((("=", "<>", "<", ">", "<=", ">="), ("&",), ("+", "-"), ("*", "/"),
                                                     ("^",)), 1) for sign in signs}  # fmt: skip
_UNARY = 6  # binds more than ^ in Excel: -2^2 is 4
_PREFIX = re.compile(r"^(?:_xlfn\.|_xlws\.)+", re.IGNORECASE)


@lru_cache(maxsize=1 << 12)
def formula_tree(skeleton: str) -> Tree | None:
    """Return the tree of a formula that was taken apart, None where it has what no tree can show.

    Implicit intersection (@ or SINGLE) is left out: the cells that this is for name single cells.
    """
    tokens = list(_tokens(skeleton))
    try:
        parser = _TreeReader(tokens)
        tree = parser.expression()
    except (_Unclear, IndexError, RecursionError):
        return None
    return tree if parser.at_end else None


class _Unclear(Exception):
    pass


def _tokens(skeleton: str) -> Iterator[tuple[str, str]]:
    position = 0
    while position < len(skeleton):
        found = _TOKEN.match(skeleton, position)
        if not found:
            yield "unclear", skeleton[position]
            return
        yield found.lastgroup or "", found[found.lastgroup or 0]
        position = found.end()


class _TreeReader:
    """Reads tokens from the left, as operators bind."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens, self._next, self._n_refs = tokens, 0, 0

    @property
    def at_end(self) -> bool:
        return self._next == len(self._tokens)

    def expression(self, level: int = 1) -> Tree:
        left = self._operand()
        while not self.at_end:
            sign = self._tokens[self._next][1]
            if self._tokens[self._next][0] != "sign" or _BINDS.get(sign, 0) < level:
                break
            self._next += 1
            left = Call(sign, (left, self.expression(_BINDS[sign] + 1)))
        return left

    def _operand(self) -> Tree:
        kind, text = self._take()
        tree = self._simple(kind, text)
        while self._is_sign("%"):
            self._next += 1
            tree = Call("%", (tree,))
        return tree

    def _simple(self, kind: str, text: str) -> Tree:
        if kind == "number":
            return Constant(float(text))
        if kind == "text":
            return Constant(text[1:-1].replace('""', '"'))
        if kind == "error":
            return Constant(ErrorValue(text.upper()))
        if kind == "ref":
            self._n_refs += 1
            return Ref(self._n_refs - 1)
        if kind == "word" and text.upper() in ("TRUE", "FALSE"):
            return Constant(text.upper() == "TRUE")
        if kind == "call":
            return self._call(_PREFIX.sub("", text).upper())
        if kind == "sign" and text in "+@":
            return self.expression(_UNARY)
        if kind == "sign" and text == "-":
            return Call("neg", (self.expression(_UNARY),))
        if kind == "sign" and text == "(":
            inside = self.expression()
            self._expect(")")
            return inside
        raise _Unclear

    def _call(self, name: str) -> Tree:
        arguments: list[Tree] = []
        while not self._is_sign(")") or arguments:
            left_out = self._is_sign(",") or self._is_sign(")")
            arguments.append(Constant(None) if left_out else self.expression())
            if not self._is_sign(","):
                break
            self._next += 1
        self._expect(")")
        if name == "SINGLE" and len(arguments) == 1:
            return arguments[0]
        if name in ("TRUE", "FALSE") and not arguments:
            return Constant(name == "TRUE")
        return Call(name, tuple(arguments))

    def _take(self) -> tuple[str, str]:
        self._next += 1
        return self._tokens[self._next - 1]

    def _is_sign(self, sign: str) -> bool:
        return not self.at_end and self._tokens[self._next] == ("sign", sign)

    def _expect(self, sign: str) -> None:
        if not self._is_sign(sign):
            raise _Unclear
        self._next += 1
