"""Put a VBA project and form-control buttons into a freshly built workbook, in the parts that Excel writes for them.

A button is a VML shape with its macro, a <control> of the sheet, its properties part, and a hidden twin in the sheet's
drawing (MS-XLSX 2.1.1; ECMA-376 part 1, 18.3.1.20; part 4, 19.4).
"""

from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

from openpyxl import Workbook

from cf_excel.xlsx.cells import Block
from cf_excel.xlsx.opc import CONTENT_TYPES, DRAWING, OFFICE, VBA_RELATION, VBA_TYPE, XLSM_TYPE, XLSX_TYPE
from cf_excel.xlsx.vba.vba_project import WORKBOOK_CODE_NAME, VbaProject
from cf_excel.xlsx.write.charts import corners_xml
from cf_excel.xlsx.write.frame import Frame, sheet_of

_COMPATIBILITY = "http://schemas.openxmlformats.org/markup-compatibility/2006"
_X14 = "http://schemas.microsoft.com/office/spreadsheetml/2009/9/main"
_A14 = "http://schemas.microsoft.com/office/drawing/2010/main"
_PROPERTIES = f'<formControlPr xmlns="{_X14}" objectType="Button" lockText="1"/>'


@dataclass(frozen=True)
class Button:
    """A button that covers a block of cells and runs a macro."""

    caption: str
    macro: str
    block: Block


@dataclass(frozen=True)
class Macros:
    """A VBA project, and buttons by the name of their sheet."""

    project: VbaProject
    buttons: dict[str, list[Button]] = field(default_factory=dict)

    def name_sheets(self, workbook: Workbook) -> list[str]:
        """Give the sheets the code names Sheet1, Sheet2, ... by which the project knows them, and return these."""
        workbook.code_name = WORKBOOK_CODE_NAME
        names = [f"Sheet{number}" for number in range(1, len(workbook.worksheets) + 1)]
        for worksheet, name in zip(workbook.worksheets, names, strict=True):
            worksheet.sheet_properties.codeName = name
        return names


def add_macros(frame: Frame, project: VbaProject, code_names: list[str]) -> None:
    """Add a VBA project to a workbook whose sheets have these code names."""
    name = "xl/vbaProject.bin"
    frame.put(CONTENT_TYPES, frame.read(CONTENT_TYPES).replace(XLSX_TYPE.encode(), XLSM_TYPE.encode()))
    frame.add(name, project.packed(code_names), VBA_TYPE)
    frame.relate("xl/workbook.xml", VBA_RELATION, name)


def add_buttons(frame: Frame, number: int, buttons: list[Button]) -> None:
    """Add buttons to the sheet with this number, counted from 1."""
    sheet, vml = sheet_of(number), f"xl/drawings/vmlDrawing{number}.vml"
    # Excel numbers the shapes of a sheet from 1,024 times the sheet's number
    shapes = [_Shape(number * 1024 + i, f"Button {i}", button) for i, button in enumerate(buttons, 1)]
    for shape in shapes:
        frame.append_to_drawing(number, shape.twin)
    frame.put(vml, _vml(number, shapes).encode())
    frame.declare_ending("vml", "application/vnd.openxmlformats-officedocument.vmlDrawing")
    legacy = frame.relate(sheet, f"{OFFICE}/vmlDrawing", vml)
    controls = []
    for shape in shapes:
        properties = f"xl/ctrlProps/ctrlProp{shape.number}.xml"
        frame.add(properties, _PROPERTIES.encode(), "application/vnd.ms-excel.controlproperties+xml")
        controls.append(shape.control(frame.relate(sheet, f"{OFFICE}/ctrlProp", properties)))
    listed = _choice("x14", _X14, f"<controls>{''.join(controls)}</controls>")
    frame.append_to_sheet(number, f'<legacyDrawing xmlns:r="{OFFICE}" r:id="{legacy}"/>{listed}')


def _choice(prefix: str, namespace: str, xml: str, fallback: str = "") -> str:
    """Show a piece of XML only to programs that know a namespace."""
    return (
        f'<mc:AlternateContent xmlns:mc="{_COMPATIBILITY}"><mc:Choice xmlns:{prefix}="{namespace}" Requires="{prefix}">'
        f"{xml}</mc:Choice>{fallback}</mc:AlternateContent>"
    )


