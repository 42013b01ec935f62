"""python -m cf_excel predict, recommend, similar and rate: answers of a trained model."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cf_excel.cli.options import add_command, add_model_option, whole
from cf_excel.cli.rated_file import rated_in_file
from cf_excel.cli.score_all import (
    add_output_options,
    add_pairs_options,
    is_for_all,
    is_of_pairs,
    none_left,
    none_similar,
    predict_all,
    recommend_all,
    similar_all,
)
from cf_excel.cli.tables import LEFT, print_table
from cf_excel.errors import InputError
from cf_excel.ratings.nouns import with_article

if TYPE_CHECKING:
    from cf_excel.model.predictor import Predictor, ScoredMovie

STANDARD_DEVIATIONS = 1.2816  # below the mean of a normal distribution, 90% lies above


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the four commands to the parser."""
    predict = add_command(
        commands,
        "predict",
        "Predict a user's rating of a movie, or those of a table of pairs.",
        'python -m cf_excel predict 15 "The Matrix"\n  python -m cf_excel predict --pairs pairs.csv --out new.xlsx',
    )
    predict.add_argument("user", nargs="?", metavar="USER", help="the user's (customer's) id")
    predict.add_argument("movie", nargs="?", metavar="MOVIE", help="the movie's (item's) id or title")
    add_pairs_options(predict)
    predict.set_defaults(run=run_predict)

    recommend = add_command(
        commands,
        "recommend",
        "List the movies that a user will like best, or every user.",
        "python -m cf_excel recommend 15 -n 5\n  python -m cf_excel recommend --all -n 5 --out recommendations.xlsx",
    )
    recommend.add_argument("user", nargs="?", metavar="USER", help="the user's id")
    recommend.add_argument("--all", action="store_true", help="of every user, in one table")
    recommend.add_argument("--include-seen", action="store_true", help="list movies that the user rated, too")
    recommend.add_argument(
        "--lower-bound",
        action="store_true",
        help="rank by the rating that is passed with a probability of 90%% (models of kind bayes)",
    )
    recommend.set_defaults(run=run_recommend)

    similar = add_command(
        commands,
        "similar",
        "List the movies whose factors are most like those of one, or of every one.",
        'python -m cf_excel similar "Toy Story"\n  python -m cf_excel similar --all -n 5 --out similar.csv',
    )
    similar.add_argument("movie", nargs="?", metavar="MOVIE", help="the movie's (item's) id or title")
    similar.add_argument("--all", action="store_true", help="of every movie, in one table")
    similar.add_argument(
        "--min-ratings",
        type=whole,
        metavar="N",
        help="leave out movies with fewer ratings (default: 20, or fewer in a small table)",
    )
    similar.set_defaults(run=run_similar)

    rate = add_command(
        commands,
        "rate",
        "Recommend movies to someone who is not in the data, from a few ratings.",
        'python -m cf_excel rate "Toy Story=5" "The Matrix=4.5" "Heat=3"\n  python -m cf_excel rate --from ratings.csv',
    )
    rate.add_argument(
        "ratings",
        nargs="*",
        metavar="MOVIE=RATING",
        help="a movie's (item's) id or title, =, and a rating; where the model is of picks, = and a count or nothing",
    )
    rate.add_argument(
        "--from",
        dest="export",
        type=Path,
        metavar="FILE",
        help="one's own ratings: the export of Letterboxd, IMDb or Goodreads, or a CSV or workbook with columns title "
        "(or id) and rating",
    )
    rate.set_defaults(run=run_rate)

    for parser in (recommend, rate):
        parser.add_argument("--min-ratings", type=whole, default=0, metavar="N", help="only movies with N ratings")
        parser.add_argument(
            "--explore",
            type=float,
            default=0.0,
            metavar="X",
            help="prefer what fewer people rated, the more the nearer X is to 1 (a model trained with --lists score)",
        )

    for parser in (recommend, similar, rate):
        parser.add_argument("-n", type=whole, default=10, metavar="N", help="how many movies (default: 10)")
    for parser in (predict, recommend, similar, rate):
        add_model_option(parser)
    for parser, where in ((predict, "--pairs"), (recommend, "--all"), (similar, "--all")):
        add_output_options(parser, where)
    rate.add_argument("--json", action="store_true", help="print JSON")


def run_predict(args: argparse.Namespace) -> None:
    """Print one prediction, or answer for a file of pairs."""
    if is_of_pairs(args):
        return predict_all(args)
    from cf_excel.model.predictor import ScoredMovie

    predictor = _predictor(args)
    movie_id = predictor.movie_id(args.movie)
    prediction = float(predictor.predict(args.user, movie_id))
    title = predictor.title(movie_id)
    if args.json:
        user_id = _raw(args.user)
        answer = {"user_id": user_id, "movie_id": movie_id, "title": title, predictor.kind.score: prediction}
        if predictor.kind.knows_spread:
            answer["standard_deviation"] = float(predictor.uncertainty(args.user, movie_id))
        _print_json(answer)
    else:
        _print_table(predictor, [ScoredMovie(movie_id, title, prediction)], predictor.kind.score, args.user)


def run_recommend(args: argparse.Namespace) -> None:
    """Print the movies with the highest predictions of a user, or answer for all."""
    lower_bound = STANDARD_DEVIATIONS if args.lower_bound else 0.0
    if is_for_all(args, "user"):
        return recommend_all(args, lower_bound)
    predictor = _predictor(args)
    user, movie = predictor.factors.nouns
    movies = predictor.recommend(
        args.user, args.n, not args.include_seen, lower_bound, min_ratings=args.min_ratings, explore=args.explore
    )
    head, score = {"user_id": _raw(args.user)}, "lower_bound" if args.lower_bound else predictor.kind.score
    empty = none_left(args, predictor, f"the {user} {predictor.kind.did} every {movie}", ": add --include-seen")
    _print_movies(args, predictor, head, "recommendations", score, movies, empty)


