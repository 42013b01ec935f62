"""Bars in cells as Excel draws them since 2010: plain, and as long as the value says.

openpyxl writes the older rule alone, whose shortest bar is a tenth of the cell (MS-XLSX 2.3.3, 2.6.30).
"""

import re
from itertools import count

_X14 = "http://schemas.microsoft.com/office/spreadsheetml/2009/9/main"
_XM = "http://schemas.microsoft.com/office/excel/2006/main"
_FORMATTING = re.compile(rb'<conditionalFormatting sqref="([^"]*)">(.*?)</conditionalFormatting>', re.DOTALL)
_ENDS = re.compile(r'<cfvo type="num" val="([^"]*)" ?/>')


def with_plain_bars(xml: bytes) -> bytes:
    """Return the XML of a sheet, complete but for extensions, whose rules of data bars have their newer part, too."""
    numbers, newer = count(1), []

    def extended(match: re.Match[bytes]) -> bytes:
        if b"<dataBar" not in match[2]:
            return match[0]
        identity = f"{{B0A5B0A5-0000-4000-8000-{next(numbers):012X}}}"
        newer.append(_rule(match[1].decode(), match[2].decode(), identity))
        named = (
            f'<ext xmlns:x14="{_X14}" uri="{{B025F937-C7B1-47D3-B67F-A62EFF666E3E}}"><x14:id>{identity}</x14:id></ext>'
        )
        return match[0].replace(b"</cfRule>", f"<extLst>{named}</extLst></cfRule>".encode())

    xml = _FORMATTING.sub(extended, xml)
    if not newer:
        return xml
    listed = f"<x14:conditionalFormattings>{''.join(newer)}</x14:conditionalFormattings>"
    extension = f'<ext xmlns:x14="{_X14}" uri="{{78C0D931-6437-407d-A8EE-F0AAD7539E65}}">{listed}</ext>'
    return xml.replace(b"</worksheet>", f"<extLst>{extension}</extLst></worksheet>".encode())


def _rule(cells: str, rule: str, identity: str) -> str:
    ends = "".join(f'<x14:cfvo type="num"><xm:f>{end}</xm:f></x14:cfvo>' for end in _ENDS.findall(rule))
    bar = f'<x14:dataBar minLength="0" maxLength="100" gradient="0">{ends}<x14:axisColor rgb="FF000000"/></x14:dataBar>'
    return (
        f'<x14:conditionalFormatting xmlns:xm="{_XM}"><x14:cfRule type="dataBar" id="{identity}">{bar}</x14:cfRule>'
        f"<xm:sqref>{cells}</xm:sqref></x14:conditionalFormatting>"
    )
