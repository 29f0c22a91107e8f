"""The other clients for Node.js: a process that does a run for each line that it reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from benchmarks.conversation import conversation
from benchmarks.ledger_work import INSERT, READ
from benchmarks.target import Target
from lab.node_installations import OWN

PROGRAM = Path(__file__).with_name("clients.mjs")


@contextmanager
def node_client(client: str, target: Target, job: str) -> Iterator[Callable[[], float]]:
    """Within, `client` (mysql2 or serverless-mysql) does a run for each call, which returns its seconds.

    Raises:
        ValueError: from the call: Node.js has ended; what it said is on the standard error.
    """
    settings = {
        **asdict(target),
        "certificates": str(target.certificates),
        "client": client,
        "job": job,
        "read": READ.format(job=job),
        "insert": INSERT.replace("{job}", job),
    }
    with conversation(str(PROGRAM), json.dumps(settings), command=(OWN, PROGRAM)) as (ask, said):

        def run() -> float:
            ask.write("\n")
            return float(said.readline()) / 1000

        yield run
