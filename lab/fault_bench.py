"""Runs a job in Lambda's runtime client while something goes wrong, and observes what the run leaves."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lab.ledger_tables import make_ledger
from local import processes
from local.emulator import Emulator, credentials
from local.execution_environment import ExecutionEnvironment, Invocation
from local.mysql_server import MySQLServer
from settings.project import Project
from stacks.database.proxy import init_query
from stacks.jobs.bundle import bundle

SCHEMA = "faults"
FIRST_TIME = datetime(2026, 1, 1, tzinfo=UTC)
INTERVAL = timedelta(minutes=5)
IDLE_SECONDS = 6
"""In the deployed parameter group it is 300."""
SETTLE_SECONDS = 5.0
"""How long a session may take to be gone from the server once the run has ended."""

_numbers = itertools.count(1)
"""For users of their own, whichever bench they are of."""


@dataclass(frozen=True, kw_only=True)
class Observed:
    """The outcome of a run, and what it left open."""

    outcome: str
    """done, or the error's name and number."""
    seconds: float
    """From the event to the frozen process."""
    sessions_left: int
    """On the server, after a time to settle."""
    transactions_left: int
    connections_left: int
    """TCP connections of the frozen process to the server."""
    left_open: int | None
    """Threads, and descriptors of anything but files and devices, that the frozen process has more than before the run;
    None if there was none before."""
    next_outcome: str
    report: Mapping[str, Any]
    """The log line."""
    server: str
    """Its version."""
    tries: int | None = None
    """To connect to what the job reaches besides its database; None if it reaches nothing."""


@dataclass(frozen=True, kw_only=True)
class Function:
    """A deployed function with a database user and a job of its own, both of the same name."""

    user: str
    client: ExecutionEnvironment
    storm: Path
    """Names the job's behaviour; without it, the job behaves well."""
    secret: str
    """ARN of the secret with its password."""
    _times: Iterator[datetime] = field(default_factory=lambda: (FIRST_TIME + n * INTERVAL for n in itertools.count()))

    def invoke(self) -> Invocation:
        """Run it for the next scheduled time."""
        return self.client.invoke({"scheduled_time": next(self._times).isoformat(), "execution_id": "fault"})


