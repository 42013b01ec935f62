"""Options that several commands share."""

import argparse
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cf_excel.cli.messages import note, say
from cf_excel.cli.working import doing
from cf_excel.errors import FileError
from cf_excel.files import check_target, followed, replacing
from cf_excel.udf.open_books import refuse_open_in_cloud

if TYPE_CHECKING:
    from cf_excel.ratings.table import Ratings

MOST = 1_000_000_000  # no seed, size or number of steps is larger
_COLUMNS = ("user", "movie", "rating", "timestamp")
_BOTH = {"user": "user (customer)", "movie": "movie (product, item)"}  # for readers of --help, who may have either
# how to read a table of ratings, as load_ratings has it
_HOW = ("sheet", "table", "cells", "form", "items_down", "not_rated", "skip_bad", "encoding", "date_format", "nouns")
_INPUTS = ("ratings", "movies", "pairs", "user_features", "movie_features")
_TABLES = (".csv", ".tsv", ".txt", ".tab", ".dat", ".data", ".item", ".gz", ".bz2", ".xz", ".parquet")
_WORKBOOKS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")


def add_command(commands: argparse._SubParsersAction, name: str, summary: str, example: str) -> argparse.ArgumentParser:
    """Add a command whose --help ends with an example."""
    return commands.add_parser(
        name,
        help=summary,
        description=summary,
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def whole(text: str) -> int:
    """Read a whole number from the command line. Raises ArgumentTypeError, which argparse shows, for anything else."""
    number = int(text) if re.fullmatch(r"\s*[+-]?\d{1,10}\s*", text) else MOST + 1
    if abs(number) > MOST:
        raise argparse.ArgumentTypeError(f"{text[:40]!r}: expected a whole number, at most {MOST:,}")
    return number


def add_model_option(parser: argparse.ArgumentParser) -> None:
    """Add --model FILE, which names the trained model to use."""
    parser.add_argument(
        "--model", type=Path, metavar="FILE", help="the model file (default: CF_EXCEL_MODEL, or where train left it)"
    )


def add_replacing_options(parser: argparse.ArgumentParser, *, also_forced: str = "") -> None:
    """Add --backup and --force, by which files are replaced that somebody changed; also_forced: what else it does."""
    parser.add_argument(
        "--backup", action="store_true", help="keep each file that is replaced beside the new one, as NAME.bak.EXT"
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help=f"replace files, even if they were changed since cf_excel wrote them, or are others{also_forced}",
    )


def add_features_options(parser: argparse._ActionsContainer) -> None:
    """Add --user-features and --movie-features."""
    for kind in ("user", "movie"):
        parser.add_argument(
            f"--{kind}-features",
            type=Path,
            metavar="PATH",
            help=f"table of what is known of each {_BOTH[kind]}: id, columns of numbers, categories or lists (a|b)",
        )


def add_ratings_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which ratings to read."""
    group = parser.add_argument_group("ratings (default: MovieLens, 100,004 ratings, comes with cf_excel)")
    source = group.add_mutually_exclusive_group()
    source.add_argument(
        "--ratings",
        type=place,
        metavar="PATH",
        help="workbook, CSV, TSV, JSON lines, Parquet or a folder or s3:// of it, or a MovieLens folder or zip",
    )
    source.add_argument("--download", metavar="NAME", help="a MovieLens data set from GroupLens, such as ml-25m")
    group.add_argument(
        "--movies", type=Path, metavar="PATH", help="titles: CSV or workbook with id, title, genres, year"
    )
    add_reading_options(group)


def place(text: str) -> Path | str:
    """Return what --ratings names: a path, or an address such as s3://... as it is."""
    from cf_excel.ratings.sources import is_url

    return text if is_url(text) else Path(text)


def add_reading_options(group: argparse._ArgumentGroup) -> None:
    """Add the options that say where ratings are in a table, and how they are to be read."""
    add_place_options(group, _COLUMNS, "ratings")
    group.add_argument(
        "--rating-range",
        type=float,
        nargs=2,
        metavar=("LO", "HI"),
        help="lowest and highest rating there may be (default: those there are)",
    )
    group.add_argument("--form", choices=("list", "grid"), help="a row a rating, or users down and items across")
    group.add_argument("--items-down", action="store_true", help="a grid with items down and users across")
    group.add_argument("--not-rated", nargs="+", metavar="VALUE", help="values that mean no rating, as blanks do")
    group.add_argument("--skip-bad", action="store_true", help="leave rows out that can't be read, and count them")
    group.add_argument("--date-format", metavar="FORM", help="order of days and months, such as DD/MM/YYYY")
    group.add_argument(
        "--nouns",
        nargs=2,
        metavar=("USER", "MOVIE"),
        help="what they are called, such as customer product (default: as the headers have it)",
    )


def add_place_options(group: argparse._ArgumentGroup, columns: Sequence[str], what: str) -> None:
    """Add the options that say where the columns of a table are, what: ratings or pairs."""
    for column in columns:
        or_none = ' ("none": leave the times out)' if column == "timestamp" else ""
        names = [f"--{column}-column", *(["--item-column"] if column == "movie" else [])]
        group.add_argument(*names, metavar="NAME", help=f"column of the {_BOTH.get(column, column)}{or_none}")
    group.add_argument("--sheet", metavar="NAME", help=f"sheet of a workbook (default: the one with {what})")
    group.add_argument("--table", metavar="NAME", help="Excel's own table (.xlsx and .xlsm)")
    group.add_argument("--range", dest="cells", metavar="CELLS", help=f"cells with the {what}, their headers included")
    group.add_argument("--encoding", metavar="NAME", help="of a text (default: UTF-8, or guessed)")


def add_picks_options(parser: argparse.ArgumentParser) -> None:
    """Add --implicit and --explicit."""
    group = parser.add_argument_group("tables without ratings").add_mutually_exclusive_group()
    group.add_argument(
        "--implicit",
        action="store_true",
        help="the rows are orders, plays, clicks or likes, and a column of numbers counts them (default: where there "
        "is no column of ratings, all ratings are the same, or they look like counts)",
    )
    group.add_argument("--explicit", action="store_true", help="the numbers are ratings, whatever they look like")


def reading_options(args: argparse.Namespace) -> dict[str, Any]:
    """Return what the options above say, as load_ratings takes it; nothing where they say nothing."""
    columns = {column: name for column in _COLUMNS if (name := getattr(args, f"{column}_column")) is not None}
    how = {option: value for option in _HOW if (value := getattr(args, option))}
    if columns:
        how["columns"] = columns
    if args.rating_range:
        how["rating_range"] = tuple(args.rating_range)
    implicit = getattr(args, "implicit", False)  # of train and fill alone
    if implicit or (implicit is None and (args.ratings or args.download)):
        how["implicit"] = implicit
    return how


def read_ratings(args: argparse.Namespace) -> "Ratings":
    """Read the ratings that the options above name, and say on stderr what was left out.

    Raises FileError and InputError as load_ratings and download do.
    """
    how = reading_options(args)
    if not any((args.ratings, args.download, args.movies, how)):
        from cf_excel.ratings.lesson_ratings import load_lesson_ratings

        return load_lesson_ratings()

    from cf_excel.ratings.readers import load_ratings

    path = args.ratings
    if args.download is not None:
        from cf_excel.ratings.download import download

        with doing(f"fetching {args.download}") as tell:
            path = download(args.download, tell=tell)
    with doing(f"reading {path}") as tell:
        ratings = load_ratings(path, movies=args.movies, **how, tell=tell)
    tell_notes(ratings)
    return ratings


def tell_notes(ratings: "Ratings") -> None:
    """Say on stderr how ratings were read and what was left out."""
    for line in ratings.remarks:
        note(line)


def ratings_options(args: argparse.Namespace) -> list[str]:
    """Return the options above as `train` takes them, with whole paths; a table of one's own is split at random."""
    options = []
    for name in ("ratings", "movies", "download", *(f"{column}_column" for column in _COLUMNS)):
        value = getattr(args, name)
        if value is not None:
            options += [f"--{name.replace('_', '-')}", str(value.absolute() if isinstance(value, Path) else value)]
    if args.rating_range:
        options += ["--rating-range", *map(repr, args.rating_range)]
    for name in _HOW:
        value = getattr(args, name)
        if value:
            options.append("--range" if name == "cells" else f"--{name.replace('_', '-')}")
            options += [] if value is True else [value] if isinstance(value, str) else value
    return [*options, "--explicit", "--split", "random"] if args.ratings or args.download else options


def check_outputs(args: argparse.Namespace, *paths: Path, is_ours: Callable[[Path], bool] | None = None) -> None:
    """Refuse what can't be written, or would replace somebody's work, before any work is done.

    That is what the options name for reading, and, of commands with --backup and --force and without these, a file that
    is not as cf_excel wrote it. is_ours: tells whether a file is of the kind to write, an older cf_excel's, without a
    digest, included. Raises FileError.
    """
    inputs = _input_files(args)
    for path in paths:
        check_target(path, inputs)
        if path.suffix.lower() in _WORKBOOKS:
            refuse_open_in_cloud(path)
        if not getattr(args, "force", True) and not args.backup:
            _check_unchanged(path, is_ours, "DIR" if path.parent == args.out else "FILE")


def keep_former(args: argparse.Namespace, *paths: Path, is_ours: Callable[[Path], bool] | None = None) -> None:
    """Copy what is replaced now, where --backup says so; refuse what was changed since check_outputs."""
    check_outputs(args, *paths, is_ours=is_ours)
    if not args.backup:
        return
    from cf_excel.xlsx.edit.target import backup_path

    for path in map(followed, paths):
        if path.exists():
            with replacing(kept := backup_path(path), like=path) as copy:
                shutil.copyfile(path, copy)
            say(f"the former {path} is {kept}")


def _check_unchanged(path: Path, is_ours: Callable[[Path], bool] | None, out: str) -> None:
    from cf_excel.written import CHANGED, change_of

    change = change_of(path)
    if is_ours and change != CHANGED and path.exists() and path.stat().st_size:
        change = "" if is_ours(path) else change or "is another kind of file"
    if change:
        raise FileError(
            f"{path} {change}: --backup keeps it beside the new one, --force replaces it, --out {out} writes elsewhere"
        )


def _input_files(args: argparse.Namespace) -> list[Path]:
    """Return the files that the options name for reading; of a folder its tables, because others are not read."""
    named = [getattr(args, name, None) for name in _INPUTS]
    model = getattr(args, "model", "")
    if model is None:
        from cf_excel.model.file import default_model_path

        model = default_model_path()
    files = []
    for path in (*named, model):
        if isinstance(path, Path):
            inside = [*path.glob("*"), *path.glob("*/*")] if path.is_dir() else []
            files += [path, *filter(_may_hold_ratings, inside)]
    return files


def _may_hold_ratings(path: Path) -> bool:
    """Return whether a file of a folder is one to read: a table, or somebody's workbook."""
    from cf_excel.written import UNKNOWN, change_of

    name = path.name.lower()
    return name.endswith(_TABLES) or (name.endswith(_WORKBOOKS) and change_of(path) == UNKNOWN)
