"""A workbook file in which the lesson's sheets are looked for."""

from cf_excel.sheets.find.find_grid import check_no_other_form, grid_form, products_in
from cf_excel.sheets.find.find_sheet import find_sheet
from cf_excel.sheets.find.found_sheet import FoundSheet
from cf_excel.sheets.find.look_up import MATCHES
from cf_excel.sheets.find.sheet import holds_model
from cf_excel.xlsx.edit.workbook_file import OpenedBook


class LessonBook(OpenedBook):
    """A workbook that somebody owns, and the lesson's sheets in it: a Workbook of find_sheet.py."""

    def form(self, title: str) -> str | None:
        """Tell at a glance what a sheet's predictions are: "dot", "bias", "rows" (one a rating), None without any."""
        head = self.archive.head(self.part_of(title))
        if b"\0" in head[:8]:
            self.archive.read_xml(self.part_of(title))  # says in which encoding it is stored
        if holds_model(title, self.sheet):
            return None
        looks_up = [name.encode() for name in MATCHES]
        if b"MMULT(" not in head and any(name in head for name in looks_up):
            return "rows"
        xml = self.sheet_bytes(title)
        return grid_form(products_in(xml), has_roots=b"SQRT(" in xml) or (
            "rows" if any(name in xml for name in looks_up) else None
        )

    def find(self, title: str) -> FoundSheet | None:
        """Return what a sheet of the lesson's kinds holds, None for others. Raises InputError for a broken one."""
        form = self.form(title)
        found = find_sheet(title, form, self.sheet(title)) if form else None
        if found is None:
            check_no_other_form(title, products_in(self.sheet_bytes(title)))
        return found
