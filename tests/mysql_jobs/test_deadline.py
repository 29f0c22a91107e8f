"""One budget for a run, and a watchdog that nothing outlasts."""

import os
import socket
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from mysql_jobs.deadline import Deadline, DeadlineExceeded, Watchdog

HANG_SECONDS = 30


def test_the_deadline_is_lambdas_remaining_time_less_the_margin(monkeypatch: pytest.MonkeyPatch) -> None:
    context: Any = SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000)
    with monkeypatch.context() as stopped:
        stopped.setattr("mysql_jobs.deadline.time.monotonic", lambda: 100.0)
        assert Deadline.of(context).moment == 158
        assert Deadline.of(context).require("connecting") == 58


def test_nothing_begins_after_the_deadline() -> None:
    deadline = Deadline.after(-5)
    assert deadline.remaining() == 0
    with pytest.raises(DeadlineExceeded, match="no time left for connecting: raise the job's timeout_seconds"):
        deadline.require("connecting")


def test_the_watchdog_ends_a_call_that_waits_for_a_dripping_peer() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        stop = threading.Event()
        drip = threading.Thread(target=_drip, args=(theirs, stop))
        drip.start()
        watchdog = Watchdog(ours, Deadline.after(0.3))
        while ours.recv(1):  # would go on for ever: each byte comes within any timeout of a call
            pass
        watchdog.dismiss()
        assert watchdog.struck
        stop.set()
        drip.join()


class Moment:
    """A deadline that comes when it is told to."""

    def __init__(self) -> None:
        self.come = False

    def remaining(self) -> float:
        return 0.0 if self.come else 0.01


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_an_extended_watchdog_strikes_at_the_later_deadline_only(pair: tuple[socket.socket, socket.socket]) -> None:
    """As the one of an attempt to connect becomes the run's; only the run has a session to kill."""
    ours, theirs = pair
    attempt: Any = Moment()
    run: Any = Moment()
    received: list[bytes] = []
    watchdog = Watchdog(ours, attempt)
    assert watchdog.extend(run, lambda: received.append(theirs.recv(1)))
    attempt.come = True
    watchdog._thread.join(0.1)
    assert watchdog._thread.is_alive()
    assert not watchdog.struck
    run.come = True
    watchdog._thread.join(HANG_SECONDS)
    assert watchdog.struck
    assert received == [b""], "the socket was not shut down before"
    watchdog.dismiss()


def test_a_watchdog_that_has_struck_is_not_extended(pair: tuple[socket.socket, socket.socket]) -> None:
    """What it has cut stays cut: nobody may take the session for one that works."""
    watchdog = Watchdog(pair[0], Deadline.after(0))
    watchdog._thread.join(HANG_SECONDS)
    called = threading.Event()
    assert watchdog.extend(Deadline.after(60), called.set) is False
    assert watchdog.struck
    watchdog.dismiss()
    assert not called.is_set()


def test_an_extended_watchdog_can_be_dismissed_before_either_deadline(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    watchdog = Watchdog(pair[0], Deadline.after(60))
    assert watchdog.extend(Deadline.after(90), pytest.fail)
    watchdog.dismiss()
    watchdog.dismiss()
    assert not watchdog.struck
    assert not watchdog._thread.is_alive()


@pytest.mark.parametrize("shut", [False, True])
def test_a_socket_that_can_not_be_shut_down_hinders_no_kill(shut: bool) -> None:
    """The server may have closed the connection at the same moment."""
    called = threading.Event()
    moment: Any = Moment()
    ours, theirs = socket.socketpair() if shut else (socket.socket(), socket.socket())
    with ours, theirs:
        if shut:
            ours.shutdown(socket.SHUT_RDWR)
            theirs.close()
        watchdog = Watchdog(ours, moment)
        assert watchdog.extend(moment, called.set)
        moment.come = True
        assert called.wait(HANG_SECONDS)
        watchdog.dismiss()
        assert watchdog.struck


def test_a_dismissed_watchdog_leaves_no_thread_and_no_descriptor() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        watchdog = Watchdog(ours, Deadline.after(60))
        watchdog.dismiss()
        assert not watchdog.struck
        assert not [thread for thread in threading.enumerate() if thread.name == "watchdog"]
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(watchdog._descriptor)
        ours.send(b"still open")
        assert theirs.recv(100) == b"still open"


def _drip(theirs: socket.socket, stop: threading.Event) -> None:
    while not stop.wait(0.02):
        try:
            theirs.send(b".")
        except OSError:
            return
