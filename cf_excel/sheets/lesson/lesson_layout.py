"""Where everything is on the lesson's sheets, and what the formulas say, for any number of users, movies and factors.

No other module knows a cell address.
"""

from dataclasses import dataclass
from functools import cached_property

from cf_excel.sheets.bands import Area, Bands, MaybeArea
from cf_excel.xlsx.cells import Block, cell, check_size, one_cell

NOT_FOUND = "not in the table"
SHOWN, HIDDEN = "Yes", "No"  # whether predictions of blank ratings are shown
MOST_PRINTED_RATINGS, MOST_PRINTED_MOVIES = 300, 100  # rows: more are left out of print


@dataclass(frozen=True)
class GridSheet:
    """The sheets `dotprod` and `bias`: ratings on top, movie factors below, user factors left of the predictions.

    With biases everything from the movie factors down moves one row lower, the movie biases stand above the movie
    factors and the user biases at the left of the user factors.
    """

    title: str
    n_users: int
    n_movies: int
    n_factors: int
    with_bias: bool

    def __post_init__(self) -> None:
        check_size(self.title, self.rmse.bottom + 4, self.rmse.right)

    @cached_property
    def rows(self) -> Bands:
        n, k = self.n_users, self.n_factors
        movies = {"note": 1, "titles": 1, "bias": self.with_bias, "factors": k}
        return Bands(ids=1, ratings=n, **movies, labels=1, predictions=n, gap=1, rmse=1, space=1, remark=1)

    @cached_property
    def columns(self) -> Bands:
        biases = {"margin": not self.with_bias, "bias": self.with_bias}
        return Bands(**biases, factors=self.n_factors, ids=1, movies=self.n_movies)

    ratings = Area("ratings", "movies")
    rating_movies = Area("ids", "movies")  # movie ids above the ratings
    rating_users = Area("ratings", "ids")  # user ids at the left of the ratings
    note = Area("note", "movies", column=0)  # the line that says what the factors are
    movie_titles = Area("titles", "movies")
    movie_labels = Area("bias factors", "ids")  # names of the rows of movie numbers, the bias first where there is one
    movie_bias = MaybeArea("bias", "movies")
    movie_factors = Area("factors", "movies")  # one column a movie
    prediction_movies = Area("labels", "movies")  # movie ids above the predictions
    prediction_users = Area("predictions", "ids")  # user ids at the left of the predictions
    predictions = Area("predictions", "movies")
    user_labels = Area("labels", "bias factors")  # names of the columns of user numbers
    user_bias = MaybeArea("predictions", "bias")
    user_factors = Area("predictions", "factors")  # one row a user
    rmse = Area("rmse", "movies", column=-1)
    rmse_label = Area("rmse", "movies", column=-2)
    remark = Area("remark", "movies", column=0)  # the line that counts the numbers to fit
    switch = Area("space", "ids")  # Yes where blank ratings are predicted, too
    switch_note = Area("space", "movies", column=0)
    rating_corner = Area("ids", "ids")
    prediction_corner = Area("labels", "ids")
    _movie_numbers = Area("bias factors", "movies")
    _user_numbers = Area("predictions", "bias factors")
    _left_of_ratings = Area("ids ratings", "margin bias factors")  # cells that hold nothing else

    @property
    def heading(self) -> Block:
        return self._left_of_ratings.row(0).column(0)

    @property
    def directions(self) -> Block:
        """The cell that says what goes down and across, right of the heading."""
        return self._left_of_ratings.row(0).column(-1 + self._left_of_ratings.n_columns)

    @property
    def users_note(self) -> Block:
        """The cell above the names of the users' numbers."""
        return one_cell(self.user_labels.top - 1, self.user_labels.left)

    @property
    def legend(self) -> Block | None:
        """Cells left of the ratings for ids and titles of the movies; None where they are too few."""
        free = self._left_of_ratings
        if self.n_movies > self.n_users or free.n_columns < 5:
            return None
        return Block(free.top + 1, free.left, free.top + self.n_movies, free.left + 1)

    @property
    def blank_rule(self) -> str:
        """Condition, for the first prediction, that its rating is blank."""
        return f'{self.ratings.first}=""'

    @property
    def unwritten_rule(self) -> str:
        """Condition, for the first prediction, that it is blank itself."""
        return f'{self.predictions.first}=""'

    def below_rule(self, bound: float | None) -> str:
        """Return the condition, for the first prediction, that there is a rating, and the prediction below a bound."""
        rated = f'{self.ratings.first}<>""'
        return rated if bound is None else f"AND({rated},{self.predictions.first}<{bound:g})"

    @property
    def formulas(self) -> dict[Block, str]:
        """Formula of the first cell of each block; the others follow by filling."""
        return {
            self.prediction_users: cell(self.rating_users.top, self.rating_users.left, fix_column=True),
            self.prediction_movies: cell(self.rating_movies.top, self.rating_movies.left, fix_row=True),
            **self._model_formulas("", f'AND({self.blank_rule},{self.switch.fixed}<>"{SHOWN}")'),
        }

    @property
    def answers(self) -> dict[Block, str]:
        """Formulas of predictions and RMSE for a sheet that has these alone, in the same cells."""
        return self._model_formulas(f"{self.title}!", f"{self.title}!{self.blank_rule}")

    def _model_formulas(self, sheet: str, left_out: str) -> dict[Block, str]:
        """Return the formulas of predictions and RMSE from ratings and numbers on a sheet, such as "dotprod!".

        left_out: the condition, for the first prediction, that it is 0.
        """
        user_row = sheet + self.user_factors.row(0).span(fix_columns=True)
        movie_column = sheet + self.movie_factors.column(0).span(fix_rows=True)
        product = f"MMULT({user_row},{movie_column})"
        if self.movie_bias and self.user_bias:
            user_bias = cell(self.user_bias.top, self.user_bias.left, fix_column=True)
            movie_bias = cell(self.movie_bias.top, self.movie_bias.left, fix_row=True)
            product += f"+{sheet}{user_bias}+{sheet}{movie_bias}"
        ratings, predictions = sheet + self.ratings.address, self.predictions.address
        return {
            self.predictions: f"IF({left_out},0,{product})",
            # SUMXMY2 would count blanks in some programs and not in others
            self.rmse: f'SQRT(SUMPRODUCT(({ratings}<>"")*({ratings}-{predictions})^2)/MAX(1,COUNT({ratings})))',
        }

    @property
    def checks(self) -> tuple[Block, Block]:
        """The cells that check predictions and RMSE where the reader writes them."""
        right = self.rmse.right + 1
        return one_cell(self.user_labels.top, right), one_cell(self.rmse.top, right)

    @property
    def solver_cells(self) -> tuple[Block, list[Block]]:
        """The cell that Solver minimises, and the cells that it changes."""
        return self.rmse, [self._movie_numbers, self._user_numbers]

    @property
    def freeze(self) -> str:
        """Top left cell of what scrolls; many factors would fill the screen with frozen columns."""
        return self.ratings.first if self.n_factors <= 8 else cell(2, 1)


