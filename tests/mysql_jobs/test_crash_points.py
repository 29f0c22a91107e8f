"""Whatever a run is doing when it is killed or cut off, its work is done exactly once in the end.

A run is a sequence of requests to the server and of its answers. It is struck at each of these places in turn: just
before the server gets the request, and just before the function gets the answer.
"""

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import chain, pairwise
from typing import Any, Literal, Self

import pytest

from lab.fault_bench import FIRST_TIME, INTERVAL, SCHEMA, SETTLE_SECONDS, Bench, Function, log_line, outcome
from lab.fault_proxy import Action, FaultProxy
from local.emulator import Emulator
from local.mysql_server import MySQLServer
from tests.benches import new_bench

BEFORE, STRUCK, AFTER = (FIRST_TIME + number * INTERVAL for number in range(3))
MAX_WINDOW = timedelta(days=1)
WORKERS = 4
"""Most of a run is waiting, most of a cold start is not."""

Strike = Callable[[Function], Action]
Event = dict[str, Any]


@dataclass(frozen=True)
class Aftermath:
    """What there is when all is over."""

    struck_at: str
    outcomes: set[str]
    """Of the runs after it."""
    left: list[str]
    """On the server, of any run."""
    work: list[tuple[Any, ...]]
    """Window and number of each batch."""
    windows: list[tuple[Any, ...]]
    """Those that the ledger says are done."""

    def exactly_once(self, batches: int) -> bool:
        """Whether each window begins where the last one ended, and each batch of it was done once, and no other."""
        ends = [_naive(BEFORE - MAX_WINDOW), *(end for _start, end in self.windows)]
        return (
            self.outcomes <= {"done", "duplicate"}
            and not self.left
            and self.windows == [*pairwise(ends)]
            and ends[-1] == _naive(AFTER)
            and self.work == [(*window, batch) for window in self.windows for batch in range(1, batches + 1)]
        )


@dataclass(frozen=True)
class Case:
    """Which run is struck, and what comes after it."""

    batches: int
    struck: Literal["run", "run of a chain", "continuation"]
    given_up: bool
    """Lambda has tried again for too long: a scheduled time takes over. Else it tries again."""
    fewest_places: int

    @property
    def chain(self) -> bool:
        return self.struck != "run"

    def __str__(self) -> str:
        return f"{self.struck}, {'given up' if self.given_up else 'retried'}"


CASES = [
    Case(1, "run", given_up=False, fewest_places=20),
    Case(3, "run of a chain", given_up=False, fewest_places=20),
    Case(3, "run of a chain", given_up=True, fewest_places=20),
    Case(3, "continuation", given_up=False, fewest_places=28),
    Case(3, "continuation", given_up=True, fewest_places=28),
]


class Observer:
    """Writes down the places that a run comes to; calls `strike` at one of them."""

    def __init__(self, number: int | None = None, strike: Callable[[], Action] | None = None) -> None:
        self.places: list[str] = []
        self._number = number
        self._strike = strike

    def __call__(self, place: str) -> Action | None:
        self.places.append(f"{len(self.places)}, {place}")
        here = len(self.places) - 1 == self._number
        return self._strike() if here and self._strike else None


def killed(function: Function) -> Action:
    """The process ends; the kernel closes its connections."""
    assert function.client.pid
    os.kill(function.client.pid, signal.SIGKILL)
    return "close"


def cut(_function: Function) -> Action:
    """The connection ends; the process lives on."""
    return "reset"


