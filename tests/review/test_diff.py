"""make diff BASE=main, on a copy of the repository: what it says of the changes that people make, and its status."""

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from documents import synthesis
from review.assemblies import synthesize
from review.diff import review, status
from review.failure import ReviewFailed
from review.report import EnvironmentReview, markdown
from settings.project import Project
from tests.working_copy import commit, git, link_tools, working_copy

pytestmark = pytest.mark.deployment

ENVIRONMENTS = ("basic", "large", "middle")

JOB = '"""Greets."""\n\nTABLES = {"greeting": ("INSERT",)}\n\n\ndef run(run):\n    return {}\n'
SETTINGS = '[[jobs]]\nname = "greeting"\nschedule = "rate(1 hour)"\n\n'

CHANGES = {
    "schedule": (("environments/*.toml", "rate(15 minutes)", "rate(30 minutes)"),),
    "instance": (("environments/large.toml", "m7g.large", "m7g.xlarge"),),
    "schema": (("environments/*.toml", "multi_az = ", 'name = "work"\nmulti_az = '),),
    "access": (
        (
            "stacks/database/database.py",
            "        self.master_secret = ",
            '        self.instance.connections.allow_default_port_from(ec2.Peer.ipv4("10.0.0.0/8"))\n'
            "        self.master_secret = ",
        ),
    ),
    "rename": (
        ("stacks/database/instance.py", '        "Instance",\n', '        "Server",\n'),
        ("stacks/compliance.py", "Database/Instance", "Database/Server"),
    ),
    "job": (("environments/*.toml", '[[jobs]]\nname = "tally"', f'{SETTINGS}[[jobs]]\nname = "tally"'),),
    "protection": (
        ("environments/middle.toml", "deletion_protection = true", "deletion_protection = false"),
        ("environments/middle.toml", "[network]", 'accept_risk = ["no_deletion_protection"]\n\n[network]'),
    ),
}
"""Files, and what is replaced in them by what."""
ENGINE_CHANGES = ("access", "rename")

NOW = datetime(2026, 11, 27, 10, 40, tzinfo=UTC)

NOT_ACCEPTED = "**Not accepted yet: 1 decision**, in `basic`, `large`, `middle`. To say yes to one, write "

ACCEPTED = """
[[accept_change]]
resource = "Database/Instance"
danger = "replaced-85806a1b"
reason = "basic starts anew"
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone with the working tree's files, committed as main; the environments are those that are deployed."""
    folder = working_copy(tmp_path_factory.mktemp("repository") / "clone")
    (folder / "environments" / "local.toml").unlink()
    git(folder, "checkout", "--quiet", "-B", "main")
    commit(folder, "base")
    return folder


@pytest.fixture(scope="module")
def reviews(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[EnvironmentReview]]:
    """What each change does, by its name in CHANGES; the base is synthesized once."""
    folder = tmp_path_factory.mktemp("changes")
    projects = {"base": repository}
    for name, edits in CHANGES.items():
        projects[name] = folder / name
        shutil.copytree(repository, projects[name], ignore=shutil.ignore_patterns(".git"))
        for edit in edits:
            _edit(projects[name], *edit)
    (projects["job"] / "lambda" / "jobs" / "greeting.py").write_text(JOB)
    assemblies = {name: folder / f"{name}.out" for name in projects}
    for name, project in projects.items():
        if name in ENGINE_CHANGES:
            synthesize(project, assemblies[name], Path(sys.executable))
        else:
            synthesis.synthesize(Project(project), assemblies[name], validated=False)  # the same, without a new process
    found = {
        name: review(repository, assemblies["base"], projects[name], assemblies[name], now=NOW) for name in projects
    }
    basic = projects["schema"] / "environments" / "basic.toml"
    basic.write_text(basic.read_text() + ACCEPTED)
    found["accepted"] = review(repository, assemblies["base"], projects["schema"], assemblies["schema"])
    found["all accepted"] = review(repository, assemblies["base"], projects["schema"], assemblies["schema"], "new data")
    # Once it is in the base, it is no answer to the next change.
    found["long ago"] = review(projects["schema"], assemblies["base"], projects["schema"], assemblies["schema"])
    return found


def test_no_change_is_no_change(reviews: dict[str, list[EnvironmentReview]]) -> None:
    assert _report(reviews["base"]) == "# Changes\n\nNothing changes in any environment.\n"
    assert status(reviews["base"]) == 0


def test_a_changed_schedule_is_shown_once_for_all_environments(reviews: dict[str, list[EnvironmentReview]]) -> None:
    report = _report(reviews["schedule"])
    assert report.count("Jobs/Job-tally/Schedule") == 2  # its next runs, and what changes
    assert (
        "changed: `ScheduleExpression` changes from `rate(15 minutes)` to `rate(30 minutes)`; "
        "`Target.RetryPolicy.MaximumEventAgeInSeconds` changes from `450` to `900`\n"
    ) in report
    assert status(reviews["schedule"]) == 3


