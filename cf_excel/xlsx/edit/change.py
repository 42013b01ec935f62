"""Change constants of a workbook, with the results of the formulas that follow from them."""

from cf_excel.xlsx.edit.dependents import lasting
from cf_excel.xlsx.edit.new_values import Results
from cf_excel.xlsx.edit.sheet_edit import changed_sheet
from cf_excel.xlsx.edit.sheet_xml import Address, CellValue
from cf_excel.xlsx.edit.workbook_file import OpenedBook

Cells = dict[str, dict[Address, float]]
"""Constants by sheet and address."""


def change(
    book: OpenedBook, cells: Cells, results: dict[str, Results], *, drop_formulas: bool = False
) -> dict[str, Results]:
    """Change constants by sheet; results are those of formulas that are known, other stale ones are taken out.

    Return, by sheet, the new result of every formula that the change makes stale, None where it was taken out.
    """
    fresh = _fresh_results(book, cells, results)
    for title in fresh.keys() | cells.keys():
        known = fresh.get(title, Results())
        xml = changed_sheet(book.sheet(title), cells.get(title, {}), known, drop_formulas=drop_formulas)
        book.archive.put(book.part_of(title), xml)
    # asked of the sheets as they were read, which still have the formulas
    if drop_formulas and any(book.sheet(title).formula(a) for title, part in cells.items() for a in part):
        book.drop_calculation_chain()
    book.calculate_on_load()
    return fresh


def _fresh_results(book: OpenedBook, cells: Cells, results: dict[str, Results]) -> dict[str, Results]:
    """Return the new result of every formula that a change makes stale, None where it is not known.

    A copy of a known result (a cell that shows another sheet's RMSE) is known, too; nothing else is calculated here.
    """
    results, stale = lasting(book, cells, results)
    fresh = {title: Results(dict(known.cells), known.tables) for title, known in results.items()}
    for title, addresses in stale.items():
        copied = {address: _copied(book, title, address, cells, results) for address in addresses}
        fresh.setdefault(title, Results()).cells.update(copied)
    return fresh


def _copied(book: OpenedBook, title: str, address: Address, cells: Cells, results: dict[str, Results]) -> CellValue:
    """Return the result of a formula that is nothing but a reference to a cell whose value is known."""
    formula = book.sheet(title).formula(address)
    if not formula or formula.skeleton != "#" or not formula.blocks[0].is_one_cell:
        return None
    where = formula.references[0].sheet or title
    place = formula.blocks[0].top, formula.blocks[0].left
    if where in results and place in results[where]:
        return results[where][place]
    return cells.get(where, {}).get(place)
