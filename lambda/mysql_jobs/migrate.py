"""The handler that migrates the database at deploy: applies each migration once, in order, and makes the jobs' users.

It runs before any schedule is live, with the master user's secret. A migration is never edited once applied: MySQL
commits each DDL statement by itself, so nothing can be rolled back; a further migration corrects it.

A run can end at any moment, also between a statement and its record. The next one finds the marker of that statement in
the log, and goes on if what became of it is certain; else it stops, until a person says it (make migrate-resolve).
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pymysql
from pymysql.constants import ER
from pymysql.cursors import Cursor

from mysql_jobs import doctor, interrupted_statement, job_users
from mysql_jobs.configuration import (
    Database,
    read_connections_needed,
    read_database,
    read_job_users,
    read_login,
    read_origin,
    read_own_schema,
)
from mysql_jobs.connection import OutcomeUnknownError, connect
from mysql_jobs.credentials import Authentication
from mysql_jobs.deadline import Deadline, DeadlineExceeded, LambdaContext
from mysql_jobs.migration_files import FOLDERS, Migration, MigrationError, Origin, checksum, file_of, read_migrations
from mysql_jobs.migration_log import Applied, Marker, MigrationLog, Statement
from mysql_jobs.table_name import quoted

LOCK = "mysql-jobs migrations"
REPORT_SECONDS = 5.0
"""What is left of the run's time for saying that another one has the lock."""
METADATA_LOCK_SECONDS = 5
"""How long a statement waits for its table. Meanwhile every other that comes to the table waits behind it, in line:
https://dev.mysql.com/doc/refman/8.4/en/metadata-locking.html"""
PAUSE_SECONDS = 10.0
"""How long those get then, before it is tried again."""
IN_EFFECT_ALREADY = {
    ER.BAD_TABLE_ERROR,
    ER.CANT_DROP_FIELD_OR_KEY,
    ER.DUP_FIELDNAME,
    ER.DUP_KEYNAME,
    ER.TABLE_EXISTS_ERROR,
}
"""How a server refuses a statement that is in effect."""

logger = logging.getLogger("mysql_jobs")
logger.setLevel(logging.INFO)


def lambda_handler(event: object, context: LambdaContext) -> dict[str, Any]:
    """Bring the database to what the deployed code needs, and return what was done. Idempotent.

    An `event` {"resolve": "migrations/0003_x.sql", "statement": "applied" or "rolled-back"} says instead what became of
    the statement of that file which was interrupted; nothing is migrated then. {"doctor": true} asks what is not right
    about the database, and changes nothing. A database that was there before is asked that first in any case.

    Raises:
        DoctorError: a database that was there before is not what the jobs need; nothing was changed.
        MigrationError: a file was changed after it was applied, a statement failed, or one was interrupted and nobody
            knows what became of it; what was applied before it stays, and the next run continues there. Or a user
            that should be a job's is somebody else's: then nothing was changed.
    """
    deadline = Deadline.of(context)
    migrations = [each for origin, folder in FOLDERS.items() for each in read_migrations(folder, origin)]
    database, own_schema = read_database(os.environ), read_own_schema(os.environ)
    users = read_job_users(os.environ)
    authentication = Authentication(login=read_login(os.environ), database=database)
    program_name = f"{context.function_name} {context.aws_request_id}"
    asked: Mapping[str, object] = event if isinstance(event, Mapping) else {}
    if "doctor" in asked or (read_origin(os.environ) == "existing" and "resolve" not in asked):
        findings = doctor.examine(
            wanted=doctor.Wanted(
                database=database,
                own_schema=own_schema,
                users={each.login.user: each.login.auth for each in users},
                tables=job_users.tables(users),
                connections=read_connections_needed(os.environ),
                migrations=[text for each in migrations if each.origin == "project" for text in each.statements],
            ),
            authentication=authentication,
            deadline=deadline,
            program_name=program_name,
        )
        for each in findings:
            logger.warning("the doctor: %s", each)
        if "doctor" in asked:
            return {"findings": [each._asdict() for each in findings]}
        doctor.refuse(findings)
    connection = connect(database=database, authentication=authentication, deadline=deadline, program_name=program_name)
    done: dict[str, Any]
    try:
        with connection.cursor() as cursor:
            # A server of others may have another engine for what says none: then nothing would be a transaction.
            limits = "SET SESSION lock_wait_timeout = %s, default_storage_engine = InnoDB"
            cursor.execute(limits, (METADATA_LOCK_SECONDS,))
            schemas = _schemas(cursor, database, own_schema)
            log = MigrationLog(connection, cursor, own_schema)
            log.create()
            with _lock(cursor, log, deadline):
                if "resolve" in asked:
                    done = resolve(log, asked)
                else:
                    job_users.refuse_others(cursor, users, own_schema)
                    done = {"applied": apply(migrations, log, cursor, deadline, schemas)}
                    job_users.update(cursor, users, database, deadline, own_schema=own_schema)
    finally:
        connection.destroy()
    logger.info("migrated" if "applied" in done else "resolved", extra=done)
    return done


