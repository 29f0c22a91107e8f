"""A server that says anything, and events of any form: an error in time, a line, and nothing left.

In `make test` a small part of it, in `make torture` all of it.
"""

import json
import os
import random
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace

import pymysql
import pytest
import trustme
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mysql_jobs.configuration import ConfigurationError, Database
from mysql_jobs.connection import connect
from mysql_jobs.deadline import Deadline, DeadlineExceeded
from mysql_jobs.handler import lambda_handler
from mysql_jobs.leaks import Inventory
from mysql_jobs.request import EventError
from tests.mysql_jobs.known import Known
from tests.mysql_jobs.packets import greeting, packet

FULL = "TORTURE" in os.environ
SEED = int(os.environ.get("TORTURE") or 13)
CONNECTIONS = 1200 if FULL else 60
EVENTS = 5000 if FULL else 200
SECONDS = 0.5
HANG_SECONDS = 30
LONGEST_LINE = 256 * 1024

Count = Callable[[str, int], None]


@pytest.mark.parametrize("place", ["greeting", "TLS", "login", "session"])
def test_whatever_a_server_says_there_is_an_error_in_time_and_nothing_is_left(
    place: str, tmp_path: Path, count_torture: Count, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(tls)
    monkeypatch.setattr("mysql_jobs.connection.FIRST_BACKOFF_SECONDS", 0.01)
    chance = random.Random(SEED)  # noqa: S311 (to be repeated, not to be secret)
    before = Inventory.take()
    with _garbage(place, tls, chance) as port:
        inside = Inventory.take()
        for number in range(CONNECTIONS // 4):
            with pytest.raises((DeadlineExceeded, pymysql.MySQLError)):
                connect(
                    database=Database(
                        host="localhost",
                        port=port,
                        name="jobs",
                        endpoint="instance",
                        region="eu-central-1",
                        certificates=str(tmp_path / "authority.pem"),
                    ),
                    authentication=Known(),
                    deadline=Deadline.after(SECONDS),
                    program_name="job",
                ).destroy()
            leaked = [each for each in inside.leaked_since() if "watchdog" in each]
            assert leaked == [], f"connection {number} of seed {SEED}"
    assert before.leaked_since() == []
    count_torture(f"garbage of a server at its {place}", CONNECTIONS // 4)


event_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(), parts, max_size=3),
    max_leaves=8,
)
events = event_values | st.dictionaries(
    st.sampled_from(["job", "scheduled_time", "execution_id", "window", "dry_run", "else"]),
    event_values
    | st.sampled_from(["2026-11-23T08:00:00Z", "2026-11-23", "9999-12-31T23:59:59Z", "pulse", True])
    | st.fixed_dictionaries({"start": event_values, "end": event_values}),
    max_size=6,
)


@given(event=events)
@settings(
    max_examples=EVENTS,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_whatever_the_event_there_is_a_line_and_an_error_that_says_what_to_write(
    event: object, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.clear()
    monkeypatch.setenv("JOB", "pulse")
    monkeypatch.setitem(sys.modules, "jobs.pulse", SimpleNamespace(__name__="jobs.pulse", run=lambda _run: None))
    monkeypatch.delenv("DATABASE_HOST", raising=False)
    context = SimpleNamespace(
        function_name="test", aws_request_id="request-1", get_remaining_time_in_millis=lambda: 30_000
    )
    with pytest.raises(Exception) as caught:  # noqa: PT011 (by name, below)
        lambda_handler(event, context)
    # The event is good, and the function has no database; or the event is not.
    assert type(caught.value).__name__ in (EventError.__name__, ConfigurationError.__name__)
    [line] = [record for record in caplog.records if record.message == "run"]
    text = json.dumps({key: value for key, value in vars(line).items() if key in ("error", "outcome", "execution_id")})
    assert len(json.dumps(json.loads(text), ensure_ascii=False).encode()) < LONGEST_LINE


def test_events_are_counted(count_torture: Count) -> None:
    count_torture("events of any form", EVENTS)


@contextmanager
def _garbage(place: str, tls: ssl.SSLContext, chance: random.Random) -> Iterator[int]:
    """A server that is right until it comes to `place`, and says anything from there on."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                peer, _address = listener.accept()
            except OSError:
                return
            with suppress(OSError, ssl.SSLError), peer:
                peer.settimeout(SECONDS)
                _speak(peer, place, tls, chance)

    thread = threading.Thread(target=serve, name="garbage")
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(HANG_SECONDS)
        listener.close()


def _speak(peer: socket.socket, place: str, tls: ssl.SSLContext, chance: random.Random) -> None:
    if place == "greeting":
        peer.sendall(_anything(greeting(), chance))
        return
    peer.sendall(packet(greeting()))
    peer.recv(36)  # the request for TLS
    if place == "TLS":
        peer.sendall(chance.randbytes(chance.randrange(200)))
        return
    with tls.wrap_socket(peer, server_side=True) as secure:
        secure.recv(65536)  # the login
        if place == "session":
            secure.sendall(packet(b"\x00\x00\x00\x02\x00\x00\x00", number=2))
            secure.recv(65536)  # SET NAMES
        secure.sendall(_anything(b"\x00\x00\x00\x02\x00\x00\x00", chance))


def _anything(right: bytes, chance: random.Random) -> bytes:
    """Random bytes, or the right ones with some changed, cut off or too many."""
    match chance.randrange(4):
        case 0:
            return chance.randbytes(chance.randrange(300))
        case 1:
            return packet(chance.randbytes(chance.randrange(80)), number=chance.randrange(4))
        case 2:
            changed = bytearray(right)
            changed[chance.randrange(len(changed))] = chance.randrange(256)
            return packet(bytes(changed), number=chance.randrange(3))
        case _:
            whole = packet(right) + chance.randbytes(9)
            return whole[: chance.randrange(len(whole))]
