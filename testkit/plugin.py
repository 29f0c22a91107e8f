"""The fixtures: `job` runs a job, `database` shows what it did. What they need is imported when a test asks for it."""

# ruff: noqa: PLC0415 - imported by the fixture that needs it

from __future__ import annotations

import atexit
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local.ending import end_as_on_ctrl_c
from local.guardian import ALSO_REMOVED, guarded
from testkit.job_packages import let_import

if TYPE_CHECKING:
    from local.mysql_server import MySQLServer
    from settings.project import Project
    from testkit.aws import Aws
    from testkit.database import Database
    from testkit.job import Job
    from testkit.web_api import WebApi

ALSO = pytest.StashKey[Path]()
OUTER = pytest.StashKey[Path]()
OWN = pytest.StashKey[Path]()
NOT_DURABLE = {"innodb_flush_method": "nosync"}
"""What is written survives the end of the server, not that of the machine: nothing waits for the disk."""


@pytest.hookimpl(tryfirst=True)  # before any conftest.py: one may import the CDK, which starts a program when imported
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Let nothing be left of the tests, however they end: no process, and no file but those that pytest keeps."""
    end_as_on_ctrl_c()
    let_import()  # a test may import them itself
    os.environ["PYTEST_DEBUG_TEMPROOT"] = tempfile.gettempdir()  # where pytest keeps the folders of tests that failed
    stack = ExitStack()
    atexit.register(stack.close)  # runs after that of the CDK, which is imported later, and so after all tests
    early_config.stash[OUTER] = Path(tempfile.gettempdir())
    early_config.stash[OWN] = stack.enter_context(guarded())
    early_config.stash[ALSO] = early_config.stash[OWN] / ALSO_REMOVED


@pytest.fixture(scope="session", autouse=True)
def _remove_if_killed(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> None:
    pytestconfig.stash[ALSO].write_text(str(tmp_path_factory.getbasetemp()))


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Let pytest keep the folders of tests that failed, but not those of tests that were interrupted."""
    if session.testsfailed or exitstatus != pytest.ExitCode.INTERRUPTED:
        session.config.stash[ALSO].unlink(missing_ok=True)


@pytest.hookimpl(tryfirst=True)  # before -m is applied
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need a server, MySQL's or the local AWS: `make unit` leaves them out."""
    for item in items:
        if {"server", "emulator", "aws"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("integration")


@pytest.fixture(scope="session")
def shared(pytestconfig: pytest.Config) -> Path:
    """A folder for what all processes of pytest-xdist use; with them, it is gone at the end."""
    # A worker's temporary folder was the controller's own; without workers, there is one process.
    return pytestconfig.stash[OUTER if hasattr(pytestconfig, "workerinput") else OWN]


@pytest.fixture(scope="session")
def project() -> Project:
    """The project whose jobs are tested: this checkout's."""
    from settings.project import ROOT, Project

    return Project(ROOT)


@pytest.fixture(scope="session")
def server() -> Iterator[MySQLServer]:
    """A real MySQL server with the parameter group's settings."""
    from local import mysql_installation
    from local.environment import CACHE
    from local.mysql_server import MySQLServer
    from stacks.database.parameter_group import PARAMETERS

    installation = mysql_installation.find_or_fetch(CACHE, progress=print)
    with (
        # Not one of pytest's, which keeps its folders if a test failed: this one has 100 MB.
        tempfile.TemporaryDirectory(prefix="mysql-") as folder,
        MySQLServer.start(installation, Path(folder), settings={**PARAMETERS, **NOT_DURABLE}, progress=print) as server,
    ):
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


@pytest.fixture(scope="session")
def aws() -> Iterator[Aws]:
    """What jobs may have for AWS, on this machine: `job("export_events", aws=aws)`."""
    from local.emulator import Emulator
    from testkit.aws import Aws

    with tempfile.TemporaryDirectory(prefix="aws-") as folder:
        emulator = Emulator.start(Path(folder), region="eu-central-1")
        try:
            yield Aws(emulator)
        finally:
            emulator.stop()


@pytest.fixture
def web_api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebApi]:
    """What jobs may have for an API of the internet, on this machine: its `host` is what their USES has to name."""
    from mysql_jobs import network
    from testkit.web_api import serving

    with serving(tmp_path) as api:
        monkeypatch.setenv("SSL_CERT_FILE", str(api.authority))
        network.public_tls.cache_clear()
        yield api
    network.public_tls.cache_clear()
