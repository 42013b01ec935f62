"""The systems that python -m benchmarks compares: each learns the lesson's training ratings.

A system takes ratings and validation rows and yields (epochs so far, CPU seconds of training so far, validation MSE).
Ours and the plain loops count the validation of each epoch as training. Where a library tells nothing between its
epochs, it is fitted several times, for more epochs each time, and each fit counts for itself.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from benchmarks.clock import Watch, now
from cf_excel.ratings.table import Ratings

Points = Iterator[tuple[int, float, float]]
BATCH = 64


class System(NamedTuple):
    """A model and how it is trained; packages: what must be installed, the one whose version counts first."""

    name: str
    packages: tuple[str, ...]
    run: Callable[[Ratings, np.ndarray], Points]


def _ours(kind: str, drops: tuple[int, ...] = (), **changes: object) -> Callable[[Ratings, np.ndarray], Points]:
    """Return a run of our trainer by the lesson's recipe, or with the rate cut to a fifth at the epochs `drops`."""

    def run(ratings: Ratings, val_rows: np.ndarray) -> Points:
        import torch.nn.functional as F

        from cf_excel.learn.lesson.recipes import RECIPES, lesson_settings, make_data, make_model, make_optimizer
        from cf_excel.learn.trainer import fit

        settings = lesson_settings(kind, device="cpu", **changes)
        data, model = make_data(ratings, val_rows, BATCH), make_model(kind, ratings)
        opt = make_optimizer(model, settings)
        schedule = RECIPES[kind].schedule(settings.epochs, data.n_batches)
        if drops:
            steps = [drop * data.n_batches for drop in drops]
            schedule = lambda step: 0.2 ** bisect_right(steps, step)  # noqa: E731
        watch = Watch()
        epochs = fit(model, data, settings.epochs, opt, F.mse_loss, schedule=schedule, progress=watch).epochs
        for epoch, seconds in zip(epochs, watch.seconds, strict=True):
            yield epoch.number, seconds, epoch.val_loss

    return run


def _plain_loop(kind: str) -> Callable[[Ratings, np.ndarray], Points]:
    """Return the loop that a PyTorch tutorial writes: a DataLoader, autograd and the optimizer as it comes."""

    def run(ratings: Ratings, val_rows: np.ndarray) -> Points:
        import torch
        import torch.nn.functional as F
        from torch.utils.data import DataLoader, TensorDataset

        from cf_excel.learn.lesson.recipes import RECIPES, lesson_settings, make_data, make_model, make_optimizer

        settings = lesson_settings(kind, device="cpu")
        data, model = make_data(ratings, val_rows, BATCH), make_model(kind, ratings)
        cpu = torch.device("cpu")
        loader = DataLoader(TensorDataset(*data.training(cpu)), BATCH, shuffle=True)
        validation = data.validation(cpu)
        opt = make_optimizer(model, settings)
        schedule = RECIPES[kind].schedule(settings.epochs, data.n_batches) or (lambda step: 1.0)
        step, seconds = 0, 0.0
        for epoch in range(1, settings.epochs + 1):
            start = now()
            model.train()
            for cats, conts, y in loader:
                opt.param_groups[0]["lr"] = settings.lr * schedule(step)
                loss = F.mse_loss(model(cats, conts), y)
                opt.zero_grad()
                loss.backward()
                opt.step()
                step += 1
            model.eval()
            with torch.no_grad():
                mse = F.mse_loss(model(validation.cats, validation.conts), validation.y).item()
            seconds += now() - start
            yield epoch, seconds, mse

    return run


def _fastai(ratings: Ratings, val_rows: np.ndarray) -> Points:
    import pandas as pd
    from fastai.collab import TabularCollab, collab_learner
    from fastai.data.block import TransformBlock
    from fastai.data.transforms import IndexSplitter
    from fastai.learner import Callback
    from fastai.tabular.core import Categorify

    class Watch(Callback):
        order = 60  # after the Recorder

        def before_fit(self) -> None:
            self.start, self.points = now(), []

        def after_epoch(self) -> None:
            mse = float(self.learn.recorder.values[-1][1])
            self.points.append((self.epoch + 1, now() - self.start, mse))

    table = pd.DataFrame({"user": ratings.user_idx, "movie": ratings.movie_idx, "rating": ratings.rating})
    splits = IndexSplitter(val_rows.tolist())(range(len(table)))
    columns = TabularCollab(
        table, [Categorify], ["user", "movie"], y_names=["rating"], y_block=TransformBlock(), splits=splits
    )
    learn = collab_learner(columns.dataloaders(bs=BATCH), n_factors=50, y_range=(0, 5.5))
    watch = Watch()
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(5, 5e-3, wd=0.1, cbs=[watch])
    yield from watch.points


