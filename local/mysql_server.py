"""A real MySQL server on this machine: started with verified TLS on loopback, and ended."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import ssl
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import pymysql
import trustme

from local import processes
from local.debian_packages import Progress
from local.made_once import made_once
from local.mysql_installation import Installation
from local.server_start import StartFailed, on_free_port, wait_for_login
from settings.project import ROOT

INITIALIZED = ROOT / ".cache" / "mysql-data"
PORT_TAKEN = "MY-010262"
"""In the server's log: "Can't start server: Bind on TCP/IP port"."""


@dataclass(frozen=True, kw_only=True)
class MySQLServer:
    """A running MySQL server that listens on 127.0.0.1 only, and its administrator's login.

    A context manager: leaving it stops the server. Its data stay in the folder.
    """

    version: str
    pid: int
    port: int
    certificate_authority: Path
    """PEM file: whom a client must trust. The server's certificate is for `localhost` and `127.0.0.1`."""
    password: str = field(repr=False)
    folder: Path
    """Its data, its log and its certificates (server.pem, server-key.pem)."""
    command: tuple[str, ...] = field(repr=False)
    """What starts it on this data, but for the port."""
    user: str = "admin"
    host: str = "localhost"

    @classmethod
    def start(
        cls,
        installation: Installation,
        folder: Path,
        *,
        settings: Mapping[str, str] = {},
        progress: Progress,
    ) -> Self:
        """Make a new server in `folder` and return once its administrator has logged in over verified TLS.

        `settings` are server variables, by the names and in the units of MySQL's manual. The administrator has
        every right and needs TLS; nobody else can log in.

        Raises:
            StartFailed: the data cannot be initialized; the server ended, or did not answer within 60 seconds.
        """
        progress(f"Initializing MySQL {installation.version} …")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make_certificates(folder)
        _initialize(installation, folder)
        password = secrets.token_urlsafe(24)
        init_file = folder / "administrator.sql"
        _write_private(init_file, _administrator(cls.user, password).encode())
        stopped = cls(
            version=installation.version,
            pid=0,
            port=0,
            certificate_authority=folder / "ca.pem",
            password=password,
            folder=folder,
            command=tuple(
                installation.command(*_options(folder), *(f"--{name}={value}" for name, value in settings.items()))
            ),
        )
        progress("Starting it …")
        try:
            return on_free_port(lambda port: stopped._launch(port, f"--init-file={init_file}"), port_taken=PORT_TAKEN)
        finally:
            init_file.unlink()

    def restart(self) -> Self:
        """Stop the server and start it on the same data and port; returns the new one.

        Raises:
            StartFailed: it ended, or did not answer within 60 seconds.
        """
        self.stop()
        return self._launch(self.port)

    def _launch(self, port: int, *options: str) -> Self:
        log = self.folder / "mysqld.log"
        process = processes.start([*self.command, *options, f"--port={port}"], log=log)
        server = replace(self, pid=process.pid, port=port)
        try:
            wait_for_login(server.connect, process, program=f"MySQL {self.version}", log=log)
        except BaseException:
            server.stop()
            raise
        return server

    def connect(self) -> pymysql.Connection[Any]:
        """A new connection of the administrator over verified TLS, in autocommit mode; the caller closes it.

        Connecting, and each wait for the server, may take 30 seconds.

        Raises:
            pymysql.MySQLError: the server does not answer, or is not this one.
        """
        return pymysql.connect(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            ssl=ssl.create_default_context(cafile=self.certificate_authority),
            autocommit=True,
            connect_timeout=30,
            read_timeout=30,
            write_timeout=30,
        )

    def open_connections(self, user: str) -> int:
        """How many connections of this user are open on the server, not counting the one that asks."""
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT COUNT(*) FROM performance_schema.processlist WHERE user = %s AND id <> CONNECTION_ID()",
                (user,),
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
        *(["--user=root"] if os.geteuid() == 0 else []),  # without it, mysqld refuses to run as root
        "--bind-address=127.0.0.1",
        "--socket=",  # none: its path may be no longer than 107 characters
        "--loose-mysqlx=OFF",  # it would listen on every address
        "--secure-file-priv=NULL",  # Debian's default is a folder that does not exist here
        f"--ssl-ca={folder / 'ca.pem'}",
        f"--ssl-cert={folder / 'server.pem'}",
        f"--ssl-key={folder / 'server-key.pem'}",
        # Connection attributes and the list of connections come from the performance schema.
        "--performance-schema=ON",
        # With these it takes 380 MB instead of 540.
        "--innodb-buffer-pool-size=32M",
        "--innodb-log-buffer-size=4M",
        "--innodb-redo-log-capacity=16M",
        "--table-open-cache=400",
        "--table-definition-cache=400",
        "--skip-log-bin",
    ]


def _make_certificates(folder: Path) -> None:
    authority = trustme.CA()
    server = authority.issue_cert("localhost", "127.0.0.1")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    server.cert_chain_pems[0].write_to_path(folder / "server.pem")
    _write_private(folder / "server-key.pem", server.private_key_pem.bytes())


def _write_private(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)


def _initialize(installation: Installation, folder: Path) -> None:
    """Give the new server in `folder` its data: initialized once for each program, and copied from then on."""
    program = hashlib.sha256(repr(installation).encode()).hexdigest()[:16]
    try:
        initialized = made_once(INITIALIZED, program, lambda made: _make_data(installation, made))
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise StartFailed(f"MySQL made no data directory: {error}\n{processes.end_of(str(error.output))}") from error
    # Without its id: MySQL gives each server one of its own.
    shutil.copytree(initialized / "data", folder / "data", ignore=shutil.ignore_patterns("auto.cnf"))


def _make_data(installation: Installation, folder: Path) -> None:
    _make_certificates(folder)
    (folder / "data").mkdir(mode=0o700)
    processes.output(*installation.command(*_options(folder), "--initialize-insecure"), seconds=300)


def _administrator(user: str, password: str) -> str:
    return (
        f"CREATE USER {user}@'%' IDENTIFIED BY '{password}' REQUIRE SSL;\n"
        f"GRANT ALL PRIVILEGES ON *.* TO {user}@'%' WITH GRANT OPTION;\n"
        "DROP USER root@localhost;\n"
    )
