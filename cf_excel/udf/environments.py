"""Which kind of environment a Python stands in: conda's and uv's want other commands and settings than python.org's."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

CONDA_SETTINGS = ("Conda Path", "Conda Env")  # of xlwings, whose VBA then activates the environment


@dataclass(frozen=True)
class PythonEnvironment:
    """An environment: conda's, uv's, one that uv made for a single run, or "" for any other.

    conda_path, conda_env: conda's own folder, "" where that is not known, and the environment's name there, or its path
    elsewhere. is_active: whether conda has made the libraries of the environment known.
    """

    kind: str = ""
    conda_path: str = ""
    conda_env: str = ""
    is_active: bool = True

    @property
    def pip(self) -> str:
        """The command that installs packages there."""
        return "uv pip install" if self.kind == "uv" else "python -m pip install"

    @property
    def settings(self) -> list[tuple[str, str]]:
        """What xlwings.conf needs for its VBA to activate the environment; nothing for others."""
        if not self.conda_path or " " in self.conda_env:  # the VBA puts no quotes around it
            return []
        return [("Interpreter_Win", "python"), *zip(CONDA_SETTINGS, (self.conda_path, self.conda_env), strict=True)]

    def __str__(self) -> str:
        if self.kind == "conda":
            return f"conda's environment {self.conda_env}" + ("" if self.is_active else ", not active")
        return {"uv": "an environment of uv", "uvx": "an environment that uv made for this run"}.get(self.kind, "")


def environment_of(prefix: Path, variables: Mapping[str, str]) -> PythonEnvironment:
    """Return which environment sys.prefix is; variables: the environment variables."""
    if (prefix / "conda-meta").is_dir():
        active = Path(variables.get("CONDA_PREFIX", "")) == prefix
        base = _conda_folder(prefix, variables)
        if base is None:
            return PythonEnvironment("conda", conda_env=str(prefix), is_active=active)
        name = "base" if base == prefix else prefix.name if prefix.parent == base / "envs" else str(prefix)
        return PythonEnvironment("conda", str(base), name, active)
    try:
        lines = (prefix / "pyvenv.cfg").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return PythonEnvironment()
    if not any(line.partition("=")[0].strip() == "uv" for line in lines):
        return PythonEnvironment()
    once = any(part.startswith(("archive-v", "builds-v", "environments-v")) for part in prefix.parts)
    return PythonEnvironment("uvx" if once else "uv")


def interpreter_of(settings: Mapping[str, str]) -> str:
    """Return which Python on Windows xlwings starts by the settings of a workbook, whose names are in capitals."""
    interpreter = settings.get("INTERPRETER_WIN", "")
    path, env = (settings.get(name.upper(), "") for name in CONDA_SETTINGS)
    if interpreter not in ("python", "pythonw") or not (path and env):
        return interpreter
    named = PureWindowsPath(path) if env == "base" else PureWindowsPath(path, "envs", env)
    folder = PureWindowsPath(env) if "\\" in env else named
    return str(folder / f"{interpreter}.exe")


def _conda_folder(prefix: Path, variables: Mapping[str, str]) -> Path | None:
    """Return where conda itself is: where its command of this name stands, which activates environments."""
    program = variables.get("CONDA_EXE", "")
    named = [Path(program).parent.parent] if program else []
    for folder in (*named, prefix, *([prefix.parent.parent] if prefix.parent.name == "envs" else [])):
        if (folder / "condabin" / "conda.bat").is_file():
            return folder
    return None
