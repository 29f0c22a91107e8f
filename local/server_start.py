"""The start of a database server on this machine: on a free port, until its administrator can log in."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pymysql

from local import processes

START_SECONDS = 60
PORT_ATTEMPTS = 5

Server = TypeVar("Server")


class StartFailed(Exception):
    """The server ended or did not answer; the message ends with the last lines of its log."""


def on_free_port(launch: Callable[[int], Server], *, port_taken: str) -> Server:
    """Return what `launch` returns for a free port.

    Another program may take the port first. The message of `launch` contains `port_taken` then, and it is tried again.

    Raises:
        StartFailed: `launch` failed for another reason, or five times for this one.
    """
    for _ in range(PORT_ATTEMPTS - 1):
        try:
            return launch(processes.free_port())
        except StartFailed as failure:
            if port_taken not in str(failure):
                raise
    return launch(processes.free_port())


def wait_for_login(
    connect: Callable[[], pymysql.Connection[Any]], process: subprocess.Popen[bytes], *, program: str, log: Path
) -> None:
    """Return as soon as `connect` succeeds.

    Raises:
        StartFailed: the process ended, or did not answer within 60 seconds; the message names `program`.
    """
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            connect().close()
            return
        except pymysql.MySQLError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                end = processes.end_of(log.read_text())
                raise StartFailed(f"{program} did not start: {error}\n{end}") from error
        time.sleep(0.05)
