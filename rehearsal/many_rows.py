"""A table filled with many ordinary rows, by the server itself: to find out how long something takes on so many."""

from __future__ import annotations

from pymysql.cursors import Cursor

from rehearsal.rows import INTEGER_BITS, Column, columns_of, members

ROWS_PER_STATEMENT = 50_000
"""So that no transaction is large; with each, somebody who waits sees that it goes on."""


def fill_with_many(cursor: Cursor, table: str, rows: int) -> None:
    """Insert `rows` rows, numbered from 1, into `table` of the current schema.

    Raises:
        pymysql.MySQLError: the table takes no such rows, because of a CHECK or a trigger.
    """
    columns = columns_of(cursor, table)
    names = ", ".join(f"`{column.name}`" for column in columns)
    values = ", ".join(_value(column) for column in columns)
    cursor.execute("SET SESSION foreign_key_checks = 0, cte_max_recursion_depth = 4294967295")
    for first in range(1, rows + 1, ROWS_PER_STATEMENT):
        last = min(rows, first + ROWS_PER_STATEMENT - 1)
        cursor.execute(
            f"INSERT INTO `{table}` ({names})"
            f" WITH RECURSIVE number (n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM number WHERE n < {last})"
            f" SELECT {values} FROM number"
        )
    cursor.execute("SET SESSION foreign_key_checks = 1")
    cursor.execute(f"ANALYZE TABLE `{table}`")
    cursor.fetchall()


def _value(column: Column) -> str:  # noqa: PLR0911 (one for each family of types)
    """An SQL expression of `n` that is another value for each, where the type has so many."""
    match column.type:
        case kind if kind in INTEGER_BITS:
            return f"n % {2 ** (INTEGER_BITS[kind] - 1)}"
        case "decimal":
            return f"n % {10 ** max(1, min(18, column.precision - column.scale))}"
        case "float" | "double":
            return "n / 8"
        case "bit":
            return f"n % {2**column.precision}"
        case "char" | "varchar" | "binary" | "varbinary":
            return f"RIGHT(CONCAT('row ', n), {column.length})"
        case "date":
            return "DATE '2000-01-01' + INTERVAL n % 10000 DAY"
        case "datetime" | "timestamp":
            return "TIMESTAMP '2000-01-01 00:00:00' + INTERVAL n SECOND"
        case "time":
            return "SEC_TO_TIME(n % 86400)"
        case "year":
            return "2000 + n % 100"
        case "enum" | "set":
            of_type = members(column.definition)
            return f"ELT(1 + n % {len(of_type)}, {', '.join(of_type)})"
        case "json":
            return "JSON_OBJECT('n', n)"
        case _:
            return "CONCAT('row ', n)"
