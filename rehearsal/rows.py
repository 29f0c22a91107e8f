"""Rows at the limits of what a table allows: a change that some of its rows would not survive shows on these.

For each column the least and the greatest value of its type, the longest text, each member of an ENUM, NULL; and two
rows that differ in nothing but the keys, which a new UNIQUE would refuse.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pymysql
from pymysql.cursors import Cursor

INTEGER_BITS = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}
LONGEST = {"tinytext": 255, "text": 65_535, "mediumtext": 16_777_215, "longtext": 16_777_216}
"""Of a LONGTEXT, one byte more than a MEDIUMTEXT holds: whether it fits into that is what can be asked."""
LONGEST |= {"tinyblob": 255, "blob": 65_535, "mediumblob": 16_777_215, "longblob": 16_777_216}
BYTES_PER_CHARACTER = {"utf8mb4": 4, "utf16": 4, "utf32": 4, "utf8mb3": 3, "ucs2": 2}
WIDEST = {"utf8mb4": "F09F9880", "utf8mb3": "E282AC"}
"""A character that narrower character sets lack, in hexadecimal: 😀, €."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column, as information_schema describes it."""

    name: str
    type: str
    """Without its size: varchar."""
    definition: str
    """With it: varchar(40)."""
    length: int | None
    """In characters, or bytes."""
    precision: int
    scale: int
    fraction: int
    """Digits of a fraction of a second."""
    charset: str | None
    nullable: bool
    unique: bool
    """Whether it is in a key that allows no value twice."""


def fill(cursor: Cursor, table: str) -> int:
    """Insert such rows into `table` of the current schema; return how many it took, as its CHECKs may refuse some."""
    columns = columns_of(cursor, table)
    values = {column.name: list(_values(column)) for column in columns}
    count = max([3, *(len(each) for each in values.values())])
    cursor.execute("SET SESSION foreign_key_checks = 0")
    taken = 0
    for number in range(count + 1):
        # The last row is like the first one, but for its keys.
        row = {
            column.name: _distinct(column, number) if column.unique else _at(values[column.name], number % count)
            for column in columns
        }
        taken += _insert(cursor, table, row)
    if not taken:
        taken = _insert(cursor, table, {})
    cursor.execute("SET SESSION foreign_key_checks = 1")
    return taken


def _at(values: Sequence[str], number: int) -> str:
    return values[number % len(values)]


def _insert(cursor: Cursor, table: str, row: dict[str, str]) -> int:
    names = ", ".join(f"`{name}`" for name in row)
    try:
        return cursor.execute(f"INSERT INTO `{table}` ({names}) VALUES ({', '.join(row.values())})")
    except pymysql.MySQLError:
        return 0  # a CHECK, a trigger, or a key that has it already


def columns_of(cursor: Cursor, table: str) -> list[Column]:
    """Return the columns that take a value, in their order."""
    cursor.execute(
        "SELECT column_name, data_type, column_type, character_maximum_length, numeric_precision, numeric_scale,"
        " datetime_precision, character_set_name, is_nullable FROM information_schema.columns"
        " WHERE table_schema = DATABASE() AND table_name = %s AND extra NOT LIKE '%%GENERATED'"
        " AND extra NOT LIKE '%%GENERATED %%' ORDER BY ordinal_position",
        (table,),
    )
    rows = cursor.fetchall()
    keys = _unique(cursor, table)
    return [
        Column(
            name=name,
            type=kind,
            definition=definition,
            length=length,
            precision=precision or 0,
            scale=scale or 0,
            fraction=fraction or 0,
            charset=charset,
            nullable=nullable == "YES",
            unique=name in keys,
        )
        for name, kind, definition, length, precision, scale, fraction, charset, nullable in rows
    ]


def _unique(cursor: Cursor, table: str) -> set[str]:
    cursor.execute(
        "SELECT DISTINCT column_name FROM information_schema.statistics"
        " WHERE table_schema = DATABASE() AND table_name = %s AND NOT non_unique",
        (table,),
    )
    return {name for (name,) in cursor.fetchall()}


def _values(column: Column) -> Iterator[str]:
    """SQL expressions, each a value that the column allows."""
    yield from _of_type(column)
    if column.nullable:
        yield "NULL"


