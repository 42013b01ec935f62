"""Train on a Spark cluster: arguments are its master and, in JSON, attempts and options of train, call by call."""

import json
import os
import sys
from pathlib import Path

from pyspark.sql import SparkSession

from cf_excel import cluster
from cf_excel.errors import CfExcelError
from support.dying_worker import die_in_the_third_iteration

train_here = cluster.train_here


def dying(options: list[str]) -> object:
    """Train; the first so many times as DEATHS says, rank 1 is killed in the third iteration."""
    folder = Path(options[options.index("--out") + 1]).parent
    if os.environ["RANK"] == "1" and len(list(folder.glob("death-*"))) < int(os.environ["DEATHS"]):
        (folder / f"death-{os.getpid()}").touch()
        die_in_the_third_iteration()
    return train_here(options)


if __name__ == "__main__":
    master, calls = sys.argv[1:]
    from support.spark_driver import dying as importable  # by its name, which the executors know

    cluster.train_here = importable
    settings = {
        "spark.executor.memory": "512m",
        "spark.ui.enabled": "false",
        "spark.executorEnv.PYTHONPATH": os.environ["PYTHONPATH"],
        "spark.executorEnv.DEATHS": os.environ["DEATHS"],
    }
    builder = SparkSession.builder.master(master)
    for name, value in settings.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    for attempts, options in json.loads(calls):
        try:
            print("answer", json.dumps(cluster.train_on_spark(options, 2, attempts=attempts)))
        except CfExcelError as error:
            print("answer", type(error).__name__, error)
    spark.stop()