def _schemas(cursor: Cursor, database: Database, own_schema: str) -> Mapping[Origin, str]:
    """Make the engine's own schema, if it has one; return what each sequence of migrations works in.

    Nothing is returned where both work in the schema that the session has anyway.
    """
    if own_schema == database.name:
        return {}
    # Said, as the server's default is whatever its owner needs.
    cursor.execute(f"CREATE DATABASE IF NOT EXISTS {quoted(own_schema)} CHARACTER SET utf8mb4")
    return {"engine": own_schema, "project": database.name}


def apply(
    migrations: Sequence[Migration],
    log: MigrationLog,
    cursor: Cursor,
    deadline: Deadline,
    schemas: Mapping[Origin, str] = {},
) -> list[str]:
    """Apply the migrations that the database does not have yet, before `deadline`, and return their files.

    Those of each sequence work in their schema in `schemas`, or in the session's.

    Raises:
        MigrationError: see `lambda_handler`.
    """
    here = {(each.origin, each.number) for each in migrations}
    for marker in log.markers():
        _enter(cursor, schemas, marker.statement.origin)
        _settle(marker, log, cursor, is_here=(marker.statement.origin, marker.statement.migration) in here)
    seen = log.applied()
    for key, before in seen.items():
        if key not in here:
            # Not an error: CloudFormation rolls a failed deploy back with the code of the one before.
            logger.warning(
                "%s was applied to this database, but this version does not have it", file_of(key[0], before.name)
            )
    applied = []
    for migration in migrations:
        nothing = Applied(name=migration.name, checksum=checksum(()), statements=0, complete=False)
        before = seen.get((migration.origin, migration.number), nothing)
        _check_unchanged(migration, before)
        if not before.complete:
            _enter(cursor, schemas, migration.origin)
            for number in range(before.statements + 1, len(migration.statements) + 1):
                _apply_one(Statement.of(migration, number), log, cursor, deadline)
            log.complete(Statement.of(migration, len(migration.statements)))
            applied.append(migration.file)
    return applied


def _enter(cursor: Cursor, schemas: Mapping[Origin, str], origin: Origin) -> None:
    if origin in schemas:
        cursor.execute(f"USE {quoted(schemas[origin])}")


def resolve(log: MigrationLog, event: Mapping[str, object]) -> dict[str, Any]:
    """Take a person's word for what became of an interrupted statement, or one that failed; return which one it was.

    Raises:
        MigrationError: there is no such statement, or the event has no such word.
    """
    file, fate = event["resolve"], event.get("statement")
    markers = {marker.statement.file: marker for marker in log.markers()}
    if file not in markers:
        there = f"there are: {', '.join(markers)}" if markers else "there are none"
        raise MigrationError(f"{file} has no statement that was interrupted or failed; {there}")
    statement = markers[file].statement
    match fate:
        case "applied":
            log.record(statement)
        case "rolled-back":
            log.forget(statement)
        case _:
            raise MigrationError(f"the statement is {fate!r}: write applied, if it is in effect, or rolled-back")
    return {"resolved": str(statement), "statement": fate, "text": statement.text}


def _check_unchanged(migration: Migration, before: Applied) -> None:
    same = (migration.name, checksum(migration.statements[: before.statements])) == (before.name, before.checksum)
    if not same or (before.complete and len(migration.statements) != before.statements):
        where = "a new migration" if before.complete else "the same file after them"
        raise MigrationError(
            f"{migration.file} differs from the {before.name}.sql that was applied to this database "
            f"({before.statements} statements): restore them and write what is new into {where}"
        )


