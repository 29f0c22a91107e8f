"""What a run makes of each fault of what it reaches besides its database, that it leaves nothing, and the next works.

Each run happens in Lambda's official runtime client, in a process that has reached everything before. `make faults`
prints the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import trustme

from lab.fault_bench import Bench, Observed, outcome
from lab.fault_web import Behaviour, Peer, trusted
from local.emulator import Emulator
from local.mysql_server import MySQLServer
from tests.benches import new_bench

pytestmark = pytest.mark.integration

SECRET = "the key of the API"
Record = Callable[[str, str, Observed], None]


@dataclass(frozen=True, kw_only=True)
class Row:
    """A fault of a peer or of the job, and what is promised about it."""

    fault: str
    asked: str
    """What the job does: a function of tests/mysql_jobs/faulty_outside.py."""
    peer: tuple[Behaviour, ...]
    """What its connections meet, in turn; the last one all that follow."""
    outcome: str
    tries: int
    timeout_seconds: float = 7
    """The function's, 2 s of which are kept back for destroying and the log line."""

    @property
    def name(self) -> str:
        """Of its test."""
        return f"{self.fault}: {self.asked}"

    @property
    def seconds(self) -> float:
        """What the run may take at most: its deadline, and a busy machine's second."""
        return self.timeout_seconds - 1


ASKED = {
    "get": "run.http, GET",
    "post": "run.http, POST",
    "post_large": "run.http, POST of 50 MB",
    "put_object": "S3 PutObject",
    "put_large_object": "S3 PutObject of 50 MB",
    "get_object": "S3 GetObject",
    "secret": "run.secret",
    "half_read_answer": "run.http, GET",
    "half_read_object": "S3 GetObject",
    "keep_http": "run.http, GET",
    "keep_client": "S3 GetObject",
    "keep_run": "run.secret",
    "undeclared_host": "run.http, GET",
    "undeclared_service": "run.client",
    "undeclared_secret": "run.secret",
}
"""How the table says it."""
BEFORE_TLS: tuple[tuple[str, Behaviour], ...] = (
    ("silence at TLS", "silence at TLS"),
    ("slow TLS, byte by byte", "drips at TLS"),
    ("reset at TLS", "reset at TLS"),
    ("close at TLS", "close at TLS"),
)
AFTER_THE_REQUEST: tuple[tuple[str, Behaviour], ...] = (
    ("black hole after the request", "silence"),
    ("reset before the answer", "reset"),
    ("close before the answer", "close"),
)
ONCE = [
    Row(fault=f"{fault}, once", asked=asked, peer=(behaviour, "answer"), outcome="done", tries=2, timeout_seconds=9)
    for faults, all_asked in (
        (BEFORE_TLS, ("get", "post", "put_object", "secret")),  # nothing was sent: also a POST is tried again
        (AFTER_THE_REQUEST, ("get", "put_object", "secret")),
    )
    for fault, behaviour in faults
    for asked in all_asked
]
NOT_SENT_AGAIN = [
    Row(fault=f"{fault}, once", asked="post", peer=(behaviour, "answer"), outcome=outcome, tries=1)
    for (fault, behaviour), outcome in zip(
        AFTER_THE_REQUEST, ("ReadTimeoutError", "ProtocolError", "ProtocolError"), strict=True
    )
]
FOR_EVER: tuple[tuple[str, Behaviour, dict[str, tuple[str, int]]], ...] = (
    (
        "black hole at connect (SYN)",
        "black hole",
        {"get": ("MaxRetryError", 0), "put_object": ("DeadlineExceeded", 0), "secret": ("DeadlineExceeded", 0)},
    ),
    (
        "silence at TLS",
        "silence at TLS",
        {"get": ("MaxRetryError", 3), "put_object": ("DeadlineExceeded", 2), "secret": ("DeadlineExceeded", 3)},
    ),
    (
        "slow TLS, byte by byte",
        "drips at TLS",
        {"get": ("MaxRetryError", 3), "put_object": ("DeadlineExceeded", 2), "secret": ("DeadlineExceeded", 3)},
    ),
    (
        "reset at TLS",
        "reset at TLS",
        {"get": ("MaxRetryError", 3), "put_object": ("ConnectTimeoutError", 3), "secret": ("CredentialsError", 3)},
    ),
    (
        "certificate of another host",
        "certificate of another host",
        {"get": ("MaxRetryError", 1), "put_object": ("SSLError", 3), "secret": ("CredentialsError", 1)},
    ),
    (
        "certificate from another authority",
        "certificate of another authority",
        {"get": ("MaxRetryError", 1), "put_object": ("SSLError", 3), "secret": ("CredentialsError", 1)},
    ),
    (
        "black hole after the request",
        "silence",
        {"get": ("DeadlineExceeded", 2), "put_object": ("DeadlineExceeded", 2), "secret": ("DeadlineExceeded", 3)},
    ),
    (
        "reset before the answer",
        "reset",
        {"get": ("MaxRetryError", 3), "put_object": ("ConnectionClosedError", 3), "secret": ("CredentialsError", 3)},
    ),
    (
        "answer drips byte by byte",
        "answer by drips",
        {
            "get": ("DeadlineExceeded", 1),
            "post": ("DeadlineExceeded", 1),
            "put_object": ("DeadlineExceeded", 1),
            "get_object": ("DeadlineExceeded", 1),
            "secret": ("DeadlineExceeded", 3),
        },
    ),
    (
        "answer stops half-way",
        "answer half",
        {"get": ("DeadlineExceeded", 2), "get_object": ("ReadTimeoutError", 1), "secret": ("DeadlineExceeded", 3)},
    ),
    (
        "body of an upload is not read",
        "deaf",
        {"post_large": ("DeadlineExceeded", 1), "put_large_object": ("DeadlineExceeded", 1)},
    ),
)
LOST_FOR_GOOD = [
    Row(fault=f"{fault}, for ever", asked=asked, peer=(behaviour,), outcome=outcome, tries=tries)
    for fault, behaviour, expected in FOR_EVER
    for asked, (outcome, tries) in expected.items()
]
SLOW_ONCE = [
    # A byte that comes now and then is no silence; only a secret is so small that an attempt has a limit as a whole.
    Row(
        fault="answer drips byte by byte, once",
        asked="get",
        peer=("answer by drips", "answer"),
        outcome="DeadlineExceeded",
        tries=1,
    ),
    Row(
        fault="answer drips byte by byte, once",
        asked="secret",
        peer=("answer by drips", "answer"),
        outcome="done",
        tries=2,
    ),
    Row(fault="answer stops half-way, once", asked="get", peer=("answer half", "answer"), outcome="done", tries=2),
    Row(fault="answer stops half-way, once", asked="secret", peer=("answer half", "answer"), outcome="done", tries=2),
]
BY_JOB: tuple[tuple[str, str, Behaviour, str, int], ...] = (
    ("job leaves a half-read answer", "half_read_answer", "answer half", "done", 1),
    ("job leaves a half-read object", "half_read_object", "answer half", "done", 1),
    ("job keeps its client, pool and half-read answer", "keep_http", "answer half", "done", 1),
    ("job keeps its client and half-read object", "keep_client", "answer half", "done", 1),
    ("job keeps the run, for its secrets", "keep_run", "answer", "done", 1),
    ("undeclared host", "undeclared_host", "answer", "UsesError", 0),
    ("undeclared service", "undeclared_service", "answer", "UsesError", 0),
    ("undeclared secret", "undeclared_secret", "answer", "UsesError", 0),
)
JOBS = [
    Row(fault=fault, asked=asked, peer=(behaviour,), outcome=outcome, tries=tries)
    for fault, asked, behaviour, outcome, tries in BY_JOB
]
TABLE = {row.name: row for row in (*ONCE, *NOT_SENT_AGAIN, *LOST_FOR_GOOD, *SLOW_ONCE, *JOBS)}


