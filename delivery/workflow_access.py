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
from settings.environment import DeliverySettings, EnvironmentSettings
from settings.files import SettingsError, load_environments
from settings.project import ROOT, Project

EXAMPLE = "example/mysql-jobs"
"""What the files that a clone comes with name."""


def answer_role(settings: EnvironmentSettings, role: str) -> Iterator[str]:
    """What a job of a workflow needs to assume `role`, as lines of a step's output."""
    yield f"region={settings.region}"
    yield f"role=arn:aws:iam::{settings.account}:role/{names.workflow_role(settings.name, role)}"
    yield f"seconds={names.SESSION_HOURS[role] * 3600}"
    yield f"lookup-role={names.bootstrap_role(settings.account, settings.region, 'lookup')}"


def answer_environments(environments: Iterable[EnvironmentSettings], repository: str, *, fork: bool) -> Iterator[str]:
    """The environments that `repository` (owner/name) deploys, in the order of their deploys.

    One of another repository makes a warning, so that a misspelt name is noticed. It is an error, and there is no
    answer, where a green run would deploy nothing, or an environment without the one before it. That a fork on GitHub
    deploys nothing is meant, and a clone whose files still name the example's repository.
    """
    chain = sorted((each.delivery.order, each.name, each.delivery) for each in environments if each.delivery)
    ours = [(order, name) for order, name, delivery in chain if _is(delivery, repository)]
    others = [(order, name, delivery) for order, name, delivery in chain if not _is(delivery, repository)]
    meant = bool(ours) or fork or all(_is(delivery, EXAMPLE) for _order, _name, delivery in others)
    answer = True
    for order, name, delivery in others:
        said = f"[delivery] names {delivery.repository}, and this is {repository}: {name} is not deployed from here"
        later = [our_name for our_order, our_name in ours if our_order > order]
        if later:
            said += f", and {later[0]} would be deployed without it. Let it come later, or leave out its [delivery]"
        elif not meant:
            said += ", nor is any other: a green run would deploy nothing. Name this repository in it"
        wrong = bool(later) or not meant
        answer = answer and not wrong
        level = "error" if wrong else "warning"
        yield f"::{level} file=environments/{name}.toml::{said}. See docs/delivery.md"
    if answer:
        yield f"environments={json.dumps([name for _order, name in ours])}"


def _is(delivery: DeliverySettings, repository: str) -> bool:
    return delivery.full_name.lower() == repository.lower()


def main(project: Project) -> None:
    """Answer a workflow's question on standard output; warnings, which GitHub reads there, on standard error."""
    parser = argparse.ArgumentParser(prog="python -m delivery.workflow_access", description=__doc__)
    questions = parser.add_subparsers(dest="question", required=True)
    role = questions.add_parser("role", help="region, role and lookup role of an environment")
    role.add_argument("role", choices=(names.READ_ONLY, names.DEPLOY))
    role.add_argument("environment")
    listed = questions.add_parser("environments", help="the environments that a repository deploys")
    listed.add_argument("repository", help="owner/name")
    listed.add_argument("--fork", choices=("true", "false"), default="false", help="whether GitHub calls it one")
    arguments = parser.parse_args()
    try:
        environments = load_environments(project)
    except SettingsError as error:
        sys.exit(f"{error}")
    if arguments.question == "environments":
        lines = answer_environments(environments, arguments.repository, fork=arguments.fork == "true")
    else:
        lines = answer_role(_named(environments, arguments.environment), arguments.role)
    failed = False
    for line in lines:
        (sys.stderr if line.startswith("::") else sys.stdout).write(f"{line}\n")
        failed = failed or line.startswith("::error")
    if failed:
        sys.exit(1)


def _named(environments: Iterable[EnvironmentSettings], name: str) -> EnvironmentSettings:
    with_delivery = {each.name: each for each in environments if each.delivery is not None}
    if name not in with_delivery:
        sys.exit(f"environments/{name}.toml: without [delivery], no workflow may deploy it: see docs/delivery.md")
    return with_delivery[name]


if __name__ == "__main__":
    main(Project(ROOT))
