"""Torture: runs that are cut after every byte, frozen and killed at random; each is done exactly once in the end.

In `make test` a small part of it, in `make torture` all of it.
"""

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from lab.byte_proxy import ByteProxy, Direction
from lab.fault_bench import SCHEMA, Bench, Function, log_line, outcome

pytestmark = pytest.mark.integration

FULL = "TORTURE" in os.environ
STEP = 1 if FULL else 211
"""How many bytes further each cut is."""
STRIKES = 1000 if FULL else 40
HANG_SECONDS = 60
SEED = int(os.environ.get("TORTURE") or 13)

Count = Callable[[str, int], None]


@pytest.mark.parametrize("direction", ["to the server", "to the client"])
def test_a_run_that_is_cut_after_any_byte_is_done_exactly_once(
    direction: Direction, bench: Bench, count_torture: Count
) -> None:
    with ByteProxy(bench.server) as proxy, bench.function("", port=proxy.port, timeout_seconds=20) as function:
        function.storm.unlink()  # a job that works
        work = Work(bench, function)
        for _ in range(2):  # a user's first login takes a round trip more
            work.once()
        length = proxy.passed[direction]
        for after in range(0, length, STEP):
            proxy.cut_next(direction, after)
            work.once(f"cut after byte {after} of {length} {direction}")
    count_torture(f"cut after a byte {direction}", len(range(0, length, STEP)))


def test_a_run_that_is_frozen_or_killed_at_any_moment_is_done_exactly_once(bench: Bench, count_torture: Count) -> None:
    chance = random.Random(SEED)  # noqa: S311 (to be repeated, not to be secret)
    with bench.function("", timeout_seconds=20) as function:
        function.storm.unlink()
        work = Work(bench, function)
        work.once()
        for number in range(STRIKES):
            seconds, frozen = chance.uniform(0, 0.05), chance.choice([0, chance.uniform(0, 0.1)])
            striking = threading.Thread(target=_strike, args=(function.client.pid, seconds, frozen))
            striking.start()
            work.once(f"killed after {seconds:.4f} s, having been frozen for {frozen:.4f} s: {number} of seed {SEED}")
            striking.join(HANG_SECONDS)
    count_torture("frozen or killed at a random moment", STRIKES)


class Work:
    """Runs of one function, each of which is to be done once, whatever happens to it."""

    def __init__(self, bench: Bench, function: Function) -> None:
        self._bench = bench
        self._function = function
        self._done = self._worked = self._rows("target")

    def once(self, what: str = "nothing") -> None:
        """Deliver the next event, during which `what` happens, and again as Lambda would until it succeeds."""
        event = {"scheduled_time": next(self._function._times).isoformat(), "execution_id": "torture"}
        outcomes: list[str] = []
        end = time.monotonic() + HANG_SECONDS
        while not outcomes or outcomes[-1] not in ("done", "duplicate"):
            assert time.monotonic() < end, (what, outcomes)
            run = self._function.client.invoke(event)
            assert log_line(run).get("leaked", []) == [], what
            outcomes.append(outcome(run))
        self._done += 1
        assert self._rows("target") == self._done, (what, outcomes)
        assert self._recorded(datetime.fromisoformat(event["scheduled_time"])) == ["done"], (what, outcomes)

    def _rows(self, table: str) -> int:
        [(rows,)] = self._bench.execute(f"SELECT COUNT(*) FROM {SCHEMA}.{table}")
        return int(rows)

    def _recorded(self, scheduled_time: datetime) -> list[Any]:
        query = f"SELECT outcome FROM {SCHEMA}.ledger WHERE job = %s AND scheduled_time = %s"
        return [
            row[0] for row in self._bench.execute(query, (self._function.user, scheduled_time.replace(tzinfo=None)))
        ]


def _strike(pid: int | None, seconds: float, frozen: float) -> None:
    if pid is None:
        return  # the last strike killed it, and nothing runs yet
    process = os.pidfd_open(pid)  # unlike its id, this never becomes another's
    try:
        time.sleep(seconds)
        signal.pidfd_send_signal(process, signal.SIGSTOP)
        time.sleep(frozen)
        signal.pidfd_send_signal(process, signal.SIGKILL)
    except ProcessLookupError:
        pass  # the last strike came after its run, and this run's event found it dead
    finally:
        os.close(process)