def test_what_a_change_costs_is_counted(reviews: dict[str, list[EnvironmentReview]]) -> None:
    report = _report(reviews["job"])
    assert "## What it costs\n\n- `basic`, `large`, `middle`: **+3.30 USD a month**\n" in report  # as docs/cost.md says
    assert "  - +2.40: metrics (8 more)\n" in report
    assert "What it costs" not in _report(reviews["schedule"])


def test_an_edit_of_one_file_changes_one_environment(reviews: dict[str, list[EnvironmentReview]]) -> None:
    assert [each.name for each in reviews["instance"] if each.changed] == ["large"]
    assert "`DBInstanceClass` changes from `db.m7g.large` to `db.m7g.xlarge`\n" in _report(reviews["instance"])
    assert status(reviews["instance"]) == 3


def test_a_change_that_replaces_the_database_fails(reviews: dict[str, list[EnvironmentReview]]) -> None:
    for each in _deployed(reviews["schema"]):
        assert {(danger.kind, danger.resource, danger.code) for danger in each.open} == {
            ("data", "Database/Instance", "replaced-85806a1b")
        }
        [replaced] = [danger for danger in each.open if danger.text.startswith("would be replaced")]
        assert replaced.text == "would be replaced: `DBName` changes from `jobs` to `work`"
        assert replaced.then.startswith("CloudFormation will refuse")
    assert _report(reviews["schema"]).startswith("# Changes\n\n**Not accepted yet: 1 decision**")
    assert status(reviews["schema"]) == 4


def test_an_environments_file_accepts_for_that_environment(reviews: dict[str, list[EnvironmentReview]]) -> None:
    assert _open(reviews["accepted"]) == {"large", "middle"}
    assert "basic starts anew" in _report(reviews["accepted"])
    assert status(reviews["accepted"]) == 4


def test_an_option_accepts_for_all(reviews: dict[str, list[EnvironmentReview]]) -> None:
    assert _open(reviews["all accepted"]) == set()
    assert "new data" in _report(reviews["all accepted"])
    assert status(reviews["all accepted"]) == 3


def test_what_the_base_accepted_accepts_nothing_more(reviews: dict[str, list[EnvironmentReview]]) -> None:
    assert _open(reviews["long ago"]) == {"basic", "large", "middle"}
    assert status(reviews["long ago"]) == 4


def test_a_widened_security_group_fails(reviews: dict[str, list[EnvironmentReview]]) -> None:
    for each in _deployed(reviews["access"]):
        [danger] = each.open
        assert (danger.kind, danger.resource) == ("access", "Database/SecurityGroup")
        assert danger.text == "lets `10.0.0.0/8` in, on tcp `{Database/Instance.Endpoint.Port}`"
    assert status(reviews["access"]) == 4


def test_another_name_for_the_databases_construct_is_a_replacement_that_fails(
    reviews: dict[str, list[EnvironmentReview]],
) -> None:
    for each in _deployed(reviews["rename"]):
        [(kind, resource, code)] = {(danger.kind, danger.resource, danger.code) for danger in each.open}
        assert (kind, resource, code.partition("-")[0]) == ("data", "Database/Instance", "removed")
        texts = [danger.text for danger in each.open]
        assert "`Database/Instance` would be replaced: `Database/Server` takes its place" in texts
    report = _report(reviews["rename"])
    assert "- `Database/Instance` (`AWS::RDS::DBInstance`) removed\n" in report
    assert "- `Database/Server` (`AWS::RDS::DBInstance`) added\n" in report
    assert status(reviews["rename"]) == 4


def test_a_new_job_is_nothing_to_ask_about(reviews: dict[str, list[EnvironmentReview]]) -> None:
    report = _report(reviews["job"])
    assert report.startswith(
        "# Changes\n\nNothing loses data, blocks writers, breaks jobs, widens access or takes protection away.\n"
    )
    assert "Jobs/Job-greeting/Job/Role` (`AWS::IAM::Role`) added\n" in report
    assert "`Environment.Variables.RIGHTS` changes from" in report  # what it may do in the database is shown
    assert status(reviews["job"]) == 3


def test_protection_that_is_turned_off_fails(reviews: dict[str, list[EnvironmentReview]]) -> None:
    assert _open(reviews["protection"]) == {"middle"}
    asked = {(danger.kind, danger.resource) for each in reviews["protection"] for danger in each.open}
    assert asked == {("protection", "Database"), ("protection", "Database/Instance")}
    assert status(reviews["protection"]) == 4


