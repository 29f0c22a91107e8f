"""A test of a job finds the job's packages; what deploys does not."""

import subprocess
import sys
from pathlib import Path

import pytest

from settings.project import ROOT, Project
from testkit.job_modules import jobs_of


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where `make setup` would have left a package, tinyish."""
    folder = tmp_path / "packages"
    folder.mkdir()
    (folder / "tinyish.py").write_text("VALUE = 7\n")
    monkeypatch.setattr("testkit.job_packages.INSTALLED", folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "tinyish", raising=False)
    return folder


def test_a_job_that_imports_its_package_is_imported(installed: Path, tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    project.jobs.mkdir(parents=True)
    project.job_file("seven").write_text("import tinyish\n\nVALUE = tinyish.VALUE\n")
    with jobs_of(project):
        module = __import__("jobs.seven").seven
        assert module.VALUE == 7


def test_what_the_tools_have_installed_goes_first(installed: Path, tmp_path: Path) -> None:
    with jobs_of(Project(tmp_path)):
        assert sys.path[-1] == str(installed)


def test_the_commands_find_none_of_them() -> None:
    # With a deploy's rights, none of their code runs.
    script = "import sys, delivery.deploy; assert not any(each.endswith('/.venv/packages') for each in sys.path)"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)
