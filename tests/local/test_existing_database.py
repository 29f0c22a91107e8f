"""An environment with a database that is there, on this machine: jobs run on it, and no database is made beside it."""

import shutil
from collections.abc import Iterator

import pytest
from pymysql.cursors import Cursor

from local.environment import LocalEnvironment, deployed
from settings.project import Project
from tests.fixture import PROJECT, VARIANTS

pytestmark = pytest.mark.deployment

NAME = "joined"
TIME = "2026-11-27T08:00:00Z"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEnvironment]:
    """A cluster, through a proxy, with passwords: as much as there can be."""
    folder = tmp_path_factory.mktemp("existing")
    project = Project(shutil.copytree(PROJECT.folder, folder / "project"))
    for file in project.environments.iterdir():
        file.unlink()
    for file in (VARIANTS / f"{NAME}.toml", VARIANTS / "company.pem"):
        shutil.copy(file, project.environments)
    with deployed(folder, project=project, name=NAME, progress=print) as environment:
        yield environment


def test_a_job_runs_on_it(environment: LocalEnvironment) -> None:
    event = {"job": "pulse", "scheduled_time": TIME, "execution_id": "one"}
    assert environment.invoke(f"{NAME}-pulse", event)["outcome"] == "done"
    variables = environment.variables(f"{NAME}-pulse")
    assert (variables["DATABASE_HOST"], variables["DATABASE_NAME"]) == (environment.server.host, "orders")
    assert variables["OWN_SCHEMA"] == f"mysql_jobs_{NAME}"


def test_aws_has_no_database_that_was_made_for_it(environment: LocalEnvironment) -> None:
    rds = environment.emulator.client("rds")
    assert rds.describe_db_instances()["DBInstances"] == []
    assert rds.describe_db_clusters()["DBClusters"] == []


def test_the_stacks_go_and_what_is_in_the_database_stays(environment: LocalEnvironment) -> None:
    with environment.server.connect() as connection, connection.cursor() as cursor:
        before = _content(cursor)
        environment.cli.destroy(NAME)
        assert _content(cursor) == before
    tables, users = before
    assert (tables["pulse"], tables["ledger"]) == (1, 1)
    assert set(users) - {"admin", "mysql.infoschema", "mysql.session", "mysql.sys"}


def _content(cursor: Cursor) -> tuple[dict[str, int], list[str]]:
    """The tables with how many rows they have, and the users."""
    cursor.execute(
        "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema NOT IN "
        "('information_schema', 'mysql', 'performance_schema', 'sys')"
    )
    tables = cursor.fetchall()
    rows = {}
    for schema, table in tables:
        cursor.execute(f"SELECT COUNT(*) FROM `{schema}`.`{table}`")
        [rows[table]] = cursor.fetchone() or (0,)
    cursor.execute("SELECT user FROM mysql.user ORDER BY user")
    return rows, [user for (user,) in cursor.fetchall()]
