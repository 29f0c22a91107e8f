"""A connection for each run, closed whatever happens."""

from __future__ import annotations

from typing import Any

import pymysql

from lab.patterns.settings import DATABASE
from lab.patterns.work import work


def lambda_handler(_event: object, _context: Any) -> None:
    """One run."""
    connection = pymysql.connect(**DATABASE)
    try:
        with connection.cursor() as cursor:
            work(cursor.execute)
        connection.commit()
    finally:
        connection.close()
