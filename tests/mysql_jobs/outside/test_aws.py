"""run.client: botocore's own client, whose every wait ends by the deadline, and of which nothing outlives the run."""

from __future__ import annotations

import io
import json
import secrets
import threading
import time
from typing import Any

import botocore.session
import pytest
import trustme
from botocore.exceptions import BotoCoreError, ClientError
from botocore.retries import standard

from lab.fault_web import Behaviour, Peer
from local.emulator import Emulator
from mysql_jobs.deadline import DeadlineExceeded
from mysql_jobs.leaks import Inventory
from mysql_jobs.outside.aws import AGAIN, OVERLOADED
from mysql_jobs.outside.stated import UsesError
from settings.services import SERVICES
from tests.mysql_jobs.outside.conftest import NewOutside, NewPeer

HANG_SECONDS = 15
"""A generous bound: without the deadline, these would wait for minutes."""
FOR_EVER: tuple[Behaviour, ...] = ("silence at TLS", "drips at TLS", "silence", "answer by drips", "deaf", "reset")
ONCE: tuple[Behaviour, ...] = ("silence at TLS", "reset at TLS", "silence", "reset", "close", "refuse and close")


@pytest.fixture
def s3_is(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lets a peer be S3."""
    return lambda server: monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.url)


def test_it_does_on_the_emulator_what_botocore_does(
    emulator: Emulator, outside: NewOutside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", emulator.url)
    bucket = f"exports-{secrets.token_hex(4)}"
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    run = outside()
    client = run.client("s3")
    assert run.client("s3") is client
    large = secrets.token_bytes(3_000_000)
    client.put_object(Bucket=bucket, Key="a/of text", Body=b"hello")
    client.put_object(Bucket=bucket, Key="a/../of a file", Body=io.BytesIO(large))
    assert s3.get_object(Bucket=bucket, Key="a/of text")["Body"].read() == b"hello"
    body = client.get_object(Bucket=bucket, Key="a/../of a file")["Body"]
    assert body.read() == large
    assert [each["Key"] for each in client.list_objects_v2(Bucket=bucket)["Contents"]] == [
        "a/../of a file",
        "a/of text",
    ]
    with pytest.raises(client.exceptions.NoSuchKey):
        client.get_object(Bucket=bucket, Key="none")
    assert run.destroy().places == (f"127.0.0.1:{emulator.port}",)


def test_a_service_that_is_not_stated_is_refused(outside: NewOutside) -> None:
    with pytest.raises(UsesError, match="USES names no sqs: write "):
        outside().client("sqs")


@pytest.mark.parametrize("behaviour", ONCE)
def test_a_request_that_got_no_answer_is_sent_again(
    behaviour: Behaviour, peer: NewPeer, outside: NewOutside, s3_is: Any
) -> None:
    server = peer(behaviour, "answer", text=b"")
    s3_is(server)
    answer = outside(seconds=8).client("s3").put_object(Bucket="my-exports", Key="x", Body=b"hello")
    assert answer["ResponseMetadata"]["RetryAttempts"] == 1
    assert b"hello" in server.requests[-1].body
    assert "expect" not in server.requests[-1].headers  # nobody would wait for the answer to it


@pytest.mark.parametrize("behaviour", FOR_EVER)
def test_no_service_holds_a_run_past_its_deadline(
    behaviour: Behaviour, authority: trustme.CA, outside: NewOutside, s3_is: Any
) -> None:
    before, started = Inventory.take(), time.monotonic()
    with Peer(authority, (behaviour,)) as server:
        s3_is(server)
        run = outside(seconds=1)
        large = b"x" * 50_000_000 if behaviour == "deaf" else b"x"
        with pytest.raises((DeadlineExceeded, BotoCoreError)):
            run.client("s3").put_object(Bucket="my-exports", Key="x", Body=large)
        assert time.monotonic() - started < HANG_SECONDS
        run.destroy()
    assert before.leaked_since() == []


def test_there_is_no_backoff_past_the_deadline(
    peer: NewPeer, outside: NewOutside, s3_is: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    s3_is(peer("refuse"))
    with pytest.raises(DeadlineExceeded, match="no time left to ask s3 again after HTTP 503"):
        outside(seconds=0.9).client("s3").list_objects_v2(Bucket="my-exports")
    assert slept == []


@pytest.mark.parametrize("behaviour", ["reset at TLS", "reset"])
def test_there_is_no_backoff_past_the_deadline_after_a_lost_connection(
    behaviour: Behaviour, peer: NewPeer, outside: NewOutside, s3_is: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    s3_is(peer(behaviour))
    with pytest.raises(DeadlineExceeded, match="no time left to ask s3 again after Connect"):
        outside(seconds=0.9).client("s3").list_objects_v2(Bucket="my-exports")
    assert slept == []


def test_an_error_that_no_repeat_would_mend_is_botocores_at_once(
    emulator: Emulator, outside: NewOutside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", emulator.url)
    with pytest.raises(ClientError, match="NoSuchBucket"):
        outside(seconds=0.9).client("s3").list_objects_v2(Bucket="no-such-bucket-anywhere")


def test_what_botocore_tries_again_is_known() -> None:
    """Its backoff would be slept through after any other."""
    codes = {
        *standard.ThrottledRetryableChecker._THROTTLED_ERROR_CODES,
        *standard.TransientRetryableChecker._TRANSIENT_ERROR_CODES,
    }
    session = botocore.session.get_session()
    for service in SERVICES:
        model = session.get_service_model(service)
        codes |= {name for name in model.shape_names if "retryable" in model.shape_for(name).metadata}
    assert len(codes) > 15
    assert {code for code in codes if not AGAIN.search(code)} == set()
    assert set(standard.TransientRetryableChecker._TRANSIENT_STATUS_CODES) <= set(OVERLOADED)


def test_whatever_the_job_keeps_the_descriptors_are_gone(
    authority: trustme.CA, outside: NewOutside, s3_is: Any
) -> None:
    before = Inventory.take()
    with Peer(authority, ("answer half",)) as server:
        s3_is(server)
        run = outside()
        kept: list[Any] = [run.client("s3")]
        kept.append(kept[0].get_object(Bucket="my-exports", Key="x")["Body"])
        kept[1].read(3)
        run.destroy()
    assert before.leaked_since() == []
    with pytest.raises((BotoCoreError, OSError, ValueError)):
        kept[1].read()


def test_a_client_that_was_kept_is_refused_in_the_next_run(peer: NewPeer, outside: NewOutside, s3_is: Any) -> None:
    server = peer("answer", text=b"")
    s3_is(server)
    run = outside()
    kept = run.client("s3")
    kept.put_object(Bucket="my-exports", Key="x", Body=b"x")
    run.destroy()
    with pytest.raises(UsesError, match="the run that this was made for has ended"):
        kept.put_object(Bucket="my-exports", Key="x", Body=b"x")
    outside().client("s3").put_object(Bucket="my-exports", Key="x", Body=b"x")
    assert len(server.requests) == 2


def test_botocore_makes_no_thread_and_asks_nobody_for_credentials(
    peer: NewPeer, outside: NewOutside, s3_is: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_PROFILE", "of a person")
    server = peer("answer", text=b"")
    s3_is(server)
    threads = set(threading.enumerate())
    run = outside()
    run.client("s3").put_object(Bucket="my-exports", Key="x", Body=b"x")
    run.destroy()
    mine = [each for each in set(threading.enumerate()) - threads if each.name != "peer"]
    assert mine == []
    assert "Credential=AKIDEXAMPLE/" in server.requests[0].headers["authorization"]


def test_a_secret_is_read_once_in_a_run_and_by_its_name(
    emulator: Emulator, outside: NewOutside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", emulator.url)
    manager = emulator.client("secretsmanager")
    text = json.dumps({"key": "a-key-of-the-api", "n": 1})
    made = manager.create_secret(Name="billing-api", SecretString=text)["ARN"]
    try:
        run = outside()
        assert run.secret("billing-api") == text
        manager.put_secret_value(SecretId="billing-api", SecretString="another")
        assert run.secret("billing-api") == text
        assert outside().secret("billing-api") == "another"
        reached = run.destroy()
        assert {text, "a-key-of-the-api"} <= set(reached.secrets)
        assert reached.secrets == tuple(sorted(reached.secrets, key=len, reverse=True))
        assert "a-key" not in repr(reached)
        with pytest.raises(UsesError, match="USES names no secret other-api"):
            run.secret("other-api")
    finally:
        manager.delete_secret(SecretId=made, ForceDeleteWithoutRecovery=True)


@pytest.mark.parametrize("behaviour", ["silence at TLS", "silence", "answer by drips"])
def test_at_the_deadline_it_is_the_deadline_that_ended_the_wait_for_a_secret(
    behaviour: Behaviour, peer: NewPeer, outside: NewOutside, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = peer(behaviour)
    server.secrets = {"billing-api": "a-key-of-the-api"}
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", server.url)
    with pytest.raises(DeadlineExceeded, match="time was used up while it waited for the secret billing-api"):
        outside(seconds=4).secret("billing-api")
    assert server.connections == 3
