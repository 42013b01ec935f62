"""The sheet `model`: a trained model's numbers for a workbook's users and movies, and predictions from them."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from cf_excel.model.factors import Factors
from cf_excel.model.kinds import KINDS
from cf_excel.model.predictor import Predictor
from cf_excel.sheets.fill.added_layout import ModelSheet
from cf_excel.sheets.fill.former_model import former_frame, former_page, marked_note
from cf_excel.sheets.fill.matching import Chosen
from cf_excel.sheets.find.found_sheet import FoundSheet, looks_of
from cf_excel.sheets.find.sheet import MODEL_TITLE
from cf_excel.sheets.lesson.embeddings import sheet_rmse
from cf_excel.xlsx.cells import Block, on_sheet
from cf_excel.xlsx.edit.new_sheet import add_sheet, replace_sheet
from cf_excel.xlsx.edit.printed_part import PRINT_AREA, has_settings
from cf_excel.xlsx.edit.sheet_xml import Address
from cf_excel.xlsx.edit.workbook_file import OpenedBook
from cf_excel.xlsx.formulas import CellFormula
from cf_excel.xlsx.texts import CellValue, shown_value
from cf_excel.xlsx.write.sheet_cells import SheetCells


class CellWriter(Protocol):
    """Takes the cells of a sheet, as SheetCells does."""

    def put(self, block: Block, style: str, rows: Sequence[Sequence[CellValue]] | np.ndarray) -> None:
        """Put texts and numbers into a block; None and NaN make blank cells."""

    def fill(self, block: Block, style: str, formula: str, results: np.ndarray | Sequence) -> None:
        """Fill a block from the formula of its first cell, with the results beside it."""


def model_layout(title: str, factors: Factors, chosen: Chosen) -> ModelSheet:
    """Return where everything is on the sheet."""
    shape = len(chosen.users), len(chosen.movies), factors.n_factors
    return ModelSheet(title, *shape, factors.kind)


def add_model_sheet(book: OpenedBook, sheets: list[FoundSheet], factors: Factors, chosen: Chosen) -> tuple[str, float]:
    """Add the sheet, in the place of one that an earlier call added.

    Return its name and the RMSE of the predictions of the workbook's ratings, in rating units.
    """
    former = former_frame(book)
    layout = model_layout(MODEL_TITLE if former else book.free_title(MODEL_TITLE), factors, chosen)
    cells = SheetCells(looks_of(book, sheets))
    rmse = write_model_cells(cells, layout, factors, chosen)
    tall = any("upright" in sheet.looks for sheet in sheets)
    cells.row_heights[layout.titles(layout.predictions).top] = 120 if tall else 15
    if former:
        own = book.names_on(layout.title).get(PRINT_AREA, "")
        is_first = not own and not has_settings(former)
        frame = layout.printed.put_into(former) if is_first else former
        if is_first or own.replace("'", "") == on_sheet(layout.title, former_page(book)):  # another is somebody's
            book.add_names(layout.title, layout.printed.names_on(layout.title))
        replace_sheet(book, layout.title, cells, frame, widths=layout.widths)
    else:
        add_sheet(book, layout.title, cells, freeze=layout.freeze, widths=layout.widths, printed=layout.printed)
    return layout.title, rmse


def write_model_cells(cells: CellWriter, layout: ModelSheet, factors: Factors, chosen: Chosen) -> float:
    """Write numbers and formulas; return the RMSE of the predictions of the workbook's ratings, in rating units."""
    cells = _Noted(cells)
    predictions = sheet_predictions(factors, chosen)
    rmse = sheet_rmse(chosen.ratings, predictions)
    _write_numbers(cells, layout, factors, chosen)
    cells.put(layout.user_ids, "id", [[identity] for identity in factors.user_ids[chosen.users].tolist()])
    titles = factors.titles[chosen.movies].tolist()
    for block, name in ((layout.predictions, "predictions"), (layout.ratings, "ratings, as they were then")):
        cells.put(layout.section(block), "plain", [[name]])
        cells.put(layout.titles(block), "upright", [titles])
        cells.put(layout.headers(block), "id", [factors.movie_ids[chosen.movies].tolist()])
    cells.put(layout.ratings, "rating", chosen.ratings)
    formula = layout.formulas.get(layout.predictions)
    if formula:
        cells.fill(layout.predictions, "prediction", formula, predictions)
    else:
        cells.put(layout.predictions, "prediction", predictions)
    _write_head(cells, layout, factors, rmse)
    return rmse


