"""A small size of each benchmark: it runs, measures what it says, and leaves nothing. No figure is asserted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks import bad_ends, clients, empty_run, first_runs, purge, starts
from benchmarks.figures import Line
from benchmarks.in_process import PROJECT
from benchmarks.raw_client import raw
from benchmarks.target import Target
from local.mysql_server import MySQLServer
from packages.requirements import PackagesError
from testkit.database import new_database


def quiet(_: str) -> None:
    """Say nothing."""


@pytest.fixture(autouse=True)
def _path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs of the benchmarks are found, as by `make bench`."""
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parents[2]}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")


def _known(lines: list[Line]) -> None:
    assert all(line.ours is not None and line.ours >= 0 for line in lines), lines


@pytest.mark.parametrize("client", [raw, clients.pymysql_cached, clients.pymysql_default])
def test_each_client_commits_a_row_of_the_ledger_per_run(server: MySQLServer, client: clients.Client) -> None:
    with new_database(server, PROJECT) as database:
        database.migrate({})
        target = Target.as_jobs(server, database)
        target.connect().close()  # now the server remembers the password
        for _ in range(3):
            client(target, "one")
        assert database.rows("SELECT job, sequence FROM ledger ORDER BY sequence") == [("one", n) for n in (1, 2, 3)]
        assert server.open_connections(target.user) == 0


def test_empty_runs_are_measured_with_their_pieces_beside_the_others(server: MySQLServer) -> None:
    lines, pieces = empty_run.measure(server, rounds=2, progress=quiet)
    _known(lines)
    [trips] = [line for line in lines if line.unit == "trips"]
    assert trips.others[empty_run.FLOOR] == 6
    assert len(pieces) > 3
    near, far = (
        next(line for line in lines if line.subject == name) for name in (empty_run.LOOPBACK, empty_run.DISTANT)
    )
    assert near.others.keys() == far.others.keys() == trips.others.keys()


def test_ends_on_a_frozen_server_are_measured_and_the_server_goes_on(server: MySQLServer) -> None:
    _known(bad_ends.measure(server, rounds=1, progress=quiet))
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def test_starts_are_measured() -> None:
    _known(starts.measure(None, rounds=1, progress=quiet))


def test_first_runs_are_measured_with_packages_and_without(server: MySQLServer) -> None:
    _known(first_runs.measure(server, rounds=1, progress=quiet))


def test_without_packages_the_first_runs_that_need_some_are_left_out_with_the_reason(
    server: MySQLServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise PackagesError("the wheels can't be fetched")

    monkeypatch.setattr(first_runs, "fetch", refused)
    lines = first_runs.measure(server, rounds=1, progress=quiet)
    _known(lines[:2])
    assert [(line.ours, line.note) for line in lines[2:]] == [(None, "the wheels can't be fetched")] * 2


def test_a_purge_is_measured_with_its_locks_beside_the_naive_statement(server: MySQLServer) -> None:
    lines = purge.measure(server, rows=5000, rounds=1, progress=quiet)
    if len(lines) > 1:  # a team may have removed the job
        _known(lines)
