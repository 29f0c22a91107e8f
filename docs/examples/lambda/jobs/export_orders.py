"""Exports the orders that were placed to S3, a Parquet file for each window."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import pyarrow as pa
from pyarrow import parquet
from pymysql.cursors import SSCursor

from mysql_jobs import Run

TABLES = {"customer_order": ("SELECT",)}
COLUMNS = "id, customer, total, placed_at"
ROWS = 10_000
"""So many are in memory at once, and in a row group of the file."""
SCHEMA = pa.schema(
    [
        ("id", pa.uint64()),
        ("customer", pa.string()),
        ("total", pa.decimal128(18, 4)),
        ("placed_at", pa.timestamp("us", tz="UTC")),
    ]
)


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Where to."""

    bucket: str
    prefix: str = "orders"


def uses(parameters: Parameters) -> dict[str, Any]:
    """The one folder of the bucket."""
    return {"s3": {f"{parameters.bucket}/{parameters.prefix}/*": ("PutObject",)}}


def run(run: Run) -> dict[str, Any]:
    """Write the window's file anew, whatever an earlier run for it has left."""
    parameters: Parameters = run.parameters
    # By its start alone: a window that has failed begins there again, and may end later.
    key = f"{parameters.prefix}/{run.window.start:%Y-%m-%dT%H%M%SZ}.parquet"
    file, rows = BytesIO(), 0
    with parquet.ParquetWriter(file, SCHEMA, compression="zstd") as writer:
        for batch in _batches(run):
            writer.write_table(batch)
            rows += batch.num_rows
    if rows and not run.dry_run:
        file.seek(0)
        run.client("s3").put_object(Bucket=parameters.bucket, Key=key, Body=file)
    return {"rows": rows, "bytes": file.getbuffer().nbytes, "key": key if rows else None}


def _batches(run: Run) -> Iterator[pa.Table]:
    with run.cursor(SSCursor) as cursor:
        cursor.execute(
            f"SELECT {COLUMNS} FROM customer_order WHERE placed_at >= %s AND placed_at < %s ORDER BY id",  # noqa: S608
            (run.window.start, run.window.end),
        )
        while rows := cursor.fetchmany(ROWS):
            yield pa.table(dict(zip(SCHEMA.names, zip(*rows, strict=True), strict=True)), schema=SCHEMA)
