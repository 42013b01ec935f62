"""How a table of ratings is to be read, as far as it does not say so itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cf_excel.errors import InputError
from cf_excel.ratings.column_names import REQUIRED
from cf_excel.ratings.nouns import Nouns, check_nouns

PAIR = ("user", "movie")
FORMS = ("list", "grid")
LARGEST_RATING = 1e6


@dataclass(frozen=True)
class Reading:
    """What the user says of a table of ratings, and what there is to tell of how it was read.

    columns: names, or numbers from 1 on, of the columns of "user", "movie", "rating" and "timestamp".
    rating_range: lowest and highest rating there may be. sheet, table, cells: the part of a workbook that holds them.
    form: "list", a row a rating, or "grid", users down and items across; items_down: the other way round.
    not_rated: values that mean no rating. skip_bad: leave rows out that can't be read, instead of stopping.
    encoding: of a text. date_format: such as DD.MM.YYYY. nouns: what a user and a movie are called, whatever the
    headers say. implicit: whether the rows are picks, such as orders, plays and clicks, that may have a count, and not
    ratings; None: where they look like it. wanted: the columns that a list must have; without "rating" it is one of
    picks, or of pairs to predict. notes: lines, for people, on what was found and left out.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    rating_range: tuple[float, float] | None = None
    sheet: str | None = None
    table: str | None = None
    cells: str | None = None
    form: str | None = None
    items_down: bool = False
    not_rated: tuple[str, ...] = ()
    skip_bad: bool = False
    encoding: str | None = None
    date_format: str | None = None
    nouns: Nouns | None = None
    implicit: bool | None = False
    wanted: tuple[str, ...] = REQUIRED
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Raise InputError for a range without a width and for an unknown form."""
        if self.rating_range is not None:
            try:
                low, high = map(float, self.rating_range)
            except (TypeError, ValueError):
                raise InputError(f"rating range {self.rating_range!r}: expected two numbers, such as 1 and 5") from None
            if not -LARGEST_RATING <= low < high <= LARGEST_RATING:
                raise InputError(
                    f"rating range {low:g} to {high:g}: expected the lower end first, none beyond a million"
                )
        if self.form not in (None, *FORMS):
            raise InputError(f"form {self.form!r}: expected list or grid")
        if self.items_down and self.form == "list":
            raise InputError("items down: only a grid has them, not a list")

    @classmethod
    def of(
        cls,
        columns: Mapping[str, str] | None = None,
        nouns: tuple[str, str] | None = None,
        not_rated: Sequence[str | float] = (),
        **said: Any,
    ) -> "Reading":
        """Return what is said in load_ratings' words. Raises InputError for what can't be so."""
        words = tuple(map(str, not_rated))
        return cls(columns=dict(columns or {}), nouns=check_nouns(nouns) if nouns else None, not_rated=words, **said)

    @property
    def names(self) -> dict[str, str]:
        """The columns that are named, without the timestamp where it is "none"."""
        return {kind: name for kind, name in self.columns.items() if (kind, name) != ("timestamp", "none")}

    @property
    def optional(self) -> tuple[str, ...]:
        """The columns of a list that need not be there."""
        return (
            ()
            if (self.is_of_pairs and self.implicit is False) or self.columns.get("timestamp") == "none"
            else ("timestamp",)
        )

    @property
    def is_of_pairs(self) -> bool:
        """Whether there are no ratings to read, but users and movies alone."""
        return "rating" not in self.wanted

    @property
    def may_be_picks(self) -> bool:
        """Whether the rows may be picks without a column of counts."""
        return self.implicit is not False and self.form != "grid" and not {"rating"} & set(self.names)

    @property
    def of_picks(self) -> "Reading":
        """The same, of a list without a column of ratings."""
        return replace(self, wanted=PAIR)

    @property
    def content(self) -> str:
        """What messages call the rows."""
        return "pairs" if self.is_of_pairs else "ratings"

    def note(self, text: str) -> None:
        """Keep a line for people."""
        if text not in self.notes:
            self.notes.append(text)
