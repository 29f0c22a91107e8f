"""What stays in an existing database when the environment goes, and the SQL that removes it: a person's to run."""

from __future__ import annotations

from collections.abc import Iterator

from settings import names
from settings.environment import AdoptedDatabaseSettings, EnvironmentSettings


def kept(settings: EnvironmentSettings, database: AdoptedDatabaseSettings) -> Iterator[str]:
    """What stays, line by line."""
    own = names.own_schema(settings.name)
    yield f"- the database {database.existing.identifier}, which others own: nothing of it is changed or deleted"
    yield f"- in it, the jobs' users, the tables of lambda/migrations/, and the schema {own} with the ledger"


def removal(settings: EnvironmentSettings, database: AdoptedDatabaseSettings) -> Iterator[str]:
    """How to remove what stays, line by line."""
    yield f"\nTo remove what is left in {database.existing.identifier}, look at each line first, then run as its admin:"
    yield ""
    for statement in statements(settings):
        yield f"    {statement}"
    yield ""
    yield f"The tables that lambda/migrations/ made in {database.name} hold data: drop them one by one, if at all."


def statements(settings: EnvironmentSettings) -> list[str]:
    """The SQL: first one that writes a DROP USER for each of the jobs' users, then the end of our own schema."""
    users = names.database_users(settings.name).replace("_", r"\_").replace("*", "%")  # LIKE's signs
    drop = "CONCAT('DROP USER ', QUOTE(user), '@', QUOTE(host), ';')"
    return [
        f"SELECT {drop} FROM mysql.user WHERE user LIKE '{users}';",  # noqa: S608 - it is printed
        f"DROP SCHEMA `{names.own_schema(settings.name)}`;",
    ]
