"""The whole command, as somebody types it, on the local AWS: a real MySQL server, the real CDK CLI, the same calls."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from gameday.day import DEPLOYED, DESTROYED
from gameday.exercise import ONLY_ON_AWS, PASSED
from gameday.exercises.all import EXERCISES
from tests.left_behind import left_behind
from tests.working_copy import link_tools, working_copy

pytestmark = pytest.mark.deployment

HANG_SECONDS = 900


def test_the_game_day_here_passes_all_that_can_be_shown_here_and_leaves_nothing(tmp_path: Path) -> None:
    clone = working_copy(tmp_path / "clone")
    link_tools(clone)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    done = subprocess.run(
        ["bash", "-c", "make gameday ENV=local".replace("make ", "make --old-file=.venv/wheels/ready ")],
        cwd=clone,
        env={**os.environ, "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG_SECONDS,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    part = (clone / "docs" / "gameday.md").read_text().partition("## Here, on the local AWS")[2]
    outcomes = dict(re.findall(r"^\| ([^|]+) \|.*\| ([^|]+) \|$", part, re.MULTILINE)[1:])
    assert outcomes == {
        DEPLOYED.title: PASSED,
        **{each.title: ONLY_ON_AWS if each.only_on_aws else PASSED for each in EXERCISES},
        DESTROYED: PASSED,
    }
    assert left_behind(temporary) == ([], [])
