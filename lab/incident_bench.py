"""One situation of the incident, made to happen: a function runs, is frozen, is thawed and runs again."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from lab.incident_environment import NodeEnvironment
from lab.incident_network import Network, Teardown
from lab.mariadb_server import MariaDBServer
from local.execution_environment import Invocation

ROOT = Path(__file__).parents[1]
QUIT_SECONDS = 30.0
"""What mysqljs' end() arms its timer for: https://github.com/mysqljs/mysql/blob/v2.18.1/lib/Connection.js#L234."""
SCALE = 10
"""The divisor of the timer and of all freezes in a fast run."""
TRIES = 200
"""An idle machine needs a few, a busy one many more."""
TRIES_IN_VAIN = 20
"""After so many runs that left no socket open, there is none to wait for."""
TIMEOUT_SECONDS = 20.0


class NotReproduced(Exception):
    """The situation did not occur: a run failed too early, or this machine is too busy; the message says which."""


@dataclass(frozen=True, kw_only=True)
class Situation:
    """A handler, how far away its database is, and how long its environment is frozen."""

    pattern: str
    """What the handler does with its connection, as a reader knows it."""
    handler: str
    """Its file in lab/node."""
    round_trip_seconds: float = 0.002
    frozen_seconds: float = 35
    scales: bool = True
    """Whether the timer can be made shorter, if there is one."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one environment after one freeze; moments as time.monotonic() counts."""

    socket_left: bool
    """It was frozen with a socket to its database: with one kept, or with one whose end it had not handled yet."""
    held: int
    """Connections open on the server at the end of the freeze."""
    still_running: int
    """Statements that the server worked on at that time."""
    error: str
    """What the user sees of the next run; empty if it did its work."""
    stack: tuple[str, ...]
    """Of that error, as the runtime logged it; paths from node_modules on."""
    logged: tuple[str, ...]
    """What the function logged in a next run that did its work."""
    blocked_seconds: float
    """How long the next run took, failed or not."""
    error_after: str
    """What the user sees of the run right after that one; empty if it did its work."""
    began: float
    """When the run before the freeze did."""
    teardown: Teardown
    """How that run's connection ended, as far as the network saw."""
    frozen: float
    thawed: float
    ended: float
    """When the process ended by itself, or was frozen again."""


