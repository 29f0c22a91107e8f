"""Nothing that a run sets for the whole process reaches the next run; what a module sets while imported stays."""

import decimal
import http.client
import json
import locale
import logging
import os
import signal
import socket
import ssl
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pymysql.connections
import pymysql.cursors
import pytest

from mysql_jobs.deadline import Deadline, Watchdog
from mysql_jobs.process_state import SETTINGS, ProcessState


def _replaced(*_: object, **__: object) -> Any:
    raise AssertionError("what a job has put in the place of a function")


def _ignored(*_: object) -> None:
    pass


OWNERS: list[Any] = [
    *(http.client, json, logging, os, socket, ssl, threading, time, pymysql, pymysql.connections, pymysql.cursors),
    *(http.client.HTTPConnection, logging.Logger, socket.socket, ssl.SSLContext, ssl.SSLSocket),
    *(threading.Event, threading.Thread, pymysql.connections.Connection, pymysql.cursors.Cursor),
]
CHANGES: dict[str, list[Callable[[], object]]] = {
    "default timeout of sockets": [lambda: socket.setdefaulttimeout(30)],
    "environment variables": [
        lambda: os.environ.update(AWS_ENDPOINT_URL="https://example.com"),
        lambda: os.environ.pop("PATH"),
        lambda: os.environ.update(TZ="Asia/Kolkata"),
    ],
    "working directory": [lambda: os.chdir("/")],
    "umask": [lambda: os.umask(0o777)],
    "locale": [lambda: locale.setlocale(locale.LC_ALL, "C.UTF-8")],
    "signal handlers": [
        *(partial(signal.signal, number, _replaced) for number in (signal.SIGINT, signal.SIGALRM, signal.SIGCHLD)),
        *(partial(signal.signal, number, signal.SIG_IGN) for number in (signal.SIGTERM, signal.SIGHUP)),
        lambda: signal.signal(signal.SIGPIPE, signal.SIG_DFL),
    ],
    "logging": [
        logging.disable,
        lambda: logging.getLogger("mysql_jobs").setLevel(logging.CRITICAL),
        lambda: setattr(logging.getLogger("mysql_jobs"), "propagate", False),
        lambda: logging.getLogger("mysql_jobs").addFilter(_replaced),
        lambda: logging.getLogger().addHandler(logging.NullHandler()),
        lambda: setattr(logging.getLogger(), "handlers", []),
        lambda: logging.getLogger().handlers[0].setLevel(logging.CRITICAL),
        lambda: logging.getLogger().handlers[0].addFilter(_replaced),
    ],
    "warnings filter": [lambda: warnings.simplefilter("always")],
    "recursion limit": [lambda: sys.setrecursionlimit(5000)],
    "decimal context": [lambda: setattr(decimal.getcontext(), "prec", 3), lambda: _trap(decimal.Inexact)],
    "module search path": [lambda: sys.path.insert(0, "/nowhere"), sys.path.clear],
    "hooks": [
        lambda: setattr(sys, "excepthook", _replaced),
        lambda: setattr(sys, "stdout", None),
        lambda: setattr(sys, "stderr", None),
        lambda: sys.settrace(_ignored),
        lambda: sys.setprofile(_ignored),
    ],
    "replaced functions": [
        lambda: setattr(socket, "socket", _replaced),
        lambda: setattr(ssl, "_create_default_https_context", ssl._create_unverified_context),
        lambda: setattr(ssl.SSLContext, "wrap_socket", _replaced),
        lambda: setattr(time, "monotonic", _replaced),
        lambda: setattr(json, "dumps", _replaced),
        lambda: setattr(threading.Thread, "start", _replaced),
        lambda: setattr(pymysql, "connect", _replaced),
        lambda: setattr(pymysql.connections.Connection, "query", _replaced),
        *(partial(setattr, owner, "added_by_a_job", _replaced) for owner in OWNERS),
        lambda: delattr(socket, "create_connection"),
    ],
}
"""What a job may set, by the setting that it changes."""


