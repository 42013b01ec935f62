"""python -m cf_excel evaluate."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cf_excel.cli.answers import add_answer_options
from cf_excel.cli.messages import complain, note, say
from cf_excel.cli.options import (
    add_command,
    add_features_options,
    add_ratings_options,
    add_replacing_options,
    check_outputs,
    keep_former,
    read_ratings,
    whole,
)
from cf_excel.errors import InputError
from cf_excel.files import make_folder

if TYPE_CHECKING:
    from cf_excel.evaluate.run import Result
    from cf_excel.evaluate.systems import System, Tables
    from cf_excel.ratings.table import Ratings

FILES = ("results.json", "results.md", "scoreboard.png", "scoreboard.svg")
SPLITS = ("lesson", "kfold", "time", "hash", "new-users")
DEFAULT_SPLITS = ("lesson", "time", "new-users")


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    parser = add_command(
        commands,
        "evaluate",
        "Compare models, baselines and other libraries on ratings that they did not see.",
        "python -m cf_excel evaluate --models bayes collab --split lesson time --peers",
    )
    parser.add_argument(
        "--models",
        nargs="+",
        default=["bayes", "bayes-ratings"],
        metavar="NAME",
        help="bayes, bayes-ratings (no genres and years), dot, dot-bias, net, collab (default: the first two)",
    )
    parser.add_argument(
        "--split",
        nargs="+",
        choices=SPLITS,
        metavar="NAME",
        help="lesson, kfold (five random folds), time (the latest fifth), hash (a fifth by user and movie, "
        "whatever the order of the rows), new-users (default: lesson, time, new-users)",
    )
    parser.add_argument("--peers", action="store_true", help="others' models, too, where they are installed")
    parser.add_argument(
        "--tune",
        type=whole,
        default=1,
        metavar="N",
        help="try up to N settings of every model on a fifth of the training ratings (default: 1, the usual ones)",
    )
    parser.add_argument(
        "--given", type=whole, default=10, metavar="N", help="known ratings of a new user (default: 10)"
    )
    parser.add_argument("--seed", type=whole, default=0, metavar="N", help="same seed, same numbers (default: 0)")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("evaluation"),
        metavar="DIR",
        help="folder of the results (default: evaluation)",
    )
    add_replacing_options(parser)
    add_features_options(parser)
    add_ratings_options(parser)
    add_answer_options(parser, run)


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Fit, measure, print a table for every split, and save everything; return what results.json has, and the files."""
    if args.tune < 1:
        raise InputError(f"--tune {args.tune}: expected 1 or more settings to try")
    if args.seed < 0:
        raise InputError(f"--seed {args.seed}: expected 0 or more")
    paths = [args.out / name for name in FILES]
    check_outputs(args, *paths)
    from cf_excel.cli.tables import print_table
    from cf_excel.cli.train_bayes import read_features
    from cf_excel.evaluate import report
    from cf_excel.evaluate.run import evaluate
    from cf_excel.evaluate.systems import Tables, make_systems

    make_systems(args.models, Tables())  # refuses an unknown name before anything is read
    ratings = read_ratings(args)
    make_folder(args.out)
    tables = Tables(
        read_features(args.user_features, ratings.user_ids, "user"),
        read_features(args.movie_features, ratings.movie_ids, "movie"),
    )
    systems, missing = _systems(args, tables, ratings)
    options = {"models": args.models, "peers": args.peers, "tune": args.tune, "given": args.given, "seed": args.seed}
    boards = []
    for split in _splits(args, ratings):
        boards.append(
            evaluate(
                ratings,
                split,
                [*systems, *_for_new_users(split, tables)],
                seed=args.seed,
                n_given=args.given,
                n_trials=args.tune,
                tell=_silent if args.json or args.quiet else _tell,
            )
        )
        for table in report.tables(boards[-1], ratings.nouns):
            say(table.title)
            print_table(table.headings, table.cells)
            print()
    keep_former(args, *paths)
    saved = [*report.save(args.out, boards, ratings, options, missing), *_chart(args.out, boards)]
    say(*saved)
    results = json.loads(paths[0].read_bytes())
    return {name: value for name, value in results.items() if name != "digest"} | {"files": saved}


def _systems(args: argparse.Namespace, tables: "Tables", ratings: "Ratings") -> "tuple[list[System], list[str]]":
    """Return what to evaluate, and what is left out because its library is not there."""
    from cf_excel.evaluate.systems import baselines, make_systems, peers

    others, missing = peers(ratings) if args.peers else ([], [])
    for name in missing:
        note(f"left out: {name}")
    of_counts = baselines(ratings.nouns, ratings.timestamp is not None)
    return [*make_systems(args.models, tables), *of_counts, *others], missing


def _for_new_users(split: str, tables: "Tables") -> "list[System]":
    from cf_excel.evaluate.systems import folded_in

    return [folded_in(tables)] if split == "new-users" else []


def _splits(args: argparse.Namespace, ratings: "Ratings") -> list[str]:
    """Return the splits that were asked for, or all that the ratings allow."""
    from cf_excel.evaluate.splits import asks_new_users

    if args.split:
        return list(dict.fromkeys(args.split))
    possible = list(DEFAULT_SPLITS)
    if ratings.timestamp is None:
        note(f"{ratings.source} has no timestamps: no split by time")
        possible.remove("time")
    if args.given >= 1 and not asks_new_users(ratings, args.seed, args.given):
        note(f"no split by new {ratings.nouns.users}: none of those drawn has more than --given {args.given} ratings")
        possible.remove("new-users")
    return possible


def _tell(result: "Result") -> None:
    """Say on a terminal what is done, because other libraries take their time."""
    if sys.stderr.isatty():
        complain(f"{result.split}: {result.system} fitted in {result.fit_seconds:.1f} s")


def _silent(result: "Result") -> None:
    pass


def _chart(folder: Path, boards: "list[list[Result]]") -> list[Path]:
    """Draw the errors of every split, where matplotlib is installed."""
    try:
        from cf_excel.plots.figures import plot_scoreboard, save_figure
    except InputError as error:
        note(f"no chart: {error}")
        return []
    rows = {
        results[0].split: [(result.system, result.mse) for result in results if result.mse == result.mse]
        for results in boards
    }
    return save_figure(plot_scoreboard(rows), folder / "scoreboard")
