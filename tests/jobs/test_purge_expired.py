"""The job purge_expired."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import pymysql
import pytest

from jobs import purge_expired
from testkit.database import Database
from testkit.job import Job, Report

EIGHT = datetime(2026, 11, 23, 8)  # noqa: DTZ001 (MySQL's DATETIME has no zone)
CUTOFF = EIGHT - timedelta(days=30)
SESSION = {"table": "session", "column": "expires_at", "retention_days": 30}
VISIT = {"table": "visit", "column": "on", "retention_days": 30}
LOCKED = (
    "SELECT index_name, lock_mode, lock_data FROM performance_schema.data_locks"
    " WHERE object_schema = DATABASE() AND object_name = 'session'"
)

KEYS: dict[str, tuple[object, ...]] = {
    "BIGINT UNSIGNED": (0, 2**63 - 1, 2**63, 2**64 - 1),
    "BIGINT": (-(2**63), -1, 0, 2**63 - 1),
    "DECIMAL(40, 20)": ("-0.00000000000000000001", "0", "12345678901234567890.12345678901234567890", "3.1"),
    "DOUBLE": (0.1 + 0.2, 1 / 3, 5e-324, -1.7976931348623157e308),
    "BIT(64)": (0, 1, 2**63, 2**64 - 1),
    "YEAR": (0, 1901, 2026, 2155),
    "ENUM ('', 'a''b', 'ß', '0')": ("", "a'b", "ß", "0"),
    "SET ('a', 'b')": ("", "a", "b", "a,b"),
    "VARCHAR(9) CHARACTER SET latin1 COLLATE latin1_bin": ("", "é\\", "a ", "%s"),
    "VARCHAR(9) CHARACTER SET utf16 COLLATE utf16_bin": ("", "😀", "a\0b", "), ("),
    "CHAR(9)": ("", "\n", "'; --", '"'),
    "BINARY(4)": (b"", b"\0\0\0\1", b"\\'\"%", b"\xff\xfe\0 "),
    "VARBINARY(9)": (b"", b"\0", b"\xc3\x28", b"'"),
}
"""Of each type that a primary key may have."""

Purge = Callable[..., Report]
Around = Callable[..., None]


@pytest.fixture
def purge(job: Job, database: Database) -> Purge:
    """Purge tables of the test's own; only the first two are as they should be."""
    for table in (
        "session (id BIGINT AUTO_INCREMENT PRIMARY KEY, expires_at DATETIME NULL, note VARCHAR(20),"
        " KEY by_expires_at (expires_at))",
        "visit (`on` DATE NOT NULL, token VARBINARY(16), `a``100%` VARCHAR(9) CHARACTER SET utf16,"
        " seen TIMESTAMP(6) NULL, PRIMARY KEY (token, `a``100%`), KEY `by``on%` (`on`), KEY by_seen (seen, `on`))",
        "bare (expires_at DATETIME, KEY by_expires_at (expires_at))",
        "unindexed (id INT PRIMARY KEY, expires_at DATETIME, KEY second (id, expires_at))",
        "invisible (id INT PRIMARY KEY, expires_at DATETIME, KEY by_it (expires_at) INVISIBLE)",
        "inexact (id FLOAT PRIMARY KEY, expires_at DATETIME, KEY by_it (expires_at))",
        "unsafe (id INT PRIMARY KEY, expires_at DATETIME, KEY by_it (expires_at)) ENGINE = MyISAM",
    ):
        database.rows(f"CREATE TABLE {table}")

    def purge(*tables: dict[str, Any], batch_rows: int = 10_000, at: str = f"{EIGHT}Z", **how: Any) -> Report:
        return job("purge_expired", at=at, parameters={"tables": tables, "batch_rows": batch_rows}, **how)

    return purge


@pytest.fixture
def around_each_delete(monkeypatch: pytest.MonkeyPatch) -> Around:
    """Has something happen before each DELETE and after it."""
    delete = purge_expired._delete

    def set_up(before: Callable[[], object], after: Callable[[], object] = lambda: None) -> None:
        def watched(*arguments: Any) -> int:
            before()
            count = delete(*arguments)
            after()
            return count

        monkeypatch.setattr(purge_expired, "_delete", watched)

    return set_up


