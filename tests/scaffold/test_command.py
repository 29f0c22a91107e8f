"""From `make job` to the first archived row, with the commands that the README names."""

import os
import subprocess
from pathlib import Path

import pytest

from settings.files import load_environments
from settings.project import Project
from tests.working_copy import git, link_tools, working_copy

pytestmark = pytest.mark.deployment

HANG_SECONDS = 600


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = working_copy(tmp_path_factory.mktemp("copy") / "clone")
    link_tools(folder)
    return folder


def test_make_job_writes_a_job_whose_tests_pass(copy: Path) -> None:
    done = _run(copy, "make", "job", "NAME=archive_invoices")
    assert done.returncode == 0, done.stderr
    assert "archive_invoices" in [job.name for job in load_environments(Project(copy))[0].jobs]
    tested = _run(copy, ".venv/bin/python", "-m", "pytest", "-q", "tests/jobs", "tests/yours/test_dry_runs.py")
    assert tested.returncode == 0, tested.stdout[-4000:]
    assert "passed" in tested.stdout
    git(copy, "add", "--all")
    again = _run(copy, "make", "job", "NAME=archive_invoices")
    assert again.returncode != 0
    assert git(copy, "status", "--porcelain", "--untracked-files=all").count("??") == 0


def _run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    usual = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        command, cwd=folder, env=usual, capture_output=True, text=True, check=False, timeout=HANG_SECONDS
    )
