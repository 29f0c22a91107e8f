"""The run's line is always written, in Lambda's official runtime client, and is UTF-8 JSON under 256 KB."""

import json
import os
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.runtime_api import RuntimeApi
from mysql_jobs.report import Report, writable
from mysql_jobs.run import LONGEST_JSON
from settings.project import ROOT

HANG_SECONDS = 60
LONGEST_LINE = 256 * 1024
HEADERS = {
    "Content-Type": "application/json",
    "Lambda-Runtime-Aws-Request-Id": "request-1",
    "Lambda-Runtime-Deadline-Ms": "9999999999999",
    "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-central-1:123456789012:function:test",
}
DATABASE = {"HOST": "localhost", "PORT": "3306", "NAME": "jobs", "ENDPOINT": "instance", "USER": "jobs", "AUTH": "iam"}
FRAME = struct.Struct(">IIQ")
"""Type, length and time: what precedes each message that Lambda gets over the descriptor for its logs."""


@pytest.fixture
def invoke(tmp_path: Path) -> Callable[..., tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Invokes the handler once with a job's module of this text; returns Lambda's error document and the log lines."""

    def invoke(text: str, event: str = '{"dry_run": true}') -> tuple[dict[str, Any], list[dict[str, Any]]]:
        (tmp_path / "jobs").mkdir()
        (tmp_path / "jobs" / "__init__.py").touch()
        (tmp_path / "jobs" / "job.py").write_text(text)
        received, written = os.pipe()
        api = RuntimeApi()
        serving = threading.Thread(target=api.serve)
        serving.start()
        with subprocess.Popen(
            [sys.executable, "-m", "awslambdaric", "mysql_jobs.handler.lambda_handler"],
            cwd=tmp_path,
            pass_fds=[written],
            env={
                "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT / "lambda")]),
                "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{api.server_port}",
                "AWS_LAMBDA_LOG_FORMAT": "JSON",
                "AWS_EXECUTION_ENV": "AWS_Lambda_python3.14",  # from 3.12 on, the client writes UTF-8 as it is
                "_LAMBDA_TELEMETRY_LOG_FD": str(written),
                "AWS_LAMBDA_FUNCTION_NAME": "test",
                "AWS_LAMBDA_FUNCTION_VERSION": "1",
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
                "AWS_LAMBDA_LOG_GROUP_NAME": "test",
                "AWS_LAMBDA_LOG_STREAM_NAME": "test",
                "JOB": "job",
                "METRICS": "mysql-jobs/basic",
                # Read before the job is imported, but nobody is asked: the job's module raises.
                "AWS_REGION": "eu-central-1",
                **{f"DATABASE_{name}": value for name, value in DATABASE.items()},
            },
        ) as process:
            os.close(written)
            lines: list[dict[str, Any]] = []
            reading = threading.Thread(target=_read_frames, args=(received, lines))
            reading.start()
            try:
                api.events.put((HEADERS, event))
                said = [api.received.get(timeout=HANG_SECONDS) for _ in range(3)]
            finally:
                process.kill()
                process.wait()
                reading.join(HANG_SECONDS)
                api.stop()
                serving.join(HANG_SECONDS)
        assert [kind for kind, _body in said] == ["next", "error", "next"]  # it lives, and wants the next event
        return json.loads(said[1][1]), lines

    return invoke


def test_cloudwatch_finds_the_metrics_at_the_root_of_the_line_as_the_runtime_client_writes_it(
    invoke: Callable[..., tuple[dict[str, Any], list[dict[str, Any]]]],
) -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html"""
    _document, lines = invoke("raise ValueError('no such customer')\n")
    [line] = [each for each in lines if each.get("message") == "run"]
    assert 1_700_000_000_000 < line["_aws"]["Timestamp"] < 10_000_000_000_000, "milliseconds"
    directives = line["_aws"]["CloudWatchMetrics"]
    found = {metric["Name"] for each in directives for metric in each["Metrics"]}
    assert found == {"runs", "duration_ms"}, "a run that never connected has no more"
    assert all(isinstance(line[name], int | float) for name in found)
    dimensions = {name for each in directives for names in each["Dimensions"] for name in names}
    assert {name: line[name] for name in dimensions} == {"job": "job", "outcome": "failed"}


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("ValueError('a lone surrogate: \\udc80')", "a lone surrogate: \\udc80"),
        ("ValueError('x' * 800_000)", "x… (800000 characters)"),
        ("ValueError('\\x01' * 800_000)", "… (800000 characters)"),
        ("ValueError('\\U0001f600' * 800_000)", "… (800000 characters)"),
        ("Mute()", "its text could not be made: ZeroDivisionError"),
    ],
    ids=["surrogate", "long", "control characters", "beyond the basic plane", "no text"],
)
def test_whatever_the_text_of_an_error_the_line_is_written_and_the_environment_lives(
    error: str, told: str, invoke: Callable[..., tuple[dict[str, Any], list[dict[str, Any]]]]
) -> None:
    mute = "class Mute(Exception):\n    def __str__(self):\n        return str(1 / 0)\n\n\n"
    document, lines = invoke(f"{mute}raise {error}\n")
    [line] = [each for each in lines if each.get("message") == "run"]
    name = error.partition("(")[0]
    assert (document["errorType"], line["outcome"]) == (name, "failed")
    assert document["errorMessage"].endswith(told)
    assert line["error"].startswith(f"{name}: ")
    assert line["error"].endswith(told)


def test_a_lone_surrogate_in_an_event_costs_no_line(
    invoke: Callable[..., tuple[dict[str, Any], list[dict[str, Any]]]],
) -> None:
    _document, lines = invoke("raise ValueError('no')\n", '{"dry_run": true, "execution_id": "\\udc80"}')
    [line] = [each for each in lines if each.get("message") == "run"]
    assert (line["outcome"], line["execution_id"]) == ("failed", "?")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(), parts, max_size=3),
    max_leaves=10,
)


@given(st.text(), st.dictionaries(st.text(), json_values, max_size=4), st.lists(st.text(max_size=400), max_size=5))
def test_a_line_of_whatever_texts_is_utf_8(error: str, result: dict[str, Any], leaks: list[str]) -> None:
    report = Report(job="job", request_id="request-1")
    report.failed(ValueError(error))
    report.leaked(leaks)
    report.entries["result"] = result
    entries = report.write()
    json.dumps(entries, ensure_ascii=False).encode()


def test_the_longest_line_is_shorter_than_lambdas_limit() -> None:
    report = Report(job="j" * 64, request_id="r" * 255)
    report.failed(ValueError("\x01" * 1_000_000))
    report.leaked(["\x01" * 10_000] * 10_000)
    report.restored(["\x01" * 1000] * 1000)
    report.met("\x01" * 1_000_000)
    for name in ("result", "progress"):
        report.entries[name] = {"text": "\x01" * ((LONGEST_JSON - 20) // 6)}  # six characters each, in JSON
    assert len(json.dumps(report.write())) < LONGEST_LINE


def test_an_error_that_can_be_written_is_raised_as_it_is() -> None:
    error = ValueError("no such customer")
    assert writable(error) is error
    ends = SystemExit("\udc80")
    assert writable(ends) is ends


def _read_frames(descriptor: int, lines: list[dict[str, Any]]) -> None:
    with os.fdopen(descriptor, "rb") as frames:
        while head := frames.read(FRAME.size):
            _kind, length, _time = FRAME.unpack(head)
            assert length < LONGEST_LINE
            lines.append(json.loads(frames.read(length).decode()))
