"""What a cold start imports: each module takes milliseconds, which the first run of an environment waits for."""

import json
import subprocess
import sys
from pathlib import Path

import pymysql
import pytest

from settings.project import ENGINE

HANG_SECONDS = 60
SPARED = {"dataclasses", "email", "http.client", "inspect", "pathlib", "urllib.parse"}
"""Modules of the standard library that take from 3 to 10 ms, with what they import: for those who need them."""
VARIABLES = {
    "JOB": "pulse",
    "MAX_WINDOW_MINUTES": "60",
    "AWS_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "DATABASE_HOST": "127.0.0.1",
    "DATABASE_PORT": "1",
    "DATABASE_NAME": "jobs",
    "DATABASE_ENDPOINT": "instance",
    "DATABASE_USER": "jobs",
    "DATABASE_SECRET": "arn:aws:secretsmanager:eu-central-1:1:secret:x",
}
RUN = """
import sys
sys.path[:0] = sys.argv[1:]
from types import SimpleNamespace
from mysql_jobs.handler import lambda_handler
context = SimpleNamespace(function_name="test", aws_request_id="request-1", get_remaining_time_in_millis=lambda: 2000)
try:
    lambda_handler({"dry_run": True}, context)
except Exception as error:
    raised = f"{type(error).__name__}: {error}"
import json
print(json.dumps([raised, sorted(sys.modules)]))
"""
"""A run that has no time left to connect; everything before that happens, and everything after it."""
THE_LEAST = "import sys; sys.path[:0] = sys.argv[1:]; import logging, pymysql; print(*sys.modules)"


@pytest.mark.parametrize(("auth", "spared"), [("iam", SPARED), ("secret", set())])
def test_what_most_runs_do_not_need_is_not_imported(auth: str, spared: set[str], tmp_path: Path) -> None:
    """Nor is the client of Secrets Manager, but for a login with a secret. What the job imports is its own affair."""
    raised, modules = _run(tmp_path, DATABASE_AUTH=auth)
    assert raised.startswith("DeadlineExceeded: "), "the run did not come as far as it should"
    assert {"mysql_jobs.opening", "mysql_jobs.report", "jobs.pulse"} <= modules
    # From Python 3.14 on, `traceback` imports dataclasses, and PyMySQL imports that.
    assert modules & spared <= set(_said(THE_LEAST, tmp_path).split())
    assert ("mysql_jobs.secrets_manager" in modules) == ("http.client" in modules) == (auth == "secret")


def _run(folder: Path, **variables: str) -> tuple[str, set[str]]:
    """The error of a run in a process of its own, and what has been imported there by its end."""
    (folder / "jobs").mkdir()
    (folder / "jobs" / "__init__.py").touch()
    (folder / "jobs" / "pulse.py").write_text("def run(run):\n    pass\n")
    # Alone, as in the zip file: PyMySQL imports `cryptography` where it finds it.
    (folder / "pymysql").symlink_to(Path(pymysql.__file__).parent)
    raised, modules = json.loads(_said(RUN, folder, **variables))
    return raised, set(modules)


def _said(program: str, folder: Path, **variables: str) -> str:
    run = subprocess.run(
        # -S: what a virtual environment has in its site-packages may import anything.
        [sys.executable, "-I", "-S", "-c", program, str(folder), str(ENGINE.parent)],
        env={**VARIABLES, **variables},
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=True,
    )
    return run.stdout
