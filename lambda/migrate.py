"""Deploy-time handler: applies migrations/*.sql once each, in order, then gives the jobs' database user its rights.

It runs before any schedule is live, with the master user's secret. A migration is never edited once applied: MySQL
commits each DDL statement by itself, so there is no going back, only forward with the next file.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql
from pymysql.cursors import Cursor

from configuration import RIGHTS, Database, Login, read_database, read_login, read_rights
from connection import Connection, connect
from credentials import Authentication
from deadline import Deadline, DeadlineExceeded, LambdaContext

FOLDER = Path(__file__).parent / "migrations"
LOCK = "mysql-jobs migrations"
LEDGER = {"ledger": RIGHTS}
"""What every run needs: it records itself, and takes old records away."""

logger = logging.getLogger("mysql_jobs")
logger.setLevel(logging.INFO)


class MigrationError(Exception):
    """The migrations can't be applied; the message names the file and, where one failed, the statement."""


@dataclass(frozen=True, kw_only=True)
class Migration:
    """One file of migrations/."""

    number: int
    name: str
    statements: tuple[str, ...]


def lambda_handler(_event: object, context: LambdaContext) -> dict[str, Any]:
    """Bring the database to what the deployed code needs; returns what was done. Safe to run again at any time.

    Raises:
        MigrationError: a file was changed after it was applied, is missing from the sequence, or failed; what was
            applied before it stays, and the next run continues there.
    """
    deadline = Deadline.of(context)
    migrations = read_migrations(FOLDER)
    rights = {**read_rights(os.environ), **LEDGER}
    jobs = read_login(os.environ, prefix="JOBS")
    database = read_database(os.environ)
    connection = connect(
        database=database,
        authentication=Authentication(login=read_login(os.environ), database=database),
        deadline=deadline,
        program_name=f"{context.function_name} {context.aws_request_id}",
    )
    try:
        with connection.cursor() as cursor, _lock(cursor, deadline):
            applied = apply(migrations, connection, cursor)
            _grant(cursor, jobs, rights, database, deadline)
    finally:
        connection.destroy()
    done = {"applied": applied, "at": migrations[-1].name if migrations else None}
    logger.info("migrated", extra=done)
    return done


def read_migrations(folder: Path) -> tuple[Migration, ...]:
    """The migrations in `folder`, numbered 1, 2, 3 … without a gap.

    Raises:
        MigrationError: a file's name is not like 0001_what_it_does.sql, a number is missing or taken twice, or a
            statement does not end with a semicolon at the end of a line.
    """
    migrations = []
    for number, file in enumerate(sorted(folder.glob("*.sql")), start=1):
        match = re.fullmatch(r"(\d{4})_[a-z0-9_]+\.sql", file.name)
        if not match:
            raise MigrationError(f"{file.name}: write a name like {number:04}_what_it_does.sql")
        if int(match[1]) != number:
            raise MigrationError(f"{file.name}: the next number in the sequence is {number:04}")
        statements = _statements(file.read_text(), file.name)
        migrations.append(Migration(number=number, name=file.stem, statements=statements))
    return tuple(migrations)


def apply(migrations: Sequence[Migration], connection: Connection, cursor: Cursor) -> list[str]:
    """Apply what the database has not seen yet; returns the names of the files applied.

    Raises:
        MigrationError: see `lambda_handler`.
    """
    cursor.execute(
        "CREATE TABLE IF NOT EXISTS migration ("
        " number INT UNSIGNED NOT NULL PRIMARY KEY,"
        " name VARCHAR(255) NOT NULL,"
        " checksum CHAR(64) NOT NULL,"  # of the statements applied so far
        " statements INT UNSIGNED NOT NULL,"  # how many: a file that failed halfway continues there
        " complete BOOLEAN NOT NULL,"
        " applied_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6))"
    )
    cursor.execute("SELECT number, name, checksum, statements, complete FROM migration ORDER BY number")
    seen = {row[0]: row[1:] for row in cursor.fetchall()}
    for number, (name, *_rest) in seen.items():
        if number > len(migrations):
            # CloudFormation rolls a failed deploy back with the code of the one before: that must not fail, too.
            logger.warning("%s.sql was applied to this database but is not in migrations/", name)
    applied = []
    for migration in migrations:
        name, checksum, statements, complete = seen.get(migration.number, (migration.name, _checksum(()), 0, False))
        same = (migration.name, _checksum(migration.statements[:statements])) == (name, checksum)
        if not same or (complete and len(migration.statements) != statements):
            where = "a new migration" if complete else "the same file after them"
            raise MigrationError(
                f"{migration.name}.sql differs from the {name}.sql that was applied to this database "
                f"({statements} statements): put them back and write what is new into {where}"
            )
        if not complete:
            _apply_one(migration, statements, connection, cursor)
            applied.append(migration.name)
    return applied


