"""What a MySQL server says, byte by byte, where a test speaks in its place.

https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html
"""

import struct


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
