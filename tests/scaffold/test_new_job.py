"""`make job` writes a job that works as it is, or nothing."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from local.mysql_server import MySQLServer
from scaffold.job import ScaffoldError, new_job
from settings.files import SettingsError, load_environment
from settings.placement import FIRST
from settings.project import ROOT, Project
from testkit.database import new_database
from testkit.dry_run import dry_run_mistake
from testkit.job import Job
from tests.fixture import PROJECT

pytestmark = pytest.mark.integration

# The shortest name, the longest, one of which the rest is a word of SQL's, and one that archives the engine's table.
NAMES = ["a", "archive_invoices", "archive_order", "archive_ledger", "x" * 31]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    folder = tmp_path / "project"
    shutil.copytree(PROJECT.folder, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return Project(folder)


@pytest.mark.parametrize("name", NAMES)
def test_the_job_does_what_its_dry_run_says(project: Project, server: MySQLServer, name: str) -> None:
    new_job(project, name).write()
    [settings] = [job for job in load_environment(project, "basic").jobs if job.name == name]
    [table] = [table for table, rights in settings.rights.items() if "DELETE" in rights]
    with new_database(server, project) as database:
        assert dry_run_mistake(project, settings, database) is None
        database.insert(table, [{"created_at": "2026-01-01"}])
        assert Job(project, database)(name, at="2026-11-23T08:00Z")["result"] == {"archived": 1}


@pytest.mark.parametrize("name", NAMES)
def test_ruff_has_nothing_to_mend(project: Project, name: str) -> None:
    job = new_job(project, name)
    for file in (job.job, job.test):
        place = ROOT / file.relative_to(project.folder)
        for check in (["check"], ["format", "--check"]):
            command = [sys.executable, "-m", "ruff", *check, "--stdin-filename", str(place), "-"]
            checked = subprocess.run(command, input=job.texts[file], capture_output=True, text=True, check=False)
            assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.integration
def test_its_test_passes(project: Project) -> None:
    job = new_job(project, "archive_invoices")
    job.write()
    (job.test.parent / "conftest.py").write_text(
        "from pathlib import Path\n\nimport pytest\n\nfrom settings.project import Project\n\n\n"
        f"@pytest.fixture(scope='session')\ndef project():\n    return Project(Path({str(project.folder)!r}))\n"
    )
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "--config-file", ROOT / "pyproject.toml", "--rootdir", ROOT, job.test],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "5 passed" in tested.stdout, tested.stdout + tested.stderr


def test_it_takes_the_next_number_and_the_environment_that_is_named(project: Project) -> None:
    job = new_job(project, "archive_invoices", "large")
    job.write()
    assert job.migration.name == "0003_archive_invoices.sql"
    assert "archive_invoices" in {each.name for each in load_environment(project, "large").jobs}
    assert "archive_invoices" not in {each.name for each in load_environment(project, "basic").jobs}


def test_the_next_steps_name_the_files(project: Project) -> None:
    job = new_job(project, "archive_invoices")
    for file in job.texts:
        assert str(file.relative_to(project.folder)) in job.next_steps


@pytest.mark.parametrize("name", ["", "Archive", "archive-invoices", "1st", "class", "x" * 32, "../x", "ä"])
def test_what_is_no_name_is_refused(project: Project, name: str) -> None:
    with pytest.raises(ScaffoldError, match="is no name of a job: write at most 31 small letters"):
        new_job(project, name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pulse", "pulse is taken: lambda/jobs/pulse.py exists"),
        ("checked", "checked is taken: tests/jobs/test_checked.py exists"),
        ("archive_event", "the table event is taken: migrations/0002_event.sql makes it"),
    ],
)
def test_what_is_taken_is_refused(project: Project, name: str, message: str) -> None:
    test = project.folder / "tests" / "jobs" / "test_checked.py"
    test.parent.mkdir(parents=True)
    test.touch()
    with pytest.raises(ScaffoldError, match=message):
        new_job(project, name)


def test_an_unknown_environment_is_refused(project: Project) -> None:
    with pytest.raises(ScaffoldError, match="there is no environment 'lage': write one of basic, large, local, middle"):
        new_job(project, "archive_invoices", "lage")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('region = "eu-central-1"', "region = 3", "region = 3: write it in quotes"),
        ("[[jobs]]", "[[jobs]]\nname", "not TOML"),
    ],
)
def test_settings_that_are_wrong_already_are_refused(project: Project, old: str, new: str, message: str) -> None:
    file = project.environments / "middle.toml"
    file.write_text(file.read_text().replace(old, new, 1))
    with pytest.raises(SettingsError, match=message):
        new_job(project, "archive_invoices")


def test_settings_that_would_be_wrong_with_it_are_refused(project: Project) -> None:
    file = project.environments / "basic.toml"  # whose instance class takes no more connections than these
    file.write_text(file.read_text().replace('"rate(5 minutes)"', '"rate(5 minutes)"\nconcurrency = 16'))
    before = _content(project)
    with pytest.raises(SettingsError, match=r"they may open 51 connections at once, and t4g\.micro accepts 49"):
        new_job(project, "archive_invoices")
    assert _content(project) == before


def test_a_job_that_the_first_stack_has_no_room_for_is_settled_in_the_next(project: Project) -> None:
    file = project.environments / "basic.toml"
    names = [f"job{number:02}" for number in range(FIRST)]
    for name in names:
        project.job_file(name).write_text((PROJECT.jobs / "pulse.py").read_text())
    head = file.read_text().partition("[[jobs]]")[0].replace("t4g.micro", "t4g.large")
    file.write_text(head + "".join(f'[[jobs]]\nname = "{name}"\nschedule = "rate(5 minutes)"\n' for name in names))
    job = new_job(project, "archive_invoices", "basic")
    job.write()
    assert "environments/basic.stacks.json" in job.next_steps
    assert json.loads((project.environments / "basic.stacks.json").read_text()) == {
        "Jobs": names,
        "Jobs-2": ["archive_invoices"],
    }
    assert len(load_environment(project, "basic").jobs) == FIRST + 1


@pytest.mark.parametrize("unwritable", ["job", "migration", "test"])
def test_nothing_is_written_if_one_file_cannot_be(project: Project, unwritable: str) -> None:
    job = new_job(project, "archive_invoices")
    file: Path = getattr(job, unwritable)
    file.mkdir(parents=True)
    before = _content(project)
    with pytest.raises(ScaffoldError, match=r"nothing was written: .*exists"):
        job.write()
    assert _content(project) == before


def _content(project: Project) -> dict[Path, str]:
    return {file: file.read_text() for file in project.folder.rglob("*") if file.is_file()}
