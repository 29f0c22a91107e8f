"""A schema on a server, as a client reaches it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pymysql

from local.mysql_server import MySQLServer
from testkit.database import Database


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where it is, and a login."""

    host: str
    port: int
    user: str
    password: str
    schema: str
    certificates: Path

    @classmethod
    def as_jobs(cls, server: MySQLServer, database: Database, *, port: int | None = None) -> Self:
        """As the jobs log in, through `port` if it is another one than the server's."""
        return cls(
            host=server.host,
            port=port or server.port,
            user=database.login.user,
            password=database.login.password,
            schema=database.name,
            certificates=server.certificate_authority,
        )

    @classmethod
    def as_administrator(cls, server: MySQLServer, database: Database) -> Self:
        """As another program, which has a user of its own."""
        return cls(
            host=server.host,
            port=server.port,
            user=server.user,
            password=server.password,
            schema=database.name,
            certificates=server.certificate_authority,
        )

    def connect(self) -> pymysql.Connection[Any]:
        """A connection that commits each statement, and waits for as long as it takes."""
        return pymysql.connect(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            database=self.schema,
            ssl=ssl.create_default_context(cafile=str(self.certificates)),
            autocommit=True,
        )
