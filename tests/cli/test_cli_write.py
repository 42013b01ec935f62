"""python -m cf_excel write: the sheets predict what PyTorch predicts, and every number finds its id."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import openpyxl
import pytest
import torch
from support.hosts import IronCalc
from support.models import RATED, model_of, saved, values_in
from support.owned import BIAS, DOT, EMB, MOVIES, N_FACTORS, N_RATINGS, RATINGS, USERS, course, make

from cf_excel.cli import main
from cf_excel.learn.models import EmbeddingDot, EmbeddingDotBias, EmbeddingNet
from cf_excel.model.factors import Factors
from cf_excel.model.predictor import Predictor
from cf_excel.sheets.fill.added_layout import ModelSheet


def by_torch(factors: Factors) -> np.ndarray:
    """Predict every pair of the collection with the lesson's PyTorch models in float64."""
    n_factors = factors.user_factors.shape[1]
    user, movie = (
        torch.tensor([ids.tolist().index(wanted) for wanted in all_wanted])
        for ids, all_wanted in ((factors.user_ids, USERS), (factors.movie_ids, MOVIES))
    )
    pairs = torch.cartesian_prod(user, movie)
    tensors = {name: torch.tensor(getattr(factors, name)) for name in ("user_factors", "movie_factors")}
    if factors.kind == "net":
        model = EmbeddingNet(len(factors.user_ids), len(factors.movie_ids), n_factors, factors.rating_range, nh=4)
        layers = {"lin1.weight": "w1", "lin1.bias": "b1", "lin2.weight": "w2", "lin2.bias": "b2"}
        state = {name: torch.tensor(factors.layers[layer]) for name, layer in layers.items()}
    elif factors.kind == "dot":
        model, state = EmbeddingDot(len(factors.user_ids), len(factors.movie_ids), n_factors), {}
    else:
        model = EmbeddingDotBias(len(factors.user_ids), len(factors.movie_ids), n_factors, factors.rating_range)
        state = {
            "ub.weight": torch.tensor(factors.user_bias)[:, None],
            "mb.weight": torch.tensor(factors.movie_bias)[:, None],
        }
    state |= {"u.weight": tensors["user_factors"], "m.weight": tensors["movie_factors"]}
    model.load_state_dict(state)
    model = model.double().eval()
    with torch.no_grad():
        return model(pairs, torch.empty(len(pairs), 0)).numpy().reshape(len(USERS), len(MOVIES))


@pytest.mark.libreoffice
@pytest.mark.parametrize("kind", ["dot", "dot-bias", "collab", "bayes", "net"])
def test_the_model_sheet_predicts_in_every_program(tmp_path, office, validator_errors, capsys, kind):
    factors, path = model_of(kind, n_factors=50), make(tmp_path / "w.xlsx")
    assert main(["write", str(path), "--model", saved(factors, tmp_path)]) == 0
    layout = ModelSheet("model", len(USERS), len(MOVIES), 50, "")
    recalculated, ironcalc = office.recalculate(path)["model"], IronCalc(path)
    assert recalculated["errors"] == ""
    expected = Predictor(factors).predict(np.array(USERS)[:, None], np.array(MOVIES))
    cached = openpyxl.load_workbook(path, data_only=True)["model"]
    shown = values_in(recalculated, layout.predictions)
    np.testing.assert_allclose(shown, expected, atol=1e-6)
    if kind != "bayes":  # which is none of PyTorch's
        np.testing.assert_allclose(shown, by_torch(factors), atol=1e-6)
    for (i, j), value in np.ndenumerate(shown):
        place = layout.predictions.top + i, layout.predictions.left + j
        assert ironcalc.value("model", *place) == pytest.approx(value, abs=1e-9)
        assert cached.cell(*place).value == pytest.approx(value, abs=1e-9)
    rmse = float(np.sqrt(np.mean((RATINGS - expected)[RATED] ** 2)))
    place = layout.rmse.top, layout.rmse.left
    assert ironcalc.value("model", *place) == pytest.approx(rmse, abs=1e-6)
    assert cached.cell(*place).value == pytest.approx(rmse, abs=1e-6)
    assert float(re.search(r"RMSE of the ratings ([\d.]+)", capsys.readouterr().out)[1]) == pytest.approx(
        rmse, abs=1e-6
    )
    assert values_in(recalculated, layout.user_ids)[:, 0].tolist() == USERS
    assert validator_errors(path) == []
    formulas = openpyxl.load_workbook(path)["model"]
    is_formula = isinstance(formulas[layout.predictions.first].value, str)
    assert is_formula == (kind != "net")
    assert ("values: a neural net" in formulas[layout.note.first].value) == (kind == "net")


