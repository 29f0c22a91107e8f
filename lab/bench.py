"""Functions of each pattern in Lambda's own runtime client, and what the server sees of them."""

from __future__ import annotations

import itertools
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar

from lab.ledger_tables import make_ledger
from local.emulator import Emulator, credentials
from local.execution_environment import ExecutionEnvironment, Invocation
from local.mysql_server import MySQLServer
from settings.project import Project
from stacks.jobs.bundle import bundle

ROOT = Path(__file__).parents[1]
PATTERNS = Path("lab/patterns")
SETTLE_SECONDS = 1.5
"""How long a session may take to be gone from the server once the run has ended; it takes milliseconds."""
COLD_STARTS = 3
"""At a time: each needs a processor for a second."""

Work = Literal["do", "fail", "slow"]

_numbers = itertools.count(1)


class NotReproduced(Exception):
    """A situation did not occur; the message says why."""


@dataclass(frozen=True)
class Pattern:
    """A way to handle the connection."""

    name: str
    """In a few words."""
    module: str
    """In lab/patterns."""


OURS = Pattern("this project", "ours")
PYTHON = (
    Pattern("module level", "module_level"),
    Pattern("module level (AWS tutorial)", "tutorial"),
    Pattern("module level + ping", "module_level_ping"),
    Pattern("SQLAlchemy pool", "sqlalchemy_pool"),
    Pattern("SQLAlchemy pool_pre_ping", "sqlalchemy_pre_ping"),
    Pattern("SQLAlchemy NullPool", "sqlalchemy_null_pool"),
    Pattern("per run without finally", "per_run_no_finally"),
    Pattern("per run, close() in finally", "close_in_finally"),
    OURS,
)


@dataclass(frozen=True, kw_only=True)
class Function:
    """A function of one pattern, with a database user of its own."""

    pattern: Pattern
    user: str
    environment: ExecutionEnvironment
    work: Path
    starts: threading.Semaphore
    _times: Iterator[datetime] = field(
        default_factory=lambda: (datetime(2026, 1, 1, tzinfo=UTC) + n * timedelta(minutes=5) for n in itertools.count())
    )

    def invoke(self, work: Work = "do") -> Invocation:
        """Run it for the next scheduled time; `work` says what the run does."""
        self.work.write_text(work, encoding="utf-8")
        event = {"scheduled_time": next(self._times).isoformat()}
        if self.environment.pid is not None:
            return self.environment.invoke(event)
        with self.starts:
            return self.environment.invoke(event)


class Bench:
    """A schema on the server, and functions that use it."""

    def __init__(self, *, server: MySQLServer, emulator: Emulator, folder: Path, function_seconds: float) -> None:
        """Create the schema; the engine's code and all logs go into `folder`."""
        self.server = server
        self._emulator = emulator
        self._folder = folder
        self._function_seconds = function_seconds
        self._starts = threading.Semaphore(COLD_STARTS)
        self._code = folder / "code"
        bundle(self._code, project=Project(folder), region=emulator.region)
        (self._code / "jobs").mkdir()
        (self._code / PATTERNS).mkdir(parents=True)
        shutil.copy(ROOT / PATTERNS / "work.py", self._code / PATTERNS)
        self.execute("CREATE DATABASE lab")
        self.execute("CREATE TABLE lab.visit (id INT AUTO_INCREMENT PRIMARY KEY, visitor VARCHAR(64))")
        self.execute(
            "CREATE TABLE lab.number AS"
            " WITH RECURSIVE upto (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM upto WHERE n < 1000) SELECT n FROM upto"
        )
        make_ledger(server, "lab")

    def execute(self, statement: str, parameters: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        """Run a statement as the administrator, and return its rows."""
        with self.server.connect() as connection, connection.cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return list(cursor.fetchall())

    @contextmanager
    def function(self, pattern: Pattern, *, port: int | None = None) -> Iterator[Function]:
        """Make a function of this pattern that reaches the server through `port`; remove it afterwards."""
        user = f"f{next(_numbers)}"
        password = f"password of {user}"
        self.execute(f"CREATE USER {user} IDENTIFIED BY %s REQUIRE SSL", (password,))
        self.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON lab.* TO {user}")
        environment = {
            "DATABASE_HOST": self.server.host,
            "DATABASE_PORT": str(port or self.server.port),
            "DATABASE_NAME": "lab",
            "DATABASE_CERTIFICATES": str(self.server.certificate_authority),
            "DATABASE_USER": user,
            "DATABASE_PASSWORD": password,
            "WORK": str(self._folder / f"{user}.work"),
        }
        code, handler = ROOT, f"{PATTERNS}/{pattern.module}.lambda_handler"
        if pattern is OURS:
            code, handler = self._code, "mysql_jobs.handler.lambda_handler"
            environment |= self._ours(user, password)
        client = ExecutionEnvironment(
            code=code,
            handler=handler,
            function_name=user,
            timeout_seconds=self._function_seconds,
            log=self._folder / f"{user}.log",
            environment=environment,
        )
        try:
            with client:
                yield Function(
                    pattern=pattern,
                    user=user,
                    environment=client,
                    work=Path(environment["WORK"]),
                    starts=self._starts,
                )
        finally:
            self.execute(f"DROP USER {user}")

    def left(self, user: str) -> tuple[int, int]:
        """Return how many sessions of `user` there are after they had time to end, and how many run a statement."""
        end = time.monotonic() + SETTLE_SECONDS
        query = "SELECT COUNT(*), COUNT(info) FROM performance_schema.processlist WHERE user = %s"
        while True:
            [(sessions, statements)] = self.execute(query, (user,))
            if not sessions or time.monotonic() > end:
                return sessions, statements
            time.sleep(0.05)

    def sessions(self) -> dict[str, int]:
        """Return how many sessions there are, by user."""
        return dict(self.execute("SELECT user, COUNT(*) FROM performance_schema.processlist GROUP BY user"))

    def visits(self, user: str) -> int:
        """Return how many visits `user` has committed."""
        [(count,)] = self.execute("SELECT COUNT(*) FROM lab.visit WHERE visitor = %s", (f"{user}@%",))
        return int(count)

    def _ours(self, user: str, password: str) -> dict[str, str]:
        # A job of its own: two runs of one job would exclude each other.
        shutil.copyfile(ROOT / PATTERNS / f"{OURS.module}.py", self._code / "jobs" / f"{user}.py")
        secret = json.dumps({"username": user, "password": password})
        secrets_manager = self._emulator.client("secretsmanager")
        return {
            **credentials(self._emulator.region),
            "AWS_ENDPOINT_URL": self._emulator.url,
            "JOB": user,
            "MAX_WINDOW_MINUTES": "1440",
            "DATABASE_ENDPOINT": "instance",
            "DATABASE_AUTH": "secret",
            "DATABASE_SECRET": secrets_manager.create_secret(Name=f"lab/{user}", SecretString=secret)["ARN"],
        }


Item = TypeVar("Item")
Result = TypeVar("Result")


def each(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Return what `work` returns for each item; all run at the same time."""
    with ThreadPoolExecutor(len(items)) as pool:
        return list(pool.map(work, items))
