"""The fault matrix: what a run makes of each fault, that it leaves nothing, and that the next run works.

Each run happens in Lambda's official runtime client, against a real server. `make faults` prints the matrix.
"""

import contextlib
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pymysql
import pytest
import trustme

from lab.fault_bench import IDLE_SECONDS, Bench, Function, Observed, outcome
from lab.fault_proxy import Action, Fault, FaultProxy, Stage
from local import mysql_installation
from local.emulator import Emulator
from local.environment import CACHE
from local.mysql_server import MySQLServer
from tests.benches import new_bench

pytestmark = pytest.mark.integration

FREEZE_SECONDS = float(os.environ.get("FREEZE_SECONDS", "3"))
"""`make faults` freezes for 35 s, longer than any timer of a client library."""

Record = Callable[[str, Observed], None]


@dataclass(frozen=True, kw_only=True)
class Row:
    """A fault of the network or of the job, and what is promised about it."""

    fault: str
    outcome: str
    behaviour: str = "work"
    network: Fault | None = None
    timeout_seconds: float = 5
    """The function's, and the run's bound: one that takes longer is killed, and `Sandbox.Timedout` is its outcome.

    2 s of it are kept back for killing, destroying and the log line.
    """
    settle_seconds: float = 5
    destroyed: str = "polite"
    attempts: int | None = 1
    next_outcome: str = "done"
    variables: Mapping[str, str] = field(default_factory=dict)


