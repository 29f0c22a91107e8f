"""What a change of migrations does to a whole project: to its tables, and to the jobs that are deployed."""

import shutil
from pathlib import Path

import pytest

from local.mysql_server import MySQLServer
from rehearsal import review as reviews
from rehearsal.finding import Finding
from rehearsal.jobs import broken
from rehearsal.review import review
from settings.project import Project
from tests.fixture import PROJECT


@pytest.fixture
def change(tmp_path: Path) -> Path:
    """A copy of the fixture's project, to be changed."""
    return Path(shutil.copytree(PROJECT.folder, tmp_path / "change"))


def _migration(change: Path, text: str) -> None:
    number = len(list((change / "lambda/migrations").glob("*.sql"))) + 1
    (change / "lambda/migrations" / f"{number:04}_more.sql").write_text(text)


def test_without_a_new_migration_no_server_is_started(change: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(reviews, "MySQLServer")
    assert review(PROJECT.folder, change) == []
    (change / "lambda/migrations/0001_pulse.sql").unlink()
    [mistake] = review(PROJECT.folder, change)
    assert (mistake.kind, mistake.place) == ("mistake", "migrations/0001_pulse.sql")


@pytest.mark.integration
def test_each_new_statement_is_tried_after_those_before_it(change: Path) -> None:
    _migration(change, "CREATE TABLE other (n INT);\nALTER TABLE other ADD m INT;\nDROP TABLE other;\n")
    [altered, dropped] = review(PROJECT.folder, change)
    assert (altered.kind, altered.text) == ("note", "statement 2 instant: only the table's definition changes")
    assert (dropped.kind, dropped.text) == ("data", "statement 3 drops the table `other` with all its rows")


def test_a_job_that_is_deployed_meets_the_new_tables(change: Path, server: MySQLServer) -> None:
    """During the deploy, and after a rollback; the change's own job needs the old column no more."""
    _migration(change, "ALTER TABLE pulse RENAME COLUMN uptime_seconds TO uptime;\n")
    job = change / "lambda/jobs/pulse.py"
    job.write_text(job.read_text().replace("max_connections, uptime_seconds)", "max_connections, uptime)"))
    [found] = broken(server, PROJECT, Project(change))
    assert (found.kind, found.place) == ("breaks", "jobs/pulse.py")
    assert "as it is deployed, fails on the new tables" in found.text
    assert "Unknown column 'uptime_seconds'" in found.text


def test_a_job_of_the_change_that_fails_is_told(change: Path, server: MySQLServer) -> None:
    job = change / "lambda/jobs/pulse.py"
    job.write_text(job.read_text().replace("INSERT INTO pulse", "INSERT INTO nowhere"))
    found = list(broken(server, PROJECT, Project(change)))
    assert [(each.kind, each.place) for each in found] == [("breaks", "jobs/pulse.py")]
    assert found[0].text.startswith("fails on the new tables: ")


def test_environments_that_can_not_be_read_are_not_passed_over(change: Path, server: MySQLServer) -> None:
    for file in (change / "environments").glob("*.toml"):
        file.write_text("nonsense = 1\n")
    [found] = broken(server, PROJECT, Project(change))
    assert found == Finding(kind="unclassified", place="jobs", text=found.text)
    assert "nonsense" in found.text