class Sequence:
    """Runs of a job of its own, through a proxy of its own, one after the other."""

    def __init__(self, bench: Bench, proxy: FaultProxy, function: Function) -> None:
        self._bench = bench
        self._proxy = proxy
        self._function = function
        self._left: list[str] = []

    @classmethod
    @contextmanager
    def of(cls, bench: Bench, case: Case) -> Iterator[Self]:
        """A function whose job has so many batches."""
        with FaultProxy(bench.server) as proxy:
            variables = {"BATCHES": str(case.batches), "CUT_SHORT": f"{STRUCK}" if case.chain else ""}
            with bench.function("", port=proxy.port, timeout_seconds=30, variables=variables) as function:
                yield cls(bench, proxy, function)

    def places(self, case: Case) -> list[str]:
        """All that a run comes to when nothing happens to it."""
        self._deliver(_event(BEFORE))  # a user's first login takes a round trip more
        return self._observed(self._first(case), Observer())[0].places

    def struck_at(self, number: int, strike: Strike, case: Case) -> Aftermath:
        """What becomes of a run that is struck at the place of this number, and of those after it."""
        self._left.clear()
        for table in ("work", "ledger"):
            self._rows(f"DELETE FROM {SCHEMA}.{table} WHERE job = %s")
        self._deliver(_event(BEFORE))
        event = self._first(case)
        observer, follows = self._observed(event, Observer(number, partial(strike, self._function)))
        # Where it was struck when all was done, it asks for another, which comes; and it is delivered once more.
        then = [_event(AFTER)] if case.given_up else [*([follows] if follows else []), event, _event(AFTER)]
        outcomes = {self._deliver(each) for each in then}
        done = f"{SCHEMA}.ledger WHERE job = %s AND outcome = 'done'"
        return Aftermath(
            struck_at=observer.places[number],
            outcomes=outcomes,
            left=[*self._left],
            work=self._rows(f"SELECT start, end, batch FROM {SCHEMA}.work WHERE job = %s ORDER BY id"),
            windows=self._rows(f"SELECT window_start, window_end FROM {done} ORDER BY sequence"),
        )

    def _first(self, case: Case) -> Event:
        """The event of the run that is to be struck."""
        if case.struck != "continuation":
            return _event(STRUCK)
        word, follows = self._invoke(_event(STRUCK))
        assert (word, follows is None) == ("partial", False)
        assert follows is not None
        return follows

    def _observed(self, event: Event, observer: Observer) -> tuple[Observer, Event | None]:
        self._proxy.observer = observer
        return observer, self._invoke(event)[1]

    def _deliver(self, event: Event) -> str:
        """Deliver as Lambda does, again twice at most after a failure; then what follows. Returns the last outcome."""
        for _ in range(3):
            word, follows = self._invoke(event)
            if follows is not None:
                return self._deliver(follows)
            if word in ("done", "duplicate"):
                break
        return word

    def _invoke(self, event: Event) -> tuple[str, Event | None]:
        """Return the outcome, and what is to follow, once the session is gone: until then it has the job's lock."""
        run = self._function.client.invoke(event)
        word = outcome(run)
        left = self._bench.settled(self._function.user, SETTLE_SECONDS)
        if left != (0, 0):
            self._left.append(f"by the run that was {word}: {left} sessions and transactions")
        return word, log_line(run).get("next")

    def _rows(self, statement: str) -> list[tuple[Any, ...]]:
        return self._bench.execute(statement, (self._function.user,))


@pytest.fixture(scope="module")
def bench(server: MySQLServer, emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    bench = new_bench(server, emulator, tmp_path_factory, "batches")
    columns = "id INT AUTO_INCREMENT PRIMARY KEY, job VARCHAR(31), start DATETIME(6), end DATETIME(6), batch INT"
    bench.execute(f"CREATE TABLE {SCHEMA}.work ({columns})")
    yield bench
    bench.close()


@pytest.mark.parametrize("strike", [killed, cut])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_wherever_a_run_is_struck_its_work_is_done_exactly_once(case: Case, strike: Strike, bench: Bench) -> None:
    with Sequence.of(bench, case) as sequence:
        places = sequence.places(case)
    assert len(places) >= case.fewest_places, places  # else the sweep would show nothing

    def sweep(share: int) -> list[Aftermath]:
        with Sequence.of(bench, case) as sequence:
            return [sequence.struck_at(number, strike, case) for number in range(share, len(places), WORKERS)]

    with ThreadPoolExecutor(WORKERS) as pool:
        aftermaths = [*chain.from_iterable(pool.map(sweep, range(WORKERS)))]
    assert {aftermath.struck_at for aftermath in aftermaths} == set(places)
    wrong = {aftermath.struck_at: aftermath for aftermath in aftermaths if not aftermath.exactly_once(case.batches)}
    assert not wrong, "\n".join(["Struck at", *wrong, "The first of them:", str(next(iter(wrong.values())))])


def _event(time: datetime) -> Event:
    return {"scheduled_time": time.isoformat(), "execution_id": f"for {time}"}


def _naive(time: datetime) -> datetime:
    return time.replace(tzinfo=None)
