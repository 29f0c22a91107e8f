"""SQLAlchemy with a pool that pings a connection before it lends it (pool_pre_ping)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL, create_engine

from lab.patterns.settings import SQLALCHEMY
from lab.patterns.work import work

engine = create_engine(URL.create(**SQLALCHEMY), pool_pre_ping=True)  # bad: the pool is frozen with the environment


def lambda_handler(_event: object, _context: Any) -> None:
    """One run."""
    with engine.begin() as transaction:
        work(transaction.exec_driver_sql)
