"""Train on a Spark cluster: arguments are its master and, in JSON, the options of train, call by call."""

import json
import os
import sys
from pathlib import Path

from pyspark.sql import SparkSession

from cf_excel import cluster
from cf_excel.errors import CfExcelError

train_here = cluster.train_here


def dying(options: list[str]) -> object:
    """Train; the first time rank 1 is killed in the third iteration, then there must be a checkpoint."""
    death = Path(options[options.index("--out") + 1]).parent / "death"
    if os.environ["RANK"] == "1" and death.exists():
        assert any(Path(options[options.index("--checkpoint") + 1]).iterdir())
    elif os.environ["RANK"] == "1":
        death.touch()
        from support.dying_worker import die_in_the_third_iteration  # brings torch, not where Spark calls this

        die_in_the_third_iteration()
    return train_here(options)


if __name__ == "__main__":
    master, calls = sys.argv[1:]
    from support.spark_driver import dying as importable  # by its name, which the executors know

    cluster.train_here = importable
    settings = {
        "spark.executor.memory": "512m",
        "spark.ui.enabled": "false",
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.sql.adaptive.enabled": "false",
        "spark.python.daemon.module": "support.spark_daemon",
        "spark.executorEnv.PYTHONPATH": os.environ["PYTHONPATH"],
    }
    spark = SparkSession.builder.master(master).config(map=settings).getOrCreate()
    for options in json.loads(calls):
        try:
            print("answer", json.dumps(cluster.train_on_spark(options, 2, attempts=1)))
        except CfExcelError as error:
            print("answer", type(error).__name__, error)
    spark.stop()
