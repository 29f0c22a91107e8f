"""The job heartbeat."""

from testkit.database import Database
from testkit.job import Job


def test_each_run_records_what_it_saw(job: Job, database: Database) -> None:
    report = job("heartbeat", at="2026-11-23T08:00Z")
    assert report["outcome"] == "done"
    [(seen, version, connections, most)] = database.rows(
        "SELECT scheduled_time, server_version, connections, max_connections FROM heartbeat"
    )
    assert f"{seen}" == "2026-11-23 08:00:00"
    assert (version, connections, most) == tuple(report["result"].values())[:3]
    assert 1 <= connections <= most


def test_a_second_delivery_records_nothing(job: Job, database: Database) -> None:
    job("heartbeat", at="2026-11-23T08:00Z")
    assert job.again()["outcome"] == "duplicate"
    assert database.rows("SELECT COUNT(*) FROM heartbeat") == [(1,)]
