"""What a page of the docs tells its reader to do, in its order: commands, Python, formulas, and what is printed."""

import argparse
import re
import shlex
from pathlib import Path
from typing import NamedTuple

from cf_excel.cli import make_parser, parsers_of

ROOT = Path(__file__).parents[2]
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    *sorted(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md")),
)
OPTIONS = "options"  # the page of the site that is made of the parser
_PROGRAM = r"(?:python|py|pip|uv|uvx|conda|cf_excel|run\.bat|eval|torchrun|srun|apt|xlwings|pre-commit|ruff|mypy) "
_PART = re.compile(r"^```(\w*)\n(.*?)^```$|(?<!`)`([^`]+)`", re.DOTALL | re.MULTILINE)
_OURS = re.compile(r"(?:python -m |uvx --from \. )?(?:cf_excel|run\.bat) (.*)")


class Step(NamedTuple):
    """kind: command, python, formulas or printed, which is anything else that stands in a block."""

    kind: str
    text: str


def text_of(page: str) -> str:
    """Return a page as it is written, or made."""
    if page != OPTIONS:
        return (ROOT / page).read_text(encoding="utf-8")
    examples = [
        parser.epilog.removeprefix("example:") for parser in parsers_of(make_parser()).values() if parser.epilog
    ]
    return "".join(f"```{example}\n```\n" for example in examples)


def steps(page: str) -> list[Step]:
    """Return everything that a page has in blocks, and the commands in its text, those that are whole."""
    found = []
    for language, block, words in _PART.findall(text_of(page)):
        if words:
            command = " ".join(words.split())
            if re.match(_PROGRAM, command) and not _is_a_name(command):
                found.append(Step("command", command))
        elif language == "python":
            found.append(Step("python", block))
        elif block.startswith("="):
            found.append(Step("formulas", block))
        elif re.match(rf"\s*{_PROGRAM}|#SBATCH", block):
            found += [Step("command", command) for command in _commands(block)]
        else:
            found.append(Step("printed", block))
    return found


def arguments(command: str) -> list[str] | None:
    """Return the arguments of a command of cf_excel, without what the shell does with it; None for other programs."""
    inner = re.fullmatch(r'eval "\$\((.*)\)"', command)
    ours = _OURS.fullmatch(inner[1] if inner else command)
    return shlex.split(ours[1].split(" > ")[0], comments=True) if ours else None


def _commands(block: str) -> list[str]:
    if block.startswith("#SBATCH"):
        return [block]
    lines = [line for line in block.replace("\\\n", " ").splitlines() if line.strip()]
    return [" ".join(part.split()) for line in lines for part in line.split(" && ")]


def _is_a_name(command: str) -> bool:
    """Tell whether a command without arguments stands for itself in a sentence: it needs some."""
    words = arguments(command)
    if not words or len(words) > 1 or words[0] not in parsers_of(make_parser()):
        return False
    actions = parsers_of(make_parser())[words[0]]._actions
    return any(not action.option_strings and action.nargs not in ("?", "*", argparse.SUPPRESS) for action in actions)
