"""Many environments at once against one server: how long a run takes, how many sessions there are, what is refused."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.curves import Curve
from benchmarks.in_process import PROJECT, function_variables
from local.mysql_server import MySQLServer
from settings.project import ROOT
from testkit.database import Database, new_database

ENOUGH = 500
"""Connections that the server takes, where it is not to be what limits."""
FEW = 60
"""About what the smallest class takes: t4g.micro, by RDS's default formula, less what RDS uses itself."""
BUSY_SECONDS = 3.0
"""What the job brief takes by itself."""
TIMEOUT_SECONDS = 570
MEASURES = ("the slowest run beyond its 3 s, ms", "sessions at most")
"""Those that the picture shows."""


def measure(server: MySQLServer, *, sizes: Sequence[int], progress: Callable[[str], None]) -> list[Curve]:
    """Return a curve for a server that takes enough connections, and one for a server that takes few."""
    curves = []
    with new_database(server, PROJECT) as database:
        database.migrate({})
        [(before,)] = database.rows("SELECT @@GLOBAL.max_connections")
        try:
            for limit in (ENOUGH, FEW):
                database.rows(f"SET GLOBAL max_connections = {limit}")
                loads = [_load(server, database, size) for size in sizes]
                progress(f"{sizes[-1]} environments at once, at most {limit} connections")
                curves.append(
                    Curve(
                        subject=f"Environments that run at the same instant, a server of {limit} connections",
                        across="environments",
                        sizes=tuple(sizes),
                        measures={name: tuple(load[name] for load in loads) for name in loads[0]},
                        note="each run holds its session for 3 s, and all of them share this machine's processors",
                    )
                )
        finally:
            database.rows(f"SET GLOBAL max_connections = {before}")
    return curves


def _load(server: MySQLServer, database: Database, environments: int) -> dict[str, float]:
    settings = {
        "environments": environments,
        "variables": function_variables(database, "brief"),
        "login": {"user": database.login.user, "password": database.login.password},
    }
    refused = _status(database, "Connection_errors_max_connections")
    database.rows("FLUSH STATUS")
    cpu = _processor_seconds(server.pid)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.environments", json.dumps(settings)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
    )
    cpu = _processor_seconds(server.pid) - cpu
    runs = [json.loads(line) for line in done.stdout.splitlines()]
    seconds = sorted(run["seconds"] for run in runs)
    return {
        "a run beyond its 3 s, median, ms": 1000 * (statistics.median(seconds) - BUSY_SECONDS),
        MEASURES[0]: 1000 * (seconds[-1] - BUSY_SECONDS),
        MEASURES[1]: _status(database, "Max_used_connections"),
        "refused attempts": _status(database, "Connection_errors_max_connections") - refused,
        "failed runs": sum(run["outcome"] != "done" for run in runs),
        "server, ms of processor time a run": 1000 * cpu / len(runs),
    }


def _status(database: Database, name: str) -> int:
    query = "SELECT variable_value FROM performance_schema.global_status WHERE variable_name = %s"
    [(value,)] = database.rows(query, name)
    return int(value)


def _processor_seconds(pid: int) -> float:
    # https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html: utime and stime, the 14th and 15th field.
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
