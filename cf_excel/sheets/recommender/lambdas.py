"""The named layer for Excel 365: LAMBDA functions as defined names, in the syntax of files.

A file spells newer functions with _xlfn. (FILTER and SORT with _xlfn._xlws.), what LET and LAMBDA bind with _xlpm., and
declares a parameter that may be left out with _xlop.; a name that lacks its prefix stays #NAME? for good.
"""

import re

from cf_excel.model.lists import CAUTION
from cf_excel.sheets.recommender.calc_formulas import OUT, list_score, scaled, slope, uncut
from cf_excel.sheets.recommender.names import RecommenderBook

_NEWER = {
    **dict.fromkeys(("DROP", "HSTACK", "ISOMITTED", "LAMBDA", "LET", "MAKEARRAY", "MAP"), "_xlfn."),
    **dict.fromkeys(("SEQUENCE", "SORTBY", "TAKE", "TOCOL", "XMATCH"), "_xlfn."),
    "FILTER": "_xlfn._xlws.",
}
_TOKEN = re.compile(r'"[^"]*"|\[(?P<optional>\w+)\]|(?P<word>[A-Za-z_][\w.]*)(?P<call>\(?)')


def in_file_syntax(formula: str, names: set[str]) -> str:
    """Return a formula as a file spells it; names are the workbook's own, every other one is bound by the formula."""

    def spelled(token: re.Match) -> str:
        word, call = token["word"], token["call"]
        if token["optional"]:
            return f"_xlop.{token['optional']}"
        if not word or word in names or word in ("TRUE", "FALSE"):
            return token[0]
        if call:
            return f"{_NEWER.get(word, '')}{word}("
        return f"_xlpm.{word}"

    return _TOKEN.sub(spelled, formula)


def lambda_names(book: RecommenderBook, kind: str, *, text_movies: bool) -> dict[str, str]:
    """Return the texts of the functions by name, as a file holds them; text_movies: ids of movies are texts."""
    user, movie = _place_of("user", "user_ids", book.n_users), _movie_row(book.n_movies, text_ids=text_movies)
    texts = {
        "CF.PREDICT": _predict(kind, user, movie),
        "CF.RECOMMEND": _recommend(book, kind, user),
        "CF.SIMILAR": _similar(movie),
        "CF.RATE": _rate(book, kind, movie),
    }
    return {name: in_file_syntax("".join(text.split()), set(book.names)) for name, text in texts.items()}


def _place_of(wanted: str, table: str, n: int) -> str:
    """Return the formula of the place of a text among n, whose case counts; EXACT compares numbers as texts."""
    found = f"EXACT({wanted},{table})"
    return f"XMATCH(TRUE,{found})" if n > 1 else f"IF({found},1,NA())"  # one truth value is no array to search


def _movie_row(n: int, *, text_ids: bool) -> str:
    """Return the formula of a movie's row, with {0} for its id or title.

    A title is found in any case, and without the apostrophe in front, which a cell takes for a mark of a text.
    """
    by_id = _place_of("{0}", "movie_ids", n)
    in_any_case = 'IFERROR(XMATCH({0},movie_titles),XMATCH("\'"&{0},movie_titles))'
    by_title = f"IFERROR({_place_of('{0}', 'movie_titles', n)},{in_any_case})"
    if text_ids:
        return f"IFERROR({by_id},{by_title})"
    return f"IFERROR(XMATCH({{0}},movie_ids),IFERROR({by_title},{by_id}))"  # a text is a title first: "1984"


def _predict(kind: str, user: str, movie: str) -> str:
    return f"""LAMBDA(user,movie,LET(
        who,{user},
        what,{movie.format("movie")},
        x,global_mean+INDEX(user_bias,who)+INDEX(movie_bias,what)
            +SUMPRODUCT(INDEX(user_factors,who,0),INDEX(movie_factors,what,0)),
        {scaled(kind, "x")}))"""


