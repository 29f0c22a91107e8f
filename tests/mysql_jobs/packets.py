"""What a MySQL server says, byte by byte, where a test speaks in its place.

https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html
"""

import struct
from collections.abc import Callable


def greeting(*, tls: bool = True) -> bytes:
    """The payload of the server's first packet."""
    plugin_auth, secure_connection, ssl, protocol_41 = 1 << 19, 1 << 15, 1 << 11, 1 << 9
    capabilities = plugin_auth | secure_connection | protocol_41 | (ssl if tls else 0)
    return (
        b"\x0a8.4.0\0"
        + struct.pack("<I", 7)
        + b"12345678\0"
        + struct.pack("<HBHHB", capabilities & 0xFFFF, 255, 2, capabilities >> 16, 21)
        + bytes(10)
        + b"123456789012\0mysql_native_password\0"
    )


def packet(payload: bytes, *, number: int = 0) -> bytes:
    """The payload with its header: its length, and its number in the exchange."""
    return struct.pack("<I", len(payload))[:3] + bytes([number]) + payload


Result = Callable[[int], list[bytes]]
"""The payloads of a statement's result, given the server's status."""
MORE_RESULTS = 0x0008
"""A flag of the server's status: https://dev.mysql.com/doc/dev/mysql-server/latest/mysql__com_8h.html"""
EOF = b"\xfe\0\0\0\0"


def answer(*results: Result) -> bytes:
    """The server's answer to one request; several results are those of statements that came as one text."""
    last = len(results) - 1
    payloads = [each for place, result in enumerate(results) for each in result(0 if place == last else MORE_RESULTS)]
    return b"".join(packet(payload, number=number) for number, payload in enumerate(payloads, start=1))


def ok(status: int) -> list[bytes]:
    """Of a statement without rows."""
    return [b"\0\0\0" + struct.pack("<HH", status, 0)]


def rows(*numbers: int) -> Result:
    """Of a statement with one column, and a whole number in each row."""
    column = b"\3def\0\0\0\1n\0\x0c" + struct.pack("<HIBHBH", 63, 11, 3, 0, 0, 0)
    texts = [str(number).encode() for number in numbers]

    def result(status: int) -> list[bytes]:
        end = b"\xfe" + struct.pack("<HH", 0, status)
        return [b"\1", column, end, *(bytes([len(text)]) + text for text in texts), end]

    return result


def error(code: int) -> Result:
    """Of a statement that the server refuses; it runs none of those after it."""
    return lambda _status: [b"\xff" + struct.pack("<H", code) + b"#HY000refused"]
