"""The files that the pages of the docs speak of, by page, and what their reader does beside typing commands."""

import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd

from cf_excel.cli import main
from support.doc_steps import OPTIONS, ROOT
from support.own_books import write_sheets
from support.ratings_files import write_zip

CUSTOMERS = [f"C{n:03}" for n in range(1, 41)]
PRODUCTS = ["Blue mug", "Teapot", "Kettle", *(f"Product {n}" for n in range(4, 16))]
Rows = list[list]


def stars_list(names: list[str], column: int = 2) -> Rows:
    """Return a list of whole stars with a taste in them, six products a customer, and its header."""
    rng = np.random.default_rng(7)
    tastes, kinds = rng.normal(size=(len(CUSTOMERS), 2)), rng.normal(size=(len(PRODUCTS), 2))
    stars = np.clip(np.round(3.3 + 0.9 * tastes @ kinds.T), 1, 5).astype(int)
    pairs = [(u, i) for u in range(len(CUSTOMERS)) for i in rng.permutation(len(PRODUCTS))[:6]]
    rows = [[CUSTOMERS[u], PRODUCTS[i]] for u, i in pairs]
    for row, (u, i) in zip(rows, pairs, strict=True):
        row.insert(column, int(stars[u, i]))
    return [names, *rows]


def orders_list() -> Rows:
    """Return who ordered what, without any number: two tastes, and some by chance."""
    rng = np.random.default_rng(5)
    likes = np.arange(len(CUSTOMERS))[:, None] % 2 == np.arange(len(PRODUCTS)) % 2
    users, items = np.nonzero(rng.random(likes.shape) < np.where(likes, 0.6, 0.1))
    return [["Customer", "Product"], *([CUSTOMERS[u], PRODUCTS[i]] for u, i in zip(users, items, strict=True))]


def csv(path: Path, rows: Rows) -> None:
    path.write_text("".join(",".join(map(str, row)) + "\n" for row in rows), encoding="utf-8")


def scores(folder: Path, n_customers: int = 25, n_more: int = 0) -> None:
    """Write the grid that the pictures show, or, where it is there, bring it to another month."""
    spec = importlib.util.spec_from_file_location("make_pictures", ROOT / "scripts" / "make_pictures.py")
    pictures = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pictures)
    path = folder / "scores.xlsx"
    pictures.write_scores(path, n_customers, n_more, sheets_of=path if path.exists() else None)


def next_month(folder: Path) -> None:
    scores(folder, n_customers=26, n_more=20)


def a_year_more(folder: Path) -> None:
    """Put a sheet 2026 with other ratings beside those of before."""
    book = openpyxl.load_workbook(folder / "scores.xlsx")
    sheet = book.create_sheet("2026")
    for row in stars_list(["Customer", "Product", "Stars"]):
        sheet.append(row)
    book.save(folder / "scores.xlsx")


def one_year(folder: Path) -> None:
    (folder / "scores.xlsx").unlink()
    scores(folder)


def sales(folder: Path) -> None:
    write_sheets(folder / "sales.xlsx", {"Sales": stars_list(["Customer", "Product", "Stars"])})


def sales_with_gaps(folder: Path) -> None:
    rows = stars_list(["Customer", "Product", "Stars"])
    csv(folder / "sales.csv", [*rows, ["C001", "Product 15", 0], ["C002", "Product 14", "lots"]])


def orders(folder: Path) -> None:
    csv(folder / "orders.csv", orders_list())


def orders_book(folder: Path) -> None:
    write_sheets(folder / "orders.xlsx", {"Orders": orders_list()})


def pieces(folder: Path) -> None:
    sheets = {
        "2024": stars_list(["Buyer", "Part", "Pieces"]),
        "2025": stars_list(["Pieces", "Buyer", "Part"], column=0),
    }
    write_sheets(folder / "all.xlsx", sheets)


def movielens(folder: Path) -> None:
    rng = np.random.default_rng(2)
    ratings = "".join(
        f"{u},{m},{rng.integers(1, 11) / 2},{1_000_000 + m}\n" for u in range(1, 46) for m in range(1, 31)
    )
    movies = "movieId,title,genres\n" + "".join(f"{m},Film {m} ({1990 + m}),Drama\n" for m in range(1, 31))
    members = {"ratings.csv": "userId,movieId,rating,timestamp\n" + ratings, "movies.csv": movies}
    write_zip(folder / "ml-25m.zip", {f"ml-25m/{name}": text for name, text in members.items()})


def ratings(folder: Path) -> None:
    csv(folder / "ratings.csv", stars_list(["user", "movie", "rating"]))


def sales_in_parquet(folder: Path) -> None:
    names, *rows = stars_list(["Customer", "Product", "Stars"])
    (folder / "sales").mkdir()
    for n in range(2):
        pd.DataFrame(rows[n::2], columns=names).to_parquet(folder / "sales" / f"{n}.parquet")


def my_ratings(folder: Path) -> None:
    csv(folder / "my_ratings.csv", stars_list(["user", "movie", "rating"]))
    write_sheets(folder / "my_ratings.xlsx", {"Ratings": stars_list(["user", "movie", "rating"])})


def somebodys_ratings(folder: Path) -> None:
    (folder / "ratings.csv").write_text("title,rating\nToy Story (1995),5\nHeat (1995),3\nThe Matrix,4.5\n")


def pairs(folder: Path) -> None:
    csv(folder / "pairs.csv", [["user", "movie"], [15, 260], [15, 1], [1, 2571], [9999, 1]])


def office_profile(folder: Path) -> None:
    (folder / ".config/libreoffice/4/user/basic/Standard").mkdir(parents=True)


def trained(folder: Path) -> None:
    """Put the model of the lesson's ratings where commands look for it."""
    shutil.copy(folder.parent / "lesson.safetensors", folder.parent / "model.safetensors")


def lesson_book(folder: Path) -> None:
    assert main(["build", "--only", "collab", "--only", "functions"]) == 0


def with_functions(folder: Path) -> None:
    assert main(["functions", "add", "scores.xlsx"]) == 0


Prepare = Callable[[Path], None]
FILES: dict[str, list[Prepare]] = {
    "README.md": [scores, sales],
    "docs/ask.md": [trained, pairs],
    "docs/checks.md": [scores],
    "docs/cluster.md": [ratings, sales_in_parquet],
    "docs/commands.md": [trained, scores, pairs, somebodys_ratings, office_profile],
    "docs/excel-windows.md": [scores],
    "docs/export.md": [trained],
    "docs/functions.md": [trained, scores, office_profile],
    "docs/libreoffice.md": [office_profile],
    "docs/models.md": [orders],
    "docs/own_workbook.md": [scores],
    "docs/python.md": [trained, ratings],
    "docs/ratings.md": [scores, pieces, sales_with_gaps, movielens, orders],
    "docs/windows.md": [scores],
    OPTIONS: [trained, lesson_book, scores, my_ratings, pairs, somebodys_ratings, office_profile],
}
