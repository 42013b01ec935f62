"""Check a part's XML before anything is read from it."""

from xml.parsers import expat

from cf_excel.errors import FileError


def check_xml(content: bytes, name: str) -> None:
    """Raise FileError where a part is not whole XML in UTF-8, or declares entities, which no workbook needs."""

    def refuse(*_: object) -> None:
        raise FileError(f"{name} declares a document type, which can hide entities: not read")

    def declared(_version: str, encoding: str | None, _standalone: int) -> None:
        if encoding and encoding.lower() not in ("utf-8", "us-ascii"):
            raise FileError(f"{name} is stored as {encoding[:20]}: open the workbook in Excel and save it again")

    # with namespaces, because a prefix that nothing declares stops every program that reads the part
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartDoctypeDeclHandler = refuse
    parser.XmlDeclHandler = declared
    try:
        if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
            declared("1.0", "UTF-16", 0)
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise FileError(f"{name} is damaged: {error}") from None
