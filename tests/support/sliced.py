"""Give a table a slicer, which XlsxWriter can't make: the parts as Excel writes them."""

import zipfile
from pathlib import Path

from support.zip_parts import rewritten

MICROSOFT = "http://schemas.microsoft.com/office"
OPEN_XML = "http://schemas.openxmlformats.org"
X14, X15 = f"{MICROSOFT}/spreadsheetml/2009/9/main", f"{MICROSOFT}/spreadsheetml/2010/11/main"
SLICER = (
    f"""<slicers xmlns="{X14}"><slicer name="user" cache="Slicer_user" caption="user" rowHeight="241300"/></slicers>"""
)
SLICER_CACHE = f"""<slicerCacheDefinition xmlns="{X14}" name="Slicer_user" sourceName="user"><extLst>
<x:ext xmlns:x="{OPEN_XML}/spreadsheetml/2006/main" uri="{{2F2917AC-EB37-4324-AD4E-5DD8C200BD13}}">
<x15:tableSlicerCache xmlns:x15="{X15}" tableId="1" column="1"/></x:ext></extLst></slicerCacheDefinition>"""
SLICERS_OF_SHEET = f"""<extLst><ext uri="{{3A4CF648-6AED-40f4-86FF-DC5316D8AED3}}" xmlns:x15="{X15}">
<x14:slicerList xmlns:x14="{X14}"><x14:slicer r:id="rId90"/></x14:slicerList></ext></extLst>"""
CACHES_OF_BOOK = f"""<extLst><ext uri="{{46BE6895-7355-4a93-B00E-2C351335B9C9}}" xmlns:x15="{X15}">
<x15:slicerCaches xmlns:x14="{X14}"><x14:slicerCache r:id="rId90"/></x15:slicerCaches></ext></extLst>"""
SHAPE = """<xdr:sp macro="" textlink=""><xdr:nvSpPr><xdr:cNvPr id="0" name=""/><xdr:cNvSpPr/></xdr:nvSpPr>
<xdr:spPr><a:xfrm><a:off x="0" y="0"/><a:ext cx="900" cy="900"/></a:xfrm><a:prstGeom prst="rect"><a:avLst/></a:prstGeom>
</xdr:spPr></xdr:sp>"""
FRAME = f"""<xdr:twoCellAnchor><xdr:from><xdr:col>9</xdr:col><xdr:colOff>0</xdr:colOff><xdr:row>70</xdr:row>
<xdr:rowOff>0</xdr:rowOff></xdr:from><xdr:to><xdr:col>12</xdr:col><xdr:colOff>0</xdr:colOff><xdr:row>80</xdr:row>
<xdr:rowOff>0</xdr:rowOff></xdr:to><mc:AlternateContent xmlns:mc="{OPEN_XML}/markup-compatibility/2006">
<mc:Choice xmlns:sle15="{MICROSOFT}/drawing/2012/slicer" Requires="sle15"><xdr:graphicFrame macro="">
<xdr:nvGraphicFramePr><xdr:cNvPr id="90" name="user"/><xdr:cNvGraphicFramePr/></xdr:nvGraphicFramePr><xdr:xfrm>
<a:off x="0" y="0"/><a:ext cx="0" cy="0"/></xdr:xfrm><a:graphic><a:graphicData uri="{MICROSOFT}/drawing/2010/slicer">
<sle:slicer xmlns:sle="{MICROSOFT}/drawing/2010/slicer" name="user"/></a:graphicData></a:graphic></xdr:graphicFrame>
</mc:Choice><mc:Fallback>{SHAPE}</mc:Fallback></mc:AlternateContent><xdr:clientData/></xdr:twoCellAnchor>"""


def with_slicer(path: Path) -> Path:
    """Let the table on the first sheet have a slicer, written as Excel writes it."""
    kinds = {"slicers/slicer1.xml": "slicer", "slicerCaches/slicerCache1.xml": "slicerCache"}
    types = "".join(
        f'<Override PartName="/xl/{name}" ContentType="application/vnd.ms-excel.{kind}+xml"/>'
        for name, kind in kinds.items()
    )
    relation = f'<Relationship Id="rId90" Type="{MICROSOFT}/2007/relationships'
    added = {
        "[Content_Types].xml": ("</Types>", types),
        "xl/worksheets/sheet1.xml": ("</worksheet>", SLICERS_OF_SHEET),
        "xl/workbook.xml": ("</workbook>", CACHES_OF_BOOK),
        "xl/drawings/drawing1.xml": ("</xdr:wsDr>", FRAME),
        "xl/worksheets/_rels/sheet1.xml.rels": (
            "</Relationships>",
            f'{relation}/slicer" Target="../slicers/slicer1.xml"/>',
        ),
        "xl/_rels/workbook.xml.rels": (
            "</Relationships>",
            f'{relation}/slicerCache" Target="slicerCaches/slicerCache1.xml"/>',
        ),
    }

    def add(name: str, content: bytes) -> bytes:
        end, new = added.get(name, ("", ""))
        return content.replace(end.encode(), f"{new}{end}".encode()) if end else content

    rewritten(path, add)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as package:
        package.writestr("xl/slicers/slicer1.xml", SLICER)
        package.writestr("xl/slicerCaches/slicerCache1.xml", SLICER_CACHE)
    return path