class Trial:
    """One environment in one situation: a context manager. Then `wait_until_ready`, `freeze` and `thaw`.

    With several of them, call each method on all before the next one: they wait at the same time, and do not slow down
    the others on their way into the freeze.
    """

    def __init__(self, situation: Situation, server: MariaDBServer, user: str, log: Path, *, scale: float) -> None:
        """`user` is created on the server; `log` is the function's; the timer and the freeze are divided by `scale`."""
        self.situation = situation
        self._server = server
        self._user = user
        self._log = log
        self._frozen_seconds = situation.frozen_seconds / scale
        self._timer_seconds = QUIT_SECONDS / scale
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Start the process, and return at once."""
        with self._stack:
            self._network = None
            self._port = self._server.port
            if self.situation.round_trip_seconds:
                network = Network((self._server.host, self._port), round_trip_seconds=self.situation.round_trip_seconds)
                self._network = self._stack.enter_context(network)
                self._port = network.port
            variables = {
                "DATABASE_HOST": self._server.host,
                "DATABASE_PORT": str(self._port),
                "DATABASE_USER": self._user,
                "DATABASE_PASSWORD": self._server.create_user(self._user),
            }
            if self._timer_seconds != QUIT_SECONDS:
                variables["QUIT_TIMEOUT"] = str(round(self._timer_seconds * 1000))
            self._environment = self._stack.enter_context(
                NodeEnvironment(
                    handler=f"{self.situation.handler}.handler",
                    environment=variables,
                    timeout_seconds=TIMEOUT_SECONDS,
                    log=self._log,
                )
            )
            self._environment.start()
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Kill the process and end its network."""
        self._stack.close()

    def wait_until_ready(self) -> None:
        """Wait until the process asks for its first event.

        Raises:
            lab.incident_environment.NotStarted: it ended or hung instead.
        """
        self._environment.wait_until_ready()

    def freeze(self) -> None:
        """Run until the process was frozen before the server's answer to COM_QUIT came; with no distance, after.

        It is a race: a cold process or a busy machine is slow, and lets the answer win. (Even an answer that came too
        late may win: a process that was frozen on its way to the event loop's wait looks at sockets first.) Some
        handlers leave nothing to answer; then it is frozen after some runs.

        Raises:
            NotReproduced: a run failed, or the moment was never right.
        """
        left_something = False
        for tried in range(1, TRIES + 1):
            invocation = self._environment.invoke({})
            if invocation.error:
                said = "\n".join(invocation.log_lines)
                raise NotReproduced(f"{self.situation.pattern}: a run failed too early: {_error(invocation)}\n{said}")
            self._note()
            left_something = left_something or self._socket_left
            if self._occurred() or (tried == TRIES_IN_VAIN and self._network and not left_something):
                return
        raise NotReproduced(f"{self.situation.pattern}: never frozen at the right moment. Is this machine busy?")

    def _note(self) -> None:
        self._socket_left = self._environment.holds_connection_to(self._port)
        self._teardown = self._network.teardowns[-1] if self._network else Teardown()
        self._began, self._frozen = (moment.at for moment in self._environment.moments[-2:])

    def _occurred(self) -> bool:
        if self._network is None:
            return not self._socket_left
        # An answer that was there before the freeze wakes the process up: it handles that first, whenever it goes on.
        answered = self._teardown.server_fin_delivered
        return self._socket_left and (answered is None or answered > self._frozen)

    def thaw(self) -> Outcome:
        """Wait until it was frozen for long enough, run it twice more, and return what was observed.

        Raises:
            NotReproduced: this machine is so busy that it overslept.
        """
        time.sleep(max(0, self._frozen + self._frozen_seconds - time.monotonic()))
        held, still_running = self._server.open_connections(self._user), self._server.running_statements(self._user)
        moments = len(self._environment.moments)
        invocation = self._environment.invoke({})
        thawed = self._environment.moments[moments].at
        frozen_seconds = thawed - self._frozen
        if (frozen_seconds < self._timer_seconds) != (self._frozen_seconds < self._timer_seconds):
            raise NotReproduced(f"{self.situation.pattern}: frozen for {frozen_seconds:.1f} s. Is this machine busy?")
        error = _error(invocation)
        return Outcome(
            socket_left=self._socket_left,
            held=held,
            still_running=still_running,
            error=error,
            stack=tuple(re.sub(r"/\S*(?=node_modules/)", "", line) for line in _uncaught(invocation).get("stack", ())),
            # Time, request, level and message are separated by tabs.
            logged=() if error else tuple(line.rpartition("\t")[2] for line in invocation.log_lines),
            blocked_seconds=invocation.duration_seconds,
            error_after=_error(self._environment.invoke({})),
            began=self._began,
            teardown=self._teardown,
            frozen=self._frozen,
            thawed=thawed,
            ended=thawed + invocation.duration_seconds,
        )


def _error(invocation: Invocation) -> str:
    if invocation.error is None:
        return ""
    if uncaught := _uncaught(invocation):
        return f"Uncaught Exception: {uncaught['errorMessage']} ({uncaught['code']})"
    return str(invocation.error["errorMessage"])


def _uncaught(invocation: Invocation) -> Mapping[str, Any]:
    """Return the error that ended the process, as the runtime logged it; empty if there is none."""
    # Not what it posts: that is for the run before, and Lambda refuses it.
    for line in invocation.log_lines:
        if found := re.search(r"\tUncaught Exception \t(\{.*\})$", line):
            document: Mapping[str, Any] = json.loads(found[1])
            return document
    return {}
