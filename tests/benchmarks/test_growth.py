"""A small size of each benchmark of growth: it runs, counts what it says, and leaves nothing; no time is asserted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks import document, growth_picture, large_tables, many_runs, purge, rollup, together
from benchmarks.curves import Growth
from benchmarks.ground import DOCUMENT
from benchmarks.growth import FIGURES, PICTURE
from benchmarks.in_process import PROJECT
from local.mysql_server import MySQLServer
from testkit.database import new_database


@pytest.fixture(autouse=True)
def _path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs of the benchmarks are found, as by `make bench`."""
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parents[2]}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")


def quiet(_: str) -> None:
    """Say nothing."""


def test_environments_at_once_all_do_their_work_on_a_server_that_takes_few_connections(
    server: MySQLServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(together, "FEW", 6)
    many, few = together.measure(server, sizes=(12,), progress=quiet)
    assert many.measures["failed runs"] == few.measures["failed runs"] == (0,)
    assert many.measures["refused attempts"] == (0,)
    assert many.measures["sessions at most"] > (7,)
    assert few.measures["refused attempts"] > (0,)
    assert few.measures["sessions at most"] <= (7,)  # one more is kept for an administrator
    with new_database(server, PROJECT) as database:
        assert database.rows("SELECT @@GLOBAL.max_connections") > [(6,)]


def test_runs_in_a_row_leave_no_thread_no_descriptor_and_no_session(server: MySQLServer) -> None:
    [curve] = many_runs.measure(server, runs=60, pieces=3, progress=quiet)
    assert curve.sizes == (20, 40, 60)
    assert curve.measures["rows in the ledger"] == (20, 40, 60)
    assert curve.measures["sessions on the server"] == (0, 0, 0)
    for name in ("threads", "file descriptors"):
        assert len(set(curve.measures[name])) == 1


def test_the_teams_jobs_on_tables_are_measured_beside_the_naive_statements(server: MySQLServer) -> None:
    curves = large_tables.measure(server, purge_rows=(1000, 5000), rollup_events=(1000, 5000), progress=quiet)
    jobs = [module.TEAMS.job_file(module.JOB).exists() for module in (purge, rollup)]  # a team may have removed them
    assert len(curves) == 2 * sum(jobs)
    for curve in curves:
        assert all(speed > 0 for speed in curve.measures["rows per second"])


@pytest.fixture(scope="module")
def growth() -> Growth:
    return Growth.read(FIGURES)


def test_the_documents_tables_and_the_picture_are_what_the_figures_say(growth: Growth, tmp_path: Path) -> None:
    copy = tmp_path / "copy.md"
    copy.write_text(DOCUMENT.read_text(encoding="utf-8"), encoding="utf-8")
    document.write(copy, document.growth_markdown(growth), begin=document.BEGIN_GROWTH)
    assert copy.read_text(encoding="utf-8") == DOCUMENT.read_text(encoding="utf-8"), "make bench SCALE=1"
    assert PICTURE.read_text(encoding="utf-8") == growth_picture.draw(growth), "make bench SCALE=1"


def test_figures_survive_their_file(growth: Growth, tmp_path: Path) -> None:
    growth.write(tmp_path / "growth.json")
    assert Growth.read(tmp_path / "growth.json") == growth
