"""The engine's own tables in a schema of a bench, as the migrations make them."""

from __future__ import annotations

import re

from local.mysql_server import MySQLServer
from settings.project import ENGINE


def make_ledger(server: MySQLServer, schema: str) -> None:
    """Make the tables of the engine in `schema`, which is there."""
    with server.connect() as connection, connection.cursor() as cursor:
        connection.select_db(schema)
        for migration in sorted((ENGINE / "migrations").glob("*.sql")):
            text = re.sub(r"(?m)^ *--.*\n", "", migration.read_text(encoding="utf-8"))
            for statement in re.split(r";\n", text)[:-1]:
                cursor.execute(statement)
