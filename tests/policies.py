"""Every statement of every policy in an environment: its actions exist, and its resources are what they act on.

By AWS's service authorization reference, which cfn-lint brings along. Its own rules look at a statement with
references not at all (I3510), and here nearly all have some.
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Any

from review.templates import REFERENCE, Resource, SynthesizedEnvironment, listed

ARNS = {
    ("AWS::EC2::VPC", "DefaultSecurityGroup"): "sg-0",
    ("AWS::Events::EventBus", "Arn"): "arn:aws:events:r:1:event-bus/x",
    ("AWS::Lambda::Function", "Arn"): "arn:aws:lambda:r:1:function:x",
    ("AWS::Logs::LogGroup", "Arn"): "arn:aws:logs:r:1:log-group:x:*",
    ("AWS::RDS::DBInstance", "DbiResourceId"): "db-0",
    ("AWS::RDS::DBInstance", "MasterUserSecret.SecretArn"): "arn:aws:secretsmanager:r:1:secret:x",
    ("AWS::SecretsManager::Secret", ""): "arn:aws:secretsmanager:r:1:secret:x",
    ("AWS::SNS::Topic", ""): "arn:aws:sns:r:1:x",
    ("AWS::SQS::Queue", "Arn"): "arn:aws:sqs:r:1:x",
}
"""What a reference to a resource gives, by the type and the attribute: in which account is no question here."""

CUT_OUT = re.compile(r'\{"Fn::Select": .*\]\}')
"""The id in the ARN of a proxy."""


@dataclass(kw_only=True)
class Found:
    """What was found in policies."""

    statements: int = 0
    wrong: list[str] = field(default_factory=list)
    """Actions that AWS hasn't, and resources on which no action acts."""
    unconstrained: set[str] = field(default_factory=set)
    """Actions allowed on everything, of which AWS could tell what they act on."""
    unknown: list[str] = field(default_factory=list)
    """References of which `ARNS` knows nothing: such a statement's resources are not checked."""


def check(environment: SynthesizedEnvironment) -> Found:
    """Check all policies of `environment`."""
    found = Found()
    for resource in environment.resources.values():
        for statement in _statements(resource.properties):
            found.statements += 1
            _check(statement, environment, resource, found)
    return found


def unknown_actions(actions: Any) -> list[str]:
    """Those that AWS hasn't; one with a wildcard stands for one or more."""
    return [action for action in listed(actions) if action != "*" and not _meant(action)]


def _check(statement: Mapping[str, Any], environment: SynthesizedEnvironment, resource: Resource, found: Found) -> None:
    where = f"{resource.path} ({resource.kind})"
    actions = listed(statement.get("Action", []))
    if unknown := unknown_actions(actions):
        found.wrong += [f"{where}: there is no action {each}" for each in unknown]
        return
    resources = [_arn(each, environment) for each in listed(statement.get("Resource", []))]
    if None in resources:
        found.unknown.append(f"{where}: {statement['Resource']}")
        return
    if "Resource" not in statement or statement["Effect"] == "Deny" or actions in ([], ["*"]):
        return
    arns = [each for each in resources if each]
    acted_on = {action: _formats(action) for action in actions}
    for action, formats in acted_on.items():
        if "*" in arns:
            if formats:
                found.unconstrained.add(action)
        elif not any(_is_like(arn, formats) for arn in arns):
            found.wrong.append(f"{where}: {action} acts on {' or '.join(formats) or '* only'}, not on {arns}")
    for arn in arns:
        if arn != "*" and not any(_is_like(arn, formats) for formats in acted_on.values()):
            found.wrong.append(f"{where}: none of {actions} acts on {arn}")


def _statements(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, dict):
        if "Statement" in value:
            yield from listed(value["Statement"])
        else:
            for part in value.values():
                yield from _statements(part)
    elif isinstance(value, list):
        for part in value:
            yield from _statements(part)


def _arn(text: Any, environment: SynthesizedEnvironment) -> str | None:
    """The resource that a statement names, without references; None if there is one of which nothing is known."""
    if not isinstance(text, str):
        return None
    known = CUT_OUT.sub("x", text.replace("{AWS::Partition}", "aws"))
    for reference in REFERENCE.findall(known):
        meant = next(iter(environment.meant(f"{{{reference}}}")), None)
        attribute = reference.removeprefix(meant.path).removeprefix(".") if meant else ""
        arn = ARNS.get((meant.kind if meant else "", attribute))
        if arn is None:
            return None
        known = known.replace(f"{{{reference}}}", arn)
    return None if "{" in known else known


def _is_like(arn: str, formats: list[str]) -> bool:
    return any(re.fullmatch(re.sub(r"\$\{\w+\}", "[^:]*", each), arn) for each in formats)


def _formats(action: str) -> list[str]:
    """The ARNs that `action` acts on; none, if it can't be limited to some."""
    resources = _reference()[action.partition(":")[0].lower()]["Resources"]
    kinds = {kind.lower() for each in _meant(action) for kind in listed(each.get("Resources", []))}
    return sorted(arn for kind in kinds for arn in resources[kind]["ARNFormats"])


def _meant(action: str) -> list[Mapping[str, Any]]:
    service, _, name = action.lower().partition(":")
    actions = _reference().get(service, {}).get("Actions", {})
    return [each for known, each in actions.items() if fnmatchcase(known, name)]


@cache
def _reference() -> dict[str, dict[str, Any]]:
    text = (files("cfnlint.data.AdditionalSpecs") / "Policies.json").read_text()
    reference: dict[str, dict[str, Any]] = json.loads(text)
    return reference