STAGES: tuple[Stage, ...] = ("greeting", "tls", "authentication", "setup")
QUICK_AND_SLOW: tuple[tuple[Action, float], ...] = (("reset", 5), ("close", 5), ("silence", 14), ("drip", 14))
FOR_EVER: tuple[tuple[Stage, Action], ...] = (
    ("greeting", "silence"),
    ("tls", "drip"),
    ("authentication", "silence"),
    ("setup", "reset"),
)
CONNECTING = [
    Row(
        fault=f"{action} at {stage}, once",
        network=Fault(stage=stage, action=action),
        outcome="done",
        attempts=2,
        timeout_seconds=timeout,
        settle_seconds=IDLE_SECONDS + 5,
    )
    for stage in STAGES
    for action, timeout in QUICK_AND_SLOW
]
LOST_FOR_GOOD = [
    Row(
        fault=f"{action} at {stage}, for ever",
        network=Fault(stage=stage, action=action, connections=1000),
        outcome="DeadlineExceeded",
        attempts=None,
        destroyed="never",
    )
    for stage, action in FOR_EVER
]
WORKING = [
    Row(
        fault="black hole mid-query",
        behaviour="read_all",
        network=Fault(stage="statement", action="silence", statement=b"FROM number"),
        outcome="DeadlineExceeded",
        destroyed="cut",
    ),
    Row(
        fault="black hole before the rows",
        behaviour="read_all",
        network=Fault(stage="answer", action="silence", statement=b"FROM number"),
        outcome="DeadlineExceeded",
        destroyed="cut",
    ),
    Row(
        fault="rows drip byte by byte",
        behaviour="read_all",
        network=Fault(stage="answer", action="drip", statement=b"FROM number"),
        outcome="DeadlineExceeded",
        destroyed="cut",
    ),
    Row(
        fault="reset mid-query",
        behaviour="read_all",
        network=Fault(stage="statement", action="reset", statement=b"FROM number"),
        outcome="OperationalError 2013",
        destroyed="gone",
    ),
    Row(
        fault="reset before the rows",
        behaviour="read_all",
        network=Fault(stage="answer", action="reset", statement=b"FROM number"),
        outcome="OperationalError 2013",
        destroyed="gone",
    ),
    Row(
        fault="black hole mid-write of a large statement",
        behaviour="large_statement",
        network=Fault(stage="large statement", action="silence"),
        outcome="DeadlineExceeded",
        destroyed="cut",
    ),
    Row(
        fault="reset mid-write of a large statement",
        behaviour="large_statement",
        network=Fault(stage="large statement", action="reset"),
        outcome="OperationalError 2006",
        destroyed="gone",
    ),
    Row(
        fault="lost during COMMIT, before the server has it",
        network=Fault(stage="statement", action="reset", statement=b"COMMIT"),
        outcome="OutcomeUnknownError",
        destroyed="gone",
    ),
    Row(
        fault="lost during COMMIT, after the server has it",
        network=Fault(stage="answer", action="reset", statement=b"COMMIT"),
        outcome="OutcomeUnknownError",
        destroyed="gone",
    ),
    Row(
        fault="black hole during COMMIT",
        network=Fault(stage="answer", action="silence", statement=b"COMMIT"),
        outcome="OutcomeUnknownError",
        destroyed="cut",
    ),
    # COM_QUIT never arrives: the limit that the session carries ends it on the server.
    Row(
        fault="black hole at destroy",
        network=Fault(stage="quit", action="silence"),
        outcome="done",
        settle_seconds=2 * IDLE_SECONDS,
    ),
    Row(fault="reset at destroy", network=Fault(stage="quit", action="reset"), outcome="done"),
]
NOBODY_TO_KILL = [
    # Through an RDS Proxy nothing can be killed: the session's own limits must do.
    Row(
        fault="CPU-bound SELECT, no kill through a proxy",
        behaviour="select",
        outcome="DeadlineExceeded",
        destroyed="cut",
        variables={"DATABASE_ENDPOINT": "proxy"},
    ),
    Row(
        fault="black hole while the server sends rows, no kill through a proxy",
        behaviour="stream",
        network=Fault(stage="answer", action="silence", statement=b"REPEAT"),
        outcome="DeadlineExceeded",
        destroyed="cut",
        settle_seconds=2 * IDLE_SECONDS,
        variables={"DATABASE_ENDPOINT": "proxy"},
    ),
    Row(
        fault="black hole mid-write of a large statement, no kill through a proxy",
        behaviour="large_statement",
        network=Fault(stage="large statement", action="silence"),
        outcome="DeadlineExceeded",
        destroyed="cut",
        settle_seconds=2 * IDLE_SECONDS,
        variables={"DATABASE_ENDPOINT": "proxy"},
    ),
]
DEADLINES = [
    Row(fault="CPU-bound SELECT", behaviour="select", outcome="DeadlineExceeded", destroyed="cut"),
    Row(
        fault="long INSERT … SELECT",
        behaviour="insert_select",
        outcome="DeadlineExceeded",
        destroyed="cut",
        timeout_seconds=3,
    ),
    Row(fault="job swallows the deadline", behaviour="swallows", outcome="DeadlineExceeded", destroyed="cut"),
]
JOBS = [
    Row(fault="job raises", behaviour="raises", outcome="ValueError"),
    Row(
        fault="job leaves a half-read streaming cursor",
        behaviour="stream",
        outcome="ValueError",
        destroyed="cut",
    ),
    Row(fault="job keeps its connection and cursor", behaviour="keeps", outcome="done"),
    Row(fault="job raises an exception cycle", behaviour="cycle", outcome="ValueError"),
    Row(fault="job closes the connection", behaviour="closes", outcome="InterfaceError 0", destroyed="gone"),
    Row(fault="job calls sys.exit", behaviour="exits", outcome="Runtime.ExitError"),
    Row(fault="job reconnects after its session died", behaviour="reconnects", outcome="SealedError", destroyed="gone"),
    Row(fault="job sets autocommit", behaviour="sets_autocommit", outcome="SealedError"),
    Row(fault="job commits by itself, unseen", behaviour="commits", outcome="TransactionEndedError"),
    Row(fault="job changes the process for good", behaviour="changes_the_process", outcome="done"),
    Row(fault="job raises a lone surrogate and 800 kB", behaviour="raises_what_is_no_text", outcome="ValueError"),
]
UNTRUSTED = [
    Row(
        fault="TLS stripped by a man in the middle",
        network=Fault(stage="greeting", action="strip"),
        outcome="OperationalError 2026",
        destroyed="never",
        attempts=None,
    ),
    Row(
        fault="right authority, wrong host",
        outcome="OperationalError 2003",
        destroyed="never",
        attempts=None,
        variables={"DATABASE_HOST": "other.example", "HOSTS": str(Path(__file__).with_name("hosts"))},
        next_outcome="OperationalError 2003",
    ),
    Row(
        fault="name does not resolve",
        outcome="DeadlineExceeded",
        destroyed="never",
        attempts=None,
        variables={"DATABASE_HOST": "db.invalid"},
        next_outcome="DeadlineExceeded",
    ),
]
TABLE = {
    row.fault: row for row in (*CONNECTING, *LOST_FOR_GOOD, *WORKING, *NOBODY_TO_KILL, *DEADLINES, *JOBS, *UNTRUSTED)
}