def _surprise(**settings: float) -> Callable[[Ratings, np.ndarray], Points]:
    def run(ratings: Ratings, val_rows: np.ndarray) -> Points:
        import pandas as pd
        from surprise import SVD, Dataset, Reader

        held = np.zeros(len(ratings), bool)
        held[val_rows] = True
        table = pd.DataFrame({"user": ratings.user_idx, "movie": ratings.movie_idx, "rating": ratings.rating})
        train = Dataset.load_from_df(table[~held], Reader(rating_scale=ratings.rating_range)).build_full_trainset()
        test = list(table[held].itertuples(index=False, name=None))
        for n_epochs in (5, 10, 20, 40, 60):
            model = SVD(n_epochs=n_epochs, random_state=0, **settings)
            start = now()
            model.fit(train)
            seconds = now() - start
            yield n_epochs, seconds, float(np.mean([(guess.est - guess.r_ui) ** 2 for guess in model.test(test)]))

    return run


def _cornac(ratings: Ratings, val_rows: np.ndarray) -> Points:
    from cornac.data import Dataset
    from cornac.models import MF

    columns = (ratings.user_idx, ratings.movie_idx, ratings.rating)
    users, movies, rating = (np.delete(column, val_rows) for column in columns)
    data = Dataset.from_uir(list(zip(users.tolist(), movies.tolist(), rating.tolist(), strict=True)), seed=0)
    low, high = ratings.rating_range
    for n_epochs in (10, 20, 40, 70, 100):
        model = MF(k=100, max_iter=n_epochs, learning_rate=0.01, lambda_reg=0.1, use_bias=True, seed=0, verbose=False)
        start = now()
        model.fit(data)
        seconds = now() - start
        guesses = np.full(len(val_rows), model.global_mean)
        user, movie = (
            np.array([ids.get(row, -1) for row in part[val_rows].tolist()])
            for ids, part in ((data.uid_map, ratings.user_idx), (data.iid_map, ratings.movie_idx))
        )
        guesses += np.where(user >= 0, model.u_biases[user], 0) + np.where(movie >= 0, model.i_biases[movie], 0)
        known = (user >= 0) & (movie >= 0)
        guesses[known] += np.einsum("nk,nk->n", model.u_factors[user[known]], model.i_factors[movie[known]])
        yield n_epochs, seconds, float(np.mean((np.clip(guesses, low, high) - ratings.rating[val_rows]) ** 2))


def _lenskit(ratings: Ratings, val_rows: np.ndarray) -> Points:
    import pandas as pd
    from lenskit.als import BiasedMFScorer
    from lenskit.data import ItemList, from_interactions_df
    from lenskit.training import TrainingOptions

    table = pd.DataFrame({"user_id": ratings.user_idx, "item_id": ratings.movie_idx, "rating": ratings.rating})
    data = from_interactions_df(
        table.drop(index=val_rows), users=np.arange(ratings.n_users), items=np.arange(ratings.n_movies)
    )
    truth = table.loc[val_rows].groupby("user_id")
    low, high = ratings.rating_range
    for n_epochs in (1, 2, 4, 7, 10):
        model = BiasedMFScorer(embedding_size=50, epochs=n_epochs)
        start = now()
        model.train(data, TrainingOptions(rng=0))
        seconds = now() - start
        errors = []
        for user, rows in truth:
            guesses = model(user, ItemList(item_ids=rows["item_id"].to_numpy())).scores()
            guesses = np.nan_to_num(np.asarray(guesses), nan=float(np.mean(np.delete(ratings.rating, val_rows))))
            errors.append(np.square(np.clip(guesses, low, high) - rows["rating"].to_numpy()))
        yield n_epochs, seconds, float(np.concatenate(errors).mean())


OURS = ("torch", "numba")
SYSTEMS = (
    System("cf_excel dot-bias, lesson", OURS, _ours("dot-bias")),
    System("cf_excel dot-bias, tuned", OURS, _ours("dot-bias", (7, 10), epochs=12, wd=5e-5)),
    System("cf_excel net, lesson", OURS, _ours("net")),
    System("cf_excel net, sparse Adam", OURS, _ours("net", optimizer="sparse-adam")),
    System("cf_excel collab, lesson", OURS, _ours("collab")),
    System("cf_excel collab, sparse Adam", OURS, _ours("collab", optimizer="sparse-adam")),
    System("cf_excel collab, 7 epochs", OURS, _ours("collab", epochs=7)),
    System("DataLoader loop, dot-bias", ("torch",), _plain_loop("dot-bias")),
    System("DataLoader loop, net", ("torch",), _plain_loop("net")),
    System("DataLoader loop, collab", ("torch",), _plain_loop("collab")),
    System("fastai collab_learner", ("fastai",), _fastai),
    System("Surprise SVD", ("scikit-surprise",), _surprise()),
    System("Surprise SVD, tuned", ("scikit-surprise",), _surprise(lr_all=0.01, reg_all=0.1)),
    System("cornac MF, tuned", ("cornac",), _cornac),
    System("lenskit BiasedMF", ("lenskit",), _lenskit),
)