def test_make_diff_names_the_functions_and_files_whose_code_changed(repository: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    git(repository, "clone", "--quiet", str(repository), str(project))
    link_tools(project)
    _edit(project, "lambda/jobs/tally.py", '"""', '"""', extra="# A line.\n")
    done = subprocess.run(
        [
            "make",
            "--old-file=.venv/wheels/ready",
            "diff",
            "BASE=main",
        ],  # installs nothing, however new the lock files look
        cwd=project,
        env={key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "MAKE"))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    head = git(project, "rev-parse", "--short=7", "HEAD").strip()
    assert done.stdout == (
        f"# Against `main` (`{head}`)\n\n"
        "Nothing loses data, blocks writers, breaks jobs, widens access or takes protection away.\n\n"
        "## Everything that changes\n\n"
        "### `basic`, `large`, `middle`\n\n<details><summary><code>Jobs</code>: 1</summary>\n\n"
        "- code of `pulse`, `sweep`, `tally`, `migrate`, `watch` changed: `lambda/jobs/tally.py`\n\n</details>\n"
    )
    assert (project / "cdk.out" / "diff.md").read_text() == done.stdout
    assert git(project, "worktree", "list").count("\n") == 1


def test_the_exit_status_says_what_the_report_does(repository: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    git(repository, "clone", "--quiet", str(repository), str(project))
    link_tools(project)
    git(project, "branch", "feature/$x")
    assert _ended(project, "--base=feature/$x") == (0, 0)
    _edit(project, "environments/basic.toml", "rate(15 minutes)", "rate(30 minutes)")
    assert _ended(project, "--base=feature/$x") == (3, 0)
    for edit in CHANGES["protection"]:
        _edit(project, *edit)
    assert _ended(project, "--base=feature/$x") == (4, 2)
    assert _ended(project, "--base=feature/$x", "--accept=it $(is) meant") == (3, 0)
    assert "it $(is) meant" in (project / "cdk.out" / "diff.md").read_text()
    _edit(project, "environments/basic.toml", "[network]", f"{ACCEPTED}\n[network]")
    assert _ended(project, "--base=feature/$x", "--accept=it is meant") == (4, 2)
    assert "nothing of it needs a yes: remove the entry" in (project / "cdk.out" / "diff.md").read_text()
    _edit(project, "environments/basic.toml", "t4g.micro", "t4g.mikro")
    assert _ended(project, "--base=feature/$x") == (70, 2)
    assert _ended(project, "--base=feature/") == (70, 2)


def test_a_call_without_a_base_is_wrong(repository: Path) -> None:
    command = [sys.executable, "-m", "review.diff"]
    assert subprocess.run(command, cwd=repository, capture_output=True, check=False).returncode == 2


def _ended(project: Path, *options: str) -> tuple[int, int]:
    """The status of the program and that of make."""
    words = {"--base": "BASE", "--accept": "ACCEPT"}
    given = [f"{words[name]}={value}" for name, _, value in (each.partition("=") for each in options)]
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "MAKE"))}
    program, make = (
        subprocess.run(command, cwd=project, env=inherited, capture_output=True, check=False).returncode
        for command in (
            [sys.executable, "-m", "review.diff", *options],
            ["make", "--old-file=.venv/wheels/ready", "diff", *given],
        )
    )
    return program, make


def test_a_base_that_does_not_exist_is_a_failure_of_its_own_kind(repository: Path) -> None:
    command = [sys.executable, "-m", "review.diff", "--base", "no-such"]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (70, "")
    assert "fetch no-such with its history, or name another commit" in done.stderr


def test_a_tree_that_does_not_synthesize_says_why(repository: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(repository, project, ignore=shutil.ignore_patterns(".git"))
    _edit(project, "environments/basic.toml", "t4g.micro", "t4g.mikro")
    with pytest.raises(ReviewFailed, match=r"environments/basic\.toml: database\.instance_class"):
        synthesize(project, tmp_path / "out", Path(sys.executable))


def _report(environments: list[EnvironmentReview]) -> str:
    assert set(ENVIRONMENTS) <= {each.name for each in environments}
    return markdown("Changes", environments, ())


def _deployed(reviews: list[EnvironmentReview]) -> list[EnvironmentReview]:
    """Those of the environments themselves, without their roles for workflows."""
    assert {each.name for each in reviews} >= set(ENVIRONMENTS)
    return [each for each in reviews if each.name in ENVIRONMENTS]


def _open(environments: list[EnvironmentReview]) -> set[str]:
    """The environments with something that nobody accepted."""
    return {each.name for each in environments if each.open}


def _edit(project: Path, files: str, old: str, new: str, *, extra: str = "") -> None:
    for file in project.glob(files):
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new) + extra)