@pytest.mark.libreoffice
@pytest.mark.parametrize("kind", ["dot-bias", "collab"])
def test_no_bias_is_too_large_for_a_formula(tmp_path, office, kind):
    factors, path = model_of(kind), make(tmp_path / "w.xlsx")
    far = np.resize(np.float32([-800, 800, -3e4]), len(factors.user_bias))
    factors = replace(factors, user_bias=far)
    assert main(["write", str(path), "--model", saved(factors, tmp_path)]) == 0
    layout = ModelSheet("model", len(USERS), len(MOVIES), N_FACTORS, "")
    recalculated, ironcalc = office.recalculate(path)["model"], IronCalc(path)
    assert recalculated["errors"] == ""
    expected = Predictor(factors).predict(np.array(USERS)[:, None], np.array(MOVIES))
    np.testing.assert_allclose(values_in(recalculated, layout.predictions), expected, atol=1e-6)
    cached = openpyxl.load_workbook(path, data_only=True)["model"]
    for (i, j), value in np.ndenumerate(expected):
        place = layout.predictions.top + i, layout.predictions.left + j
        assert ironcalc.value("model", *place) == pytest.approx(float(value), abs=1e-6)
        assert cached.cell(*place).value == pytest.approx(float(value), abs=1e-6)


@pytest.mark.libreoffice
def test_the_sheets_that_fit_get_their_factors(tmp_path, office, capsys):
    dot, bayes, path = model_of("dot"), model_of("bayes"), make(tmp_path / "w.xlsx")
    assert main(["write", str(path), "--model", saved(dot, tmp_path)]) == 0
    assert "left alone: sheet bias adds plain biases, the model is of kind dot: train --kind bayes --factors 2" in (
        capsys.readouterr().out
    )
    assert main(["write", str(path), "--model", saved(bayes, tmp_path)]) == 0
    assert "sheet dotprod shows plain products, the model is of kind bayes" in capsys.readouterr().out
    found = office.recalculate(path)
    products = Predictor(dot).predict(np.array(USERS)[:, None], np.array(MOVIES))
    np.testing.assert_allclose(values_in(found["dotprod"], DOT.predictions)[RATED], products[RATED], atol=1e-6)
    np.testing.assert_allclose(values_in(found["movielens_emb"], EMB.predictions)[:, 0], products[RATED], atol=1e-6)
    # the sheet can't cut predictions off at the range
    unclipped = Predictor(replace(bayes, rating_range=(-99.0, 99.0))).predict(
        np.array(USERS)[:, None], np.array(MOVIES)
    )
    np.testing.assert_allclose(values_in(found["bias"], BIAS.predictions)[RATED], unclipped[RATED], atol=1e-6)
    assert openpyxl.load_workbook(path).sheetnames == ["dotprod", "bias", "movielens_emb", "model"]


