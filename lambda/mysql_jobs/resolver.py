"""Name resolution that a deadline bounds: a small DNS client, as `socket.getaddrinfo` can't be interrupted.

Against a silent resolver, getaddrinfo takes 10 to 30 s, and Lambda kills the function without a log line. A thread that
is given up would be frozen with the environment, so it is no way out. This asks the name servers of /etc/resolv.conf
over UDP (https://www.rfc-editor.org/rfc/rfc1035), as glibc does in Lambda, and looks into /etc/hosts first.
"""

from __future__ import annotations

import os
import re
import socket
import struct
from collections.abc import Iterator
from contextlib import closing, suppress

from mysql_jobs.deadline import Deadline

HOSTS = "/etc/hosts"
CONFIGURATION = "/etc/resolv.conf"
PORT = 53
ANSWER_SECONDS = 1.0
"""How long one name server may take before the next one is asked; all are asked in turn until the deadline."""
LONGEST_ANSWER = 65_535
TYPES = {1: socket.AF_INET, 28: socket.AF_INET6}
"""A and AAAA records, in the order in which they are asked for."""
NO_SUCH_NAME = 3
CLASS_INTERNET = 1
RECURSION_DESIRED = 0x0100
TRUNCATED = 0x0200


class ResolveError(OSError):
    """A name has no address, or no name server said in time; the message names it and them."""


def resolve(name: str, deadline: Deadline) -> list[str]:
    """The addresses of `name`, in numbers: IPv4, or IPv6 where it has no other. An address is its own answer.

    Raises:
        ResolveError: it has none, or no name server answered before the deadline.
    """
    for family in TYPES.values():
        with suppress(OSError):  # it is no address
            return [socket.inet_ntop(family, socket.inet_pton(family, name))]
    if found := _in_hosts(name):
        return found
    servers = re.findall(r"^nameserver\s+(\S+)", _text(CONFIGURATION), flags=re.MULTILINE) or ["127.0.0.1"]
    for kind in TYPES:
        if found := _ask(name, kind, servers, deadline):
            return found
    raise ResolveError(f"{name} has no address, say the name servers ({', '.join(servers)})")


def _in_hosts(name: str) -> list[str]:
    lines = (line.partition("#")[0].split() for line in _text(HOSTS).splitlines())
    found = [words[0] for words in lines if name.lower() in map(str.lower, words[1:])]
    return sorted(found, key=lambda address: ":" in address)  # IPv4 first


def _text(file: str) -> str:
    with suppress(FileNotFoundError), open(file, errors="replace") as opened:
        return opened.read()
    return ""


def _ask(name: str, kind: int, servers: list[str], deadline: Deadline) -> list[str]:
    """The records of one type; empty if the name has none of it."""
    failure: Exception = TimeoutError("no time is left")
    while deadline.remaining():
        for server in servers:
            try:
                return _exchange(name, kind, server, deadline.within(ANSWER_SECONDS))
            except (OSError, ValueError, struct.error, IndexError) as error:  # silent, or no DNS
                if isinstance(error, ResolveError):
                    raise
                failure = error
            if not deadline.remaining():
                break
    raise ResolveError(f"no name server ({', '.join(servers)}) said the address of {name} in time: {failure}")


def _exchange(name: str, kind: int, server: str, deadline: Deadline) -> list[str]:
    """One question and its answer, over UDP, or over TCP if that has no room for it."""
    identifier = int.from_bytes(os.urandom(2))
    question = _name(name) + struct.pack(">HH", kind, CLASS_INTERNET)
    query = struct.pack(">6H", identifier, RECURSION_DESIRED, 1, 0, 0, 0) + question
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with closing(socket.socket(family, socket.SOCK_DGRAM)) as channel:
        channel.settimeout(max(deadline.remaining(), 0.001))
        channel.connect((server, PORT))  # the kernel drops what comes from anybody else
        channel.send(query)
        answer = channel.recv(LONGEST_ANSWER)
        while answer[:2] != query[:2]:  # a late answer to an earlier question
            channel.settimeout(max(deadline.remaining(), 0.001))
            answer = channel.recv(LONGEST_ANSWER)
    if struct.unpack_from(">H", answer, 2)[0] & TRUNCATED:
        answer = _over_tcp(query, server, family, deadline)
    return list(_addresses(answer, question, kind, name))


def _over_tcp(query: bytes, server: str, family: int, deadline: Deadline) -> bytes:
    with closing(socket.socket(family, socket.SOCK_STREAM)) as channel:
        channel.settimeout(max(deadline.remaining(), 0.001))
        channel.connect((server, PORT))
        channel.sendall(struct.pack(">H", len(query)) + query)
        received = b""
        while len(received) < 2 or len(received) < 2 + struct.unpack_from(">H", received)[0]:
            channel.settimeout(max(deadline.remaining(), 0.001))
            part = channel.recv(LONGEST_ANSWER)
            if not part or not deadline.remaining():
                raise TimeoutError("the answer over TCP ended early")
            received += part
    return received[2:]


def _addresses(answer: bytes, question: bytes, kind: int, name: str) -> Iterator[str]:
    _identifier, flags, questions, records, _authorities, _more = struct.unpack_from(">6H", answer)
    if flags & 0xF == NO_SUCH_NAME:
        raise ResolveError(f"there is no {name}, say the name servers")
    if flags & 0xF or questions != 1 or answer[12 : 12 + len(question)].lower() != question.lower():
        raise ValueError(f"a name server refused (code {flags & 0xF}) or answered something else")
    position = 12 + len(question)
    for _ in range(records):
        position = _after_name(answer, position)
        found, _class, _seconds, length = struct.unpack_from(">HHIH", answer, position)
        position += 10
        if found == kind:  # the others are aliases on the way to it
            yield socket.inet_ntop(TYPES[kind], answer[position : position + length])
        position += length


def _name(name: str) -> bytes:
    labels = name.rstrip(".").encode("idna").split(b".")
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def _after_name(answer: bytes, position: int) -> int:
    """Where a name ends: in a byte 0, or in a pointer to another place."""
    while answer[position]:
        if answer[position] >= 0xC0:
            return position + 2
        position += 1 + answer[position]
    return position + 1
