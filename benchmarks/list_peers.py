"""Compare lists with those of tuned peers: python -m benchmarks.list_peers [WHEEL].

Tables of picks: MovieLens without its stars, the lesson's split, and three drawn tables of 600 users and 150 items,
five folds each. With WHEEL as in benchmarks.ml100k, the ratings of ml-100k, too, five folds. Each peer's settings are
chosen by the NDCG of lists on a fifth of the training picks or ratings, those of our models by their own fit. Set
OMP_NUM_THREADS=1 for one core. Writes benchmarks/results/list_peers.md.
"""

import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import numpy as np

from benchmarks.__main__ import RESULTS
from benchmarks.ml100k import read_wheel
from benchmarks.synthetic import planted_picks
from cf_excel.evaluate.list_results import ListResult
from cf_excel.evaluate.run import Result, evaluate
from cf_excel.evaluate.splits import Fold
from cf_excel.evaluate.systems import NO_ROWS, Scorer, System, Tables, baselines, grid, make_systems, peers
from cf_excel.learn.pick_fit import fit_picks
from cf_excel.metrics import Ranking
from cf_excel.ratings.readers import load_ratings
from cf_excel.ratings.table import Ratings

DRAWS = range(3)
NAMES = ("EASE", "SLIM", "item kNN", "user kNN", "implicit ALS", "implicit BPR")
MOST_TRIED = 8
_ALL_ALIKE: dict[str, list[dict]] = {  # of picks none is better than another
    "EASE": [{"l2": l2} for l2 in (25, 50, 100, 200, 400, 800)],
    "SLIM": [{"l1": l1, "l2": l2} for l1, l2 in ((3, 50), (2, 100), (1, 20), (5, 100))],
    **{name: [{"k": k} for k in (10, 20, 50, 100, 200)] for name in ("item kNN", "user kNN")},
    "implicit ALS": [
        {"factors": k, "regularization": decay, "alpha": alpha}
        for (k, decay), alpha in product(((8, 10.0), (16, 10.0), (24, 30.0), (64, 30.0)), (1.0, 5.0))
    ],
}


def ours() -> System:
    """Return our model of picks."""

    def fit(fold: Fold, settings: dict, seed: int) -> Scorer:
        factors = fit_picks(fold.train, NO_ROWS, seed=seed).factors
        scores = lambda users: factors.user_factors[users] @ factors.movie_factors.T + factors.movie_bias  # noqa: E731
        return Scorer(None, orders=lambda: {"own": scores})

    return System("picks", fit, rates=False)


def tables(wheel: str | None) -> Iterator[tuple[str, str, list[Ratings], System]]:
    """Return a name, a split, tables whose results are averaged, and our model of them."""
    stars = load_ratings()
    picks = replace(stars, rating=np.ones_like(stars.rating), declared_range=None, implicit=True)
    yield "MovieLens without its stars, lesson's split", "lesson", [picks], ours()
    drawn = [planted_picks(600, 150, seed) for seed in DRAWS]
    yield "planted picks, 600 x 150, 5 folds of 3 draws", "kfold", drawn, ours()
    if wheel:
        (bayes,) = make_systems(["bayes"], Tables())
        yield "ml-100k, 5 folds", "kfold", [read_wheel(wheel)[0]], replace(bayes, candidates=grid({}))


def others(ratings: Ratings) -> list[System]:
    """Return the peers that rank, each with the settings to try."""
    found = [system for system in peers(ratings)[0] if system.name in NAMES]
    if ratings.implicit:
        found = [
            replace(system, candidates=grid(*({"below": 1.0} | one for one in _ALL_ALIKE[system.name])))
            if system.name in _ALL_ALIKE
            else system
            for system in found
        ]
    return [*found, *(system for system in baselines(has_times=ratings.timestamp is not None) if not system.rates)]


def main(wheel: str | None = None) -> None:
    """Print and write a table for each."""
    texts = []
    for name, split, several, own in tables(wheel):
        boards = [
            evaluate(ratings, split, [own, *others(ratings)], n_trials=MOST_TRIED, tell=_tell) for ratings in several
        ]
        texts.append(board(name, [list(same) for same in zip(*boards, strict=True)]))
        print(texts[-1], flush=True)
        (RESULTS / "list_peers.md").write_text("\n".join(texts), encoding="utf-8")


def _tell(result: Result) -> None:
    found = [(lists.by, round(_found(lists).ndcg, 4)) for lists in result.lists]
    print(result.system, found, result.settings, flush=True)


def board(name: str, results: list[list[Result]]) -> str:
    """Return a table as Markdown; results: for each system one of each table."""
    lines = [name, "", "| | NDCG@10 | of ours | above ours, 95% | hit | coverage |", f"|---|{'---:|' * 5}"]
    first = 0.0
    for same in results:
        for lists in zip(*(result.lists for result in same), strict=True):
            ndcg, hit = (float(np.mean([getattr(_found(one), what) for one in lists])) for what in ("ndcg", "hit"))
            first = first or ndcg
            above = lists[0].more_than_first if len(lists) == 1 else None
            system = same[0].system + ("" if lists[0].by == "own" else f", {lists[0].by}")
            interval = "" if above is None else f"{above[1]:+.3f} to {above[2]:+.3f}"
            coverage = np.mean([one.coverage for one in lists])
            cells = (f"{ndcg:.4f}"[1:], f"{ndcg / first:.1%}", interval, f"{hit:.3f}"[1:], f"{coverage:.1%}")
            lines.append(f"| {system} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _found(lists: ListResult) -> Ranking:
    return lists.liked or lists.rated


if __name__ == "__main__":
    main(*sys.argv[1:2])
