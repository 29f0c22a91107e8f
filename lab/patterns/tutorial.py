"""As the tutorial of AWS does it: connect at module level in try and except, and end the process if that fails.

https://docs.aws.amazon.com/lambda/latest/dg/services-rds-tutorial.html
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import pymysql

from lab.patterns.settings import DATABASE
from lab.patterns.work import work

logger = logging.getLogger()

try:
    connection = pymysql.connect(**DATABASE, connect_timeout=5)  # bad: it is frozen with the environment
except pymysql.MySQLError as error:
    logger.error("could not connect to MySQL: %s", error)
    sys.exit(1)


def lambda_handler(_event: object, _context: Any) -> None:
    """One run."""
    with connection.cursor() as cursor:
        work(cursor.execute)
        connection.commit()
