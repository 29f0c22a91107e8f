"""Which tables a job may name: whatever another application has, but nothing of the server's or the engine's."""

import pytest

from mysql_jobs.table_name import is_table, split
from settings.table_name import wrong_table

ALLOWED = [
    *("session", "Order-Items", "a`b", "select", "1", "ta ble", " leading", "ünï", "表", "a" * 64, "50%", "it's", '"'),
    *(
        "shop.session",
        "Shop-Prod.Order-Items",
        "shop.a.b",
        "shop..",
        "shop.ledger",
        f"{'s' * 64}.{'t' * 64}",
        "other.mysql",
    ),
]
REFUSED = {
    **dict.fromkeys(["", ".", "shop.", ".session", "a" * 65, f"{'s' * 65}.t", ".."], "each of 1 to 64"),
    **dict.fromkeys(["a\0", "a\n", "shop.a\t", "\U0001f40d", "shop.\U0001f40d", "\ud800", "a\u200b"], "can be seen"),
    **dict.fromkeys(["session ", "shop.session ", "shop .session", " "], "take the space from the end"),
    **dict.fromkeys(
        ["mysql.user", "MySQL.user", "sys.x", "information_schema.tables", "performance_schema.x"], "server's"
    ),
    **dict.fromkeys(["ledger", "migration", "migration_statement", "watched"], "engine's own"),
}


@pytest.mark.parametrize("name", ALLOWED)
def test_any_table_that_was_there_before_can_be_named(name: str) -> None:
    assert wrong_table(name) is None
    assert is_table(name)


@pytest.mark.parametrize(("name", "wrong"), REFUSED.items(), ids=repr)
def test_what_is_no_job_s_table_is_refused_with_what_to_write(name: str, wrong: str) -> None:
    assert wrong in str(wrong_table(name))
    # Whether a table is the engine's, its name alone does not say where the engine has a schema of its own.
    assert is_table(name) is (wrong == "engine's own")


def test_a_name_that_is_no_text_is_refused() -> None:
    assert wrong_table(1) == "write a table's name, in quotes"


@pytest.mark.parametrize(
    ("name", "place"),
    [("session", ("jobs", "session")), ("shop.session", ("shop", "session")), ("shop.a.b", ("shop", "a.b"))],
)
def test_a_schema_ends_at_the_first_dot(name: str, place: tuple[str, str]) -> None:
    assert split(name, "jobs") == place