def _recommend(book: RecommenderBook, kind: str, user: str) -> str:
    seen, out = "", "0"
    if book.ratings:
        mine = "FILTER(rated_movies,rated_users=who,ROWS(movie_bias)+1)"
        seen = ",[seen]"
        out = f"IF(IF(ISOMITTED(seen),FALSE,seen),0,DROP(FREQUENCY({mine},number),-1))"
    return f"""LAMBDA(user,n{seen},LET(
        who,{user},
        number,SEQUENCE(ROWS(movie_bias)),
        x,global_mean+movie_bias+INDEX(user_bias,who)
            +MMULT(movie_factors,TRANSPOSE(INDEX(user_factors,who,0))),
        out,{out},
        {_ranked(book, "TRANSPOSE(INDEX(user_given,who,0))", "INDEX(user_ratings,who)")}
        {_best(scaled(kind, "x"), "score" if book.lists else "x")}))"""


def _similar(movie: str) -> str:
    return f"""LAMBDA(movie,n,[least],LET(
        what,{movie.format("movie")},
        number,SEQUENCE(ROWS(movie_bias)),
        x,MMULT(movie_factors,TRANSPOSE(INDEX(movie_factors,what,0)))
            /movie_lengths/INDEX(movie_lengths,what),
        out,(number=what)+(movie_ratings<IF(ISOMITTED(least),0,least)),
        {_best("x", "x")}))"""


def _rate(book: RecommenderBook, kind: str, movie: str) -> str:
    found, best = movie.format("film"), _best(scaled(kind, "x"), "score" if book.lists else "x")
    return f"""LAMBDA(movies,ratings,n,LET(
        films,TOCOL(IF(movies="","",movies)),
        given,TOCOL(IF(ratings="","",ratings)),
        place,SEQUENCE(ROWS(films)),
        found,MAP(films,LAMBDA(film,IF(film="",0,{found}))),
        what,MAP(place,LAMBDA(i,IF(INDEX(given,i)="",0,IF(
            SUMPRODUCT((found=INDEX(found,i))*(place>i)*(given<>""))>0,0,INDEX(found,i))))),
        wrong,SUMPRODUCT((what>0)*((given<lowest_rating)+(given>highest_rating))),
        q,MAKEARRAY(ROWS(films),COLUMNS(movie_factors)+1,LAMBDA(i,j,IF(INDEX(what,i)=0,0,IF(
            j>COLUMNS(movie_factors),1,INDEX(movie_factors,INDEX(what,i),j))))),
        shift,MAP(what,LAMBDA(i,IF(i=0,0,INDEX(movie_bias,i)))),
        start,global_mean+shift+MMULT(q,prior_mean),
        steep,{slope(kind, "start")},
        error,IF(what=0,0,given-({uncut(kind, "start")})),
        spread,MMULT(q,prior_covariance),
        one,MAKEARRAY(ROWS(q),ROWS(q),LAMBDA(i,j,IF(i=j,1,0))),
        system,steep*TRANSPOSE(steep)*MMULT(spread,TRANSPOSE(q))+rating_noise*one,
        you,prior_mean+MMULT(TRANSPOSE(spread),steep*MMULT(MINVERSE(system),error)),
        number,SEQUENCE(ROWS(movie_bias)),
        x,global_mean+movie_bias+INDEX(you,ROWS(you))+MMULT(movie_factors,DROP(you,-1)),
        out,DROP(FREQUENCY(IF(what=0,ROWS(movie_bias)+1,what),number),-1),
        {_ranked(book, f"MMULT(TRANSPOSE(movie_given),out)/(SUM(out)+{CAUTION:g})", "SUM(out)")}
        IF(SUM(what)=0,NA(),IF(wrong>0,NA(),{best}))))"""


def _ranked(book: RecommenderBook, given: str, rated: str) -> str:
    """Return what binds score to that of list factors, for sums x; given: a user's numbers, rated: how many movies."""
    if not book.lists:
        return ""
    popular = f"{CAUTION:g}/({rated}+{CAUTION:g})*movie_popularity"
    return f"""near,MMULT(movie_asked,{given}),
        score,{list_score(book, "x", "near", popular)},"""


def _best(shown: str, score: str) -> str:
    """Return the formula of titles and shown of the n movies of greatest score that are not out, ties in order."""
    competing = "SUMPRODUCT((number>0)*(out=0))"
    return f"TAKE(SORTBY(HSTACK(movie_titles,{shown}),{score}+IF(out>0,{OUT:.0f},0),-1,number,1),MIN(n,{competing}))"
