"""The handler that migrates the database at deploy: applies each migration once, in order, and grants the jobs' rights.

There are two sequences, each numbered from 0001: the engine's (mysql_jobs/migrations/), applied first, and the
project's (migrations/). So a later version of the engine can bring migrations without renumbering the project's.

It runs before any schedule is live, with the master user's secret. A migration is never edited once applied: MySQL
commits each DDL statement by itself, so nothing can be rolled back; a further migration corrects it.
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
from typing import Any, Literal

import pymysql
from pymysql.cursors import Cursor

from mysql_jobs.configuration import RIGHTS, Database, Login, read_database, read_login, read_rights
from mysql_jobs.connection import Connection, connect
from mysql_jobs.credentials import Authentication
from mysql_jobs.deadline import Deadline, DeadlineExceeded, LambdaContext

Origin = Literal["engine", "project"]
FOLDERS: dict[Origin, Path] = {
    "engine": Path(__file__).parent / "migrations",
    "project": Path(__file__).parents[1] / "migrations",
}
LOCK = "mysql-jobs migrations"
LEDGER = {"ledger": RIGHTS}
"""The rights that every run needs: it records itself, and deletes old records."""

logger = logging.getLogger("mysql_jobs")
logger.setLevel(logging.INFO)


class MigrationError(Exception):
    """The migrations can't be applied; the message names the file and, if one failed, the statement."""


@dataclass(frozen=True, kw_only=True)
class Migration:
    """One migration: a file of one of the two sequences."""

    origin: Origin
    """Whose sequence it belongs to."""
    number: int
    name: str
    statements: tuple[str, ...]

    @property
    def file(self) -> str:
        """The file's path in the function's zip, for messages."""
        return _file(self.origin, self.name)


def lambda_handler(_event: object, context: LambdaContext) -> dict[str, Any]:
    """Bring the database to what the deployed code needs, and return what was done. Idempotent.

    Raises:
        MigrationError: a file was changed after it was applied, or a statement failed; what was applied before it
            stays, and the next run continues there.
    """
    deadline = Deadline.of(context)
    migrations = [each for origin, folder in FOLDERS.items() for each in read_migrations(folder, origin)]
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
    done = {"applied": applied}
    logger.info("migrated", extra=done)
    return done


def read_migrations(folder: Path, origin: Origin) -> tuple[Migration, ...]:
    """Return the migrations in `folder`: 0001_what_it_does.sql and so on; synth has checked their names.

    Raises:
        MigrationError: a statement does not end with a semicolon at the end of a line.
    """
    return tuple(
        Migration(
            origin=origin,
            number=int(file.name.partition("_")[0]),
            name=file.stem,
            statements=_statements(file.read_text(), _file(origin, file.stem)),
        )
        for file in sorted(folder.glob("*.sql"))
    )


def apply(migrations: Sequence[Migration], connection: Connection, cursor: Cursor) -> list[str]:
    """Apply the migrations that the database does not have yet, and return their files.

    Raises:
        MigrationError: see `lambda_handler`.
    """
    cursor.execute(
        "CREATE TABLE IF NOT EXISTS migration ("
        " origin ENUM('engine', 'project') NOT NULL,"
        " number INT UNSIGNED NOT NULL,"
        " name VARCHAR(255) NOT NULL,"
        " checksum CHAR(64) NOT NULL,"  # of the statements applied so far
        " statements INT UNSIGNED NOT NULL,"  # how many were applied: a file that failed continues after them
        " complete BOOLEAN NOT NULL,"
        " applied_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),"
        " PRIMARY KEY (origin, number))"
    )
    cursor.execute("SELECT origin, number, name, checksum, statements, complete FROM migration ORDER BY origin, number")
    seen = {row[:2]: row[2:] for row in cursor.fetchall()}
    here = {(each.origin, each.number) for each in migrations}
    for key, (name, *_rest) in seen.items():
        if key not in here:
            # Not an error: CloudFormation rolls a failed deploy back with the code of the one before.
            logger.warning("%s was applied to this database, but this version does not have it", _file(key[0], name))
    applied = []
    for migration in migrations:
        name, checksum, statements, complete = seen.get(
            (migration.origin, migration.number), (migration.name, _checksum(()), 0, False)
        )
        same = (migration.name, _checksum(migration.statements[:statements])) == (name, checksum)
        if not same or (complete and len(migration.statements) != statements):
            where = "a new migration" if complete else "the same file after them"
            raise MigrationError(
                f"{migration.file} differs from the {name}.sql that was applied to this database "
                f"({statements} statements): restore them and write what is new into {where}"
            )
        if not complete:
            _apply_one(migration, statements, connection, cursor)
            applied.append(migration.file)
    return applied


