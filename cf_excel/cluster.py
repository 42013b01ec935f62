"""Train on a cluster that has a driver: Spark."""

from collections.abc import Sequence
from typing import Any

from cf_excel.cli import make_parser
from cf_excel.cli.answers import plain
from cf_excel.errors import CfExcelError, FileError, InputError, WorkerError


def train_on_spark(options: Sequence[str], n_workers: int, *, attempts: int = 3) -> dict[str, Any]:
    """Train as `python -m cf_excel train` does with these options, by processes of Spark's; return what --json prints.

    options: such as ["--ratings", "/shared/ratings.csv", "--out", "/shared/model.safetensors"], whose files the
    executors see; cf_excel, torch, pandas and pyarrow are installed there. n_workers: so many tasks run at a time, in
    the session that is there. attempts: where a worker is lost, all begin again, with "--checkpoint" among the options
    from the last epoch. Raises InputError and FileError as the command says them, and WorkerError when no attempt is
    left; options that there are not end in SystemExit.
    """
    make_parser().parse_args(["train", *options])
    from pyspark.ml.torch.distributor import TorchDistributor

    if n_workers < 2 or attempts < 1:
        raise InputError(f"{n_workers} workers, {attempts} attempts: expected 2 workers or more, and an attempt")
    lost = None
    for _ in range(attempts):  # Spark does not try a stage of processes that need each other again
        try:
            answer = TorchDistributor(n_workers, local_mode=False, use_gpu=False).run(train_here, list(options))
        except Exception as error:  # of Spark, of py4j, of the executors: whatever ended a process ended them all
            lost = error
            continue
        if isinstance(answer, CfExcelError):
            raise answer
        return dict(plain(answer))
    raise WorkerError(f"{n_workers} workers on Spark: one was lost in each of {attempts} attempts") from lost


def train_here(options: list[str]) -> dict[str, Any] | CfExcelError | None:
    """Be one of the processes that RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT in the environment tell of.

    Rank 0 returns its answer, or what is wrong with the options, the others nothing.
    """
    from cf_excel.cli.train import run
    from cf_excel.cli.workers import follow_launcher

    if follow_launcher():
        return None
    args = make_parser().parse_args(["train", *options])
    try:
        return run(args)
    except (InputError, FileError) as error:
        return error
