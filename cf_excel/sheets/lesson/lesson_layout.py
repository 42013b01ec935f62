"""Where everything is on the lesson's sheets, and what the formulas say, for any number of users, movies and factors.

No other module knows a cell address.
"""

from dataclasses import dataclass
from functools import cached_property

from cf_excel.xlsx.cells import Block, cell, check_size, one_cell

NOT_FOUND = "not in the table"


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

    @property
    def _left(self) -> int:
        return self.n_factors + 3

    @property
    def _right(self) -> int:
        return self.n_factors + 2 + self.n_movies

    @property
    def _factor_top(self) -> int:
        return self.n_users + 4 + self.with_bias

    @property
    def _prediction_top(self) -> int:
        return self._factor_top + self.n_factors + 1

    @property
    def ratings(self) -> Block:
        return Block(2, self._left, self.n_users + 1, self._right)

    @property
    def rating_movies(self) -> Block:
        """Movie ids above the ratings."""
        return Block(1, self._left, 1, self._right)

    @property
    def rating_users(self) -> Block:
        """User ids at the left of the ratings."""
        return Block(2, self._left - 1, self.n_users + 1, self._left - 1)

    @property
    def note(self) -> Block:
        """The line that says what the factors are."""
        return one_cell(self.n_users + 2, self._left)

    @property
    def movie_titles(self) -> Block:
        return Block(self.n_users + 3, self._left, self.n_users + 3, self._right)

    @property
    def movie_bias(self) -> Block | None:
        return Block(self.n_users + 4, self._left, self.n_users + 4, self._right) if self.with_bias else None

    @property
    def movie_factors(self) -> Block:
        """One column a movie."""
        return Block(self._factor_top, self._left, self._factor_top + self.n_factors - 1, self._right)

    @property
    def movie_labels(self) -> Block:
        """Names of the rows of movie numbers, the bias first where there is one."""
        top = self.n_users + 4
        return Block(top, self._left - 1, self._prediction_top - 2, self._left - 1)

    @property
    def prediction_movies(self) -> Block:
        """Movie ids above the predictions."""
        return Block(self._prediction_top - 1, self._left, self._prediction_top - 1, self._right)

    @property
    def prediction_users(self) -> Block:
        """User ids at the left of the predictions."""
        bottom = self._prediction_top + self.n_users - 1
        return Block(self._prediction_top, self._left - 1, bottom, self._left - 1)

    @property
    def user_labels(self) -> Block:
        """Names of the columns of user numbers, the bias first where there is one."""
        row = self._prediction_top - 1
        return Block(row, 2 - self.with_bias, row, self.n_factors + 1)

    @property
    def user_bias(self) -> Block | None:
        if not self.with_bias:
            return None
        return Block(self._prediction_top, 1, self._prediction_top + self.n_users - 1, 1)

    @property
    def user_factors(self) -> Block:
        """One row a user."""
        return Block(self._prediction_top, 2, self._prediction_top + self.n_users - 1, self.n_factors + 1)

    @property
    def predictions(self) -> Block:
        return Block(self._prediction_top, self._left, self._prediction_top + self.n_users - 1, self._right)

    @property
    def rmse(self) -> Block:
        return one_cell(self._prediction_top + self.n_users + 1, self._right)

    @property
    def rmse_label(self) -> Block:
        return one_cell(self.rmse.top, self._right - 1)

    @property
    def remark(self) -> Block:
        """The line that counts the numbers to fit."""
        return one_cell(self.rmse.top + 2, self._left)

    @property
    def blank_rule(self) -> str:
        """Condition, for the first prediction, that its rating is blank."""
        return f'{self.ratings.first}=""'

    @property
    def formulas(self) -> dict[Block, str]:
        """Formula of the first cell of each block; the others follow by filling."""
        user_row = self.user_factors.row(0).span(fix_columns=True)
        movie_column = self.movie_factors.column(0).span(fix_rows=True)
        product = f"MMULT({user_row},{movie_column})"
        if self.movie_bias and self.user_bias:
            user_bias = cell(self.user_bias.top, self.user_bias.left, fix_column=True)
            movie_bias = cell(self.movie_bias.top, self.movie_bias.left, fix_row=True)
            product += f"+{user_bias}+{movie_bias}"
        ratings, predictions = self.ratings.address, self.predictions.address
        return {
            self.prediction_users: cell(self.rating_users.top, self.rating_users.left, fix_column=True),
            self.prediction_movies: cell(self.rating_movies.top, self.rating_movies.left, fix_row=True),
            self.predictions: f'IF({self.ratings.first}="",0,{product})',
            # SUMXMY2 would count blanks in some programs and not in others
            self.rmse: f'SQRT(SUMPRODUCT(({ratings}<>"")*({ratings}-{predictions})^2)/MAX(1,COUNT({ratings})))',
        }

    @property
    def solver_cells(self) -> tuple[Block, list[Block]]:
        """The cell that Solver minimises, and the cells that it changes."""
        movies, users = self.movie_factors, self.user_factors
        if self.movie_bias and self.user_bias:
            movies = Block(self.movie_bias.top, movies.left, movies.bottom, movies.right)
            users = Block(users.top, self.user_bias.left, users.bottom, users.right)
        return self.rmse, [movies, users]

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

    def _down(self, column: int, width: int = 1) -> Block:
        # without a rating one row of formulas stays, and says so
        return Block(3, column, 2 + max(1, self.n_ratings), column + width - 1)

    @property
    def user_ids(self) -> Block:
        return Block(4, 2, self.n_users + 3, 2)

    @property
    def user_factors(self) -> Block:
        return Block(4, 3, self.n_users + 3, self.n_factors + 2)

    @property
    def user_labels(self) -> Block:
        return Block(3, 1, 3, self.n_factors + 2)

    @property
    def user_rows(self) -> Block:
        """Numbers of the rows, from 1."""
        return Block(4, 1, self.n_users + 3, 1)

    @property
    def movie_labels(self) -> Block:
        return Block(self.n_users + 6, 1, self.n_users + 6, self.n_factors + 2)

    @property
    def movie_titles(self) -> Block:
        return Block(self.n_users + 7, 1, self.n_users + self.n_movies + 6, 1)

    @property
    def movie_ids(self) -> Block:
        return Block(self.n_users + 7, 2, self.n_users + self.n_movies + 6, 2)

    @property
    def movie_factors(self) -> Block:
        return Block(self.n_users + 7, 3, self.n_users + self.n_movies + 6, self.n_factors + 2)

    @property
    def note(self) -> Block:
        return one_cell(1, 1)

    @property
    def remark(self) -> Block:
        """The line that counts the numbers to fit."""
        return one_cell(1, self.n_factors + 4)

    @property
    def headers(self) -> Block:
        """Names of the columns from the user id to the squared error."""
        return Block(2, self.n_factors + 4, 2, 3 * self.n_factors + 10)

    @property
    def ratings(self) -> Block:
        """User id, movie id, rating."""
        return self._down(self.n_factors + 4, 3)

    @property
    def user_index(self) -> Block:
        return self._down(self.n_factors + 7)

    @property
    def rating_user_factors(self) -> Block:
        """The user's factors, looked up for every rating."""
        return self._down(self.n_factors + 8, self.n_factors)

    @property
    def movie_index(self) -> Block:
        return self._down(2 * self.n_factors + 8)

    @property
    def rating_movie_factors(self) -> Block:
        """The movie's factors, looked up for every rating."""
        return self._down(2 * self.n_factors + 9, self.n_factors)

    @property
    def predictions(self) -> Block:
        return self._down(3 * self.n_factors + 9)

    @property
    def squared_errors(self) -> Block:
        return self._down(3 * self.n_factors + 10)

    @property
    def rmse(self) -> Block:
        return one_cell(3, 3 * self.n_factors + 12)

    @property
    def rmse_label(self) -> Block:
        return one_cell(2, 3 * self.n_factors + 12)

    @property
    def chart(self) -> Block:
        """The cells under the chart."""
        left = 3 * self.n_factors + 12
        return Block(5, left, 24, left + 8)

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
