"""Draw the pictures of README.md from workbooks that the commands of README.md write.

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

from PIL import Image, ImageChops, ImageOps

PICTURES = Path(__file__).resolve().parent.parent / "docs" / "pictures"
DPI, MARGIN, COLORS = 96, 6, 96
# each sheet is a page, whatever its height
PAGES = 'pdf:calc_pdf_Export:{"SinglePageSheets":{"type":"boolean","value":"true"}}'
LOWER_HALF = 0.5  # of the sheet dotprod: factors and predictions, without the ratings above them


def main(out: Path) -> None:
    """Write before.png, after.png and recommender.png."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        cf_excel(home, "build", "--only", "collab")
        save(page(home, "collab_filter.xlsx", "movie factor 1"), out / "before.png")
        cf_excel(home, "solve", "collab_filter.xlsx")
        save(page(home, "collab_filter.xlsx", "movie factor 1"), out / "after.png", top=LOWER_HALF)
        cf_excel(home, "train")
        cf_excel(home, "export")
        save(page(home, "recommender.xlsx", "Ten best"), out / "recommender.png")


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


def save(image: Image.Image, path: Path, top: float = 0) -> None:
    """Write an image, from this share of its height on, with few colors: a small file."""
    if top:
        image = trimmed(image.crop((0, round(top * image.height), image.width, image.height)))
    image.quantize(COLORS, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path.name}: {image.width} x {image.height}, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", type=Path, default=PICTURES, metavar="DIR", help="folder (default: docs/pictures)")
    main(parser.parse_args().out)
