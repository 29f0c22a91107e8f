"""urllib3 over the run's own sockets: `run.http`, and what carries botocore's requests."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError
from urllib3.util import Retry, Timeout

from mysql_jobs.deadline import DeadlineExceeded
from mysql_jobs.network import LOOPBACK, forget_tls_errors, public_tls
from mysql_jobs.outside.sockets import SILENCE_SECONDS, OpenSocket, Sockets
from mysql_jobs.outside.stated import UsesError

# Its warnings quote whole addresses, and a query may have a secret in it.
logging.getLogger("urllib3").setLevel(logging.ERROR)

RETRIES = Retry(
    total=2,
    connect=2,
    read=2,  # of what may be asked twice; urllib3 never repeats a POST that may have arrived
    redirect=False,
    status=0,
    other=0,
    backoff_factor=0.1,
    backoff_max=1,
    respect_retry_after_header=False,  # a wait of minutes is the next run's
)
"""What a job gets without its own. https://urllib3.readthedocs.io/en/stable/reference/urllib3.util.html"""

Allowed = Callable[[str, int], None]
"""Raises UsesError for a host and port that the job does not state."""


def anywhere(_host: str, _port: int) -> None:
    """Allow each destination: an AWS service's are what botocore makes of its name."""


class _Bounded:
    """What both kinds of connections have in common: a socket of the run's."""

    host: str
    port: int
    sock: Any
    _sockets: Sockets
    _allowed: Allowed
    _opened: OpenSocket | None = None

    def _new_conn(self) -> Any:
        self._allowed(self.host, self.port)
        try:
            self._opened = self._sockets.open(self.host, self.port)
        except OSError as error:
            raise _not_connected(self, error) from error
        return self._opened.socket

    def _connected(self, connect: Callable[[], None]) -> None:
        """Connect, TLS included: until then, nothing was asked, and it may be tried again, whatever it is."""
        self._opened = None  # not that of before: urllib3 connects one anew that its peer has closed
        try:
            connect()
            if self._opened is not None:
                self._sockets.secured(self._opened, self.sock)
        except BaseException as error:
            too_long = self._opened is not None and self._opened.watchdog.struck
            if self._opened is not None:
                self._sockets.drop(self._opened, error)
            if isinstance(error, OSError) and not isinstance(error, ssl.SSLCertVerificationError):
                # TLS calls it a breach of protocol that the watchdog has shut its socket down.
                raise _not_connected(self, TimeoutError("TLS took too long") if too_long else error) from error
            raise


class _Plain(_Bounded, HTTPConnection):
    """A connection to a stand-in on this machine."""

    def __init__(self, *arguments: Any, sockets: Sockets, allowed: Allowed, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._sockets, self._allowed = sockets, allowed

    def connect(self) -> None:
        if self.host not in LOOPBACK:
            raise UsesError(f"http://{self.host} is plain text: write https")
        self._connected(super().connect)


class _Secure(_Bounded, HTTPSConnection):
    """A connection with verified TLS."""

    def __init__(self, *arguments: Any, sockets: Sockets, allowed: Allowed, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._sockets, self._allowed = sockets, allowed

    def connect(self) -> None:
        self._connected(super().connect)


class PlainPool(HTTPConnectionPool):
    """The connections to one stand-in."""

    ConnectionCls = _Plain

    def urlopen(self, method: str, url: str, *arguments: Any, **options: Any) -> Any:
        """Send a request, within the run's deadline."""
        return _bounded(self, super().urlopen, method, url, *arguments, **options)


class SecurePool(HTTPSConnectionPool):
    """The connections to one host."""

    ConnectionCls = _Secure

    def urlopen(self, method: str, url: str, *arguments: Any, **options: Any) -> Any:
        """Send a request, within the run's deadline."""
        return _bounded(self, super().urlopen, method, url, *arguments, **options)


class Web(urllib3.PoolManager):
    """A PoolManager whose requests end with the run. Its `request` and the like are urllib3's own."""

    def __init__(self, sockets: Sockets, allowed: Allowed) -> None:
        """Open connections by `sockets`, to what is `allowed`."""
        super().__init__(retries=RETRIES, ssl_context=public_tls(), maxsize=10)
        self.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}
        self._sockets, self._allowed = sockets, allowed

    def _new_pool(self, scheme: str, host: str, port: int, request_context: Any = None) -> HTTPConnectionPool:
        # The documented place to make pools otherwise; what a pool has in conn_kw, each connection is made with.
        pool = super()._new_pool(scheme, host, port, request_context)
        pool.conn_kw.update(sockets=self._sockets, allowed=self._allowed)
        return pool


def _bounded(pool: HTTPConnectionPool, urlopen: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Send a request whose peer may be silent for a share of what is left, and say so if the deadline ended it."""
    forget_tls_errors()  # of a connection before that broke: this one may be another
    sockets: Sockets = pool.conn_kw["sockets"]
    where = f"{pool.host}:{pool.port}"
    sockets.require(f"request to {where}")
    options.setdefault("timeout", Timeout(read=sockets.share(SILENCE_SECONDS)))
    used_up = f"the run's time was used up while it waited for {where}"
    try:
        answer = urlopen(*arguments, **options)
    except (HTTPError, OSError) as error:
        if not sockets.deadline.remaining():
            raise DeadlineExceeded(used_up) from error
        raise
    # http.client takes headers that the deadline has cut for whole ones, of an empty body if they say no length.
    if not sockets.deadline.remaining():
        raise DeadlineExceeded(used_up)
    return answer


def _not_connected(connection: Any, error: OSError) -> ConnectTimeoutError:
    # The one error that urllib3 knows to come before anything was sent: it counts as `connect`.
    return ConnectTimeoutError(connection, f"can't connect to {connection.host}:{connection.port}: {error}")
