"""The row and the work are committed together or not at all, whatever a job does with its cursor's connection."""

import contextlib
import inspect
from collections.abc import Callable
from typing import Any

import pymysql.connections
import pytest

from mysql_jobs.run import Run
from mysql_jobs.session import SealedError, TransactionEndedError
from tests.mysql_jobs.function import EIGHT, Function

pytestmark = pytest.mark.integration

Query = Callable[[str], list[tuple[Any, ...]]]
Use = Callable[[Any], object]
"""What a job does with its cursor's connection."""

METHODS = sorted(
    name
    for name, _method in inspect.getmembers(pymysql.connections.Connection, inspect.isfunction)
    if not name.startswith("_") or name in ("__enter__", "__exit__", "__del__")
)
"""PyMySQL's whole public surface: a version that adds a method adds a test."""
ARGUMENTS: tuple[tuple[object, ...], ...] = ((), (True,), (1,), ("utf8mb4",), ("COMMIT",), (None, None, None))
"""Tried one after the other; those that a method does not take raise TypeError."""
OWN = {
    "run_together": (["COMMIT"],),
    "seal": (),
}
"""Methods of the run's own that a job might find, and their arguments."""

REFUSED = [
    *("COMMIT", "commit", "\n COMMIT AND CHAIN", "ROLLBACK", "ROLLBACK WORK", "BEGIN", "START TRANSACTION"),
    *("SET autocommit = 1", "SET @@SESSION.autocommit = 1", "SET SESSION sql_mode = 0, autocommit = 1"),
    *("CREATE TABLE other (n INT)", "ALTER TABLE work ADD n INT", "DROP TABLE work", "TRUNCATE work"),
    *("RENAME TABLE work TO other", "OPTIMIZE TABLE work", "REPAIR TABLE work", "CHECK TABLE work"),
    *("LOCK TABLES work WRITE", "UNLOCK TABLES", "ANALYZE TABLE work", "FLUSH TABLES", "GRANT SELECT ON *.* TO a"),
    *("XA START 'a'", "XA COMMIT 'a' ONE PHASE"),
]
HIDDEN = {
    "in a comment": ["/* */ COMMIT"],
    "in a versioned comment": ["/*!50000 COMMIT */"],
    "behind a comment to the end of the line": ["-- \nCOMMIT"],
    "prepared": ["PREPARE statement FROM 'COMMIT'", "EXECUTE statement"],
    "in a procedure": ["CALL commits()"],
    "in a procedure that begins anew": ["CALL commits_and_begins()"],
    "in a procedure that sets autocommit": ["CALL sets_autocommit()"],
    "in a procedure that sets it and resets it": ["CALL sets_autocommit()", "/* */ SET autocommit = 0"],
    "chained": ["SET completion_type = 'CHAIN'", "/* */ COMMIT"],
    "releasing": ["SET completion_type = 'RELEASE'", "/* */ COMMIT"],
    "rolled back": ["/* */ ROLLBACK"],
    "by DDL": ["/* */ CREATE TABLE other (n INT)"],
    "by LOCK TABLES": ["/* */ LOCK TABLES work WRITE, ledger WRITE"],
    "an XA transaction": ["/* */ COMMIT", "/* */ XA START 'a'"],
    "a savepoint of the same beginning": ["/* */ COMMIT", "SAVEPOINT mysql_jobs"],
}
"""Statements that end the transaction where nobody sees it before the server does."""
HARMLESS = [
    *("SET SESSION sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'", "SET NAMES latin1", "SET time_zone = '+05:30'"),
    *("SET completion_type = 'CHAIN'", "SET completion_type = 'RELEASE'", "SET sql_select_limit = 0", "USE mysql"),
    *("SET SESSION transaction_read_only = 1", "SET max_execution_time = 1", "SET sql_safe_updates = 1"),
    *("SAVEPOINT mysql_jobs", "SAVEPOINT own", "DO RELEASE_LOCK('another')", "SET @a = 'autocommit'"),
    *("SET timestamp = 1", "SET insert_id = 7", "SET sql_auto_is_null = 1", "SET character_set_connection = utf16"),
    *("SET lock_wait_timeout = 1", "SET wait_timeout = 1000", "SET optimizer_switch = DEFAULT"),
]


def _in_two_halves(query: Query, between: Use, *, catches: bool = True) -> Callable[[Run], dict[str, Any]]:
    """A job that does half of its work before it uses its connection, and half after it."""
    del query

    def job(run: Run) -> dict[str, Any]:
        cursor = run.cursor()
        cursor.execute("INSERT INTO work VALUES (NULL, '2026-01-01', NULL)")
        with contextlib.suppress(Exception) if catches else contextlib.nullcontext():
            between(cursor.connection)
        run.cursor().execute("INSERT INTO work VALUES (NULL, '2026-01-02', NULL)")
        return {"text": 'quotes " and \\ and é'}

    return job


def _well_behaved(run: Run) -> dict[str, Any]:
    run.cursor().execute("INSERT INTO work VALUES (NULL, '2026-01-01', NULL), (NULL, '2026-01-02', NULL)")
    return {}


