"""python -m cf_excel train."""

import argparse
import os
import sys
from pathlib import Path

from cf_excel.cli.options import add_command, add_ratings_options, read_ratings
from cf_excel.errors import FileError


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    parser = add_command(
        commands,
        "train",
        "Train a model on the ratings and keep it in a file.",
        "python -m cf_excel train --model collab --ratings my_ratings.csv --split random",
    )
    parser.add_argument(
        "--model",
        default="collab",
        choices=("dot", "dot-bias", "net", "collab"),
        help="dot product; with biases; small neural net; the lesson's learner (default: collab)",
    )
    parser.add_argument("--epochs", type=int, metavar="N", help="passes over the ratings (default: the lesson's)")
    parser.add_argument("--lr", type=float, metavar="RATE", help="learning rate (default: the lesson's)")
    parser.add_argument(
        "--wd", type=float, metavar="DECAY", help="weight decay, which pulls weights to zero (default: the lesson's)"
    )
    parser.add_argument("--factors", type=int, default=50, metavar="N", help="numbers per user and movie (default: 50)")
    parser.add_argument("--batch-size", type=int, default=64, metavar="N", help="ratings in a step (default: 64)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="same seed, same numbers (default: 0)")
    parser.add_argument("--device", default="auto", metavar="NAME", help="auto, cpu, cuda or mps (default: auto)")
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: 1 for small batches)")
    parser.add_argument(
        "--split",
        default="lesson",
        choices=("lesson", "random", "time", "none"),
        help="which fifth of the ratings is held back to measure the error: the lesson's, a draw with --seed, "
        "the latest, or none (default: lesson)",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="model file (default: where predict looks for it)")
    add_ratings_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Train, show how it went, and write the model."""
    from cf_excel.learn.recipes import lesson_settings

    settings = lesson_settings(
        args.model,
        epochs=args.epochs,
        lr=args.lr,
        wd=args.wd,
        n_factors=args.factors,
        batch_size=args.batch_size,
        seed=args.seed,
        device=args.device,
        threads=args.threads,
    )
    if args.out is not None:
        _check_out(args.out)
    ratings = read_ratings(args)

    from cf_excel.cli.train_report import LinesReport, TerminalReport, baseline_scores
    from cf_excel.learn.export import to_factors
    from cf_excel.learn.recipes import train
    from cf_excel.model_file import default_model_path, save_factors
    from cf_excel.ratings import validation_rows

    val_rows = validation_rows(ratings, args.split, args.seed)
    report = TerminalReport() if sys.stdout.isatty() else LinesReport()
    n_train = len(ratings) - len(val_rows)
    print(f"{ratings.source}: {n_train:,} ratings to train on, {len(val_rows):,} held back (split: {args.split})")
    with report:
        trained = train(ratings, val_rows, settings, report)
        baselines = baseline_scores(ratings, val_rows)
        report.baselines(baselines)
    path = args.out or default_model_path()
    save_factors(to_factors(trained, ratings, args.split), path)
    if trained.history.stopped:
        print(f"stopped after {trained.history.stopped}: the model keeps what it learnt until there")
    if baselines and not trained.history.epochs[-1].val_loss < baselines["mean"][0]:
        print("this is no better than the mean rating for everything: try another --lr or more --epochs")
    print(f"model: {path}")


def _check_out(path: Path) -> None:
    """Refuse a place where no file can be written before an hour is spent on training."""
    if path.is_dir():
        raise FileError(f"--out {path} is a folder: name a file in it, such as {path / 'model.safetensors'}")
    if not path.parent.is_dir():
        raise FileError(f"--out {path}: there is no folder {path.parent}; make it first")
    if not os.access(path.parent, os.W_OK):
        raise FileError(f"--out {path}: the folder {path.parent} can't be written to; name another")
