"""README.md and docs/: links lead somewhere, commands and options are those that there are, figures those measured."""

import argparse
import re
import shlex
from collections.abc import Iterable
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from cf_excel.cli import make_parser, parsers_of
from cf_excel.model.file import save_factors
from cf_excel.udf.descriptions import signatures

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
RESULTS = ROOT / "benchmarks" / "results"
COMMAND = re.compile(r"^(?:.*\$\(|\W*)(?:(?:[\w.\\]+ )?-m |uvx --from \S+ )?(?:cf_excel|run\.bat) ([a-z].*)$")
OPTION = re.compile(r"(?<![\w-])--?[a-z][\w-]*")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def name_of(page: Path) -> str:
    """Return the name of a page for the report of a test."""
    return page.relative_to(ROOT).as_posix()


@cache
def prose(page: Path) -> str:
    """Return a page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def code(page: Path, language: str = "") -> list[str]:
    """Return the blocks of code of a language in a page."""
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)


def anchor(heading: str) -> str:
    """Return the name by which a link finds a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@cache
def sections(page: Path) -> dict[str, str]:
    """Return what stands under each heading, up to the next one, by the heading's anchor."""
    parts = re.split(r"^#+ (.*)$", prose(page), flags=re.MULTILINE)
    return {anchor(heading): text for heading, text in zip(parts[1::2], parts[2::2], strict=True)}


