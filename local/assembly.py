"""The synthesized environment, fitted to this machine: what the emulator lacks is left out, and every cut is said.

A fixed list: a resource type that the emulator refuses and that is not named here fails the deploy, as it should.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LEFT_OUT = {
    "AWS::EC2::SecurityGroupEgress": "the emulator has no such type; nothing filters the network here",
    "AWS::EC2::SecurityGroupIngress": "the emulator has no such type; nothing filters the network here",
    "Custom::VpcRestrictDefaultSG": "its function needs an AWS SDK that the emulator does not bring",
}


@dataclass(frozen=True, kw_only=True)
class LocalDatabase:
    """The MySQL server that takes the place of the RDS instance."""

    host: str
    port: int
    certificates: Path
    """The authority that signed the server's certificate, in PEM."""
    master_secret: str
    """ARN of the secret with the administrator's login, which RDS would have made."""


def parameters(assembly: Path) -> dict[str, str]:
    """The server settings in the environment's RDS parameter group."""
    found: dict[str, str] = {}
    for template in _templates(assembly):
        for resource in _read(template)["Resources"].values():
            if resource["Type"] == "AWS::RDS::DBParameterGroup":
                found |= resource["Properties"]["Parameters"]
    return found


def fit(assembly: Path, database: LocalDatabase, *, progress: Callable[[str], None]) -> None:
    """Rewrite the templates in `assembly`, one environment's folder, for the emulator and `database`."""
    for file in _templates(assembly):
        template = _read(file)
        for kind, count in _leave_out(template).items():
            progress(f"left out of {file.name.partition('.')[0]}: {count} of {kind} ({LEFT_OUT[kind]})")
        template = _replace_instance(template, database)
        for resource in template["Resources"].values():
            _fit_function(resource, database)
            _fit_schedule(resource)
        file.write_text(json.dumps(template, indent=1))


def _templates(assembly: Path) -> list[Path]:
    return sorted(assembly.glob("*.template.json"))


def _read(file: Path) -> dict[str, Any]:
    template: dict[str, Any] = json.loads(file.read_text())
    return template


def _leave_out(template: dict[str, Any]) -> Counter[str]:
    resources = template["Resources"]
    gone = {name: resource["Type"] for name, resource in resources.items() if resource["Type"] in LEFT_OUT}
    for name in gone:
        del resources[name]
    for resource in resources.values():
        if "DependsOn" in resource:
            resource["DependsOn"] = [name for name in resource["DependsOn"] if name not in gone]
    return Counter(gone.values())


def _replace_instance(template: dict[str, Any], database: LocalDatabase) -> dict[str, Any]:
    """The emulator's instance is a record without a server and knows no secret: point at the real ones."""
    local = {
        "Endpoint.Address": database.host,
        "Endpoint.Port": str(database.port),
        "MasterUserSecret.SecretArn": database.master_secret,
    }
    instances = {name for name, resource in template["Resources"].items() if resource["Type"] == "AWS::RDS::DBInstance"}

    def replace(value: Any) -> Any:
        match value:
            case {"Fn::GetAtt": [name, attribute]} if name in instances and attribute in local:
                return local[attribute]
            case dict():
                return {key: replace(part) for key, part in value.items()}
            case list():
                return [replace(part) for part in value]
            case _:
                return value

    replaced: dict[str, Any] = replace(template)
    return replaced


def _fit_function(resource: dict[str, Any], database: LocalDatabase) -> None:
    variables = resource.get("Properties", {}).get("Environment", {}).get("Variables", {})
    if resource["Type"] == "AWS::Lambda::Function" and "DATABASE_HOST" in variables:
        variables["DATABASE_CERTIFICATES"] = str(database.certificates)


def _fit_schedule(resource: dict[str, Any]) -> None:
    # The emulator's scheduler fires, but does not fill in <aws.scheduler.scheduled-time>: `local.scheduler` does both.
    if resource["Type"] == "AWS::Scheduler::Schedule":
        resource["Properties"]["State"] = "DISABLED"
