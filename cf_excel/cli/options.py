"""Options that several commands share."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cf_excel.errors import FileError

if TYPE_CHECKING:
    from cf_excel.ratings import Ratings


def add_command(commands: argparse._SubParsersAction, name: str, summary: str, example: str) -> argparse.ArgumentParser:
    """Add a command whose --help ends with an example."""
    return commands.add_parser(
        name,
        help=summary,
        description=summary,
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_ratings_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which ratings to read."""
    group = parser.add_argument_group("ratings (default: MovieLens, 100,004 ratings, comes with cf_excel)")
    group.add_argument("--ratings", type=Path, metavar="PATH", help="CSV, TSV, gzip, or a MovieLens folder or zip")
    group.add_argument("--movies", type=Path, metavar="PATH", help="movies file with id, title and genres")
    group.add_argument("--download", metavar="NAME", help="a MovieLens data set from GroupLens, such as ml-25m")
    for column in ("user", "movie", "rating", "timestamp"):
        group.add_argument(f"--{column}-column", metavar="NAME", help=f"column of the {column} in the ratings file")


def read_ratings(args: argparse.Namespace) -> "Ratings":
    """Read the ratings that the options above name."""
    from cf_excel.readers import load_ratings

    columns = {name: getattr(args, f"{name}_column") for name in ("user", "movie", "rating", "timestamp")}
    path = args.ratings
    if args.download is not None:
        from cf_excel.download import download

        path = download(args.download)
    return load_ratings(path, movies=args.movies, columns={k: v for k, v in columns.items() if v})


def output_folder(path: Path) -> Path:
    """Make the folder that --out names where it is not there yet; raises FileError where that can't be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"--out {path}: can't make this folder: {error.strerror}") from error
    return path
