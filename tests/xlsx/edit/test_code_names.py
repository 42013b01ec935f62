"""Code names are given where VBA needs one, and taken back to the byte."""

import pytest
import xlsxwriter
from support.zip_parts import rewritten

from cf_excel.xlsx.edit.code_names import give_code_names, take_code_names_back
from cf_excel.xlsx.edit.workbook_file import OpenedBook


def book(path, change=None):
    """Open a workbook of two sheets and a chart sheet between them."""
    with xlsxwriter.Workbook(path) as workbook:
        sheet = workbook.add_worksheet("one")
        chart = workbook.add_chart({"type": "line"})
        chart.add_series({"values": "=one!$A$1:$A$3"})
        workbook.add_chartsheet("chart").set_chart(chart)
        workbook.add_worksheet("two")
        sheet.write_column(0, 0, [1, 2, 3])
    return OpenedBook(rewritten(path, lambda name, content: change(content) if change else content))


PLACES = ["xl/workbook.xml", "xl/worksheets/sheet1.xml", "xl/chartsheets/sheet1.xml", "xl/worksheets/sheet2.xml"]
CHANGES = {
    "none": None,
    "the workbook's": lambda xml: xml.replace(b"<workbookPr ", b'<workbookPr codeName="DieseArbeitsmappe" '),
    "bare": lambda xml: xml.replace(b"<dimension", b"<sheetPr/><dimension"),
    "with children": lambda xml: xml.replace(
        b"<dimension", b'<sheetPr\n  filterMode="1"><tabColor/></sheetPr><dimension'
    ),
    "another one's": lambda xml: xml.replace(b"<dimension", b"<sheetPr codeName = 'Mine'/><dimension"),
    "no workbookPr": lambda xml: xml.replace(b'<workbookPr defaultThemeVersion="124226"/>', b""),
    "not of VBA": lambda xml: xml.replace(b"<dimension", '<sheetPr codeName="Лист1"/><dimension'.encode()),
}


@pytest.mark.parametrize("name", CHANGES)
def test_given_and_taken_back(tmp_path, name):
    found = book(tmp_path / "a.xlsx", CHANGES[name])
    before = {part: found.archive.read(part) for part in found.archive.names}
    names, given = give_code_names(found, ["Sheet1"])
    assert list(names.values()) == ["worksheet", "chartsheet", "worksheet"]
    assert len(names.keys() | {"Sheet1"}) == 4
    assert ("Mine" in names) == (name == "another one's")
    assert all(
        f'codeName="{code}"'.encode() in found.archive.read(part).replace(b"'", b'"').replace(b" = ", b"=")
        for code, part in zip(["ThisWorkbook", *names], PLACES, strict=True)
    )
    assert give_code_names(found, ["Sheet1"]) == (names, {})  # a second time there is nothing to do
    take_code_names_back(found, given)
    assert {part: found.archive.read(part) for part in found.archive.names} == before


def test_a_name_stands_where_the_schema_wants_it(tmp_path):
    found = book(tmp_path / "a.xlsx", CHANGES["no workbookPr"])
    give_code_names(found, [])
    assert b"""rupBuild="4505"/><workbookPr codeName='ThisWorkbook'/><bookViews>""" in found.archive.read(PLACES[0])
    assert b"><sheetPr codeName='Sheet1'/><dimension" in found.archive.read(PLACES[1])
