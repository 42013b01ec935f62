"""python -m cf_excel build."""

import argparse
from pathlib import Path

from cf_excel.cli.options import add_command, add_ratings_options, output_folder, read_ratings
from cf_excel.errors import InputError


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    parser = add_command(commands, "build", "Write the lesson's workbooks.", "python -m cf_excel build --out lesson")
    add_ratings_options(parser)
    parser.add_argument(
        "--out", type=Path, default=Path("."), metavar="DIR", help="folder to write to (default: this one)"
    )
    parser.add_argument("--top-users", type=int, default=15, metavar="N", help="most active users (default: 15)")
    parser.add_argument("--top-movies", type=int, default=15, metavar="N", help="most rated movies (default: 15)")
    parser.add_argument("--factors", type=int, default=5, metavar="N", help="factors of each (default: 5)")
    parser.add_argument("--seed", type=int, default=42, metavar="N", help="seed of the starting factors (default: 42)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Build the workbooks."""
    from cf_excel.book.collab import build_collab

    if args.factors < 1:
        raise InputError(f"--factors {args.factors}: expected 1 or more")
    if args.seed < 0:
        raise InputError(f"--seed {args.seed}: expected 0 or more")
    ratings = read_ratings(args)
    path = output_folder(args.out) / "collab_filter.xlsx"
    rmse = build_collab(
        ratings,
        path,
        n_users=args.top_users,
        n_movies=args.top_movies,
        n_factors=args.factors,
        seed=args.seed,
    )
    print(f"wrote {path} from {ratings.source}")
    for sheet, value in rmse.items():
        print(f"  {sheet:<14} RMSE {value:.6f}")
