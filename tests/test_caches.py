"""Whoever has no home folder, or one that cannot be written, can work: all caches are the project's own."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from settings.project import ROOT

pytestmark = pytest.mark.deployment

NO_HOME = "/dev/null/home"  # nobody can make it, not even root


@pytest.mark.parametrize(
    ("command", "cache"),
    [("python -c 'import aws_cdk; aws_cdk.App()'", "jsii"), ("npm cache verify", "npm"), ("cdk acknowledge 1", "cdk")],
    ids=["jsii", "npm", "cdk"],
)
def test_what_make_starts_needs_no_home(command: str, cache: str, tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in (".venv", "node_modules"):
        (tmp_path / name).symlink_to(ROOT / name)
    usual = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "JSII", "npm_", "CDK_"))}
    done = subprocess.run(
        ["make", "--eval", f"started: ; @{command}", "started"],
        cwd=tmp_path,
        env={**usual, "HOME": NO_HOME},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / ".cache" / cache).is_dir()