@pytest.fixture(scope="module")
def observed(bench: Bench, request: pytest.FixtureRequest) -> Iterator[dict[str, Future[Observed]]]:
    """All rows of the table, run side by side: most of their time is waiting."""
    wanted = {item.callspec.params.get("fault") for item in request.session.items if hasattr(item, "callspec")}
    with ThreadPoolExecutor(8) as pool:
        yield {fault: pool.submit(_run, bench, row) for fault, row in TABLE.items() if fault in wanted}


@pytest.mark.parametrize("fault", TABLE)
def test_fault(fault: str, observed: dict[str, Future[Observed]], record: Record) -> None:
    row, result = TABLE[fault], observed[fault].result()
    record(fault, result)
    assert result.outcome == row.outcome
    assert result.report.get("destroyed", "never") == row.destroyed
    assert result.report.get("attempts") == row.attempts
    _leaves_nothing(result, next_outcome=row.next_outcome)


def test_an_unknown_outcome_is_what_the_server_made_of_it(bench: Bench, observed: dict[str, Future[Observed]]) -> None:
    """Before the server had the COMMIT the work is undone, after it the work is done: only the ledger can tell."""
    del observed  # only so that the table does not run beside this
    expected: dict[Stage, int] = {"statement": 0, "answer": 1}
    for stage, rows in expected.items():
        fault = Fault(stage=stage, action="reset", statement=b"COMMIT")
        with FaultProxy(bench.server, fault) as proxy, bench.function("work", port=proxy.port) as function:
            bench.execute("DELETE FROM faults.target")
            function.invoke()
            assert bench.execute("SELECT COUNT(*) FROM faults.target") == [(rows,)]


def test_sixty_errors_in_a_row_hold_no_connection(bench: Bench, record: Record) -> None:
    with bench.function("raises") as function:
        for _ in range(59):
            assert function.invoke().error
        result = bench.observe(function)
    record("job raises, 60 times in a row", result)
    assert result.outcome == "ValueError"
    _leaves_nothing(result)


def test_a_thread_that_a_job_forgets_is_in_the_log_line(bench: Bench) -> None:
    with bench.function("threads") as function:
        result = bench.observe(function)
    assert (result.outcome, result.report["leaked"], result.report["level"]) == ("done", ["thread forgotten"], "ERROR")


def test_syn_black_hole(bench: Bench, record: Record) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        with contextlib.ExitStack() as waiting:
            for _ in range(3):  # fills the queue of a listener that never accepts; Linux drops what comes then
                each = waiting.enter_context(socket.socket())
                each.setblocking(False)
                each.connect_ex(address)
            with bench.function("work", port=address[1], timeout_seconds=5) as function:
                result = bench.observe(function)
    record("SYN black hole", result)
    assert result.outcome == "DeadlineExceeded"
    _leaves_nothing(result, next_outcome="DeadlineExceeded")


