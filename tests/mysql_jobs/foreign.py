"""A server that was there before the environment: another application's, with its schema, users and odd names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from local import mysql_installation
from local.environment import CACHE
from local.mysql_server import MySQLServer
from mysql_jobs.configuration import Database

SETTINGS = {
    # As RDS has them: everything that changes is in the binary log.
    "log-bin": "binlog",
    "server-id": "1",
    "require_secure_transport": "1",
    "innodb_flush_method": "nosync",
}
ZONES = (
    "INSERT INTO mysql.time_zone (time_zone_id, use_leap_seconds) VALUES (1, 'N'), (2, 'N')",
    "INSERT INTO mysql.time_zone_name (name, time_zone_id) VALUES ('UTC', 1), ('Europe/Berlin', 2)",
    "INSERT INTO mysql.time_zone_transition_type VALUES (1, 0, 0, 0, 'UTC'), (2, 0, 3600, 0, 'CET')",
)
"""As much of the time zones as shows that they are there: RDS has all."""
APPLICATION = (
    "CREATE DATABASE `Shop-Main` CHARACTER SET latin1",
    "CREATE TABLE `Shop-Main`.`Order-Items` (id INT AUTO_INCREMENT PRIMARY KEY, sku VARCHAR(20) NOT NULL,"
    " sold_at DATETIME NOT NULL, KEY `by sold_at` (sold_at))",
    "CREATE TABLE `Shop-Main`.`a.b ``c``` (`select` INT PRIMARY KEY, note TEXT)",
    "CREATE TABLE `Shop-Main`.ledger (id INT PRIMARY KEY, account VARCHAR(20))",
    "CREATE TABLE `Shop-Main`.old_log (line VARCHAR(99)) ENGINE = MyISAM",
    "CREATE VIEW `Shop-Main`.sold AS SELECT sku FROM `Shop-Main`.`Order-Items`",
    "CREATE TABLE `Shop-Main`.user (id INT PRIMARY KEY, name VARCHAR(20))",
    "CREATE DATABASE shop_archive",
    "CREATE TABLE shop_archive.`1` (id INT PRIMARY KEY, kept_at DATETIME(6), KEY k (kept_at))",
    "CREATE USER shop@'%' IDENTIFIED BY 'a password of the shop'",
    "GRANT ALL ON `Shop-Main`.* TO shop@'%'",
    "CREATE ROLE reporting",
    "GRANT SELECT ON shop_archive.* TO reporting",
)


@contextmanager
def started(folder: Path, settings: Mapping[str, str] = {}, statements: tuple[str, ...] = ()) -> Iterator[MySQLServer]:
    """A server on which `statements` were executed; it ends with the context."""
    installation = mysql_installation.find_or_fetch(CACHE, progress=print)
    with MySQLServer.start(installation, folder, settings={**SETTINGS, **settings}, progress=print) as server:
        execute(server, *ZONES, *statements)
        yield server


def execute(server: MySQLServer, *statements: str) -> list[tuple[Any, ...]]:
    """Execute statements as the administrator; return what the last one returns."""
    with closing(server.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SET SESSION max_execution_time = 0")  # a test may have set a global one that is short
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall())


def database_of(server: Any, certificates: Path, name: str) -> Database:
    """The address of `name` on `server`."""
    return Database(
        host="localhost",
        port=server.port,
        name=name,
        endpoint="instance",
        region="eu-central-1",
        certificates=str(certificates),
    )


def written(server: MySQLServer) -> tuple[Any, ...]:
    """How far its binary log is: nothing that changes anything leaves it where it was."""
    [position] = execute(server, "SHOW BINARY LOG STATUS")
    return position