def test_exactly_the_expired_rows_are_deleted(purge: Purge, database: Database) -> None:
    _sessions(database, 25, CUTOFF - timedelta(seconds=25))
    _sessions(database, 7, CUTOFF)
    assert purge(SESSION, batch_rows=10)["result"] == {"deleted": {"session": 25}}
    assert database.rows("SELECT COUNT(*), MIN(expires_at) FROM session") == [(7, CUTOFF)]


def test_rows_of_the_same_moment_are_all_deleted(purge: Purge, database: Database) -> None:
    for _ in range(7):
        _sessions(database, 3, CUTOFF - timedelta(days=1))
    assert purge(SESSION, batch_rows=5)["result"] == {"deleted": {"session": 21}}


@pytest.mark.parametrize("count", [0, 20])
def test_no_row_and_a_full_last_batch_end_it(purge: Purge, database: Database, count: int) -> None:
    _sessions(database, count, CUTOFF - timedelta(days=1))
    assert purge(SESSION, batch_rows=10)["result"] == {"deleted": {"session": count}}


def test_what_has_no_time_never_expires(purge: Purge, database: Database) -> None:
    database.rows("INSERT IGNORE INTO session (expires_at) VALUES (NULL), ('0000-00-00')")
    assert purge(SESSION)["result"] == {"deleted": {"session": 0}}


def test_each_batch_is_a_transaction(purge: Purge, database: Database, around_each_delete: Around) -> None:
    _sessions(database, 25, CUTOFF - timedelta(days=1))
    kept: list[int] = []
    around_each_delete(lambda: kept.extend(*database.rows("SELECT COUNT(*) FROM session")))
    assert purge(SESSION, batch_rows=10)["progress"] == {"deleted": {"session": 20}}
    assert kept == [25, 15, 5]


def test_a_batch_is_as_large_as_is_deleted_in_no_time(
    purge: Purge, database: Database, around_each_delete: Around, monkeypatch: pytest.MonkeyPatch
) -> None:
    _sessions(database, 3500, CUTOFF - timedelta(days=1))
    kept: list[int] = []
    around_each_delete(lambda: kept.extend(*database.rows("SELECT COUNT(*) FROM session")))
    monkeypatch.setattr(purge_expired, "LOCKED_SECONDS", 600)
    assert purge(SESSION, batch_rows=10_000)["result"] == {"deleted": {"session": 3500}}
    assert kept == [3500, 2500, 500]


def test_a_batch_grows_while_it_is_quick_and_shrinks_again_within_its_limits() -> None:
    pace = purge_expired._Pace(3000)
    sizes = [pace.rows]
    for seconds in (0, 0.005, 0.0075, 0, 0, 0.1, 3600):
        pace.adapt(seconds)
        sizes.append(pace.rows)
    assert sizes == [1000, 2000, 2000, 1333, 2666, 3000, 1500, 1000]
    few = purge_expired._Pace(10)
    few.adapt(0)
    assert few.rows == 10


@pytest.mark.parametrize("column", ["on", "seen"])
def test_composite_keys_dates_timestamps_and_strange_names(purge: Purge, database: Database, column: str) -> None:
    # A date is its midnight: that of the cutoff's day is before the cutoff, at eight.
    for number, days in enumerate(range(-3, 4)):
        day, seen = CUTOFF + timedelta(days=days), CUTOFF + timedelta(days=days, microseconds=-1)
        database.rows("INSERT INTO visit VALUES (%s, %s, %s, %s)", day.date(), bytes([0, 255, number]), "a'%s`ß", seen)
    assert purge({**VISIT, "column": column}, batch_rows=2)["result"] == {"deleted": {"visit": 4}}
    assert database.rows("SELECT HEX(token) FROM visit ORDER BY token") == [("00FF04",), ("00FF05",), ("00FF06",)]