@dataclass(frozen=True)
class _Shape:
    number: int
    name: str
    button: Button

    @property
    def macro(self) -> str:
        return quoteattr(f"[0]!{self.button.macro}")

    @property
    def vml(self) -> str:
        block = self.button.block
        corners = (block.left - 1, 0, block.top - 1, 0, block.right, 0, block.bottom, 0)
        return (
            f'<v:shape id="_x0000_s{self.number}" type="#_x0000_t201" style="position:absolute;mso-wrap-style:tight" '
            'o:button="t" fillcolor="buttonFace [67]" strokecolor="windowText [64]" o:insetmode="auto">'
            '<v:fill color2="buttonFace [67]" o:detectmouseclick="t"/><o:lock v:ext="edit" rotation="t"/>'
            '<v:textbox style="mso-direction-alt:auto" o:singleclick="f"><div style="text-align:center">'
            f'<font face="Calibri" size="220" color="#000000">{escape(self.button.caption)}</font></div></v:textbox>'
            f'<x:ClientData ObjectType="Button"><x:Anchor>{", ".join(map(str, corners))}</x:Anchor>'
            "<x:PrintObject>False</x:PrintObject><x:AutoFill>False</x:AutoFill>"
            f"<x:FmlaMacro>[0]!{escape(self.button.macro)}</x:FmlaMacro>"
            "<x:TextHAlign>Center</x:TextHAlign><x:TextVAlign>Center</x:TextVAlign></x:ClientData></v:shape>"
        )

    def control(self, relation: str) -> str:
        """Return what the sheet says about the button."""
        return _choice(
            "x14",
            _X14,
            f'<control xmlns:r="{OFFICE}" shapeId="{self.number}" r:id="{relation}" name="{self.name}">'
            f'<controlPr defaultSize="0" print="0" autoFill="0" autoPict="0" macro={self.macro}>'
            f'<anchor moveWithCells="1" xmlns:xdr="{DRAWING}">{corners_xml(self.button.block, "")}</anchor>'
            "</controlPr></control>",
        )

    @property
    def twin(self) -> str:
        """The hidden shape of the drawing that newer programs keep beside the VML shape."""
        text = (
            '<a:r><a:rPr lang="en-US" sz="1100"><a:solidFill><a:srgbClr val="000000"/></a:solidFill>'
            f'<a:latin typeface="Calibri"/></a:rPr><a:t>{escape(self.button.caption)}</a:t></a:r>'
        )
        return _choice(
            "a14",
            _A14,
            f'<xdr:twoCellAnchor editAs="oneCell">{corners_xml(self.button.block)}'
            f'<xdr:sp macro={self.macro} textlink=""><xdr:nvSpPr>'
            f'<xdr:cNvPr id="{self.number}" name="{self.name}" hidden="1">'
            '<a:extLst><a:ext uri="{63B3BB69-23CF-44E3-9099-C40C66FF867C}">'
            f'<a14:compatExt spid="_x0000_s{self.number}"/></a:ext></a:extLst></xdr:cNvPr><xdr:cNvSpPr/></xdr:nvSpPr>'
            '<xdr:spPr bwMode="auto"><a:xfrm><a:off x="0" y="0"/><a:ext cx="0" cy="0"/></a:xfrm>'
            '<a:prstGeom prst="rect"><a:avLst/></a:prstGeom></xdr:spPr>'
            '<xdr:txBody><a:bodyPr vertOverflow="clip" wrap="square" anchor="ctr" upright="1"/><a:lstStyle/>'
            f'<a:p><a:pPr algn="ctr"/>{text}</a:p></xdr:txBody></xdr:sp>'
            '<xdr:clientData fPrintsWithSheet="0"/></xdr:twoCellAnchor>',
            fallback="<mc:Fallback/>",
        )


def _vml(number: int, shapes: list[_Shape]) -> str:
    return (
        '<xml xmlns:v="urn:schemas-microsoft-com:vml" xmlns:o="urn:schemas-microsoft-com:office:office" '
        'xmlns:x="urn:schemas-microsoft-com:office:excel">'
        f'<o:shapelayout v:ext="edit"><o:idmap v:ext="edit" data="{number}"/></o:shapelayout>'
        '<v:shapetype id="_x0000_t201" coordsize="21600,21600" o:spt="201" path="m,l,21600r21600,l21600,xe">'
        '<v:stroke joinstyle="miter"/><v:path shadowok="f" o:extrusionok="f" strokeok="f" fillok="f" '
        'o:connecttype="rect"/><o:lock v:ext="edit" shapetype="t"/></v:shapetype>'
        f"{''.join(shape.vml for shape in shapes)}</xml>"
    )
