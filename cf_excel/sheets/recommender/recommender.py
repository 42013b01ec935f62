"""What a recommender's workbook holds."""

from dataclasses import dataclass

from cf_excel.model.factors import Factors
from cf_excel.sheets.recommender.calc_results import RecommenderResults
from cf_excel.sheets.recommender.names import RecommenderBook


@dataclass(frozen=True, eq=False)
class Recommender:
    """A model as its workbook holds it; ids and titles as cells show them."""

    factors: Factors
    user_ids: list[int | str]
    movie_ids: list[int | str]
    book: RecommenderBook
    results: RecommenderResults

    def __repr__(self) -> str:
        return f"<Recommender: {self.factors.summary}>"

    @property
    def titles(self) -> list[str]:
        return self.results.titles

    @property
    def user_id(self) -> int | str:
        """The picked user's id, as its cell shows it."""
        return self.user_ids[self.results.picks.user]

    @property
    def movie_title(self) -> str:
        """The picked movie's title."""
        return self.titles[self.results.picks.movie]

    @property
    def text_movies(self) -> bool:
        """Whether the ids of movies are texts; a sheet's ids are all texts or all numbers."""
        return isinstance(self.movie_ids[0], str)
