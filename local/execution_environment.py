"""A Lambda execution environment on this machine: the official runtime client, frozen between invocations.

Lambda stops all processes of an environment the moment the runtime asks for the next event, and lets them go on just
before it delivers one. Here SIGSTOP and SIGCONT do the same to `python -m awslambdaric`, which asks a small server of
the Lambda Runtime API for its events.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from local import guardian
from local.runtime_api import RuntimeApi

INIT_SECONDS = 10.0
"""What Lambda gives a cold start on top of the function's timeout."""


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """One event, and how the function answered it."""

    request_id: str
    cold: bool
    """The process was started for this invocation."""
    result: object | None
    """What the handler returned, as JSON; None also if it failed."""
    error: Mapping[str, Any] | None
    """Lambda's error document (errorType, errorMessage, and stackTrace if the runtime wrote it); None on success.

    The handler's own exception, or an error while its module was loaded, or Sandbox.Timedout, or Runtime.ExitError.
    """
    log_lines: tuple[str, ...]
    """What the function logged and printed during this invocation, its cold start included."""
    duration_seconds: float
    """From the delivery until the process was frozen again or gone; 0 if it never came to a delivery."""
    refused: tuple[str, ...] = ()
    """Answers that Lambda does not accept, as they are for another request or a second one: like ID/error."""


