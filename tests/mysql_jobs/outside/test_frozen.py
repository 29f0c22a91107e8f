"""Frozen in Lambda's own runtime client, a function has nothing left of what its job reached, and kept."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme

from lab.fault_bench import Bench, Function, held, log_line, outcome
from lab.fault_web import Behaviour, Peer, trusted
from local.emulator import Emulator
from local.mysql_server import MySQLServer
from tests.benches import new_bench

pytestmark = pytest.mark.integration

SECRET = "the-key-of-the-billing-api"
NewFunction = Callable[..., Function]


@pytest.fixture(scope="module")
def bench(server: MySQLServer, emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    bench = new_bench(server, emulator, tmp_path_factory, job="reaching")
    yield bench
    bench.close()


@pytest.fixture
def function(bench: Bench, authority: trustme.CA, tmp_path: Path) -> Iterator[NewFunction]:
    """Makes functions of that job, which behaves as `how` says, and whose API gives these answers."""
    bucket, client = f"exports-{secrets.token_hex(4)}", bench.emulator.client("s3")
    client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": bench.emulator.region})
    manager = bench.emulator.client("secretsmanager")
    arn = manager.create_secret(Name="billing-api", SecretString=SECRET)["ARN"]
    with ExitStack() as stack:

        def new_function(how: str, *answers: Behaviour) -> Function:
            api = stack.enter_context(Peer(authority, answers or ("answer half", "answer"), text=b"x" * 100_000))
            variables = {
                "BUCKET": bucket,
                "API": api.where,
                "SSL_CERT_FILE": str(trusted(authority, tmp_path)),
                # botocore and urllib3, which would be in the zip.
                "PYTHONPATH": str(Path(pytest.__file__).parents[1]),
            }
            return stack.enter_context(bench.function(how, variables=variables, timeout_seconds=30))

        yield new_function
    manager.delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)


def test_nothing_of_it_survives_the_freeze_and_every_later_run_works(function: NewFunction) -> None:
    reaching = function("rests", "answer half", "answer", "answer half", "answer", "answer half", "answer")
    assert outcome(reaching.invoke()) == "done"
    before = held(reaching.client.pid)  # the runtime client's own; it asks for each event by a new one
    reaching.storm.write_text("reaches")
    for _ in range(3):
        run = reaching.invoke()
        assert outcome(run) == "done", run.log_lines
        assert not run.cold
        line = log_line(run)
        assert (line["leaked"], line["destroyed"]) == ([], "polite")
        assert line["result"]["read"] == 51_000
        assert len(line["reached"]) == 2
        assert held(reaching.client.pid) == before
        assert SECRET not in "".join(run.log_lines)
    refused = log_line(run)["result"]["refused"]
    assert refused[:3] == ["UsesError"] * 3
    assert not any(each.startswith("worked") for each in refused)


@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        ("raises", "ValueError", r"the API refused the key \*\*\*"),
        ("tells", "JobError", r"jobs\.\w+\.run gave something that the secret billing-api has in it: leave it out"),
    ],
)
def test_a_run_that_gives_its_secret_away_fails_and_nobody_reads_it(
    how: str, error: str, message: str, function: NewFunction
) -> None:
    reaching = function("rests")
    reaching.invoke()
    before = held(reaching.client.pid)
    reaching.storm.write_text(how)
    run = reaching.invoke()
    assert run.error
    assert run.error["errorType"] == error
    assert SECRET not in json.dumps(run.error)
    assert SECRET not in "".join(run.log_lines)
    assert log_line(run)["leaked"] == []
    assert held(reaching.client.pid) == before
    assert re.fullmatch(message, run.error["errorMessage"])
