"""The job purge_expired through the real handler, on a real server."""

import json
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import pymysql
import pytest
from pymysql.cursors import Cursor

import migrate
from handler import lambda_handler
from jobs import purge_expired
from jobs.purge_expired import PurgeError
from local.mysql_server import MySQLServer
from run import Run

Query = Callable[[str], list[tuple[Any, ...]]]
Spy = Callable[[str, Callable[[], object]], None]

END = datetime(2026, 11, 23, 8)  # noqa: DTZ001 (MySQL's DATETIME has no zone)
CUTOFF = END - timedelta(days=30)
EVENT = {"scheduled_time": f"{END.isoformat()}Z", "execution_id": "one"}
SESSION = {"table": "session", "column": "expires_at", "retention_days": 30}


class Purge:
    """The function of the job purge_expired, in this process."""

    def __init__(self, context: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.context = context
        self._monkeypatch = monkeypatch

    def run(self, *tables: dict[str, Any], batch_rows: int = 1000, **event: Any) -> dict[str, Any]:
        """One run for `tables`."""
        self._monkeypatch.setenv("PARAMETERS", json.dumps({"tables": tables, "batch_rows": batch_rows}))
        return lambda_handler({**EVENT, **event}, self.context)


@pytest.fixture
def purge(variables: dict[str, str], context: Any, query: Query, monkeypatch: pytest.MonkeyPatch) -> Purge:
    """Three tables of the user's, and the rights to purge them."""
    # It is full after some hundred other tests, and counts no new statement then.
    query("TRUNCATE TABLE performance_schema.events_statements_summary_by_digest")
    query(
        "CREATE TABLE session (id BIGINT AUTO_INCREMENT PRIMARY KEY, expires_at DATETIME NULL, note VARCHAR(20),"
        " KEY by_expires_at (expires_at))"
    )
    query(
        "CREATE TABLE visit (`on` DATE NOT NULL, token VARBINARY(16), `a``100%` VARCHAR(9) CHARACTER SET utf16,"
        " seen TIMESTAMP(6) NULL, PRIMARY KEY (token, `a``100%`), KEY `by``on%` (`on`), KEY by_seen (seen, `on`))"
    )
    query("CREATE TABLE bare (expires_at DATETIME, KEY by_expires_at (expires_at))")
    query("CREATE TABLE unindexed (id INT PRIMARY KEY, expires_at DATETIME, KEY second (id, expires_at))")
    query("CREATE TABLE invisible (id INT PRIMARY KEY, expires_at DATETIME, KEY by_it (expires_at) INVISIBLE)")
    query("CREATE TABLE inexact (id FLOAT PRIMARY KEY, expires_at DATETIME, KEY by_it (expires_at))")
    query("CREATE TABLE unsafe (id INT PRIMARY KEY, expires_at DATETIME, KEY by_it (expires_at)) ENGINE = MyISAM")
    tables = [name for (name,) in query("SHOW TABLES")]
    monkeypatch.setenv("RIGHTS", json.dumps({**dict.fromkeys(tables, "DELETE, SELECT"), "heartbeat": "SELECT"}))
    migrate.lambda_handler({}, context)
    for name in ("USER", "AUTH", "SECRET"):
        monkeypatch.setenv(f"DATABASE_{name}", variables[f"JOBS_{name}"])
    monkeypatch.setenv("JOB", "purge_expired")
    monkeypatch.setenv("MAX_WINDOW_MINUTES", "2880")
    return Purge(context, monkeypatch)


@pytest.fixture
def before(monkeypatch: pytest.MonkeyPatch) -> Spy:
    """Has something happen, each time, just before the job executes a statement that begins like this."""
    happenings: list[tuple[str, Callable[[], object]]] = []

    class Watched(Cursor):
        def execute(self, query: str, args: Any = None) -> int:
            for beginning, happen in happenings:
                if query.startswith(beginning):
                    happen()
            return super().execute(query, args)

    monkeypatch.setattr(Run, "cursor", lambda run: run._connection.cursor(Watched))
    return lambda beginning, happen: happenings.append((beginning, happen))


def test_exactly_the_expired_rows_are_deleted(purge: Purge, query: Query) -> None:
    _sessions(query, 25, CUTOFF - timedelta(seconds=25))
    _sessions(query, 7, CUTOFF)
    report = purge.run(SESSION, batch_rows=10)
    assert (report["outcome"], report["result"]) == ("done", {"deleted": {"session": 25}})
    assert query("SELECT COUNT(*), MIN(expires_at) FROM session") == [(7, CUTOFF)]


def test_rows_of_the_same_moment_are_all_deleted(purge: Purge, query: Query) -> None:
    for _ in range(7):
        _sessions(query, 3, CUTOFF - timedelta(days=1))
    assert purge.run(SESSION, batch_rows=5)["result"] == {"deleted": {"session": 21}}


def test_what_has_no_time_never_expires(purge: Purge, query: Query) -> None:
    query("INSERT IGNORE INTO session (expires_at) VALUES (NULL), ('0000-00-00')")
    assert query("SELECT COUNT(*) FROM session WHERE expires_at < '1000-01-01'") == [(1,)]
    assert purge.run(SESSION)["result"] == {"deleted": {"session": 0}}


def test_each_batch_is_a_transaction_of_its_own(purge: Purge, query: Query, before: Spy) -> None:
    _sessions(query, 25, CUTOFF - timedelta(days=1))
    left: list[int] = []
    before("DELETE", lambda: left.append(query("SELECT COUNT(*) FROM session")[0][0]))
    report = purge.run(SESSION, batch_rows=10)
    assert left == [25, 15, 5]
    assert report["progress"] == {"deleted": {"session": 20}}
    assert _executed(query, "DELETE%") == 3
    assert _executed(query, "SELECT%FROM `session`%LIMIT%") == 3


def test_nothing_to_delete_is_nothing_to_do(purge: Purge, query: Query) -> None:
    assert purge.run(SESSION)["result"] == {"deleted": {"session": 0}}
    assert _executed(query, "DELETE%") == 0


def test_a_full_last_batch_ends_the_purge(purge: Purge, query: Query) -> None:
    _sessions(query, 20, CUTOFF - timedelta(days=1))
    assert purge.run(SESSION, batch_rows=10)["result"] == {"deleted": {"session": 20}}


@pytest.mark.parametrize(("column", "kept"), [("on", [4, 5, 6]), ("seen", [4, 5, 6])])
def test_composite_keys_dates_timestamps_and_strange_names(
    purge: Purge, query: Query, column: str, kept: list[int]
) -> None:
    # A date is its midnight: that of the cutoff's day is before the cutoff, at eight.
    for number, days in enumerate(range(-3, 4)):
        day = CUTOFF + timedelta(days=days)
        seen = CUTOFF + timedelta(days=days, microseconds=-1)
        query(f"INSERT INTO visit VALUES ('{day:%Y-%m-%d}', X'00FF27{number:02}', 'a''{number}%s`ß', '{seen}')")
    visit = {"table": "visit", "column": column, "retention_days": 30}
    assert purge.run(visit, batch_rows=2)["result"] == {"deleted": {"visit": 4}}
    assert query("SELECT HEX(token) FROM visit ORDER BY token") == [(f"00FF27{number:02}",) for number in kept]


def test_each_table_has_its_own_retention(purge: Purge, query: Query) -> None:
    _sessions(query, 3, CUTOFF - timedelta(days=1))
    query(f"INSERT INTO visit VALUES ('{CUTOFF - timedelta(days=1):%Y-%m-%d}', 'a', 'b', NULL)")
    query(f"INSERT INTO visit VALUES ('{CUTOFF - timedelta(days=11):%Y-%m-%d}', 'c', 'd', NULL)")
    report = purge.run(SESSION, {"table": "visit", "column": "on", "retention_days": 40})
    assert report["result"] == {"deleted": {"session": 3, "visit": 1}}
    assert query("SELECT token FROM visit") == [(b"a",)]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"table": "sesion"}, "sesion is no InnoDB table here"),
        ({"table": "unsafe"}, "unsafe is no InnoDB table here"),
        ({"table": "migration"}, "migration is no InnoDB table here"),  # which the jobs' user can't see
        ({"column": "expired_at"}, r"named expired_at: write one that it has \(expires_at\)"),
        ({"column": "note"}, r"session has no DATE, DATETIME or TIMESTAMP named note"),
        ({"table": "bare"}, "bare has no primary key"),
        ({"table": "inexact"}, "inexact has no primary key, or a FLOAT in it"),
        ({"table": "unindexed"}, r"unindexed has no index .* CREATE INDEX by_expires_at ON unindexed \(expires_at\)"),
        ({"table": "invisible"}, "invisible has no index that begins with expires_at"),
        ({"table": "session; DROP TABLE session"}, "'session; DROP TABLE session' is no name: write letters"),
    ],
)
def test_what_cannot_be_purged_is_refused_by_name_before_anything_is_deleted(
    purge: Purge, query: Query, wrong: dict[str, Any], message: str
) -> None:
    query(f"INSERT INTO visit VALUES ('{CUTOFF - timedelta(days=1):%Y-%m-%d}', 'a', 'b', NULL)")
    _sessions(query, 3, CUTOFF - timedelta(days=1))
    with pytest.raises(Exception, match=message):
        purge.run({"table": "visit", "column": "on", "retention_days": 30}, {**SESSION, **wrong})
    assert query("SELECT COUNT(*) FROM session") == [(3,)]
    assert query("SELECT COUNT(*) FROM visit") == [(1,)]
    assert _executed(query, "DELETE%") == 0


