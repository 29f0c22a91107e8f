"""What of this process a run may have changed for good: noted before it, put back after it.

The process outlives the run: what a job, or a library that it uses, sets for the whole process would reach the next
run's connection. `socket.setdefaulttimeout`, for example, changes every socket that is made afterwards. What a job's
module sets while it is imported is kept, as it holds for each of its runs.
"""

from __future__ import annotations

import decimal
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
from typing import Any

import pymysql
import pymysql.connections
import pymysql.cursors

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM, signal.SIGPIPE, signal.SIGHUP, signal.SIGCHLD)

PATCHED = (
    *(json, logging, os, socket, ssl, threading, time, pymysql, pymysql.connections, pymysql.cursors),
    *(logging.Logger, socket.socket, ssl.SSLContext, ssl.SSLSocket),
    *(threading.Event, threading.Thread, pymysql.connections.Connection, pymysql.cursors.Cursor),
)
"""Modules and classes that a run is made of; their functions may be replaced by a job, as mocks and tracers do. So is
http.client where it is imported: it is for logins with a secret only."""


class ProcessState:
    """Settings of the whole process."""

    def __init__(self) -> None:
        """Note the settings as they are now."""
        self._noted: dict[str, Any] = {}
        self.note()

    def note(self) -> None:
        """Let the settings as they are now be what `restore` puts back."""
        self._noted = {name: read() for name, (read, _write) in SETTINGS.items()}

    def restore(self) -> list[str]:
        """Put back what has changed since `note`; return, in words, what had. Never raises."""
        changed = []
        for name, (read, write) in SETTINGS.items():
            try:
                if read() != self._noted[name]:
                    changed.append(name)
                    write(self._noted[name])
            except Exception as error:  # noqa: BLE001 (a working directory that is gone, a signal in another thread)
                changed.append(f"{name}, not put back: {error}")
        return changed


def _umask() -> int:
    current = os.umask(0o077)  # there is no way to read it but to set it
    os.umask(current)
    return current


def _set_environment(variables: dict[bytes, bytes]) -> None:
    os.environb.clear()
    os.environb.update(variables)
    time.tzset()  # TZ is one of them


def _signal_handlers() -> dict[int, Any]:
    return {number: signal.getsignal(number) for number in SIGNALS}


def _set_signal_handlers(handlers: dict[int, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, signal.SIG_DFL if handler is None else handler)


def _logging() -> tuple[Any, ...]:
    """What decides whether the run's line is written: how a job sets its own loggers is its own affair."""
    root, ours = logging.getLogger(), logging.getLogger("mysql_jobs")
    handlers = tuple((each, each.level, tuple(each.filters)) for each in root.handlers)
    return (logging.root.manager.disable, handlers, ours.level, ours.disabled, ours.propagate, tuple(ours.filters))


def _set_logging(stated: tuple[Any, ...]) -> None:
    disable, handlers, level, disabled, propagate, filters = stated
    root, ours = logging.getLogger(), logging.getLogger("mysql_jobs")
    logging.disable(disable)
    root.handlers[:] = [each for each, _level, _filters in handlers]
    for each, its_level, its_filters in handlers:
        each.setLevel(its_level)
        each.filters[:] = its_filters
    ours.setLevel(level)
    ours.disabled, ours.propagate = disabled, propagate
    ours.filters[:] = filters


def _decimal_context() -> tuple[Any, ...]:
    context = decimal.getcontext()
    traps = tuple(each for each, on in context.traps.items() if on)
    return (context.prec, context.rounding, context.Emin, context.Emax, context.capitals, context.clamp, traps)


def _set_decimal_context(stated: tuple[Any, ...]) -> None:
    precision, rounding, lowest, highest, capitals, clamp, traps = stated
    decimal.setcontext(decimal.Context(precision, rounding, lowest, highest, capitals, clamp, [], list(traps)))


def _set_warnings(filters: list[Any]) -> None:
    warnings.filters[:] = filters  # type: ignore[index]
    warnings._filters_mutated()  # type: ignore[attr-defined]


class _Functions:
    """The functions of modules and classes, by their owner."""

    def __init__(self) -> None:
        client = sys.modules.get("http.client")
        owners = (*PATCHED, *((client, client.HTTPConnection) if client else ()))
        # Whole namespaces: to copy them, and to find two of them equal, is fast; to look for functions in them is not.
        self._namespaces = {owner: dict(vars(owner)) for owner in owners}

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, noted: object) -> bool:
        return isinstance(noted, _Functions) and not any(noted._changed())

    def _changed(self) -> Iterator[tuple[Any, str]]:
        """The owner and the name of each function that is another one now, is gone, or is new."""
        for owner, namespace in self._namespaces.items():
            now = vars(owner)
            if now != namespace:
                yield from (
                    (owner, name)
                    for name in {*now, *namespace}
                    if now.get(name) is not namespace.get(name)
                    and (callable(now.get(name)) or callable(namespace.get(name)))
                )

    def put_back(self) -> None:
        """Let the functions be these again."""
        for owner, name in list(self._changed()):
            if name in self._namespaces[owner]:
                setattr(owner, name, self._namespaces[owner][name])
            else:
                delattr(owner, name)


def _set_hooks(excepthook: Any, trace: Any, profile: Any, stdout: Any, stderr: Any) -> None:
    sys.excepthook, sys.stdout, sys.stderr = excepthook, stdout, stderr
    sys.settrace(trace)
    sys.setprofile(profile)


SETTINGS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "default timeout of sockets": (socket.getdefaulttimeout, socket.setdefaulttimeout),
    "environment variables": (lambda: dict(os.environb), _set_environment),
    "working directory": (os.getcwd, os.chdir),
    "umask": (_umask, os.umask),
    "locale": (lambda: locale.setlocale(locale.LC_ALL), lambda value: locale.setlocale(locale.LC_ALL, value)),
    "signal handlers": (_signal_handlers, _set_signal_handlers),
    "logging": (_logging, _set_logging),
    "warnings filter": (lambda: list(warnings.filters), _set_warnings),
    "recursion limit": (sys.getrecursionlimit, sys.setrecursionlimit),
    "decimal context": (_decimal_context, _set_decimal_context),
    "module search path": (lambda: list(sys.path), lambda value: sys.path.__setitem__(slice(None), value)),
    "hooks": (
        lambda: (sys.excepthook, sys.gettrace(), sys.getprofile(), sys.stdout, sys.stderr),
        lambda value: _set_hooks(*value),
    ),
    "replaced functions": (_Functions, _Functions.put_back),
}
"""How each is read, and set."""
