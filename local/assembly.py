"""The synthesized environment, fitted to this machine: what the emulator lacks is left out, and listed.

What is left out is a fixed list. Another resource type that the emulator refuses fails the deploy, as it should.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LEFT_OUT = {
    "AWS::CloudWatch::Alarm with Metrics": "the emulator has alarms on one plain metric only",
    "AWS::CloudWatch::Dashboard": "it shows alarms that are left out",
    "AWS::EC2::EIP": "the emulator has no such type; see AWS::EC2::NatGateway",
    "AWS::EC2::FlowLog": "the emulator has no such type; there is no traffic of its network to record",
    "AWS::EC2::NatGateway": "the emulator has no such type; from here, nobody on the internet is called",
    "AWS::EC2::Route": "it leads to a NAT gateway; see AWS::EC2::NatGateway",
    "AWS::EC2::SecurityGroupEgress": "the emulator has no such type; nothing filters the network here",
    "AWS::EC2::SecurityGroupIngress": "the emulator has no such type; nothing filters the network here",
    "AWS::RDS::DBProxy": "the emulator has no such type; the jobs connect to the MySQL server itself",
    "AWS::RDS::DBProxyTargetGroup": "the emulator has no such type; see AWS::RDS::DBProxy",
    "AWS::RDS::EventSubscription": "the emulator has no such type; the MySQL server here sends no RDS events",
    "Custom::VpcRestrictDefaultSG": "its function needs an AWS SDK that the emulator does not bring",
}

ROLES = ("assumeRoleArn", "cloudFormationExecutionRoleArn", "lookupRole")
"""https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-env.html"""


@dataclass(frozen=True, kw_only=True)
class LocalDatabase:
    """The MySQL server that takes the place of the RDS instance."""

    host: str
    port: int
    certificates: Path
    """The authority that signed the server's certificate, in PEM."""
    master_secret: str
    """ARN of the secret with the administrator's login, which RDS would have made."""
    in_place_of: Mapping[str, str] = field(default_factory=dict)
    """What templates say of a database that is there, and what is here instead: its endpoint, and its secret."""


def parameters(assembly: Path) -> dict[str, str]:
    """Return the server settings in the environment's RDS parameter group; none of a database that is there."""
    found: dict[str, str] = {}
    for template in _templates(assembly):
        for resource in _resources(_read(template)).values():
            if resource["Type"] == "AWS::RDS::DBParameterGroup":
                found |= resource["Properties"]["Parameters"]
    return found


def fit(assembly: Path, database: LocalDatabase, *, progress: Callable[[str], None]) -> None:
    """Rewrite the templates in `assembly`, one environment's folder, for the emulator and `database`."""
    for file in _templates(assembly):
        template = _replace_database(_read(file), database)
        for kind, count in _leave_out(template).items():
            progress(f"left out of {file.name.partition('.')[0]}: {count} of {kind} ({LEFT_OUT[kind]})")
        for resource in _resources(template).values():
            _fit_function(resource, database)
            _fit_schedule(resource)
            _fit_policy(resource)
        file.write_text(json.dumps(template, indent=1))
    for file in assembly.glob("*.json"):
        if file not in _templates(assembly):
            file.write_text(json.dumps(_without_roles(_read(file)), indent=1))


def _without_roles(value: Any) -> Any:
    """Return what the CLI reads of a stack or its assets, without the roles that `cdk bootstrap` made to deploy them.

    Where the emulator enforces permissions, these roles may do too little (measured, MiniStack 1.5.33: it knows no
    aws:ResourceAccount). Without them the CLI works with its own credentials.
    """
    match value:
        case dict():
            return {key: _without_roles(part) for key, part in value.items() if key not in ROLES}
        case list():
            return [_without_roles(part) for part in value]
        case _:
            return value


def _templates(assembly: Path) -> list[Path]:
    return sorted(assembly.glob("*.template.json"))


def _read(file: Path) -> dict[str, Any]:
    template: dict[str, Any] = json.loads(file.read_text())
    return template


def _resources(template: dict[str, Any]) -> dict[str, Any]:
    resources: dict[str, Any] = template.get("Resources", {})  # a stack whose jobs are gone has none
    return resources


def _leave_out(template: dict[str, Any]) -> Counter[str]:
    resources = _resources(template)
    gone = {name: _kind(resource) for name, resource in resources.items() if _kind(resource) in LEFT_OUT}
    for name in gone:
        del resources[name]
    for resource in resources.values():
        if "DependsOn" in resource:
            resource["DependsOn"] = [name for name in resource["DependsOn"] if name not in gone]
    return Counter(gone.values())


def _kind(resource: dict[str, Any]) -> str:
    kind: str = resource["Type"]
    expression = kind == "AWS::CloudWatch::Alarm" and "Metrics" in resource["Properties"]
    return f"{kind} with Metrics" if expression else kind


def _replace_database(template: dict[str, Any], database: LocalDatabase) -> dict[str, Any]:
    """Replace the instance, or one that is there, by the MySQL server: the emulator's is a record without a server."""
    local = {
        "AWS::RDS::DBInstance": {
            "Endpoint.Address": database.host,
            "Endpoint.Port": str(database.port),
            "MasterUserSecret.SecretArn": database.master_secret,
        },
        "AWS::RDS::DBProxy": {
            "Endpoint": database.host,
            "DBProxyArn": "arn:aws:rds:local:000000000000:db-proxy:prx-none",
        },
    }
    kinds = {name: resource["Type"] for name, resource in _resources(template).items()}

    def replace(value: Any) -> Any:
        match value:
            case {"Fn::GetAtt": [name, attribute]} if attribute in local.get(kinds.get(name, ""), {}):
                return local[kinds[name]][attribute]
            case {"Ref": name} if kinds.get(name) == "AWS::RDS::DBProxy":
                return template["Resources"][name]["Properties"]["DBProxyName"]
            case {"Ref": name} if kinds.get(name) == "AWS::SecretsManager::Secret":
                return {"Fn::GetAtt": [name, "Id"]}  # its ARN, as on AWS; the emulator's Ref is its name
            case dict():
                return {key: replace(part) for key, part in value.items()}
            case list():
                return [replace(part) for part in value]
            case _:
                return database.in_place_of.get(value, value)

    replaced: dict[str, Any] = replace(template)
    return replaced


def _fit_function(resource: dict[str, Any], database: LocalDatabase) -> None:
    variables = resource.get("Properties", {}).get("Environment", {}).get("Variables", {})
    if resource["Type"] == "AWS::Lambda::Function" and "DATABASE_HOST" in variables:
        variables["DATABASE_PORT"] = str(database.port)  # also where it is the proxy's
        variables["DATABASE_CERTIFICATES"] = str(database.certificates)


def _fit_policy(resource: dict[str, Any]) -> None:
    # Measured, MiniStack 1.5.33: where it enforces permissions, it knows no aws:ResourceAccount. It has one account.
    if resource["Type"] == "AWS::IAM::Policy":
        for statement in resource["Properties"]["PolicyDocument"]["Statement"]:
            conditions = statement.get("Condition", {})
            if conditions.get("StringEquals", {}).pop("aws:ResourceAccount", None) and not conditions["StringEquals"]:
                del statement["Condition"]


def _fit_schedule(resource: dict[str, Any]) -> None:
    # The emulator's scheduler fires, but does not fill in <aws.scheduler.scheduled-time>: `local.scheduler` does both.
    if resource["Type"] == "AWS::Scheduler::Schedule":
        resource["Properties"]["State"] = "DISABLED"