@dataclass(frozen=True)
class EmbeddingSheet:
    """The sheet `movielens_emb`: two tables of factors at the left, one row a rating at the right."""

    n_users: int
    n_movies: int
    n_factors: int
    n_ratings: int
    title: str = "movielens_emb"

    def __post_init__(self) -> None:
        check_size(self.title, max(self.movie_factors.bottom, self.ratings.bottom), self.rmse.right + 10)

    @cached_property
    def rows(self) -> Bands:
        tables = Bands(note=1, gap=1, user_labels=1, users=self.n_users, gaps=2, movie_labels=1, movies=self.n_movies)
        # without a rating one row of formulas stays, and says so
        ratings = Bands(remark=1, headers=1, ratings=max(1, self.n_ratings))
        return tables | ratings | Bands(above=4, chart=20)

    @cached_property
    def columns(self) -> Bands:
        k = self.n_factors
        looked_up = {"user_index": 1, "user_factors": k, "movie_index": 1, "movie_factors": k}
        errors = {"predictions": 1, "errors": 1, "margin": 1, "rmse": 1, "chart": 8}
        return Bands(first=1, ids=1, factors=k, gap=1, ratings=3, **looked_up, **errors)

    note = Area("note", "first")
    user_labels = Area("user_labels", "first factors")
    user_rows = Area("users", "first")  # numbers of the rows, from 1
    user_ids = Area("users", "ids")
    user_factors = Area("users", "factors")
    movie_labels = Area("movie_labels", "first factors")
    movie_titles = Area("movies", "first")
    movie_ids = Area("movies", "ids")
    movie_factors = Area("movies", "factors")
    remark = Area("remark", "ratings", column=0)  # the line that counts the numbers to fit
    headers = Area("headers", "ratings errors")  # names of the columns from the user id to the squared error
    ratings = Area("ratings", "ratings")  # user id, movie id, rating
    user_index = Area("ratings", "user_index")
    rating_user_factors = Area("ratings", "user_factors")  # the user's factors, looked up for every rating
    movie_index = Area("ratings", "movie_index")
    rating_movie_factors = Area("ratings", "movie_factors")  # the movie's factors, looked up for every rating
    predictions = Area("ratings", "predictions")
    squared_errors = Area("ratings", "errors")
    rmse = Area("ratings", "rmse", row=0)
    rmse_label = Area("headers", "rmse")
    chart = Area("chart", "rmse chart")  # the cells under the chart

    @property
    def printed(self) -> list[str]:
        """The areas that are printed, each on pages of its own: the tables, the first ratings, the chart."""
        tables = Block(1, self.user_rows.left, max(self.movie_factors.bottom, 2), self.movie_factors.right)
        last = min(self.ratings.bottom, self.headers.bottom + MOST_PRINTED_RATINGS)
        rated = Block(1, self.headers.left, last, self.headers.right)
        chart = Block(1, self.rmse_label.left, self.chart.bottom, self.chart.right)
        return [tables.span(), rated.span(), chart.span()]

    @property
    def print_titles(self) -> str:
        """The rows that each page repeats."""
        return f"{self.remark.top}:{self.headers.bottom}"

    def charted(self, block: Block, most: int = 2000) -> Block:
        """Return the head of a column that the chart shows: more points than that slow every program down."""
        return Block(block.top, block.left, min(block.bottom, block.top + most - 1), block.left)

    def _match(self, ids: Block, wanted: str, exact_text: bool) -> str:
        # MATCH reads * ? ~ in a text as wildcards and ignores case: text ids are compared with EXACT
        table = ids.span(fix_rows=True, fix_columns=True)
        if exact_text and ids.n_rows == 1:  # an engine's EXACT over one cell gives no array to search
            return f'IF(EXACT({ids.fixed},{wanted}),1,"{NOT_FOUND}")'
        found = f"TRUE,EXACT({table},{wanted})" if exact_text else f"{wanted},{table}"
        return f'IFERROR(MATCH({found},0),"{NOT_FOUND}")'

    def formulas(self, *, text_users: bool = False, text_movies: bool = False) -> dict[Block, str]:
        """Return the formula of the first cell of each block; the others follow by filling.

        Where users or movies have text ids the formulas of their index are array formulas.
        """
        user_id, movie_id, rating = (cell(3, self.ratings.left + i, fix_column=True) for i in range(3))
        user_index = cell(3, self.user_index.left, fix_column=True)
        movie_index = cell(3, self.movie_index.left, fix_column=True)
        users, movies = self.rating_user_factors.row(0).address, self.rating_movie_factors.row(0).address
        known = f"AND(ISNUMBER({user_index}),ISNUMBER({movie_index}))"
        errors = self.squared_errors.address
        return {
            self.user_index: self._match(self.user_ids, user_id, text_users),
            self.rating_user_factors: _looked_up(self.user_factors, user_index),
            self.movie_index: self._match(self.movie_ids, movie_id, text_movies),
            self.rating_movie_factors: _looked_up(self.movie_factors, movie_index),
            self.predictions: f"SUMPRODUCT({users},{movies})",
            self.squared_errors: f'IF({known},({rating}-{self.predictions.first})^2,"")',
            self.rmse: f"SQRT(SUM({errors})/MAX(1,COUNT({errors})))",
        }

    @property
    def solver_cells(self) -> tuple[Block, list[Block]]:
        """The cell that Solver minimises, and the cells that it changes."""
        return self.rmse, [self.user_factors, self.movie_factors]

    @property
    def freeze(self) -> str:
        """Top left cell of what scrolls."""
        return cell(3, 1)


