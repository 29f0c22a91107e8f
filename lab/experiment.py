"""The experiments of the lab: all situations, on database servers that are started for them and removed afterwards."""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from lab import incident
from lab.bench import PYTHON, Bench
from lab.history import History, history
from lab.observation import Figures, Observation
from lab.situations import FAST, FULL, TOGETHER, Pace, Situation, reaped, restarted
from local import mysql_installation, processes
from local.emulator import Emulator
from local.environment import CACHE
from local.mysql_server import MySQLServer

REGION = "eu-central-1"
PACKAGES = ("PyMySQL", "SQLAlchemy", "awslambdaric")

Progress = Callable[[str], None]


def conduct(*, fast: bool, progress: Progress) -> Figures:
    """Run all experiments and return what was observed; takes two minutes, or one if `fast`.

    Raises:
        local.mysql_installation.ToolMissing, local.server_start.StartFailed: there is no MySQL server.
        local.emulator.EmulatorError: there is no Secrets Manager.
        lab.bench.NotReproduced: a situation did not occur.
        What `lab.incident.observe` raises.
    """
    node = incident.observe(fast=fast, progress=progress)
    python, over_time, mysql = _python(FAST if fast else FULL, progress)
    return Figures(
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        versions={
            "MySQL": mysql,
            "Python": platform.python_version(),
            **{name: version(name) for name in PACKAGES},
            **node.versions,
        },
        observations=(*python, *node.observations),
        held=over_time.held,
        marks=over_time.marks,
        timelines=node.timelines,
        stack=node.stack,
        rates=node.rates,
    )


def _python(pace: Pace, progress: Progress) -> tuple[list[Observation], History, str]:
    # The folder is removed last: a server that has lost its files does not shut down.
    with tempfile.TemporaryDirectory(prefix="mysql-jobs-lab-") as name, processes.none_left():
        folder = Path(name)
        installation = mysql_installation.find_or_fetch(CACHE, progress=progress)
        with ThreadPoolExecutor() as pool:
            started = pool.submit(Emulator.start, folder / "emulator", region=REGION)  # for its Secrets Manager
            server = MySQLServer.start(installation, folder / "mysql", progress=progress)
            emulator = started.result()
        bench = Bench(server=server, emulator=emulator, folder=folder, function_seconds=pace.function_seconds)

        def observe(situation: Situation) -> list[Observation]:
            observations = situation(bench, PYTHON, pace)
            progress(f"{len(observations)} functions: {observations[0].situation}")
            return observations

        with ThreadPoolExecutor() as pool:
            together = [each for group in pool.map(observe, TOGETHER) for each in group]
            counted = pool.submit(history, bench, pace)
            idle = observe(reaped)
            over_time = counted.result()
        return [*idle, *observe(restarted), *together], over_time, server.version
