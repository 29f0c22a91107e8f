"""checkov over templates, and which of its findings are accepted, with the reasons."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from settings.environment import DatabaseSettings, EnvironmentSettings
from settings.project import ROOT

RULES = Path(sys.prefix) / "checkov"
"""Installed by `make setup`. Beside the other tools, and not among them: it declares boto3 1.35 and networkx 2.6."""
PROGRAM = ROOT / "tests" / "checkov_program.py"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a rule says of a resource."""

    rule: str
    says: str
    path: str
    """Of the construct, the stage first."""


@dataclass(frozen=True)
class Accepted:
    """A rule's findings that are no mistakes."""

    rule: str
    construct: str
    """A pattern of their paths below the stage."""
    reason: str


def findings(templates: Iterable[Path]) -> list[Finding]:
    """What checkov finds in `templates`."""
    assert RULES.is_dir(), "checkov's rules are not installed: make setup"
    finished = subprocess.run(
        [sys.executable, str(PROGRAM), *map(str, templates)],
        env={**os.environ, "PYTHONPATH": str(RULES)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return [Finding(**each) for each in json.loads(finished.stdout)]


def left(found: Iterable[Finding], settings: EnvironmentSettings) -> list[str]:
    """The findings about an environment that are not accepted, as lines."""
    known = list(accepted(settings))
    return [f"{each.path}: {each.rule}: {each.says}" for each in found if not any(covers(one, each) for one in known)]


def covers(one: Accepted, finding: Finding) -> bool:
    """Whether `one` accepts `finding`."""
    return one.rule == finding.rule and bool(re.fullmatch(one.construct, finding.path.partition("/")[2]))


def accepted(settings: EnvironmentSettings) -> Iterator[Accepted]:
    """What is accepted in the environment that `settings` describe."""
    functions = r"Jobs/(Migrations/Migrate|Watcher/Watch|Job-\w+/Job)"
    of_the_cdk = r"(Jobs|Network)/(AWSCDK\.|Custom::)\w+/Handler"
    yield Accepted(
        "CKV_AWS_111",
        f"{functions}/Role/DefaultPolicy/Resource",
        "network interfaces: Lambda's to use, and denied to the function's own code (stacks/jobs/function.py)",
    )
    yield Accepted("CKV_AWS_115", of_the_cdk, "called by CloudFormation, once in a deploy")
    yield Accepted("CKV_AWS_116", of_the_cdk, "called by CloudFormation, which waits for the answer")
    yield Accepted(
        "CKV_AWS_116",
        f"{functions}/Function/Resource",
        "a failed run goes to on_failure of the function's EventInvokeConfig, which the rule does not see; the "
        "migrations are called by the CDK's function, which waits for the answer; what the watcher fails to see, its "
        "next look does, and there is an alarm if there is none",
    )
    yield Accepted("CKV_AWS_117", of_the_cdk, "they talk to AWS's API only, and no way leads there from the VPC")
    yield Accepted(
        "CKV_AWS_173",
        f"{functions}/Function/Resource",
        "names and ARNs, no secret (docs/security.md), and encrypted with Lambda's own key",
    )
    yield Accepted(
        "CKV_AWS_26",
        "Database/Alarms/Topic/Resource",
        "an alarm can't be published with AWS's own key, and contains no data (stacks/database/alarm_topic.py)",
    )
    yield from _by_setting(settings)


def _by_setting(settings: EnvironmentSettings) -> Iterator[Accepted]:
    instance = "Database/Instance/Resource"
    if settings.encryption_key is None:
        yield Accepted(
            "CKV_AWS_149",
            r"Database/(JobsSecret|Login/Secret-\w+)/Resource",
            "encrypted with AWS's key: encryption_key",
        )
        yield Accepted("CKV_AWS_158", ".*Log(Group)?/Resource", "encrypted with CloudWatch's own key: encryption_key")
        yield Accepted("CKV_AWS_27", r"Jobs/Job-\w+/DeadLetters/Resource", "encrypted with SQS's own key")
    if not isinstance(settings.database, DatabaseSettings):
        return
    if settings.database.snapshot is not None:
        yield Accepted("CKV_AWS_16", instance, "as the snapshot is, and `make deploy` refuses one without encryption")
    if not settings.database.multi_az:
        yield Accepted("CKV_AWS_157", instance, "the environment file accepts this risk: single_zone")
    if not settings.database.monitoring_seconds:
        yield Accepted("CKV_AWS_118", instance, "a setting, which costs: monitoring_seconds")
