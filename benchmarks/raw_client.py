"""The floor: the least that a client can send and wait for, by hand, without a library and without a check.

https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html
"""

from __future__ import annotations

import hashlib
import socket
import ssl
import struct
from functools import cache
from pathlib import Path

from benchmarks.ledger_work import INSERT, READ
from benchmarks.target import Target

CAPABILITIES = 0x00080000 | 0x8000 | 0x2000 | 0x0800 | 0x0200 | 0x0008
"""PLUGIN_AUTH, SECURE_CONNECTION, TRANSACTIONS, SSL, PROTOCOL_41, CONNECT_WITH_DB. Not DEPRECATE_EOF."""
UTF8MB4 = 255
PLUGIN = b"caching_sha2_password"
QUERY, QUIT = b"\x03", b"\x01"
ERROR, MORE, EOF = 0xFF, 0x01, 0xFE


class Refused(Exception):
    """The server answered with an error."""


def raw(target: Target, job: str) -> None:
    """Do an empty run in six round trips: TCP, TLS, login, SELECT, INSERT, COMMIT."""
    plain = socket.create_connection((target.host, target.port))
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    greeting = _packet(plain)
    after_version = greeting.index(0, 1) + 1
    nonce = greeting[after_version + 4 : after_version + 12] + greeting[after_version + 31 : after_version + 43]
    start = struct.pack("<IIB23x", CAPABILITIES, 1 << 24, UTF8MB4)
    _send(plain, start, number=1)
    with _context(target.certificates).wrap_socket(plain, server_hostname=target.host) as tls:
        answer = _scrambled(target.password.encode(), nonce)
        login = target.user.encode() + b"\0" + bytes([len(answer)]) + answer + target.schema.encode() + b"\0"
        _send(tls, start + login + PLUGIN + b"\0", number=2)
        while _packet(tls)[0] == MORE:  # the server remembers the password, as others have logged in with it
            pass
        rows = _rows(tls, READ.format(job=job))
        _query(tls, INSERT.format(job=job, sequence=int(rows[0]) + 1 if rows else 1))
        _query(tls, "COMMIT")
        _send(tls, QUIT, number=0)


@cache
def _context(certificates: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(certificates))
    context.set_ecdh_curve("prime256v1")  # the first that MySQL's server takes: another costs one more round trip
    return context


def _query(tls: ssl.SSLSocket, statement: str) -> bytes:
    _send(tls, QUERY + statement.encode(), number=0)
    return _packet(tls)


def _rows(tls: ssl.SSLSocket, statement: str) -> list[bytes]:
    """The first column of each row."""
    columns = _query(tls, statement)[0]
    for _ in range(columns + 1):
        _packet(tls)
    rows = []
    while (row := _packet(tls))[0] != EOF:
        rows.append(row[1 : 1 + row[0]])
    return rows


def _scrambled(password: bytes, nonce: bytes) -> bytes:
    hashed = hashlib.sha256(password).digest()
    salt = hashlib.sha256(hashlib.sha256(hashed).digest() + nonce).digest()
    return bytes(a ^ b for a, b in zip(hashed, salt, strict=True))


def _send(connection: socket.socket, payload: bytes, *, number: int) -> None:
    connection.sendall(struct.pack("<I", len(payload))[:3] + bytes([number]) + payload)


def _packet(connection: socket.socket) -> bytes:
    header = _exactly(connection, 4)
    payload = _exactly(connection, int.from_bytes(header[:3], "little"))
    if payload[0] == ERROR:
        raise Refused(payload[9:].decode())
    return payload


def _exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        data += connection.recv(count - len(data)) or _ended()
    return data


def _ended() -> bytes:
    raise ConnectionError("the server ended the connection")