def _trap(what: Any) -> None:
    decimal.getcontext().traps[what] = True


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProcessState]:
    monkeypatch.chdir(tmp_path)
    state = ProcessState()
    yield state
    state.restore()


def test_every_setting_is_tried() -> None:
    assert CHANGES.keys() == SETTINGS.keys()


@pytest.mark.parametrize(
    ("name", "change"), [(name, change) for name, changes in CHANGES.items() for change in changes]
)
def test_what_a_run_changes_is_put_back_and_named(name: str, change: Callable[[], object], state: ProcessState) -> None:
    state.note()  # pytest itself sets a variable between the fixture and the test
    before = {setting: read() for setting, (read, _write) in SETTINGS.items()}
    change()
    changed = state.restore()
    assert {setting: read() for setting, (read, _write) in SETTINGS.items()} == before
    assert changed == [name]
    assert state.restore() == []


def test_a_client_of_http_that_a_run_imports_is_no_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing imports it before a login with a secret, or a job of its own, does."""
    monkeypatch.delitem(sys.modules, "http.client")
    state = ProcessState()
    assert "http.client" not in sys.modules
    monkeypatch.setitem(sys.modules, "http.client", http.client)
    assert state.restore() == []
    state.note()
    monkeypatch.setattr(http.client.HTTPConnection, "request", _replaced)
    assert state.restore() == ["replaced functions"]
    assert http.client.HTTPConnection.request is not _replaced


def test_the_settings_are_noted_at_once() -> None:
    state = ProcessState()
    socket.setdefaulttimeout(30)
    assert state.restore() == ["default timeout of sockets"]
    assert socket.getdefaulttimeout() is None


def test_looking_at_the_umask_does_not_change_it() -> None:
    before = os.umask(0o027)
    try:
        state = ProcessState()
        assert os.umask(0o027) == 0o027
        state.restore()
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)


def test_a_warning_that_a_run_has_silenced_is_one_again(state: ProcessState, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python remembers where it has warned once, until it is told that its filters have changed."""
    warnings.simplefilter("error")
    state.note()
    seen: dict[Any, Any] = {}
    warnings.simplefilter("default")
    monkeypatch.setattr(warnings, "showwarning", _ignored)
    warnings.warn_explicit("an old way", UserWarning, "job.py", 1, registry=seen)
    state.restore()
    with pytest.raises(UserWarning):
        warnings.warn_explicit("an old way", UserWarning, "job.py", 1, registry=seen)


def test_the_time_zone_is_that_of_the_variables_again(state: ProcessState) -> None:
    state.note()
    names = time.tzname
    os.environ["TZ"] = "Asia/Kolkata"
    time.tzset()
    state.restore()
    assert time.tzname == names


def test_what_is_noted_later_stays(state: ProcessState) -> None:
    """A module sets the precision of its decimals once, while it is imported, for all of its runs."""
    decimal.getcontext().prec = 50
    try:
        state.note()
        assert state.restore() == []
        assert decimal.getcontext().prec == 50
    finally:
        decimal.getcontext().prec = 28


def test_what_can_not_be_put_back_is_said_and_hides_nothing_else(
    state: ProcessState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    state.note()
    os.chdir("/")
    gone.rmdir()
    socket.setdefaulttimeout(1)
    first, *others = state.restore()
    assert (first, socket.getdefaulttimeout()) == ("default timeout of sockets", None)
    assert any(each.startswith("working directory, not put back: ") for each in others)


def test_a_default_timeout_makes_no_watchdog_burn_the_processor() -> None:
    """A module may set it while it is imported, and then it stays: the connection is immune to it."""
    ours, peer = socket.socketpair()
    socket.setdefaulttimeout(30)
    try:
        watchdog = Watchdog(ours, Deadline.after(60))
        assert ours.gettimeout() is None
        assert os.get_blocking(ours.fileno())
        watchdog.dismiss()
    finally:
        socket.setdefaulttimeout(None)
        ours.close()
        peer.close()
