"""A team whose repository has none of the examples takes a later version of the engine over, without a conflict."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scaffold.upgrade import YOURS
from tests.audit import READERS
from tests.working_copy import commit, edit, git, link_tools, working_copy

pytestmark = pytest.mark.deployment

HANG_SECONDS = 1200

TEAMS = {
    "environments/alone.toml": (
        'account = "123456789012"\nregion = "eu-west-1"\naccept_risk = ["single_zone"]\n\n'
        '[network]\ncidr = "10.1.0.0/20"\nzones = ["a", "b"]\n\n'
        '[database]\ninstance_class = "t4g.small"\nmulti_az = false\nbackup_days = 7\ndeletion_protection = true\n\n'
        '[[jobs]]\nname = "count_visits"\nschedule = "rate(1 day)"\n'
    ),
    "lambda/jobs/__init__.py": '"""Our jobs."""\n',
    "lambda/jobs/count_visits.py": (
        '"""Counts visits."""\n\nfrom mysql_jobs import Run\n\nTABLES = {"visit": ("SELECT",)}\n\n\n'
        'def run(run: Run) -> dict[str, int]:\n    """Count them."""\n    with run.cursor() as cursor:\n'
        '        cursor.execute("SELECT COUNT(*) FROM visit")\n        [(count,)] = cursor.fetchall()\n'
        '        return {"visits": count}\n'
    ),
    "lambda/migrations/0001_visit.sql": "CREATE TABLE visit (id INT PRIMARY KEY);\n",
    "tests/jobs/test_count_visits.py": "def test_counting() -> None:\n    assert True\n",
    "README.md": "# Our jobs\n",
}
"""What a team has instead of the examples."""

UNIT = (sys.executable, "-m", "pytest", "-m", "not integration and not deployment")
"""`make unit`, in one process."""
READING = """
import pytest

from settings.project import ROOT


@pytest.mark.parametrize("path", ["environments/alone.toml", "lambda/jobs/count_visits.py", "README.md"])
def test_reading(path):
    (ROOT / path).read_text()


def test_listing():
    list((ROOT / "environments").iterdir())
"""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The engine's repository, with examples, in two versions: v1 and v2."""
    folder = working_copy(tmp_path_factory.mktemp("engine") / "engine")
    commit(folder, "one")
    git(folder, "tag", "v1")
    edit(folder / "environments" / "basic.toml", "t4g.micro", "t4g.small")
    edit(folder / "lambda" / "jobs" / "pulse.py", '"""', '"""Newly: ')
    (folder / "lambda" / "jobs" / "sweep.py").unlink()
    (folder / "lambda" / "jobs" / "another.py").write_text('"""An example that v1 did not have."""\n')
    (folder / "tests" / "snapshots").mkdir(exist_ok=True)
    (folder / "tests" / "snapshots" / "basic-Network.json").write_text("{}\n")
    _append(folder / "README.md", "In v2.\n")
    _append(folder / "stacks" / "watching" / "alarm.py", "# In v2.\n")
    (folder / "lambda" / "mysql_jobs" / "migrations" / "0002_note.sql").write_text(
        "CREATE TABLE note (id INT PRIMARY KEY);\n"
    )
    commit(folder, "two")
    git(folder, "tag", "v2")
    return folder


@pytest.fixture
def team(engine: Path, tmp_path: Path) -> Path:
    """A clone of v1 in which a team has replaced every example."""
    folder = tmp_path / "team"
    git(tmp_path, "clone", "--quiet", "--no-hardlinks", "--branch", "v1", str(engine), str(folder))
    git(folder, "switch", "--quiet", "--create", "main")
    git(folder, "config", "user.name", "team")
    git(folder, "config", "user.email", "team@example.com")
    git(folder, "rm", "-r", "--quiet", "--ignore-unmatch", *YOURS)
    for name, text in TEAMS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    commit(folder, "ours")
    return folder


