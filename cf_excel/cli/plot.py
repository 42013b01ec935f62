"""python -m cf_excel plot: the lesson's three pictures of a trained model."""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from cf_excel.cli.messages import say
from cf_excel.cli.options import (
    add_command,
    add_model_option,
    add_ratings_options,
    add_replacing_options,
    check_outputs,
    keep_former,
    read_ratings,
)
from cf_excel.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from cf_excel.model.predictor import Predictor
    from cf_excel.ratings.table import Ratings

PICTURES = ("predictions", "biases", "map")
N_BIASES = 3000
N_MAPPED = 50
SPLITS = {"lesson": "the lesson's validation ratings", "random": "validation ratings", "time": "the latest ratings"}
SPLITS |= {"hash": "validation ratings"}
_SAME_MSE = 1e-3  # of a measure that is taken again, as a share


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to the parser."""
    parser = add_command(
        commands,
        "plot",
        "Draw predictions against ratings, movie biases, and a map of movies, as PNG and SVG.",
        "python -m cf_excel plot --out pictures",
    )
    add_model_option(parser)
    parser.add_argument(
        "--out", type=Path, default=Path(), metavar="DIR", help="folder of the pictures (default: this one)"
    )
    add_replacing_options(parser, also_forced=", and compare with ratings that the model was not trained on")
    add_ratings_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Draw every picture that the model has, then write them."""
    check_outputs(args, *_files(args.out, PICTURES))
    import numpy as np

    from cf_excel.model.picks import refuse_picks
    from cf_excel.model.predictor import load_predictor
    from cf_excel.plots import figures as plots
    from cf_excel.ratings.table import most_rated

    predictor = load_predictor(args.model)
    factors = predictor.factors
    refuse_picks(factors, "which the pictures show")
    predictions, truth, heading = validation_predictions(predictor, read_ratings(args), others=args.force)
    top = most_rated(predictor.n_ratings, factors.movie_ids)[:N_BIASES]
    noun = factors.nouns.movie
    names = [f"{noun} {label}" if isinstance(label, int) else label for label in predictor.labels[top].tolist()]
    figures = {"predictions": plots.plot_predictions(predictions, truth, heading)}
    if factors.movie_bias.any():
        figures["biases"] = plots.plot_biases(np.array(names, object), factors.movie_bias[top], nouns=factors.nouns)
    positions = plots.principal_components(factors.movie_factors[top])[:N_MAPPED, :2]
    figures["map"] = plots.plot_map(np.array(names[:N_MAPPED], object), positions, factors.nouns)
    keep_former(args, *_files(args.out, figures))
    for name, figure in figures.items():
        say(*plots.save_figure(figure, args.out / name))
    if "biases" not in figures:
        say(f"no picture of biases: the model's kind, {factors.kind}, has none")


def _files(folder: Path, names: Iterable[str]) -> list[Path]:
    return [folder / f"{name}.{ending}" for name in names for ending in ("png", "svg")]


def validation_predictions(
    predictor: "Predictor", ratings: "Ratings", *, others: bool = False
) -> "tuple[np.ndarray, np.ndarray, str]":
    """Return predictions and ratings of the model's validation rows, and a heading that says which rows those are.

    others: take ratings that the model was not trained on, too, all those whose users and movies it has.
    Raises InputError for them without that, and for those that it was trained on in another order, if the split depends
    on the order.
    """
    import numpy as np

    from cf_excel.metrics import mse
    from cf_excel.model.agreement import rows_of
    from cf_excel.ratings.table import data_hash, former_data_hash
    from cf_excel.ratings.validation import validation_rows

    factors, record = predictor.factors, predictor.factors.record
    is_former = record.get("data_hash") == former_data_hash(ratings)  # which tells of the order, too
    trained_on = is_former or record.get("data_hash") == data_hash(ratings)
    if trained_on:
        rows = validation_rows(ratings, str(record.get("split")), record.get("seed", 42))
        name = SPLITS.get(record["split"])
        if name is None:
            rows, name = np.arange(len(ratings)), "all ratings, which the model was trained on"
        elif not len(rows):
            raise InputError(f"{ratings.source} has no validation ratings under the split {record['split']!r}")
        predictions, truth, heading = _compared(predictor, ratings, rows, name)
        error = factors.metric("val_mse") if name in SPLITS.values() and not is_former else None
        if error is None or abs(mse(predictions, truth) - error) <= _SAME_MSE * error:
            return predictions, truth, heading
    if others:
        users, movies = rows_of(factors, ratings)
        rows, name = np.flatnonzero((users >= 0) & (movies >= 0)), f"those of {ratings.source} that it can predict"
        if not len(rows):
            raise InputError(
                f"the model knows none of the {factors.nouns.users} and {factors.nouns.movies} of {ratings.source}"
            )
        return _compared(predictor, ratings, rows, name)
    if trained_on:
        raise InputError(
            f"the model was trained on {ratings.source} in another order, in which --split {record['split']} held "
            "others back: pass them in that order, or --force to compare it with all"
        )
    raise InputError(
        f"the model was not trained on {ratings.source}: pass the ratings that it was trained on, or --force to "
        "compare it with these"
    )


def _compared(
    predictor: "Predictor", ratings: "Ratings", rows: "np.ndarray", name: str
) -> "tuple[np.ndarray, np.ndarray, str]":
    import numpy as np

    from cf_excel.metrics import rmse

    users, movies = ratings.user_ids[ratings.user_idx[rows]], ratings.movie_ids[ratings.movie_idx[rows]]
    predictions, truth = np.asarray(predictor.predict(users, movies)), ratings.rating[rows]
    heading = f"Predictions of the {predictor.factors.kind} model against {len(rows):,} ratings: {name}"
    return predictions, truth, f"{heading}\nRMSE {rmse(predictions, truth):.3f}"
