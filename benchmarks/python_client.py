"""The other clients for Python, each in a process of its own, as in a function: none leaves anything to another."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from benchmarks import clients
from benchmarks.conversation import conversation
from benchmarks.raw_client import raw
from benchmarks.target import Target

CLIENTS: Mapping[str, clients.Client] = {
    "PyMySQL, cached context": clients.pymysql_cached,
    "PyMySQL, default": clients.pymysql_default,
    "mysql-connector-python": clients.connector,
    "raw sockets": raw,
}


@contextmanager
def python_client(client: str, target: Target, job: str) -> Iterator[Callable[[], float]]:
    """Within, `client`, one of `CLIENTS`, does a run for each call, which returns its seconds.

    Raises:
        ValueError: from the call: the process has ended; what it said is on the standard error.
    """
    settings = {**asdict(target), "certificates": str(target.certificates)}
    arguments = (client, job, json.dumps(settings), json.dumps(sys.path))
    with conversation("benchmarks.python_client", *arguments) as (ask, said):

        def run() -> float:
            ask.write("\n")
            return float(said.readline())

        yield run


def main() -> None:
    """Do a run for each line of the standard input; print its seconds."""
    client, job, settings, path = sys.argv[1:]
    sys.path[:] = json.loads(path)
    known = json.loads(settings)
    target = Target(**{**known, "certificates": Path(known["certificates"])})
    for _ in sys.stdin:
        started = time.perf_counter()
        CLIENTS[client](target, job)
        sys.stdout.write(f"{time.perf_counter() - started}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
