"""How a session is opened: verified TLS, a login, and limits that let the server give up soon after the deadline."""

from __future__ import annotations

import math
import os
import socket
import ssl
import time
from functools import cache

import pymysql
from pymysql.constants import CR, ER

from mysql_jobs.configuration import Database
from mysql_jobs.credentials import Credentials
from mysql_jobs.deadline import Deadline, DeadlineExceeded, Watchdog
from mysql_jobs.network import close_half_made, open_socket
from mysql_jobs.session import Session, no_autocommit_if

CURVE = "prime256v1"
"""MySQL takes no X25519, which OpenSSL offers first: the handshake would take another round trip. A proxy's TLS is not
MySQL's, so it is offered what OpenSSL offers."""
READ_ONLY_MODE = 1836
"""ER_READ_ONLY_MODE, which PyMySQL lacks.
https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html#error_er_read_only_mode"""


READ_ONLY = "@@GLOBAL.read_only OR @@GLOBAL.innodb_read_only"
"""The second is how Aurora's readers say it, and no other variable does:
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/AuroraMySQL.BestPractices.html"""


def open_session(
    *,
    address: str,
    database: Database,
    credentials: Credentials,
    program_name: str,
    deadline: Deadline,
    run_deadline: Deadline | None,
    greeting_seconds: float = math.inf,
) -> Session:
    """Connect to `address` by TCP and TLS, log in and, given a `run_deadline`, set the session up, before `deadline`.

    The server has `greeting_seconds` for its first word. Until `Session.watch` extends it, `deadline` cuts the session.

    Raises:
        pymysql.MySQLError: there is no such server, it could not be verified, it refuses, or it takes too long.
    """
    direct = database.endpoint == "instance"
    session = Session(
        host=database.host,
        port=database.port,
        user=credentials.user,
        password=credentials.password,
        database=database.name,
        charset="utf8mb4",
        # A context makes TLS required: without one, PyMySQL sends the password in plaintext to any server that asks.
        ssl=tls_context(database.certificates, CURVE if direct else None),
        autocommit=None,  # `_set_up` sets it together with the rest, in one round trip
        program_name=program_name,
        defer_connect=True,
    )
    session.direct = direct
    started = time.monotonic()
    greeting = deadline.within(greeting_seconds)
    try:
        # Not from socket.getpeername(), which fails after a server has reset the connection.
        connected, session.address = open_socket(address, database.port, greeting)
    except OSError as error:
        message = f"can't connect to {address}:{database.port}: {error}"
        raise pymysql.err.OperationalError(CR.CR_CONN_HOST_ERROR, message) from error
    try:
        watchdog = Watchdog(connected, greeting)
    except BaseException:
        connected.close()
        raise

    def greeted() -> None:
        session.greeting_seconds = time.monotonic() - started
        watchdog.extend(deadline)

    session.opened(watchdog, greeted)
    try:
        _log_in(session, connected)
        if run_deadline is not None:
            _set_up(session, run_deadline)
    except BaseException as error:
        session.destroy()
        connected.close()
        close_half_made(error)
        raise
    return session


def _log_in(session: Session, connected: socket.socket) -> None:
    try:
        session.connect(connected)
    except (pymysql.MySQLError, DeadlineExceeded):
        raise
    except Exception as error:
        # PyMySQL's reading of packets that are none ends in any of Python's own errors, UnboundLocalError among them.
        message = f"{session.address} does not speak MySQL's protocol: {type(error).__name__}"
        raise pymysql.err.OperationalError(CR.CR_MALFORMED_PACKET, message) from error


def _set_up(session: Session, deadline: Deadline) -> None:
    """Set limits in the session: whatever becomes of this client, the server gives up soon after the deadline."""
    # A second more than the run has: what it hears of is its own deadline.
    seconds = math.ceil(deadline.remaining()) + 1
    settings = [
        "SESSION time_zone = '+00:00'",
        f"SESSION wait_timeout = {seconds}",  # idle, as after the network was lost; default 8 h
        "SESSION sql_select_limit = DEFAULT",  # a server-wide one would hide rows of the ledger
    ]
    with session.cursor() as cursor:
        if not session.direct:
            # What is left out would pin the session: the proxy's init query sets it.
            # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy-pinning.html
            cursor.execute(f"SET SESSION autocommit = 0, {', '.join(settings)}")
            cursor.execute(f"SELECT {READ_ONLY}")
            if cursor.fetchone() != (0,):
                raise _read_only()
            return
        session.identity = os.urandom(16).hex()
        settings += [
            f"SESSION max_execution_time = {seconds * 1000}",  # of a SELECT, in ms; MySQL limits no other statement
            f"SESSION innodb_lock_wait_timeout = {seconds}",  # default 50 s
            f"SESSION lock_wait_timeout = {seconds}",  # metadata locks; default a year
            f"SESSION net_write_timeout = {seconds}",  # rows to a client that is gone; default 60 s
            f"SESSION net_read_timeout = {seconds}",  # the rest of a statement from such a client; default 30 s
            f"@mysql_jobs_identity = GET_LOCK('{session.identity}', 0)",
        ]
        # On first: where it is off on the whole server, its answers would say that it is on until it changes.
        writable = f"SESSION autocommit = 1, {no_autocommit_if(f'NOT ({READ_ONLY})')}"
        try:
            cursor.execute(f"SET NAMES utf8mb4, {writable}, {', '.join(settings)}")
        except pymysql.MySQLError as error:
            if error.args[0] == ER.WRONG_VALUE_FOR_VAR:
                raise _read_only() from None
            raise


def _read_only() -> pymysql.err.OperationalError:
    """After a failover the host name may still lead to the old server, which is read-only now."""
    return pymysql.err.OperationalError(READ_ONLY_MODE, "the server is read-only, as after a failover")


@cache
def tls_context(certificates: str, curve: str | None) -> ssl.SSLContext:
    """Return a context that verifies the server and its host name; cached, as each one takes up to 46 ms to build.

    It offers the server `curve` only, else OpenSSL's own choice.
    """
    context = ssl.create_default_context(cafile=certificates)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False  # the host is in subjectAltName: https://www.rfc-editor.org/rfc/rfc9525
    if curve:
        context.set_ecdh_curve(curve)
    return context
