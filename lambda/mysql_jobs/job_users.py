"""The jobs' database users: one for each job, with exactly the rights that it needs (least privilege).

A user that is ours says so in its attribute, with the schema of the ledger that goes with it: of one database,
several environments may have adopted the same schema of jobs. No other user is ever changed or
dropped. Only differences are executed, so a run that goes on meanwhile keeps its rights at every moment, and a
thousand users cost as much as what changed of them.

The migrations run before the functions are updated, and after a deploy that fails, CloudFormation brings the functions
of before back. So the user of a job that is gone stays for `GRACE`, for code that may still run, or return.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pymysql
from pymysql.cursors import Cursor

from mysql_jobs.configuration import Database, JobUser
from mysql_jobs.credentials import Authentication
from mysql_jobs.deadline import Deadline, DeadlineExceeded
from mysql_jobs.migration_files import MigrationError
from mysql_jobs.table_name import quoted, split

GRACE = timedelta(days=7)
"""How long the user of a job that is gone stays. Its own runs end after 15 minutes; a deploy of which a part has
failed is repaired within days."""
IAM_PLUGIN = "AWSAuthenticationPlugin"

USERS = """
SELECT user, host, plugin, ssl_type, max_user_connections, user_attributes->'$.metadata.mysql_jobs' FROM mysql.user
"""
# On columns, tables, schemas and the server: a right that somebody has granted by hand shall not stay, wherever it is.
GRANTED = """
SELECT grantee, CONCAT('`', REPLACE(table_schema, '`', '``'), '`.`', REPLACE(table_name, '`', '``'), '`'),
CONCAT(privilege_type, ' (`', REPLACE(column_name, '`', '``'), '`)') FROM information_schema.column_privileges
UNION ALL
SELECT grantee, CONCAT('`', REPLACE(table_schema, '`', '``'), '`.`', REPLACE(table_name, '`', '``'), '`'),
privilege_type FROM information_schema.table_privileges
UNION ALL
SELECT grantee, CONCAT('`', REPLACE(table_schema, '`', '``'), '`.*'), privilege_type
FROM information_schema.schema_privileges
UNION ALL
SELECT grantee, '*.*', privilege_type FROM information_schema.user_privileges WHERE privilege_type <> 'USAGE'
"""

logger = logging.getLogger("mysql_jobs")


class Known(NamedTuple):
    """A user that is on the server."""

    host: str
    plugin: str
    ssl_type: str
    connections: int
    """How many it may have at once; 0 for no limit."""
    note: Mapping[str, Any]
    """What its attribute says of us; empty if it isn't ours."""


def refuse_others(cursor: Cursor, users: Sequence[JobUser], own_schema: str) -> None:
    """Make sure that no user of these names is on the server but those that the migrations with `own_schema` made.

    Raises:
        MigrationError: there are some; the message names them all.
    """
    if found := others(cursor, [each.login.user for each in users], own_schema):
        foreign = sorted({name for name, _ in found})
        raise MigrationError(
            f"this server has the users {', '.join(foreign)} already, and they are not of the migrations of the schema "
            f"{own_schema}: they are left as they are. Rename or drop them, if nobody needs them, or rename the jobs"
        )


def others(cursor: Cursor, names: Collection[str], own_schema: str) -> list[tuple[str, str]]:
    """Return the users of these names, each with its host, that no migrations with `own_schema` made."""
    return sorted(
        (name, each.host) for name, each in _known(cursor) if name in names and not _is_ours(each, own_schema)
    )


def tables(users: Sequence[JobUser]) -> dict[str, frozenset[str]]:
    """Return what all of them together need, by table."""
    found: dict[str, frozenset[str]] = {}
    for user in users:
        for table, rights in user.rights.items():
            found[table] = found.get(table, frozenset()) | rights
    return found


def update(
    cursor: Cursor, users: Sequence[JobUser], database: Database, deadline: Deadline, *, own_schema: str
) -> None:
    """Make the jobs' users what `users` say, and drop those whose jobs are gone for long.

    Raises:
        MigrationError: a right can't be granted, as there is no such table for instance; or see `refuse_others`.
    """
    refuse_others(cursor, users, own_schema)
    known = {name: each for name, each in _known(cursor) if _is_ours(each, own_schema)}
    for each in users:
        _make(cursor, each, known.get(each.login.user), database, deadline, own_schema=own_schema)
    _grant(cursor, users, database.name, own_schema)
    wanted = {each.login.user for each in users}
    for name in sorted(known.keys() - wanted):
        _leave(cursor, name, known[name])


