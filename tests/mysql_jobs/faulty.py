"""A job that behaves badly while the file STORM exists, in the way that the file names, and well afterwards."""

import gc
import os
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

from pymysql.cursors import SSCursor
from pymysql.err import OperationalError

from mysql_jobs import resolver
from mysql_jobs.run import Run

if "HOSTS" in os.environ:  # a file of the test's
    resolver.HOSTS = os.environ["HOSTS"]
if "NAME_SERVERS" in os.environ:
    resolver.PORT = int(os.environ["NAME_SERVER_PORT"])
    resolver.CONFIGURATION = os.environ["NAME_SERVERS"]
TABLES: dict[str, tuple[str, ...]] = {}
KEPT: list[Any] = []
"""What an earlier run left in the environment; module-level, as everything that survives a freeze."""


def run(run: Run) -> dict[str, Any]:
    """Behave."""
    storm = Path(os.environ["STORM"])
    result: dict[str, Any] = globals()[storm.read_text() if storm.exists() else "work"](run)
    return result


def work(run: Run) -> dict[str, Any]:
    gc.collect()  # whatever an earlier run left comes to its end now
    with run.cursor() as cursor:
        cursor.execute("INSERT INTO target (value) VALUES (%s)", ("work",))
        return {"inserted": cursor.rowcount}


def select(run: Run) -> dict[str, Any]:
    """CPU-bound for minutes."""
    work(run)
    run.cursor().execute("SELECT COUNT(*) FROM number a, number b, number c WHERE a.n + b.n + c.n < 0")
    return {}


def insert_select(run: Run) -> dict[str, Any]:
    run.cursor().execute("INSERT INTO target (value) SELECT a.n + b.n FROM number a, number b")
    return {}


def lock_wait(run: Run) -> dict[str, Any]:
    run.cursor().execute("UPDATE number SET n = n WHERE n = 1")
    return {}


def short_lock_wait(run: Run) -> dict[str, Any]:
    run.cursor().execute("SET SESSION innodb_lock_wait_timeout = 1")
    return lock_wait(run)


def deadlock(run: Run) -> dict[str, Any]:
    """The other side holds 2 and many more, and waits for 1."""
    with run.cursor() as cursor:
        cursor.execute("UPDATE number SET n = n WHERE n = 1")
        Path(os.environ["STORM"]).with_suffix(".locked").touch()
        time.sleep(0.5)
        cursor.execute("UPDATE number SET n = n WHERE n = 2")
    return {}


def swallows_deadlock(run: Run) -> dict[str, Any]:
    """Does half of its work, loses it to a deadlock, and does the other half as if nothing had happened."""
    work(run)
    try:
        deadlock(run)
    except OperationalError:
        work(run)
    return {}


def open_transaction(run: Run) -> dict[str, Any]:
    work(run)
    lock_wait(run)
    time.sleep(600)
    return {}


def large_statement(run: Run) -> dict[str, Any]:
    run.cursor().execute("SELECT LENGTH(%s)", ("x" * 30_000_000,))
    return {}


def stream(run: Run) -> dict[str, Any]:
    """Reads one of a million rows and leaves the cursor open, for ever."""
    cursor = run.cursor(SSCursor)
    KEPT.append(cursor)
    cursor.execute("SELECT a.n, b.n, REPEAT('x', 100) FROM number a, number b")
    cursor.fetchone()
    raise ValueError("half-way through the rows")


def read_all(run: Run) -> dict[str, Any]:
    with run.cursor() as cursor:
        cursor.execute("SELECT n, REPEAT('x', 1000) FROM number")
        return {"rows": len(cursor.fetchall())}


def raises(run: Run) -> dict[str, Any]:
    work(run)
    raise ValueError("no such customer")


def keeps(run: Run) -> dict[str, Any]:
    cursor = run.cursor()
    KEPT.extend((run, cursor, cursor.connection))
    return work(run)


def cycle(run: Run) -> dict[str, Any]:
    cursor = run.cursor()
    cursor.execute("SELECT 1")
    error = ValueError("an exception that holds its own traceback")
    try:
        raise error
    except ValueError as caught:
        KEPT.append((caught, sys.exc_info(), run))
        raise


def closes(run: Run) -> dict[str, Any]:
    connection = run.cursor().connection
    assert connection is not None
    work(run)
    connection.close()
    return {}


def exits(run: Run) -> dict[str, Any]:
    work(run)
    sys.exit("a script's habit")


def swallows(run: Run) -> dict[str, Any]:
    """Goes on after the deadline, as if nothing had happened."""
    try:
        select(run)
    except Exception as error:  # noqa: BLE001 (that is the point)
        return {"swallowed": type(error).__name__}
    return {}


def update(run: Run) -> dict[str, Any]:
    """CPU-bound for minutes, and the server limits it by nothing."""
    run.cursor().execute("UPDATE target, number a, number b, number c SET value = 'x' WHERE a.n + b.n + c.n < 0")
    return {}


def reconnects(run: Run) -> dict[str, Any]:
    """Loses its session, and goes on in another, without its lock, its limits and its transaction."""
    work(run)
    cursor = run.cursor()
    connection: Any = cursor.connection
    connection._force_close()
    connection.ping(reconnect=True)
    return work(run)


def sets_autocommit(run: Run) -> dict[str, Any]:
    work(run)
    connection: Any = run.cursor().connection
    connection.autocommit(True)
    return work(run)


def commits(run: Run) -> dict[str, Any]:
    """In a way that only the server sees."""
    work(run)
    run.cursor().execute("/* */ COMMIT")
    return work(run)


def changes_the_process(run: Run) -> dict[str, Any]:
    socket.setdefaulttimeout(0.001)
    os.environ.clear()
    os.umask(0o777)
    socket.socket = None  # type: ignore[assignment, misc]
    return work(run)


def raises_what_is_no_text(run: Run) -> dict[str, Any]:
    work(run)
    raise ValueError("a lone surrogate: \udc80" + "x" * 800_000)


def threads(run: Run) -> dict[str, Any]:
    thread = threading.Thread(target=time.sleep, args=(600,), name="forgotten", daemon=True)
    thread.start()
    return work(run)
