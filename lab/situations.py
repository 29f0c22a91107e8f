"""What can happen to a function between two runs: each situation is caused for all patterns at the same time."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from lab.bench import Bench, Function, NotReproduced, Pattern, each
from lab.fault_proxy import FaultProxy
from lab.network import forget, swallow
from lab.observation import Observation
from local.execution_environment import Invocation

LATER_RUNS = 3


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How long things take."""

    function_seconds: float
    """The function's timeout."""
    idle_seconds: int
    """The server's wait_timeout, where it ends idle sessions."""
    freeze_seconds: float
    """Longer than that."""
    errors: int
    """In a row."""
    between_runs_seconds: float
    """Where connections are counted over time."""


FULL = Pace(function_seconds=6, idle_seconds=30, freeze_seconds=35, errors=60, between_runs_seconds=2)
FAST = Pace(function_seconds=4, idle_seconds=2, freeze_seconds=4, errors=12, between_runs_seconds=0.3)

REAPED = "frozen for longer than the server's wait_timeout"
RESTARTED = "server restarts during the freeze"
FAILED = "the handler raises, several times in a row"
TIMED_OUT = "function times out in the middle of a query"
FORGOTTEN = "network forgets the connection during the freeze"
SWALLOWED = "network swallows everything during the next run"

Situation = Callable[[Bench, Sequence[Pattern], Pace], list[Observation]]


def reaped(bench: Bench, patterns: Sequence[Pattern], pace: Pace) -> list[Observation]:
    """Freeze for longer than the server's `wait_timeout`, after which it ends idle sessions."""
    bench.execute("SET GLOBAL wait_timeout = %s", (pace.idle_seconds,))
    try:
        with _functions(bench, patterns) as functions:
            return _observe(bench, functions, REAPED, trouble=lambda: time.sleep(pace.freeze_seconds))
    finally:
        bench.execute("SET GLOBAL wait_timeout = DEFAULT")


def restarted(bench: Bench, patterns: Sequence[Pattern], _pace: Pace) -> list[Observation]:
    """Restart the server, as for maintenance or a failover; nobody else may use it meanwhile."""

    def restart() -> None:
        bench.server = bench.server.restart()

    with _functions(bench, patterns) as functions:
        return _observe(bench, functions, RESTARTED, trouble=restart)


def failed(bench: Bench, patterns: Sequence[Pattern], pace: Pace) -> list[Observation]:
    """Raise in the handler, run after run, as for a row that is missing or an answer that is not JSON."""

    def fail(function: Function) -> None:
        for _ in range(pace.errors):
            if function.invoke("fail").error is None:
                raise NotReproduced(f"{function.pattern.name}: the handler did not raise")

    with _functions(bench, patterns) as functions:
        return _observe(bench, functions, FAILED, before_freeze=fail)


def timed_out(bench: Bench, patterns: Sequence[Pattern], _pace: Pace) -> list[Observation]:
    """Have Lambda kill the process at its timeout, in the middle of a query: nothing tells the server."""

    def take_too_long(function: Function) -> None:
        if function.invoke("slow").error is None:
            raise NotReproduced(f"{function.pattern.name}: the query was not slow")

    with _functions(bench, patterns) as functions:
        return _observe(bench, functions, TIMED_OUT, before_freeze=take_too_long)


def forgotten(bench: Bench, patterns: Sequence[Pattern], _pace: Pace) -> list[Observation]:
    """Drop the packets of existing connections, as a NAT, a firewall or a new host does that does not know them."""
    with _behind_proxies(bench, patterns) as (functions, proxies):
        return _observe(bench, functions, FORGOTTEN, trouble=lambda: forget(proxies))


def swallowed(bench: Bench, patterns: Sequence[Pattern], _pace: Pace) -> list[Observation]:
    """Drop all packets, also of new connections, until the next run is over."""
    with _behind_proxies(bench, patterns) as (functions, proxies):
        return _observe(
            bench,
            functions,
            SWALLOWED,
            trouble=lambda: swallow(proxies),
            calm=lambda: forget(proxies),
        )


TOGETHER: tuple[Situation, ...] = (failed, timed_out, forgotten, swallowed)
"""Those that can be caused at the same time on one server."""
ALONE: tuple[Situation, ...] = (reaped, restarted)
"""Those that change the server for all functions."""


def _observe(
    bench: Bench,
    functions: Sequence[Function],
    situation: str,
    *,
    before_freeze: Callable[[Function], None] = lambda _function: None,
    trouble: Callable[[], None] = lambda: None,
    calm: Callable[[], None] = lambda: None,
) -> list[Observation]:
    """Run each function, cause the trouble while all are frozen, and run each again."""

    def begin(function: Function) -> tuple[int, int]:
        seen, run = _run(bench, function)
        if seen != "ok":
            said = "\n".join(run.log_lines)
            raise NotReproduced(f"{function.pattern.name}: its first run was not good: {seen}\n{said}")
        before_freeze(function)
        return bench.left(function.user)

    left = each(begin, functions)
    trouble()
    next_runs = each(lambda function: _run(bench, function), functions)
    calm()
    later_runs = each(lambda function: _run_later(bench, function), functions)
    return [
        Observation(
            language="Python",
            pattern=function.pattern.name,
            situation=situation,
            next_run=seen,
            seconds_blocked=round(run.duration_seconds, 2),
            held=held,
            still_running=still_running,
            repeats=repeats,
        )
        for function, (held, still_running), (seen, run), repeats in zip(
            functions, left, next_runs, later_runs, strict=True
        )
    ]


def _run_later(bench: Bench, function: Function) -> str:
    """Return what the runs after the next one see."""
    seen = [_run(bench, function)[0] for _ in range(LATER_RUNS)]
    errors = [each for each in seen if each != "ok"]
    if len(errors) == LATER_RUNS and len(set(errors)) == 1:
        return f"{errors[0]} on every later run"
    return "; ".join(errors)


def _run(bench: Bench, function: Function) -> tuple[str, Invocation]:
    """Run the function, and return what the user sees: ok if it has done its work and nothing else."""
    before = bench.visits(function.user)
    run = function.invoke()
    visits = bench.visits(function.user) - before
    seen = _error(run) or "ok"
    if seen == "ok" and visits == 0:
        seen = "ok, but its work is not done"
    if visits > 1:
        seen = f"{seen}, and commits what the failed runs had begun"
    return seen, run


def _error(run: Invocation) -> str:
    """Return what Lambda shows of a run: the error's name and its message's first line; empty if there is none."""
    if run.error is None:
        return ""
    kind = str(run.error["errorType"])
    message = str(run.error["errorMessage"]).partition("\n")[0]
    if kind in ("Sandbox.Timedout", "Runtime.ExitError"):
        return re.sub(r"^RequestId: \S+ Error: ", "", message)
    return f"{kind}: {message}"


@contextmanager
def _functions(bench: Bench, patterns: Sequence[Pattern]) -> Iterator[list[Function]]:
    with ExitStack() as stack:
        yield [stack.enter_context(bench.function(pattern)) for pattern in patterns]


@contextmanager
def _behind_proxies(bench: Bench, patterns: Sequence[Pattern]) -> Iterator[tuple[list[Function], list[FaultProxy]]]:
    """Make functions that each have a network of their own."""
    with ExitStack() as stack:
        proxies = [stack.enter_context(FaultProxy(bench.server)) for _ in patterns]
        yield (
            [
                stack.enter_context(bench.function(pattern, port=proxy.port))
                for pattern, proxy in zip(patterns, proxies, strict=True)
            ],
            proxies,
        )
