"""A Lambda execution environment of Node.js on this machine: Lambda's own runtime client, frozen between the runs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lab import node_installations
from local import processes
from local.execution_environment import INIT_SECONDS, ExecutionEnvironment, _Process

CODE = Path(__file__).parent / "node"


@dataclass(frozen=True)
class Moment:
    """When the process was frozen or thawed."""

    what: Literal["freeze", "thaw"]
    at: float
    """As time.monotonic() counts."""


class NotStarted(Exception):
    """The runtime client ended or hung before it asked for its first event; the message ends with its output."""


class NodeEnvironment(ExecutionEnvironment):
    """One environment of a function in lab/node: one process, one event at a time. Close it, or use `with`."""

    def __init__(
        self,
        *,
        handler: str,
        environment: Mapping[str, str],
        timeout_seconds: float,
        log: Path,
        node: Path = node_installations.OWN,
    ) -> None:
        """Prepare the environment; nothing runs before the first invocation. `log` is appended to; `node` runs it."""
        self.moments: list[Moment] = []
        self._node = node
        super().__init__(
            code=CODE,
            handler=handler,
            environment={
                "AWS_EXECUTION_ENV": "AWS_Lambda_nodejs24.x",
                "AWS_LAMBDA_LOG_FORMAT": "Text",  # Lambda's default, which the incident's log lines have
                **environment,
            },
            function_name=handler.partition(".")[0],
            timeout_seconds=timeout_seconds,
            log=log,
        )

    def start(self) -> None:
        """Start the process, and return at once: the first invocation may follow when `wait_until_ready` has returned.

        Lambda does so too, where concurrency is provisioned.
        """
        self._process = self._start()

    def wait_until_ready(self) -> None:
        """Wait until the started process has loaded its handler, and freeze it.

        Raises:
            NotStarted: it did not in 10 seconds, or ended; the message ends with its output.
        """
        if self._process is None or self._process.wait(INIT_SECONDS).end != "next":
            raise NotStarted(f"{self._handler} did not start:\n{processes.end_of(self._log.read_text())}")

    def holds_connection_to(self, port: int) -> bool:
        """Whether the process has a TCP socket, in whatever state, whose other end is this port of 127.0.0.1."""
        remote = f"0100007F:{port:04X}"
        return self.pid is not None and any(each.remote == remote for each in processes.tcp_sockets(self.pid))

    def _start(self) -> _NodeProcess:
        return _NodeProcess(
            node=self._node,
            handler=self._handler,
            environment=self._variables(),
            log=self._log,
            moments=self.moments,
        )


class _NodeProcess(_Process):
    """Lambda's runtime client for Node.js in place of the one for Python; notes when it is frozen and thawed."""

    def __init__(
        self, *, node: Path, handler: str, environment: Mapping[str, str], log: Path, moments: list[Moment]
    ) -> None:
        self._moments = moments
        super().__init__(command=[node, CODE / "runtime.mjs", handler], code=CODE, environment=environment, log=log)

    def deliver(self, headers: Mapping[str, str], body: str) -> None:
        self._moments.append(Moment("thaw", time.monotonic()))
        super().deliver(headers, body)

    def _freeze(self) -> None:
        super()._freeze()
        self._moments.append(Moment("freeze", time.monotonic()))
