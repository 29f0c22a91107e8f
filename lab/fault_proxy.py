"""A proxy between a client and its MySQL server that causes the faults of networks and dying servers.

It has the server's own certificate, so it can speak the protocol with both sides and strike at an exact place.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from lab.listener import Listener
from local.mysql_server import MySQLServer

Stage = Literal["greeting", "tls", "authentication", "setup", "statement", "answer", "large statement", "quit"]
"""Before the server's greeting; its TLS handshake; its answer to the password; its answer to the first command; the
matching statement reaches it; its answer to that statement; in the middle of a statement over 1 MB; COM_QUIT."""
Action = Literal["reset", "close", "silence", "drip", "strip"]
"""TCP reset of both sides; an orderly end; all packets are dropped from now on; the server's bytes pass one by one; the
greeting says that the server has no TLS."""

DRIP_SECONDS = 0.5
COM_QUIT = b"\x01"
TOGETHER, NO_LONGER = b"\x1b\x00\x00", b"\x1b\x01\x00"
"""COM_SET_OPTION, before and after statements that the engine sends together, as one text:
https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_set_option.html"""
OK, EOF = b"\x00", b"\xfe"
"""With what the last packet of a result begins."""
LARGE = 1 << 20
CAPABILITY_SSL = 0x08
"""In the second byte of the greeting's capabilities:
https://dev.mysql.com/doc/dev/mysql-server/latest/group__group__cs__capabilities__flags.html"""

Observer = Callable[[str], Action | None]
"""Called at each place that a connection comes to: with each request before the server gets it ("request: COMMIT"), and
with the server's answer before the client gets it ("answer: COMMIT"). Of statements that are sent together, the names
are joined; at each of their results the server is "partway". Returns what happens to the connection there."""

