"""Say what a second call changed on a sheet that a first one wrote."""

import numpy as np

from cf_excel.sheets.own.draft import SheetDraft, mark_of
from cf_excel.sheets.own.fit_draft import NDCG
from cf_excel.sheets.own.own_layout import FIT, SCORES
from cf_excel.sheets.own.put_drafts import FormerSheet
from cf_excel.xlsx.edit.sheet_xml import Address, CellValue

Values = dict[Address, CellValue]


def change_of(draft: SheetDraft, former: FormerSheet) -> str:
    """Return what is other than on the former sheet, in a few words."""
    new, old = draft.values, former.values
    if mark_of(new.items()) == mark_of(old.items()):  # programs may round digits that nobody sees
        return "as it was"
    if draft.scale:
        return _change_of_grid(draft, old)
    if draft.title == FIT:
        return _change_of_fit(draft, old)
    return _change_of_lists(new, old)


def _change_of_fit(draft: SheetDraft, old: Values) -> str:
    """Return the first of its measures, the model's error or NDCG, and that of before."""
    measures = next(part.block for part in draft.parts if isinstance(part.looks, str) and part.looks == "number")
    at, name_at = (measures.top, measures.left), (measures.top, measures.left - 1)
    name, number, before = draft.values[name_at], draft.values[at], old.get(at)
    if not isinstance(before, (int, float)) or old.get(name_at) != name:
        return "filled in anew"
    if name == NDCG:
        return f"{name} {number:.2f}, before {before:.2f}"
    return f"the model is off by {number:.2f}, before by {before:.2f}"


def _change_of_grid(draft: SheetDraft, old: Values) -> str:
    given = {at for part in draft.parts for at, look, _ in part.cells() if look == "given"}
    new = draft.values
    before, now = _pairs(old), _pairs(new)
    inside = {*draft.scale.addresses()} if draft.scale else set()
    rated = _pairs({at: value for at, value in new.items() if at in given or at not in inside})
    n_rated = sum(before.get(names) != value for names, value in rated.items())
    n_gone = len(before.keys() - now.keys())
    moved = [
        abs(value - earlier)
        for names, value in now.items()
        if names not in rated and isinstance(earlier := before.get(names), float) and isinstance(value, float)
    ]
    row, score = ("pick", "score") if draft.title == SCORES else ("rating", "prediction")
    parts = [f"{n_rated:,} {row}{'s' * (n_rated > 1)} new or changed"] * bool(n_rated)
    parts += [f"{n_gone:,} cells gone"] * bool(n_gone)
    parts += [f"{len(now) - len(before) + n_gone:,} cells more"] * (len(now) > len(before) - n_gone)
    if moved:
        parts.append(f"{score}s moved by {np.mean(moved):.2f} on average")
    return ", ".join(parts) or "in another order"


def _pairs(values: Values) -> dict[tuple[CellValue, CellValue], CellValue]:
    """Return a grid's numbers by the names of their row and column."""
    top, left = min(row for row, _ in values), min(column for _, column in values)
    return {
        (values.get((row, left)), values.get((top, column))): value
        for (row, column), value in values.items()
        if row > top and column > left
    }


def _change_of_lists(new: Values, old: Values) -> str:
    lists, former = _lists(new), _lists(old)
    n = sum(found != former.get(name) for name, found in lists.items())
    n_gone = len(former.keys() - lists.keys())
    return f"another list for {n:,} of {len(lists):,}" + (f", {n_gone:,} gone" if n_gone else "")


def _lists(values: Values) -> dict[CellValue, dict[CellValue, CellValue]]:
    """Return what stands at each rank, by the name in the first column."""
    top, left = min(values)
    found: dict[CellValue, dict[CellValue, CellValue]] = {}
    for (row, column), name in values.items():
        if column == left and row > top:
            found.setdefault(name, {})[values.get((row, left + 1))] = values.get((row, left + 2))
    return found
