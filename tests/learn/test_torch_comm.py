from pathlib import Path

import numpy as np
import torch.distributed as dist
import torch.multiprocessing as mp
from support.planted import low_rank_ratings

from cf_excel.learn.bayes.factorization import BayesSettings, fit_bayes
from cf_excel.learn.bayes.torch_comm import TorchComm

SETTINGS = BayesSettings(n_factors=3, iterations=3, device="cpu")


def work(rank: int, folder: str) -> None:
    dist.init_process_group("gloo", store=dist.FileStore(f"{folder}/meeting", 2), rank=rank, world_size=2)
    fit = fit_bayes(low_rank_ratings(11, 7), np.arange(9), SETTINGS, comm=TorchComm())
    np.save(f"{folder}/{rank}.npy", fit.val_predictions)
    dist.destroy_process_group()


def test_two_processes_learn_what_one_learns(tmp_path: Path) -> None:
    mp.spawn(work, (str(tmp_path),), nprocs=2)
    alone = fit_bayes(low_rank_ratings(11, 7), np.arange(9), SETTINGS)
    for rank in range(2):
        np.testing.assert_allclose(np.load(tmp_path / f"{rank}.npy"), alone.val_predictions, atol=2e-5)