def test_a_model_with_other_factors_says_what_fits(tmp_path, capsys):
    path = make(tmp_path / "w.xlsx")
    assert main(["write", str(path), "--model", saved(model_of("dot", n_factors=3), tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "sheet dotprod has 2 factors, the model 3: train --kind dot --factors 2 or build --factors 3" in out


def test_ids_that_the_model_lacks_are_named_and_left_alone(tmp_path, capsys):
    factors, path = model_of("dot"), make(tmp_path / "w.xlsx")
    factors = replace(factors, user_ids=np.where(factors.user_ids == 30, 31, factors.user_ids))
    before = openpyxl.load_workbook(path)["dotprod"][DOT.user_factors.row(2).address][0]
    assert main(["write", str(path), "--model", saved(factors, tmp_path)]) == 0
    assert "note: sheet dotprod: user 30 not in the model, left alone" in capsys.readouterr().err
    after = openpyxl.load_workbook(path)["dotprod"]
    assert [c.value for c in after[DOT.user_factors.row(2).address][0]] == [c.value for c in before]
    written = [c.value for c in after[DOT.user_factors.row(0).address][0]]
    assert np.float32(written).tolist() == factors.user_factors[factors.user_ids.tolist().index(7)].tolist()
    assert max(len(str(value)) for value in written) < 14  # as few digits as name a float32


def test_a_model_of_strangers_is_refused(tmp_path, capsys):
    factors, path = model_of("dot"), make(tmp_path / "w.xlsx")
    before = path.read_bytes()
    factors = replace(factors, movie_ids=factors.movie_ids + 100_000)
    assert main(["write", str(path), "--model", saved(factors, tmp_path)]) == 2
    assert "the model knows none of the workbook's movies (such as 1)" in capsys.readouterr().err
    assert path.read_bytes() == before


@pytest.mark.libreoffice
def test_rows_and_columns_that_were_moved_get_the_right_factors(tmp_path, office):
    """LibreOffice inserts and removes rows and columns, and sorts, as a user does."""
    factors, path = model_of("dot"), make(tmp_path / "w.xlsx")
    moved = tmp_path / "moved.xlsx"
    ratings = DOT.ratings
    office.call(
        "rearrange", str(path), str(moved), [ratings.left - 2, ratings.top - 1, ratings.right - 1, ratings.bottom - 1]
    )
    assert main(["write", str(moved), "--model", saved(factors, tmp_path), "--sheet", "dotprod"]) == 0
    found = office.recalculate(moved)["dotprod"]["values"]
    flat = [[value for value in row if value != ""] for row in found]
    header = next(row for row in flat if row == [float(movie) for movie in (*MOVIES[:1], *MOVIES[2:])])
    rows = [row for row in flat if len(row) >= 3 and row[0] in USERS]
    top = next(i for i, row in enumerate(found) if [v for v in row if v != ""] == header)
    assert [row[0] for row in rows] == sorted((u for u in USERS if u != 30), reverse=True)
    predicted = 0
    for line in found[top + 1 :]:
        numbers = [v for v in line if v != ""]
        users = [v for v in numbers if v in USERS]
        if not users:
            continue
        for movie, value in zip(header, numbers[-len(header) :], strict=True):
            if value:
                expected = Predictor(factors).predict(int(users[0]), int(movie))
                if abs(value - expected) < 1e-6:
                    predicted += 1
    rated = RATED[[i for i, u in enumerate(USERS) if u != 30]][:, [0, 2, 3]]
    assert predicted == rated.sum()


@pytest.mark.libreoffice
def test_tables_that_were_moved_get_the_right_factors(tmp_path, office):
    factors, path, moved = model_of("dot"), make(tmp_path / "w.xlsx"), tmp_path / "moved.xlsx"
    gone = EMB.user_ids.top - 1 + USERS.index(30)
    office.call("rearrange_embedding", str(path), str(moved), gone)
    assert main(["write", str(moved), "--model", saved(factors, tmp_path), "--sheet", "movielens_emb"]) == 0
    found = office.recalculate(moved)["movielens_emb"]["values"]
    down, right = 3, 2
    top, left = EMB.user_ids.top - 1 + down, EMB.user_ids.left - 1 + right
    ids = [row[left] for row in found[top : top + len(USERS) - 1]]
    assert ids == [user for user in USERS if user != 30]
    for row in found[top : top + len(ids)]:
        expected = factors.user_factors[factors.user_ids.tolist().index(row[left])]
        np.testing.assert_allclose(row[left + 2 : left + 2 + N_FACTORS], expected, atol=1e-6)
    # user 30 is no longer in the table: its ratings don't count; all others are predicted
    ratings = EMB.ratings.left + right
    checked = 0
    for row in found[EMB.ratings.top - 1 + down :]:
        user, movie, shown = row[ratings], row[ratings + 1], row[EMB.predictions.left + right]
        if user in ids:
            assert shown == pytest.approx(float(Predictor(factors).predict(int(user), int(movie))), abs=1e-6)
            checked += 1
    assert checked > N_RATINGS - 6


def trained(kind: str = "dot") -> Factors:
    """Return a model that was trained on the collection's ratings."""
    factors = model_of(kind)
    users, movies = (ids.tolist() for ids in (factors.user_ids, factors.movie_ids))
    order = sorted(zip(*np.nonzero(RATED), strict=True), key=lambda pair: users.index(USERS[pair[0]]))
    counts = np.bincount([users.index(USERS[u]) for u, _ in order], minlength=len(users))
    return replace(
        factors,
        seen_offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        seen_movies=np.array([movies.index(MOVIES[m]) for _, m in order], np.int32),
        seen_ratings=np.array([RATINGS[pair] for pair in order], np.float32),
    )


def by_index(path: Path, factors: Factors, sides: tuple[str, ...]) -> Path:
    """Write a workbook like the course's, which names users or movies by index of first appearance."""
    workbook = openpyxl.load_workbook(course(path))
    emb = workbook["movielens_emb"]
    for side in sides:
        ids, model = (USERS, factors.user_ids) if side == "user" else (MOVIES, factors.movie_ids)
        indices = [model.tolist().index(identity) for identity in ids]
        table, wanted = (EMB.user_ids, 0) if side == "user" else (EMB.movie_ids, 1)
        for layout in (DOT, BIAS):
            block = layout.rating_users if side == "user" else layout.rating_movies
            cells = [one for row in workbook[layout.title][block.address] for one in row]
            for one, index in zip(cells, indices, strict=True):
                one.value = index
        # the course's MATCH wants sorted ids
        for (one,), index in zip(emb[table.address], sorted(indices), strict=True):
            one.value = index
        for (one,) in emb[EMB.ratings.column(wanted).address]:
            one.value = indices[ids.index(one.value)]
    workbook.save(path)
    return path


@pytest.mark.libreoffice
@pytest.mark.parametrize("option", [[], ["--ids", "index"]], ids=["found", "told"])
@pytest.mark.parametrize("sides", [("user", "movie"), ("movie",)], ids="-".join)
def test_the_courses_workbook_names_by_index(tmp_path, office, capsys, sides, option):
    factors = trained()
    path = by_index(tmp_path / "course.xlsx", factors, sides)
    if option and sides != ("user", "movie"):
        option = []
    assert main(["write", str(path), "--model", saved(factors, tmp_path), *option]) == 0
    printed = capsys.readouterr()
    assert "left alone: sheet bias" in printed.out
    if not option:
        named = "users and movies" if len(sides) == 2 else "movies"
        line = f"{named} are named by index of first appearance: 16 of 16 ratings agree with the model's"
        assert f"note: sheets dotprod, bias, movielens_emb: {line}\n" in printed.err
    found = office.recalculate(path)
    products = Predictor(factors).predict(np.array(USERS)[:, None], np.array(MOVIES))
    for sheet, layout in (("dotprod", DOT.predictions), ("movielens_emb", EMB.predictions)):
        shown = values_in(found[sheet], layout)
        np.testing.assert_allclose(shown[:, 0] if sheet != "dotprod" else shown[RATED], products[RATED], atol=1e-6)


def test_a_model_of_other_ratings_is_refused(tmp_path, capsys):
    factors = trained()
    other = replace(factors, seen_ratings=factors.seen_ratings + 10)
    path = make(tmp_path / "w.xlsx")
    before = path.read_bytes()
    assert main(["write", str(path), "--model", saved(other, tmp_path)]) == 2
    line = "sheet dotprod: 0 of 16 ratings agree with those that the model was trained on, by raw ids or by index"
    assert line in capsys.readouterr().err
    assert path.read_bytes() == before
    assert main(["write", str(path), "--model", saved(other, tmp_path), "--ids", "raw"]) == 0


def test_a_rating_that_somebody_changed_is_no_reason_to_refuse(tmp_path, capsys):
    factors = trained()
    factors.seen_ratings[:3] += 1
    assert main(["write", str(make(tmp_path / "w.xlsx")), "--model", saved(factors, tmp_path)]) == 0
    assert "agree" not in capsys.readouterr().err


def test_text_ids(tmp_path, make_ratings, office):
    from cf_excel.sheets.lesson.collab import build_collab

    ratings = make_ratings([(f"u{i}", f"m*{j}", (i + j) % 5 + 1) for i in range(3) for j in range(3)])
    path = tmp_path / "t.xlsx"
    build_collab(ratings, path, n_users=3, n_movies=3, n_factors=2)
    base = model_of("dot")
    ids = np.array(["u2", "u1", "u0", "x", "y", "z"], object), np.array(["m*1", "m*2", "m*0", "p", "q"], object)
    factors = replace(base, user_ids=ids[0], movie_ids=ids[1])
    assert main(["write", str(path), "--model", saved(factors, tmp_path)]) == 0
    found = office.recalculate(path)
    model = ModelSheet("model", 3, 3, 2, "dot")
    users, movies = ["u0", "u1", "u2"], ["m*0", "m*1", "m*2"]
    expected = Predictor(factors).predict(np.array(users, object)[:, None], np.array(movies, object))
    np.testing.assert_allclose(values_in(found["model"], model.predictions), expected, atol=1e-6)
    assert not any(sheet["errors"] for sheet in found.values())
    assert main(["solve", str(path)]) == 0
    assert not any(sheet["errors"] for sheet in office.recalculate(path).values())


def test_large_sheets_that_do_not_fit_are_not_read(tmp_path, capsys, monkeypatch):
    model = saved(model_of("collab"), tmp_path)
    said = []
    for limit in (2**21, 0):
        monkeypatch.setattr("cf_excel.sheets.fill.matching._LARGE", limit)
        path = make(tmp_path / f"{limit}.xlsx")
        assert main(["write", str(path), "--model", model]) == 0
        said.append(sorted(capsys.readouterr().out.replace(path.name, "x.xlsx").splitlines()))
    assert said[0] == said[1]
    small, large = (openpyxl.load_workbook(tmp_path / f"{limit}.xlsx")["model"].values for limit in (2**21, 0))
    assert list(small) == list(large)


def test_a_dry_run_lists_cells_and_writes_nothing(tmp_path, capsys):
    path = make(tmp_path / "w.xlsx")
    before = path.read_bytes()
    assert main(["write", str(path), "--model", saved(model_of("dot"), tmp_path), "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert path.read_bytes() == before
    n_cells = (len(USERS) + len(MOVIES)) * N_FACTORS
    assert sum(line.startswith("movielens_emb!") for line in out.splitlines()) == n_cells
    assert out.endswith("dry run: nothing was written\n")


def test_a_missing_model_is_named(tmp_path, capsys):
    path = make(tmp_path / "w.xlsx")
    assert main(["write", str(path), "--model", str(tmp_path / "nowhere")]) == 2
    assert "there is no model at" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["bayes", "dot", "dot-bias"])
def test_solve_leaves_the_sheet_of_a_trained_model_alone(tmp_path, capsys, kind):
    """Its formulas predict as the lesson's do, but its numbers are the model's."""
    path = make(tmp_path / "w.xlsx")
    assert main(["write", str(path), "--model", saved(model_of(kind), tmp_path)]) == 0
    before = [[one.value for one in row] for row in openpyxl.load_workbook(path)["model"]]
    capsys.readouterr()
    assert main(["solve", str(path)]) == 0
    printed = capsys.readouterr()
    assert "model" not in printed.out + printed.err
    assert [[one.value for one in row] for row in openpyxl.load_workbook(path)["model"]] == before