def run_similar(args: argparse.Namespace) -> None:
    """Print the movies that are most like one, or answer for all."""
    if is_for_all(args, "movie"):
        return similar_all(args)
    predictor = _predictor(args)
    movie_id = predictor.movie_id(args.movie)
    movies = predictor.similar(movie_id, args.n, args.min_ratings)
    head = {"movie_id": movie_id, "title": predictor.title(movie_id)}
    _print_movies(args, predictor, head, "similar", "similarity", movies, none_similar(args, predictor))


def run_rate(args: argparse.Namespace) -> None:
    """Print recommendations for ratings that are given on the command line, or in a file."""
    if not (args.ratings or args.export):
        raise InputError('nothing is rated: give MOVIE=RATING, such as "Toy Story=5", or --from FILE')
    predictor = _predictor(args)
    noun, number = predictor.factors.nouns.movie, "count" if predictor.kind.of_picks else "rating"
    filed, head = rated_in_file(args.export, predictor) if args.export else ([], {})
    named = _named_ratings(args.ratings, predictor)
    again = {movie_id for movie_id, _ in named}  # typed here, it counts in place of the file's
    named = [*(pair for pair in filed if pair[0] not in again), *named]
    ids = [movie_id for movie_id, _ in named]
    movies = predictor.fold_in(
        ids, [rating for _, rating in named], args.n, min_ratings=args.min_ratings, explore=args.explore
    )
    rated = [
        {"movie_id": movie_id, "title": predictor.title(movie_id), number: float(rating)} for movie_id, rating in named
    ]
    empty = none_left(args, predictor, f"you {predictor.kind.did} every {noun} in the model")
    _print_movies(args, predictor, {"rated": rated} | head, "recommendations", predictor.kind.score, movies, empty)


def _named_ratings(texts: Sequence[str], predictor: "Predictor") -> "list[tuple[int | str, str | float]]":
    """Return id and rating, or count, of what the command line names."""
    from cf_excel.model.picks import weights_of

    if predictor.kind.of_picks:
        usual = f"{weights_of(predictor.factors.layers).usual:g}"
        named = [_split_count(text, usual) for text in texts]
    else:
        named = [_split_rating(text, predictor.factors.nouns.movie) for text in texts]
    return [(predictor.movie_id(movie), rating) for movie, rating in named]


def _predictor(args: argparse.Namespace) -> "Predictor":
    from cf_excel.model.predictor import load_predictor

    return load_predictor(args.model)


def _raw(user: str) -> int | str:
    from cf_excel.ratings.table import canonical_id

    return canonical_id(user)


def _split_rating(text: str, noun: str) -> tuple[str, str]:
    """Split "title=rating" at the last "=", because titles may have one of their own."""
    movie, equals, rating = text.rpartition("=")
    if not (equals and movie.strip() and rating.strip()):
        example = "Toy Story=5" if noun == "movie" else "Blue mug=5"
        raise InputError(f'{text!r}: expected {with_article(noun)}, = and a rating, such as "{example}"')
    return movie.strip(), rating.strip()


def _split_count(text: str, usual: str) -> tuple[str, str]:
    """Split "title=count" where there is a count, which is the usual one elsewhere."""
    movie, equals, count = text.rpartition("=")
    try:
        float(count)
    except ValueError:
        equals = ""
    return (movie.strip(), count.strip()) if equals and movie.strip() else (text, usual)


def _print_movies(
    args: argparse.Namespace,
    predictor: "Predictor",
    head: dict,
    name: str,
    score: str,
    movies: "Sequence[ScoredMovie]",
    empty: str,
) -> None:
    """Print scored movies, as JSON behind head, or as a table; where there are none, raise InputError with a reason."""
    if not movies:
        raise InputError(empty)
    n_ratings = predictor.n_ratings[predictor.movie_rows([movie.movie_id for movie in movies])].tolist()
    if args.json:
        listed = [
            {"movie_id": movie.movie_id, "title": movie.title, score: movie.score, "n_ratings": n}
            for movie, n in zip(movies, n_ratings, strict=True)
        ]
        _print_json(head | {name: listed})
    else:
        _print_table(predictor, movies, score, n_ratings=n_ratings)


def _print_table(
    predictor: "Predictor",
    movies: "Sequence[ScoredMovie]",
    score: str,
    user: str | None = None,
    n_ratings: "Sequence[int] | None" = None,
) -> None:
    """Print scored movies, behind the user and before how many rated them, where given; titles where there are any."""
    nouns, has_titles = predictor.factors.nouns, predictor.factors.titles.any()
    columns: dict[str, Sequence[object]] = {} if user is None else {nouns.user: [user] * len(movies)}
    columns[nouns.movie] = [movie.movie_id for movie in movies]
    if has_titles:
        columns["title"] = [movie.title for movie in movies]
    columns[score.replace("_", " ")] = [f"{movie.score:.2f}" for movie in movies]
    if n_ratings is not None:
        columns[predictor.kind.rows] = n_ratings
    ids_are_names = not has_titles and isinstance(movies[0].movie_id, str)
    left = (*LEFT, nouns.movie) if ids_are_names else LEFT
    print_table(list(columns), list(zip(*columns.values(), strict=True)), left)


def _print_json(value: dict) -> None:
    print(json.dumps(value, indent=2))
