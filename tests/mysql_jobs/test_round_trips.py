"""What a run costs besides its work: six round trips to the server, however much is in the ledger."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from lab.fault_proxy import FaultProxy
from local.mysql_server import MySQLServer
from mysql_jobs.ledger import KEPT_RUNS
from mysql_jobs.run import Run
from tests.mysql_jobs.function import EIGHT, Function

pytestmark = pytest.mark.integration

Query = Callable[[str], list[tuple[Any, ...]]]
SECOND = timedelta(seconds=1)
RUN = [
    *("connect", "TLS", "authentication", "SET NAMES"),
    "SELECT GET_LOCK + SELECT own + SAVEPOINT mysql_jobs",
    "RELEASE SAVEPOINT + SET SESSION + INSERT INTO + COMMIT AND",
]
CHECKPOINT = {
    "first": "RELEASE SAVEPOINT + SET SESSION + INSERT INTO + COMMIT AND + SAVEPOINT mysql_jobs",
    "next": "RELEASE SAVEPOINT + SET SESSION + UPDATE schema + COMMIT AND + SAVEPOINT mysql_jobs",
    "done": "RELEASE SAVEPOINT + SET SESSION + UPDATE schema + COMMIT AND",
}
ONE_BY_ONE = [
    *("connect", "TLS", "authentication", "SET NAMES", "SET SESSION", "SELECT @@GLOBAL"),
    *("SELECT GET_LOCK", "SELECT own", "SAVEPOINT mysql_jobs"),
    *("RELEASE SAVEPOINT", "SET SESSION", "INSERT INTO", "COMMIT AND"),
]
"""Each as it is, and no COM_SET_OPTION: it would show among the requests."""


def _empty(_run: Run) -> None:
    pass


@pytest.fixture
def requests(function: Function, server: MySQLServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What the server is asked, and waited for, from now on: the first words of each statement."""
    function.do(_empty)
    function.deliver(EIGHT - SECOND)  # the first login of a user takes one more: the server remembers its password
    asked: list[str] = []

    def observe(place: str) -> None:
        step, _, name = place.partition(": ")
        if step == "request" and name != "quit":  # which nobody answers
            asked.append(" + ".join(_first_words(statement) for statement in name.split(" + ")))

    with FaultProxy(server) as proxy:
        proxy.observer = observe
        monkeypatch.setenv("DATABASE_PORT", str(proxy.port))
        yield asked


def test_an_empty_run_takes_six_round_trips_whatever_the_ledger_holds(
    function: Function, query: Query, requests: list[str]
) -> None:
    function.deliver(EIGHT)
    assert requests == RUN
    assert len(requests) == 6
    _fill(query, KEPT_RUNS)
    requests.clear()
    function.deliver(EIGHT + SECOND * KEPT_RUNS)
    assert requests == RUN


def test_a_run_that_prunes_the_ledger_takes_no_more(function: Function, query: Query, requests: list[str]) -> None:
    _fill(query, KEPT_RUNS + 99)
    function.deliver(EIGHT + SECOND * (KEPT_RUNS + 99))
    assert requests == [*RUN[:-1], RUN[-1].replace("COMMIT", "DELETE FROM + COMMIT")]
    assert query("SELECT COUNT(*), MIN(sequence), MAX(sequence) FROM ledger") == [(KEPT_RUNS, 101, KEPT_RUNS + 100)]


@pytest.mark.parametrize("checkpoints", [1, 2, 3])
def test_each_checkpoint_takes_one_more(checkpoints: int, function: Function, requests: list[str]) -> None:
    """It commits, and begins the next transaction."""

    def job(run: Run) -> None:
        for number in range(checkpoints):
            run.checkpoint({"after": number})

    function.do(job)
    function.deliver(EIGHT)
    assert requests == [
        *(*RUN[:-1], CHECKPOINT["first"], *[CHECKPOINT["next"]] * (checkpoints - 1)),
        CHECKPOINT["done"],
    ]
    assert len(requests) == 6 + checkpoints


def test_a_duplicate_takes_one_less(function: Function, requests: list[str]) -> None:
    assert function.deliver(EIGHT - SECOND)["outcome"] == "duplicate"
    assert requests == RUN[:-1]


def test_through_a_proxy_each_statement_is_sent_by_itself(
    function: Function, requests: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several in one text would pin the proxy's connection:
    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy-pinning.html
    """
    monkeypatch.setenv("DATABASE_ENDPOINT", "proxy")
    function.deliver(EIGHT)
    assert requests == ONE_BY_ONE


def _first_words(statement: str) -> str:
    return " ".join(re.findall(r"[@\w]+", re.sub(r"test_\w*", "schema", statement))[:2])


def _fill(query: Query, rows: int) -> None:
    """Let the ledger have so many rows, one per second since eight."""
    query("DELETE FROM ledger")
    moment = f"'{EIGHT:%F %T}' + INTERVAL n"
    query(
        "INSERT INTO ledger (job, sequence, scheduled_time, execution_id, window_start, window_end, outcome,"
        " started_at, duration_ms)"
        f" WITH RECURSIVE run (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM run WHERE n < {rows})"
        " SELECT /*+ SET_VAR(cte_max_recursion_depth = 10000) */"
        f" 'pulse', n, {moment} - 1 SECOND, '', {moment} - 2 SECOND, {moment} - 1 SECOND, 'done', NOW(), 0 FROM run"
    )
