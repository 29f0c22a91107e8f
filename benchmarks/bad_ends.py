"""How long the end of a run takes when the server is frozen: at the deadline, and with a send buffer that is full."""

from __future__ import annotations

import importlib
import itertools
import os
import signal
import statistics
import threading
import time
from collections.abc import Callable
from typing import Any

from benchmarks.figures import Line
from benchmarks.in_process import PROJECT, deployed, event
from local.mysql_server import MySQLServer
from mysql_jobs import handler
from testkit.database import Database, new_database
from testkit.function import Context

DEADLINE_SECONDS = 1.0
FROZEN_AFTER_SECONDS = 0.5


def measure(server: MySQLServer, *, rounds: int, progress: Callable[[str], None]) -> list[Line]:
    """Return the lines about ends that are not healthy."""
    with new_database(server, PROJECT) as database:
        database.migrate({})
        with deployed(database, "late"):
            late = statistics.median(_frozen(server, database, _at_deadline) for _ in range(rounds))
        with deployed(database, "clogged"):
            clogged = statistics.median(_frozen(server, database, _clogged) for _ in range(rounds))
    progress("Ends with the server frozen")
    return [
        Line(
            subject="destroy at the deadline, server frozen",
            unit="ms",
            ours=1000 * late,
            bar=50,
            note="from the deadline until the handler is back",
        ),
        Line(
            subject="goodbye into a full send buffer",
            unit="ms",
            ours=1000 * clogged,
            bar=5,
            note="from the job's error until the handler is back, its log line included",
        ),
    ]


def _frozen(server: MySQLServer, database: Database, measured: Callable[[], float]) -> float:
    """What `measured` returns while the server is frozen, which it is when the run has begun."""
    while server.open_connections(database.user):  # the session of the run before may still hold the job's lock
        time.sleep(0.1)
    timer = threading.Timer(FROZEN_AFTER_SECONDS, os.kill, (server.pid, signal.SIGSTOP))
    timer.start()
    try:
        return measured()
    finally:
        timer.join()
        os.kill(server.pid, signal.SIGCONT)


def _at_deadline() -> float:
    deadline = time.monotonic() + DEADLINE_SECONDS
    _fails(DEADLINE_SECONDS)
    return time.monotonic() - deadline


def _clogged() -> float:
    _fails(30)
    job: Any = importlib.import_module("jobs.clogged")
    return time.perf_counter() - float(job.failed_at)


_numbers = itertools.count()


def _fails(seconds: float) -> None:
    context = Context.of("benchmark", f"request-{next(_numbers)}", seconds=seconds)
    try:
        handler.lambda_handler(event(), context)
    except Exception:  # noqa: BLE001 (it is to fail; with which error is what the tests look at)
        return
    raise RuntimeError("the run did not fail")
