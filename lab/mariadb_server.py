"""A MariaDB server on this machine, without root: mysqljs can't log in to a current MySQL.

Its last release supports only the plugin mysql_native_password, which MySQL 9 has removed and MariaDB still has.
"""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import pymysql

from lab.mariadb_installation import Installation
from local import processes
from local.debian_packages import Progress
from local.server_start import StartFailed, on_free_port, wait_for_login

PORT_TAKEN = "Bind on TCP/IP port"


@dataclass(frozen=True, kw_only=True)
class MariaDBServer:
    """A running MariaDB server that listens on 127.0.0.1 only, and its administrator's login.

    A context manager: leaving it stops the server. Its data stay in the folder.
    """

    version: str
    pid: int
    port: int
    password: str = field(repr=False)
    folder: Path
    """Its data and its log."""
    user: str = "admin"
    host: str = "127.0.0.1"

    @classmethod
    def start(
        cls, installation: Installation, folder: Path, *, options: Sequence[str] = (), progress: Progress
    ) -> Self:
        """Make a new server in `folder`, with further `options`; return once its administrator has logged in.

        The administrator has every right; nobody else can log in.

        Raises:
            StartFailed: the data cannot be initialized; the server ended, or did not answer within 60 seconds.
        """
        progress(f"Starting MariaDB {installation.version} …")
        (folder / "data").mkdir(mode=0o700, parents=True)
        command = [*installation.launch, *_options(folder)]
        _initialize(command, installation.system_tables)
        password = secrets.token_urlsafe(24)
        init_file = folder / "administrator.sql"
        init_file.touch(mode=0o600)
        init_file.write_text(
            f"{_create_user(cls.user, password)};\nGRANT ALL PRIVILEGES ON *.* TO {cls.user}@'%' WITH GRANT OPTION;\n"
        )
        stopped = cls(version=installation.version, pid=0, port=0, password=password, folder=folder)
        command += [f"--init-file={init_file}", *options]
        try:
            return on_free_port(lambda port: stopped._launch(command, port), port_taken=PORT_TAKEN)
        finally:
            init_file.unlink()

    def _launch(self, command: list[str], port: int) -> Self:
        log = self.folder / "mariadbd.log"
        process = processes.start([*command, f"--port={port}"], log=log)
        server = replace(self, pid=process.pid, port=port)
        try:
            wait_for_login(server.connect, process, program=f"MariaDB {self.version}", log=log)
        except BaseException:
            server.stop()
            raise
        return server

    def connect(self) -> pymysql.Connection[Any]:
        """A new connection of the administrator, in autocommit mode; the caller closes it.

        Connecting, and each wait for the server, may take 30 seconds.

        Raises:
            pymysql.MySQLError: the server does not answer, or is not this one.
        """
        return pymysql.connect(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            autocommit=True,
            connect_timeout=30,
            read_timeout=30,
            write_timeout=30,
        )

    def create_user(self, name: str) -> str:
        """Create a user without rights, and return its password."""
        password = secrets.token_urlsafe(24)
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(_create_user(name, password))
        return password

    def open_connections(self, user: str) -> int:
        """How many connections of this user are open on the server."""
        return self._count(user, "Sleep", "Query")

    def running_statements(self, user: str) -> int:
        """How many statements of this user the server works on."""
        return self._count(user, "Query")

    def _count(self, user: str, *commands: str) -> int:
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT COUNT(*) FROM information_schema.processlist WHERE user = %s AND command IN %s",
                (user, commands),
            )
            return int(cursor.fetchone()[0])

    def stop(self) -> None:
        """Shut the server down; one that has stopped already is fine."""
        processes.stop(self.pid)

    def __enter__(self) -> Self:
        """The running server itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.stop()


def _options(folder: Path) -> list[str]:
    return [
        f"--datadir={folder / 'data'}",
        *(["--user=root"] if os.geteuid() == 0 else []),  # without it, mariadbd refuses to run as root
        "--bind-address=127.0.0.1",
        "--socket=",  # none: its path may be no longer than 107 characters
        f"--pid-file={folder / 'mariadbd.pid'}",
        f"--tmpdir={folder / 'data'}",
        "--innodb-buffer-pool-size=16M",
        "--innodb-log-file-size=4M",
        "--skip-name-resolve",
    ]


def _initialize(command: list[str], system_tables: tuple[Path, ...]) -> None:
    # What mariadb-install-db does, which would start the program without the loader it may need.
    sql = "".join(
        (
            "CREATE DATABASE mysql;\nUSE mysql;\n",
            *(file.read_text() for file in system_tables),
            "DELETE FROM global_priv WHERE User = 'root';\nDELETE FROM proxies_priv;\n",  # no password, on any host
        )
    )
    try:
        subprocess.run(
            [*command, "--bootstrap"],
            input=sql.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=300,
            check=True,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        said = processes.end_of((error.output or b"").decode(errors="replace"))
        raise StartFailed(f"MariaDB made no data directory: {error}\n{said}") from error


def _create_user(name: str, password: str) -> str:
    return f"CREATE USER {name}@'%' IDENTIFIED VIA mysql_native_password USING PASSWORD('{password}')"
