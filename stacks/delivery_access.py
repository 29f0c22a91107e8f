"""Which roles GitHub's workflows work in: what the delivery stack makes, and what the workflows ask for.

A workflow asks with `python -m stacks.delivery_access`, and gets lines for its step's output. So the environment files
are the only place that knows an account.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator

from stacks.environment_files import SettingsError, load_environments
from stacks.settings import EnvironmentSettings

READ_ONLY, DEPLOY = "read-only", "deploy"
SESSION_HOURS = {READ_ONLY: 1, DEPLOY: 2}
"""A deploy's credentials last as long as it does: another class for an instance in two zones can take over an hour."""
QUALIFIER = "hnb659fds"
"""In the names of all that `cdk bootstrap` makes, unless told otherwise; this project doesn't tell."""


def role_name(environment: str, role: str) -> str:
    """The IAM role's name: READ_ONLY's or DEPLOY's."""
    return f"{environment}-mysql-jobs-{role}"


def github_environment(environment: str, role: str) -> str:
    """The GitHub environment whose jobs may work in the role.

    One for each role: those who approve a deploy shall not have to approve that somebody looks.
    """
    return environment if role == DEPLOY else f"{environment}-{role}"


def bootstrap_role(settings: EnvironmentSettings, role: str) -> str:
    """The ARN of one of the roles that `cdk bootstrap` made: "lookup", "deploy" or "file-publishing"."""
    name = f"cdk-{QUALIFIER}-{role}-role-{settings.account}-{settings.region}"
    return f"arn:aws:iam::{settings.account}:role/{name}"


def provider_mistakes(environments: Iterable[EnvironmentSettings]) -> Iterator[str]:
    """Each environment that would make a second identity provider in its account: file, key, the reason, the remedy."""
    makers: dict[str, str] = {}
    for each in environments:
        if each.delivery is None or not each.delivery.provider:
            continue
        first = makers.setdefault(each.account, each.name)
        if first != each.name:
            yield (
                f"environments/{each.name}.toml: delivery.provider = true: {first} makes GitHub's identity provider in "
                f"account {each.account}, and an account can have one: write false"
            )


def answer_role(settings: EnvironmentSettings, role: str) -> Iterator[str]:
    """What a job needs to know to work in `role`."""
    yield f"region={settings.region}"
    yield f"role=arn:aws:iam::{settings.account}:role/{role_name(settings.name, role)}"
    yield f"seconds={SESSION_HOURS[role] * 3600}"
    yield f"lookup-role={bootstrap_role(settings, 'lookup')}"


def answer_environments(environments: Iterable[EnvironmentSettings], repository: str) -> Iterator[str]:
    """The environments that `repository` (owner/name) delivers to: none, in a clone that is nobody's yet or in a fork.

    Each environment that another repository delivers to gets a warning, so that a misspelt name is seen.
    """
    ours = []
    for each in environments:
        if each.delivery is None:
            continue
        if each.delivery.full_name.lower() == repository.lower():
            ours.append(each.name)
        else:
            yield (
                f"::warning file=environments/{each.name}.toml::[delivery] names {each.delivery.repository}, and this "
                f"is {repository}: nothing is delivered to {each.name} from here. See docs/delivery.md"
            )
    yield f"environments={json.dumps(ours)}"


def main() -> None:
    """Answer a workflow's question on standard output; warnings, which GitHub reads there, on standard error."""
    parser = argparse.ArgumentParser(prog="python -m stacks.delivery_access", description=__doc__)
    questions = parser.add_subparsers(dest="question", required=True)
    role = questions.add_parser("role", help="region, role and lookup role of an environment")
    role.add_argument("role", choices=(READ_ONLY, DEPLOY))
    role.add_argument("environment")
    listed = questions.add_parser("environments", help="the environments that a repository delivers to")
    listed.add_argument("repository", help="owner/name")
    arguments = parser.parse_args()
    try:
        environments = load_environments()
    except SettingsError as error:
        sys.exit(f"{error}")
    if arguments.question == "environments":
        lines = answer_environments(environments, arguments.repository)
    else:
        lines = answer_role(_named(environments, arguments.environment), arguments.role)
    for line in lines:
        (sys.stderr if line.startswith("::") else sys.stdout).write(f"{line}\n")


def _named(environments: Iterable[EnvironmentSettings], name: str) -> EnvironmentSettings:
    with_delivery = {each.name: each for each in environments if each.delivery is not None}
    if name not in with_delivery:
        sys.exit(f"environments/{name}.toml: without [delivery], nothing may be delivered there: see docs/delivery.md")
    return with_delivery[name]


if __name__ == "__main__":
    main()
