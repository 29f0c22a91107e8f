"""A team that copies the examples as docs/examples.md says has jobs that are right, with tests that pass."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from settings.files import load_environment
from settings.project import ROOT, Project
from tests.working_copy import edit, link_tools, working_copy

pytestmark = pytest.mark.deployment

TESTS = ["tests/jobs/test_export_orders.py", "tests/jobs/test_bill_usage.py", "tests/yours/test_dry_runs.py"]


@pytest.fixture(scope="module")
def team(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A team's clone, with two migrations and jobs of its own, after these commands."""
    clone = working_copy(tmp_path_factory.mktemp("team") / "clone")
    link_tools(clone)
    (clone / "tests" / "jobs").mkdir(exist_ok=True)
    text = (ROOT / "docs" / "examples.md").read_text()
    [commands] = re.findall(r"```text\n(cp .*?)```", text, re.DOTALL)
    subprocess.run(["bash", "-euc", commands], cwd=clone, check=True)
    entries = (project.environments / "examples.toml").read_text().partition("[[jobs]]")
    edit(clone / "environments" / "basic.toml", "[[jobs]]", f"{entries[1]}{entries[2]}\n[[jobs]]")
    edit(clone / "environments" / "basic.toml", "[network]\n", '[network]\negress = "nat"\n')
    return clone


def test_its_environment_has_them(team: Path) -> None:
    jobs = {job.name: job for job in load_environment(Project(team), "basic").jobs}
    assert jobs["export_orders"].uses.ways == {"s3"}
    assert jobs["bill_usage"].uses.ways == {"secretsmanager", "443"}
    assert set(jobs) == {"export_orders", "bill_usage", "pulse", "tally", "sweep"}


def test_its_tests_and_their_dry_runs_pass(team: Path, pyarrow: Path) -> None:
    # `make setup` would have laid pyarrow out in .venv, which is this checkout's.
    variables = {**os.environ, "PYTHONPATH": str(pyarrow)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS, "-k", "orders or usage"]
    done = subprocess.run(command, cwd=team, env=variables, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout


@pytest.mark.parametrize("linter", ["check", "format --check"])
def test_its_linters_have_nothing_to_say(linter: str, team: Path) -> None:
    subprocess.run(["ruff", *linter.split(), "--no-cache", "lambda/jobs", "tests/jobs"], cwd=team, check=True)