def test_a_partial_run_is_continued_to_the_same_end(purge: Purge, query: Query, before: Spy) -> None:
    _sessions(query, 25, CUTOFF - timedelta(days=2))
    _sessions(query, 5, CUTOFF - timedelta(days=1))
    delays = iter([0.9])
    before("DELETE", lambda: time.sleep(next(delays, 0)))
    enough = purge.context.get_remaining_time_in_millis
    purge.context.get_remaining_time_in_millis = lambda: 4500  # 2.5 s for the run, whose first batch takes 0.9 s
    first = purge.run(SESSION, batch_rows=10, scheduled_time="2026-11-22T08:00:00Z")
    purge.context.get_remaining_time_in_millis = enough
    assert (first["outcome"], first["progress"]) == ("partial", {"deleted": {"session": 10}})
    # What has expired since the first run waits for the one after the second, which continues the first.
    assert purge.run(SESSION, batch_rows=10)["result"] == {"deleted": {"session": 25}}
    assert query("SELECT COUNT(*) FROM session") == [(5,)]
    last = purge.run(SESSION, batch_rows=10, scheduled_time="2026-11-23T09:00:00Z")
    assert last["result"] == {"deleted": {"session": 5}}


def test_nobody_else_is_waited_for_and_only_the_expired_rows_are_locked(
    purge: Purge, query: Query, variables: dict[str, str], server: MySQLServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    _sessions(query, 5, CUTOFF - timedelta(days=1))
    _sessions(query, 5, CUTOFF)
    locked: list[tuple[Any, ...]] = []
    delete = purge_expired._delete

    def watched(*arguments: Any) -> int:
        count = delete(*arguments)
        locked.extend(query(f"{LOCKED} AND lock_mode <> 'IX' ORDER BY CAST(lock_data AS UNSIGNED)"))
        return count

    monkeypatch.setattr(purge_expired, "_delete", watched)
    with closing(server.connect()) as other, other.cursor() as cursor:
        other.select_db(variables["DATABASE_NAME"])
        other.begin()
        cursor.execute("SELECT id FROM session WHERE id > 5 FOR SHARE")
        theirs = query(LOCKED)
        report = purge.run(SESSION)
    assert report["result"] == {"deleted": {"session": 5}}
    assert set(locked) - set(theirs) == {("PRIMARY", "X,REC_NOT_GAP", str(number)) for number in range(1, 6)}


def test_a_batch_too_big_for_the_optimizer_locks_its_own_rows_only(
    purge: Purge, query: Query, before: Spy, monkeypatch: pytest.MonkeyPatch
) -> None:
    _sessions(query, 50, CUTOFF - timedelta(days=1))
    locked: list[tuple[Any, ...]] = []
    delete = purge_expired._delete

    def watched(*arguments: Any) -> int:
        count = delete(*arguments)
        locked.append(query(f"SELECT COUNT(*) FROM ({LOCKED} AND lock_mode <> 'IX') AS locked")[0])
        return count

    monkeypatch.setattr(purge_expired, "_delete", watched)
    [(memory,)] = query("SELECT @@GLOBAL.range_optimizer_max_mem_size")
    query("SET GLOBAL range_optimizer_max_mem_size = 1000")
    try:
        purge.run(SESSION, batch_rows=20)
    finally:
        query(f"SET GLOBAL range_optimizer_max_mem_size = {memory}")
    assert locked == [(20,), (20,), (10,)]


def test_a_row_prolonged_meanwhile_stays(purge: Purge, query: Query, before: Spy) -> None:
    _sessions(query, 25, CUTOFF - timedelta(days=1))
    before("DELETE", lambda: query(f"UPDATE session SET expires_at = '{END}' WHERE id IN (7, 13)"))
    assert purge.run(SESSION, batch_rows=10)["result"] == {"deleted": {"session": 23}}
    assert query("SELECT id FROM session ORDER BY id") == [(7,), (13,)]


@pytest.mark.parametrize("batch_rows", [1, 3])
def test_batches_of_which_nothing_is_left_to_delete_end(
    purge: Purge, query: Query, before: Spy, batch_rows: int
) -> None:
    _sessions(query, 6, CUTOFF - timedelta(days=1))
    before("DELETE", lambda: query("DELETE FROM session WHERE id <= 3"))
    assert purge.run(SESSION, batch_rows=batch_rows)["outcome"] == "done"
    assert query("SELECT COUNT(*) FROM session") == [(0,)]


def test_rows_that_stay_although_they_are_deleted_are_an_error_and_no_endless_loop(
    purge: Purge, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    _sessions(query, 5, CUTOFF - timedelta(days=1))
    monkeypatch.setattr(purge_expired, "_delete", lambda *_arguments: 0)
    with pytest.raises(PurgeError, match=r"session keeps 1 rows that were deleted, like that of key \(1,\)"):
        purge.run(SESSION, batch_rows=1)


def test_a_row_that_others_refer_to_is_an_error(purge: Purge, query: Query) -> None:
    _sessions(query, 3, CUTOFF - timedelta(days=1))
    query("CREATE TABLE child (session BIGINT, FOREIGN KEY (session) REFERENCES session (id))")
    query("INSERT INTO child VALUES (2)")
    with pytest.raises(pymysql.err.IntegrityError, match="foreign key constraint fails"):
        purge.run(SESSION)
    assert query("SELECT COUNT(*) FROM session") == [(3,)]


@pytest.mark.parametrize(
    ("batch_rows", "result", "progress"),
    [(1000, {"deleted": {"session": 25}}, None), (10, {}, {"deleted": {"session": 10}})],
)
def test_a_dry_run_deletes_nothing_and_says_what_its_first_batch_would_be(
    purge: Purge, query: Query, batch_rows: int, result: dict[str, Any], progress: dict[str, Any] | None
) -> None:
    _sessions(query, 25, CUTOFF - timedelta(days=1))
    report = purge.run(SESSION, batch_rows=batch_rows, dry_run=True)
    assert (report["outcome"], report["result"], report.get("progress")) == ("dry_run", result, progress)
    assert query("SELECT COUNT(*) FROM session") == [(25,)]


LOCKED = (
    "SELECT index_name, lock_mode, lock_data FROM performance_schema.data_locks"
    " WHERE object_schema = DATABASE() AND object_name = 'session'"
)


def _sessions(query: Query, count: int, first: datetime) -> None:
    """As many sessions, of which each expires a second after the one before."""
    values = ", ".join(f"('{first + timedelta(seconds=number)}')" for number in range(count))
    query(f"INSERT INTO session (expires_at) VALUES {values}")


def _executed(query: Query, pattern: str) -> int:
    """How many statements of this pattern the server has executed in the test's schema."""
    statement = (
        "SELECT CAST(COALESCE(SUM(count_star), 0) AS SIGNED)"
        " FROM performance_schema.events_statements_summary_by_digest"
        f" WHERE schema_name = DATABASE() AND digest_text LIKE '{pattern}'"
    )
    return int(query(statement)[0][0])
