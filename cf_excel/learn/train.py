"""Train a model of any kind in one call."""

from __future__ import annotations  # so that help() says Chooser, and not what that is

from collections.abc import Mapping
from dataclasses import fields
from difflib import get_close_matches
from numbers import Integral, Real
from typing import Any

from cf_excel.errors import InputError, needs
from cf_excel.learn.bayes.bayes_factors import bayes_to_factors
from cf_excel.learn.bayes.factorization import BayesSettings, fit_bayes
from cf_excel.learn.bayes.tuning import fit_tuned
from cf_excel.learn.list_fit import check_lists, with_lists
from cf_excel.learn.pick_fit import fit_picks
from cf_excel.learn.progress import Progress
from cf_excel.model.factors import Factors
from cf_excel.model.kinds import DEFAULT_LISTS, KINDS
from cf_excel.ratings.own_split import Chooser, chosen_rows
from cf_excel.ratings.table import Ratings, check_ratings
from cf_excel.ratings.validation import OWN_SPLIT, validation_rows


def train(
    ratings: Ratings,
    kind: str = "bayes",
    *,
    split: str | Chooser = "none",
    seed: int = 0,
    lists: str = DEFAULT_LISTS,
    tune: bool = True,
    progress: Progress | None = None,
    **settings: object,
) -> Factors:
    """Train a model and return what it learnt, as save_factors, load_predictor and export take it.

    kind: bayes, the most exact, or the lesson's dot, dot-bias, net and collab, or picks, of orders, plays, clicks and
    likes. split: which fifth of the ratings is held back to measure the error, as in validation_rows, or a function
    that is given all as a DataFrame (user_id, movie_id, rating, timestamp) and says True for those to hold back;
    progress is told the losses (MSE). lists: what lists rank by, one of LISTS. tune: fit the precisions of bayes to
    these ratings, and where these are few n_factors and iterations, too (see fit_tuned); what settings name stays.
    settings: those of BayesSettings (n_factors, iterations, ...), or of the lesson's Settings (n_factors, epochs, lr,
    wd, ...). Raises InputError for another kind, split, lists or setting, for values that can't work, and where a split
    says anything but True or False of each rating, or True of all.
    """
    check_ratings(ratings)
    if kind not in KINDS:
        raise InputError(f"kind {kind!r}: expected one of {', '.join(KINDS)}")
    check_lists(lists)
    given = settings | {"seed": seed}
    if KINDS[kind].of_lesson:
        try:  # torch is for these kinds alone
            from cf_excel.learn.lesson import lesson_factors, recipes
        except ModuleNotFoundError as error:
            raise InputError(f"kind {kind}: {needs(error.name or 'torch')}") from error
        check_settings(kind, given, recipes.Settings)
    else:
        check_settings(kind, given, BayesSettings)
    if callable(split):
        val_rows, split = chosen_rows(ratings, split), OWN_SPLIT
        if len(val_rows) == len(ratings):
            raise InputError(f"split holds back all {len(ratings):,} ratings: none is left to train on")
    else:
        val_rows = validation_rows(ratings, split, seed)
    if KINDS[kind].of_picks:
        return fit_picks(ratings, val_rows, split, seed, **settings).factors  # type: ignore[arg-type]
    if not KINDS[kind].of_lesson:
        how = BayesSettings(seed=seed, **settings)  # type: ignore[arg-type]
        if tune and how.precisions is None:
            fit = fit_tuned(ratings, val_rows, how, progress=progress, keep=tuple(settings))
        else:
            fit = fit_bayes(ratings, val_rows, how, progress=progress)
        factors = bayes_to_factors(fit, ratings, split)
    else:
        trained = recipes.train(ratings, val_rows, recipes.lesson_settings(kind, seed=seed, **settings), progress)
        factors = lesson_factors.to_factors(trained, ratings, split)
    return with_lists(factors, ratings, val_rows, lists, seed, str(settings.get("device", "auto")))


def check_settings(kind: str, settings: Mapping[str, object], known_by: type[Any]) -> None:
    """Raise InputError for a setting that a kind of model does not have, and for one that is not the number it must be.

    known_by: the dataclass of its settings. None stands for the usual number in all kinds but bayes.
    """
    types = {each.name: each.type for each in fields(known_by)}
    known = ["n_factors"] if KINDS[kind].of_picks else [name for name in types if name not in ("kind", "seed")]
    for name, value in settings.items():
        if name not in {*known, "seed"}:
            close = get_close_matches(name, known, n=1)
            hint = f": did you mean {close[0]}?" if close else ""
            raise InputError(f"setting {name}: {kind} has {', '.join(known)}{hint}")
        if value is None and name != "seed" and kind != "bayes":
            continue
        for plain, number, expected in ((int, Integral, "a whole number"), (float, Real, "a number")):
            if types[name] is plain and (isinstance(value, bool) or not isinstance(value, number)):
                raise InputError(f"{name} {value!r:.60}: expected {expected}")