def sheet_predictions(factors: Factors, chosen: Chosen) -> np.ndarray:
    """Return the predictions, (n_users, n_movies) float64, as the sheet's formulas compute them."""
    kind = KINDS[factors.kind]
    if kind.is_net:
        ids = factors.user_ids[chosen.users][:, None], factors.movie_ids[chosen.movies][None, :]
        return Predictor(factors).predict(*ids).astype(float)
    numbers = chosen.numbers(factors)
    pairs = np.arange(numbers.n_users)[:, None], np.arange(numbers.n_movies)
    x = numbers.predict(*pairs) if kind.with_bias else numbers.products(*pairs)
    return kind.ratings(factors.global_mean + x, *factors.rating_range)


def _write_head(cells: "_Noted", layout: ModelSheet, factors: Factors, rmse: float) -> None:
    kind = KINDS[layout.kind]
    how = f"each prediction is a formula: {kind.words}"
    if kind.is_net:
        how = f"the predictions are values: {kind.words} does not fit into a cell's formula"
    cells.put(layout.setting_names, "id", [["lowest", "highest", "mean", "RMSE"]])
    for block, value in ((layout.low, factors.rating_range[0]), (layout.high, factors.rating_range[1])):
        cells.put(block, "rating", [[value]])
    cells.put(layout.mean, "prediction", [[factors.global_mean if kind.is_cut else None]])
    cells.fill(layout.rmse, "result", layout.formulas[layout.rmse], [rmse])
    cells.put(layout.note, "plain", [[marked_note(factors.kind, factors.nouns, layout, how, cells.written)]])


class _Noted:
    """Writes cells and keeps in mind what: values as cells show them, and formulas."""

    def __init__(self, cells: CellWriter) -> None:
        self._cells = cells
        self.written: list[tuple[Address, CellValue | CellFormula]] = []

    def put(self, block: Block, style: str, rows: Sequence[Sequence[CellValue]] | np.ndarray) -> None:
        self._cells.put(block, style, rows)
        values = (value for row in rows for value in (row.tolist() if isinstance(row, np.ndarray) else row))
        self.written += ((place, shown_value(value)) for place, value in zip(_places(block), values, strict=True))

    def fill(self, block: Block, style: str, formula: str, results: np.ndarray | Sequence) -> None:
        self._cells.fill(block, style, formula, results)
        first = block.top, block.left
        self.written += (
            ((row, column), CellFormula(formula, row - first[0], column - first[1])) for row, column in _places(block)
        )


def _places(block: Block) -> Iterator[Address]:
    return itertools.product(range(block.top, block.bottom + 1), range(block.left, block.right + 1))


def _write_numbers(cells: CellWriter, layout: ModelSheet, factors: Factors, chosen: Chosen) -> None:
    names = [f"factor {k}" for k in range(1, layout.n_factors + 1)]
    cells.put(layout.section(layout.user_bias), "plain", [[factors.nouns.users]])
    cells.put(layout.headers(layout.user_bias), "id", [["bias"]])
    cells.put(layout.headers(layout.user_factors), "id", [names])
    cells.put(layout.movie_labels, "id", [[f"{factors.nouns.movie} {name}"] for name in ("bias", *names)])
    chosen_numbers = chosen.numbers(factors).arrays
    cells.put(layout.user_bias, "input", chosen_numbers["user_bias"][:, None])
    cells.put(layout.user_factors, "input", chosen_numbers["user_factors"])
    cells.put(layout.movie_bias, "input", chosen_numbers["movie_bias"][None, :])
    cells.put(layout.movie_factors, "input", chosen_numbers["movie_factors"].T)
