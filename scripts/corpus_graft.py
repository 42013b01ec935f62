"""Graft a sheet of the lesson into any workbook: one part more, the others as they were."""

import copy
import posixpath
import zipfile
from collections.abc import Iterable
from itertools import count
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
from corpus_packages import CONTENT_TYPES, OFFICE, OFFICE_STRICT, Package, plain, rels_of
from lxml import etree
from openpyxl.formula.translate import Translator

from cf_excel.model.factors import Factors
from cf_excel.sheets.lesson.lesson_layout import GridSheet
from cf_excel.xlsx.cells import Block, cell

USERS, MOVIES, N_FACTORS = (7, 15, 30, 42, 73), (1, 110, 260, 296), 2
RATINGS = ((4, 3.5, None, 5), (2, None, 4.5, 3), (5, 4, 4, None), (None, 1, 2.5, 4), (3, 3, 5, 4.5))
LAYOUT = GridSheet("dotprod", len(USERS), len(MOVIES), N_FACTORS, with_bias=False)
FACTOR_CELLS = {
    cell(row, column)
    for block in (LAYOUT.user_factors, LAYOUT.movie_factors)
    for row in range(block.top, block.bottom + 1)
    for column in range(block.left, block.right + 1)
}
_SHEET_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"


def graft(source: Path, target: Path) -> tuple[str, str]:
    """Write a workbook with one sheet more; return its title, `dotprod` where that is free, and its part.

    Raises LookupError, ValueError or what zipfile and lxml raise, for a file that is no workbook.
    """
    package = Package.read(source)
    workbook = package.workbook
    root, types, rels = (package.xml(name) for name in (workbook, CONTENT_TYPES, rels_of(workbook)))
    listed, sheets = root.find("{*}sheets"), root.findall("{*}sheets/{*}sheet")
    if not sheets:
        raise LookupError("the workbook lists no sheets")
    title = _free("dotprod", [sheet.get("name", "") for sheet in sheets])
    part = _free(posixpath.join(posixpath.dirname(workbook), "worksheets", "lesson{}.xml"), package.parts)
    namespace = etree.QName(root).namespace or ""
    identity = _free("rIdLesson", [relation.get("Id", "") for relation in rels])
    number = max(int(sheet.get("sheetId", "0")) for sheet in sheets) + 1
    office = OFFICE_STRICT if "purl.oclc.org" in namespace else OFFICE
    entry = etree.SubElement(listed, f"{{{namespace}}}sheet", {"name": title, "sheetId": str(number)}, {"r": office})
    entry.set(f"{{{office}}}id", identity)
    _add(rels, "Relationship", Id=identity, Type=f"{office}/worksheet", Target=f"/{part}")
    _add(types, "Override", PartName=f"/{part}", ContentType=_SHEET_TYPE)
    changed = {
        name: etree.tostring(tree, encoding="UTF-8", standalone=True)
        for name, tree in ((workbook, root), (CONTENT_TYPES, types), (rels_of(workbook), rels))
    }
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for old_entry in old.infolist():
            new.writestr(copy.copy(old_entry), changed.get(plain(old_entry.filename), old.read(old_entry)))
        new.writestr(part, lesson_sheet(namespace))
    return title, part


def lesson_sheet(namespace: str) -> bytes:
    """Return the XML of the sheet, with ratings, factors, and formulas with their results."""
    rng = np.random.default_rng(0)
    users, movies = rng.random((len(USERS), N_FACTORS)), rng.random((N_FACTORS, len(MOVIES)))
    ratings = np.array(RATINGS, dtype=float)
    predictions = np.where(np.isnan(ratings), 0, users @ movies)
    constants = {
        LAYOUT.rating_users: np.transpose([USERS]),
        LAYOUT.rating_movies: np.array([MOVIES]),
        LAYOUT.ratings: ratings,
        LAYOUT.user_factors: users,
        LAYOUT.movie_factors: movies,
    }
    results = {
        LAYOUT.prediction_users: np.transpose([USERS]),
        LAYOUT.prediction_movies: np.array([MOVIES]),
        LAYOUT.predictions: predictions,
        LAYOUT.rmse: np.sqrt([[np.nanmean((ratings - predictions) ** 2)]]),
    }
    cells: dict[tuple[int, int], str] = {}
    for block, values in (constants | results).items():
        formula = LAYOUT.formulas.get(block)
        for (i, j), value in np.ndenumerate(values):
            if value == value:
                cells[block.top + i, block.left + j] = _cell(block, i, j, float(value), formula)
    rows = "".join(
        f'<row r="{row}">' + "".join(text for (r, _), text in sorted(cells.items()) if r == row) + "</row>"
        for row in sorted({row for row, _ in cells})
    )
    return f'<worksheet xmlns="{namespace}"><sheetData>{rows}</sheetData></worksheet>'.encode()


def lesson_model() -> Factors:
    """Return a model of the sheet's users and movies, as if it had been trained on its ratings."""
    rng = np.random.default_rng(1)
    seen = [[j for j, rating in enumerate(row) if rating is not None] for row in RATINGS]
    n_users, n_movies = len(USERS), len(MOVIES)
    return Factors(
        kind="dot",
        user_ids=np.array(USERS),
        movie_ids=np.array(MOVIES),
        titles=np.array([f"Film {movie}" for movie in MOVIES], object),
        years=np.zeros(n_movies, np.int16),
        genres=np.array([""] * n_movies, object),
        user_factors=rng.random((n_users, N_FACTORS), dtype=np.float32),
        movie_factors=rng.random((n_movies, N_FACTORS), dtype=np.float32),
        user_bias=np.zeros(n_users, np.float32),
        movie_bias=np.zeros(n_movies, np.float32),
        rating_range=(0.5, 5.0),
        seen_offsets=np.cumsum([0, *map(len, seen)]),
        seen_movies=np.array([movie for row in seen for movie in row], np.int32),
    )


def _cell(block: Block, i: int, j: int, value: float, formula: str | None) -> str:
    address = cell(block.top + i, block.left + j)
    text = "" if formula is None else Translator(f"={formula}", block.first).translate_formula(address)[1:]
    return f'<c r="{address}">' + (f"<f>{escape(text)}</f>" if text else "") + f"<v>{value!r}</v></c>"


def _add(parent: etree._Element, tag: str, **attributes: str) -> None:
    etree.SubElement(parent, f"{{{etree.QName(parent).namespace}}}{tag}", attributes)


def _free(name: str, taken: Iterable[str]) -> str:
    """Return a name that is free, with a number in place of {} or at its end if it must be."""
    lower, pattern = {other.lower() for other in taken}, name if "{}" in name else f"{name}{{}}"
    return next(free for n in count() if (free := pattern.format(n or "")).lower() not in lower)