def _both_or_neither(function: Function, query: Query) -> str:
    """Deliver an event; the row and the work must be there together, or neither of them. Returns the outcome."""
    try:
        outcome = str(function.deliver()["outcome"])
    except Exception as error:  # noqa: BLE001 (whatever the job has made of its connection)
        outcome = type(error).__name__
    rows, work = len(query("SELECT * FROM ledger")), len(query("SELECT * FROM work"))
    assert (rows, work) == ((1, 2) if outcome == "done" else (0, 0)), outcome
    return outcome


@pytest.mark.parametrize("name", METHODS)
def test_no_method_of_the_connection_separates_the_row_from_the_work(
    name: str, function: Function, query: Query
) -> None:
    def use(connection: Any) -> None:
        for arguments in ARGUMENTS:
            if name == "kill" and arguments != (1,):
                continue
            with contextlib.suppress(Exception):
                getattr(connection, name)(*(arguments if name != "kill" else (connection.thread_id(),)))

    function.context.get_remaining_time_in_millis = lambda: 6000  # write_packet may leave the server waiting for more
    function.do(_in_two_halves(query, use))
    _both_or_neither(function, query)
    function.context.get_remaining_time_in_millis = lambda: 30_000
    function.do(_well_behaved)
    assert function.deliver()["outcome"] in ("done", "duplicate")
    assert len(query("SELECT * FROM work")) == 2  # the retry, or Lambda's second delivery, does it once


@pytest.mark.parametrize("name", ["connect", "ping", "autocommit", "begin", "commit", "rollback"])
def test_a_method_that_would_take_the_session_away_says_why_not(name: str, function: Function, query: Query) -> None:
    arguments = {"ping": (True,), "autocommit": (True,)}.get(name, ())
    function.do(_in_two_halves(query, lambda connection: getattr(connection, name)(*arguments), catches=False))
    with pytest.raises(SealedError, match=f"its method {name}"):
        function.deliver()
    assert query("SELECT * FROM ledger") == query("SELECT * FROM work") == []


@pytest.mark.parametrize("name", OWN)
def test_the_runs_own_methods_do_not_help_either(name: str, function: Function, query: Query) -> None:
    function.do(_in_two_halves(query, lambda connection: getattr(connection, name)(*OWN[name])))
    with contextlib.suppress(Exception):
        function.deliver()
    rows, work = len(query("SELECT * FROM ledger")), len(query("SELECT * FROM work"))
    assert rows == 0 or work == 2


@pytest.mark.parametrize("statement", REFUSED)
def test_a_statement_that_ends_the_transaction_is_refused_before_the_server_has_it(
    statement: str, function: Function, query: Query
) -> None:
    def execute(connection: Any) -> None:
        with pytest.raises(SealedError, match="would end the run's transaction"):
            connection.cursor().execute(statement)

    function.do(_in_two_halves(query, execute, catches=False))
    assert _both_or_neither(function, query) == "done"


@pytest.mark.parametrize("way", HIDDEN)
def test_a_transaction_that_ended_unseen_is_not_recorded(way: str, function: Function, query: Query) -> None:
    """What its own hidden statement has committed stays: nothing can take that back. The rest and the row do not."""
    query("CREATE PROCEDURE commits() COMMIT")
    query("CREATE PROCEDURE commits_and_begins() BEGIN COMMIT; START TRANSACTION; END")
    query("CREATE PROCEDURE sets_autocommit() SET autocommit = 1")

    def execute(connection: Any) -> None:
        for statement in HIDDEN[way]:
            with contextlib.suppress(TransactionEndedError):
                connection.cursor().execute(statement)

    function.do(_in_two_halves(query, execute))
    with pytest.raises((TransactionEndedError, pymysql.MySQLError)):
        function.deliver()
    assert query("SELECT * FROM ledger") == []
    assert len(query("SELECT * FROM work")) < 2


@pytest.mark.parametrize("statement", HARMLESS)
def test_a_session_variable_changes_nothing_about_it(statement: str, function: Function, query: Query) -> None:
    function.do(_in_two_halves(query, lambda connection: connection.cursor().execute(statement)))
    outcome = _both_or_neither(function, query)
    assert outcome == ("ProgrammingError" if statement.startswith("USE") else "done")


def test_a_checkpoint_records_nothing_of_a_transaction_that_ended(function: Function, query: Query) -> None:
    def job(run: Run) -> dict[str, Any]:
        for number in (1, 2):
            run.cursor().execute("INSERT INTO work VALUES (NULL, '2026-01-01', NULL)")
            if number == 2:
                run.cursor().execute("/* */ COMMIT AND CHAIN")
            run.checkpoint({"number": number})
        return {}

    function.do(job)
    function.fail(TransactionEndedError)
    assert query("SELECT outcome, progress FROM ledger") == [("partial", '{"number": 1}')]


def test_a_released_lock_fails_the_run_and_rolls_it_back(function: Function, query: Query) -> None:
    function.do(_in_two_halves(query, lambda connection: connection.cursor().execute("DO RELEASE_ALL_LOCKS()")))
    assert _both_or_neither(function, query) == "LockError"
    function.do(_well_behaved)
    assert function.deliver(EIGHT)["outcome"] == "done"
