"""python -m cf_excel build."""

import argparse
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cf_excel.cli.messages import say
from cf_excel.cli.options import (
    add_command,
    add_ratings_options,
    add_replacing_options,
    check_outputs,
    keep_former,
    ratings_options,
    read_ratings,
    whole,
)
from cf_excel.cli.working import doing
from cf_excel.errors import InputError
from cf_excel.files import make_folder

if TYPE_CHECKING:
    from cf_excel.ratings.table import Ratings

KINDS = {
    "collab": ("collab_filter.xlsx",),
    "functions": ("collab_filter.xlsm", "collab_filter_libreoffice.xlsx"),
    "gradient": ("gradient_descent.xlsx", "gradient_descent.xlsm"),
}
EXERCISES = {"collab": ("collab_filter_exercise.xlsx",), "gradient": ("gradient_descent_exercise.xlsx",)}


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    parser = add_command(commands, "build", "Write the lesson's workbooks.", "python -m cf_excel build --out lesson")
    add_ratings_options(parser)
    parser.add_argument(
        "--out", type=Path, default=Path("."), metavar="DIR", help="folder to write to (default: this one)"
    )
    parser.add_argument("--only", action="append", choices=KINDS, help="write this kind alone (may be repeated)")
    parser.add_argument(
        "--exercise", action="store_true", help="write workbooks to learn by: write their formulas, see what is right"
    )
    parser.add_argument("--seed", type=whole, default=42, metavar="N", help="seed of all that is drawn (default: 42)")
    add_replacing_options(parser, also_forced=", and let the functions ask a model of other ratings")
    collab = parser.add_argument_group(
        "collab: collab_filter.xlsx; functions, once there is a trained model: the same with a sheet that asks it, "
        "collab_filter.xlsm for Excel on Windows and collab_filter_libreoffice.xlsx"
    )
    collab.add_argument(
        "--top-users", type=whole, metavar="N", help="most active users or customers (default: 15, or all of fewer)"
    )
    collab.add_argument(
        "--top-movies", type=whole, metavar="N", help="most rated movies or items (default: 15, or all of fewer)"
    )
    collab.add_argument("--factors", type=whole, default=5, metavar="N", help="factors of each (default: 5)")
    gradient = parser.add_argument_group("gradient: gradient_descent.xlsx and, with buttons, gradient_descent.xlsm")
    gradient.add_argument("--epochs", type=whole, default=20, metavar="N", help="epochs in the .xlsx (default: 20)")
    gradient.add_argument("--points", type=whole, default=29, metavar="N", help="points of the line (default: 29)")
    gradient.add_argument("--slope", type=float, default=2.0, metavar="A", help="slope of the line (default: 2)")
    gradient.add_argument("--intercept", type=float, default=30.0, metavar="B", help="its intercept (default: 30)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Build the workbooks."""
    only = args.only or (list(EXERCISES) if args.exercise else _usual_kinds())
    _check(args)
    check_outputs(args, *_paths(args, only))
    # what is read comes before what is written
    ratings = read_ratings(args) if {"collab", "functions"} & set(only) else None
    left_out = ""
    if not args.only and not args.exercise and "functions" not in only:
        left_out = (
            "no trained model yet: python -m cf_excel train, then build again for collab_filter.xlsm, which asks it"
        )
    elif ratings is not None and "functions" in only and not args.force:
        try:
            _check_model(ratings)
        except InputError as error:
            if args.only:
                raise
            only.remove("functions")
            left_out = f"without collab_filter.xlsm: {error}"
    make_folder(args.out)
    keep_former(args, *_paths(args, only))
    if ratings is not None and "collab" in only:
        _build_collab(args, ratings)
    if ratings is not None and "functions" in only:
        _build_functions(args, ratings)
    if "gradient" in only:
        _build_gradient(args)
    if left_out:
        say(left_out)


def _paths(args: argparse.Namespace, only: Collection[str]) -> list[Path]:
    kinds = EXERCISES if args.exercise else KINDS
    return [args.out / name for kind, names in kinds.items() if kind in only for name in names]


def _usual_kinds() -> list[str]:
    """Return every kind; functions only where there is a model for them to ask."""
    from cf_excel.model.file import default_model_path

    return [kind for kind in KINDS if kind != "functions" or default_model_path().is_file()]


def _check(args: argparse.Namespace) -> None:
    from cf_excel.sheets.gradient.gradient_books import check_options

    if args.factors < 1:
        raise InputError(f"--factors {args.factors}: expected 1 or more")
    if args.exercise and "functions" in (args.only or ()):
        raise InputError("--exercise --only functions: expected collab or gradient, whose formulas can be left blank")
    if args.seed < 0:
        raise InputError(f"--seed {args.seed}: expected 0 or more")
    check_options(**_gradient_options(args))


def _collab_options(args: argparse.Namespace) -> dict[str, Any]:
    sizes = {"n_users": args.top_users, "n_movies": args.top_movies, "n_factors": args.factors}
    return sizes | {"seed": args.seed}


def _gradient_options(args: argparse.Namespace) -> dict[str, Any]:
    return {"n_epochs": args.epochs, "n_points": args.points, "slope": args.slope, "intercept": args.intercept}


def _build_collab(args: argparse.Namespace, ratings: "Ratings") -> None:
    from cf_excel.sheets.lesson.collab import build_collab

    path = args.out / (EXERCISES if args.exercise else KINDS)["collab"][0]
    with doing(f"writing {path}") as tell:
        rmse = build_collab(ratings, path, **_collab_options(args), exercise=args.exercise, tell=tell)
    say(f"wrote {path} from {ratings.source}")
    if args.exercise:
        return
    for sheet, value in rmse.items():
        say(f"  {sheet:<14} RMSE {value:.6f}")


def _build_functions(args: argparse.Namespace, ratings: "Ratings") -> None:
    from cf_excel.sheets.lesson.collab import build_collab
    from cf_excel.udf.panel_workbooks import excel_extension, libreoffice_extension

    options, scale = _collab_options(args), ratings.rating_range
    excel, calc = (args.out / name for name in KINDS["functions"])
    with doing(f"writing {excel}") as tell:
        build_collab(ratings, excel, **options, extend=excel_extension(scale, ratings_options(args)), tell=tell)
    say(f"wrote {excel}: functions and buttons in Excel on Windows")
    with doing(f"writing {calc}") as tell:
        build_collab(ratings, calc, **options, extend=libreoffice_extension(scale), tell=tell)
    say(f"wrote {calc}: the same functions in LibreOffice")


def _check_model(ratings: "Ratings") -> None:
    """Raise InputError where the model that the workbook would ask was trained on other ratings."""
    from cf_excel.model.agreement import check_agreement
    from cf_excel.model.file import default_model_path, load_factors

    if default_model_path().is_file():
        check_agreement(load_factors(), ratings)


def _build_gradient(args: argparse.Namespace) -> None:
    from cf_excel.sheets.gradient.gradient_books import build_gradient

    options = _gradient_options(args) | {"seed": args.seed, "exercise": args.exercise}
    with doing(f"writing {args.out / (EXERCISES if args.exercise else KINDS)['gradient'][0]}") as tell:
        descents = build_gradient(args.out, **options, tell=tell)
    if args.exercise:
        say(f"wrote {args.out / EXERCISES['gradient'][0]}")
        return
    say(f"wrote {args.out / 'gradient_descent.xlsx'} and .xlsm: y = {args.slope:g} * x + {args.intercept:g}")
    for sheet, descent in descents.items():
        say(f"  {sheet:<14} {descent}")
