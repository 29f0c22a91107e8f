"""The local execution environment with the real runtime client: freezes, thaws, reports and kills as Lambda does."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from local import execution_environment
from local.execution_environment import ExecutionEnvironment, Invocation

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
HANG_SECONDS = 30.0

Start = Callable[..., ExecutionEnvironment]

ECHO = """
def lambda_handler(event, context):
    return event
"""
DESCRIBE = """
import os

count = 0

def lambda_handler(event, context):
    global count
    count += 1
    return {
        "pid": os.getpid(),
        "count": count,
        "variables": dict(os.environ),
        "folder": os.getcwd(),
        "request_id": context.aws_request_id,
        "function": context.invoked_function_arn,
        "remaining": context.get_remaining_time_in_millis(),
    }
"""


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    folder.mkdir()
    return folder


@pytest.fixture
def start(code: Path, tmp_path: Path) -> Iterator[Start]:
    """Makes an environment of a handler's source text."""
    with ExitStack() as environments:

        def start(source: str, *, timeout_seconds: float = HANG_SECONDS, **variables: str) -> ExecutionEnvironment:
            (code / "handler.py").write_text(source)
            return environments.enter_context(
                ExecutionEnvironment(
                    code=code,
                    handler="handler.lambda_handler",
                    environment=variables,
                    function_name="basic-purge",
                    timeout_seconds=timeout_seconds,
                    log=tmp_path / "function.log",
                )
            )

        yield start


def state(pid: int | None) -> str:
    """The kernel's letter for a process's state (T: stopped, Z: ended but not reaped); empty if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def described(invocation: Invocation) -> dict[str, Any]:
    """The result of a handler that is `DESCRIBE`."""
    assert isinstance(invocation.result, dict)
    return invocation.result


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + HANG_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


# From Python 3.12 the runtime client asks for the next event from a second thread.
@pytest.mark.parametrize("runtime", ["AWS_Lambda_python3.11", "AWS_Lambda_python3.14"])
def test_between_invocations_the_process_is_stopped_and_its_threads_stand_still(
    runtime: str, start: Start, tmp_path: Path
) -> None:
    ticks = tmp_path / "ticks"
    environment = start(
        """
import os, threading, time

ticks = os.environ["TICKS"]
open(ticks, "ab").close()

def tick():
    while True:
        with open(ticks, "ab") as file:
            file.write(b".")
        time.sleep(0.001)

threading.Thread(target=tick, daemon=True).start()

def lambda_handler(event, context):
    before = os.path.getsize(ticks)
    while os.path.getsize(ticks) < before + 5:
        time.sleep(0.001)
""",
        TICKS=str(ticks),
        AWS_EXECUTION_ENV=runtime,
    )
    for _ in range(3):
        invocation = environment.invoke({})
        assert invocation.error is None
        assert (environment.frozen, state(environment.pid)) == (True, "T")
        counted = ticks.stat().st_size
        time.sleep(0.1)
        assert ticks.stat().st_size == counted


def test_what_the_function_started_is_frozen_with_it_and_ends_with_it(start: Start) -> None:
    environment = start(
        """
import subprocess

def lambda_handler(event, context):
    return subprocess.Popen(["sleep", "600"]).pid
"""
    )
    started = environment.invoke({}).result
    assert isinstance(started, int)
    wait_until(lambda: state(started) == "T")
    environment.close()
    wait_until(lambda: state(started) in ("", "Z"))


def test_the_first_invocation_is_cold_and_the_next_goes_to_the_same_process(start: Start) -> None:
    environment = start(DESCRIBE)
    assert environment.pid is None
    assert not environment.frozen
    first, second = environment.invoke({}), environment.invoke({})
    assert (first.cold, second.cold) == (True, False)
    assert described(first)["pid"] == described(second)["pid"] == environment.pid
    assert (described(first)["count"], described(second)["count"]) == (1, 2)


@pytest.mark.parametrize("event", [None, 0, "Zürich", [1, {"a": None}], {"job": "purge", "limit": 5000}])
def test_event_and_result_are_json_of_any_kind(event: object, start: Start) -> None:
    environment = start(ECHO)
    invocation = environment.invoke(event)
    assert (invocation.result, invocation.error) == (event, None)


def test_an_answer_that_is_not_json_is_refused_and_the_environment_stays(start: Start) -> None:
    environment = start(
        """
def lambda_handler(event, context):
    return event or b"no JSON"
