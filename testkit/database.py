"""A schema of a test's own, with the migrations applied and a user that has one job's rights."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any
from unittest import mock

import pymysql

from local.existing_tables import make_existing_tables
from local.mysql_server import MySQLServer
from mysql_jobs import migrate, migration_files
from mysql_jobs.credentials import Credentials
from mysql_jobs.table_name import quoted
from settings.job_module import Rights
from settings.job_users import JobUser, rights_text
from settings.project import Project
from testkit.function import Context, configured

MIGRATE_SECONDS = 60
_numbers = itertools.count(1)


@contextmanager
def new_database(server: MySQLServer, project: Project) -> Iterator[Database]:
    """A schema on `server` for the jobs of `project`, with the tables that were there before; afterwards it is gone."""
    database = Database(server, project, f"kit_{next(_numbers)}")
    with closing(server.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {database.name}")
        others = make_existing_tables(cursor, project, database.name)
        try:
            yield database
        finally:
            for each in others:
                cursor.execute(f"DROP DATABASE {quoted(each)}")
            cursor.execute(f"DROP DATABASE {database.name}")
            cursor.execute(f"DROP USER IF EXISTS {database.user}")


class Database:
    """A schema, as the administrator sees it, and a job's user in it: one job works with it at a time.

    Attributes:
        name: the schema's.
        user: whom the job logs in as; it has the rights that `migrate` gave it last.
    """

    def __init__(self, server: MySQLServer, project: Project, name: str) -> None:
        """The schema `name` on `server`, whose tables the migrations of `project` make."""
        self.name = name
        self.user = f"{name}_job"
        self._server = server
        self._project = project
        self._rights: Rights | None = None
        self._secrets = {
            "administrator": Credentials(server.user, server.password),
            "secret of/job": Credentials(self.user, secrets.token_urlsafe(24)),
        }

    @property
    def server(self) -> MySQLServer:
        """The server that it is on."""
        return self._server

    @property
    def login(self) -> Credentials:
        """What the job logs in with."""
        return self._secrets["secret of/job"]

    def insert(self, table: str, rows: Iterable[Mapping[str, object]]) -> None:
        """Insert `rows`, each with its values by column."""
        with closing(self.connect()) as connection, connection.cursor() as cursor:
            connection.begin()
            for row in rows:
                columns = ", ".join(f"`{column}`" for column in row)
                marks = ", ".join(["%s"] * len(row))
                cursor.execute(f"INSERT INTO `{table}` ({columns}) VALUES ({marks})", tuple(row.values()))
            connection.commit()

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """What `statement` returns, with `values` for its %s. Write %% for a percent sign if there are values."""
        with closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return list(cursor.fetchall())

    def connect(self) -> pymysql.Connection[Any]:
        """A connection to the schema, like that of another program that writes to it: the caller closes it.

        It commits each statement, is in UTC as those of the runs are, and waits no longer than 1 s for a lock.
        """
        connection = self._server.connect()
        connection.select_db(self.name)
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION time_zone = '+00:00', innodb_lock_wait_timeout = 1")
        return connection

    def migrate(self, rights: Rights) -> None:
        """Apply the migrations, and give the job's user exactly `rights`, as the deployment does.

        Raises:
            MigrationError: a migration failed, or there is no table for a right.
        """
        if rights == self._rights:
            return
        context = Context.of("test-migrate", "migrate", seconds=MIGRATE_SECONDS)
        variables = {
            "DATABASE_USER": self._server.user,
            "DATABASE_SECRET": "administrator",
            "RIGHTS": rights_text([JobUser(job="job", user=self.user, connections=0, rights=rights)]),
            "JOBS_AUTH": "secret",
            "JOBS_SECRETS": "secret of/",
        }
        self._rights = None  # as long as it is not known what was granted
        with self.function(variables), mock.patch.dict(migration_files.FOLDERS, project=self._project.migrations):
            migrate.lambda_handler({}, context)
        self._rights = rights

    def function(self, variables: Mapping[str, str]) -> AbstractContextManager[None]:
        """Within, this process is a function on this database, which logs in as the job does."""
        database = {
            "AWS_REGION": "eu-central-1",
            "DATABASE_HOST": self._server.host,
            "DATABASE_PORT": str(self._server.port),
            "DATABASE_NAME": self.name,
            "DATABASE_ENDPOINT": "instance",
            "DATABASE_CERTIFICATES": str(self._server.certificate_authority),
            "DATABASE_USER": self.user,
            "DATABASE_AUTH": "secret",
            "DATABASE_SECRET": "secret of/job",
        }
        return configured({**database, **variables}, self._secrets)
