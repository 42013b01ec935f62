"""What train does with a table that has no ratings, but picks: orders, plays, clicks, likes."""

import argparse
from typing import TYPE_CHECKING

from cf_excel.cli.messages import say
from cf_excel.errors import InputError
from cf_excel.model.kinds import DEFAULT_LISTS

if TYPE_CHECKING:
    import numpy as np

    from cf_excel.model.factors import Factors
    from cf_excel.ratings.table import Ratings

# options of the other kinds
_OF_RATINGS = ("epochs", "user_features", "movie_features", "ratings_only", "workers", "checkpoint", "memory")


def settle_kind(args: argparse.Namespace) -> None:
    """Put in args which kind is to be trained, and whether the rows are picks: None where the table will tell.

    Raises InputError for a kind that is not for them.
    """
    of_picks = args.kind == "picks"
    if args.implicit and args.kind is not None and not of_picks:
        raise InputError(f"--kind {args.kind} is for ratings: leave it out, or --implicit")
    if args.explicit and of_picks:
        raise InputError("--kind picks is for tables without ratings: leave it out, or --explicit")
    if args.implicit or of_picks:
        args.implicit = True
    else:
        args.implicit = None if args.kind is None and not args.explicit else False
    args.kind = args.kind or ("picks" if args.implicit else "bayes")


def train_picks(args: argparse.Namespace, ratings: "Ratings", val_rows: "np.ndarray") -> "tuple[Factors, bool]":
    """Train on picks and say how good the lists are; return the model, and whether they beat what is picked most.

    Raises InputError for options that are for ratings.
    """
    for name in _OF_RATINGS:
        if getattr(args, name) not in (None, False):
            option = f"--{name.replace('_', '-')}"
            raise InputError(
                f"{option} is for ratings, and {ratings.source} has picks: leave it out, or pass --explicit"
            )
    if args.lists not in (DEFAULT_LISTS, "watch"):
        raise InputError(f"--lists {args.lists} is for ratings: lists of picks rank by watch, leave it out")
    from cf_excel.learn.pick_fit import fit_picks

    n_train = len(ratings) - len(val_rows)
    say(f"{ratings.source}: {n_train:,} picks to train on, {len(val_rows):,} held back (split: {args.split})")
    fit = fit_picks(ratings, val_rows, args.split, args.seed, args.factors)
    if fit.weights.half:
        say(f"a count weighs count / (count + {fit.weights.half:g})")
    elif ratings.rating.min() < ratings.rating.max():
        say("counts do not make the lists better: every pick weighs the same")
    if fit.quality is None or fit.popular is None:
        return fit.factors, True
    (ndcg, hit_rate), (popular, popular_rate) = fit.quality, fit.popular
    say(
        f"lists of 10 against the picks that were held back: NDCG {ndcg:.3f}, a hit for {hit_rate:.0%} of the "
        f"{ratings.nouns.users} (what is picked most, for everybody: {popular:.3f}, {popular_rate:.0%})"
    )
    if ndcg <= popular:
        say("this is no better than what is picked most: there may be no more in these picks")
    return fit.factors, ndcg > popular
