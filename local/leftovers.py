"""What a run leaves open on the server, as the server sees it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pymysql

SETTLE_SECONDS = 5.0
"""How long the server may take to notice a goodbye: a generous bound, it takes milliseconds."""


class Leftovers:
    """The connections of a database user that are new since this was made: those of the runs after it."""

    def __init__(self, connect: Callable[[], pymysql.Connection[Any]], user: str) -> None:
        """Note which connections `user` has open; `connect` makes a connection of somebody who may see them."""
        self._connect = connect
        self._user = user
        self._before = self._open()

    def count(self) -> int:
        """Return how many are open, as soon as none is, or after 5 seconds."""
        end = time.monotonic() + SETTLE_SECONDS
        while (left := self._open() - self._before) and time.monotonic() < end:
            time.sleep(0.02)
        return len(left)

    def _open(self) -> set[int]:
        # By their ids, which the server never gives again: a stray connection of an earlier run is not a later one's.
        with self._connect() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT id FROM performance_schema.processlist WHERE user = %s", (self._user,))
            return {number for (number,) in cursor.fetchall()}
