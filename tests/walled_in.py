"""A network namespace in which what is allowed can be reached, and nothing else: run as a program, inside of it.

Each name has an address of its own there. Behind the ports that are allowed is a stand-in that speaks TLS; what comes
for the others gets no answer at all, as with a security group. The MySQL server is reached by a socket in a file, as
files are outside of the namespace.

    unshare --net --mount python tests/walled_in.py configuration.json
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

SIOCSIFADDR, SIOCGIFFLAGS, SIOCSIFFLAGS = 0x8916, 0x8913, 0x8914
IFF_UP = 1
"""https://man7.org/linux/man-pages/man7/netdevice.7.html"""
MS_BIND = 4096
SWALLOWED: list[socket.socket] = []
"""Kept open."""


def main() -> None:
    """Set the namespace up, run the command of the configuration in it, and end with its status."""
    configuration: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    folder = Path(configuration["folder"])
    _bring_up("lo")
    lines = ["127.0.0.1 localhost"]
    for number, name in enumerate(sorted({name for name, _port in configuration["places"]}), start=1):
        address = f"10.99.0.{number}"
        _add_address(f"lo:{number}", address)
        lines.append(f"{address} {name}")
        for port in (port for other, port in configuration["places"] if other == name):
            if [name, port] in configuration["allowed"]:
                _serve_https(address, port, Path(configuration["certificates"][name]))
            else:
                _swallow(address, port)
    (folder / "hosts").write_text("\n".join(lines) + "\n")
    _mount_over("/etc/hosts", folder / "hosts")
    _forward("127.0.0.1", configuration["database_port"], configuration["database_socket"])
    done = subprocess.run(configuration["command"], env=configuration["environment"], check=False)
    sys.exit(done.returncode)


def _bring_up(interface: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        request = struct.pack("16sh14x", interface.encode(), 0)
        (flags,) = struct.unpack("16xh14x", fcntl.ioctl(channel, SIOCGIFFLAGS, request))
        fcntl.ioctl(channel, SIOCSIFFLAGS, struct.pack("16sh14x", interface.encode(), flags | IFF_UP))


def _add_address(alias: str, address: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        where = struct.pack("16sHH4s8x", alias.encode(), socket.AF_INET, 0, socket.inet_aton(address))
        fcntl.ioctl(channel, SIOCSIFADDR, where)


def _mount_over(place: str, file: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(str(file).encode(), place.encode(), None, MS_BIND, None):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), place)


class _StandIn(BaseHTTPRequestHandler):
    """Takes what it is given, and answers what S3, Secrets Manager and an API of bills would."""

    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            while int(size := self.rfile.readline().strip() or b"0", 16):
                self.rfile.read(int(size, 16) + 2)
            while self.rfile.readline().strip():
                pass
        else:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
        asked = self.headers.get("X-Amz-Target", "")
        told = {"SecretString": "the-key-of-the-api"} if asked.endswith("GetSecretValue") else {"number": "b-1"}
        body = b"" if self.command == "PUT" else json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = _answer  # noqa: N815 (the names are http.server's)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


def _serve_https(address: str, port: int, certificate: Path) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    server = ThreadingHTTPServer((address, port), _StandIn)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    _in_background(server.serve_forever)


def _swallow(address: str, port: int) -> None:
    """Let all that comes wait for an answer: Linux drops it where the queue is full, and nobody accepts."""
    SWALLOWED.append(socket.create_server((address, port), backlog=0))
    for _ in range(3):
        SWALLOWED.append(socket.socket())
        SWALLOWED[-1].setblocking(False)
        SWALLOWED[-1].connect_ex((address, port))


def _forward(address: str, port: int, to: str) -> None:
    """Pass the bytes of each connection to the socket in the file `to`, and back."""
    listener = socket.create_server((address, port))

    def accept() -> None:
        while True:
            client, _ = listener.accept()
            outside = socket.socket(socket.AF_UNIX)
            outside.connect(to)
            for one, other in ((client, outside), (outside, client)):
                _in_background(partial(pass_on, one, other))

    _in_background(accept)


def pass_on(one: socket.socket, other: socket.socket) -> None:
    """Pass what comes from `one` to `other`, until either ends."""
    with suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
    for each in (one, other):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
    one.close()


def _in_background(work: Callable[[], object]) -> None:
    threading.Thread(target=work, daemon=True).start()


if __name__ == "__main__":
    main()
