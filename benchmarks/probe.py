"""Writers that work on a table while its rows are deleted, and what they wait; and how long its locks are held.

`python -m benchmarks.probe SETTINGS` in a process of its own, so that it takes no time of who deletes. It begins at
once, and prints what it has seen, as JSON, when its standard input ends.
"""

from __future__ import annotations

import itertools
import json
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.conversation import conversation
from benchmarks.target import Target

STEP = 331
"""Every so many rows one is watched: three in a batch of 1,000."""


@dataclass(frozen=True, kw_only=True)
class Writes:
    """What the writers write."""

    table: str
    concerned: str
    """Changes the row of the id %s, which the work at hand is about."""
    vanishing: bool
    """Whether that row is deleted: then it is written to until it is gone."""
    neighbour: str
    """Changes a row that the work at hand is not about."""
    insert: str
    """Adds such a row."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What was seen, in seconds: the longest, unless it says otherwise."""

    concerned: float
    """The wait of a writer for a row that is just being deleted."""
    concerned_median: float
    neighbour: float
    """The wait of a writer for the first row that is not deleted."""
    insert: float
    """The wait of a writer that adds a row."""
    row_locks: float
    """How long a transaction was seen in performance_schema.data_locks with locks of rows of the table."""
    metadata_lock: float
    """How long a metadata lock of the table was seen in performance_schema.metadata_locks."""


@contextmanager
def probing(target: Target, writes: Writes, *, sample_rows: bool) -> Iterator[Callable[[], Seen]]:
    """Within, the writers are at work; what they saw is returned by what is yielded.

    `sample_rows`: whether to look at data_locks, which takes long where a transaction locks a million rows.
    """
    settings = {
        "target": {**asdict(target), "certificates": str(target.certificates)},
        "writes": asdict(writes),
        "sample_rows": sample_rows,
    }
    with conversation("benchmarks.probe", json.dumps(settings)) as (ask, said):
        said.readline()

        def end() -> Seen:
            ask.close()
            return Seen(**json.loads(said.read()))

        yield end


class _Writer:
    """A connection, and what its statements have waited."""

    def __init__(self, target: Target) -> None:
        self.waits = [0.0]
        self.connection = target.connect()
        self.cursor = self.connection.cursor()

    def execute(self, statement: str, *values: object) -> int:
        started = time.monotonic()
        rows = self.cursor.execute(statement, values or None)
        self.waits.append(time.monotonic() - started)
        return int(rows)


class _Probe:
    """All writers of one process."""

    def __init__(self, target: Target, writes: Writes, *, sample_rows: bool) -> None:
        self._writes = writes
        self._ended = threading.Event()
        self.concerned, self.neighbour, self.insert = (_Writer(target) for _ in range(3))
        self.samplers = [_Sampler(_Writer(target), METADATA_LOCKS, writes.table)]
        if sample_rows:
            self.samplers.append(_Sampler(_Writer(target), ROW_LOCKS, writes.table))
        works = [self._concerned, self._neighbour, self._insert, *(self._sampling(each) for each in self.samplers)]
        self._threads = [threading.Thread(target=work) for work in works]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _concerned(self) -> None:
        if not self._writes.vanishing:
            for number in itertools.count():
                if self._ended.wait(0.001):
                    return
                self.concerned.execute(self._writes.concerned, 1 + number * STEP)
        # A row is written to until it is gone: the last statement waits for as long as its lock is held.
        watched, there, waits = 1, False, [0.0]
        while not self._ended.is_set():
            if self.concerned.execute(self._writes.concerned, watched):
                there = True
                continue
            if there:
                waits.append(self.concerned.waits[-1])
            watched, there = watched + STEP, False
        self.concerned.waits = waits

    def _neighbour(self) -> None:
        while not self._ended.wait(0.001):
            self.neighbour.execute(self._writes.neighbour)

    def _insert(self) -> None:
        while not self._ended.wait(0.001):
            self.insert.execute(self._writes.insert)

    def _sampling(self, sampler: _Sampler) -> Callable[[], None]:
        def sample() -> None:
            while not self._ended.wait(0.002):
                sampler.sample()

        return sample


METADATA_LOCKS = (
    "SELECT CONCAT(owner_thread_id, '/', owner_event_id) FROM performance_schema.metadata_locks"
    " JOIN performance_schema.threads ON thread_id = owner_thread_id"
    " WHERE object_schema = DATABASE() AND object_name = %s AND lock_status = 'GRANTED'"
    " AND processlist_user <> SUBSTRING_INDEX(USER(), '@', 1)"
)
ROW_LOCKS = (
    "SELECT DISTINCT engine_transaction_id FROM performance_schema.data_locks"
    " JOIN performance_schema.threads USING (thread_id)"
    " WHERE object_schema = DATABASE() AND object_name = %s AND lock_type = 'RECORD'"
    " AND lock_status = 'GRANTED' AND processlist_user <> SUBSTRING_INDEX(USER(), '@', 1)"
)
"""Of others than those who probe, who have a user of their own."""


class _Sampler:
    """For how long the same locks are there, time and again."""

    def __init__(self, writer: _Writer, query: str, table: str) -> None:
        self.longest = 0.0
        self._table = table
        self._writer = writer
        self._query = query
        self._since: dict[object, float] = {}

    def sample(self) -> None:
        now = time.monotonic()
        self._writer.cursor.execute(self._query, (self._table,))
        there = {row[0] for row in self._writer.cursor.fetchall()}
        self._since = {each: self._since.get(each, now) for each in there}
        self.longest = max([self.longest, *(now - since for since in self._since.values())])


def main() -> None:
    """Probe until the standard input ends."""
    settings = json.loads(sys.argv[1])
    target = settings["target"]
    target["certificates"] = Path(target["certificates"])
    probe = _Probe(Target(**target), Writes(**settings["writes"]), sample_rows=settings["sample_rows"])
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    sys.stdin.read()
    probe.end()
    seen = Seen(
        concerned=max(probe.concerned.waits),
        concerned_median=statistics.median(probe.concerned.waits),
        neighbour=max(probe.neighbour.waits),
        insert=max(probe.insert.waits),
        metadata_lock=probe.samplers[0].longest,
        row_locks=probe.samplers[-1].longest if settings["sample_rows"] else 0.0,
    )
    sys.stdout.write(json.dumps(asdict(seen)))


if __name__ == "__main__":
    main()
