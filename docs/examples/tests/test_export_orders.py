"""Each order is in one file, however often a window's run is repeated."""

from __future__ import annotations

from io import BytesIO

from testkit.aws import Aws
from testkit.database import Database
from testkit.job import Job

ORDERS = [
    {"customer": "ada", "total": "12.5", "placed_at": "2026-11-23 07:59:59.999999"},
    {"customer": "ada", "total": "0.0001", "placed_at": "2026-11-23 08:00:00"},
    {"customer": "grace", "total": "99999999999999.9999", "placed_at": "2026-11-23 08:59:59.999999"},
    {"customer": "grace", "total": "1", "placed_at": "2026-11-23 09:00:00"},
]
EIGHT = ("2026-11-23T08:00Z", "2026-11-23T09:00Z")
KEY = "orders/2026-11-23T080000Z.parquet"


def test_a_window_is_a_file(job: Job, database: Database, aws: Aws) -> None:
    database.insert("customer_order", ORDERS)
    bucket = aws.bucket()
    report = job("export_orders", window=EIGHT, parameters={"bucket": bucket}, aws=aws)
    assert (report["result"]["rows"], report["result"]["key"], report["leaked"]) == (2, KEY, [])
    assert [(each["customer"], str(each["total"])) for each in _rows(aws.objects(bucket)[KEY])] == [
        ("ada", "0.0001"),
        ("grace", "99999999999999.9999"),
    ]


def test_a_run_that_is_killed_after_the_upload_and_its_retry_leave_one_file(
    job: Job, database: Database, aws: Aws
) -> None:
    database.insert("customer_order", ORDERS)
    bucket = aws.bucket()
    job("export_orders", at="2026-11-23T09:00Z", parameters={"bucket": bucket}, killed="before_commit", aws=aws)
    before = aws.objects(bucket)
    assert len(before) == 1
    assert job.again()["outcome"] == "done"
    after = aws.objects(bucket)
    assert after.keys() == before.keys()
    assert len(_rows(next(iter(after.values())))) == 3


def test_more_orders_than_are_in_memory_at_once_are_in_one_file(job: Job, database: Database, aws: Aws) -> None:
    database.insert("customer_order", [{**ORDERS[1], "customer": f"c{n}"} for n in range(10_001)])
    bucket = aws.bucket()
    assert job("export_orders", window=EIGHT, parameters={"bucket": bucket}, aws=aws)["result"]["rows"] == 10_001
    assert len({each["customer"] for each in _rows(aws.objects(bucket)[KEY])}) == 10_001


def test_a_window_without_orders_and_a_dry_run_write_nothing(job: Job, database: Database, aws: Aws) -> None:
    bucket = aws.bucket()
    assert job("export_orders", window=EIGHT, parameters={"bucket": bucket}, aws=aws)["result"]["key"] is None
    database.insert("customer_order", ORDERS)
    report = job("export_orders", window=EIGHT, parameters={"bucket": bucket}, dry_run=True)
    assert report["outcome"] == "dry_run"
    assert aws.objects(bucket) == {}


def _rows(file: bytes) -> list[dict[str, object]]:
    from pyarrow import parquet  # noqa: PLC0415 (one of the job's packages)

    rows: list[dict[str, object]] = parquet.read_table(BytesIO(file), use_threads=False).to_pylist()
    return rows