"""
    )
    with pytest.raises(ValueError, match="Expecting value"):
        environment.invoke(None)
    assert environment.frozen
    after = environment.invoke("work")
    assert (after.cold, after.result) == (False, "work")


def test_an_event_that_is_not_json_is_refused_before_anything_starts(start: Start) -> None:
    environment = start(ECHO)
    with pytest.raises(TypeError):
        environment.invoke(object())
    assert environment.pid is None


def test_the_context_tells_the_request_the_function_and_about_the_whole_timeout(start: Start) -> None:
    environment = start(DESCRIBE, timeout_seconds=60, AWS_REGION="eu-central-1")
    for _ in range(2):
        invocation = environment.invoke({})
        context = described(invocation)
        assert context["request_id"] == invocation.request_id
        assert context["function"] == "arn:aws:lambda:eu-central-1:000000000000:function:basic-purge"
        assert 30_000 < context["remaining"] <= 60_000


def test_an_exception_is_reported_as_lambda_does_and_the_environment_stays(start: Start) -> None:
    environment = start(
        """
def lambda_handler(event, context):
    raise ValueError(f"no {event}")
"""
    )
    first, second = environment.invoke("one"), environment.invoke("two")
    assert first.result is None
    assert first.error is not None
    assert (first.error["errorType"], first.error["errorMessage"]) == ("ValueError", "no one")
    assert "line 3, in lambda_handler" in first.error["stackTrace"][0]
    assert second.error is not None
    assert (second.cold, second.error["errorMessage"]) == (False, "no two")


def test_a_run_over_its_time_is_killed_without_a_word_and_the_next_is_cold(start: Start) -> None:
    environment = start(
        """
import os, time

def lambda_handler(event, context):
    print(os.getpid())
    try:
        time.sleep(event)
    finally:
        print("finally")
""",
        timeout_seconds=1,
    )
    invocation = environment.invoke(600)
    assert (invocation.result, invocation.error) == (
        None,
        {
            "errorType": "Sandbox.Timedout",
            "errorMessage": f"RequestId: {invocation.request_id} Error: Task timed out after 1.00 seconds",
        },
    )
    [pid] = invocation.log_lines
    assert state(int(pid)) == ""
    assert environment.pid is None
    after = environment.invoke(0)
    assert (after.cold, after.error) == (True, None)
    assert pid not in after.log_lines


@pytest.mark.parametrize(
    ("crash", "reason"),
    [
        ("os._exit(3)", "with error: exit status 3"),
        ("os._exit(0)", "without providing a reason"),
        ("os.kill(os.getpid(), 11)", "with error: signal: segmentation fault"),
    ],
)
def test_a_crash_is_reported_as_an_exit_of_the_runtime_and_the_next_is_cold(
    crash: str, reason: str, start: Start
) -> None:
    environment = start(
        f"""
import os

def lambda_handler(event, context):
    if event == "crash":
        {crash}
"""
    )
    assert environment.invoke("work").error is None
    invocation = environment.invoke("crash")
    assert not invocation.cold
    assert invocation.error == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {invocation.request_id} Error: Runtime exited {reason}",
    }
    after = environment.invoke("work")
    assert (after.cold, after.error) == (True, None)


def test_a_process_killed_while_frozen_is_reported_at_the_next_invocation(start: Start) -> None:
    environment = start(ECHO)
    environment.invoke({})
    assert environment.pid
    os.kill(environment.pid, signal.SIGKILL)
    wait_until(lambda: state(environment.pid) == "Z")
    assert not environment.frozen
    invocation = environment.invoke({})
    assert invocation.error
    assert invocation.error["errorMessage"].endswith("Runtime exited with error: signal: killed")
    assert environment.invoke("again").result == "again"


@pytest.mark.parametrize(
    ("source", "error_type", "message"),
    [
        ("import nowhere", "Runtime.ImportModuleError", "Unable to import module 'handler': No module named 'nowhere'"),
        ("raise RuntimeError('not today')", "RuntimeError", "not today"),
        ("", "Runtime.HandlerNotFound", "Handler 'lambda_handler' missing on module 'handler'"),
        (
            "import os; os._exit(4)",
            "Runtime.ExitError",
            "RequestId: {request_id} Error: Runtime exited with error: exit status 4",
        ),
    ],
)
def test_a_failed_cold_start_is_reported_and_the_next_starts_anew(
    source: str, error_type: str, message: str, start: Start
) -> None:
    environment = start(source)
    for _ in range(2):
        invocation = environment.invoke({})
        assert invocation.cold
        assert invocation.error is not None
        assert invocation.error["errorType"] == error_type
        assert invocation.error["errorMessage"] == message.format(request_id=invocation.request_id)
        assert invocation.duration_seconds == 0
        assert environment.pid is None


def test_a_cold_start_that_never_ends_is_killed(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution_environment, "INIT_SECONDS", 0.0)
    environment = start("import time; time.sleep(600)", timeout_seconds=1)
    invocation = environment.invoke({})
    assert invocation.error is not None
    assert invocation.error["errorType"] == "Sandbox.Timedout"
    assert environment.pid is None


def test_log_lines_belong_to_their_own_invocation(start: Start, tmp_path: Path) -> None:
    environment = start(
        """
