"""What formulas refer to: their references, and the text around them."""

import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from cf_excel.xlsx.cells import MAX_COLUMNS, MAX_ROWS, Block, column_number

# A word or a quoted name that is no reference is passed over whole, so that no text is searched again and again.
_TOKEN = re.compile(
    r'(?P<text>"(?:[^"]|"")*")|'
    r"(?:(?P<sheet>'(?>(?:[^']|'')+)'|[^\W\d][\w.]*+(?>(?::[^\W\d][\w.]*+)?))!)?"
    r"(?:(?P<fix_left>\$?)(?P<left>[A-Z]{1,3})(?P<fix_top>\$?)(?P<top>[1-9]\d{0,6})"
    r"(?::(?P<fix_right>\$?)(?P<right>[A-Z]{1,3})(?P<fix_bottom>\$?)(?P<bottom>[1-9]\d{0,6}))?"
    r"|(?P<whole_left>\$?[A-Z]{1,3}):(?P<whole_right>\$?[A-Z]{1,3})"
    r"|(?P<whole_top>\$?[1-9]\d{0,6}):(?P<whole_bottom>\$?[1-9]\d{0,6}))(?![\w(!.])"
    r"|(?P<other>[\w.$]++|'(?>(?:[^']|'')*)')"
)
_LOOKS_BACK = re.compile(r"[\w.$\]]")


@dataclass(frozen=True)
class Reference:
    """A cell or rectangle that a formula names, with what stays fixed when the formula is filled."""

    sheet: str | None
    block: Block
    fixed: tuple[bool, bool, bool, bool] = (True, True, True, True)  # top, left, bottom, right

    def shifted(self, rows: int, columns: int) -> Block:
        """Return the rectangle that the formula names when filled so many rows down and columns to the right."""
        block = self.block
        if not rows and not columns:
            return block
        fix_top, fix_left, fix_bottom, fix_right = self.fixed
        top = block.top if fix_top else block.top + rows
        bottom = block.bottom if fix_bottom else block.bottom + rows
        left = block.left if fix_left else block.left + columns
        right = block.right if fix_right else block.right + columns
        if fix_top == fix_bottom and fix_left == fix_right:
            return Block(top, left, bottom, right)
        return Block(min(top, bottom), min(left, right), max(top, bottom), max(left, right))

    def corners(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return what `shifted` does for many distances (n,): top, left, bottom, right, as an array (n, 4)."""
        by_row, by_column, by_last_row, by_last_column = (0 if fixed else 1 for fixed in self.fixed)
        block = self.block
        edges = np.stack(
            [
                block.top + by_row * rows,
                block.left + by_column * columns,
                block.bottom + by_last_row * rows,
                block.right + by_last_column * columns,
            ],
            axis=1,
        )
        first, second = edges[:, :2], edges[:, 2:]
        return np.concatenate([np.minimum(first, second), np.maximum(first, second)], axis=1)


@lru_cache(maxsize=1 << 16)
def take_apart(formula: str) -> tuple[str, tuple[Reference, ...]]:
    """Return a formula without blanks and with # for every reference, and the references in order.

    Texts stay as they are. IF(A1="",0,B1) gives IF(#="",0,#).
    """
    skeleton: list[str] = []
    references: list[Reference] = []
    end = 0
    for found in _TOKEN.finditer(formula):
        start = found.start()
        if found["other"] is not None or (start and _LOOKS_BACK.match(formula[start - 1]) and not found["text"]):
            continue
        skeleton += formula[end:start].replace(" ", "").replace("\n", ""), found["text"] or "#"
        if not found["text"]:
            references.append(_reference(found))
        end = found.end()
    skeleton.append(formula[end:].replace(" ", "").replace("\n", ""))
    return "".join(skeleton), tuple(references)


def _reference(found: re.Match) -> Reference:
    part = found.groupdict()
    sheet = part["sheet"]
    if sheet and sheet.startswith("'"):
        sheet = sheet[1:-1].replace("''", "'")
    if part["left"]:
        left, top = column_number(part["left"]), int(part["top"])
        fixed = bool(part["fix_top"]), bool(part["fix_left"])
        if not part["right"]:
            return Reference(sheet, Block(top, left, top, left), fixed * 2)
        bottom, right = int(part["bottom"]), column_number(part["right"])
        return Reference(
            sheet, Block(top, left, bottom, right), (*fixed, bool(part["fix_bottom"]), bool(part["fix_right"]))
        )
    if part["whole_left"]:
        columns = [column_number(part[name].lstrip("$")) for name in ("whole_left", "whole_right")]
        return Reference(sheet, Block(1, min(columns), MAX_ROWS, max(columns)))
    rows = [int(part[name].lstrip("$")) for name in ("whole_top", "whole_bottom")]
    return Reference(sheet, Block(min(rows), 1, max(rows), MAX_COLUMNS))


def same_cells(first: Block, second: Block) -> bool:
    """Whether two rectangles share a cell."""
    return (
        first.top <= second.bottom
        and second.top <= first.bottom
        and first.left <= second.right
        and second.left <= first.right
    )
