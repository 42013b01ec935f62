"""Build sdist and wheel, install the wheel in a new environment elsewhere, and do there what a new user does.

    python scripts/check_wheel.py

The environment also sees the packages of the Python that runs this, so that nothing is downloaded.
"""

import os
import random
import subprocess
import sys
import sysconfig
import tempfile
import venv
import zipfile
from pathlib import Path

import openpyxl

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = (
    "build",
    "train --ratings sales.csv --out model.safetensors",
    "fill scores.xlsx --out filled.xlsx",
    "export --model model.safetensors --out recommender.xlsx",
)
WRITTEN = ("collab_filter.xlsx", "gradient_descent.xlsm", "model.safetensors", "filled.xlsx", "recommender.xlsx")


def build(folder: Path) -> Path:
    """Build both into a folder, check that PyPI would show the README and that no file is missing; return the wheel."""
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    run(sys.executable, "-m", "twine", "check", "--strict", *folder.iterdir())
    (wheel,) = folder.glob("*.whl")
    files = {path for path in (ROOT / "cf_excel").rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    with zipfile.ZipFile(wheel) as archive:
        missing = {path.relative_to(ROOT).as_posix() for path in files} - set(archive.namelist())
    if missing:
        sys.exit(f"{wheel.name} lacks {', '.join(sorted(missing))}")
    return wheel


def install(wheel: Path, folder: Path) -> Path:
    """Make an environment with the wheel, and return its Python."""
    venv.create(folder, with_pip=False)
    bin_folder = "Scripts" if os.name == "nt" else "bin"
    python = folder / bin_folder / Path(sys.executable).name
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index")
    run(*pip, "--disable-pip-version-check", wheel)
    # after the wheel's own folder: what is here of cf_excel itself is never seen
    ours = sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)})
    others = [path for path in sys.path if path.endswith("-packages")]
    (Path(ours) / "others.pth").write_text("\n".join(others) + "\n", encoding="utf-8")
    return python


def make_tables(folder: Path) -> None:
    """Write sales.csv and scores.xlsx, whose ratings have a pattern."""
    dice = random.Random(1)
    rows = [
        (f"customer {u}", f"product {m}", dice.randint(3, 5) if u % 2 == m % 2 else dice.randint(1, 3))
        for u in range(30)
        for m in range(12)
        if dice.random() < 0.7
    ]
    lines = ["customer,product,rating", *(",".join(map(str, row)) for row in rows)]
    (folder / "sales.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    book = openpyxl.Workbook()
    for line in lines:
        book.active.append([int(cell) if cell.isdigit() else cell for cell in line.split(",")])
    book.save(folder / "scores.xlsx")


def run(*command: object, folder: Path | None = None) -> None:
    """Run a command without the repository on its path; end with what it printed where it fails."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "CF_EXCEL_MODEL")}
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(words)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")


def main() -> None:
    """Do all of it in a temporary folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = install(build(folder / "dist"), folder / "venv")
        work = folder / "work"
        work.mkdir()
        make_tables(work)
        where = f"import cf_excel; assert cf_excel.__file__.startswith({str(folder / 'venv')!r}), cf_excel.__file__"
        run(python, "-c", where, folder=work)
        for command in COMMANDS:
            run(python, "-m", "cf_excel", *command.split(), folder=work)
        missing = [name for name in WRITTEN if not (work / name).exists()]
        if missing:
            sys.exit(f"not written: {', '.join(missing)}")
    print(f"wheel: {len(COMMANDS)} commands run from it")


if __name__ == "__main__":
    main()
