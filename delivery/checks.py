"""Checks before anything is done: each says what is wrong, where, and what to do."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from delivery import references
from delivery.assembly import Assembly
from delivery.aws import Aws, DeployedStack
from delivery.refusal import Refused
from delivery.states import NEVER_MADE, sentence, steps
from settings.environment import EnvironmentSettings


def clean_commit(project: Path) -> str:
    """Return the commit that is deployed, with its subject: what is deployed can always be read in the repository.

    Raises:
        Refused: `project` is in no git repository, or has changes that are not committed.
    """
    inside = _git(project, "rev-parse", "--is-inside-work-tree")
    if inside.returncode:
        raise Refused(
            f"{project} is not a git repository ({inside.stderr.strip()}), and only commits are deployed: "
            "deploy from a clone"
        )
    if changed := _git(project, "status", "--porcelain", "--untracked-files=normal").stdout.rstrip():
        raise Refused(
            f"Only commits are deployed, and these changes are not committed:\n{changed}\n"
            "Commit them (`git add`, `git commit`), put them aside (`git stash --include-untracked`), or add files "
            "that are not part of the project to .gitignore"
        )
    if hidden := _hidden(project):
        raise Refused(
            "Only commits are deployed, and these files, which are part of what is deployed, are hidden from git "
            f"(ignored, or marked as unchanged):\n{hidden}\nCommit them, or remove them"
        )
    return _git(project, "log", "-1", "--format=%h (%s)").stdout.strip()


def account(aws: Aws, settings: EnvironmentSettings) -> None:
    """Check that the credentials are for the environment's account.

    Raises:
        Refused: there are none, AWS refuses them, or they are for another account.
    """
    look = "`aws sts get-caller-identity` shows which are used"
    try:
        found, caller = aws.caller()
    except (BotoCoreError, ClientError) as error:
        raise Refused(
            f"No valid credentials for AWS: {error}\n"
            f"Log in (`aws sso login`, or the way your account does), or name a profile with AWS_PROFILE; {look}"
        ) from error
    if found != settings.account:
        raise Refused(
            f"The credentials are for account {found} ({caller}), and {settings.name} is in account "
            f"{settings.account}: use others, for example with AWS_PROFILE; {look}. If the account is wrong instead, "
            f"correct it in environments/{settings.name}.toml"
        )


def bootstrapped(aws: Aws, assembly: Assembly) -> None:
    """Check that `cdk bootstrap` has made what a deploy needs, in a version that is new enough.

    Raises:
        Refused: it has not.
    """
    for parameter, version in {(each.bootstrap_parameter, each.bootstrap_version) for each in assembly.stacks}:
        found = aws.parameter(parameter)
        if found is None or int(found) < version:
            there = "does not exist" if found is None else f"says version {found}, and {version} is needed"
            raise Refused(
                f"The account is not bootstrapped for the CDK in {aws.region}: the SSM parameter {parameter} {there}. "
                f"Once per account and region: `make bootstrap ENV={assembly.environment}`"
            )


def updatable(deployed: Mapping[str, DeployedStack], region: str) -> None:
    """Check that each stack is in a state in which CloudFormation accepts a change.

    Raises:
        Refused: some are not.
    """
    lines = [f"- {sentence(each, region)}" for each in deployed.values() if list(steps(each, region))]
    if lines:
        raise Refused("CloudFormation would refuse a change:\n" + "\n".join(lines))


def nobody_left_behind(assembly: Assembly, aws: Aws, deployed: Mapping[str, DeployedStack]) -> None:
    """Check that nothing is replaced that another stack reads: it would go on with what is gone.

    Raises:
        Refused: something is.
    """
    templates = {name: aws.template(name) for name, stack in deployed.items() if not never_made(stack)}
    if lines := references.left_behind(assembly, templates):
        raise Refused(
            "CloudFormation would replace what other stacks are built on:\n"
            + "\n".join(lines)
            + f"\nUndo that change, or make a new environment with it. Or start {assembly.environment} anew: `make "
            f"destroy ENV={assembly.environment}` with what is deployed now, then deploy"
        )


def at_rest(deployed: Mapping[str, DeployedStack]) -> None:
    """Check that CloudFormation is not working on any of the stacks.

    Raises:
        Refused: it is.
    """
    busy = [each for each in deployed.values() if each.status.endswith("_IN_PROGRESS") and not never_made(each)]
    if busy:
        names = ", ".join(f"{each.name} ({each.status})" for each in busy)
        raise Refused(f"CloudFormation is working on {names}: wait until it has finished")


def never_made(stack: DeployedStack) -> bool:
    """Return whether the stack has a name and no resources."""
    return stack.status in NEVER_MADE


INPUTS = ("app.py", "cdk.json", "cdk.context.json", "environments", "lambda", "resources.py", "settings", "stacks")
"""What a synthesis reads."""


def _hidden(project: Path) -> str:
    """Return the files of INPUTS that git ignores, or was told to treat as unchanged."""
    ignored = ("--others", "--ignored", "--exclude-standard", "--", *INPUTS)
    files = _git(project, "ls-files", *ignored).stdout.splitlines()
    hidden = [each for each in files if "__pycache__" not in each]
    flagged = _git(project, "ls-files", "-v", "--", *INPUTS).stdout.splitlines()
    return "\n".join([*hidden, *(each[2:] for each in flagged if each[0].islower() or each[0] == "S")])


def _git(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["git", *arguments]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