def _of_type(column: Column) -> Iterator[str]:  # noqa: PLR0912 (one for each family of types)
    match column.type:
        case kind if kind in INTEGER_BITS:
            yield from map(str, _integer_limits(column))
        case "decimal":
            greatest = f"{'9' * (column.precision - column.scale) or '0'}.{'9' * column.scale or '0'}"
            yield greatest
            yield "0" if "unsigned" in column.definition else f"-{greatest}"
        case "float":
            yield from ("0.5", "16777216")
        case "double":
            yield from ("0.1", "1e300")
        case "bit":
            yield from ("0", str(2**column.precision - 1))
        case "char" | "varchar":
            yield _text(column, column.length or 0)
            yield "''"
        case kind if kind in LONGEST and column.charset:
            yield _text(column, LONGEST[kind] // BYTES_PER_CHARACTER.get(column.charset, 1))
            yield "''"
        case "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob":
            yield f"REPEAT(X'FF', {column.length if column.type.endswith('binary') else LONGEST[column.type]})"
        case "date":
            yield from ("'9999-12-31'", "'1000-01-01'")
        case "datetime" | "timestamp":
            fraction = ".123456"[: column.fraction + 1] if column.fraction else ""
            late, early = ("2038-01-19 03:14:06", "1970-01-01 00:00:01")
            if column.type == "datetime":
                late, early = ("9999-12-31 23:59:58", "1000-01-01 00:00:01")
            yield from (f"'{late}{fraction}'", f"'{early}{fraction}'")
        case "time":
            fraction = ".123456"[: column.fraction + 1] if column.fraction else ""
            yield from (f"'838:59:58{fraction}'", f"'-12:34:56{fraction}'")
        case "year":
            yield from ("2155", "1901")
        case "enum":
            yield from members(column.definition)
        case "set":
            of_set = [member[1:-1] for member in members(column.definition)]
            yield f"'{','.join(of_set)}'"
            yield "''"
        case "json":
            yield from ("'{\"a\": [1, null]}'", "'\"text\"'")
        case _:
            yield "DEFAULT"


def _integer_limits(column: Column) -> tuple[int, int]:
    bits = INTEGER_BITS[column.type]
    return (2**bits - 1, 0) if "unsigned" in column.definition else (2 ** (bits - 1) - 1, -(2 ** (bits - 1)))


def members(definition: str) -> list[str]:
    """Return the members of an ENUM or a SET, as literals."""
    return re.findall(r"'(?:[^']|'')*'", definition)


def _text(column: Column, length: int) -> str:
    widest = WIDEST.get(column.charset or "")
    return f"REPEAT(CONVERT(X'{widest}' USING {column.charset}), {length})" if widest else f"REPEAT('x', {length})"


def _distinct(column: Column, number: int) -> str:  # noqa: PLR0911 (one for each family of types)
    """A value that no other row has, of a column that is in a unique key; as near to a limit as that allows."""
    match column.type:
        case kind if kind in INTEGER_BITS:
            greatest, _least = _integer_limits(column)
            return str(greatest - 1 - number)  # the greatest would leave an AUTO_INCREMENT nothing
        case "decimal" | "float" | "double" | "bit" | "year":
            return str(number + (2000 if column.type == "year" else 0))
        case "char" | "varchar":
            return f"LPAD('{number}', {min(column.length or 1, 190)}, 'x')"
        case "date" | "datetime" | "timestamp":
            return f"'2026-01-{number % 28 + 1:02}'"
        case "time":
            return f"'{number // 60:02}:{number % 60:02}:00'"
        case "binary" | "varbinary":
            return f"LPAD('{number}', {min(column.length or 1, 190)}, 'x')"
        case "enum" | "set":
            return _at(members(column.definition), number)
        case _:
            return f"'{number}'"


def contents(cursor: Cursor, table: str) -> dict[str, list[Any]]:
    """Return the values of each column of `table`, in an order that does not depend on that of the rows."""
    cursor.execute(f"SELECT * FROM `{table}`")
    rows = cursor.fetchall()
    names = [description[0] for description in cursor.description]
    return {name: sorted((_comparable(row[at]) for row in rows), key=repr) for at, name in enumerate(names)}


def _comparable(value: Any) -> Any:
    """Texts as bytes, and numbers and times as texts that are equal where they mean the same in another type."""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytes) or value is None:
        return value
    text = str(value)
    if re.fullmatch(r"-?\d+\.\d*", text):
        text = text.rstrip("0").rstrip(".")
    return text.removesuffix(" 00:00:00").encode()
