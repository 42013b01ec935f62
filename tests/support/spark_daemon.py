"""Spark's server of Python workers, which imports once what each of them needs, and forks them."""

import pandas  # noqa: F401
import pyarrow  # noqa: F401
import pyspark.ml.torch.distributor  # noqa: F401
from pyspark.daemon import manager

if __name__ == "__main__":
    manager()