@pytest.mark.parametrize("batch_rows", [1, 2, 1000])
def test_dates_that_a_strict_server_refuses_find_their_rows(purge: Purge, database: Database, batch_rows: int) -> None:
    """As the end of a batch, where the next one goes on, and in the primary key, by which a row is deleted."""
    database.rows(
        "CREATE TABLE booking (day DATE, at DATETIME(3), length TIME(6), expires_at DATETIME,"
        " PRIMARY KEY (day, at, length), KEY by_expires_at (expires_at))"
    )
    with closing(database.connect()) as other, other.cursor() as cursor:
        cursor.execute("SET SESSION sql_mode = 'ALLOW_INVALID_DATES'")
        cursor.execute(
            "INSERT INTO booking VALUES"
            " ('2026-00-00', '2026-02-31 01:02:03.004', '-00:00:01.5', '2026-05-00'),"
            " ('2026-05-00', '0000-00-00 00:00:00.000', '-838:59:59', '2026-05-00'),"
            " ('0000-00-00', '2026-00-07 00:00:00.001', '838:59:59', '2026-02-31 23:00:00'),"
            " ('2026-12-00', '2026-12-00 00:00:00.000', '00:00:00', '2026-12-00')"
        )
        other.commit()
    booking = {**SESSION, "table": "booking"}
    assert purge(booking, batch_rows=batch_rows)["result"] == {"deleted": {"booking": 3}}
    assert database.rows("SELECT CAST(day AS CHAR) FROM booking") == [("2026-12-00",)]


@pytest.mark.parametrize("columns", ["a", "a, b"])
def test_a_key_of_any_type_finds_its_row(purge: Purge, database: Database, columns: str) -> None:
    tables = {f"typed_{number}": kind_and_keys for number, kind_and_keys in enumerate(KEYS.items())}
    for table, (kind, keys) in tables.items():
        database.rows(
            f"CREATE TABLE {table} (a {kind}, b {kind}, expires_at DATETIME, PRIMARY KEY ({columns}), KEY (expires_at))"
        )
        database.insert(table, ({"a": key, "b": key, "expires_at": CUTOFF - timedelta(days=1)} for key in keys))
    report = purge(*({**SESSION, "table": table} for table in tables))
    assert report["result"] == {"deleted": {table: len(keys) for table, (_kind, keys) in tables.items()}}
    assert [database.rows(f"SELECT COUNT(*) FROM {table}") for table in tables] == [[(0,)]] * len(tables)


def test_each_table_has_its_own_retention(purge: Purge, database: Database) -> None:
    _sessions(database, 3, CUTOFF - timedelta(days=1))
    for days in (1, 11):
        database.rows("INSERT INTO visit VALUES (%s, %s, 'b', NULL)", CUTOFF - timedelta(days=days), str(days))
    report = purge(SESSION, {**VISIT, "retention_days": 40})
    assert report["result"] == {"deleted": {"session": 3, "visit": 1}}
    assert database.rows("SELECT token FROM visit") == [(b"1",)]


@pytest.mark.parametrize("name", ["session", "Order-Items", "a.b`100%"])
def test_a_table_of_another_schema_is_named_with_it(purge: Purge, database: Database, name: str) -> None:
    other, table = f"{database.name}-Shop", name.replace("`", "``").replace("%", "%%")
    database.rows(f"CREATE DATABASE `{other}`")
    try:
        database.rows(f"CREATE TABLE `{other}`.`{table.replace('%%', '%')}` LIKE session")
        values = [(CUTOFF - timedelta(days=1),)] * 150 + [(CUTOFF,)]
        for (at,) in values:
            database.rows(f"INSERT INTO `{other}`.`{table}` (expires_at) VALUES (%s)", at)
        _sessions(database, 3, CUTOFF - timedelta(days=1))
        report = purge({**SESSION, "table": f"{other}.{name}"}, batch_rows=120)
        assert report["result"] == {"deleted": {f"{other}.{name}": 150}}
        assert database.rows(f"SELECT COUNT(*) FROM `{other}`.`{table.replace('%%', '%')}`") == [(1,)]
        assert database.rows("SELECT COUNT(*) FROM session") == [(3,)]
    finally:
        database.rows(f"DROP DATABASE `{other}`")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"table": "unsafe"}, "unsafe is no InnoDB table here"),
        ({"column": "expired_at"}, r"named expired_at: write one that it has \(expires_at\)"),
        ({"column": "note"}, "session has no DATE, DATETIME or TIMESTAMP named note"),
        ({"table": "bare"}, "bare has no primary key"),
        ({"table": "inexact"}, "inexact has no primary key, or a FLOAT in it"),
        ({"table": "unindexed"}, r"unindexed has no index .* CREATE INDEX by_expires_at ON unindexed \(expires_at\)"),
        ({"table": "invisible"}, "invisible has no index that begins with expires_at"),
    ],
)
def test_a_table_that_cannot_be_purged_is_refused_before_any_is(
    purge: Purge, database: Database, wrong: dict[str, Any], message: str
) -> None:
    database.rows("INSERT INTO visit VALUES (%s, 'a', 'b', NULL)", CUTOFF - timedelta(days=1))
    with pytest.raises(purge_expired.PurgeError, match=message):
        purge(VISIT, {**SESSION, **wrong})
    assert database.rows("SELECT COUNT(*) FROM visit") == [(1,)]


