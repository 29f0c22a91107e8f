"""Answers for GitHub's workflows: which role a job assumes, and which environments this repository deploys.

A step runs `python -m delivery.workflow_access` and gets lines for its output. So accounts are named in the
environment files only.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator

from settings import names
from settings.environment import EnvironmentSettings
from settings.files import SettingsError, load_environments
from settings.project import ROOT, Project


def answer_role(settings: EnvironmentSettings, role: str) -> Iterator[str]:
    """What a job of a workflow needs to assume `role`, as lines of a step's output."""
    yield f"region={settings.region}"
    yield f"role=arn:aws:iam::{settings.account}:role/{names.workflow_role(settings.name, role)}"
    yield f"seconds={names.SESSION_HOURS[role] * 3600}"
    yield f"lookup-role={names.bootstrap_role(settings.account, settings.region, 'lookup')}"


def answer_environments(environments: Iterable[EnvironmentSettings], repository: str) -> Iterator[str]:
    """The environments that `repository` (owner/name) deploys, in the order of their deploys; none in a fork.

    An environment of another repository makes a warning, so that a misspelt name is noticed.
    """
    ours = []
    for each in environments:
        if each.delivery is None:
            continue
        if each.delivery.full_name.lower() == repository.lower():
            ours.append((each.delivery.order, each.name))
        else:
            yield (
                f"::warning file=environments/{each.name}.toml::[delivery] names {each.delivery.repository}, and this "
                f"is {repository}: {each.name} is not deployed from here. See docs/delivery.md"
            )
    yield f"environments={json.dumps([name for _order, name in sorted(ours)])}"


def main(project: Project) -> None:
    """Answer a workflow's question on standard output; warnings, which GitHub reads there, on standard error."""
    parser = argparse.ArgumentParser(prog="python -m delivery.workflow_access", description=__doc__)
    questions = parser.add_subparsers(dest="question", required=True)
    role = questions.add_parser("role", help="region, role and lookup role of an environment")
    role.add_argument("role", choices=(names.READ_ONLY, names.DEPLOY))
    role.add_argument("environment")
    listed = questions.add_parser("environments", help="the environments that a repository deploys")
    listed.add_argument("repository", help="owner/name")
    arguments = parser.parse_args()
    try:
        environments = load_environments(project)
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
        sys.exit(f"environments/{name}.toml: without [delivery], no workflow may deploy it: see docs/delivery.md")
    return with_delivery[name]


if __name__ == "__main__":
    main(Project(ROOT))
