"""A dry run with the job's own rights finds what would fail after the deploy, and says it in a line."""

from collections.abc import Callable
from pathlib import Path

import pytest

from local.mysql_server import MySQLServer
from settings.environment import JobSettings
from settings.files import load_environments
from settings.project import Project
from testkit.database import Database, new_database
from testkit.dry_run import dry_run_mistake
from tests.fixture import PROJECT
from tests.testkit.projects import one_job

Mistake = Callable[[tuple[Project, JobSettings]], str | None]

JOBS = [
    pytest.param(job, id=f"{environment.name}-{job.name}")
    for environment in load_environments(PROJECT)
    for job in environment.jobs
]


@pytest.fixture
def mistake(server: MySQLServer) -> Mistake:
    def found(written: tuple[Project, JobSettings]) -> str | None:
        project, settings = written
        with new_database(server, project) as database:
            return dry_run_mistake(project, settings, database)

    return found


@pytest.mark.parametrize("settings", JOBS)
def test_right_jobs_have_no_mistake(settings: JobSettings, project: Project, database: Database) -> None:
    assert dry_run_mistake(project, settings, database) is None


def test_a_dry_run_changes_nothing(project: Project, database: Database) -> None:
    dry_run_mistake(project, JOBS[0].values[0], database)  # type: ignore[arg-type]
    assert database.rows("SELECT (SELECT COUNT(*) FROM pulse), (SELECT COUNT(*) FROM ledger)") == [(0, 0)]


@pytest.mark.parametrize(
    ("statement", "right"),
    [
        ("SELECT id FROM parcel", "SELECT"),
        ("INSERT INTO parcel VALUES ()", "INSERT"),
        ("UPDATE parcel SET weight = 2", "UPDATE"),
        ("DELETE FROM parcel", "DELETE"),
    ],
)
def test_a_forgotten_right_is_named(mistake: Mistake, tmp_path: Path, statement: str, right: str) -> None:
    other = "SELECT" if right != "SELECT" else "INSERT"
    found = mistake(one_job(tmp_path, statement, tables={"parcel": (other,)}))
    assert found == (
        f"lambda/jobs/moving.py, line 8: the job has no right to {right} parcel: "
        f'add "{right}" to what TABLES states for "parcel"'
    )


def test_a_right_to_a_column_is_named_too(mistake: Mistake, tmp_path: Path) -> None:
    statement = "UPDATE parcel SET weight = weight + 1 WHERE id = 3"
    found = mistake(one_job(tmp_path, statement, tables={"parcel": ("UPDATE",)}))
    assert found is not None
    assert "the job has no right to SELECT parcel" in found


def test_a_table_that_no_migration_makes_is_named(mistake: Mistake, tmp_path: Path) -> None:
    found = mistake(one_job(tmp_path, "DELETE FROM letter", tables={"letter": ("DELETE",)}))
    assert found == (
        "lambda/jobs/moving.py states rights to letter, and no migration makes it: CREATE TABLE in lambda/migrations/,"
        " or, if it was there before, write it down for this machine (docs/jobs.md, “Tables that are there already”)"
    )


def test_the_file_that_is_named_is_the_modules(mistake: Mistake, tmp_path: Path) -> None:
    project, _settings = one_job(tmp_path, "DELETE FROM letter", tables={"letter": ("DELETE",)})
    entry = {"name": "again", "module": "moving", "schedule": "rate(1 hour)"}
    found = mistake((project, JobSettings.model_validate(entry, context=project)))
    assert found is not None
    assert found.startswith("lambda/jobs/moving.py states rights to letter, ")


OTHER = "DELETE FROM `Shop-Main`.`Order-Items`"


def test_a_table_that_was_there_before_is_written_down(mistake: Mistake, tmp_path: Path, server: MySQLServer) -> None:
    rights = ("SELECT", "DELETE")
    written = one_job(tmp_path, "DELETE FROM old", OTHER, tables={"old": rights, "Shop-Main.Order-Items": rights})
    project, _settings = written
    found = mistake(written)
    assert found is not None
    assert found.startswith("lambda/jobs/moving.py states rights to Shop-Main.Order-Items, old, and no migration")
    project.existing_schemas.mkdir(parents=True)
    project.existing_tables.write_text("CREATE TABLE old (id INT PRIMARY KEY);\n")
    (project.existing_schemas / "Shop-Main.sql").write_text(
        "-- MySQL dump\n/*!50503 SET NAMES utf8mb4 */;\nCREATE TABLE `Order-Items` (\n  `id` int PRIMARY KEY\n);\n"
    )
    assert mistake(written) is None
    with server.connect() as connection, connection.cursor() as cursor:
        assert not cursor.execute("SHOW DATABASES LIKE 'Shop-Main'")


def test_a_forgotten_right_to_a_table_of_another_schema_is_named(mistake: Mistake, tmp_path: Path) -> None:
    written = one_job(tmp_path, OTHER, tables={"Shop-Main.Order-Items": ("SELECT",)})
    written[0].existing_schemas.mkdir(parents=True)
    (written[0].existing_schemas / "Shop-Main.sql").write_text("CREATE TABLE `Order-Items` (id INT PRIMARY KEY);\n")
    found = mistake(written)
    assert found is not None
    assert "the job has no right to DELETE Order-Items" in found


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("SELEC id FROM parcel", "You have an error in your SQL syntax"),
        ("SELECT size FROM parcel", "Unknown column 'size'"),
    ],
)
def test_a_wrong_statement_is_located(mistake: Mistake, tmp_path: Path, statement: str, message: str) -> None:
    found = mistake(one_job(tmp_path, "SELECT 1", statement, tables={"parcel": ("SELECT",)}))
    assert found is not None
    assert found.startswith("lambda/jobs/moving.py, line 9: ")
    assert message in found


def test_an_error_of_the_job_is_located(mistake: Mistake, tmp_path: Path) -> None:
    found = mistake(one_job(tmp_path, tables={"parcel": ("SELECT",)}, body="    run.nothing"))
    assert found == "lambda/jobs/moving.py, line 7: AttributeError: 'Run' object has no attribute 'nothing'"


def test_a_wrong_migration_is_named_with_its_statement(mistake: Mistake, tmp_path: Path) -> None:
    found = mistake(one_job(tmp_path, tables={"parcel": ("SELECT",)}, migration="CREATE TABEL parcel (id INT);\n"))
    assert found is not None
    assert found.startswith("migrations/0001_parcel.sql, statement 1 of 1 failed: ")
    assert "CREATE TABEL parcel (id INT)\nCorrect it" in found


def test_what_is_left_open_is_named(mistake: Mistake, tmp_path: Path) -> None:
    body = "    import threading\n    threading.Timer(0.5, print).start()"
    found = mistake(one_job(tmp_path, tables={"parcel": ("SELECT",)}, body=body))
    assert found is not None
    assert found.startswith("lambda/jobs/moving.py leaves open: thread Thread-")
