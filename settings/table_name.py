"""Which tables a job may name in TABLES: `session`, or `shop.session` for one of another schema.

lambda/mysql_jobs/table_name.py takes the same: a test holds that the two agree.
"""

SYSTEM_SCHEMAS = frozenset({"information_schema", "mysql", "performance_schema", "sys"})
OWN_TABLES = ("ledger", "migration", "migration_statement", "watched")
"""The engine's, in its own schema, or beside the jobs' tables."""


def wrong_table(name: object) -> str | None:
    """Return what is wrong with the name of a table, and what to write; None if nothing is.

    Tables that were there before may be called anything. A schema ends at the first dot; nothing is to be quoted.
    """
    if not isinstance(name, str):
        return "write a table's name, in quotes"
    parts = name.split(".", 1)
    if wrong := next(filter(None, map(_wrong_identifier, parts)), None):
        return wrong
    if len(parts) == 2 and parts[0].lower() in SYSTEM_SCHEMAS:
        return "this schema is the server's own: name another"
    if name in OWN_TABLES:
        return "this table is the engine's own: name others, or write schema.table for another application's"
    return None


def _wrong_identifier(name: str) -> str | None:
    # https://dev.mysql.com/doc/refman/8.4/en/identifiers.html
    if not 0 < len(name) <= 64:
        return "write a table's name, or schema.table, each of 1 to 64 characters"
    if not name.isprintable() or max(name) > "\uffff":
        return "write a table's name of characters that MySQL allows in one, and that can be seen"
    if name.endswith(" "):
        return "take the space from the end of the name: no table has one there"
    return None
