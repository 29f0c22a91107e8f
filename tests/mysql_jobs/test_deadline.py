"""One budget for a run, and a watchdog that nothing outlasts."""

import os
import socket
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from mysql_jobs.deadline import Deadline, DeadlineExceeded, Watchdog


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


def test_a_socket_that_can_not_be_shut_down_hinders_no_kill() -> None:
    """The server may have closed the connection at the same moment."""
    called = threading.Event()
    with socket.socket() as unconnected:
        watchdog = Watchdog(unconnected, Deadline.after(0), called.set)
        assert called.wait(30)
        watchdog.dismiss()


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
