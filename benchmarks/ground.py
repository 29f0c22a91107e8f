"""What all benchmarks stand on: a server that has memory, and what is said of this machine."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from local import mysql_installation
from local.environment import CACHE
from local.mysql_server import MySQLServer
from settings.project import ROOT
from stacks.database.parameter_group import PARAMETERS

DOCUMENT = ROOT / "docs" / "performance.md"
FOLDER = ROOT / "docs" / "performance"
SERVER = {
    **PARAMETERS,
    "wait_timeout": "28800",  # who holds the schema says nothing for minutes
    "innodb_buffer_pool_size": "1G",
    "innodb_redo_log_capacity": "1G",
    # This machine's disk is shared: what its fsync takes today says nothing about a client, and strikes all alike.
    "innodb_flush_log_at_trx_commit": "2",
}
"""The deployed parameter group, on a server that has memory."""


@contextmanager
def with_memory(progress: Callable[[str], None]) -> Iterator[MySQLServer]:
    """Within, such a server runs.

    Raises:
        local.mysql_installation.ToolMissing, local.server_start.StartFailed: there is none.
    """
    installation = mysql_installation.find_or_fetch(CACHE, progress=progress)
    with (
        tempfile.TemporaryDirectory(prefix="mysql-") as folder,
        MySQLServer.start(installation, Path(folder), settings=SERVER, progress=progress) as server,
    ):
        yield server


def machine() -> str:
    """What this machine has."""
    return f"{os.cpu_count()} cores ({platform.machine()})"


def versions(mysql: str) -> dict[str, str]:
    """Of what takes part, by name."""
    packages = {name: version(name) for name in ("PyMySQL", "awslambdaric", "aws-cdk-lib")}
    return {"MySQL": mysql, "Python": platform.python_version(), **packages}
