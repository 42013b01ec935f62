"""What train leaves out of the model file: users that nobody will ask for, and who rated what."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cf_excel.errors import FileError, InputError

if TYPE_CHECKING:
    import numpy as np

    from cf_excel.model.factors import Factors
    from cf_excel.ratings.table import Ratings


def add_keep_options(parser: argparse.ArgumentParser) -> None:
    """Add --keep-users and --no-seen."""
    group = parser.add_argument_group("a smaller model file")
    group.add_argument(
        "--keep-users", type=Path, metavar="FILE", help="keep these users alone, an id in each line (default: all)"
    )
    group.add_argument(
        "--no-seen",
        action="store_true",
        help="leave out who rated what, which recommend needs, and predict, similar and rate don't",
    )


def find_kept(args: argparse.Namespace, ratings: "Ratings") -> "np.ndarray | None":
    """Return the rows of the users that --keep-users names, in the table's order; None for all.

    Raises FileError where the file can't be read and InputError for an id that has no ratings, and for none at all.
    """
    if args.keep_users is None:
        return None
    import numpy as np

    from cf_excel.files import check_source
    from cf_excel.model.lookup import IdIndex
    from cf_excel.ratings.table import canonical_id

    path = args.keep_users
    check_source(path)
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "expected UTF-8, an id in each line"
        raise FileError(f"{path} can't be read: {reason}") from None
    ids = [(number, canonical_id(line)) for number, line in enumerate(lines, 1) if line.strip()]
    if not ids:
        raise InputError(f"{path} names no {ratings.nouns.user}: expected an id in each line")
    rows = IdIndex(ratings.nouns.user, ratings.user_ids, any_case=False).rows(np.array([one for _, one in ids], object))
    if rows.min() < 0:
        number, unknown = ids[int(np.argmin(rows >= 0))]
        raise InputError(
            f"{path} line {number}: {ratings.nouns.user} {unknown!r:.60} has no ratings in {ratings.source}"
        )
    return np.unique(rows)


def kept_alone(args: argparse.Namespace, factors: "Factors", rows: "np.ndarray | None") -> "Factors":
    """Return the model as the options want it in the file."""
    from cf_excel.model.shrink import only_users, without_seen

    small = factors if rows is None else only_users(factors, rows)
    return without_seen(small) if args.no_seen else small