def _apply_one(migration: Migration, already: int, connection: Connection, cursor: Cursor) -> None:
    total = len(migration.statements)
    for count, statement in enumerate(migration.statements[already:], start=already + 1):
        with _named(f"{migration.file}, statement {count} of {total}", statement):
            cursor.execute(statement)
        _record(migration, count, connection, cursor, complete=False)
    _record(migration, total, connection, cursor, complete=True)


def _record(migration: Migration, count: int, connection: Connection, cursor: Cursor, *, complete: bool) -> None:
    cursor.execute(
        "REPLACE INTO migration (origin, number, name, checksum, statements, complete) VALUES (%s, %s, %s, %s, %s, %s)",
        (migration.origin, migration.number, migration.name, _checksum(migration.statements[:count]), count, complete),
    )
    connection.commit()


def _grant(
    cursor: Cursor, jobs: Login, rights: dict[str, frozenset[str]], database: Database, deadline: Deadline
) -> None:
    """Create the jobs' user, or update it: how it authenticates, and exactly these rights (least privilege)."""
    # Names can't be bound as parameters; `configuration` has checked that they are plain identifiers.
    user = f"`{jobs.user}`"
    if jobs.auth == "iam":
        # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.DBAccounts.html
        method, parameters = "WITH AWSAuthenticationPlugin AS 'RDS'", None
    else:
        parameters = (Authentication(login=jobs, database=database).credentials(deadline).password,)
        method = "BY %s"
    for verb in ("CREATE USER IF NOT EXISTS", "ALTER USER"):
        cursor.execute(f"{verb} {user} IDENTIFIED {method} REQUIRE SSL", parameters)
    cursor.execute(
        "SELECT table_name, privilege_type FROM information_schema.table_privileges"
        " WHERE grantee = %s AND table_schema = %s",
        (f"'{jobs.user}'@'%'", database.name),
    )
    granted = set(cursor.fetchall())
    wanted = {(table, right) for table, each in rights.items() for right in each}
    # Only the difference: a job that runs meanwhile keeps its rights at every moment.
    for table, right in sorted(wanted - granted):
        with _named(f"granting {right} on the table {table}", f"GRANT {right} ON {table}"):
            cursor.execute(f"GRANT {right} ON `{database.name}`.`{table}` TO {user}")
    for table, right in sorted(granted - wanted):
        cursor.execute(f"REVOKE {right} ON `{database.name}`.`{table}` FROM {user}")


@contextmanager
def _named(what: str, statement: str) -> Iterator[None]:
    """Add to an error what failed, and the statement."""
    try:
        yield
    except (pymysql.MySQLError, DeadlineExceeded) as error:
        raise MigrationError(f"{what} failed: {error}\n{statement}") from error


def _file(origin: Origin, name: str) -> str:
    return f"{'mysql_jobs/' if origin == 'engine' else ''}migrations/{name}.sql"


def _checksum(statements: Sequence[str]) -> str:
    return hashlib.sha256(";\n".join(statements).encode()).hexdigest()


@contextmanager
def _lock(cursor: Cursor, deadline: Deadline) -> Iterator[None]:
    """Take an advisory lock: two deploys at once migrate one after the other."""
    cursor.execute("SELECT GET_LOCK(%s, %s)", (LOCK, deadline.require("waiting for another migration")))
    row = cursor.fetchone()
    if row != (1,):
        raise MigrationError("another deployment is migrating this database: wait for it, then deploy again")
    yield  # the lock is released with the connection


def _statements(text: str, file: str) -> tuple[str, ...]:
    lines = [line for line in text.split("\n") if line.strip() and not line.lstrip().startswith("--")]
    statements = re.split(r";[ \t]*\n", "\n".join(lines) + "\n")
    if statements.pop().strip():
        raise MigrationError(f"{file}: the last statement has no semicolon at its end")
    if not statements:
        raise MigrationError(f"{file}: there is no statement in it")
    return tuple(statement.strip() for statement in statements)