def _looked_up(factors: Block, index: str) -> str:
    return f"IF(ISNUMBER({index}),INDEX({factors.column(0).span(fix_rows=True)},{index}),0)"


@dataclass(frozen=True)
class MoviesSheet:
    """The sheet `movies`: one row a movie."""

    n_movies: int
    title: str = "movies"

    def __post_init__(self) -> None:
        check_size(self.title, self.table.bottom, self.table.right)

    @property
    def headers(self) -> Block:
        return Block(1, 1, 1, 6)

    @property
    def table(self) -> Block:
        """Id, title, year, genres, number of ratings, mean rating."""
        return Block(2, 1, self.n_movies + 1, 6)

    @property
    def whole(self) -> Block:
        return Block(1, 1, self.table.bottom, 6)

    @property
    def printed(self) -> str:
        """The area that is printed: the most rated movies."""
        return Block(1, 1, min(self.table.bottom, 1 + MOST_PRINTED_MOVIES), 6).span()

    @property
    def freeze(self) -> str:
        """Top left cell of what scrolls."""
        return cell(2, 1)


@dataclass(frozen=True)
class IntroSheet:
    """The first sheet: a column of names and a column of texts."""

    n_lines: int
    title: str = "intro"

    @property
    def names(self) -> Block:
        return Block(1, 1, self.n_lines, 1)

    @property
    def texts(self) -> Block:
        return Block(1, 2, self.n_lines, 2)

    def rmse(self, line: int) -> Block:
        """Return the cell beside a line, counted from 0, that shows a sheet's RMSE."""
        return one_cell(line + 1, 3)


@dataclass(frozen=True)
class CollabBook:
    """All sheets of the collaborative-filtering workbook."""

    n_users: int
    n_movies: int
    n_factors: int
    n_ratings: int

    @cached_property
    def dotprod(self) -> GridSheet:
        return GridSheet("dotprod", self.n_users, self.n_movies, self.n_factors, with_bias=False)

    @cached_property
    def bias(self) -> GridSheet:
        return GridSheet("bias", self.n_users, self.n_movies, self.n_factors, with_bias=True)

    @cached_property
    def movielens_emb(self) -> EmbeddingSheet:
        return EmbeddingSheet(self.n_users, self.n_movies, self.n_factors, self.n_ratings)
