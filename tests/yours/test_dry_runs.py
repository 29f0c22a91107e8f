"""Each job of each environment does what its TABLES allow, on the tables that the migrations make."""

from collections.abc import Iterator

import pytest

from local.mysql_server import MySQLServer
from settings.environment import JobSettings
from settings.files import load_environments
from settings.project import ROOT, Project
from testkit.database import Database, new_database
from testkit.dry_run import dry_run_mistake

JOBS = [
    pytest.param(job, id=f"{environment.name}-{job.name}")
    for environment in load_environments(Project(ROOT))
    for job in environment.jobs
]


@pytest.fixture(scope="module")
def shared(server: MySQLServer) -> Iterator[Database]:
    """One schema for all: a dry run changes nothing."""
    with new_database(server, Project(ROOT)) as database:
        yield database


@pytest.mark.parametrize("settings", JOBS)
def test_dry_run(settings: JobSettings, shared: Database) -> None:
    if mistake := dry_run_mistake(Project(ROOT), settings, shared):
        pytest.fail(mistake, pytrace=False)
