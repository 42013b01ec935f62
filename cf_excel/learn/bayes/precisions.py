"""How strict the priors of the model are."""

from dataclasses import dataclass

from cf_excel.learn.bayes.features import Precision


@dataclass(frozen=True)
class Precisions:
    """Precisions on the usual scale, (factors, bias), and alpha, the least precision of a rating.

    user, movie: of a row's offset from what its features predict. rated: of the weights of the movies that a user
    rated; raters: of those of the users who rated a movie. content: how many times its own precision that of every
    block of features is.
    """

    alpha: float
    user: Precision
    movie: Precision
    rated: Precision
    raters: Precision
    content: Precision = (1.0, 1.0)

    def scaled(
        self, factors: float = 1.0, biases: float = 1.0, sets: float = 1.0, content: float = 1.0, alpha: float = 1.0
    ) -> "Precisions":
        """Return these with precisions multiplied; sets are those of rated and raters."""

        def times(pair: Precision, both: float = 1.0) -> Precision:
            return pair[0] * factors * both, pair[1] * biases * both

        return Precisions(
            self.alpha * alpha,
            times(self.user),
            times(self.movie),
            times(self.rated, sets),
            times(self.raters, sets),
            times(self.content, content),
        )


WITH_CONTENT = Precisions(1.25, (15.0, 1.0), (20.0, 8.0), (3.0, 10.0), (60.0, 1e5))
RATINGS_ALONE = Precisions(1.32, (68.8, 2.11), (11.8, 8.07), (5.68, 6.12), (27.6, 1e4))
