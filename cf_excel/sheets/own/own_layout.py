"""Where everything is on the sheets that are written into a workbook of ratings."""

from dataclasses import dataclass
from functools import cached_property

from cf_excel.sheets.bands import Area, Bands
from cf_excel.xlsx.cells import Block, check_size

PREDICTIONS, SCORES, UNRATED = "predictions", "scores", "unrated"  # scores: in place of predictions, of picks
RECOMMENDATIONS, SIMILAR, FIT = "recommendations", "similar", "fit"
LARGEST_GRID = 500  # users and items of a list that make a grid, too


@dataclass(frozen=True)
class PredictionsSheet:
    """The sheet `predictions`, or `scores`: a note, then the grid, its names in the first column and in a row above."""

    n_down: int
    n_across: int
    title: str = PREDICTIONS

    def __post_init__(self) -> None:
        check_size(self.title, self.grid.bottom, self.grid.right)

    @cached_property
    def rows(self) -> Bands:
        return Bands(note=1, names=1, down=self.n_down)

    @cached_property
    def columns(self) -> Bands:
        return Bands(names=1, across=self.n_across)

    note = Area("note", "names")
    corner = Area("names", "names")
    names_across = Area("names", "across")
    names_down = Area("down", "names")
    grid = Area("down", "across")

    @property
    def freeze(self) -> Block:
        """Top left cell of what scrolls."""
        return self.grid.row(0).column(0)


@dataclass(frozen=True)
class RankedSheet:
    """The sheets `unrated`, `recommendations` and `similar`: a note, then one of Excel's tables."""

    title: str
    n_columns: int
    n_rows: int

    def __post_init__(self) -> None:
        check_size(self.title, self.cells.bottom, self.cells.right)

    @cached_property
    def rows(self) -> Bands:
        return Bands(note=1, headers=1, rows=self.n_rows)

    @cached_property
    def columns(self) -> Bands:
        return Bands(columns=self.n_columns)

    note = Area("note", "columns", column=0)
    note_row = Area("note", "columns")  # as wide as the table: what runs past it is cut in print
    table = Area("headers rows", "columns")
    headers = Area("headers", "columns")
    cells = Area("rows", "columns")

    @property
    def freeze(self) -> Block:
        """Top left cell of what scrolls."""
        return self.cells.row(0).column(0)


@dataclass(frozen=True)
class FitSheet:
    """The sheet `fit`: a note, what it means in a sentence, then names, numbers and what each is."""

    n_measures: int
    n_facts: int

    @cached_property
    def rows(self) -> Bands:
        return Bands(note=1, verdict=1, gap=1, headers=1, measures=self.n_measures, gap_below=1, facts=self.n_facts)

    @cached_property
    def columns(self) -> Bands:
        return Bands(names=1, numbers=1, words=1)

    note = Area("note", "names")
    verdict = Area("verdict", "names words")
    headers = Area("headers", "names words")
    measure_names = Area("measures", "names")
    measures = Area("measures", "numbers")
    measure_words = Area("measures", "words")
    fact_names = Area("facts", "names")
    facts = Area("facts", "numbers")
    fact_words = Area("facts", "words")

    @property
    def freeze(self) -> Block:
        """Top left cell of what scrolls."""
        return self.headers.row(0).column(0)
