"""How cells look: one palette for every workbook."""

from openpyxl import Workbook
from openpyxl.cell import Cell
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side

INPUT_FILL, HEADER_FILL, RESULT_FILL = "FFF8E1", "ECEFF1", "E8F5E9"
INPUT_INK, QUIET_INK, INK = "1F4FBF", "78909C", "263238"
WARNING_INK = "D32F2F"
PANEL_FILL, BAR = "E3ECFB", "FF90B4F0"
LOW, MIDDLE, HIGH = "F8A9A0", "FFF3C4", "A5D6A7"

# numbers that run away stay readable
_TWO_DIGITS = "[>=1000000]0.00E+00;[<=-1000000]0.00E+00;0.00"
_FOUR_DIGITS = "[>=100000]0.00E+00;[<=-100000]0.00E+00;0.0000"

_LINE = Side(style="thin", color="CFD8DC")
_BOX = Border(left=_LINE, right=_LINE, top=_LINE, bottom=_LINE)


def _fill(color: str) -> PatternFill:
    return PatternFill("solid", start_color=color)


def _style(
    *,
    number: str = "General",
    fill: str | None = None,
    ink: str = INK,
    bold: bool = False,
    italic: bool = False,
    size: float = 11,
    face: str = "Calibri",
    box: bool = False,
    **alignment: object,
) -> dict[str, object]:
    style: dict[str, object] = {
        "number_format": number,
        "font": Font(name=face, size=size, color=ink, bold=bold, italic=italic),
    }
    if fill:
        style["fill"] = _fill(fill)
    if box:
        style["border"] = _BOX
    if alignment:
        style["alignment"] = Alignment(**alignment)
    return style


STYLES: dict[str, dict[str, object]] = {
    "plain": _style(),
    "text": _style(wrap_text=True),
    "wrapped": _style(wrap_text=True, vertical="top"),
    "title": _style(size=16, bold=True),
    "name": _style(bold=True, vertical="top"),
    "heading": _style(size=12, bold=True, ink=INPUT_INK, vertical="top"),
    "note": _style(italic=True, ink=QUIET_INK),
    "side_note": _style(italic=True, ink=QUIET_INK, horizontal="right"),
    "header": _style(fill=HEADER_FILL, bold=True, horizontal="center"),
    "header_left": _style(fill=HEADER_FILL, bold=True),
    "header_note": _style(fill=HEADER_FILL, ink=QUIET_INK, bold=True),
    "header_right": _style(fill=HEADER_FILL, bold=True, horizontal="right"),
    "id": _style(fill=HEADER_FILL, bold=True, horizontal="center", shrink_to_fit=True),
    "id_left": _style(horizontal="left"),
    "upright": _style(size=9, text_rotation=90, wrap_text=True, horizontal="center", vertical="bottom"),
    "rating": _style(box=True, horizontal="center"),
    "input": _style(number="0.00", fill=INPUT_FILL, ink=INPUT_INK, box=True),
    "looked_up": _style(number="0.00", ink=QUIET_INK),
    "legend": _style(ink=QUIET_INK, size=9),
    "index": _style(ink=QUIET_INK, horizontal="center"),
    "prediction": _style(number="0.00", box=True),
    "listed": _style(number="0.00", box=True, shrink_to_fit=True),
    "error": _style(number="0.00"),
    "result": _style(number="0.0000", fill=RESULT_FILL, bold=True, box=True, vertical="top"),
    "result_name": _style(bold=True, horizontal="right"),
    "mean": _style(number="0.00"),
    "setting": _style(fill=INPUT_FILL, ink=INPUT_INK, box=True),
    "derived": _style(ink=QUIET_INK, box=True),
    "fitted": _style(number=_FOUR_DIGITS, ink=QUIET_INK, box=True),
    "to_write": _style(number=_FOUR_DIGITS, fill=PANEL_FILL, box=True),
    "check": _style(size=9, ink=QUIET_INK, horizontal="center", box=True),
    "warning": _style(bold=True, ink=WARNING_INK),
    "group": _style(size=9, italic=True, ink=QUIET_INK),
    "point": _style(horizontal="center"),
    "step": _style(number=_TWO_DIGITS),
    "weight": _style(number=_FOUR_DIGITS),
    "new_weight": _style(number=_FOUR_DIGITS, fill=RESULT_FILL),
    "carried": _style(number=_FOUR_DIGITS, italic=True, ink=QUIET_INK, horizontal="right"),
    "carried_whole": _style(italic=True, ink=QUIET_INK, horizontal="center"),
    "epoch": _style(number="0", fill=RESULT_FILL, bold=True, box=True, horizontal="center"),
    "epoch_result": _style(number=_FOUR_DIGITS, fill=RESULT_FILL, bold=True, box=True),
    "banner": _style(size=22, bold=True, ink=INPUT_INK, vertical="center"),
    "panel": _style(size=12, bold=True, fill=PANEL_FILL, ink=INPUT_INK),
    "panel_note": _style(italic=True, fill=PANEL_FILL, ink=QUIET_INK, horizontal="right"),
    "pick": _style(fill=INPUT_FILL, ink=INPUT_INK, box=True, horizontal="left"),
    # a text format, so that a title that is typed and starts with = is no formula
    "pick_text": _style(number="@", fill=INPUT_FILL, ink=INPUT_INK, box=True, horizontal="left", shrink_to_fit=True),
    "pick_number": _style(fill=INPUT_FILL, ink=INPUT_INK, box=True, horizontal="center"),
    "score": _style(number="0.00", horizontal="right"),
    "big_score": _style(number="0.00", size=14, bold=True, horizontal="left"),
    "shrunk": _style(shrink_to_fit=True),
    "quiet": _style(ink=QUIET_INK, size=9),
    "quiet_shrunk": _style(ink=QUIET_INK, size=9, shrink_to_fit=True),
    "code": _style(face="Consolas", size=10),
    "try": _style(face="Consolas", size=10, fill=INPUT_FILL, ink=INPUT_INK, box=True),
}


def style_ids(workbook: Workbook, styles: dict[str, dict[str, object]] = STYLES) -> dict[str, int]:
    """Register every style in a workbook and return the numbers by which its cells name them."""
    ids = {}
    for name, parts in styles.items():
        scratch = Cell(workbook.worksheets[0], row=1, column=1)
        for attribute, value in parts.items():
            setattr(scratch, attribute, value)
        ids[name] = scratch.style_id
    return ids
