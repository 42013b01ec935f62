"""Write the hidden sheet on which the recommender computes."""

from typing import TYPE_CHECKING

import numpy as np

from cf_excel.model.fold_in import noise
from cf_excel.sheets.recommender.calc_formulas import (
    LISTS,
    SCORES,
    array_formulas,
    list_formulas,
    panel_factor_formulas,
    panel_formulas,
    scalar_formulas,
)
from cf_excel.sheets.recommender.names import PANEL, SCALARS
from cf_excel.xlsx.cells import Block
from cf_excel.xlsx.write.sheet_cells import SheetCells

if TYPE_CHECKING:
    from cf_excel.sheets.recommender.calc_results import Recommender

_CONSTANTS = ("prior_mean", "prior_covariance")


def write_calc(cells: SheetCells, recommender: "Recommender", choices: list[float]) -> None:
    """Put the constants and the formulas with their results onto the sheet."""
    book, results = recommender.book, recommender.results
    calc = book.calc
    blocks = {name: block for name, (sheet, block) in book.blocks.items() if sheet == calc.title}
    cells.put(blocks["movie_list"], "plain", [[title] for title in sorted(recommender.titles, key=str.casefold)])
    cells.put(blocks["rating_list"], "plain", [[choice] for choice in choices])
    _write_scalars(cells, recommender)

    vectors = {"user_vector": results.factors.user_factors[results.picks.user]}
    vectors["movie_vector"] = results.factors.movie_factors[results.picks.movie]
    numbers = vectors | {"times_rated": results.times_rated} | results.panel
    numbers |= {SCORES[name]: scores for name, scores in results.scores.items()}
    for name, formula in array_formulas(book).items():
        block = blocks[name]
        cells.fill_at_once(block, "plain", formula, numbers[name].reshape(block.n_rows, block.n_columns))
    if not book.ratings:
        cells.put(blocks["times_rated"], "plain", [[0]] * book.n_movies)
    for name in _CONSTANTS:
        block = blocks[name]
        cells.put(block, "plain", numbers[name].reshape(block.n_rows, block.n_columns))

    for name, formula in panel_formulas(book, results.factors.kind).items():
        cells.fill(blocks[f"panel_{name}"], "plain", formula, numbers[f"panel_{name}"], array=name == "found")
    for i, (block, formula) in enumerate(panel_factor_formulas(book)):
        row = numbers["panel_factors"][i // 2]
        if i % 2:
            cells.fill(block, "plain", formula, row[-1:])
        else:
            cells.fill_at_once(block, "plain", formula, [row[:-1].tolist()])
    for i, name in enumerate(LISTS):
        for block, found, formulas in zip(
            (calc.list_values(i), calc.list_rows(i)),
            results.best(results.scores[name]),
            list_formulas(book, i).values(),
            strict=True,
        ):
            for j, formula in enumerate(formulas):
                cells.fill(block.row(j), "plain", formula, np.array([found[j]], object))
    _write_headers(cells, recommender, blocks)


def _write_scalars(cells: SheetCells, recommender: "Recommender") -> None:
    book, results = recommender.book, recommender.results
    factors, picks = results.factors, results.picks
    low, high = factors.rating_range
    values = {
        "user_row": picks.user + 1,
        "movie_row": picks.movie + 1,
        "first_rating": results.first_rating,
        "last_rating": results.last_rating,
        "user_offset": factors.user_bias[picks.user],
        "movie_offset": factors.movie_bias[picks.movie],
        "movie_length": results.lengths[picks.movie],
        "lowest_rating": low,
        "highest_rating": high,
        "global_mean": factors.global_mean,
        "rating_noise": noise(factors),
    }
    formulas = scalar_formulas(book)
    for i, name in enumerate(SCALARS):
        cells.put(book.calc.scalar_label(i), "plain", [[name]])
        if name in formulas:
            is_array = name in ("user_row", "movie_row")
            cells.fill(book.calc.scalar(i), "plain", formulas[name], [values[name]], array=is_array)
        else:
            cells.put(book.calc.scalar(i), "plain", [[values[name]]])


def _write_headers(cells: SheetCells, recommender: "Recommender", blocks: dict[str, Block]) -> None:
    calc = recommender.book.calc
    long = ("movie_list", "times_rated", *SCORES.values())
    cells.put(calc.long_headers, "header_left", [long])
    cells.put(calc.rating_list_header, "header_left", [["rating_list"]])
    cells.put(calc.list_headers, "header_left", [[f"{name} {what}" for name in LISTS for what in ("score", "row")]])
    cells.put(calc.panel_headers, "header_left", [PANEL])
    cells.put(calc.vector_headers, "header_left", [["user_vector", "movie_vector", "your_vector", "prior_mean", None]])
    for name in ("panel_factors", "panel_products", "panel_system", "prior_covariance"):
        cells.put(calc.header_of(blocks[name]), "header_left", [[name]])