def _apply_one(statement: Statement, log: MigrationLog, cursor: Cursor, deadline: Deadline) -> None:
    log.begin(statement, interrupted_statement.table_definitions(cursor))
    try:
        while not _executed(statement, cursor, deadline):
            logger.warning("%s waits for a table that is in use; others get %s s", statement, PAUSE_SECONDS)
            time.sleep(PAUSE_SECONDS)
    except (pymysql.MySQLError, DeadlineExceeded) as error:
        raise MigrationError(
            f"{statement} failed: {error}\n{statement.text}\n{_next(error, statement, log)}"
        ) from error
    log.record(statement)


def _executed(statement: Statement, cursor: Cursor, deadline: Deadline) -> bool:
    """Execute a statement; return False if its table was in use for too long, nothing of it is done, and time is left.

    Raises:
        DeadlineExceeded, pymysql.MySQLError: it failed.
    """
    try:
        cursor.execute(statement.text)
        while cursor.nextset():  # an error of a procedure may come after its first result
            pass
    except pymysql.err.OperationalError as error:
        again = error.args[:1] == (ER.LOCK_WAIT_TIMEOUT,) and not interrupted_statement.PROCEDURE.match(statement.text)
        if not again or deadline.remaining() < PAUSE_SECONDS + METADATA_LOCK_SECONDS + REPORT_SECONDS:
            raise
        return False
    return True


def _next(error: Exception, statement: Statement, log: MigrationLog) -> str:
    """Note that the server refused the statement, if it did, and return what to do."""
    try:
        log.refused(statement)
    except (pymysql.MySQLError, DeadlineExceeded, OutcomeUnknownError):
        return (
            "The connection was lost before the server answered: the next deploy finds out what became of it, or asks"
        )
    if IN_EFFECT_ALREADY.intersection(error.args[:1]):
        return (
            "Correct it, and deploy again. If it is in effect already, as an engine without markers was killed before "
            f"it had recorded it: `{_command(statement, 'applied')}`"
        )
    return "Correct it, and deploy again"


def _settle(marker: Marker, log: MigrationLog, cursor: Cursor, *, is_here: bool) -> None:
    """Decide what became of a statement in progress, if that is certain.

    Raises:
        MigrationError: it isn't.
    """
    statement = marker.statement
    if not is_here:
        # Not an error, either: see `apply`.
        logger.warning("%s was not recorded as applied, and this version does not have it", statement)
        return
    if marker.outcome == "failed":
        return
    changed = interrupted_statement.changed_tables(cursor, marker)
    what = f"{statement}, began at {marker.began_at:%Y-%m-%d %H:%M:%S} UTC and was interrupted"
    since = f"the tables that changed since: {', '.join(changed)}" if changed else "no table's definition changed since"
    match interrupted_statement.fate(cursor, marker, changed):
        case "applied":
            log.record(statement)
            logger.warning("%s; it is in effect (%s)", what, since)
        case "rolled back":
            log.forget(statement)
            logger.warning("%s; nothing of it is in effect (%s), so it is applied now", what, since)
        case None:
            raise MigrationError(
                f"{what}; whether it is in effect is not known ({since}). Find out, say it, and deploy again: "
                f"`{_command(statement, 'applied')}` if it is, `{_command(statement, 'rolled-back')}` if not; "
                f"docs/operations.md, “When a migration fails at deploy”\n{statement.text}"
            )


def _command(statement: Statement, fate: str) -> str:
    return f"make migrate-resolve ENV=<environment> MIGRATION={statement.file} STATEMENT={fate}"


@contextmanager
def _lock(cursor: Cursor, log: MigrationLog, deadline: Deadline) -> Iterator[None]:
    """Take an advisory lock: two deploys at once migrate one after the other.

    A run that was killed has it, too, as long as the server works on its statement.
    """
    seconds = max(0.0, deadline.require("waiting for another migration") - REPORT_SECONDS)
    cursor.execute("SELECT GET_LOCK(%s, %s), IS_USED_LOCK(%s)", (LOCK, seconds, LOCK))
    [(taken, holder)] = cursor.fetchall()
    if taken != 1:
        at_work = [f"at {each.statement}\n{each.statement.text}" for each in log.markers() if each.outcome != "failed"]
        raise MigrationError(
            f"another deployment is migrating this database, or one that was killed still is (session {holder}): wait "
            f"until it has ended, then deploy again. It is {' and '.join(at_work) or 'at no statement'}"
        )
    yield  # the lock is released with the connection
