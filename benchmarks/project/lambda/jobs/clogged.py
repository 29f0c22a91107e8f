"""A job that fails when the network takes nothing more from it."""

import contextlib
import os
import socket
import time
from typing import Any

from mysql_jobs import Run

FULL_SECONDS = 0.2
"""So long nothing more has gone into the send buffer: what is on its way may make room once more."""

FROZEN_SECONDS = 1.0
"""By then nobody reads."""

failed_at = 0.0
"""When the job raised, by time.perf_counter()."""


def run(run: Run) -> None:
    """Send until the send buffer is full, as nobody reads; then raise."""
    global failed_at  # noqa: PLW0603 (read by who called the handler)
    time.sleep(FROZEN_SECONDS)
    connection: Any = run.cursor().connection
    with socket.socket(fileno=os.dup(connection._sock.fileno())) as raw:
        last = time.monotonic()
        while time.monotonic() < last + FULL_SECONDS:
            with contextlib.suppress(BlockingIOError):
                raw.send(bytes(65536), socket.MSG_DONTWAIT)
                last = time.monotonic()
    failed_at = time.perf_counter()
    raise RuntimeError("the network takes nothing more")
