"""The preset with which Excel's Solver opens ready on a sheet."""

from cf_excel.sheets.lesson.lesson_layout import EmbeddingSheet, GridSheet
from cf_excel.xlsx.cells import on_sheet

# Excel's Solver keeps its dialog in hidden names of the sheet: here the GRG method, minimise, no constraints.
_SOLVER_SETTINGS = {
    "cvg": "0.0001",
    "drv": "1",
    "eng": "1",
    "est": "1",
    "itr": "2147483647",
    "mip": "2147483647",
    "mni": "30",
    "mrt": "0.075",
    "msl": "2",
    "neg": "2",
    "nod": "2147483647",
    "num": "0",
    "nwt": "1",
    "pre": "0.000001",
    "rbv": "1",
    "rlx": "2",
    "rsd": "0",
    "scl": "1",
    "sho": "2",
    "ssz": "100",
    "tim": "2147483647",
    "tol": "0.01",
    "typ": "2",
    "val": "0",
    "ver": "3",
}


def solver_names(sheet: GridSheet | EmbeddingSheet) -> dict[str, str]:
    """Return the hidden names with which Excel's Solver opens ready on a sheet."""
    target, changing = sheet.solver_cells
    names = {f"solver_{key}": value for key, value in _SOLVER_SETTINGS.items()}
    names["solver_opt"] = on_sheet(sheet.title, target)
    names["solver_adj"] = ",".join(on_sheet(sheet.title, block) for block in changing)
    return dict(sorted(names.items()))
