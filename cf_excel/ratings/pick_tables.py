"""Tell tables of picks, such as orders, plays, clicks and likes, from tables of ratings."""

from dataclasses import replace

import numpy as np

from cf_excel.errors import InputError
from cf_excel.ratings.column_names import are_counts_by_name, columns_beside, find_columns, is_usual, may_be_rating
from cf_excel.ratings.columns import TextTable
from cf_excel.ratings.rating_rows import RatingsTable, ReadRows
from cf_excel.ratings.rating_texts import as_number
from cf_excel.ratings.reading import Reading

_LOOKED_AT = 200  # rows
_LEAST = 10  # equal ratings of fewer tell nothing
_SCALES_END = 10  # a scale that goes further is one of percents, whose middle is far above a tenth of its end
_TAIL = 10


def pick_columns(table: RatingsTable, how: Reading) -> dict[str, int] | None:
    """Return the columns of a list of picks that has no column of ratings or counts; None where it is none.

    Unless the user says that it is one, there must be a header, and no column of numbers that may be ratings.
    """
    if not how.may_be_picks:
        return None
    try:
        column = find_columns(table, how.of_picks.wanted, how.of_picks.optional, how.names)
    except InputError:
        return None
    if how.implicit:
        return column
    if not table.has_header:
        return None
    taken = set(column.values())
    others = [i for i, name in enumerate(table.first_record) if i not in taken and is_usual(name, "movie")]
    if others and all(_numbers(table, [column["movie"], *others])):
        return None  # a grid whose items are called Book, Film, Game
    taken |= set(columns_beside(table.first_record, taken).values())
    free = [i for i, name in enumerate(table.first_record) if name and i not in taken and may_be_rating(name)]
    return None if any(_numbers(table, free)) else column


def _numbers(table: RatingsTable, columns: list[int]) -> list[bool]:
    """Return of each column whether all that is in its first rows are numbers."""
    if not columns:
        return []
    wanted = {str(i): i for i in columns}
    head = lambda table: next(iter(table.chunks(wanted)), None)  # noqa: E731
    chunk = table.read_with(head) if isinstance(table, TextTable) else head(table)
    if chunk is None:
        return []
    filled = [[text for text in chunk[name][:_LOOKED_AT] if text.strip()] for name in wanted]
    return [bool(texts) and all(as_number(text, table.decimal_comma) is not None for text in texts) for texts in filled]


def why_picks(ratings: np.ndarray, header: str) -> str:
    """Return why ratings (n,), under a header, are picks or counts of these, in a few words; "" where they are none."""
    least, most = float(ratings.min()), float(ratings.max())
    if least == most:
        return f"every rating is {least:g}" if least > 0 and len(ratings) >= _LEAST else ""
    if not (ratings == np.trunc(ratings)).all():
        return ""
    if are_counts_by_name(header):
        return f"{header} holds counts"
    has_tail = least >= 0 and most > _SCALES_END and most >= _TAIL * float(np.median(ratings))
    return f"they are whole numbers, most of them small and the highest {most:,.0f}" if has_tail else ""


def as_picks(table: RatingsTable, column: dict[str, int], rows: ReadRows, how: Reading) -> Reading:
    """Return how the rows are to be put together, with a note where they are picks that nobody called so."""
    if how.implicit is not None:
        return how
    header = table.first_record[column["rating"]] if table.has_header and "rating" in column else ""
    why = "there is no column of ratings"
    if "rating" in column:
        why = "" if how.rating_range else why_picks(np.concatenate(rows.columns["rating"]), header)
    if why:
        how.note(f"{table.name} read as picks, not as ratings: {why} (--explicit: as ratings)")
    return replace(how, implicit=bool(why))
