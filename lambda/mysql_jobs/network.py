"""TCP connections that a deadline bounds, name resolution included; and whom TLS trusts on the internet."""

from __future__ import annotations

import socket
import ssl
import traceback
from functools import cache

from mysql_jobs.deadline import Deadline
from mysql_jobs.resolver import resolve

LOOPBACK = ("127.0.0.1", "localhost")
"""Where no TLS is asked for: a stand-in for AWS on the same machine."""


def open_socket(host: str, port: int, deadline: Deadline) -> tuple[socket.socket, str]:
    """Return a TCP connection to the first of the host's addresses that answers, and that IP address.

    The host name is resolved anew at each call. Each address has an equal share of the time that is left, so that one
    that is silent leaves some to the others: https://www.rfc-editor.org/rfc/rfc8305 races them, for more machinery.

    Raises:
        OSError: the host name can't be resolved, or no address answers before the deadline.
    """
    addresses = resolve(host, deadline)
    failure: OSError = TimeoutError("no time is left")
    for position, address in enumerate(addresses):
        share = deadline.remaining() / (len(addresses) - position)
        if not share:
            break
        candidate = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        try:
            candidate.settimeout(share)
            candidate.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            candidate.connect((address, port))
        except OSError as error:
            candidate.close()
            failure = error
        else:
            candidate.settimeout(None)  # from now on, a watchdog limits it
            return candidate, address
    raise failure


@cache
def public_tls() -> ssl.SSLContext:
    """Return a context that verifies servers by the system's authorities; cached, as it takes long to build."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def forget_tls_errors() -> None:
    """Empty OpenSSL's queue of errors, which each thread has.

    What a connection that was cut has left there, Python takes for the answer to the next call on another one, which
    "Broken pipe" ends then: https://github.com/python/cpython/issues/148594. What makes an SSL object empties the queue
    first (`newPySSLSocket` in CPython's Modules/_ssl.c); that takes 8 µs.
    """
    _of_nobody().wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="nobody")


@cache
def _of_nobody() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def close_half_made(error: BaseException) -> None:
    """Close the TLS socket that a failed handshake has left in the frames of its traceback.

    Below Python 3.13, `wrap_socket` doesn't if the connection is reset between TCP and TLS, and the traceback keeps the
    socket from being collected: https://github.com/python/cpython/issues/113280
    """
    cause: BaseException | None = error
    while cause is not None:
        for frame, _line in traceback.walk_tb(cause.__traceback__):
            for value in list(frame.f_locals.values()):
                if isinstance(value, ssl.SSLSocket):
                    value.close()
        cause = cause.__context__
