"""A project of a test's own with packages, and wheels that are its own, too."""

from pathlib import Path

import pytest

from packages.tools import fetch
from settings.project import Project

JOB = '''"""Reports."""

{imports}

TABLES = {{"report": ("SELECT",)}}


def run(run):
    return None
'''


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where `make setup` would leave wheels; there are none yet."""
    folder = tmp_path / "store"
    folder.mkdir()
    monkeypatch.setattr("packages.wheels.WHEELS", folder)
    monkeypatch.setattr(fetch, "WHEELS", folder)
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """One with two jobs, report and plain, which import nothing."""
    project = Project(tmp_path / "project")
    project.jobs.mkdir(parents=True)
    for name in ("report", "plain"):
        project.job_file(name).write_text(JOB.format(imports=""))
    return project