class ExecutionEnvironment:
    """One environment of a function: one process, one event at a time, as in Lambda. Close it, or use `with`."""

    def __init__(
        self,
        *,
        code: Path,
        handler: str,
        environment: Mapping[str, str],
        function_name: str,
        timeout_seconds: float,
        log: Path,
    ) -> None:
        """Prepare the environment; nothing runs before the first invocation.

        `code` is the folder that would be the zip, `environment` the function's variables: the process gets these
        and what Lambda itself sets, and nothing of the caller's. `log` is appended to.

        Raises:
            FileNotFoundError: there is no such folder.
        """
        self._code = code.resolve(strict=True)
        self._handler = handler
        self._environment = dict(environment)
        self._function_name = function_name
        self._timeout_seconds = timeout_seconds
        self._log = log
        self._process: _Process | None = None

    def variable(self, name: str) -> str:
        """Return one of the function's own environment variables."""
        return self._environment[name]

    @property
    def pid(self) -> int | None:
        """The process; None before the first invocation and after one that it did not survive."""
        return self._process.pid if self._process else None

    @property
    def frozen(self) -> bool:
        """Whether there is a process and the kernel has stopped it."""
        return self._process is not None and self._process.stopped()

    def invoke(self, event: object) -> Invocation:
        """Start or thaw the process, deliver `event`, wait for the outcome, and freeze the process again.

        A process that has not asked for the next event within `timeout_seconds` is killed. After that, after a crash
        and after a failed cold start the next invocation is cold.

        Raises:
            TypeError: the event is not JSON.
            ValueError: the handler's answer is not JSON.
            OSError: the log cannot be written.
        """
        request_id = str(uuid.uuid4())
        body = json.dumps(event)
        with self._log.open("ab") as log:
            log_start = log.tell()
        cold = self._process is None
        process = self._process = self._process or self._start()
        outcome = process.wait(INIT_SECONDS + self._timeout_seconds) if cold else _Outcome(end="next")
        duration = 0.0
        if outcome.end == "next":
            started = time.monotonic()
            process.deliver(self._headers(request_id), body)
            outcome = process.wait(self._timeout_seconds)
            duration = time.monotonic() - started
        if outcome.end != "next":
            self.close()
        error = self._error(request_id, outcome)
        return Invocation(
            request_id=request_id,
            cold=cold,
            result=None if error else json.loads(outcome.response),
            error=error,
            log_lines=self._log_lines(log_start),
            duration_seconds=duration,
            refused=tuple(outcome.refused),
        )

    def close(self) -> None:
        """Kill and reap the process and stop its server. Closing twice is fine; another invocation would be cold."""
        process, self._process = self._process, None
        if process:
            process.kill()

    def __enter__(self) -> Self:
        """Nothing to do: the first invocation starts the process."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close."""
        self.close()

    def _start(self) -> _Process:
        # Started with -m, Python looks for modules in the working directory before all others.
        command = [sys.executable, "-m", "awslambdaric", self._handler]
        return _Process(command=command, code=self._code, environment=self._variables(), log=self._log)

    def _variables(self) -> dict[str, str]:
        return {
            "PATH": os.defpath,
            "HOME": tempfile.gettempdir(),
            "TMPDIR": tempfile.gettempdir(),
            **guardian.mark(),
            "TZ": ":UTC",
            # Lambda's file system is read-only; the code folder must stay as clean here.
            "PYTHONDONTWRITEBYTECODE": "1",
            "LAMBDA_TASK_ROOT": str(self._code),
            "_HANDLER": self._handler,
            # The runtime client adapts to the version it reads here: this Python's, not the deployed function's.
            "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_FUNCTION_NAME": self._function_name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_LAMBDA_LOG_FORMAT": "JSON",
            "AWS_LAMBDA_LOG_LEVEL": "INFO",
            **self._environment,
        }

    def _headers(self, request_id: str) -> dict[str, str]:
        now = time.time()
        region = self._environment.get("AWS_REGION", "us-east-1")
        function = f"arn:aws:lambda:{region}:000000000000:function:{self._function_name}"
        return {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": request_id,
            "Lambda-Runtime-Deadline-Ms": str(int((now + self._timeout_seconds) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": function,
            "Lambda-Runtime-Trace-Id": f"Root=1-{int(now):08x}-{uuid.uuid4().hex[:24]};Sampled=0",
        }

    def _error(self, request_id: str, outcome: _Outcome) -> Mapping[str, Any] | None:
        if outcome.error:
            document: Mapping[str, Any] = json.loads(outcome.error)
            return document
        match outcome.end:
            case "next":
                return None
            case "timeout":
                kind, reason = "Sandbox.Timedout", f"Task timed out after {self._timeout_seconds:.2f} seconds"
            case "exit":
                kind, reason = "Runtime.ExitError", f"Runtime exited {outcome.exit_reason}"
        return {"errorType": kind, "errorMessage": f"RequestId: {request_id} Error: {reason}"}

    def _log_lines(self, start: int) -> tuple[str, ...]:
        with self._log.open("rb") as log:
            log.seek(start)
            return tuple(line.decode(errors="replace") for line in log.read().splitlines())


@dataclass
class _Outcome:
    """What the process sent until it asked for the next event, exited or used up its time."""

    end: Literal["next", "exit", "timeout"] = "timeout"
    response: str = "null"
    error: str = ""
    exit_reason: str = ""
    refused: list[str] = field(default_factory=list)


class _Process:
    """The runtime client, the Runtime API it talks to, and its freezer."""

    def __init__(self, *, command: Sequence[str | Path], code: Path, environment: Mapping[str, str], log: Path) -> None:
        # A server for this process alone: what an earlier one asked or said cannot be taken for its own.
        self._api = RuntimeApi()
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                command,
                cwd=code,
                env={**environment, "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._api.server_port}"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # A group of its own keeps Ctrl-C away. Not a session of its own: if this Python is killed, POSIX
                # ends a stopped group that lost its parent in the session (SIGHUP, SIGCONT); nothing stays frozen.
                process_group=0,
            )
        self.pid = self._popen.pid
        self._threads = [
            threading.Thread(target=self._api.serve, name="runtime-api", daemon=True),
            threading.Thread(target=self._watch, name="exit-watch", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def deliver(self, headers: Mapping[str, str], body: str) -> None:
        """Thaw the process and answer its request for the next event."""
        os.killpg(self.pid, signal.SIGCONT)
        self._api.events.put((headers, body))

    def wait(self, seconds: float) -> _Outcome:
        """Follow the process until it asks for the next event, and freeze it then, or exits, or `seconds` are over."""
        deadline = time.monotonic() + seconds
        outcome = _Outcome()
        with suppress(queue.Empty):
            while outcome.end == "timeout":
                match self._api.received.get(timeout=max(0, deadline - time.monotonic())):
                    case "next", _:
                        self._freeze()
                        outcome.end = "next"
                    case "response", body:
                        outcome.response = body
                    case "error", body:
                        outcome.error = body
                    case "refused", what:
                        outcome.refused.append(what)
                    case "exit", reason:
                        outcome.end, outcome.exit_reason = "exit", reason
        return outcome

    def stopped(self) -> bool:
        """Whether the kernel has stopped the process."""
        state = os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT | os.WNOHANG)
        return state is not None and state.si_code == os.CLD_STOPPED

    def kill(self) -> None:
        """End the process, what it started in turn, and the server."""
        os.killpg(self.pid, signal.SIGKILL)
        self._api.stop()
        for thread in self._threads:
            thread.join()
        self._popen.wait()

    def _freeze(self) -> None:
        os.killpg(self.pid, signal.SIGSTOP)
        # The signal only begins it: the kernel reports the process when its last thread has stopped.
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def _watch(self) -> None:
        # Not reaped yet: its id must not become another's before `kill` has signalled the group.
        state = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        if state:
            self._api.received.put(("exit", _exit_reason(state)))


def _exit_reason(state: os.waitid_result) -> str:
    if state.si_code != os.CLD_EXITED:
        return f"with error: signal: {str(signal.strsignal(state.si_status)).lower()}"
    return f"with error: exit status {state.si_status}" if state.si_status else "without providing a reason"