def _apply_one(migration: Migration, already: int, connection: Connection, cursor: Cursor) -> None:
    total = len(migration.statements)
    for count, statement in enumerate(migration.statements[already:], start=already + 1):
        with _named(f"{migration.name}.sql, statement {count} of {total}", statement):
            cursor.execute(statement)
        _record(migration, count, connection, cursor, complete=False)
    _record(migration, total, connection, cursor, complete=True)


def _record(migration: Migration, count: int, connection: Connection, cursor: Cursor, *, complete: bool) -> None:
    cursor.execute(
        "REPLACE INTO migration (number, name, checksum, statements, complete) VALUES (%s, %s, %s, %s, %s)",
        (migration.number, migration.name, _checksum(migration.statements[:count]), count, complete),
    )
    connection.commit()


def _grant(
    cursor: Cursor, jobs: Login, rights: dict[str, frozenset[str]], database: Database, deadline: Deadline
) -> None:
    """Make the jobs' user, or bring it up to date: its way to log in, and exactly these rights."""
    # Names can't be bound as parameters; user, database and tables are checked to be plain identifiers.
    user = f"`{jobs.user}`"
    if jobs.auth == "iam":
        # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.DBAccounts.html
        proof, parameters = "WITH AWSAuthenticationPlugin AS 'RDS'", None
    else:
        parameters = (Authentication(login=jobs, database=database).credentials(deadline).password,)
        proof = "BY %s"
    for verb in ("CREATE USER IF NOT EXISTS", "ALTER USER"):
        cursor.execute(f"{verb} {user} IDENTIFIED {proof} REQUIRE SSL", parameters)
    cursor.execute(
        "SELECT table_name, privilege_type FROM information_schema.table_privileges"
        " WHERE grantee = %s AND table_schema = %s",
        (f"'{jobs.user}'@'%'", database.name),
    )
    granted = set(cursor.fetchall())
    wanted = {(table, right) for table, each in rights.items() for right in each}
    # The difference only: a job that runs meanwhile must not be without its rights for a moment.
    for table, right in sorted(wanted - granted):
        with _named(f"granting a right to the table {table}", f"GRANT {right} ON {table}"):
            cursor.execute(f"GRANT {right} ON `{database.name}`.`{table}` TO {user}")
    for table, right in sorted(granted - wanted):
        cursor.execute(f"REVOKE {right} ON `{database.name}`.`{table}` FROM {user}")


@contextmanager
def _named(what: str, statement: str) -> Iterator[None]:
    """Say what failed; neither MySQL nor the deadline knows."""
    try:
        yield
    except (pymysql.MySQLError, DeadlineExceeded) as error:
        raise MigrationError(f"{what} failed: {error}\n{statement}") from error


def _checksum(statements: Sequence[str]) -> str:
    return hashlib.sha256(";\n".join(statements).encode()).hexdigest()


@contextmanager
def _lock(cursor: Cursor, deadline: Deadline) -> Iterator[None]:
    """Two deployments at once take turns."""
    cursor.execute("SELECT GET_LOCK(%s, %s)", (LOCK, deadline.require("waiting for another migration")))
    row = cursor.fetchone()
    if row != (1,):
        raise MigrationError("another deployment is migrating this database: wait for it, then deploy again")
    yield  # released with the connection


def _statements(text: str, file: str) -> tuple[str, ...]:
    lines = [line for line in text.split("\n") if line.strip() and not line.lstrip().startswith("--")]
    statements = re.split(r";[ \t]*\n", "\n".join(lines) + "\n")
    if statements.pop().strip():
        raise MigrationError(f"{file}: the last statement has no semicolon at its end")
    if not statements:
        raise MigrationError(f"{file}: there is no statement in it")
    return tuple(statement.strip() for statement in statements)
