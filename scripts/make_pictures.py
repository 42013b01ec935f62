"""Draw the pictures of README.md, docs/lesson.md and docs/own_workbook.md from workbooks that their commands write.

    python scripts/make_pictures.py [--out docs/pictures]

Needs LibreOffice (soffice), poppler (pdftoppm, pdftotext), Pillow, and a font as wide as Excel's Calibri (Debian:
fonts-crosextra-carlito). The model is trained here, so that the pictures show what a reader gets.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import openpyxl
from openpyxl.styles import Alignment, Font, PatternFill
from PIL import Image, ImageChops, ImageOps

PICTURES = Path(__file__).resolve().parent.parent / "docs" / "pictures"
DPI, MARGIN, COLORS = 96, 6, 255
# each sheet is a page, whatever its height
PAGES = 'pdf:calc_pdf_Export:{"SinglePageSheets":{"type":"boolean","value":"true"}}'
LOWER_HALF = 0.36  # of the sheet dotprod: factors and predictions, without the ratings above them
# pixels that are shown
UPPER_ROWS = {"scores": 382, "fill": 377, "recommendations": 362, "similar": 362, "fit": 400, "momentum": 560}
CUSTOMERS = (
    *("Ann", "Bo", "Cy", "Di", "Ed", "Flo", "Gus", "Hal", "Ida", "Jo", "Kim", "Lea", "Max", "Nia", "Oz", "Pam"),
    *("Quin", "Rob", "Sue", "Tom", "Uma", "Val", "Wes", "Xia", "Yul", "Zoe"),
)
PRODUCTS = (
    *("Espresso machine", "Kettle", "Toaster", "Mug", "Grinder", "Scale"),
    *("Filter", "Beans", "Milk frother", "Thermos", "Tray", "Spoon set"),
)


def main(out: Path) -> None:
    """Write all pictures, and print what fill says in the second month."""
    out.mkdir(parents=True, exist_ok=True)
    draw_months(out)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        cf_excel(home, "build")
        drawn = page(home, "gradient_descent.xlsx", "momentum: Momentum")
        save(drawn, out / "momentum.png", height=UPPER_ROWS["momentum"])
        save(page(home, "collab_filter.xlsx", "movie factor 1"), out / "before.png")
        cf_excel(home, "solve", "collab_filter.xlsx")
        save(page(home, "collab_filter.xlsx", "movie factor 1"), out / "after.png", top=LOWER_HALF)
        cf_excel(home, "train")
        cf_excel(home, "export")
        save(page(home, "recommender.xlsx", "Ten best"), out / "recommender.png")


def draw_months(out: Path) -> None:
    """Write the sheets of docs/own_workbook.md: the ratings, and what the first month's fill makes of them."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        write_scores(home / "scores.xlsx", n_customers=len(CUSTOMERS) - 1, n_more=0)
        save(page(home, "scores.xlsx", "Stars, "), out / "scores.png", height=UPPER_ROWS["scores"])
        cf_excel(home, "fill", "scores.xlsx")
        for text, name in (
            ("bold numbers", "fill"),
            ("Prediction\n", "recommendations"),
            ("Similarity", "similar"),
            ("On ratings held out", "fit"),
        ):
            save(page(home, "scores.xlsx", text), out / f"{name}.png", height=UPPER_ROWS[name])
        write_scores(home / "scores.xlsx", n_customers=len(CUSTOMERS), n_more=20, sheets_of=home / "scores.xlsx")
        cf_excel(home, "fill", "scores.xlsx")


def write_scores(path: Path, n_customers: int, n_more: int, sheets_of: Path | None = None) -> None:
    """Write a grid of ratings with a taste in them, half of it blank but for n_more; other sheets are kept."""
    rng = np.random.default_rng(5)
    tastes, kinds = (rng.normal(size=(len(names), 2)) for names in (CUSTOMERS, PRODUCTS))
    stars = np.clip(np.round(3.3 + 0.8 * tastes @ kinds.T + 0.3 * rng.normal(size=(len(tastes), len(kinds)))), 1, 5)
    order = rng.permutation(stars.size)
    n_given = stars.size // 2 + n_more
    book = openpyxl.load_workbook(sheets_of) if sheets_of else openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = "Stars"
    sheet["A1"], sheet["A1"].font = "Stars, by customer and product", Font(name="Calibri", bold=True, size=14)
    for j, name in enumerate(("Customer / Product", *PRODUCTS), start=1):
        cell = sheet.cell(3, j, name)
        cell.font, cell.fill = Font(name="Calibri", bold=True), PatternFill("solid", start_color="FFE699")
        cell.alignment = Alignment(text_rotation=90 if j > 1 else 0, horizontal="center" if j > 1 else None)
    for i, name in enumerate(CUSTOMERS[:n_customers]):
        sheet.cell(4 + i, 1, name)
    for i, j in (divmod(int(at), len(PRODUCTS)) for at in order[:n_given]):
        if i < n_customers:
            sheet.cell(4 + i, 2 + j, int(stars[i, j])).alignment = Alignment(horizontal="center")
    for column in "BCDEFGHIJKLM":
        sheet.column_dimensions[column].width = 6.5
    sheet.column_dimensions["A"].width = 19
    sheet.row_dimensions[3].height = 118
    book.save(path)


def cf_excel(home: Path, *arguments: str) -> None:
    """Run a command of cf_excel in a folder, with a model of its own."""
    environment = os.environ | {"CF_EXCEL_MODEL": str(home / "model.safetensors")}
    subprocess.run([sys.executable, "-m", "cf_excel", *arguments], cwd=home, env=environment, check=True)


def page(home: Path, workbook: str, text: str) -> Image.Image:
    """Return the first page with this text, as LibreOffice prints the workbook, without its white margins."""
    profile = f"-env:UserInstallation={(home / 'profile').as_uri()}"
    command = ["soffice", profile, "--headless", "--convert-to", PAGES, "--outdir", str(home), workbook]
    subprocess.run(command, cwd=home, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    pdf, png = home / Path(workbook).with_suffix(".pdf"), home / "page"
    texts = subprocess.run(["pdftotext", str(pdf), "-"], check=True, capture_output=True, text=True).stdout.split("\f")
    number = str(next(n for n, words in enumerate(texts, 1) if text in words))
    pick = ["-r", str(DPI), "-f", number, "-l", number, "-singlefile", "-png"]
    subprocess.run(["pdftoppm", *pick, str(pdf), str(png)], check=True)
    return trimmed(Image.open(png.with_suffix(".png")).convert("RGB"))


def trimmed(image: Image.Image) -> Image.Image:
    """Return an image without the white around it, but for a small margin."""
    return ImageOps.expand(image.crop(ImageChops.invert(image).getbbox()), MARGIN, "white")


def save(image: Image.Image, path: Path, top: float = 0, height: int | None = None) -> None:
    """Write an image with few colors, a small file: from this share of its height on, or this height of pixels."""
    if height:
        image = image.crop((0, 0, image.width, min(height, image.height)))
    if top:
        image = trimmed(image.crop((0, round(top * image.height), image.width, image.height)))
    image.quantize(COLORS, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path.name}: {image.width} x {image.height}, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", type=Path, default=PICTURES, metavar="DIR", help="folder (default: docs/pictures)")
    parser.add_argument("--months", action="store_true", help="those of docs/own_workbook.md alone")
    args = parser.parse_args()
    (draw_months if args.months else main)(args.out)