@pytest.mark.parametrize(
    ("tables", "batch_rows", "message"),
    [
        ([], 1000, "tables is empty: write at least one table"),
        ([SESSION, SESSION], 1000, "tables has session more than once: write each table once"),
        ([SESSION], 0, "batch_rows is 0: write 1 to 10000"),
        ([SESSION], 10001, "batch_rows is 10001: write 1 to 10000"),
        ([{**SESSION, "retention_days": 0}], 1000, "retention_days of session is 0: write 1 to 36500"),
        ([{**SESSION, "retention_days": 36501}], 1000, "retention_days of session is 36501: write 1 to 36500"),
        ([{**SESSION, "table": "mysql.user"}], 1000, "'mysql.user': this schema is the server's own"),
        ([{**SESSION, "table": "session "}], 1000, "'session ': take the space from the end of the name"),
        ([{**SESSION, "column": "expires_at`, `id"}], 1000, "'expires_at`, `id' is no name: write letters"),
        ([{**SESSION, "column": "at\n"}], 1000, r"'at\\n' is no name: write letters"),
    ],
)
def test_wrong_parameters_fail_at_synth(job: Job, tables: list[dict[str, Any]], batch_rows: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        job("purge_expired", at=f"{EIGHT}Z", parameters={"tables": tables, "batch_rows": batch_rows})


def test_a_partial_run_is_continued_to_the_same_end(purge: Purge, database: Database) -> None:
    _sessions(database, 25, CUTOFF - timedelta(days=2))
    _sessions(database, 5, CUTOFF - timedelta(days=1))
    first = purge(SESSION, batch_rows=10, at=f"{EIGHT - timedelta(days=1)}Z", stop_after_checkpoints=1)
    assert (first["outcome"], first["progress"]) == ("partial", {"deleted": {"session": 10}})
    # What has expired since the first run waits for the one after the second, which continues the first.
    assert purge(SESSION, batch_rows=10)["result"] == {"deleted": {"session": 25}}
    assert purge(SESSION, at=f"{EIGHT + timedelta(hours=1)}Z")["result"] == {"deleted": {"session": 5}}


def test_only_the_expired_rows_are_locked(purge: Purge, database: Database, around_each_delete: Around) -> None:
    _sessions(database, 5, CUTOFF - timedelta(days=1))
    _sessions(database, 5, CUTOFF)
    locked: list[tuple[Any, ...]] = []
    with closing(database.connect()) as other, other.cursor() as cursor:
        other.begin()
        cursor.execute("SELECT id FROM session WHERE id > 5 FOR SHARE")
        theirs = set(database.rows(LOCKED))
        around_each_delete(lambda: None, lambda: locked.extend(database.rows(f"{LOCKED} AND lock_mode <> 'IX'")))
        purge(SESSION)
    assert set(locked) - theirs == {("PRIMARY", "X,REC_NOT_GAP", str(number)) for number in range(1, 6)}


def test_keys_that_follow_each_other_lock_no_row_beside_them(
    purge: Purge, database: Database, around_each_delete: Around
) -> None:
    """They are deleted by their range, which ends before the last row of the table: rows can be added meanwhile."""
    _sessions(database, 150, CUTOFF - timedelta(days=1))
    _sessions(database, 1, CUTOFF)
    _sessions(database, 150, CUTOFF - timedelta(days=1))
    locked: list[tuple[Any, ...]] = []

    def write() -> None:
        locked.extend(database.rows(f"{LOCKED} AND lock_mode <> 'IX'"))
        database.rows("UPDATE session SET note = 'meanwhile' WHERE id = 151")
        _sessions(database, 1, CUTOFF)

    around_each_delete(lambda: None, write)
    assert purge(SESSION)["result"] == {"deleted": {"session": 300}}
    assert sorted(int(row) for _index, _mode, row in locked) == [*range(1, 151), *range(152, 302)]
    # Before each key is the one before it: only there may a gap be locked, too, in which there is room for none.
    assert {int(row) for _index, mode, row in locked if mode != "X,REC_NOT_GAP"} <= {*range(2, 150), *range(153, 301)}
    assert database.rows("SELECT note FROM session WHERE id <= 301") == [("meanwhile",)]


def test_a_row_prolonged_amid_keys_that_follow_each_other_stays(
    purge: Purge, database: Database, around_each_delete: Around
) -> None:
    _sessions(database, 300, CUTOFF - timedelta(days=1))
    around_each_delete(lambda: database.rows("UPDATE session SET expires_at = %s WHERE id IN (7, 133)", EIGHT))
    assert purge(SESSION)["result"] == {"deleted": {"session": 298}}
    assert database.rows("SELECT id FROM session ORDER BY id") == [(7,), (133,)]


def test_a_batch_too_big_for_the_optimizer_locks_its_own_rows_only(
    purge: Purge, database: Database, around_each_delete: Around
) -> None:
    _sessions(database, 50, CUTOFF - timedelta(days=1))
    locked: list[int] = []
    around_each_delete(lambda: None, lambda: locked.append(len(database.rows(f"{LOCKED} AND lock_mode <> 'IX'"))))
    [(memory,)] = database.rows("SELECT @@GLOBAL.range_optimizer_max_mem_size")
    database.rows("SET GLOBAL range_optimizer_max_mem_size = 1000")
    try:
        purge(SESSION, batch_rows=20)
    finally:
        database.rows(f"SET GLOBAL range_optimizer_max_mem_size = {memory}")
    assert locked == [20, 20, 10]


def test_a_row_prolonged_meanwhile_stays(purge: Purge, database: Database, around_each_delete: Around) -> None:
    _sessions(database, 25, CUTOFF - timedelta(days=1))
    around_each_delete(lambda: database.rows("UPDATE session SET expires_at = %s WHERE id IN (7, 13)", EIGHT))
    assert purge(SESSION, batch_rows=10)["result"] == {"deleted": {"session": 23}}
    assert database.rows("SELECT id FROM session ORDER BY id") == [(7,), (13,)]


@pytest.mark.parametrize("batch_rows", [1, 3])
def test_batches_of_which_nothing_is_left_end(
    purge: Purge, database: Database, around_each_delete: Around, batch_rows: int
) -> None:
    _sessions(database, 6, CUTOFF - timedelta(days=1))
    around_each_delete(lambda: database.rows("DELETE FROM session WHERE id <= 3"))
    assert purge(SESSION, batch_rows=batch_rows)["outcome"] == "done"
    assert database.rows("SELECT COUNT(*) FROM session") == [(0,)]


def test_rows_that_stay_although_deleted_are_an_error(
    purge: Purge, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    _sessions(database, 5, CUTOFF - timedelta(days=1))
    monkeypatch.setattr(purge_expired, "_delete", lambda *_arguments: 0)
    with pytest.raises(purge_expired.PurgeError, match=r"session keeps 1 rows that were deleted, with the keys 1$"):
        purge(SESSION, batch_rows=1)


def test_a_row_that_others_refer_to_is_an_error(purge: Purge, database: Database) -> None:
    _sessions(database, 3, CUTOFF - timedelta(days=1))
    database.rows("CREATE TABLE child (session BIGINT, FOREIGN KEY (session) REFERENCES session (id))")
    database.rows("INSERT INTO child VALUES (2)")
    with pytest.raises(pymysql.err.IntegrityError, match="foreign key constraint fails"):
        purge(SESSION)
    assert database.rows("SELECT COUNT(*) FROM session") == [(3,)]


@pytest.mark.parametrize(
    ("batch_rows", "result", "progress"),
    [(1000, {"deleted": {"session": 25}}, None), (10, {}, {"deleted": {"session": 10}})],
)
def test_a_dry_run_says_what_its_first_batch_would_be(
    purge: Purge, database: Database, batch_rows: int, result: dict[str, Any], progress: dict[str, Any] | None
) -> None:
    _sessions(database, 25, CUTOFF - timedelta(days=1))
    report = purge(SESSION, batch_rows=batch_rows, dry_run=True)
    assert (report["outcome"], report["result"], report.get("progress")) == ("dry_run", result, progress)
    assert database.rows("SELECT COUNT(*) FROM session") == [(25,)]


def _sessions(database: Database, count: int, first: datetime) -> None:
    """As many sessions, of which each expires a second after the one before."""
    database.insert("session", ({"expires_at": first + timedelta(seconds=number)} for number in range(count)))
