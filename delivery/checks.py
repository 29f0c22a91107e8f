"""What has to be so before anything is done: each check says what is wrong, where, and what to do."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from delivery.assembly import Assembly
from delivery.aws import Aws, DeployedStack
from delivery.refusal import Refused
from delivery.states import NEVER_MADE, sentence, state
from stacks.settings import EnvironmentSettings


def clean_commit(project: Path) -> str:
    """The commit that is deployed, with its subject: what is deployed must be something that somebody can read.

    Raises:
        Refused: `project` is in no git repository, or holds what is not committed.
    """
    inside = _git(project, "rev-parse", "--is-inside-work-tree")
    if inside.returncode:
        raise Refused(
            f"{project} is not a git repository ({inside.stderr.strip()}), and what is deployed must be a commit "
            "that somebody can read: deploy from a clone"
        )
    if changed := _git(project, "status", "--porcelain", "--untracked-files=normal").stdout.rstrip():
        raise Refused(
            f"What is deployed must be a commit that somebody can read, and this is in none:\n{changed}\n"
            "Commit it (`git add`, `git commit`), put it aside (`git stash --include-untracked`), or add to "
            ".gitignore what is nobody's business"
        )
    if hidden := _hidden(project):
        raise Refused(
            "What is deployed must be a commit that somebody can read, and git was told not to look at these, which "
            f"are part of what is deployed:\n{hidden}\nCommit them, or take them away"
        )
    return _git(project, "log", "-1", "--format=%h (%s)").stdout.strip()


def account(aws: Aws, settings: EnvironmentSettings) -> None:
    """Whether the credentials are of the environment's account.

    Raises:
        Refused: there are none, AWS takes them no more, or they are of another account.
    """
    look = "Look with `aws sts get-caller-identity`"
    try:
        found, caller = aws.caller()
    except (BotoCoreError, ClientError) as error:
        raise Refused(
            f"AWS can't say whose credentials these are: {error}\n"
            f"Log in (`aws sso login`, or as your account does it), or name a profile with AWS_PROFILE. {look}"
        ) from error
    if found != settings.account:
        raise Refused(
            f"The credentials are of account {found} ({caller}), and {settings.name} is in account "
            f"{settings.account}: take others, for example with AWS_PROFILE. {look}. Is the account wrong instead? It "
            f"stands in environments/{settings.name}.toml"
        )


def bootstrapped(aws: Aws, assembly: Assembly) -> None:
    """Whether `cdk bootstrap` has made what a deploy needs, in a version that will do.

    Raises:
        Refused: it has not.
    """
    for parameter, version in {(each.bootstrap_parameter, each.bootstrap_version) for each in assembly.stacks}:
        found = aws.parameter(parameter)
        if found is None or int(found) < version:
            there = "is not there" if found is None else f"says version {found}, and {version} is needed"
            raise Refused(
                f"The account is not ready for the CDK in {aws.region}: the SSM parameter {parameter} {there}. "
                f"Once per account and region: `make bootstrap ENV={assembly.environment}`"
            )


def updatable(deployed: Mapping[str, DeployedStack], region: str) -> None:
    """Whether each stack is in a state in which CloudFormation takes a change.

    Raises:
        Refused: some are not.
    """
    lines = [line for each in deployed.values() if (line := _not_updatable(each, region))]
    if lines:
        raise Refused("CloudFormation would take no change:\n" + "\n".join(lines))


def at_rest(deployed: Mapping[str, DeployedStack]) -> None:
    """Whether nothing happens to the stacks at the moment.

    Raises:
        Refused: something does.
    """
    busy = [each for each in deployed.values() if each.status.endswith("_IN_PROGRESS") and not never_made(each)]
    if busy:
        names = ", ".join(f"{each.name} ({each.status})" for each in busy)
        raise Refused(f"CloudFormation is at work on {names}: wait until it has ended")


def never_made(stack: DeployedStack) -> bool:
    """Whether there is no more of it than a name."""
    return stack.status in NEVER_MADE


def _not_updatable(stack: DeployedStack, region: str) -> str | None:
    if never_made(stack) and stack.protected:
        # The CLI's attempt to delete it would fail, and say no more than that.
        return (
            f"- {stack.name} ({stack.status}) could not be made, and is protected from being deleted and made anew: "
            "`aws cloudformation update-termination-protection --no-enable-termination-protection "
            f"--stack-name {stack.name} --region {region}`. The deploy protects it again"
        )
    return f"- {sentence(stack, region)}" if state(stack.status).first else None


INPUTS = ("app.py", "cdk.json", "cdk.context.json", "environments", "lambda", "stacks")
"""What a synthesis reads."""


def _hidden(project: Path) -> str:
    """Those of INPUTS that git ignores, or shall take for unchanged."""
    ignored = ("--others", "--ignored", "--exclude-standard", "--", *INPUTS)
    files = _git(project, "ls-files", *ignored).stdout.splitlines()
    hidden = [each for each in files if "__pycache__" not in each]
    flagged = _git(project, "ls-files", "-v", "--", *INPUTS).stdout.splitlines()
    return "\n".join([*hidden, *(each[2:] for each in flagged if each[0].islower() or each[0] == "S")])


def _git(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["git", *arguments]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
