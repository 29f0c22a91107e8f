"""The other clients for Python, each used as its documentation shows: a connection for each run, over verified TLS."""

from __future__ import annotations

import importlib
import ssl
from collections.abc import Callable
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import pymysql

from benchmarks.ledger_work import INSERT, READ
from benchmarks.target import Target

Client = Callable[[Target, str], None]
"""Does an empty run of the job of this name."""


def pymysql_default(target: Target, job: str) -> None:
    """PyMySQL makes a new TLS context for each connection."""
    _work(pymysql.connect(**_login(target), ssl_ca=str(target.certificates), ssl_verify_identity=True), job)


def pymysql_cached(target: Target, job: str) -> None:
    """PyMySQL with a TLS context that outlives the run."""
    _work(pymysql.connect(**_login(target), ssl=_context(target.certificates)), job)


def connector(target: Target, job: str) -> None:
    """Oracle's own mysql-connector-python, with its C extension.

    Raises:
        ImportError: it is not installed.
    """
    module: Any = importlib.import_module("mysql.connector")
    login = _login(target) | {"ssl_ca": str(target.certificates), "ssl_verify_cert": True, "ssl_verify_identity": True}
    _work(module.connect(**login), job)


def _login(target: Target) -> dict[str, Any]:
    return {
        "host": target.host,
        "port": target.port,
        "user": target.user,
        "password": target.password,
        "database": target.schema,
    }


@cache
def _context(certificates: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificates))


def _work(connection: Any, job: str) -> None:
    with closing(connection), closing(connection.cursor()) as cursor:
        cursor.execute(READ.format(job=job))
        row = cursor.fetchone()
        cursor.execute(INSERT.format(job=job, sequence=row[0] + 1 if row else 1))
        connection.commit()
