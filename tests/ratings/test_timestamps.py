"""Times: seconds, ISO dates, Excel's serial numbers, dates as people write them."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.ratings_files import table_of

from cf_excel.errors import InputError
from cf_excel.ratings.readers import load_ratings
from cf_excel.ratings.timestamps import day_comes_first

DAY = pd.Timestamp("2026-01-31").timestamp()


def times_of(tmp_path, *dates, **options):
    path = tmp_path / "ratings.csv"
    path.write_text("user;movie;rating;date\n" + "".join(f"u{i};m;3;{date}\n" for i, date in enumerate(dates)))
    return [row[3] for row in table_of(load_ratings(path, **options))]


@pytest.mark.parametrize(
    "date",
    [
        *("31.01.2026", "31.1.26", "31/01/2026", "01/31/2026", "1-31-2026", "2026-01-31", "2026-01-31T00:00:00Z"),
        *("31.01.2026 00:00", "1/31/2026 12:00 AM", "31.01.2026, 00:00:00.000"),
    ],
)
def test_one_day(tmp_path, date):
    assert times_of(tmp_path, date) == [DAY]


def test_times_of_the_day(tmp_path):
    assert times_of(tmp_path, "31.01.2026 17:05:09", "1/31/2026") == [DAY + 61509, DAY]
    assert times_of(tmp_path, "1/31/2026 5:05 PM", "1/31/2026 12:30 pm") == [DAY + 61500, DAY + 45000]


def test_one_clear_date_tells_the_order_of_all(tmp_path):
    february = pd.Timestamp("2026-02-01").timestamp()
    assert times_of(tmp_path, "31/01/2026", "01/02/2026") == [DAY, february]
    assert times_of(tmp_path, "01/31/2026", "02/01/2026") == [DAY, february]


def test_what_is_ambiguous_is_asked(tmp_path):
    with pytest.raises(
        InputError, match=r"line 2: timestamp '01/02/2026': day or month first\? pass --date-format DD/"
    ):
        times_of(tmp_path, "01/02/2026")
    first = times_of(tmp_path, "01/02/2026", date_format="DD/MM/YYYY")
    assert first == [pd.Timestamp("2026-02-01").timestamp()]
    assert times_of(tmp_path, "01/02/2026", date_format="%m/%d/%Y") == [pd.Timestamp("2026-01-02").timestamp()]
    assert times_of(tmp_path, "01.02.2026") == first
    with pytest.raises(InputError, match=r"timestamp '31/31/2026': expected whole seconds"):
        times_of(tmp_path, "31/31/2026", date_format="DD/MM/YYYY")
    with pytest.raises(InputError, match=r"--date-format 'soon': expected DD.MM.YYYY, MM/DD/YYYY or YYYY-MM-DD"):
        times_of(tmp_path, "01/02/2026", date_format="soon")


@given(st.dates(pd.Timestamp("1970-01-01").date(), pd.Timestamp("2069-12-31").date()), st.sampled_from("./-"))
def test_every_date_comes_back(tmp_path_factory, date, sign):
    written = date.strftime(f"%d{sign}%m{sign}%Y"), date.strftime(f"%m{sign}%d{sign}%y")
    folder = tmp_path_factory.mktemp("dates")
    seconds = [pd.Timestamp(date).timestamp()]
    assert times_of(folder, written[0], date_format="DD/MM/YYYY") == seconds
    assert times_of(folder, written[1], date_format="MM/DD/YYYY") == seconds


def test_orders():
    forms = ["DD.MM.YYYY", "d/m/yy", "%d-%m-%Y", "MM/DD/YYYY", "M/D/YY", "YYYY-MM-DD", None]
    assert [day_comes_first(form) for form in forms] == [True, True, True, False, False, None, None]
