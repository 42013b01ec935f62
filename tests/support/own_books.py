"""Workbooks in which somebody keeps ratings: a grid by openpyxl, a list by XlsxWriter."""

from pathlib import Path

import numpy as np
import openpyxl
import xlsxwriter
from openpyxl.chart import BarChart, Reference
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter

CUSTOMERS = [f"Customer {n:02}" for n in range(1, 25)]
PRODUCTS = [f"Product {name}" for name in "ABCDEFGHIJKL"]


def scores(blank: float = 0.5) -> np.ndarray:
    """Return ratings (24, 12) with a taste in them, a part of them blank (NaN)."""
    rng = np.random.default_rng(3)
    tastes, kinds = rng.normal(size=(len(CUSTOMERS), 2)), rng.normal(size=(len(PRODUCTS), 2))
    noise = 0.2 * rng.normal(size=(len(CUSTOMERS), len(PRODUCTS)))
    ratings = np.clip(np.round(2 * (3.3 + 0.7 * tastes @ kinds.T + noise)) / 2, 1, 5)
    ratings[rng.random(ratings.shape) < blank] = np.nan
    return ratings


def counts() -> np.ndarray:
    """Return how often each of 24 customers ordered each of 12 products, (24, 12), NaN for never; two tastes."""
    rng = np.random.default_rng(5)
    likes = np.arange(24)[:, None] % 2 == np.arange(12)[None] % 2
    ordered = rng.random((24, 12)) < np.where(likes, 0.7, 0.1)
    return np.where(ordered, 1 + np.floor(np.exp(1.5 * rng.normal(size=(24, 12)))), np.nan)


def grid_book(path: Path, ratings: np.ndarray | None = None) -> Path:
    """Write a grid with a title above, a row of means below, somebody new on both sides, and other sheets."""
    ratings = scores() if ratings is None else ratings
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Stars"
    sheet["A1"] = "What our customers think"
    sheet["A1"].font = Font(bold=True, size=14)
    sheet.append([])
    sheet.append(["Customer", *PRODUCTS, "Product new"])
    for name, row in zip(CUSTOMERS, ratings.tolist(), strict=True):
        sheet.append([name, *(None if value != value else value for value in row)])
    sheet.append(["Customer new"])
    columns = [get_column_letter(i + 2) for i in range(len(PRODUCTS))]
    sheet.append(["Average", *(f"=AVERAGE({c}4:{c}{len(CUSTOMERS) + 3})" for c in columns)])
    other = book.create_sheet("Notes & more")
    other["B2"], other["B2"].fill = "mine", PatternFill("solid", start_color="FFFF00")
    chart = BarChart()
    chart.add_data(Reference(sheet, min_col=2, min_row=3, max_row=8), titles_from_data=True)
    other.add_chart(chart, "D4")
    book.save(path)
    return path


def list_book(path: Path, ratings: np.ndarray | None = None) -> Path:
    """Write a list as one of Excel's tables, below a merged header, with ids that have zeros in front."""
    ratings = scores() if ratings is None else ratings
    users, items = np.nonzero(~np.isnan(ratings))
    rows = [[f"{u:03}", PRODUCTS[i], ratings[u, i]] for u, i in zip(users.tolist(), items.tolist(), strict=True)]
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Orders")
        bold = book.add_format({"bold": True, "bg_color": "#DDDDDD", "num_format": "0.0"})
        sheet.merge_range(0, 0, 0, 2, "Stars by customer", bold)
        columns = [{"header": name} for name in ("Client", "Article", "Stars")]
        sheet.add_table(2, 0, 2 + len(rows), 2, {"name": "Orders", "data": rows, "columns": columns})
    return path


def write_sheets(path: Path, sheets: dict[str, list[list]]) -> None:
    """Write rows of cells, by the names of their sheets, with openpyxl."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
