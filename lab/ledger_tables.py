"""The engine's own tables in a schema of a bench, as the migrations make them."""

from __future__ import annotations

from local.mysql_server import MySQLServer
from mysql_jobs.migration_files import FOLDERS, read_migrations


def make_ledger(server: MySQLServer, schema: str) -> None:
    """Make the tables of the engine in `schema`, which is there."""
    with server.connect() as connection, connection.cursor() as cursor:
        connection.select_db(schema)
        for migration in read_migrations(FOLDERS["engine"], "engine"):
            for statement in migration.statements:
                cursor.execute(statement)
