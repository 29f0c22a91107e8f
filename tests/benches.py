"""A bench for the engine's tests: a schema on a server, in which a job of tests/mysql_jobs/ runs under faults."""

from pathlib import Path

import pytest

from lab.fault_bench import Bench
from local.emulator import Emulator
from local.mysql_server import MySQLServer

JOBS = Path(__file__).parent / "mysql_jobs"


def new_bench(server: MySQLServer, emulator: Emulator, factory: pytest.TempPathFactory, job: str = "faulty") -> Bench:
    """A bench on `server` for the job in that file."""
    return Bench(server=server, emulator=emulator, job=JOBS / f"{job}.py", folder=factory.mktemp("bench"))
