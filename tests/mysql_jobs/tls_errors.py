"""OpenSSL's queue of errors, which each thread has, and which Python does not empty before it uses a connection."""

from __future__ import annotations

import ctypes
import errno
import ssl
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest
import trustme

OF_THE_SYSTEM = 2
"""ERR_LIB_SYS: https://docs.openssl.org/master/man3/ERR_GET_LIB/"""


def leave_an_error() -> None:
    """Leave in this thread what a connection leaves there that broke while OpenSSL wrote to it."""
    library = _libcrypto()
    library.ERR_new()
    library.ERR_set_error(OF_THE_SYSTEM, errno.EPIPE, None)


@cache
def waiting() -> ssl.SSLObject:
    """A TLS connection whose peer has nothing to say: `read` raises SSLWantReadError."""
    authority = trustme.CA()
    ours, theirs = ssl.create_default_context(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.configure_trust(ours)
    authority.issue_cert("localhost").configure_cert(theirs)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ours.wrap_bio(back, there, server_hostname="localhost")
    server = theirs.wrap_bio(there, back, server_side=True)
    for side in (client, server, client, server):
        with suppress(ssl.SSLWantReadError):
            side.do_handshake()
    with suppress(ssl.SSLWantReadError):
        client.read()  # the session's tickets
    return client


@cache
def _libcrypto() -> ctypes.CDLL:
    loaded = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines()}
    found = [each for each in loaded if "libcrypto" in each]
    if not found:
        pytest.skip("this Python has OpenSSL built in: nothing can be put into its queue of errors")
    return ctypes.CDLL(found[0])
