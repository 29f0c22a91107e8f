"""A connection at module level: opened at the cold start and used by every run."""

from __future__ import annotations

from typing import Any

import pymysql

from lab.patterns.settings import DATABASE
from lab.patterns.work import work

connection = pymysql.connect(**DATABASE)  # bad: it is frozen with the environment, and nothing ever replaces it


def lambda_handler(_event: object, _context: Any) -> None:
    """One run."""
    with connection.cursor() as cursor:
        work(cursor.execute)
    connection.commit()