@cache
def parsers() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of every command."""
    return parsers_of(make_parser())


def options(parser: argparse.ArgumentParser) -> set[str]:
    """Return the options of a parser, without --help."""
    return {name for action in parser._actions for name in action.option_strings} - {"-h", "--help"}


def commands_in(lines: Iterable[str]) -> list[str]:
    """Return every command of cf_excel in lines of code, without what the shell does with it."""
    parts = [part for line in lines for part in line.split("&&")]
    found = [re.sub(r"\)\"?$", "", match[1]) for part in parts if (match := COMMAND.search(part))]
    return sorted({re.split(r" [>#|]", command)[0].strip() for command in found})


def examples() -> list[str]:
    """Return every command of cf_excel in the blocks of code, and those in a line of text."""
    blocks = [line for page in PAGES for block in code(page) for line in block.splitlines()]
    words = [" ".join(words.split()) for page in PAGES for words in re.findall(r"`([^`]*)`", prose(page))]
    in_text = [command for command in commands_in(words) if command not in parsers()]  # a name stands for it all
    return sorted({*commands_in(blocks), *in_text})


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_and_pictures_lead_somewhere(page):
    for link in LINK.findall(prose(page)):
        if "://" in link:
            continue
        path, _, heading = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        if heading:
            assert heading in sections(target), link


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_line_is_over_120_columns(page):
    lines = page.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if len(line) > 120] == []


def test_the_readme_leads_to_every_page():
    links = set(LINK.findall(prose(README)))
    assert {name_of(page) for page in PAGES[1:]} - links == set()


def test_every_picture_is_shown():
    shown = {(page.parent / link).resolve() for page in PAGES for link in LINK.findall(prose(page))}
    assert set((ROOT / "docs" / "pictures").iterdir()) - shown == set()


@pytest.mark.parametrize("command", parsers())
def test_every_command_has_its_section_with_every_option(command):
    page = ROOT / "docs" / "commands.md"
    text = sections(page)[command]
    assert f"python -m cf_excel {command}" in text
    shared = [sections(page)[link[1:]] for link in LINK.findall(text) if link.startswith("#")]
    named = set(OPTION.findall(" ".join([text, *shared]))) - {"-m"}
    assert named == options(parsers()[command])


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_page_names_an_option_that_there_is_not(page):
    known = {"-m", "-e", "--help", "--version", "--large", "--workbook"}.union(*map(options, parsers().values()))
    named = {option for words in re.findall(r"`([^`]*)`", prose(page)) for option in OPTION.findall(words)}
    assert named - known == set()


@pytest.mark.parametrize("example", examples())
def test_every_example_is_a_command(example):
    make_parser().parse_args(shlex.split(example))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_script_that_a_page_runs_is_there(page):
    named = re.findall(r"python ((?:[\w-]+/)+[\w-]+\.py)", page.read_text(encoding="utf-8"))
    assert [path for path in named if not (ROOT / path).is_file()] == []


@pytest.fixture(scope="module")
def options_page() -> str:
    """Return the page of the site that is made of the parser."""
    pytest.importorskip("mkdocs")
    spec = spec_from_file_location("site_hooks", ROOT / "docs" / "site" / "hooks.py")
    assert spec is not None
    assert spec.loader is not None
    hooks = module_from_spec(spec)
    spec.loader.exec_module(hooks)
    return hooks.options_page()


def test_the_page_of_the_parser_has_every_option_and_its_examples_run(options_page):
    texts = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", options_page, flags=re.DOTALL | re.MULTILINE))
    assert texts.keys() == parsers().keys()
    for command, parser in parsers().items():
        shown = {action for action in parser._actions if action.help != argparse.SUPPRESS} - {parser._actions[0]}
        names = {name for action in shown for name in action.option_strings}
        assert set(OPTION.findall(" ".join(re.findall(r"^- `([^`]*)`", texts[command], re.MULTILINE)))) == names
        lines = [
            line
            for block in re.findall(r"^```\n(.*?)^```", texts[command], re.DOTALL | re.MULTILINE)
            for line in block.splitlines()
        ]
        assert lines
        for example in commands_in(lines):
            make_parser().parse_args(shlex.split(example))
    assert "%%" not in options_page


def test_the_readme_shows_the_commands_of_its_tasks():
    shown = {example.split()[0] for example in examples()}
    assert shown >= {"build", "solve", "write", "train", "predict", "recommend", "similar", "rate", "plot", "export"}


def test_every_function_of_the_sheet_is_named():
    text = (ROOT / "docs" / "functions.md").read_text(encoding="utf-8")
    assert [name for name in signatures() if name not in text] == []


def test_the_example_in_python_runs(tmp_path, monkeypatch, busy_factors):
    monkeypatch.setenv("CF_EXCEL_MODEL", str(tmp_path / "model.safetensors"))
    save_factors(busy_factors(), tmp_path / "model.safetensors")
    (block,) = [block for block in code(ROOT / "docs" / "python.md", "python") if "load_predictor" in block]
    names: dict = {}
    exec(block, names)
    assert names["grid"].shape == (2, 3)
    assert len(names["best"]) == 5


def test_the_example_for_notebooks_runs():
    (block,) = [block for block in code(ROOT / "docs" / "python.md", "python") if "cf_excel.fit(" in block]
    names: dict = {}
    exec(block, names)
    assert names["best"].user_id.tolist() == ["Ann", "Eva"]
    assert len(names["alike"]) == len(names["new"]) == 2
    assert names["predicted"].index.equals(names["sales"].index)


def test_the_figures_are_those_of_the_last_measurement():
    page = sections(ROOT / "docs" / "benchmarks.md")
    for name in ("speed", "growth", "scale"):
        measured, shown = rows((RESULTS / f"{name}.md").read_text(encoding="utf-8")), rows(page[name])
        assert measured.keys() == shown.keys()
        for first, figures in list(measured.items())[1:]:
            assert set(shown[first]) <= set(figures), first
            assert name == "growth" or set(shown[first]) == set(figures), first  # growth.md tells more


def test_the_errors_are_those_of_the_last_comparison():
    lesson, latest = (RESULTS / "scoreboard.md").read_text(encoding="utf-8").split("\ntime:")
    shown = rows(sections(ROOT / "docs" / "benchmarks.md")["models-compared"])
    for text, column in ((lesson, 0), (latest, 3)):
        for name, (error, *_) in list(rows(text.split("\nlists, ")[0]).items())[1:]:
            if name != "mean" and error != "-":
                name = {"bayes-ratings": "bayes, ratings alone"}.get(name, name.replace("surprise", "Surprise"))
                assert shown[name][column] == f"{float(error):.3f}".removeprefix("0"), (name, column)


def test_the_lists_are_those_of_the_last_comparison():
    boards = (RESULTS / "list_scoreboard.md").read_text(encoding="utf-8").split("\nlists, ")[1:]
    measured = [rows(board) for board in boards]
    shown = rows(sections(ROOT / "docs" / "benchmarks.md")["lists-compared"])
    assert {"bayes, score", "EASE", "SLIM"} <= shown.keys() & measured[0].keys()
    for name, cells in shown.items():
        for board in measured:
            if name in board:
                assert board[name][0].removeprefix("0") in cells, name


def rows(text: str) -> dict[str, list[str]]:
    """Return the cells that are not blank of the rows of a text's tables, by the first one of the row."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("|") and not line.startswith("|-"):
            first, *others = (cell.strip() for cell in line.strip("|").split("|"))
            found.setdefault(first, []).extend(filter(None, others))
    return found
