"""python -m cf_excel solve."""

import argparse

from cf_excel.cli.options import add_command, whole
from cf_excel.cli.workbook_options import add_workbook_options, noting_faults, print_report, workbook_options
from cf_excel.cli.working import doing


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    parser = add_command(
        commands,
        "solve",
        "Fit the factors of a workbook's sheets to its ratings, as the lesson does with Excel's Solver.",
        "python -m cf_excel solve collab_filter.xlsx --backup",
    )
    add_workbook_options(parser)
    parser.add_argument(
        "--optimizer",
        default="lm",
        choices=("lm", "adam", "sgd"),
        help="least squares, or gradient descent the lesson's way (default: lm)",
    )
    parser.add_argument("--steps", type=whole, metavar="N", help="most steps (default: 1000 of lm, 2000 of the others)")
    parser.add_argument("--lr", type=float, metavar="RATE", help="learning rate of adam and sgd (default: 0.05)")
    parser.add_argument(
        "--l2", type=float, default=0.0, metavar="WEIGHT", help="weight of the squares of all numbers (default: 0)"
    )
    parser.add_argument(
        "--hold-out",
        type=float,
        metavar="PART",
        help="fit without this part of the ratings, from random numbers, and show their RMSE, too",
    )
    parser.add_argument("--seed", type=whole, default=42, metavar="N", help="seed of held-out cells and random numbers")
    parser.add_argument("--history", action="store_true", help="add a sheet with the RMSE of every step and its chart")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Fit every sheet and write the factors back."""
    from cf_excel.udf.fill_workbook import solve

    with noting_faults(), doing(f"fitting {args.file}") as tell:
        report = solve(
            args.file,
            **workbook_options(args),
            optimizer=args.optimizer,
            steps=args.steps,
            lr=args.lr,
            l2=args.l2,
            hold_out=args.hold_out,
            seed=args.seed,
            history=args.history,
            tell=tell,
        )
    print_report(report)
