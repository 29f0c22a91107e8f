"""The jobs' database user: how it logs in, and exactly the rights that the jobs need (least privilege)."""

from __future__ import annotations

from collections.abc import Mapping

import pymysql
from pymysql.cursors import Cursor

from mysql_jobs.configuration import Database, Login
from mysql_jobs.credentials import Authentication
from mysql_jobs.deadline import Deadline, DeadlineExceeded
from mysql_jobs.migration_files import MigrationError
from mysql_jobs.table_name import quoted, split


def grant(
    cursor: Cursor, jobs: Login, rights: Mapping[str, frozenset[str]], database: Database, deadline: Deadline
) -> None:
    """Create the jobs' user, or update it.

    Raises:
        MigrationError: a right can't be granted, as there is no such table for instance.
    """
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
        "SELECT table_schema, table_name, privilege_type FROM information_schema.table_privileges WHERE grantee = %s",
        (f"'{jobs.user}'@'%'",),
    )
    granted = {(quoted(schema, table), right) for schema, table, right in cursor.fetchall()}
    wanted = {(quoted(*split(table, database.name)), right) for table, each in rights.items() for right in each}
    # Only the difference: a job that runs meanwhile keeps its rights at every moment.
    for table, right in sorted(wanted - granted):
        statement = f"GRANT {right} ON {table} TO {user}"
        try:
            cursor.execute(statement)
        except (pymysql.MySQLError, DeadlineExceeded) as error:
            raise MigrationError(f"granting {right} on the table {table} failed: {error}\n{statement}") from error
    for table, right in sorted(granted - wanted):
        cursor.execute(f"REVOKE {right} ON {table} FROM {user}")
