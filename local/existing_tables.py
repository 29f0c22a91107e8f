"""The tables that were there before the environment, as a team writes them down for this machine.

tests/jobs/existing.sql has those of the jobs' own schema, tests/jobs/existing/shop.sql those of the schema `shop`: what
`mysqldump --no-data --skip-triggers` writes. On AWS nothing reads these files.
"""

from __future__ import annotations

import sys

from pymysql.cursors import Cursor

from settings.project import ENGINE, Project

# `make run` and others start without the functions' code on their path, and their children don't get it by this.
sys.path.append(str(ENGINE.parent))

from mysql_jobs.migration_files import statements
from mysql_jobs.table_name import quoted


def make_existing_tables(cursor: Cursor, project: Project, schema: str) -> list[str]:
    """Make them, with `schema` as the jobs' own; return the other schemas that were made for them.

    One that is there stays as it is: two schemas of jobs may be open at a time, on the same other ones.

    Raises:
        MigrationError, pymysql.MySQLError: a file has a statement without an end, or one that the server refuses.
    """
    made = []
    if project.existing_tables.is_file():
        _execute(cursor, schema, project.existing_tables.read_text(), project.existing_tables.name)
    for file in sorted(project.existing_schemas.glob("[!.]*.sql")):
        cursor.execute("SELECT 1 FROM information_schema.schemata WHERE schema_name = %s", (file.stem,))
        if not cursor.fetchall():
            made.append(file.stem)
            cursor.execute(f"CREATE DATABASE {quoted(file.stem)}")
            _execute(cursor, file.stem, file.read_text(), f"{file.parent.name}/{file.name}")
    return made


def _execute(cursor: Cursor, schema: str, text: str, file: str) -> None:
    cursor.execute(f"USE {quoted(schema)}")
    for statement in statements(text, f"tests/jobs/{file}"):
        cursor.execute(statement)
