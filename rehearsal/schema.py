"""What a schema, and the server's accounts, look like at one moment; and what of it a statement took away or gave."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pymysql.cursors import Cursor

from rehearsal.finding import Kind


@dataclass(frozen=True, kw_only=True)
class Schema:
    """Names and definitions, of the current schema unless it is said."""

    tables: Mapping[str, int]
    """The server's number of each base table: a table that is only renamed keeps it."""
    columns: Mapping[tuple[str, str], str]
    """Type of each, by table and name."""
    partitions: frozenset[tuple[str, str]]
    programs: Mapping[str, str]
    """Views, procedures, functions, triggers and events, with whose rights they work."""
    rights: frozenset[tuple[str, str, str]]
    """Account, what for, and right; on the whole server. An account's existence is a right, too."""


def read_schema(cursor: Cursor) -> Schema:
    """Return how the current schema is now."""
    return Schema(
        tables=dict(_rows(cursor, TABLES)),
        columns={(table, column): definition for table, column, definition in _rows(cursor, COLUMNS)},
        partitions=frozenset(_rows(cursor, PARTITIONS)),
        programs=dict(_rows(cursor, PROGRAMS)),
        rights=frozenset(_rows(cursor, RIGHTS)),
    )


def _rows(cursor: Cursor, statement: str) -> list[tuple]:  # type: ignore[type-arg]
    cursor.execute(statement)
    return list(cursor.fetchall())


# Without statistics that are kept for a day: information_schema_stats_expiry has no part in these columns.
TABLES = """
SELECT t.table_name, i.table_id FROM information_schema.tables t
LEFT JOIN information_schema.innodb_tables i ON i.name = CONCAT(t.table_schema, '/', t.table_name)
WHERE t.table_schema = DATABASE() AND t.table_type = 'BASE TABLE'
"""
COLUMNS = """
SELECT c.table_name, c.column_name, c.column_type FROM information_schema.columns c
JOIN information_schema.tables t USING (table_schema, table_name)
WHERE c.table_schema = DATABASE() AND t.table_type = 'BASE TABLE'
"""
PARTITIONS = """
SELECT table_name, partition_name FROM information_schema.partitions
WHERE table_schema = DATABASE() AND partition_name IS NOT NULL
"""
PROGRAMS = """
SELECT CONCAT('the view ', table_name), CONCAT(security_type, ' ', definer) FROM information_schema.views
WHERE table_schema = DATABASE()
UNION ALL SELECT CONCAT('the ', LOWER(routine_type), ' ', routine_name), CONCAT(security_type, ' ', definer)
FROM information_schema.routines WHERE routine_schema = DATABASE()
UNION ALL SELECT CONCAT('the trigger ', trigger_name), CONCAT('DEFINER ', definer) FROM information_schema.triggers
WHERE trigger_schema = DATABASE()
UNION ALL SELECT CONCAT('the event ', event_name), CONCAT('DEFINER ', definer) FROM information_schema.events
WHERE event_schema = DATABASE()
"""
RIGHTS = """
SELECT CONCAT('''', user, '''@''', host, ''''), 'the server', 'log in' FROM mysql.user WHERE account_locked = 'N'
UNION SELECT grantee, 'the server', privilege_type FROM information_schema.user_privileges
UNION SELECT grantee, CONCAT('schema ', table_schema), privilege_type FROM information_schema.schema_privileges
UNION SELECT grantee, CONCAT(table_schema, '.', table_name), privilege_type FROM information_schema.table_privileges
UNION SELECT grantee, CONCAT(table_schema, '.', table_name, '.', column_name), privilege_type
FROM information_schema.column_privileges
"""


def differences(before: Schema, after: Schema, moved: Mapping[tuple[str, str], str]) -> Iterator[tuple[Kind, str]]:
    """Return what a statement took away or gave. `moved` has the new name of each column that was only renamed."""
    renamed = _renamed(before, after)
    for table in sorted(before.tables.keys() - after.tables.keys()):
        if table in renamed:
            yield "note", f"renames `{table}` to `{renamed[table]}`"
        else:
            yield "data", f"drops the table `{table}` with all its rows"
    for table, column in sorted(before.columns.keys() - after.columns.keys()):
        if renamed.get(table, table) not in after.tables or table in renamed:
            continue
        if new := moved.get((table, column)):
            yield "note", f"renames `{table}`.`{column}` to `{new}`"
        else:
            yield "data", f"drops the column `{table}`.`{column}` with all its values"
    for table, partition in sorted(before.partitions - after.partitions):
        if table in after.tables and after.partitions:
            yield "data", f"drops the partition `{partition}` of `{table}`, or merges it into another"
    for name, whose in sorted(after.programs.items()):
        if before.programs.get(name) != whose:
            yield "access", f"makes {name}, which works with the rights of {whose.partition(' ')[2]}"
    for account, where, right in sorted(after.rights - before.rights):
        yield "access", f"lets {account} {right} ({where})"


def _renamed(before: Schema, after: Schema) -> dict[str, str]:
    """The new name of each table that has got one."""
    numbers = {number: table for table, number in after.tables.items() if table not in before.tables}
    return {table: numbers[number] for table, number in before.tables.items() if number in numbers and number}
