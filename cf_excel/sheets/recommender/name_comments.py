"""What the Name Manager says beside each name."""

from cf_excel.ratings.nouns import Nouns

LONGEST = 255  # characters: Excel refuses a file with a longer comment
_CELLS = {
    "picked_user": "The {user} that is picked on the sheet predict.",
    "picked_movie": "The {movie} that is picked on the sheet predict.",
    "least_ratings": "How often a similar {movie} was rated at least.",
    "rated_titles": "The {movies} that you rate on the sheet predict, for CF.RATE.",
    "given_ratings": "Your ratings of them, for CF.RATE.",
    "user_ids": "The {users}, one a row of the sheet users.",
    "movie_ids": "The ids, one a row of the sheet movies.",
    "movie_titles": "The titles, one a row of the sheet movies.",
    "movie_list": "The titles in alphabetical order, for the dropdowns.",
    "rating_list": "The ratings that the dropdown offers.",
    "user_bias": "How kind each of the {users} is: added to every prediction.",
    "movie_bias": "How good each of the {movies} is: added to every prediction.",
    "user_factors": "The factors of the {users}, one a row.",
    "movie_factors": "The factors of the {movies}, one a row.",
    "global_mean": "What every prediction starts from.",
}


def signatures(nouns: Nouns) -> list[str]:
    """Return how the named functions are called, with the words of their arguments."""
    user, movie = nouns
    return [
        f"CF.PREDICT({user}, {movie})",
        f"CF.RECOMMEND({user}, n)",
        f"CF.SIMILAR({movie}, n, least)",
        f"CF.RATE({nouns.movies}, ratings, n)",
    ]


def name_comment(name: str, sheet: str, nouns: Nouns) -> str:
    """Return the comment of a name; sheet: where its cells are, blank for a function."""
    words = {"user": nouns.user, "movie": nouns.movie, "users": nouns.users, "movies": nouns.movies}
    functions = {
        "CF.PREDICT": "{0}: the predicted rating. {movie} by title or id.",
        "CF.RECOMMEND": "{0}: titles and predicted ratings of the n best for the {user}, n rows and two columns.",
        "CF.SIMILAR": "{0}: titles and similarities, n rows and two columns; least: rated at least so often.",
        "CF.RATE": "{0}: the n best for who gave such ratings, titles and predicted ratings, n rows and two columns.",
    }
    calls = {call.partition("(")[0]: call for call in signatures(nouns)}
    text = functions.get(name) or _CELLS.get(name) or f"Cells of the sheet {sheet} that formulas of this file use."
    return text.format(calls.get(name, ""), **words)[:LONGEST]
