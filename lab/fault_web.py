"""A web server with TLS on loopback that does to each connection what it is told: answers, or a fault of networks.

It speaks as much HTTP as S3, Secrets Manager and a plain API need to be asked by real clients.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

import trustme

from lab.listener import Listener

Behaviour = Literal[
    "answer",  # 200, and the connection stays open
    "answer and close",
    "answer half",  # and no more, for ever
    "answer by drips",
    "refuse",  # 503
    "refuse and close",
    "redirect",
    "reset",  # after the request
    "close",  # after the request
    "silence",  # after the request
    "deaf",  # never reads a request
    "black hole",  # never accepts a connection, nor those that come later, until told something else
    "silence at TLS",
    "drips at TLS",
    "reset at TLS",
    "close at TLS",
    "certificate of another host",
    "certificate of another authority",
]
DRIP_SECONDS = 0.2
RESET = struct.pack("ii", 1, 0)
HOSTS = ("127.0.0.1", "localhost")


@dataclass
class Request:
    """What was asked."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Peer(Listener):
    """The server; each connection gets the next of `behaviours`, those after the last one the last."""

    authority: trustme.CA
    behaviours: tuple[Behaviour, ...]
    text: bytes = b"hello"
    """What it answers with, but to PutObject (nothing) and GetSecretValue."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """By name or ARN, as they are asked for."""
    requests: list[Request] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        """Listen; nobody is served yet."""
        self._context = _context(self.authority, *HOSTS)
        self._told = threading.Condition()
        self._done = 0
        self._begun = threading.Event()
        super().__init__("peer")

    @property
    def where(self) -> str:
        """Its host and port."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Its address."""
        return f"https://{self.where}"

    def __enter__(self) -> Self:
        """Serve."""
        self._start(self._accept)
        self._begun.wait()
        return self

    def __exit__(self, *_exception: object) -> None:
        """Close all connections and end all threads."""
        self.closing.set()
        with self._told:
            self._told.notify_all()
        super().__exit__()

    def behave(self, *behaviours: Behaviour) -> None:
        """Do this from the next connection on."""
        with self._told:
            self.behaviours, self._done = behaviours, self.connections
            self._told.notify_all()

    def _accept(self) -> None:
        while not self.closing.is_set():
            if self._next() == "black hole":
                self._swallow()
                continue
            self._begun.set()
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            behaviour = self._next()
            self.connections += 1
            self._sockets.append(client)
            self._start(self._serve, client, behaviour)

    def _next(self) -> Behaviour:
        return self.behaviours[min(self.connections - self._done, len(self.behaviours) - 1)]

    def _swallow(self) -> None:
        """Keep the queue full until told otherwise: Linux drops what comes then."""
        with contextlib.ExitStack() as waiting:
            self._listener.listen(0)
            for _ in range(3):
                each = waiting.enter_context(socket.socket())
                each.setblocking(False)
                each.connect_ex(self._listener.getsockname())
            self._begun.set()
            with self._told:
                self._told.wait_for(lambda: self._next() != "black hole" or self.closing.is_set())
        if self.closing.is_set():
            return
        self._listener.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                self._listener.accept()[0].close()
        self._listener.setblocking(True)
        self._listener.listen()

    def _serve(self, client: socket.socket, behaviour: Behaviour) -> None:
        with contextlib.suppress(OSError, EOFError, ValueError):
            if behaviour.endswith("at TLS"):
                self._spoil(client, behaviour)
                return
            secured = self._identity(behaviour).wrap_socket(client, server_side=True)
            self._sockets.append(secured)
            while not self.closing.is_set() and self._exchange(secured, behaviour):
                pass
            secured.close()
        client.close()

    def _identity(self, behaviour: Behaviour) -> ssl.SSLContext:
        match behaviour:
            case "certificate of another host":
                return _context(self.authority, "other.example")
            case "certificate of another authority":
                return _context(trustme.CA(), *HOSTS)
        return self._context

    def _spoil(self, client: socket.socket, behaviour: Behaviour) -> None:
        """Do something else than to answer the handshake."""
        client.recv(65536)
        match behaviour:
            case "silence at TLS":
                self.closing.wait()
            case "drips at TLS":
                for byte in b"\x16\x03\x03\x40\x00\x02\x00\x3f\x00" + bytes(1000):
                    client.sendall(bytes([byte]))
                    if self.closing.wait(DRIP_SECONDS):
                        break
            case "reset at TLS":
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        client.close()

    def _exchange(self, client: ssl.SSLSocket, behaviour: Behaviour) -> bool:
        """Serve one request; return whether there may be another."""
        if behaviour == "deaf":
            self.closing.wait()
            return False
        request = _read(client)
        self.requests.append(request)
        text = self._text(request)
        match behaviour:
            case "silence":
                self.closing.wait()
            case "reset":
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            case "answer":
                client.sendall(_answer(text))
                return True
            case "answer and close":
                client.sendall(_answer(text, more="Connection: close\r\n"))
            case "answer half":
                client.sendall(_answer(text, length=1_000_000))
                self.closing.wait()
            case "answer by drips":
                for byte in _answer(text * 1000):
                    client.sendall(bytes([byte]))
                    if self.closing.wait(DRIP_SECONDS):
                        break
            case "refuse":
                client.sendall(_answer(b"", status="503 Slow Down"))
                return True
            case "refuse and close":
                client.sendall(_answer(b"", status="503 Slow Down", more="Connection: close\r\n"))
            case "redirect":
                client.sendall(_answer(b"", status="302 Found", more=f"Location: {self.url}/elsewhere\r\n"))
                return True
        return False

    def _text(self, request: Request) -> bytes:
        if request.headers.get("x-amz-target") == "secretsmanager.GetSecretValue":
            return json.dumps({"SecretString": self.secrets[json.loads(request.body)["SecretId"]]}).encode()
        return b"" if request.method == "PUT" else self.text


def _context(authority: trustme.CA, *hosts: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*hosts).configure_cert(context)
    return context


def _answer(text: bytes, *, status: str = "200 OK", length: int | None = None, more: str = "") -> bytes:
    size = len(text) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\n{more}\r\n".encode() + text


def _read(client: ssl.SSLSocket) -> Request:
    received = b""
    while b"\r\n\r\n" not in received:
        if not (part := client.recv(65536)):
            raise EOFError
        received += part
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    chunked = headers.get("transfer-encoding") == "chunked"
    while not body.endswith(b"0\r\n\r\n") if chunked else len(body) < int(headers.get("content-length", 0)):
        if not (part := client.recv(65536)):
            raise EOFError
        body += part
    method, path, _ = first.split(" ")
    return Request(method, path, headers, body)


def trusted(authority: trustme.CA, folder: Path) -> Path:
    """The authority's certificate, in a file."""
    file = folder / "authority.pem"
    authority.cert_pem.write_to_path(file)
    return file
