"""The commands of the documents, typed in a fresh clone: they end well, and say what the documents promise."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from settings.project import ROOT
from tests.documents.documents import HERE, RUN_BY
from tests.working_copy import commit, edit, git, link_tools, working_copy

pytestmark = pytest.mark.deployment

PROMISES = {
    "make": r"^  make deploy +Show",
    "make synth": r"^Connections: \d+ of \d+ at worst",
    "make snapshots": r"^tests/snapshots: \d+ files\.",
    "make diff BASE=main": r"Nothing changes in any environment\.",
    "make hooks": r"pre-commit installed at \.git/hooks/pre-commit",
    "make docs": r"^docs/environment\.md$",
    "make format": r"left unchanged",
}
"""What each command prints, among other things; in an order in which they can be typed."""


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone with the working tree's files and the fixture's project as yours, committed as main.

    Installed is what is installed here.
    """
    folder = working_copy(tmp_path_factory.mktemp("documents") / "clone")
    for name in ("large", "middle"):  # each would cost every synthesis a second
        (folder / "environments" / f"{name}.toml").unlink()
    _set_up(folder)
    git(folder, "checkout", "--quiet", "-B", "main")
    commit(folder, "base")
    return folder


@pytest.mark.parametrize("command", PROMISES)
def test_a_command_does_what_the_documents_say(command: str, clone: Path) -> None:
    # Installs nothing, however new a lock file looks.
    typed = command.replace("make", "make --old-file=.venv/wheels/ready", 1)
    done = subprocess.run(
        ["bash", "-c", typed], cwd=clone, env=_environment(clone), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(PROMISES[command], done.stdout, re.MULTILINE), done.stdout
    assert git(clone, "status", "--porcelain", "--", ".", ":!tests/snapshots") == ""


def test_every_command_that_this_is_to_run_is_run() -> None:
    assert set(PROMISES) == {command for command, where in RUN_BY.items() if where == HERE}


def test_a_good_commit_passes_the_hooks(hooked: Path) -> None:
    edit(hooked / "stacks" / "watching" / "alarm.py", "\n\n\n", "\n\nMEANING = 1\n\n\n")
    edit(hooked / "environments" / "basic.toml", "rate(5 minutes)", "rate(10 minutes)")
    done = _commit(hooked)
    assert done.returncode == 0, done.stdout + done.stderr
    assert git(hooked, "log", "-1", "--format=%s") == "change\n"
    assert done.stderr.count("Passed") == 3
    assert done.stderr.count("Skipped") == 2


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("stacks/watching/alarm.py", "\n\n\n", "\n\nMEANING  =  1\n\n\n", "1 file reformatted"),
        ("stacks/watching/alarm.py", "\n\n\n", "\n\nMEANING = unknown\n\n\n", "F821 Undefined name `unknown`"),
        (
            "environments/basic.toml",
            "t4g.micro",
            "t4g.mikro",
            'basic.toml: database.instance_class = "t4g.mikro": there is no such class: did you mean t4g.micro?',
        ),
        ("lambda/jobs/tally.py", "def run(", "def runs(", "environments/basic.toml: jobs[1].name"),
        (".github/workflows/tests.yml", "runs-on:", "run-on:", "run-on"),
        (".github/workflows/tests.yml", "persist-credentials: false", "persist-credentials: true", "artipacked"),
    ],
    ids=["format", "name", "environment", "job", "workflow", "token"],
)
def test_a_wrong_commit_is_refused_and_told_why(file: str, old: str, new: str, said: str, hooked: Path) -> None:
    edit(hooked / file, old, new)
    done = _commit(hooked)
    assert done.returncode != 0
    assert said in done.stderr
    assert git(hooked, "log", "-1", "--format=%s") == "base\n"


def test_the_hooks_run_the_linters_of_make_lint() -> None:
    """mypy takes too long for a hook."""
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe
    linters = {line.strip("\t@").split()[0] for line in recipe[1].splitlines()} - {"mypy"}
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()
    assert {linter for linter in linters if f"/{linter}" in hooks} == linters


@pytest.fixture
def hooked(clone: Path, tmp_path: Path) -> Path:
    """A clone of the clone, with the hooks installed."""
    folder = tmp_path / "hooked"
    git(clone, "clone", "--quiet", str(clone), str(folder))
    _set_up(folder)
    subprocess.run([".venv/bin/pre-commit", "install"], cwd=folder, env=_environment(folder), check=True)
    return folder


def _set_up(project: Path) -> None:
    """As after `make setup`, by somebody who has a name."""
    link_tools(project)
    # .gitignore means folders, and these are links.
    (project / ".git" / "info" / "exclude").write_text("/.venv\n/node_modules\n")
    git(project, "config", "user.name", "test")
    git(project, "config", "user.email", "test@example.com")


def _commit(project: Path) -> subprocess.CompletedProcess[str]:
    command = ["git", "commit", "--quiet", "--all", "--message", "change"]
    return subprocess.run(command, cwd=project, env=_environment(project), capture_output=True, text=True, check=False)


def _environment(project: Path) -> dict[str, str]:
    """A usual terminal, outside of any make, with no credentials, and pre-commit's files beside the project."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "GIT_", "MAKE"))}
    return {**kept, "COLUMNS": "120", "PRE_COMMIT_HOME": str(project.parent / "pre-commit")}
