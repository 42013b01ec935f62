"""The lesson's own lines, as its notebook prints them, with its two fastai imports replaced."""

import math
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from cf_excel import lesson
from cf_excel.errors import FileError, InputError
from cf_excel.lesson import CollabFilterDataset, T, get_cv_idxs, lesson_data, optim, set_lrs, to_np
from cf_excel.ratings.validation import lesson_split

LINES = """
from cf_excel.lesson import *

ratings = pd.read_csv(path+'ratings.csv')
movies = pd.read_csv(path+'movies.csv')

val_idxs = get_cv_idxs(len(ratings))
wd=2e-4
n_factors = 50

cf = CollabFilterDataset.from_csv(path, 'ratings.csv', 'userId', 'movieId', 'rating')
learn = cf.get_learner(n_factors, val_idxs, 64, opt_fn=optim.Adam)
learn.fit(1e-2, 2, wds=wd, cycle_len=1, cycle_mult=2)
math.sqrt(0.776)
preds = learn.predict()
y=learn.data.val_y
joint = sns.jointplot(preds, y, kind='hex', stat_func=None);

movie_names = movies.set_index('movieId')['title'].to_dict()
g=ratings.groupby('movieId')['rating'].count()
topMovies=g.sort_values(ascending=False).index.values[:3000]
topMovieIdx = np.array([cf.item2idx[o] for o in topMovies])
m=learn.model; m.cuda()
movie_bias = to_np(m.ib(V(topMovieIdx)))
movie_ratings = [(b[0], movie_names[i]) for i,b in zip(topMovies,movie_bias)]
sorted(movie_ratings, key=lambda o: o[0])[:15]
sorted(movie_ratings, key=itemgetter(0))[:15]
sorted(movie_ratings, key=lambda o: o[0], reverse=True)[:15]
movie_emb = to_np(m.i(V(topMovieIdx)))

fac0, fac1 = np.linalg.svd(movie_emb.T - movie_emb.T.mean(0))[2][:2]  # the lesson takes scikit-learn's PCA
idxs = list(range(50))
X = fac0[idxs]
Y = fac1[idxs]
figure = plt.figure(figsize=(15,15))
plt.scatter(X, Y)
for i, x, y in zip(topMovies[idxs], X, Y):
    plt.text(x,y,movie_names[i], color=np.random.rand(3)*0.7, fontsize=11)
plt.close('all')

a = T([[1.,2],[3,4]])
b = T([[2.,2],[10,10]])

class DotProduct(nn.Module):
    def forward(self, u, m): return (u*m).sum(1)

model=DotProduct()
dots = model(a,b)

u_uniq = ratings.userId.unique()
user2idx = {o:i for i,o in enumerate(u_uniq)}
ratings.userId = ratings.userId.apply(lambda x: user2idx[x])
m_uniq = ratings.movieId.unique()
movie2idx = {o:i for i,o in enumerate(m_uniq)}
ratings.movieId = ratings.movieId.apply(lambda x: movie2idx[x])
n_users=int(ratings.userId.nunique())
n_movies=int(ratings.movieId.nunique())

class EmbeddingDot(nn.Module):
    def __init__(self, n_users, n_movies):
        super().__init__()
        self.u = nn.Embedding(n_users, n_factors)
        self.m = nn.Embedding(n_movies, n_factors)
        self.u.weight.data.uniform_(0,0.05)
        self.m.weight.data.uniform_(0,0.05)

    def forward(self, cats, conts):
        users,movies = cats[:,0],cats[:,1]
        u,m = self.u(users),self.m(movies)
        return (u*m).sum(1)

x = ratings.drop(['rating', 'timestamp'],axis=1)
y = ratings['rating'].astype(np.float32)
data = ColumnarModelData.from_data_frame(path, val_idxs, x, y, ['userId', 'movieId'], 64)

wd=1e-5
model = EmbeddingDot(n_users, n_movies).cuda()
opt = optim.SGD(model.parameters(), 1e-1, weight_decay=wd, momentum=0.9)
fit(model, data, 3, opt, F.mse_loss)
set_lrs(opt, 0.01)
dot = fit(model, data, 3, opt, F.mse_loss)

min_rating,max_rating = ratings.rating.min(),ratings.rating.max()

def get_emb(ni,nf):
    e = nn.Embedding(ni, nf)
    e.weight.data.uniform_(-0.01,0.01)
    return e

class EmbeddingDotBias(nn.Module):
    def __init__(self, n_users, n_movies):
        super().__init__()
        (self.u, self.m, self.ub, self.mb) = [get_emb(*o) for o in [
            (n_users, n_factors), (n_movies, n_factors), (n_users,1), (n_movies,1)
        ]]

    def forward(self, cats, conts):
        users,movies = cats[:,0],cats[:,1]
        um = (self.u(users)* self.m(movies)).sum(1)
        res = um + self.ub(users).squeeze() + self.mb(movies).squeeze()
        res = F.sigmoid(res) * (max_rating-min_rating) + min_rating
        return res

wd=2e-4
model = EmbeddingDotBias(cf.n_users, cf.n_items).cuda()
opt = optim.SGD(model.parameters(), 1e-1, weight_decay=wd, momentum=0.9)
fit(model, data, 3, opt, F.mse_loss)
set_lrs(opt, 1e-2)
bias = fit(model, data, 3, opt, F.mse_loss)

class EmbeddingNet(nn.Module):
    def __init__(self, n_users, n_movies, nh=10, p1=0.05, p2=0.5):
        super().__init__()
        (self.u, self.m) = [get_emb(*o) for o in [
            (n_users, n_factors), (n_movies, n_factors)]]
        self.lin1 = nn.Linear(n_factors*2, nh)
        self.lin2 = nn.Linear(nh, 1)
        self.drop1 = nn.Dropout(p1)
        self.drop2 = nn.Dropout(p2)

    def forward(self, cats, conts):
        users,movies = cats[:,0],cats[:,1]
        x = self.drop1(torch.cat([self.u(users),self.m(movies)], dim=1))
        x = self.drop2(F.relu(self.lin1(x)))
        return F.sigmoid(self.lin2(x)) * (max_rating-min_rating+1) + min_rating-0.5

wd=1e-5
model = EmbeddingNet(n_users, n_movies).cuda()
opt = optim.Adam(model.parameters(), 1e-3, weight_decay=wd)
fit(model, data, 3, opt, F.mse_loss)
set_lrs(opt, 1e-3)
net = fit(model, data, 3, opt, F.mse_loss)
"""