import logging, sys

print("loading")

def lambda_handler(event, context):
    print(event)
    print("on stderr", file=sys.stderr)
    logging.info("logged %s", event)
    logging.debug("below INFO")
"""
    )
    first, second = environment.invoke("Zürich"), environment.invoke("Genève")
    assert first.log_lines[:3] == ("loading", "Zürich", "on stderr")
    assert second.log_lines[:2] == ("Genève", "on stderr")
    for invocation, city in [(first, "Zürich"), (second, "Genève")]:
        logged: dict[str, Any] = json.loads(invocation.log_lines[-1])
        assert logged["message"] == f"logged {city}"
        assert logged["requestId"] == invocation.request_id
    assert tuple((tmp_path / "function.log").read_text().splitlines()) == first.log_lines + second.log_lines


def test_the_functions_own_pymysql_comes_before_the_virtual_environments(start: Start, code: Path) -> None:
    (code / "pymysql").mkdir()
    (code / "pymysql" / "__init__.py").write_text("__version__ = 'of the function'\n")
    environment = start(
        """
import pymysql

def lambda_handler(event, context):
    return pymysql.__version__
"""
    )
    assert environment.invoke({}).result == "of the function"


def test_the_code_folder_is_the_working_directory_and_nothing_is_written_there(start: Start, code: Path) -> None:
    (code / "helper.py").write_text("")
    environment = start("import helper\n" + DESCRIBE)
    result = described(environment.invoke({}))
    assert result["folder"] == result["variables"]["LAMBDA_TASK_ROOT"] == str(code)
    assert sorted(path.name for path in code.iterdir()) == ["handler.py", "helper.py"]


def test_the_process_gets_lambdas_variables_and_the_functions_but_not_the_callers(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_PROFILE", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "PYTHONPATH", "PYTHONOPTIMIZE", "MYSQL_HOST"):
        monkeypatch.setenv(name, "the caller's")
    environment = start(DESCRIBE, AWS_REGION="eu-central-1", JOB="purge")
    variables = described(environment.invoke({}))["variables"]
    assert "the caller's" not in variables.values()
    assert (variables["AWS_REGION"], variables["JOB"]) == ("eu-central-1", "purge")
    assert variables["AWS_LAMBDA_FUNCTION_NAME"] == "basic-purge"
    assert variables["_HANDLER"] == "handler.lambda_handler"
    assert variables["AWS_LAMBDA_LOG_FORMAT"] == "JSON"
    assert variables["TZ"] == ":UTC"


def test_close_leaves_no_process_no_port_and_no_thread(start: Start) -> None:
    threads = set(threading.enumerate())
    environment = start(DESCRIBE)
    result = described(environment.invoke({}))
    host, _, port = result["variables"]["AWS_LAMBDA_RUNTIME_API"].partition(":")
    environment.close()
    environment.close()
    assert state(result["pid"]) == ""
    assert (environment.pid, environment.frozen) == (None, False)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)))
    assert set(threading.enumerate()) <= threads


def test_an_environment_that_was_closed_starts_again_when_it_is_invoked(start: Start) -> None:
    environment = start(ECHO)
    environment.invoke({})
    environment.close()
    assert environment.invoke({}).cold


def test_a_frozen_process_does_not_outlive_the_python_that_froze_it(code: Path, tmp_path: Path) -> None:
    (code / "handler.py").write_text(ECHO)
    owner = f"""
import os, signal
from pathlib import Path
from local.execution_environment import ExecutionEnvironment

environment = ExecutionEnvironment(
    code=Path({str(code)!r}), handler="handler.lambda_handler", environment={{}}, function_name="f",
    timeout_seconds=30, log=Path({str(tmp_path / "log")!r}),
)
environment.invoke({{}})
print(environment.pid, environment.frozen, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    # A session of its own, so that it counts as gone for its child whoever inherits that one.
    killed = subprocess.run(
        [sys.executable, "-c", owner], cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True, check=False
    )
    pid, frozen = killed.stdout.split()
    assert frozen == "True"
    wait_until(lambda: state(int(pid)) in ("", "Z"))