class Bench:
    """A schema on the server in which jobs run under faults.

    The server's own limits, for sessions that set none, are scaled down to `IDLE_SECONDS`: its `wait_timeout` ends the
    session of an attempt to connect that was lost after the login, before the session's own limits were set.
    """

    def __init__(self, *, server: MySQLServer, emulator: Emulator, job: Path, folder: Path) -> None:
        """Create the schema, and the functions' code, in which each function has `job` under its own name."""
        self.server = server
        self.emulator = emulator
        self._folder = folder
        self._code = folder / "code"
        bundle(self._code, project=Project(folder), region=emulator.region)
        (self._code / "jobs").mkdir()
        self._job = job
        # As RDS Proxy does for the sessions through it; other sessions set limits of their own.
        limits = f"{init_query(IDLE_SECONDS)}, wait_timeout = {IDLE_SECONDS}"
        self.execute("SET GLOBAL init_connect = %s", (limits,))
        # Set in init_connect, these two don't reach the socket.
        self.execute(f"SET GLOBAL net_write_timeout = {IDLE_SECONDS}, GLOBAL net_read_timeout = {IDLE_SECONDS}")
        self.execute(f"CREATE DATABASE {SCHEMA}")
        self.execute(f"CREATE TABLE {SCHEMA}.number (n INT PRIMARY KEY)")
        values = ", ".join(f"({n})" for n in range(1, 1001))
        self.execute(f"INSERT INTO {SCHEMA}.number VALUES {values}")
        self.execute(f"CREATE TABLE {SCHEMA}.target (id INT AUTO_INCREMENT PRIMARY KEY, value VARCHAR(64))")
        make_ledger(server, SCHEMA)

    def close(self) -> None:
        """Drop the schema and reset the server's settings."""
        self.execute(f"DROP DATABASE {SCHEMA}")
        self.execute(
            "SET GLOBAL init_connect = '', GLOBAL net_write_timeout = DEFAULT, GLOBAL net_read_timeout = DEFAULT"
        )

    def execute(self, statement: str, parameters: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        """Run a statement as the administrator, and return its rows."""
        with self.server.connect() as connection, connection.cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return list(cursor.fetchall())

    @contextmanager
    def function(
        self, behaviour: str, *, port: int | None = None, timeout_seconds: float = 6, variables: Mapping[str, str] = {}
    ) -> Iterator[Function]:
        """Make a function whose job shows `behaviour`, and that reaches the server through `port`."""
        user = f"f{next(_numbers)}"
        password = f"password of {user}"
        self.execute(f"CREATE USER {user} IDENTIFIED BY %s REQUIRE SSL", (password,))
        self.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {SCHEMA}.* TO {user}")
        secret = json.dumps({"username": user, "password": password})
        arn = self.emulator.client("secretsmanager").create_secret(Name=f"faults/{user}", SecretString=secret)["ARN"]
        storm = self._folder / f"{user}.storm"
        storm.write_text(behaviour)
        # A job of its own: two runs of one job would exclude each other.
        shutil.copyfile(self._job, self._code / "jobs" / f"{user}.py")
        client = ExecutionEnvironment(
            code=self._code,
            handler="mysql_jobs.handler.lambda_handler",
            function_name=f"function-{user}",
            timeout_seconds=timeout_seconds,
            log=self._folder / f"{user}.log",
            environment={
                **credentials(self.emulator.region),
                "AWS_ENDPOINT_URL": self.emulator.url,
                "JOB": user,
                "MAX_WINDOW_MINUTES": "1440",
                "STORM": str(storm),
                "DATABASE_HOST": self.server.host,
                "DATABASE_PORT": str(port or self.server.port),
                "DATABASE_NAME": SCHEMA,
                "DATABASE_ENDPOINT": "instance",
                "DATABASE_CERTIFICATES": str(self.server.certificate_authority),
                "DATABASE_USER": user,
                "DATABASE_AUTH": "secret",
                "DATABASE_SECRET": arn,
                **variables,
            },
        )
        with client:
            yield Function(user=user, client=client, storm=storm, secret=arn)
        self.execute(f"DROP USER {user}")

    def observe(
        self, function: Function, calm: Callable[[], object] = lambda: None, settle_seconds: float = SETTLE_SECONDS
    ) -> Observed:
        """Run the function in the storm, note what it leaves, let the storm `calm`, and run the function once more."""
        before = held(function.client.pid)
        started = time.monotonic()
        run = function.invoke()
        seconds = time.monotonic() - started
        after = held(function.client.pid)
        left = self.settled(function.user, settle_seconds)
        connections_left = _connections(function.client.pid, int(function.client.variable("DATABASE_PORT")))
        function.storm.unlink(missing_ok=True)
        calm()
        following = function.invoke()
        return Observed(
            outcome=outcome(run),
            seconds=seconds,
            sessions_left=left[0],
            transactions_left=left[1],
            connections_left=connections_left,
            left_open=None if before is None or after is None else after - before,
            next_outcome=outcome(following),
            report=log_line(run),
            server=self.server.version,
        )

    def wait_for(self, function: Function, statement: str) -> None:
        """Return once the function's user runs a statement that begins so.

        Raises:
            TimeoutError: it does not within 60 seconds.
        """
        end = time.monotonic() + 60
        query = "SELECT COUNT(*) FROM performance_schema.processlist WHERE user = %s AND info LIKE %s"
        while not self.execute(query, (function.user, f"{statement}%"))[0][0]:
            if time.monotonic() > end:
                raise TimeoutError(f"{function.user} never ran {statement}")
            time.sleep(0.02)

    def settled(self, user: str, seconds: float) -> tuple[int, int]:
        """Return the number of sessions and open transactions of `user`: 0, or those still there after `seconds`."""
        end = time.monotonic() + seconds
        while True:
            [(sessions, transactions)] = self.execute(
                "SELECT COUNT(*), COUNT(trx_id) FROM performance_schema.processlist"
                " LEFT JOIN information_schema.innodb_trx ON trx_mysql_thread_id = id WHERE user = %s",
                (user,),
            )
            if not sessions or time.monotonic() > end:
                return sessions, transactions
            time.sleep(0.02)

    def sessions(self, user: str) -> list[tuple[Any, ...]]:
        """Return what the sessions of `user` are doing on the server."""
        query = "SELECT id, command, time, state, info FROM performance_schema.processlist WHERE user = %s"
        return self.execute(query, (user,))

    def locks(self, user: str) -> int:
        """Return how many locks, of rows, metadata or names, sessions of `user` hold or wait for."""
        rows = (
            "SELECT COUNT(*) FROM performance_schema.data_locks"
            " JOIN performance_schema.threads USING (thread_id) WHERE processlist_user = %s"
        )
        others = (
            "SELECT COUNT(*) FROM performance_schema.metadata_locks"
            " JOIN performance_schema.threads ON thread_id = owner_thread_id WHERE processlist_user = %s"
        )
        return sum(int(self.execute(query, (user,))[0][0]) for query in (rows, others))


def log_line(run: Invocation) -> dict[str, Any]:
    """Return the run's log line; empty if the process ended before it wrote one."""
    for text in run.log_lines:
        line = json.loads(text) if text.startswith("{") else {}
        if line.get("message") == "run":
            found: dict[str, Any] = line
            return found
    return {}


def outcome(run: Invocation) -> str:
    """Return the run's outcome, or the error's name with the number that MySQL or PyMySQL gives it."""
    if run.error is None:
        return str(log_line(run)["outcome"])
    message = str(run.error.get("errorMessage", ""))
    number = message[1:].partition(",")[0] if message.startswith("(") else ""
    return f"{run.error['errorType']} {number if number.isdigit() else ''}".strip()


def _connections(pid: int | None, port: int) -> int:
    """Return the number of TCP connections of a process to a port of this machine."""
    if pid is None:
        return 0
    return sum(each.remote.endswith(f":{port:04X}") for each in processes.tcp_sockets(pid))


def held(pid: int | None) -> int | None:
    """Return how many threads a frozen process has, and descriptors of anything but files and devices; None of none."""
    if pid is None:
        return None
    tasks, descriptors = (Path(f"/proc/{pid}/{kind}") for kind in ("task", "fd"))
    if len(list(tasks.iterdir())) > 1:
        # Python's join returns a moment before the kernel's thread ends, and one freeze of some hundred falls into it.
        os.killpg(pid, signal.SIGCONT)
        time.sleep(0.05)
        os.killpg(pid, signal.SIGSTOP)
        os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    return len(list(tasks.iterdir())) + sum(not os.readlink(each).startswith("/") for each in descriptors.iterdir())
