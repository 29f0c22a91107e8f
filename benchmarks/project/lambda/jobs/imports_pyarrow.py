"""A job that could write Parquet."""

import pyarrow as pa
from pyarrow import parquet

from mysql_jobs import Run


def run(run: Run) -> dict[str, str]:
    """Say what it could write it with."""
    return {"pyarrow": pa.__version__, "parquet": parquet.__name__}
