"""The examples are deployed on this machine, where a function may do what its role says, and frozen after each run."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lab.fault_bench import held
from local.environment import JobFailed, LocalEnvironment, deployed
from local.run_report import log_line
from settings.project import Project
from testkit.web_api import Answer, WebApi

pytestmark = pytest.mark.deployment

BUCKET, KEY = "my-exports", "orders/2026-11-23T080000Z.parquet"
RUNTIME_CLIENTS = 1 if sys.version_info < (3, 12) else 2
"""Threads of AWS's own client: from Python 3.12 on, one of them waits for the next event."""
EIGHT = {"start": "2026-11-23T08:00:00Z", "end": "2026-11-23T09:00:00Z"}


@pytest.fixture(scope="module")
def environment(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEnvironment]:
    folder = tmp_path_factory.mktemp("examples")
    with deployed(folder, project=project, name="examples", progress=print, enforce_permissions=True) as environment:
        _insert(environment, "customer_order (customer, total, placed_at)", "('ada', 1, '2026-11-23 08:30:00')")
        _insert(environment, "usage_hourly", "('2026-11-23 08:00:00', 'ada', 1)")
        yield environment


def test_with_its_statements_alone_a_job_exports_to_s3(environment: LocalEnvironment) -> None:
    report = environment.invoke("examples-export_orders", {"window": EIGHT})
    assert (report["outcome"], report["result"]["key"], report["leaked"]) == ("done", KEY, [])
    s3 = environment.emulator.client("s3")
    assert s3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read().startswith(b"PAR1")


@pytest.mark.parametrize(
    ("job", "resource", "message"),
    [
        ("export_orders", "my-exports", "AccessDenied.* when calling the PutObject operation"),
        ("bill_usage", "billing-api", "Secrets Manager refused billing-api: AccessDenied"),
    ],
)
def test_without_its_statement_it_is_access_denied(
    job: str, resource: str, message: str, environment: LocalEnvironment
) -> None:
    with _without(environment, f"examples-{job}", resource), pytest.raises(JobFailed, match=message):
        environment.invoke(f"examples-{job}", {"window": EIGHT})


def test_with_its_statements_alone_a_job_bills_by_an_api(environment: LocalEnvironment, web_api: WebApi) -> None:
    web_api.answers = [(201, {"number": "b-1"})]
    with _calling(environment, web_api):
        report = environment.invoke("examples-bill_usage", {"window": EIGHT})
    assert (report["outcome"], report["result"], report["leaked"]) == ("done", {"billed": 1}, [])
    [asked] = web_api.asked
    assert asked.headers["idempotency-key"] == "usage/ada/2026-11-23T08"


def test_frozen_and_thawed_the_export_leaves_nothing(environment: LocalEnvironment) -> None:
    counts = set()
    with environment.execution_environment("examples-export_orders") as client:
        for number in range(3):
            run = client.invoke({"window": EIGHT})
            line = log_line(run.log_lines)
            assert run.error is None
            assert run.cold is (number == 0)
            assert (line["outcome"], line["leaked"]) == ("done", [])
            assert line["reached"] == [f"127.0.0.1:{environment.emulator.port}"]
            counts.add(held(client.pid))
            threads = _threads(client.pid)
            # That of pyarrow's allocator, from its import on. It talks to nobody.
            assert threads.count("jemalloc_bg_thd") == 1
            assert len(threads) <= 1 + RUNTIME_CLIENTS
    assert len(counts) == 1


@pytest.mark.parametrize("second", [(201, {"number": "b-2"}), (500, {}), "closes", "hangs"], ids=str)
def test_frozen_and_thawed_the_bills_leave_nothing_whatever_the_api_does(
    second: Answer, environment: LocalEnvironment, web_api: WebApi
) -> None:
    good: Answer = (201, {"number": "b-1"})
    web_api.answers, counts = [good, second, good], set()
    with _calling(environment, web_api), environment.execution_environment("examples-bill_usage") as client:
        for number, answer in enumerate(web_api.answers):
            _unbill(environment)
            run = client.invoke({"window": EIGHT})
            line = log_line(run.log_lines)
            assert run.cold is (number == 0)
            assert line["outcome"] == ("done" if answer[0] == 201 else "failed"), line
            assert (line["leaked"], line["reached"][-1]) == ([], web_api.host)
            counts.add(held(client.pid))
            assert "of this machine: billing-api" not in "".join(run.log_lines)  # the key
    assert len(counts) == 1
    assert len({each.headers["idempotency-key"] for each in web_api.asked}) == 1
    assert len(web_api.asked) == 3


def test_from_this_machine_no_api_is_called(environment: LocalEnvironment) -> None:
    with pytest.raises(JobFailed, match=r"is a stand-in on this machine: api\.billing\.example:443 is not called"):
        environment.invoke("examples-bill_usage", {"window": EIGHT})
    assert environment.invoke("examples-bill_usage", {"window": EIGHT, "dry_run": True})["outcome"] == "dry_run"


@contextmanager
def _calling(environment: LocalEnvironment, api: WebApi) -> Iterator[None]:
    """Within, the API of bill_usage is on this machine, its runs are short, and nothing is billed yet."""
    lambda_, name = environment.emulator.client("lambda"), "examples-bill_usage"
    before = lambda_.get_function_configuration(FunctionName=name)
    variables = before["Environment"]["Variables"]
    calling = {**variables, "PARAMETERS": json.dumps({"host": api.host}), "SSL_CERT_FILE": str(api.authority)}
    _unbill(environment)
    lambda_.update_function_configuration(FunctionName=name, Environment={"Variables": calling}, Timeout=10)
    try:
        yield
    finally:
        _unbill(environment)
        lambda_.update_function_configuration(
            FunctionName=name, Environment={"Variables": variables}, Timeout=before["Timeout"]
        )


def _unbill(environment: LocalEnvironment) -> None:
    with environment.server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {environment.settings.database.name}.bill")


def _threads(pid: int | None) -> list[str]:
    return sorted((task / "comm").read_text().strip() for task in Path(f"/proc/{pid}/task").iterdir())


def _insert(environment: LocalEnvironment, into: str, values: str) -> None:
    with environment.server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {environment.settings.database.name}.{into} VALUES {values}")


@contextmanager
def _without(environment: LocalEnvironment, function: str, resource: str) -> Iterator[None]:
    """Within, the function's role has no right to the resource whose ARN has this in it."""
    lambda_, iam = environment.emulator.client("lambda"), environment.emulator.client("iam")
    role = lambda_.get_function_configuration(FunctionName=function)["Role"].rpartition("/")[2]
    [name] = iam.list_role_policies(RoleName=role)["PolicyNames"]
    document: dict[str, Any] = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    less = [
        {**each, "Resource": left}
        for each in document["Statement"]
        if (left := [arn for arn in _listed(each["Resource"]) if resource not in arn])
    ]
    assert len(str(less)) < len(str(document["Statement"]))
    try:
        _put(iam, role, name, {**document, "Statement": less})
        yield
    finally:
        _put(iam, role, name, document)


def _put(iam: Any, role: str, name: str, document: Mapping[str, Any]) -> None:
    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document))


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
