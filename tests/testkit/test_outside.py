"""What the fixtures `aws` and `web_api` promise to the tests of a team, on a job that a test writes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import pytest

from local.mysql_server import MySQLServer
from testkit.aws import Aws
from testkit.database import new_database
from testkit.job import Job
from testkit.web_api import WebApi
from tests.testkit.projects import one_job

EIGHT = "2026-11-23T08:00Z"
USES = '''

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Where to."""

    bucket: str = "a-bucket"
    host: str = "api.example:443"


def uses(parameters):
    """All that it may."""
    return {
        "s3": {f"{parameters.bucket}/*": ("PutObject",)},
        "secret": ("the-key",),
        "internet": (parameters.host,),
    }
'''
THIS = "    this = run\n"
"""A synth wants a lock for the packages of what is asked of `run`; here, they are those of this project's tools."""
UPLOADS = '    this.client("s3").put_object(Bucket=run.parameters.bucket, Key="one", Body=b"text")'
READS = '    return {"length": len(this.secret("the-key"))}'
CALLS = """\
    headers = {"X-Scheduled": run.scheduled_time.isoformat()}
    answer = this.http.request("POST", f"https://{run.parameters.host}/things", json={"a": 1}, headers=headers)
    return {"status": answer.status, "told": answer.json()}"""
ASKS_UNTIL_IT_WORKS = """\
    for asked in range(1, 10):
        if this.http.request("GET", f"https://{run.parameters.host}/").status == 200:
            return {"asked": asked}"""

Written = Callable[[str], Job]


@pytest.fixture
def reaching(tmp_path: Path, server: MySQLServer) -> Iterator[Written]:
    """The job `moving`, which uses S3, a secret and a host, with a function that the test writes."""
    with ExitStack() as stack:

        def write(body: str) -> Job:
            project, _settings = one_job(tmp_path / "project", tables={"parcel": ("SELECT",)}, body=THIS + body)
            file = project.job_file("moving")
            file.write_text(file.read_text().replace("\n\ndef run", f"{USES}\n\ndef run"))
            return Job(project, stack.enter_context(new_database(server, project)))

        yield write


def test_a_job_puts_into_the_bucket_that_the_test_has_made(reaching: Written, aws: Aws) -> None:
    bucket, another = aws.bucket(), aws.bucket()
    report = reaching(UPLOADS)("moving", at=EIGHT, parameters={"bucket": bucket}, aws=aws)
    assert (report["outcome"], report["leaked"]) == ("done", [])
    assert aws.objects(bucket) == {"one": b"text"}
    assert aws.objects(another) == {}


def test_a_retry_has_the_same_aws(reaching: Written, aws: Aws) -> None:
    job, bucket = reaching(UPLOADS), aws.bucket()
    job("moving", at=EIGHT, parameters={"bucket": bucket}, killed="before_commit", aws=aws)
    assert job.again()["outcome"] == "done"


def test_a_secret_is_what_the_test_says_last(reaching: Written, aws: Aws) -> None:
    job = reaching(READS)
    for number, text in enumerate(("short-one", "another-that-is-longer")):
        aws.secret("the-key", text)
        report = job("moving", at=f"2026-11-23T0{number}:00Z", aws=aws)
        assert report["result"] == {"length": len(text)}
        assert text not in str(report)


def test_what_a_run_had_for_aws_is_put_back(reaching: Written, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "somebodys")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "somebodys")
    before = dict(os.environ)
    report = reaching("    import os\n    return {'variables': sorted(os.environ)}")("moving", at=EIGHT, aws=aws)
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN"} & set(report["result"]["variables"])
    assert dict(os.environ) == before


@pytest.mark.parametrize("body", [UPLOADS, READS])
def test_a_run_without_it_reaches_no_aws(reaching: Written, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebodys")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "somebodys")
    with pytest.raises(AssertionError, match=r"this run has no AWS: let the test ask for the fixture `aws`"):
        reaching(body)("moving", at=EIGHT)


def test_an_api_says_what_it_was_asked(reaching: Written, web_api: WebApi) -> None:
    web_api.answers = [(201, {"number": 7})]
    report = reaching(CALLS)("moving", at=EIGHT, parameters={"host": web_api.host})
    assert report["result"] == {"status": 201, "told": {"number": 7}}
    assert (report["leaked"], report["reached"]) == ([], [web_api.host])
    [asked] = web_api.asked
    assert (asked.method, asked.path, asked.json()) == ("POST", "/things", {"a": 1})
    assert asked.headers["x-scheduled"] == "2026-11-23T08:00:00+00:00"


def test_an_api_fails_as_often_as_the_test_says(reaching: Written, web_api: WebApi) -> None:
    web_api.answers = [(503, {})] * 2 + [(200, {})]
    assert reaching(ASKS_UNTIL_IT_WORKS)("moving", at=EIGHT, parameters={"host": web_api.host})["result"] == {
        "asked": 3
    }
    assert len(web_api.asked) == 3


@pytest.mark.parametrize(("answer", "message"), [("closes", "Connection aborted"), ("hangs", "timed out|used up")])
def test_an_api_does_not_answer(
    answer: Literal["closes", "hangs"], message: str, reaching: Written, web_api: WebApi
) -> None:
    web_api.answers = [answer]
    job = reaching(CALLS)
    with pytest.raises(Exception, match=message):
        job("moving", at=EIGHT, parameters={"host": web_api.host}, deadline=3)
    assert len(web_api.asked) == 1
    assert (job.report["outcome"], job.report["leaked"]) == ("failed", [])
    assert job.report["duration_ms"] < 3_000


def test_no_answer_at_all_is_a_mistake_of_the_test(web_api: WebApi) -> None:
    with pytest.raises(ValueError, match=r"web_api\.answers is empty"):
        web_api.answers = []
