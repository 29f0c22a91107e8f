"""The fixtures: `job` runs a job, `database` shows what it did. Nothing is imported before a test asks for it."""

# ruff: noqa: PLC0415 - imported by the fixture that needs it

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from local.mysql_server import MySQLServer
    from settings.project import Project
    from testkit.database import Database
    from testkit.job import Job


@pytest.hookimpl(tryfirst=True)  # before -m is applied
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need a server, MySQL's or the local AWS: `make unit` leaves them out."""
    for item in items:
        if {"server", "emulator"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("integration")


@pytest.fixture(scope="session")
def project() -> Project:
    """The project whose jobs are tested: this checkout's."""
    from settings.project import ROOT, Project

    return Project(ROOT)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MySQLServer]:
    """A real MySQL server with the parameter group's settings."""
    from local import mysql_installation
    from local.environment import CACHE
    from local.mysql_server import MySQLServer
    from stacks.database.parameter_group import PARAMETERS

    installation = mysql_installation.find_or_fetch(CACHE, progress=print)
    folder = tmp_path_factory.mktemp("mysql")
    with MySQLServer.start(installation, folder, settings=PARAMETERS, progress=print) as server:
        yield server


@pytest.fixture
def database(server: MySQLServer, project: Project) -> Iterator[Database]:
    """A schema of the test's own, with the migrations applied."""
    from testkit.database import new_database

    with new_database(server, project) as database:
        database.migrate({})
        yield database


@pytest.fixture
def job(database: Database, project: Project) -> Job:
    """Run a job of the project in `database`: `report = job("archive_invoices", at="2026-11-23T08:00Z")`."""
    from testkit.job import Job

    return Job(project, database)
