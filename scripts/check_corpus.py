"""Check on a folder of workbooks that solve and write leave every package sound.

    python scripts/check_corpus.py FOLDER [--jobs 2] [--validate 20]

A sheet of the lesson is grafted into a copy of every .xlsx and .xlsm; `solve`, `solve --optimizer adam --history` and
`write` each fit that sheet into a file of its own, and what they made is compared with the copy, part by part: content
types complete, relations resolved, whole XML, nothing changed that had not to change, the copy as it was. A workbook
may be refused, in one clear line. Where CF_EXCEL_VALIDATOR names Microsoft's Open XML validator, a sample is given to
it, too. Faults that the workbook itself has don't count. Prints a line for each fault, then a table; exits with 1
where there is a fault. Needs lxml, as the tests do.
"""

import argparse
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, nullcontext, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path

from corpus_graft import FACTOR_CELLS, graft, lesson_model
from corpus_packages import Package, new_faults
from lxml import etree

from cf_excel.cli import main as cf_excel
from cf_excel.model.file import save_factors

RUNS = {
    "solve": ("solve",),
    "solve --history": ("solve", "--optimizer", "adam", "--history", "--steps", "100"),
    "write": ("write",),
}
MOST_SECONDS = 300  # a run that takes longer hangs
NO_PACKAGE = (zipfile.BadZipFile, zlib.error, etree.LxmlError, LookupError, ValueError, RuntimeError, EOFError, OSError)


@dataclass(frozen=True)
class Run:
    """What one run on a workbook gave: the line that refused it, and its faults, a line each."""

    name: str
    refused: str = ""
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class Original:
    """A workbook that the runs are given. package: None where no sheet could be grafted into it."""

    path: Path
    options: tuple[str, ...] = ()
    package: Package | None = None
    constants: dict[str, set[str]] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)


def check_workbook(path: Path, validator: str | None = None) -> list[Run]:
    """Check every run on a copy of a workbook with the sheet grafted in; one that can't take it must be refused."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model, copy = folder / "model.safetensors", folder / f"workbook{path.suffix}"
        save_factors(lesson_model(), model)
        try:
            title, part = graft(path, copy)
            original = Original(copy, ("--sheet", title), Package.read(copy), {part: FACTOR_CELLS})
        except NO_PACKAGE:
            copy.write_bytes(path.read_bytes())
            original = Original(copy)
        if original.package:
            original.errors.update(validator_errors(validator, copy))
        options = {"write": ("--model", str(model))}
        return [_check_run(run, (*words, *options.get(run, ())), original, validator) for run, words in RUNS.items()]


def _check_run(name: str, words: tuple[str, ...], original: Original, validator: str | None) -> Run:
    folder, content = original.path.parent, original.path.read_bytes()
    out = folder / f"out{original.path.suffix}"
    files = {*folder.iterdir()}
    try:
        code, lines = _command([words[0], str(original.path), *words[1:], *original.options, "--out", str(out)])
    except Exception:
        return Run(name, faults=(f"a traceback: {traceback.format_exc().splitlines()[-1]}",))
    others = [line for line in lines if not line.startswith("note: ")]
    made = {*folder.iterdir()} - files
    faults = [f"{path.name} was left behind" for path in made - {out}]
    if original.path.read_bytes() != content:
        faults.append("the workbook itself was changed")
    if code == 2:
        if len(others) != 1 or out in made:
            faults.append(f"refused, with {len(others)} lines for one" + " and a file written" * (out in made))
        refused = others[0].replace(str(original.path), original.path.name) if others else "no line"
    else:
        refused = ""
        if code or others or out not in made:
            faults.append(f"exit code {code}, stderr {others}")
        elif not original.package:
            faults.append("written, though no sheet could be grafted into it")
        else:
            faults += _result_faults(original, out, validator)
    for path in made:
        path.unlink()
    return Run(name, refused, tuple(faults))


def _result_faults(original: Original, out: Path, validator: str | None) -> Iterator[str]:
    assert original.package
    try:
        result = Package.read(out)
        yield from new_faults(original.package, result, original.constants)
    except NO_PACKAGE as error:
        yield f"the result can't be read: {error!r}"
        return
    if any(result.parts.get(part) == original.package.parts[part] for part in original.constants):
        yield "no factor was written"
    yield from (f"validator: {error}" for error in validator_errors(validator, out) - original.errors)


def validator_command() -> str | None:
    """Return how to call the validator, if it is there."""
    return os.environ.get("CF_EXCEL_VALIDATOR") or shutil.which("ooxml-validator")


def validator_errors(command: str | None, path: Path) -> Counter[str]:
    """Return what Microsoft's Open XML validator, if a command of it is given, says of a workbook."""
    if not command:
        return Counter()
    done = subprocess.run([command, str(path)], capture_output=True, text=True, check=False)
    try:
        report = json.loads(done.stdout)
    except ValueError:
        return Counter([f"no report, but {(done.stderr or done.stdout).strip()[:200]!r}"])
    errors = [f"{error['path']}: {error['description']}" for error in report["errors"]]
    return Counter(errors or ([] if report["ok"] else ["not ok"]))


