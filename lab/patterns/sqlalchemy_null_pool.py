"""SQLAlchemy without a pool (NullPool): a connection for each run, closed whatever happens."""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL, NullPool, create_engine

from lab.patterns.settings import SQLALCHEMY
from lab.patterns.work import work

engine = create_engine(URL.create(**SQLALCHEMY), poolclass=NullPool)


def lambda_handler(_event: object, _context: Any) -> None:
    """One run."""
    with engine.begin() as transaction:
        work(transaction.exec_driver_sql)
