"""Do with the newest other Python of this machine what a new user does: learn from a table, ask, fill a workbook.

    python scripts/check_pythons.py

The dependencies come from the registry (by uv where it is there, which is faster), but for torch and numba, which the
lesson's models alone need, and xlwings.
Looks for CPython 3.12 to 3.14 on the PATH and in pyenv's folder; where there is none it says so, and that is no fault.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from check_wheel import ROOT, make_tables, run

MINORS = (14, 13, 12)
LEFT_OUT = ("torch", "numba", "xlwings")
COMMANDS = (
    "--help",
    "train --ratings sales.csv --no-tune --out model.safetensors",
    "predict --model model.safetensors --pairs sales.csv --out pairs.csv",
    "recommend --model model.safetensors --all -n 2 --out lists.csv",
    "completion bash",
    "fill scores.xlsx --out filled.xlsx",
)
WARNINGS = ("-W", "error::DeprecationWarning:cf_excel", "-W", "error::SyntaxWarning")


def newest() -> Path | None:
    """Return the newest Python that is another than this one, or None."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for minor in MINORS:
        on_path = shutil.which(f"python3.{minor}")
        found = [*([Path(on_path)] if on_path else []), *pyenv.glob(f"3.{minor}.*/bin/python3")]
        for python in found if minor != sys.version_info.minor else ():
            asked = subprocess.run([python, "-c", "import ensurepip"], capture_output=True, check=False)
            if asked.returncode == 0:
                return python
    return None


def install(python: Path, folder: Path) -> Path:
    """Make an environment with what cf_excel needs, and return its Python."""
    run(python, "-m", "venv", folder)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = [each.partition(";")[0] for each in project["dependencies"] if not each.startswith(LEFT_OUT)]
    inside = folder / "bin" / "python"
    uv = shutil.which("uv")
    # its own pip: an older one may not know a newer Python
    installer = (uv, "pip", "install", "--python", inside) if uv else (inside, "-m", "pip", "install", "--no-compile")
    run(*installer, "--quiet", "--only-binary", ":all:", "--constraint", ROOT / ".ci" / "constraints.txt", *needed)
    return inside


def main() -> None:
    """Do all of it in a temporary folder."""
    python = newest()
    if python is None:
        print("pythons: no CPython 3.12 to 3.14 here beside this one")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        inside = install(python, folder / "venv")
        work = folder / "work"
        work.mkdir()
        make_tables(work)
        code = (
            f"import runpy, sys; sys.path.insert(0, {str(ROOT)!r}); runpy.run_module('cf_excel', run_name='__main__')"
        )
        for command in COMMANDS:
            run(inside, *WARNINGS, "-X", f"pycache_prefix={folder}", "-c", code, *command.split(), folder=work)
    version = subprocess.run([python, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    print(f"pythons: {len(COMMANDS)} commands run with {version}")


if __name__ == "__main__":
    main()
