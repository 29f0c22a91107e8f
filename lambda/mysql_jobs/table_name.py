"""How a table is named in TABLES: `session`, or `shop.session` for one of another schema.

A name ends at the first dot, so a table whose own name has one is named with its schema. Each part
is taken as it is, and quoted where it stands in a statement. settings/table_name.py refuses the same at synth.
"""

from __future__ import annotations

SYSTEM_SCHEMAS = frozenset({"information_schema", "mysql", "performance_schema", "sys"})
"""The server's own: no job works there."""


def split(name: str, schema: str) -> tuple[str, str]:
    """Return the schema and the table of a name; without one of its own, a table is of `schema`."""
    before, dot, after = name.partition(".")
    return (before, after) if dot else (schema, name)


def quoted(*names: str) -> str:
    """Return an identifier as it stands in a statement, the parts of a qualified one with dots between them."""
    return ".".join("`" + name.replace("`", "``") + "`" for name in names)


def is_table(name: str) -> bool:
    """Return whether a job may have a right on what is named so."""
    schema, table = split(name, "")
    return _is_identifier(table) and ("." not in name or is_schema(schema))


def is_schema(name: str) -> bool:
    """Return whether a job may work in a schema of this name."""
    return _is_identifier(name) and name.lower() not in SYSTEM_SCHEMAS


def _is_identifier(name: str) -> bool:
    """Return whether MySQL may have something of this name, when it is quoted, and people can read it.

    https://dev.mysql.com/doc/refman/8.4/en/identifiers.html
    """
    return 0 < len(name) <= 64 and name.isprintable() and max(name) <= "\uffff" and not name.endswith(" ")