def _known(cursor: Cursor) -> list[tuple[str, Known]]:
    cursor.execute(USERS)
    return [
        (name, Known(host, plugin, ssl_type, connections, json.loads(note or "{}")))
        for name, host, plugin, ssl_type, connections, note in cursor.fetchall()
    ]


def _is_ours(user: Known, schema: str) -> bool:
    # Of the same name at another host, it would be somebody else's: ours may come from everywhere.
    return user.host == "%" and user.note.get("schema") == schema


def _make(
    cursor: Cursor, user: JobUser, known: Known | None, database: Database, deadline: Deadline, *, own_schema: str
) -> None:
    """Create a user, or alter one of ours that differs."""
    note: dict[str, str | None] = {"schema": own_schema, "job": user.job}
    if user.login.auth == "iam":
        # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.DBAccounts.html
        if known == Known("%", IAM_PLUGIN, "ANY", user.connections, note):
            return
        method, password = f"WITH {IAM_PLUGIN} AS 'RDS'", []
    else:
        # Each time: what the server knows of a password can't be compared with it.
        method = "BY %s"
        password = [Authentication(login=user.login, database=database).credentials(deadline).password]
    if known is None:
        verb = "CREATE"
        logger.info("makes the database user %s", user.login.user)
    else:
        verb, note["gone_since"] = "ALTER", None  # null takes it out: the job is back
    # Names can't be bound as parameters; `configuration` has checked them.
    cursor.execute(
        f"{verb} USER `{user.login.user}` IDENTIFIED {method} REQUIRE SSL"
        f" WITH MAX_USER_CONNECTIONS {user.connections} ATTRIBUTE %s",
        (*password, json.dumps({"mysql_jobs": note})),
    )


def _grant(cursor: Cursor, users: Sequence[JobUser], schema: str, own_schema: str) -> None:
    """Grant the rights that `users` lack, and revoke those that no job needs."""
    cursor.execute(GRANTED)
    found: dict[str, set[tuple[str, str]]] = {}
    for grantee, place, right in cursor.fetchall():
        found.setdefault(grantee, set()).add((place, right))
    for user in users:
        name = user.login.user
        granted = found.get(f"'{name}'@'%'", set())
        needed = {quoted(*split(table, schema)): rights for table, rights in user.rights.items()}
        needed |= {quoted(own_schema, table): rights for table, rights in user.own.items()}
        wanted = {(place, right) for place, rights in needed.items() for right in rights}
        for place, rights in _by_place(wanted - granted):
            statement = f"GRANT {rights} ON {place} TO `{name}`"
            try:
                cursor.execute(statement)
            except (pymysql.MySQLError, DeadlineExceeded) as error:
                raise MigrationError(f"granting {rights} on {place} to {name} failed: {error}\n{statement}") from error
        for place, rights in _by_place(granted - wanted):
            cursor.execute(f"REVOKE {rights} ON {place} FROM `{name}`")


def _by_place(rights: set[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return what to say of each place: all its rights in one statement."""
    places = sorted({place for place, _ in rights})
    return [(place, ", ".join(sorted(right for each, right in rights if each == place))) for place in places]


def _leave(cursor: Cursor, name: str, user: Known) -> None:
    """Note that a user's job is gone; drop it if that is so since `GRACE`."""
    now = datetime.now(UTC)
    since = user.note.get("gone_since")
    if since is None:
        logger.info("the job of the database user %s is gone: it goes in %s days", name, GRACE.days)
        note = {"mysql_jobs": {**user.note, "gone_since": now.isoformat(timespec="seconds")}}
        cursor.execute(f"ALTER USER `{name}` ATTRIBUTE %s", (json.dumps(note),))
    elif now - datetime.fromisoformat(since) >= GRACE:
        logger.info("drops the database user %s, whose job is gone since %s", name, since)
        cursor.execute(f"DROP USER `{name}`")
