"""A connection for each run, closed at its end, if it comes to its end."""

from __future__ import annotations

from typing import Any

import pymysql

from lab.patterns.settings import DATABASE
from lab.patterns.work import work


def lambda_handler(_event: object, _context: Any) -> None:
    """One run."""
    connection = pymysql.connect(**DATABASE)
    with connection.cursor() as cursor:
        work(cursor.execute)
    connection.commit()
    connection.close()  # bad: an error goes past it