@pytest.fixture(scope="module")
def bench(server: MySQLServer, emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    bench = new_bench(server, emulator, tmp_path_factory, job="faulty_outside")
    yield bench
    bench.close()


@pytest.fixture(scope="module")
def observed(
    bench: Bench, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Observed]]]:
    """All rows of the table, run side by side: most of their time is waiting."""
    authority = trustme.CA()
    certificates = trusted(authority, tmp_path_factory.mktemp("authority"))
    wanted = {item.callspec.params.get("name") for item in request.session.items if hasattr(item, "callspec")}
    with ThreadPoolExecutor(6) as pool:
        yield {
            name: pool.submit(_run, bench, row, authority, certificates)
            for name, row in TABLE.items()
            if name in wanted
        }


@pytest.mark.parametrize("name", TABLE)
def test_fault_outside_of_the_database(
    name: str, observed: dict[str, Future[Observed]], record_outside: Record
) -> None:
    row, result = TABLE[name], observed[name].result()
    record_outside(row.fault, ASKED[row.asked], result)
    assert (result.outcome, result.tries) == (row.outcome, row.tries)
    assert result.seconds < row.seconds
    assert (result.left_open, result.report["leaked"]) == (0, [])
    assert result.sessions_left == 0
    assert SECRET not in str(result.report)
    assert result.next_outcome == "done"


def _run(bench: Bench, row: Row, authority: trustme.CA, certificates: Path) -> Observed:
    with Peer(authority, ("answer",)) as peer:
        variables = {
            "API": peer.where,
            "AWS_ENDPOINT_URL_S3": peer.url,
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": peer.url,
            "SSL_CERT_FILE": str(certificates),
            # botocore and urllib3, which would be in the zip.
            "PYTHONPATH": str(Path(pytest.__file__).parents[1]),
        }
        with bench.function("work", variables=variables, timeout_seconds=row.timeout_seconds) as function:
            login = bench.emulator.client("secretsmanager").get_secret_value(SecretId=function.secret)["SecretString"]
            peer.secrets = {function.secret: login, "billing-api": SECRET}
            assert outcome(function.invoke()) == "done"
            function.storm.write_text(row.asked)
            before = peer.connections
            tries = 0

            def calm() -> None:
                nonlocal tries
                tries = peer.connections - before - 1
                peer.behave("answer")

            peer.behave("answer", *row.peer)  # first, the run reads its login
            result = bench.observe(function, calm=calm)
    return replace(result, tries=tries)