def _command(argv: list[str]) -> tuple[int, list[str]]:
    """Run a command; return its exit code and its lines on stderr. Raises TimeoutError where it hangs."""
    err = io.StringIO()
    with _limited(), redirect_stdout(io.StringIO()), redirect_stderr(err):
        code = cf_excel(argv)
    return code, err.getvalue().splitlines()


@contextmanager
def _limited() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TimeoutError(f"no end after {MOST_SECONDS} s")

    if not hasattr(signal, "SIGALRM"):  # Windows
        yield
        return
    signal.signal(signal.SIGALRM, stop)
    signal.alarm(MOST_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)


def main(argv: Sequence[str] | None = None) -> int:
    """Check a folder; return 1 where there is a fault, else 0."""
    parser = argparse.ArgumentParser(description="Check that solve and write leave every workbook of a folder sound.")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="searched for .xlsx and .xlsm, with its folders")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="workbooks at a time (default: 1)")
    parser.add_argument(
        "--validate", type=int, default=20, metavar="N", help="workbooks that the validator sees, too (default: 20)"
    )
    args = parser.parse_args(argv)
    paths = sorted(p for p in args.folder.rglob("*") if p.suffix.lower() in (".xlsx", ".xlsm") and p.is_file())
    if not paths:
        parser.error(f"{args.folder} holds no .xlsx or .xlsm")
    validator, every = validator_command(), max(1, -(-len(paths) // max(1, args.validate)))
    validators = [validator if args.validate and i % every == 0 else None for i in range(len(paths))]
    runs: list[Run] = []
    with ProcessPoolExecutor(args.jobs) if args.jobs > 1 else nullcontext() as pool:
        found = (pool.map if pool else map)(check_workbook, paths, validators)
        for path, of_workbook in zip(paths, found, strict=True):
            runs += of_workbook
            for run in of_workbook:
                for fault in run.faults:
                    print(f"{path.relative_to(args.folder)}: {run.name}: {fault}", flush=True)
    print(f"{len(paths):,} workbooks, {sum(map(bool, validators)):,} of them seen by the validator")
    print("\n".join(table(runs)))
    return int(any(run.faults for run in runs))


def table(runs: Sequence[Run]) -> list[str]:
    """Return a row for each kind of run, then the lines that refused workbooks, the most frequent first."""
    lines = [f"{'':16}{'runs':>8}{'refused':>10}{'faults':>8}"]
    for name in RUNS:
        of_kind = [run for run in runs if run.name == name]
        n_refused, n_faults = sum(bool(run.refused) for run in of_kind), sum(len(run.faults) for run in of_kind)
        lines.append(f"{name:16}{len(of_kind):8,}{n_refused:10,}{n_faults:8,}")
    refused = Counter(run.refused for run in runs if run.refused)
    return lines + [f"{n:6,} x {line}" for line, n in refused.most_common()]


if __name__ == "__main__":
    sys.exit(main())
