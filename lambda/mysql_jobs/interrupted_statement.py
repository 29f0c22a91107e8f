"""What became of a statement whose run ended before the server's answer: what is certain, or the question to a person.

Whoever has the lock of the migrations knows that nobody works on the statement any more: the server releases the lock
with its session, and a session ends after its statement. So the statement's outcome is final; only not known.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Literal

from pymysql.cursors import Cursor

from mysql_jobs.migration_log import Marker

Fate = Literal["applied", "rolled back"]

PROCEDURE = re.compile(r"(CALL|EXECUTE)\b", re.IGNORECASE)
"""May commit something and roll something back."""
TABLE_DDL = re.compile(r"(CREATE|ALTER|DROP)\s+((UNIQUE|FULLTEXT|SPATIAL)\s+)?(TABLE|INDEX)\b", re.IGNORECASE)
"""Atomic, if the tables are InnoDB's: https://dev.mysql.com/doc/refman/8.4/en/atomic-ddl.html"""
ONLY_DATA = re.compile(r"\b(EXCHANGE|TRUNCATE|DISCARD|IMPORT)\b", re.IGNORECASE)
"""Parts of an ALTER TABLE that change what is in a table, and not its definition."""
QUOTED = re.compile(r"'(?:[^'\\]|\\.|'')*'" + r'|"(?:[^"\\]|\\.|"")*"')
OF_A_SCHEMA = re.compile(r"[A-Za-z_$`][\w$]*`?\s*\.\s*[\w$`]")
"""`other`.`table`: what is compared are the tables of one schema."""


def table_definitions(cursor: Cursor) -> dict[str, str]:
    """Return a checksum of how each table of the schema is defined, by name: of all but its AUTO_INCREMENT."""
    cursor.execute("SHOW FULL TABLES WHERE table_type = 'BASE TABLE'")
    found = {}
    for name, _type in cursor.fetchall():
        cursor.execute(f"SHOW CREATE TABLE `{name.replace('`', '``')}`")
        [(_name, definition)] = cursor.fetchall()
        found[name] = hashlib.sha256(re.sub(r" AUTO_INCREMENT=\d+", "", definition).encode()).hexdigest()
    return found


def changed_tables(cursor: Cursor, marker: Marker) -> list[str]:
    """Return the names of the tables that were made, changed or dropped since the statement began."""
    now = table_definitions(cursor)
    return sorted(name for name in {*marker.tables, *now} if marker.tables.get(name) != now.get(name))


def fate(cursor: Cursor, marker: Marker, changed: Sequence[str]) -> Fate | None:
    """Return what became of a statement, if that is certain.

    Certain is what the server rolled back; and for atomic DDL on tables, whether their definitions have changed since
    it began: those that it names and no others, or none.
    """
    text = marker.statement.text
    if not _all_innodb(cursor):
        return None
    if marker.outcome == "rolled back":
        return None if PROCEDURE.match(text) else "rolled back"
    bare = QUOTED.sub("''", text)
    if not TABLE_DDL.match(bare) or ONLY_DATA.search(bare) or OF_A_SCHEMA.search(bare):
        return None
    if not changed:
        return "rolled back"
    return "applied" if all(re.search(rf"(?<![\w$]){re.escape(name)}(?![\w$])", text) for name in changed) else None


def _all_innodb(cursor: Cursor) -> bool:
    """Whether all tables are InnoDB's, in all schemas: in others, a crash leaves a half of a statement."""
    cursor.execute(
        "SELECT COUNT(*) FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND engine <> 'InnoDB'"
        " AND table_schema NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys')"
    )
    return cursor.fetchone() == (0,)
