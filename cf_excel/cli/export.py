"""python -m cf_excel export."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cf_excel.cli.messages import note, say
from cf_excel.cli.options import (
    add_command,
    add_model_option,
    add_replacing_options,
    check_outputs,
    keep_former,
    whole,
)
from cf_excel.cli.plain_text import size_of
from cf_excel.cli.working import doing
from cf_excel.errors import InputError

if TYPE_CHECKING:
    from cf_excel.model.factors import Factors

TABLES = (".csv", ".parquet")
DIGITS = 5


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    parser = add_command(
        commands,
        "export",
        "Write the model as a workbook that recommends by formulas, or its factors as a table.",
        "python -m cf_excel export --out recommender.xlsx --no-ratings",
    )
    add_model_option(parser)
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("recommender.xlsx"),
        metavar="FILE",
        help="workbook to write, or a table of the factors, .csv or .parquet (default: recommender.xlsx)",
    )
    add_replacing_options(parser)
    parser.add_argument(
        "--digits", type=whole, metavar="N", help="decimals of factors and biases, 1 to 15 (default: 5)"
    )
    parser.add_argument(
        "--no-ratings", action="store_true", help="leave out who rated what; lists then show movies already seen, too"
    )
    parser.add_argument(
        "--top-movies", type=whole, metavar="N", help="only the N most rated movies or items (default: all)"
    )
    parser.add_argument(
        "--factors", type=whole, metavar="N", help="only N factors, and say how far predictions change (default: all)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Write the workbook, and say what was left out."""
    if args.out.suffix.lower() in TABLES:
        return _write_table(args)
    if args.out.suffix.lower() != ".xlsx":
        raise InputError(
            f"--out {args.out}: expected a name that ends in .xlsx, or in .csv or .parquet for the factors"
        )
    check_outputs(args, args.out)
    from datetime import date

    from cf_excel.model.file import default_model_path, load_factors
    from cf_excel.model.shrink import keep_factors, keep_movies
    from cf_excel.sheets.recommender.recommender_book import build_recommender, check_model

    path = args.model or default_model_path()
    factors = load_factors(path)
    digits = DIGITS if args.digits is None else args.digits
    check_model(factors, digits)
    if args.top_movies is not None:
        factors = keep_movies(factors, args.top_movies)
    factors = _fitted(factors, with_ratings=not args.no_ratings)
    if args.factors is not None:
        factors, change = keep_factors(factors, args.factors)
        say(f"{args.factors} factors: predictions change by {change:.3f} rating points (RMS over all pairs)")
    made = date.fromtimestamp(path.stat().st_mtime)
    keep_former(args, args.out)
    with_ratings = not args.no_ratings
    with doing(f"writing {args.out}") as tell:
        book = build_recommender(factors, args.out, digits=digits, with_ratings=with_ratings, made=made, tell=tell).book
    holds = f"{book.n_users:,} {factors.nouns.users}, {book.n_movies:,} {factors.nouns.movies}"
    holds += f", {book.n_factors} factors, {book.n_ratings:,} ratings"
    say(f"wrote {args.out}: {holds}, {size_of(args.out.stat().st_size)}")
    if book.n_ratings:
        say("it tells who rated what: pass --no-ratings for a file that you give away")


def _write_table(args: argparse.Namespace) -> None:
    """Write the factors of users and items as one table, in full. Raises InputError for options of the workbook."""
    for option, given in (("--digits", args.digits is not None), ("--no-ratings", args.no_ratings)):
        if given:
            raise InputError(
                f"{option} is for the workbook: a table has the factors in full and no ratings, leave it out"
            )
    from cf_excel.files import replacing
    from cf_excel.model.factor_tables import both_sides, is_factor_table
    from cf_excel.model.file import load_factors
    from cf_excel.model.shrink import keep_factors, keep_movies
    from cf_excel.sheets.answers.answer_files import check_kind

    check_kind(args.out)
    check_outputs(args, args.out, is_ours=is_factor_table)
    factors = load_factors(args.model)
    if args.top_movies is not None:
        factors = keep_movies(factors, args.top_movies)
    if args.factors is not None:
        factors, _ = keep_factors(factors, args.factors)
    table = both_sides(factors)
    keep_former(args, args.out, is_ours=is_factor_table)
    with replacing(args.out) as temporary:
        if args.out.suffix.lower() == ".csv":
            table.to_csv(temporary, index=False, encoding="utf-8-sig", errors="replace")
        else:
            table.to_parquet(temporary, index=False)
    counts = f"{factors.n_users:,} {factors.nouns.users}, {factors.n_movies:,} {factors.nouns.movies}"
    say(f"wrote {args.out}: factors of {counts}, a row each")


def _fitted(factors: "Factors", *, with_ratings: bool) -> "Factors":
    """Return what fits into one file, and say on stderr what does not."""
    from cf_excel.sheets.recommender.fitting import fit_to_sheets

    fitted = fit_to_sheets(factors, with_ratings=with_ratings)
    users, movies = len(fitted.user_ids), len(fitted.movie_ids)
    if (users, movies) != (len(factors.user_ids), len(factors.movie_ids)):
        note(
            f"the file takes the {users:,} most active of {len(factors.user_ids):,} {factors.nouns.users} and "
            f"the {movies:,} most rated of {len(factors.movie_ids):,} {factors.nouns.movies}: more does not fit"
            f"{' (without ratings more may: --no-ratings)' if with_ratings else ''}"
        )
    return fitted
