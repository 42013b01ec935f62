"""What mkdocs does with the pages of this folder, which are written for a repository: it brings in those outside of it.

README.md is the first page; it, CONTRIBUTING.md and CHANGELOG.md stand above docs/, and links to other files above it
become the site's, with the file beside them. The pages of reference are made of the names of the package, and of the
parser of the command line.
"""

import argparse
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import cf_excel
from cf_excel.cli import make_parser, parsers_of

ROOT = Path(__file__).resolve().parents[2]
ABOVE = {"README.md": "index.md", "CONTRIBUTING.md": "CONTRIBUTING.md", "CHANGELOG.md": "CHANGELOG.md"}
FOLDER = re.compile(r"\[([^\]]+)\]\(workbooks\)")  # a site can't show one
LINK = re.compile(r"(?<=\]\()([^)#\s:]+)(?=[#)])")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages and files from above docs/ that pages link to, and the references."""
    for name, uri in ABOVE.items():
        files.append(File.generated(config, uri, content=(ROOT / name).read_text(encoding="utf-8")))
    names = "".join(f"::: cf_excel.{place}\n\n" for place in places())
    files.append(File.generated(config, "reference.md", content=f"# Python reference\n\n{names}"))
    files.append(File.generated(config, "options.md", content=options_page()))
    pages = [*(ROOT / "docs").glob("*.md"), *(ROOT / name for name in ABOVE)]
    linked = {(page.parent / link).resolve() for page in pages for link in LINK.findall(page.read_text("utf-8"))}
    for path in sorted(linked):
        uri = path.relative_to(ROOT).as_posix()
        if path.is_file() and not uri.startswith("docs/") and uri not in ABOVE:
            files.append(File.generated(config, copied(uri), abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: Any) -> str:
    """Point the links of a page at where their files stand on the site."""
    uri = page.file.src_uri
    folder = ROOT if uri in ABOVE.values() else ROOT / "docs"

    def moved(match: re.Match[str]) -> str:
        path = (folder / match[1]).resolve()
        if not path.exists() or not path.is_relative_to(ROOT):
            return match[1]  # mkdocs says what is wrong
        target = path.relative_to(ROOT).as_posix()
        return ABOVE.get(target) or (target.removeprefix("docs/") if target.startswith("docs/") else copied(target))

    return LINK.sub(moved, FOLDER.sub(r"\1", markdown))


def copied(uri: str) -> str:
    """Return where a file of the repository stands on the site, which shows pages alone by their names."""
    return f"files/{uri}" + (".txt" if uri.endswith(".md") else "")


def places() -> list[str]:
    """Return the module and name of everything that `cf_excel` has."""
    found = []
    for name, place in cf_excel._PLACES.items():
        module, _, there = place.partition(":")
        found.append(f"{module}.{there or name}")
    return found


def options_page() -> str:
    """Return the page with the --help of every command."""
    sections = [f"## {name}\n\n{_command(parser)}" for name, parser in parsers_of(make_parser()).items()]
    return "\n".join(["# Command line, every option\n\nWhat `--help` says, [by task](commands.md).\n", *sections])


def _command(parser: argparse.ArgumentParser) -> str:
    lines = [parser.description or "", ""]
    for group in parser._action_groups:
        actions = [
            action for action in group._group_actions if action.help != argparse.SUPPRESS and action.dest != "help"
        ]
        if actions and group.title not in ("positional arguments", "options"):
            lines += [f"**{_plain(group.title or '')}**", ""]
        lines += [f"- `{_signature(action)}`: {_plain(action.help or '')}" for action in actions]
        lines += [""] if actions else []
    example = (parser.epilog or "").removeprefix("example:\n")
    if example:
        lines += ["```", *(line.strip() for line in example.splitlines()), "```", ""]
    return "\n".join(lines)


def _signature(action: argparse.Action) -> str:
    takes = action.nargs if action.nargs is not None else 1
    names = ", ".join(action.option_strings)
    if takes == 0:
        return names
    shown = action.metavar or ("|".join(map(str, action.choices)) if action.choices else action.dest.upper())
    values = " ".join(shown) if isinstance(shown, tuple) else shown
    return f"{names} {values}{' ...' if takes in ('+', '*') else ''}".strip()


def _plain(text: str) -> str:
    """Return a help text with nothing that Markdown takes for its own."""
    return re.sub(r"([*_`<|\[\]])", r"\\\1", text.replace("%%", "%"))
