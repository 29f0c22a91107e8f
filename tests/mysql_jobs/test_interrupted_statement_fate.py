"""What is certain about an interrupted statement, by its text, what the server says, and what has changed since."""

import re
from datetime import datetime
from typing import Any

import pytest

from mysql_jobs.interrupted_statement import changed_tables, fate, table_definitions
from mysql_jobs.migration_log import Marker, Outcome, Statement


class Cursor:
    """A schema of these tables, by their definitions; so many elsewhere are not InnoDB's."""

    def __init__(self, tables: dict[str, str] | None = None, *, unsafe: int = 0) -> None:
        self._tables = tables or {}
        self._unsafe = unsafe
        self._rows: list[tuple[object, ...]] = []

    def execute(self, statement: str) -> None:
        if statement.startswith("SHOW FULL TABLES WHERE table_type = 'BASE TABLE'"):
            self._rows = [(name, "BASE TABLE") for name in self._tables]
        elif named := re.fullmatch("SHOW CREATE TABLE `((?:[^`]|``)*)`", statement):
            name = named[1].replace("``", "`")
            self._rows = [(name, self._tables[name])]
        else:
            assert statement.startswith("SELECT COUNT(*) FROM information_schema.tables WHERE ")
            self._rows = [(self._unsafe,)]

    def fetchall(self) -> list[tuple[object, ...]]:
        return self._rows

    def fetchone(self) -> tuple[object, ...]:
        return self._rows[0]


def _fate(text: str, outcome: Outcome, changed: list[str], *, unsafe: int = 0) -> str | None:
    cursor: Any = Cursor(unsafe=unsafe)
    return fate(cursor, _marker(text, outcome), changed)


def _marker(text: str, outcome: Outcome = "unknown", tables: dict[str, str] | None = None) -> Marker:
    statement = Statement(
        origin="project", migration=2, name="0002_more", number=1, total=1, text=text, checksum="of the text"
    )
    return Marker(statement=statement, tables=tables or {}, outcome=outcome, began_at=datetime(2026, 11, 23))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("text", "changed", "expected"),
    [
        ("CREATE TABLE two (a INT)", [], "rolled back"),
        ("CREATE TABLE two (a INT)", ["two"], "applied"),
        ("CREATE TABLE two (a INT)", ["other"], None),
        ("CREATE TABLE two (a INT)", ["other", "two"], None),
        ("drop table one, two", ["one", "two"], "applied"),
        ("ALTER  TABLE `two` ADD a INT", ["two"], "applied"),
        ("ALTER TABLE two_more ADD a INT", ["two"], None),
        ("ALTER TABLE more$two ADD a INT", ["two"], None),
        ("CREATE INDEX by_a ON two (a)", ["two"], "applied"),
        ("CREATE UNIQUE INDEX by_a ON two (a)", ["two"], "applied"),
        ("CREATE FULLTEXT INDEX by_a ON two (a)", ["two"], "applied"),
        ("CREATE SPATIAL INDEX by_a ON two (a)", ["two"], "applied"),
        ("DROP INDEX by_a ON two", ["two"], "applied"),
        ("CREATE TABLES two (a INT)", [], None),
        ("CREATE VIEW two AS SELECT 1", [], None),
        ("TRUNCATE TABLE two", [], None),
        ("INSERT INTO two VALUES (1)", [], None),
        ("ALTER TABLE two EXCHANGE PARTITION p WITH TABLE one", [], None),
        ("ALTER TABLE two TRUNCATE PARTITION p", [], None),
        ("alter table two discard tablespace", [], None),
        ("ALTER TABLE two IMPORT TABLESPACE", [], None),
        ("ALTER TABLE two ADD imports INT", ["two"], "applied"),
        ("ALTER TABLE two COMMENT 'EXCHANGE it''s \\' docs.md'", ["two"], "applied"),
        ('ALTER TABLE two COMMENT "TRUNCATE "" \\" docs.md"', ["two"], "applied"),
        ("ALTER TABLE two ADD a INT /* see docs. */", ["two"], "applied"),
        ("CREATE TABLE other.two (a INT)", [], None),
        ("CREATE TABLE `other` . `two` (a INT)", [], None),
        ("CREATE TABLE two (a DECIMAL(3, 1) DEFAULT 0.5)", ["two"], "applied"),
    ],
)
def test_ddl_that_the_server_does_whole_or_not_at_all_shows_in_the_tables(
    text: str, changed: list[str], expected: str | None
) -> None:
    assert _fate(text, "unknown", changed) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("INSERT INTO two VALUES (1)", "rolled back"),
        ("CREATE TABLE two (a INT)", "rolled back"),
        ("CALL p()", None),
        ("call p()", None),
        ("EXECUTE prepared", None),
        ("CALLED", "rolled back"),
    ],
)
def test_what_the_server_rolled_back_is_certain_but_of_a_procedure(text: str, expected: str | None) -> None:
    """A procedure may commit, and roll something else back."""
    assert _fate(text, "rolled back", ["other"]) == expected


@pytest.mark.parametrize("outcome", ["unknown", "rolled back"])
def test_nothing_is_certain_where_a_table_has_no_transactions(outcome: Outcome) -> None:
    assert _fate("CREATE TABLE two (a INT)", outcome, [], unsafe=1) is None
    assert _fate("CREATE TABLE two (a INT)", outcome, [], unsafe=0) == "rolled back"


def test_the_tables_that_changed_are_those_made_changed_and_dropped() -> None:
    before = {"same": "CREATE TABLE a", "changed": "CREATE TABLE b", "dropped": "CREATE TABLE c"}
    after = {"same": "CREATE TABLE a", "changed": "CREATE TABLE b2", "made": "CREATE TABLE d"}
    cursor: Any = Cursor(before)
    now: Any = Cursor(after)
    marker = _marker("ALTER TABLE changed ADD a INT", tables=table_definitions(cursor))
    assert changed_tables(now, marker) == ["changed", "dropped", "made"]
    assert changed_tables(cursor, marker) == []


def test_a_table_is_the_same_whatever_its_next_number_is_and_may_have_any_name() -> None:
    one: Any = Cursor({"a`b": "CREATE TABLE `a``b` (id INT) ENGINE=InnoDB AUTO_INCREMENT=7 COMMENT='x'"})
    two: Any = Cursor({"a`b": "CREATE TABLE `a``b` (id INT) ENGINE=InnoDB AUTO_INCREMENT=4711 COMMENT='x'"})
    without: Any = Cursor({"a`b": "CREATE TABLE `a``b` (id INT) ENGINE=InnoDB COMMENT='x'"})
    assert table_definitions(one) == table_definitions(two) == table_definitions(without)
    assert list(table_definitions(one)) == ["a`b"]
    assert len(table_definitions(one)["a`b"]) == 64