def run_lines(path: str) -> dict:
    """Run the lesson; .cuda() is the user's, who leaves it out where there is no CUDA."""
    lines = LINES if torch.cuda.is_available() else LINES.replace(".cuda()", "")
    names = {"path": path, "__name__": "lesson5"}
    exec(compile(lines, "lesson5", "exec"), names)
    return names


def test_the_lessons_lines_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On its first 6,000 ratings: what the models reach on all of them is tested with the models."""
    monkeypatch.setenv("MPLBACKEND", "agg")
    path = lesson_data(f"{tmp_path}/part/")
    pd.read_csv(path + "ratings.csv")[:6000].to_csv(path + "ratings.csv", index=False)
    torch.manual_seed(0)
    names = run_lines(path)
    assert names["dots"].tolist() == [6, 70]
    table = pd.read_csv(path + "ratings.csv")
    truth = table["rating"].to_numpy(np.float32)
    val_rows = np.sort(lesson_split(len(truth)))
    variance = truth[val_rows].var()
    assert np.square(names["preds"] - truth[val_rows]).mean() < variance
    n_movies = min(3000, table["movieId"].nunique())
    assert [len(names[name]) for name in ("preds", "movie_bias", "movie_emb")] == [1200, n_movies, n_movies]
    assert all(len(names[name]) == 1 and math.isfinite(names[name][0]) for name in ("dot", "bias", "net"))
    assert names["bias"][0] < variance
    assert names["joint"].axes[0].collections[0].get_array().sum() == 1200
    assert len(names["figure"].axes[0].texts) == 50
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "epoch      trn_loss   val_loss"
    assert sum(line.startswith("epoch") for line in printed) == 7
    assert [line.split()[0] for line in printed[1:4]] == ["0", "1", "2"]
    assert len(printed) == 7 + 7 * 3
    assert float(printed[-1].split()[2]) == pytest.approx(names["net"][0], abs=1e-6)


def test_the_lessons_data_are_the_lessons(tmp_path: Path) -> None:
    path = lesson_data(f"{tmp_path}/a/b/")
    ratings = pd.read_csv(path + "ratings.csv")
    assert path.endswith("/a/b/")
    assert ratings.shape == (100_004, 4)
    assert ratings.iloc[0].tolist() == [1, 31, 2.5, 1_260_759_144]
    assert len(pd.read_csv(path + "movies.csv")) == ratings.movieId.nunique() == 9066


def test_lesson_data_keeps_files_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text("mine")
    lesson_data(str(tmp_path))
    assert (tmp_path / "ratings.csv").read_text() == "mine"
    with pytest.raises(FileError, match="can't make the folder"):
        lesson_data(str(tmp_path / "ratings.csv" / "data"))


def test_tensors_from_numbers() -> None:
    assert T([[1.0, 2], [3, 4]]).dtype == torch.float32
    assert T(np.array([1, 2], np.int32)).dtype == torch.int64
    assert to_np(T([1.5]).requires_grad_()).tolist() == [1.5]
    with pytest.raises(InputError, match="expected numbers"):
        T(["Toy Story"])


def test_set_lrs() -> None:
    opt = optim.SGD([torch.zeros(1)], 0.1)
    set_lrs(opt, 0.01)
    assert opt.param_groups[0]["lr"] == 0.01
    with pytest.raises(InputError, match="learning rate -1"):
        set_lrs(opt, -1.0)


def test_get_cv_idxs() -> None:
    assert np.array_equal(get_cv_idxs(100), np.random.RandomState(42).permutation(100)[:20])
    assert len(get_cv_idxs(100, val_pct=0.1)) == 10


def test_get_cv_idxs_takes_fastais_arguments() -> None:
    rows = np.random.RandomState(7).permutation(103)
    folds = [get_cv_idxs(103, fold, 0.25, 7) for fold in range(5)]
    assert np.array_equal(np.concatenate(folds), rows)
    assert [len(fold) for fold in folds] == [25, 25, 25, 25, 3]
    assert len(get_cv_idxs(4, cv_idx=0)) == 0
    for arguments, words in (
        ((103, 5, 0.25), "cv_idx 5: 103 rows have folds 0 to 4, of 25 rows"),
        ((103, -1), "cv_idx -1"),
        ((103, 0, 20), "val_pct 20: expected a share"),
        ((103, 0, math.nan), "val_pct nan"),
    ):
        with pytest.raises(InputError, match=words):
            get_cv_idxs(*arguments)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is CUDA")
def test_cuda_where_there_is_none_says_what_to_do() -> None:
    class Model(lesson.nn.Module):
        pass

    models = [Model(), lesson.EmbeddingDot(1, 1), CollabFilterDataset([1], [1], [1.0]).get_model(1)]
    for model in models:
        assert isinstance(model, torch.nn.Module)
        with pytest.raises(InputError, match=r"^PyTorch finds no CUDA on this machine: leave \.cuda\(\) out"):
            model.cuda()


def test_seaborn_is_asked_for_what_the_lesson_does_not_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "seaborn", None)
    for work in (lambda: lesson.sns.heatmap([[1]]), lambda: lesson.sns.jointplot([1], [1], kind="reg")):
        with pytest.raises(InputError, match=r"^sns\.\w+ needs seaborn: run python -m pip install seaborn$"):
            work()
    with pytest.raises(InputError, match="jointplot: 2 and 1 numbers: expected equally many"):
        lesson.sns.jointplot([1, 2], [1], kind="hex")
    seaborn = types.SimpleNamespace(jointplot=lambda **options: options)
    monkeypatch.setitem(sys.modules, "seaborn", seaborn)
    assert lesson.sns.jointplot([1], [2], height=3) == {"x": [1], "y": [2], "kind": "scatter", "height": 3}


def test_pictures_without_matplotlib_say_what_to_install() -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None; from cf_excel.lesson import *\n"
        "for work in (lambda: plt.show(), lambda: sns.jointplot([1], [1], kind='hex')):\n"
        "    try: work()\n    except ValueError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["plots need matplotlib: run python -m pip install matplotlib"] * 2


def test_columns_that_are_not_there_or_no_numbers() -> None:
    table = pd.DataFrame({"userId": [0, 1], "genre": ["Drama", "Comedy"]})
    make = lesson.ColumnarModelData.from_data_frame
    with pytest.raises(InputError, match=r"no column 'movieId' \(found: userId, genre\)"):
        make("", [0], table, [1.0, 2.0], ["userId", "movieId"], 64)
    with pytest.raises(InputError, match="columns must be numbers"):
        make("", [0], table, [1.0, 2.0], ["userId"], 64)


def test_other_columns_reach_forward_as_numbers() -> None:
    seen = []

    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(1, 1)

        def forward(self, cats: torch.Tensor, conts: torch.Tensor) -> torch.Tensor:
            seen.extend(conts[:, 0].tolist())
            return self.layer(conts)

    table = pd.DataFrame({"user": [0, 1, 2], "age": [20, 30, 40]})
    data = lesson.ColumnarModelData.from_data_frame("", [1], table, [1.0, 2.0, 3.0], ["user"], 64)
    model = Model()
    lesson.fit(model, data, 1, optim.SGD(model.parameters(), 1e-4), lesson.F.mse_loss, metrics=[lesson.F.l1_loss])
    assert sorted(seen) == [20, 30, 40]


def test_the_face_is_complete_and_leaves_plots_alone() -> None:
    code = "import sys; from cf_excel.lesson import *; print(sorted({'matplotlib', 'numba'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert all(hasattr(lesson, name) for name in lesson.__all__)


def test_a_learner_prints_where_ctrl_c_stopped_it(capsys: pytest.CaptureFixture[str]) -> None:
    cf = CollabFilterDataset([1, 2, 3], [1, 2, 3], [1.0, 2.0, 3.0])
    cf.progress().stopped("batch 3 of 9 in epoch 1 of 2")
    assert capsys.readouterr().out == "stopped after batch 3 of 9 in epoch 1 of 2: the model keeps what it learnt\n"
