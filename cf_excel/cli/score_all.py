"""predict, recommend and similar for everybody at once: the options, and what is done with the answers."""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cf_excel.cli.messages import note, say
from cf_excel.cli.options import add_place_options, add_replacing_options, check_outputs, keep_former
from cf_excel.cli.tables import LEFT, print_table
from cf_excel.cli.working import doing
from cf_excel.errors import InputError

if TYPE_CHECKING:
    from cf_excel.model.predictor import Predictor
    from cf_excel.sheets.answers.answer_table import AnswerTable

_PAIR = ("user", "movie")
_PLACES = ("user_column", "movie_column", "sheet", "table", "cells", "encoding")  # options of how to read pairs
_LONGEST_EXAMPLE = 40


def add_output_options(parser: argparse.ArgumentParser, where: str) -> None:
    """Add --json, and --out FILE with how it replaces a file; where: the option that --out goes with."""
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="print JSON")
    output.add_argument(
        "--out", type=Path, metavar="FILE", help=f"with {where}: .xlsx, .csv, .parquet or .json to write them to"
    )
    add_replacing_options(parser)


def add_pairs_options(parser: argparse.ArgumentParser) -> None:
    """Add --pairs FILE, and how to read it."""
    group = parser.add_argument_group("many at once")
    group.add_argument("--pairs", type=Path, metavar="FILE", help="table with a column of users and one of movies")
    add_place_options(group, _PAIR, "pairs")


def is_for_all(args: argparse.Namespace, name: str) -> bool:
    """Return whether --all is given, and not the one that `name` tells: user or movie.

    Raises InputError for both, for neither, and for --out without --all.
    """
    one, metavar = getattr(args, name), name.upper()
    if args.all and one is not None:
        raise InputError(f"{one[:_LONGEST_EXAMPLE]} and --all: give one {metavar}, or --all for every {name}")
    if not args.all and one is None:
        raise InputError(f"expected a {metavar}, or --all for every {name}")
    _refuse_alone(args, ("out",), "--all", args.all)
    return args.all


def is_of_pairs(args: argparse.Namespace) -> bool:
    """Return whether --pairs is given, and no USER and MOVIE.

    Raises InputError for both, for neither, and for options that go with --pairs alone.
    """
    if args.pairs is not None and args.user is not None:
        raise InputError(f"{args.user[:_LONGEST_EXAMPLE]} and --pairs: give USER and MOVIE, or --pairs FILE")
    if args.pairs is None and args.movie is None:
        raise InputError("expected USER and MOVIE, or --pairs FILE, a table of them")
    _refuse_alone(args, ("out", *_PLACES), "--pairs FILE", args.pairs is not None)
    return args.pairs is not None


def recommend_all(args: argparse.Namespace, lower_bound: float) -> None:
    """Write or print the movies with the highest predictions of every user."""
    import numpy as np

    from cf_excel.sheets.answers.answer_table import AnswerTable

    predictor = _predictor(args)
    factors, (user, movie) = predictor.factors, predictor.factors.nouns
    n_left = factors.n_movies - (0 if args.include_seen else 1) * factors.n_seen
    _check_rows(args, int(np.minimum(n_left, args.n).sum()))
    with doing(f"listing for every {user}") as tell:
        columns = predictor.recommend_all(
            args.n, not args.include_seen, lower_bound, min_ratings=args.min_ratings, explore=args.explore, tell=tell
        )
    if lower_bound:
        columns = {"lower_bound" if name == predictor.kind.score else name: column for name, column in columns.items()}
    n_without = factors.n_users - np.count_nonzero(columns["rank"] == 1)
    if n_without == factors.n_users:
        every = f"every {user} {predictor.kind.did} every {movie}"
        raise InputError(none_left(args, predictor, every, ": add --include-seen"))
    if n_without:
        users = f"{n_without:,} {user if n_without == 1 else factors.nouns.users}"
        note(none_left(args, predictor, f"{users} {predictor.kind.did} every {movie}", ": no list"))
    _give(args, AnswerTable("recommendations", columns, factors.nouns, counted=predictor.kind.rows))


def none_left(args: argparse.Namespace, predictor: "Predictor", why: str, remedy: str = "") -> str:
    """Return why there is nothing to recommend: too many ratings are asked for, or everything else is rated."""
    if args.min_ratings > predictor.n_ratings.max():
        return f"no {predictor.factors.nouns.movie} has {args.min_ratings} ratings: give a smaller --min-ratings"
    return why + (f" that has {args.min_ratings} ratings" if args.min_ratings else "") + remedy


