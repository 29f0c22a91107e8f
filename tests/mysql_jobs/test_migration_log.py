"""The migrations' log, as the server is asked: what is committed when, so that a killed run leaves how it ended."""

import json
from datetime import datetime
from typing import Any
from unittest import mock

import pytest

from mysql_jobs.migration_files import Migration, checksum
from mysql_jobs.migration_log import APPLIED, IN_PROGRESS, Applied, Marker, MigrationLog, Statement

MIGRATION = Migration(origin="project", number=2, name="0002_more", statements=("FIRST", "SECOND", "THIRD"))
SECOND = Statement(
    origin="project",
    migration=2,
    name="0002_more",
    number=2,
    total=3,
    text="SECOND",
    checksum=checksum(("FIRST", "SECOND")),
)
OF_SECOND = ("project", 2)
BEGAN = datetime(2026, 11, 23)  # noqa: DTZ001 (MySQL's DATETIME has no zone)


class Database:
    """A connection and its cursor: `asked` has the beginnings of the statements, and the commits."""

    def __init__(self, *answers: list[tuple[object, ...]]) -> None:
        self._answers = list(answers)
        self.asked: list[Any] = []

    def execute(self, statement: str, parameters: tuple[object, ...] | None = None) -> None:
        if " WHERE " in statement:
            assert statement.endswith(" WHERE origin = %s AND number = %s")
        self.asked.append((" ".join(statement.split()[:3]), *([parameters] if parameters else [])))

    def fetchall(self) -> list[tuple[object, ...]]:
        return self._answers.pop(0)

    def commit(self) -> None:
        self.asked.append("commit")


def _log(database: Any) -> MigrationLog:
    return MigrationLog(database, database, "own")


def test_a_statement_is_named_by_its_file_and_its_place_in_it() -> None:
    assert Statement.of(MIGRATION, 2) == SECOND
    assert str(SECOND) == "migrations/0002_more.sql, statement 2 of 3"
    assert (SECOND.file, Statement.of(MIGRATION, 1).text) == ("migrations/0002_more.sql", "FIRST")


def test_both_tables_are_made() -> None:
    connection, cursor = mock.Mock(), mock.Mock()
    MigrationLog(connection, cursor, "own").create()
    assert cursor.mock_calls == [mock.call.execute(each.format(schema="`own`")) for each in (APPLIED, IN_PROGRESS)]
    assert all(each.split()[:5] == ["CREATE", "TABLE", "IF", "NOT", "EXISTS"] for each in (APPLIED, IN_PROGRESS))


def test_a_marker_is_committed_before_its_statement_whose_transaction_is_then_open() -> None:
    database = Database()
    _log(database).begin(SECOND, {"pulse": "of its definition"})
    assert database.asked == [
        (
            "REPLACE INTO `own`.migration_statement",
            ("project", 2, "0002_more", 2, 3, "SECOND", SECOND.checksum, '{"pulse": "of its definition"}'),
        ),
        "commit",
        ("START TRANSACTION",),
        ("UPDATE `own`.migration_statement SET", ("unknown", *OF_SECOND)),
    ]


def test_what_the_server_refused_is_rolled_back_before_that_is_noted() -> None:
    database = Database()
    _log(database).refused(SECOND)
    assert database.asked == [("ROLLBACK",), ("UPDATE `own`.migration_statement SET", ("failed", *OF_SECOND)), "commit"]


@pytest.mark.parametrize(("method", "complete"), [("record", False), ("complete", True)])
def test_the_record_takes_the_place_of_the_marker_in_one_commit(method: str, complete: bool) -> None:
    database = Database()
    getattr(_log(database), method)(SECOND)
    assert database.asked == [
        ("REPLACE INTO `own`.migration", ("project", 2, "0002_more", SECOND.checksum, 2, complete)),
        ("DELETE FROM `own`.migration_statement", OF_SECOND),
        "commit",
    ]


def test_a_marker_may_be_forgotten() -> None:
    database = Database()
    _log(database).forget(SECOND)
    assert database.asked == [("DELETE FROM `own`.migration_statement", OF_SECOND), "commit"]


def test_what_was_applied_is_read_and_no_transaction_left_open() -> None:
    database = Database([("engine", 1, "0001_ledger", "a", 1, 1), ("project", 2, "0002_more", "b", 2, 0)])
    assert _log(database).applied() == {
        ("engine", 1): Applied(name="0001_ledger", checksum="a", statements=1, complete=True),
        ("project", 2): Applied(name="0002_more", checksum="b", statements=2, complete=False),
    }
    assert database.asked[-1] == "commit"
    assert len(database.asked) == 2


@pytest.mark.parametrize(
    ("number", "applied", "there"),
    [
        (1, [], True),
        (2, [], False),
        (2, [("project", 2, "0002_more", "a", 1, 0)], True),
        (1, [("project", 2, "0002_more", "a", 1, 0)], False),
        (3, [("project", 2, "0002_more", "a", 1, 0)], False),
        (1, [("engine", 2, "0002_more", "a", 1, 0), ("project", 1, "0001_pulse", "a", 1, 1)], True),
    ],
)
def test_a_marker_counts_if_its_statement_is_the_next_one(
    number: int, applied: list[tuple[object, ...]], there: bool
) -> None:
    """One that is older was left by a run that had time to record its statement, and not to delete the marker."""
    tables = {"pulse": "of its definition"}
    marker = ("project", 2, "0002_more", number, 3, "TEXT", "of it", json.dumps(tables), "unknown", BEGAN)
    database = Database([marker], applied)
    statement = Statement(
        origin="project", migration=2, name="0002_more", number=number, total=3, text="TEXT", checksum="of it"
    )
    expected = Marker(statement=statement, tables=tables, outcome="unknown", began_at=BEGAN)
    assert _log(database).markers() == ([expected] if there else [])
    assert database.asked[0] == ("SELECT origin, number,",)
