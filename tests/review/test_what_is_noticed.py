"""make diff BASE=main keeps what it synthesized, and yet no change of anything that takes part goes unnoticed.

With the real command, on a copy of the repository whose app takes no time: its one resource is a digest of all files.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.working_copy import commit, edit, git, link_tools, working_copy

pytestmark = pytest.mark.deployment

APP = """
import hashlib, json, os, pathlib
(pathlib.Path({log!r})).open("a").write("synthesized\\n")
context = os.environ["CDK_CONTEXT_JSON"]
digest = hashlib.sha256(context.encode() + os.environ.get("OTHER", "").encode())
for file in sorted(pathlib.Path().rglob("*")):
    if file.is_file() and "__pycache__" not in file.parts:
        digest.update(str(file).encode() + b"\\0" + file.read_bytes() + b"\\0")
folder = pathlib.Path(os.environ["CDK_OUTDIR"], "assembly-basic")
folder.mkdir(parents=True)
everything = {{"Type": "AWS::CloudWatch::Dashboard", "Properties": {{"DashboardBody": digest.hexdigest()}}}}
template = {{"Resources": {{"All": everything}}}}
stack = {{
    "type": "aws:cloudformation:stack",
    "environment": "aws://111111111111/eu-central-1",
    "properties": {{"stackName": "basic-Jobs", "templateFile": "Jobs.template.json"}},
}}
(folder / "Jobs.template.json").write_text(json.dumps(template))
(folder / "manifest.json").write_text(json.dumps({{"artifacts": {{"Jobs": stack}}}}))
"""
CHANGED, UNCHANGED = (
    "(`AWS::CloudWatch::Dashboard`) changed: `DashboardBody` changes from",
    "Nothing changes in any environment.",
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Committed as main; what it synthesizes is counted in the file `log` beside it."""
    folder = working_copy(tmp_path_factory.mktemp("noticed") / "project")
    for unused in ("docs", "lab", "tests"):
        shutil.rmtree(folder / unused)
    (folder / "app.py").write_text(APP.format(log=str(folder.parent / "log")))
    (folder / "requirements.txt").write_text("# No packages: they are installed in no time.\n")
    git(folder, "checkout", "--quiet", "-B", "main")
    commit(folder, "base")
    link_tools(folder)
    (folder / ".git" / "info" / "exclude").write_text("/lambda/jobs/draft.py\n/.venv\n/node_modules\n")
    assert UNCHANGED in _diff(folder)
    return folder


def test_what_did_not_change_is_synthesized_once(project: Path) -> None:
    assert UNCHANGED in _diff(project)
    edit(project / "lambda" / "jobs" / "pulse.py", '"""', '"""Newly: ')
    changed = _diff(project)
    assert CHANGED in changed
    count = _count(project)
    assert _diff(project) == changed
    git(project, "commit", "--quiet", "--all", "--message", "the same files")
    assert UNCHANGED in _diff(project)
    git(project, "reset", "--quiet", "--hard", "HEAD^")
    assert UNCHANGED in _diff(project, OTHER="a variable decides nothing")
    assert _count(project) == count == 2


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("app.py", "import hashlib, json", "import json, hashlib"),
        ("cdk.json", "true", "null"),
        ("environments/basic.toml", "tried out", "tried OUT"),
        ("lambda/jobs/pulse.py", "Shows", "Tells"),
        ("lambda/migrations/0001_pulse.sql", "One row", "A   row"),
        ("lambda/mysql_jobs/certificates/eu-central-1.pem", "Amazon", "AMAZON"),
        ("requirements.txt", "No packages", "no packages"),
        ("settings/names.py", "The names", "the names"),
        ("stacks/watching/alarm.py", "An alarm", "an alarm"),
    ],
)
def test_a_changed_file_is_noticed_although_its_size_and_time_are_as_before(
    file: str, old: str, new: str, project: Path
) -> None:
    before = (project / file).stat()
    edit(project / file, old, new)
    os.utime(project / file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (project / file).stat().st_size == before.st_size
    try:
        assert CHANGED in _diff(project)
    finally:
        edit(project / file, new, old)


@pytest.mark.parametrize("file", ["resources.py", "cdk.context.json", "stacks/new/room.py", "lambda/jobs/draft.py"])
def test_a_new_file_is_noticed_even_one_that_git_ignores(file: str, project: Path) -> None:
    (project / file).parent.mkdir(exist_ok=True)
    (project / file).write_text("{}")
    try:
        assert CHANGED in _diff(project)
    finally:
        (project / file).unlink()


def test_a_file_that_is_gone_is_noticed(project: Path) -> None:
    shutil.move(project / "lambda" / "jobs" / "sweep.py", project.parent / "sweep.py")
    try:
        assert CHANGED in _diff(project)
    finally:
        shutil.move(project.parent / "sweep.py", project / "lambda" / "jobs" / "sweep.py")


def _diff(project: Path, **variables: str) -> str:
    done = subprocess.run(
        ["make", "diff", "BASE=main"],
        cwd=project,
        env={key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "MAKE"))} | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _count(project: Path) -> int:
    return (project.parent / "log").read_text().count("synthesized")