def similar_all(args: argparse.Namespace) -> None:
    """Write or print the movies that are most like each movie."""
    from cf_excel.sheets.answers.answer_table import AnswerTable

    predictor = _predictor(args)
    n_rated = (predictor.n_ratings >= least_ratings(args, predictor)).sum()
    _check_rows(args, predictor.factors.n_movies * min(int(n_rated), args.n))
    with doing(f"listing for every {predictor.factors.nouns.movie}") as tell:
        columns = predictor.similar_all(args.n, args.min_ratings, tell=tell)
    if not len(columns["rank"]):
        raise InputError(none_similar(args, predictor))
    _give(args, AnswerTable("similar", columns, predictor.factors.nouns, counted=predictor.kind.rows))


def least_ratings(args: argparse.Namespace, predictor: "Predictor") -> int:
    """Return how many ratings a movie must have to be listed as similar."""
    return predictor.least_ratings if args.min_ratings is None else args.min_ratings


def none_similar(args: argparse.Namespace, predictor: "Predictor") -> str:
    """Return why no movie is listed as similar."""
    movie = predictor.factors.nouns.movie
    if len(predictor.n_ratings) > 1:
        return f"no other {movie} has {least_ratings(args, predictor)} ratings: pass --min-ratings 0"
    return f"the model has no other {movie}"


def predict_all(args: argparse.Namespace) -> None:
    """Write or print the predictions of the pairs in a file, and note for which the model has none."""
    from cf_excel.ratings.pairs import read_pairs
    from cf_excel.ratings.reading import Reading
    from cf_excel.sheets.answers.predicted_pairs import predict_pairs

    predictor = _predictor(args)
    names = {kind: name for kind in _PAIR if (name := getattr(args, f"{kind}_column")) is not None}
    places = {place: getattr(args, place) for place in ("sheet", "table", "cells", "encoding")}
    how = Reading(columns=names, form="list", wanted=_PAIR, **places)
    pairs = read_pairs(args.pairs, how)
    for line in how.notes:
        note(line)
    _check_rows(args, len(pairs))
    table, unknown = predict_pairs(predictor, pairs)
    if unknown:
        note(unknown)
    _give(args, table)


def _predictor(args: argparse.Namespace) -> "Predictor":
    """Return the model's predictor, once it is known that the answers can be written."""
    if args.out is not None:
        from cf_excel.sheets.answers.answer_files import check_kind

        check_kind(args.out)
        check_outputs(args, args.out, is_ours=_answers_without_digest(args.out))
    from cf_excel.model.predictor import load_predictor

    return load_predictor(args.model)


def _answers_without_digest(path: Path) -> Callable[[Path], bool] | None:
    """Return what knows answers again in the kinds of files that have no room for a digest."""
    from cf_excel.sheets.answers.answer_files import is_answers

    return None if path.suffix.lower() == ".xlsx" else is_answers


def _check_rows(args: argparse.Namespace, n_rows: int) -> None:
    if args.out is not None:
        from cf_excel.sheets.answers.answer_files import check_rows

        check_rows(args.out, n_rows)


def _give(args: argparse.Namespace, table: "AnswerTable") -> None:
    """Write a table to the file that is asked for, or print it."""
    from cf_excel.sheets.answers.answer_files import print_json, write_answers

    if args.out is not None:
        keep_former(args, args.out, is_ours=_answers_without_digest(args.out))
        with doing(f"writing {args.out}") as tell:
            write_answers(args.out, replace(table, tell=tell))
        say(f"wrote {args.out}: {len(table):,} rows")
    elif args.json:
        print_json(sys.stdout, table)
    else:
        texts = [header for header, kind in zip(table.headers, table.kinds.values(), strict=True) if kind == "text"]
        print_table(table.headers, table.shown_rows(), (*LEFT, *texts))


def _refuse_alone(args: argparse.Namespace, options: Sequence[str], other: str, has_other: bool) -> None:
    for name in () if has_other else options:
        if getattr(args, name) is not None:
            option = "range" if name == "cells" else name.replace("_", "-")
            raise InputError(f"--{option} goes with {other}")