def test_a_silent_name_server(bench: Bench, record: Record, tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        names = _names(tmp_path, port=silent.getsockname()[1], hosts="")
        with bench.function("work", variables={"DATABASE_HOST": "db.example", **names}, timeout_seconds=5) as function:
            result = bench.observe(function)
    record("silent name server", result)
    assert result.outcome == "DeadlineExceeded"
    assert "no name server (127.0.0.1) said the address of db.example in time" in result.report["error"]
    _leaves_nothing(result, next_outcome="DeadlineExceeded")


def test_the_first_address_of_a_name_is_silent(bench: Bench, record: Record, tmp_path: Path) -> None:
    names = _names(tmp_path, port=1, hosts="127.0.0.2 localhost\n127.0.0.1 localhost\n")
    with contextlib.ExitStack() as waiting:
        full = waiting.enter_context(socket.socket())
        full.bind(("127.0.0.2", bench.server.port))
        full.listen(0)
        for _ in range(3):  # fills the queue of a listener that never accepts
            each = waiting.enter_context(socket.socket())
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        variables = {"DATABASE_HOST": "localhost", **names}
        with bench.function("work", variables=variables, timeout_seconds=12) as function:
            result = bench.observe(function)
    record("first address of a name is silent", result)
    assert (result.outcome, result.report["attempts"]) == ("done", 1)
    _leaves_nothing(result)


def test_server_down_at_run_time(bench: Bench, record: Record) -> None:
    with socket.socket() as bound:  # bound, not listening: refused, and nobody else gets the port
        bound.bind(("127.0.0.1", 0))
        with bench.function("work", port=bound.getsockname()[1], timeout_seconds=4) as function:
            result = bench.observe(function)
    record("server down at run time", result)
    assert result.outcome == "DeadlineExceeded"
    assert "refused" in result.report["error"]
    _leaves_nothing(result, next_outcome="DeadlineExceeded")


def test_too_many_connections_on_the_server(bench: Bench, record: Record) -> None:
    [(before,)] = bench.execute("SELECT @@GLOBAL.max_connections")
    with bench.function("work", timeout_seconds=12) as function, bench.function("work") as other:
        with _sessions(bench, other.user, 10), contextlib.closing(bench.server.connect()) as watcher:
            bench.execute("SET GLOBAL max_connections = 10")
            try:
                lift = threading.Thread(target=_lift_once_one_was_refused, args=(watcher, before))
                lift.start()
                result = bench.observe(function)
                lift.join()
            finally:
                bench.execute(f"SET GLOBAL max_connections = {before}")
    record("too many connections", result)
    assert (result.outcome, result.report["attempts"] > 1) == ("done", True)
    _leaves_nothing(result)


def _lift_once_one_was_refused(watcher: "pymysql.Connection[Any]", limit: int) -> None:
    """Lift the limit by `watcher`, which was connected before there was one, as soon as it has struck."""
    with watcher.cursor() as cursor:

        def refused() -> Any:
            cursor.execute("SHOW GLOBAL STATUS LIKE 'Connection_errors_max_connections'")
            return cursor.fetchone()

        before, end = refused(), time.monotonic() + 10
        while refused() == before and time.monotonic() < end:
            time.sleep(0.05)
        cursor.execute(f"SET GLOBAL max_connections = {limit}")


def test_per_user_limit(bench: Bench, record: Record) -> None:
    with bench.function("work", timeout_seconds=12) as function:
        bench.execute(f"ALTER USER {function.user} WITH MAX_USER_CONNECTIONS 1")
        with _sessions(bench, function.user, 1) as sessions:
            leave = threading.Timer(1, sessions[0].close)
            leave.start()
            result = bench.observe(function)
            leave.join()
    record("per-user limit", result)
    assert (result.outcome, result.report["attempts"] > 1) == ("done", True)
    _leaves_nothing(result)


def test_lock_wait_until_the_deadline(bench: Bench, record: Record) -> None:
    with bench.function("lock_wait", timeout_seconds=4) as function, _locked(bench):
        result = bench.observe(function)
    record("lock wait until the deadline", result)
    assert (result.outcome, result.report["killed"]) == ("DeadlineExceeded", "killed")
    _leaves_nothing(result)


def test_a_deadlock_that_the_job_swallows_commits_nothing(bench: Bench) -> None:
    """The server undid the first half; the second must not be committed alone."""
    with bench.function("swallows_deadlock", timeout_seconds=12) as function, _deadlocked(bench, function):
        bench.execute("DELETE FROM faults.target")
        run = function.invoke()
        assert outcome(run) == "TransactionEndedError"
        assert bench.execute("SELECT COUNT(*) FROM faults.target") == [(0,)]


def test_lock_wait_timeout(bench: Bench, record: Record) -> None:
    with bench.function("short_lock_wait", timeout_seconds=8) as function, _locked(bench):
        result = bench.observe(function)
    record("lock wait timeout", result)
    assert result.outcome == "OperationalError 1205"
    _leaves_nothing(result)


def test_deadlock(bench: Bench, record: Record) -> None:
    with bench.function("deadlock", timeout_seconds=12) as function, _deadlocked(bench, function):
        result = bench.observe(function)
    record("deadlock", result)
    assert result.outcome == "OperationalError 1213"
    _leaves_nothing(result)


@pytest.mark.parametrize(
    ("what", "outcome", "destroyed"),
    [("QUERY", "OperationalError 1317", "polite"), ("CONNECTION", "OperationalError 2013", "gone")],
)
def test_killed_by_a_dba(what: str, outcome: str, destroyed: str, bench: Bench, record: Record) -> None:
    with bench.function("select", timeout_seconds=30) as function:

        def kill() -> None:
            bench.wait_for(function, "SELECT COUNT(*)")
            query = "SELECT id FROM performance_schema.processlist WHERE user = %s"
            [(number,)] = bench.execute(query, (function.user,))
            bench.execute(f"KILL {what} {number}")

        dba = threading.Thread(target=kill)
        dba.start()
        result = bench.observe(function)
        dba.join()
    record(f"KILL {what} by a DBA", result)
    assert (result.outcome, result.report["destroyed"]) == (outcome, destroyed)
    _leaves_nothing(result)


def test_read_only_server_after_a_failover_then_the_writer(bench: Bench, record: Record) -> None:
    with bench.function("work", timeout_seconds=12) as function:
        bench.execute("SET GLOBAL read_only = ON")
        try:
            promote = threading.Timer(1, bench.execute, ("SET GLOBAL read_only = OFF",))
            promote.start()
            result = bench.observe(function)
            promote.join()
        finally:
            bench.execute("SET GLOBAL read_only = OFF")
    record("read-only server after a failover, then the writer", result)
    assert (result.outcome, result.report["attempts"] > 1) == ("done", True)
    _leaves_nothing(result)


def test_a_secret_that_was_rotated_while_the_run_began(bench: Bench, emulator: Emulator, record: Record) -> None:
    with _secrets_manager() as (url, answers):
        with bench.function("work", variables={"AWS_ENDPOINT_URL_SECRETS_MANAGER": url}) as function:
            current = emulator.client("secretsmanager").get_secret_value(SecretId=function.secret)["SecretString"]
            stale = json.dumps({"username": function.user, "password": "from before the rotation"})
            answers += [stale, current, current]
            result = bench.observe(function)
    record("wrong password, then the rotated secret", result)
    assert answers == []
    assert (result.outcome, result.report["attempts"]) == ("done", 2)
    _leaves_nothing(result)


def test_a_wrong_password_is_tried_twice_and_no_more(bench: Bench, emulator: Emulator, record: Record) -> None:
    with bench.function("work") as function:
        client = emulator.client("secretsmanager")
        wrong = json.dumps({"username": function.user, "password": "hunter2"})
        current = client.get_secret_value(SecretId=function.secret)["SecretString"]
        client.put_secret_value(SecretId=function.secret, SecretString=wrong)
        refused = _refusals(bench)
        result = bench.observe(
            function, calm=lambda: client.put_secret_value(SecretId=function.secret, SecretString=current)
        )
        assert _refusals(bench) == refused + 2
    record("wrong password", result)
    assert result.outcome == "OperationalError 1045"
    _leaves_nothing(result)


def test_iam_token_rejected(bench: Bench, record: Record) -> None:
    with bench.function("work", variables={"DATABASE_AUTH": "iam"}) as function:
        refused = _refusals(bench)
        result = bench.observe(function)
        assert _refusals(bench) == refused + 4  # two each: this run and the next
    record("IAM token rejected", result)
    assert result.outcome == "OperationalError 1045"
    _leaves_nothing(result, next_outcome="OperationalError 1045")


def test_certificate_from_another_authority(bench: Bench, record: Record, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    with bench.function("work", variables={"DATABASE_CERTIFICATES": str(other)}) as function:
        result = bench.observe(function)
    record("certificate from another authority", result)
    assert result.outcome == "OperationalError 2003"
    assert "CERTIFICATE_VERIFY_FAILED" in result.report["error"]
    _leaves_nothing(result, next_outcome="OperationalError 2003")


def test_a_freeze_with_idle_sessions_reaped_meanwhile(bench: Bench, record: Record) -> None:
    [(before,)] = bench.execute("SELECT @@GLOBAL.wait_timeout")
    bench.execute("SET GLOBAL wait_timeout = 1")
    try:
        with bench.function("work") as function:
            result = bench.observe(function, calm=lambda: time.sleep(FREEZE_SECONDS))
    finally:
        bench.execute(f"SET GLOBAL wait_timeout = {before}")
    record(f"freeze of {FREEZE_SECONDS:g} s, idle sessions reaped meanwhile", result)
    assert (result.outcome, result.report["destroyed"]) == ("done", "polite")
    _leaves_nothing(result)


def test_the_server_restarts_during_the_freeze(
    emulator: Emulator, tmp_path_factory: pytest.TempPathFactory, record: Record
) -> None:
    installation = mysql_installation.find_or_fetch(CACHE, progress=print)
    with contextlib.ExitStack() as running:
        server = MySQLServer.start(installation, tmp_path_factory.mktemp("restarted"), progress=print)
        running.enter_context(server)
        bench = new_bench(server, emulator, tmp_path_factory)
        with bench.function("work") as function:
            result = bench.observe(function, calm=lambda: running.enter_context(server.restart()))
    record("server restarts during the freeze", result)
    assert result.outcome == "done"
    _leaves_nothing(result)


def test_the_server_restarts_before_the_kill(
    emulator: Emulator, tmp_path_factory: pytest.TempPathFactory, record: Record
) -> None:
    """Its sessions are numbered anew: the number that is to be killed is somebody else's by now."""
    installation = mysql_installation.find_or_fetch(CACHE, progress=print)
    with contextlib.ExitStack() as running:
        folder = tmp_path_factory.mktemp("restarted")
        first = running.enter_context(MySQLServer.start(installation, folder, progress=print))
        bench = new_bench(first, emulator, tmp_path_factory)
        silence = Fault(stage="answer", action="silence", statement=b"FROM number")
        proxy = running.enter_context(FaultProxy(first, silence))
        proxy.observer = lambda place: reading.set() if place.startswith("answer: SELECT n, REPEAT") else None
        with bench.function("read_all", port=proxy.port, timeout_seconds=20) as function:

            def restart() -> None:
                reading.wait(60)
                numbers.append(bench.sessions(function.user)[0][0])
                running.enter_context(first.restart())
                while not innocents or innocents[-1].thread_id() < numbers[0]:
                    innocents.extend(running.enter_context(_sessions(bench, function.user, 1)))

            reading = threading.Event()
            numbers: list[int] = []
            innocents: list[Any] = []
            restarter = threading.Thread(target=restart)
            restarter.start()
            result = bench.observe(function, calm=proxy.heal)
            restarter.join()
            assert [innocents[-1].thread_id()] == numbers
            innocents[-1].ping(reconnect=False)
    result = replace(result, sessions_left=result.sessions_left - len(innocents))
    record("server restarts before the kill at the deadline", result)
    assert (result.outcome, result.report["killed"]) == ("DeadlineExceeded", "already gone")
    _leaves_nothing(result)


def test_a_freeze_mid_query(bench: Bench, record: Record) -> None:
    with bench.function("select", timeout_seconds=12) as function:

        def freeze() -> None:
            bench.wait_for(function, "SELECT COUNT(*)")
            assert function.client.pid
            os.kill(function.client.pid, signal.SIGSTOP)
            time.sleep(10.5)  # past the deadline
            os.kill(function.client.pid, signal.SIGCONT)

        freezer = threading.Thread(target=freeze)
        freezer.start()
        result = bench.observe(function)
        freezer.join()
    record("freeze mid-query, past the deadline", result)
    assert result.outcome in ("DeadlineExceeded", "OperationalError 3024")  # the server's own limit may come first
    _leaves_nothing(result)


@pytest.mark.parametrize(
    ("behaviour", "statement"),
    [
        pytest.param("select", "SELECT COUNT(*)", id="CPU-bound SELECT"),
        pytest.param("lock_wait", "UPDATE number", id="lock wait"),
        pytest.param("insert_select", "INSERT INTO target", id="INSERT SELECT"),
        pytest.param("open_transaction", "", id="open transaction"),
    ],
)
def test_the_environment_is_killed(
    behaviour: str, statement: str, bench: Bench, record: Record, request: pytest.FixtureRequest
) -> None:
    """As by a function timeout or an out-of-memory: nobody is left to tell the server, so its own limits must do."""
    timeout = 5.0
    with (
        _locked(bench) if behaviour == "lock_wait" else contextlib.nullcontext(),
        bench.function(behaviour, timeout_seconds=timeout) as function,
    ):
        bench.execute("DELETE FROM faults.target")

        def kill() -> None:
            bench.wait_for(function, statement) if statement else time.sleep(1)
            assert function.client.pid
            os.kill(function.client.pid, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        # A SELECT and a lock wait end by the session's limit; INSERT … SELECT has none, and is rolled back at its end.
        result = bench.observe(function, settle_seconds=60 if behaviour == "insert_select" else timeout + 15)
        killer.join()
    record(f"environment killed during {request.node.callspec.id}", result)
    assert result.outcome == "Runtime.ExitError"
    assert bench.execute("SELECT COUNT(*) FROM faults.target") == [(1,)]  # the next run's own
    _leaves_nothing(result)


def test_an_orphaned_write_is_ended_by_the_next_run(bench: Bench, record: Record) -> None:
    """Its function was killed, nobody told the server, and no limit of the server's bounds an UPDATE."""
    with bench.function("update", timeout_seconds=6) as function:
        bench.execute("INSERT INTO faults.target (value) VALUES ('y')")

        def kill() -> None:
            bench.wait_for(function, "UPDATE target")
            assert function.client.pid
            os.kill(function.client.pid, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        assert outcome(function.invoke()) == "Runtime.ExitError"
        killer.join()
        function.storm.unlink()
        end = time.monotonic() + 60
        while outcome(function.invoke()) == "overlapping":  # the orphan's run had its time still
            assert time.monotonic() < end
            time.sleep(0.5)
        result = bench.observe(function)
        [sessions] = bench.execute(
            "SELECT COUNT(*) FROM performance_schema.processlist WHERE user = %s", (function.user,)
        )
    record("orphaned write, its run's time being over", result)
    assert sessions == (0,)
    assert result.outcome == "done"
    _leaves_nothing(result)


def _names(folder: Path, *, port: int, hosts: str) -> dict[str, str]:
    """Variables of a function that resolves names by these hosts, then by a name server at this port of 127.0.0.1."""
    (folder / "hosts").write_text(hosts)
    (folder / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    return {
        "NAME_SERVER_PORT": str(port),
        "NAME_SERVERS": str(folder / "resolv.conf"),
        "HOSTS": str(folder / "hosts"),
    }


def _run(bench: Bench, row: Row) -> Observed:
    with contextlib.ExitStack() as stack:
        proxy = stack.enter_context(FaultProxy(bench.server, row.network)) if row.network else None
        function = stack.enter_context(
            bench.function(
                row.behaviour,
                port=proxy.port if proxy else None,
                timeout_seconds=row.timeout_seconds,
                variables=row.variables,
            )
        )
        calm = proxy.heal if proxy else lambda: None
        return bench.observe(function, calm=calm, settle_seconds=row.settle_seconds)


def _leaves_nothing(result: Observed, next_outcome: str = "done") -> None:
    assert result.sessions_left == 0
    assert result.transactions_left == 0
    assert result.connections_left == 0
    assert result.report.get("leaked", []) == []
    assert result.next_outcome == next_outcome
    if "destroy_ms" in result.report and "killed" not in result.report:
        assert result.report["destroy_ms"] < 1000  # milliseconds on a quiet machine


@contextlib.contextmanager
def _locked(bench: Bench) -> Iterator[None]:
    """Somebody else holds the lock on the first number."""
    with bench.server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("UPDATE faults.number SET n = n WHERE n = 1")
        yield
        cursor.execute("ROLLBACK")


@contextlib.contextmanager
def _deadlocked(bench: Bench, function: Function) -> Iterator[None]:
    """Somebody else holds what the job wants next, wants what it holds, and has done more, so that the job loses."""
    locked = function.storm.with_suffix(".locked")

    def other_side() -> None:
        with bench.server.connect() as connection, connection.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("UPDATE faults.number SET n = n WHERE n BETWEEN 2 AND 500")
            while not locked.exists():
                time.sleep(0.01)
            cursor.execute("UPDATE faults.number SET n = n WHERE n = 1")
            cursor.execute("ROLLBACK")

    other = threading.Thread(target=other_side)
    other.start()
    yield
    other.join()


@contextlib.contextmanager
def _sessions(bench: Bench, user: str, count: int) -> Iterator[list[Any]]:
    """So many sessions of `user`, for as long as the block lasts."""
    with contextlib.ExitStack() as stack:
        sessions = [
            pymysql.connect(
                host=bench.server.host,
                port=bench.server.port,
                user=user,
                password=f"password of {user}",
                ssl_ca=str(bench.server.certificate_authority),
            )
            for _ in range(count)
        ]
        for session in sessions:
            stack.callback(_close, session)
        yield sessions


@contextlib.contextmanager
def _secrets_manager() -> Iterator[tuple[str, list[str]]]:
    """A Secrets Manager that answers with each of a list of secrets in turn; yields its address and the list."""
    answers: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            body = json.dumps({"SecretString": answers.pop(0)}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name in the base class)
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", answers
        server.shutdown()
        thread.join()


def _close(session: Any) -> None:
    if session.open:
        session.close()


def _refusals(bench: Bench) -> int:
    """How many logins the server has refused."""
    [(_name, count)] = bench.execute("SHOW GLOBAL STATUS LIKE 'Aborted_connects'")
    return int(count)
