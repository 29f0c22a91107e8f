"""Runs in a row in one environment: what they leave in its memory, and in the ledger."""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.curves import Curve
from benchmarks.in_process import PROJECT, deployed, event
from local.mysql_server import MySQLServer
from mysql_jobs import handler
from testkit.database import new_database
from testkit.function import Context


def measure(server: MySQLServer, *, runs: int, pieces: int, progress: Callable[[str], None]) -> list[Curve]:
    """Return what there is after each of so many pieces of so many runs in all."""
    sizes, found = [], []
    with new_database(server, PROJECT) as database, deployed(database, "nothing"):
        database.migrate({})
        for piece in range(pieces):
            started = time.process_time()
            for number in range(runs // pieces):
                report = handler.lambda_handler(event(), Context.of("benchmark", f"{piece}-{number}", seconds=30))
                if report["outcome"] != "done":
                    raise RuntimeError(f"the run was {report['outcome']}: {report}")
            seconds = time.process_time() - started
            [(rows,)] = database.rows("SELECT COUNT(*) FROM ledger")
            sizes.append((piece + 1) * (runs // pieces))
            found.append(
                {
                    "memory, MB": _megabytes(),
                    "threads": threading.active_count(),
                    "file descriptors": len(list(Path("/proc/self/fd").iterdir())),
                    "rows in the ledger": rows,
                    "sessions on the server": server.open_connections(database.user),
                    "processor time of the client a run, ms": 1000 * seconds / (runs // pieces),
                }
            )
            progress(f"{sizes[-1]:,} runs in a row")
    return [
        Curve(
            subject="Runs in a row in one environment",
            across="runs",
            sizes=tuple(sizes),
            measures={name: tuple(float(each[name]) for each in found) for name in found[0]},
            note="the ledger keeps the last 2,000 of a job",
        )
    ]


def _megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / (1 << 20)
