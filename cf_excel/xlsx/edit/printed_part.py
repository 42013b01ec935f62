"""What is printed of a sheet, and how: as names of the workbook and in the sheet's own XML."""

import re
from dataclasses import dataclass
from xml.parsers.expat import ParserCreate

from cf_excel.xlsx.cells import Block, on_sheet

PRINT_AREA, PRINT_TITLES = "_xlnm.Print_Area", "_xlnm.Print_Titles"
FOOTER = "&A, page &P of &N"  # the sheet's name and the page's number
_UPRIGHT = 95  # characters that are as wide as an upright page, without its margins
_OWN_SETTINGS = re.compile(rb"<(?:pageSetUpPr|pageSetup|headerFooter|printOptions|rowBreaks|colBreaks)\b")
# what the schema wants behind the settings of a page; others of these are within what it wants before them
_BEHIND = (
    *("customProperties", "cellWatches", "ignoredErrors", "smartTags", "drawing", "legacyDrawing", "legacyDrawingHF"),
    *(
        "drawingHF",
        "picture",
        "oleObjects",
        "controls",
        "webPublishItems",
        "tableParts",
        "extLst",
        "mc:AlternateContent",
    ),
)


@dataclass(frozen=True)
class PrintedPart:
    """What is printed of a sheet, as wide as a page.

    titles: its rows are on top of each page. area: all there is, where it is None. is_upright: the page is.
    on_one_page: all of it, however high.
    """

    titles: Block | None = None
    area: Block | None = None
    is_upright: bool = False
    on_one_page: bool = False

    @property
    def title_rows(self) -> str:
        """The rows on top of each page as programs write them, "" for none."""
        return f"${self.titles.top}:${self.titles.bottom}" if self.titles else ""

    @property
    def xml(self) -> bytes:
        """What a sheet's XML says of its pages, behind its cells."""
        orientation, height = ("portrait" if self.is_upright else "landscape"), int(self.on_one_page)
        footer = FOOTER.replace("&", "&amp;")
        return (
            f'<pageSetup orientation="{orientation}" fitToHeight="{height}"/>'
            f"<headerFooter><oddFooter>&amp;C{footer}</oddFooter></headerFooter>"
        ).encode()

    def names_on(self, title: str) -> dict[str, str]:
        """Return what the names stand for by which a workbook says so."""
        names = {PRINT_AREA: on_sheet(title, self.area)} if self.area else {}
        if self.titles:
            sheet = on_sheet(title, self.titles).rpartition("!")[0]
            names[PRINT_TITLES] = f"{sheet}!{self.title_rows}"
        return names

    def put_into(self, frame: bytes) -> bytes:
        """Return the XML of a sheet that has no settings of its pages, with these."""
        fits = b'<pageSetUpPr fitToPage="1"/>'
        if not re.search(rb"<sheetPr\b", frame):  # a protected sheet has <sheetProtection>
            frame = re.sub(rb"(<worksheet\b[^>]*>)", rb"\1<sheetPr>%s</sheetPr>" % fits, frame, count=1)
        else:
            frame = re.sub(rb"<sheetPr\b([^>]*)/>", rb"<sheetPr\1></sheetPr>", frame, count=1)
            frame = frame.replace(b"</sheetPr>", fits + b"</sheetPr>", 1)
        place = _start_of_last(frame)
        return frame[:place] + self.xml + frame[place:]


def _start_of_last(frame: bytes) -> int:
    """Return where the first child that stands behind the settings of a page begins, or the end of them all."""
    parser = ParserCreate()
    depth, places = 0, []

    def begin(name: str, _: dict[str, str]) -> None:
        nonlocal depth
        if depth == 1 and name in _BEHIND:
            places.append(parser.CurrentByteIndex)
        depth += 1

    def end(_: str) -> None:
        nonlocal depth
        depth -= 1
        if depth == 0:
            places.append(parser.CurrentByteIndex)

    parser.StartElementHandler, parser.EndElementHandler = begin, end
    parser.Parse(frame, True)
    return places[0]


def has_settings(frame: bytes) -> bool:
    """Whether a sheet's XML says anything of its pages but their margins."""
    return _OWN_SETTINGS.search(frame) is not None


def is_upright(widths: dict[Block, float]) -> bool:
    """Whether columns of these widths, in characters, suit an upright page."""
    return sum(width * block.n_columns for block, width in widths.items()) <= _UPRIGHT