Socket = socket.socket


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong, and where."""

    stage: Stage
    action: Action
    statement: bytes = b""
    """Part of the statement meant by the stages statement and answer."""
    connections: int = 1
    """How many connections it strikes, before the network is healthy again."""


class FaultProxy(Listener):
    """Passes everything on to the server, except for the fault.

    Attributes:
        observer: watches all connections, in their own threads; to be replaced at any time.
    """

    def __init__(self, server: MySQLServer, fault: Fault | None = None) -> None:
        """Start a proxy in front of `server`."""
        self.server = server
        self.observer: Observer = lambda _place: None
        self._fault = fault
        self._to_strike = fault.connections if fault else 0
        self._lock = threading.Lock()
        self.as_server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.as_server.load_cert_chain(server.folder / "server.pem", server.folder / "server-key.pem")
        self.as_client = ssl.create_default_context(cafile=server.certificate_authority)
        super().__init__("fault-proxy")
        self._start(self._accept)

    def strike(self, fault: Fault) -> None:
        """Set the fault from now on."""
        with self._lock:
            self._fault, self._to_strike = fault, fault.connections

    def heal(self) -> None:
        """Strike no further connection."""
        with self._lock:
            self._to_strike = 0

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            self.keep(client)
            self._start(self._serve, client)

    def keep(self, each: Socket) -> Socket:
        """Remember a socket, to be closed at the end."""
        self._sockets.append(each)
        return each

    def _serve(self, client: Socket) -> None:
        passage = _Passage(self, client)
        # Ends when either side does: what is read then is nothing, or an error.
        with contextlib.suppress(OSError, EOFError, ValueError):
            passage.run()
        passage.finish()

    def strikes(self, stage: Stage, packet: bytes = b"") -> Action | None:
        """Return what the fault does to a connection that has come to `stage`, if anything."""
        with self._lock:
            fault = self._fault
            if fault is None or fault.stage != stage or fault.statement not in packet or not self._to_strike:
                return None
            self._to_strike -= 1
            return fault.action


class _Passage:
    """One connection through the proxy, in one thread: TLS allows no reading beside writing."""

    def __init__(self, proxy: FaultProxy, client: Socket) -> None:
        self._proxy = proxy
        self._client = client
        self._upstream: Socket | None = None
        self._dripping = False
        self._stripping = False
        self._withheld: Action | None = None
        self._request = ""
        """The one that the server has not answered yet, by name."""
        self._answers = _Answers()

    def run(self) -> None:
        """Pass everything on until either side ends, or the fault does it."""
        proxy, server = self._proxy, self._proxy.server
        self._asked("connect")
        self._strike("greeting", drip=b"\xff\xff\x00\x00" + bytes(1000))
        self._upstream = upstream = proxy.keep(socket.create_connection((server.host, server.port)))
        greeting = _read_packet(upstream)
        self._answered()
        self._client.sendall(_without_tls(greeting) if self._stripping else greeting)
        wish_for_tls = _read_packet(self._client)
        self._asked("TLS")
        upstream.sendall(wish_for_tls)
        self._answered()
        self._strike("tls", drip=b"\x16\x03\x03\x40\x00\x02\x00\x3f\x00" + bytes(1000))
        self._client = proxy.keep(proxy.as_server.wrap_socket(self._client, server_side=True))
        self._upstream = proxy.keep(proxy.as_client.wrap_socket(upstream, server_hostname=server.host))
        self._pass_on("authentication", _read_packet(self._client))
        buffer, together = b"", b""
        commands = 0
        while True:
            for ready in self._ready(self._client, self._upstream):
                data = _receive(ready)
                if not data:
                    continue
                if ready is self._upstream:
                    self._pass_back(data)
                    continue
                buffer += data
                if len(buffer) >= 4 and _length(buffer) > LARGE:
                    self._strike("large statement")
                while len(buffer) >= 4 and len(buffer) >= 4 + _length(buffer):
                    packet, buffer = buffer[: 4 + _length(buffer)], buffer[4 + _length(buffer) :]
                    if together or packet[4:] == TOGETHER:
                        together += packet
                        if packet[4:] != NO_LONGER:
                            continue
                        packet, together = together, b""
                    commands += packet[3] == 0  # the first packet of an exchange
                    self._pass_on(_stage(packet, commands), packet)

    def finish(self) -> None:
        """Let both sides know that it is over, and keep no descriptor of it."""
        for each in (self._client, self._upstream):
            if each is not None:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()

    def _ready(self, *sockets: Socket) -> list[Socket]:
        buffered: list[Socket] = [each for each in sockets if isinstance(each, ssl.SSLSocket) and each.pending()]
        return buffered or select.select(sockets, [], [])[0]

    def _pass_on(self, stage: Stage | None, packet: bytes) -> None:
        self._asked(_name(packet))
        if stage is not None:
            self._strike(stage, packet)
        self._withheld = self._withheld or self._proxy.strikes("answer", packet)
        self._answers.expect(3 if packet[4:].startswith(TOGETHER) else 1)
        if self._upstream is not None:
            self._upstream.sendall(packet)

    def _pass_back(self, data: bytes) -> None:
        for _ in range(self._answers.take(data)):
            self._come_to(f"partway: {self._request}")
        data = self._answers.complete()
        if not data:
            return
        self._answered()
        if self._withheld:
            self._act(self._withheld)
        if self._dripping:
            self._drip(data)
        else:
            self._client.sendall(data)

    def _asked(self, request: str) -> None:
        self._request = request
        self._come_to(f"request: {request}")

    def _answered(self) -> None:
        request, self._request = self._request, ""  # an answer in several parts is one answer
        if request:
            self._come_to(f"answer: {request}")

    def _come_to(self, place: str) -> None:
        action = self._proxy.observer(place)
        if action:
            self._act(action)

    def _strike(self, stage: Stage, packet: bytes = b"", drip: bytes = b"") -> None:
        action = self._proxy.strikes(stage, packet)
        if action:
            self._act(action)
        if action == "drip":
            self._drip(drip)

    def _act(self, action: Action) -> None:
        match action:
            case "drip":
                self._dripping = True
                self._withheld = None
            case "strip":
                self._stripping = True
            case "silence":
                # Nothing is read or closed: neither side learns of the other's end.
                self._proxy.closing.wait()
                raise EOFError
            case "reset":
                for each in (self._client, self._upstream):
                    if each is not None:
                        each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                        each.close()
                raise EOFError
            case "close":
                raise EOFError

    def _drip(self, data: bytes) -> None:
        for byte in data:
            self._client.sendall(bytes([byte]))
            if self._proxy.closing.wait(DRIP_SECONDS):
                raise EOFError


class _Answers:
    """The server's answers to requests that were sent together, held back until the last of them is there.

    Only then has the server done all that it was asked.
    """

    def __init__(self) -> None:
        self.expect(1)

    def expect(self, count: int) -> None:
        """So many answers follow."""
        self._expected, self._begun = count, 0
        self._held, self._position = b"", 0

    def take(self, data: bytes) -> int:
        """Take what has come, and return how many results it ends, of those that are held back."""
        self._held += data
        ends = 0
        while self._expected > 1 and len(self._held) >= self._position + 4:
            packet = self._held[self._position :]
            self._begun += packet[3] == 1  # the number of a packet within its answer
            ends += packet[4:5] in (OK, EOF)
            self._position += 4 + _length(packet)
        return ends

    def complete(self) -> bytes:
        """Return what may be passed back now."""
        if self._expected > 1:
            last_words = self._held[3:4] == b"\0"  # of a server that ends the connection
            if self._position != len(self._held) or (self._begun < self._expected and not last_words):
                return b""
            self._expected = 1
        data, self._held = self._held, b""
        return data


def _stage(packet: bytes, commands: int) -> Stage | None:
    if packet[3] != 0:
        return None  # the rest of the authentication
    if packet[4:] == COM_QUIT:
        return "quit"
    return "setup" if commands == 1 else "statement"


def _name(packet: bytes) -> str:
    if packet[3] != 0:
        return "authentication"  # not the packet itself: it contains the password
    if packet[4:] == COM_QUIT:
        return "quit"
    if packet[4:].startswith(TOGETHER):
        together = packet[len(TOGETHER) + 4 + 5 : -len(NO_LONGER) - 4].split(b";\n")
        return " + ".join(_short(statement) for statement in together)
    return _short(packet[5:])


def _short(statement: bytes) -> str:
    return statement[:20].decode(errors="replace")


def _without_tls(greeting: bytes) -> bytes:
    # Header, protocol and version, which ends with a zero; thread id, 8 bytes of the salt and a zero; capabilities.
    position = greeting.index(b"\0", 5) + 1 + 4 + 8 + 1 + 1
    return greeting[:position] + bytes([greeting[position] & ~CAPABILITY_SSL]) + greeting[position + 1 :]


def _receive(source: Socket) -> bytes:
    """What there is to read now; b"" if it is none of the application's, as TLS's own messages are."""
    source.setblocking(False)
    try:
        data = source.recv(65536)
    except (BlockingIOError, ssl.SSLWantReadError):
        return b""
    finally:
        source.setblocking(True)
    if not data:
        raise EOFError
    return data


def _read_packet(source: Socket) -> bytes:
    header = _read(source, 4)
    return header + _read(source, _length(header))


def _length(header: bytes) -> int:
    return int.from_bytes(header[:3], "little")


def _read(source: Socket, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        more = source.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return bytes(data)
