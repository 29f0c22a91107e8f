"""A connection at module level that is pinged, and replaced if need be, at the beginning of each run."""

from __future__ import annotations

from typing import Any

import pymysql

from lab.patterns.settings import DATABASE
from lab.patterns.work import work

connection = pymysql.connect(**DATABASE)  # bad: it is frozen with the environment


def lambda_handler(_event: object, _context: Any) -> None:
    """One run."""
    connection.ping(reconnect=True)  # bad: it waits for an answer, for ever if need be
    with connection.cursor() as cursor:
        work(cursor.execute)
    connection.commit()
