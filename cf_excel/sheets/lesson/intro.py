"""The text of the first sheet."""

from dataclasses import dataclass

from cf_excel.ratings.nouns import USUAL_NOUNS, Nouns, with_article
from cf_excel.ratings.table import LESSON_SOURCE
from cf_excel.sheets.lesson.lesson_layout import CollabBook

# Excel's Solver takes no more than this many cells to change
SOLVER_LIMIT = 200
# The least RMSE that any factors reach on the lesson's 206 ratings, by sheet
LESSON_OPTIMUM = {"dotprod": 0.392901, "bias": 0.318655, "movielens_emb": 0.392901}

_PREDICT = (
    "Asks the model that cf_excel's train command fitted to all ratings: functions such as CF_PREDICT({2}) answer "
    "for any {0} and {1}, also for you, once you rated five. They work in every cell of this workbook."
)


@dataclass(frozen=True)
class TextLine:
    """One line of the first sheet: a name in its style, a text, and the sheet whose RMSE stands beside it."""

    name: str = ""
    text: str = ""
    style: str = "name"
    rmse_of: str | None = None


def n_numbers(book: CollabBook, *, with_bias: bool) -> int:
    """Return how many numbers Solver changes."""
    return (book.n_users + book.n_movies) * (book.n_factors + with_bias)


def memorising_remark(book: CollabBook, *, with_bias: bool) -> str:
    """Say how many numbers are fitted to how many ratings."""
    return (
        f"{n_numbers(book, with_bias=with_bias):,} numbers are fitted to {book.n_ratings:,} ratings: "
        "a low RMSE here is memorising, see intro."
    )


def intro_lines(
    book: CollabBook,
    *,
    source: str,
    seed: int,
    is_lesson: bool,
    with_functions: bool = False,
    nouns: Nouns = USUAL_NOUNS,
) -> list[TextLine]:
    """Return what the first sheet says about this workbook; with_functions: it has the sheet predict."""
    user, movie = nouns
    a_user, a_movie = map(with_article, nouns)
    k = book.n_factors
    numbers = f"{k} numbers (factors)" if k > 1 else "one number (a factor)"
    example = "15, 260" if nouns == USUAL_NOUNS else f"{user}, {movie}"
    lines = [
        TextLine("Collaborative filtering, cell by cell", style="title"),
        TextLine(
            "Data",
            f"{book.n_ratings:,} ratings by the {book.n_users} most active {nouns.users} of the {book.n_movies} "
            f"most rated {nouns.movies}. Source: {source}. Factors drawn with seed {seed}.",
        ),
        TextLine(),
        TextLine("What is where", "Yellow cells are inputs: change them and watch the RMSE.", style="heading"),
        TextLine(
            "dotprod",
            f"Ratings on top. Every {user} and every {movie} has {numbers}, at first random ones between 0 and 1. The "
            f"prediction for {a_user} and {a_movie} is the dot product of the two. Blank ratings are predicted as 0 "
            "and do not count.",
            rmse_of="dotprod",
        ),
        TextLine(
            "bias",
            f"The same with one more number for each {user} (how kind) and each {movie} (how good), added to "
            "the product.",
            rmse_of="bias",
        ),
        TextLine(
            "movielens_emb",
            "dotprod again, in the form a program uses: one row a rating, and the factors looked up by their row in a "
            "table. That look-up is an embedding. Same factors, same RMSE as dotprod.",
            rmse_of="movielens_emb",
        ),
        TextLine("movies", f"Every {movie} with its id, year, genres, number of ratings and mean rating."),
        *([TextLine("predict", _PREDICT.format(user, movie, example))] if with_functions else []),
        TextLine(),
        TextLine("Let Solver learn", style="heading"),
        *_solver_lines(book, nouns),
        *(_optimum_lines() if is_lesson else []),
        TextLine(),
        TextLine("What it shows", style="heading"),
        TextLine(
            "memorising",
            f"dotprod has {n_numbers(book, with_bias=False):,} numbers to fit {book.n_ratings:,} ratings, bias "
            f"{n_numbers(book, with_bias=True):,}. With so many, a small RMSE says that the ratings were memorised, "
            "not that others would be predicted well. Only ratings that were held back can tell that: cf_excel's train "
            "command does it with all ratings.",
        ),
        TextLine(
            "RMSE",
            "The root of the mean squared error over the ratings that are there, in rating points. MSE is its square.",
        ),
        TextLine(),
        TextLine(
            "How it is built",
            "After the workbook of fast.ai's course, which nobody needs here; for who knows it, what is different:",
            style="heading",
        ),
        TextLine("bias", "The RMSE divides by the number of ratings, and blank ratings get no bias."),
        TextLine(
            "MATCH",
            "It finds exactly the id; one that is not in the table says so. The course's takes its neighbour's.",
        ),
        TextLine("INDEX", "It looks up the factors. OFFSET, as in the course, recalculates everything at each change."),
        TextLine("RMSE", "It counts the cells that hold a rating. SUMXMY2, as in the course, counts blanks in some."),
        TextLine("ratings", "They are plain cells. The course's are pivot tables, which some programs refresh."),
    ]
    if source == LESSON_SOURCE:
        lines += [
            TextLine(),
            TextLine("Terms of the data", style="heading"),
            TextLine(
                "MovieLens",
                "No commercial use without permission of GroupLens, and no claim of endorsement. F. Maxwell Harper and "
                "Joseph A. Konstan. 2015. The MovieLens Datasets: History and Context. ACM TiiS 5, 4: 19.",
            ),
        ]
    return lines


def _solver_lines(book: CollabBook, nouns: Nouns) -> list[TextLine]:
    command = TextLine("cf_excel", "python -m cf_excel solve collab_filter.xlsx does the same from the command line.")
    without, with_bias = n_numbers(book, with_bias=False), n_numbers(book, with_bias=True)
    if with_bias > SOLVER_LIMIT:
        return [
            TextLine(
                "Excel",
                f"Its Solver changes up to {SOLVER_LIMIT} cells, and the sheets here have {without:,} and {with_bias:,}"
                f": build with fewer {nouns.users}, {nouns.movies} or factors.",
            ),
            command,
        ]
    return [
        TextLine(
            "Excel",
            "Data, Solver, Solve: everything is filled in (no Solver there? File, Options, Add-ins, Excel Add-ins).",
        ),
        TextLine(
            "LibreOffice", "Tools, Solver, with a non-linear engine, on the same cells. It takes minutes on this task."
        ),
        command,
    ]


def _optimum_lines() -> list[TextLine]:
    best = {title: f"{value:.4f}" for title, value in LESSON_OPTIMUM.items()}
    return [
        TextLine(
            "the optimum",
            f"No factors do better than RMSE {best['dotprod']} on dotprod and movielens_emb, {best['bias']} on bias. "
            "Solver comes close and stops a little above.",
        )
    ]