def test_a_later_version_leaves_alone_what_is_yours(team: Path) -> None:
    done = _upgrade(team, "v2")
    assert (done.returncode, done.stderr) == (0, "")
    assert git(team, "status", "--porcelain") == ""
    assert git(team, "diff", "--name-only", "HEAD^1", "HEAD").splitlines() == [
        "lambda/mysql_jobs/migrations/0002_note.sql",
        "stacks/watching/alarm.py",
    ]
    assert git(team, "ls-files", *YOURS).splitlines() == sorted(TEAMS)
    assert _upgrade(team, "v2").returncode == 0  # again: nothing to do


def test_a_version_merges_into_a_clone_that_kept_the_examples(engine: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--no-hardlinks", "--branch", "v1", str(engine), "team")
    git(tmp_path / "team", "config", "user.name", "team")
    git(tmp_path / "team", "config", "user.email", "team@example.com")
    assert _upgrade(tmp_path / "team", "v2").returncode == 0
    assert "t4g.micro" in (tmp_path / "team" / "environments" / "basic.toml").read_text()
    assert (tmp_path / "team" / "lambda" / "jobs" / "sweep.py").is_file()


def test_an_engine_file_that_both_changed_is_named_and_the_merge_stays_open(team: Path) -> None:
    _append(team / "stacks" / "watching" / "alarm.py", "# Ours.\n")
    commit(team, "a change of the engine")
    done = _upgrade(team, "v2")
    assert done.returncode == 1
    assert "- stacks/watching/alarm.py\n" in done.stdout
    assert "git merge --abort" in done.stdout
    git(team, "merge", "--abort")
    assert git(team, "status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("version", "message"),
    [("", "name one with VERSION="), ("v3", "There is no version 'v3' here"), ("--force", "There is no version")],
)
def test_a_version_that_is_not_there_is_named(version: str, message: str, team: Path) -> None:
    done = _upgrade(team, version)
    assert (done.returncode, message in done.stderr) == (70, True), done.stderr


def test_what_is_not_committed_is_not_merged_over(team: Path) -> None:
    (team / "environments" / "new.toml").write_text("")
    done = _upgrade(team, "v2")
    assert (done.returncode, "?? environments/new.toml" in done.stderr) == (70, True)


def test_a_copy_without_history_is_told_how_to_get_one(team: Path, tmp_path: Path) -> None:
    git(team, "checkout", "--quiet", "--orphan", "copied")
    git(team, "commit", "--quiet", "--message", "copied")
    done = _upgrade(team, "v2")
    assert (done.returncode, "it was copied, not cloned" in done.stderr) == (70, True)
    git(team, "merge", "--quiet", "--strategy", "ours", "--allow-unrelated-histories", "--no-edit", "v1")
    assert _upgrade(team, "v2").returncode == 0


def test_the_engines_tests_pass_on_what_the_team_wrote(team: Path) -> None:
    # In make test, those that read what a team wrote, as the others fail if they do; in make clone, all.
    assert _upgrade(team, "v2").returncode == 0
    link_tools(team)
    selected = () if "CLONE" in os.environ else READERS
    for command in (["make", "snapshots"], [*UNIT, *selected]):
        done = _typed(team, *command)
        assert done.returncode == 0, done.stdout[-6000:]


def test_a_test_of_the_engine_that_reads_what_a_team_wrote_fails(team: Path) -> None:
    link_tools(team)
    (team / "tests" / "settings" / "test_reading.py").write_text(READING)
    done = _typed(team, *UNIT, "tests/settings/test_reading.py")
    read = ("environments/alone.toml", "lambda/jobs/count_visits.py", "README.md", "environments")
    for path in read:
        assert f"tests/settings/test_reading.py reads {path}: " in done.stdout, done.stdout
    assert f"{len(read)} failed" in done.stdout


def _typed(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    usual = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "PYTEST"))}
    return subprocess.run(
        command, cwd=folder, env=usual, capture_output=True, text=True, check=False, timeout=HANG_SECONDS
    )


def _append(file: Path, text: str) -> None:
    file.write_text(file.read_text() + text)


def _upgrade(folder: Path, version: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scaffold.upgrade", "--", version]
    return subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
    )
