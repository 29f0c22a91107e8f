"""`aws rds …`, as the AWS CLI makes it of the same models, on an account in a file: what a document's shell lines do.

Only what docs/operations.md types to restore a database; each rule names its source. Its answers are held against
the service's model, so --query finds in them what it would find in AWS's.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import botocore.session
import jmespath  # type: ignore[import-untyped]  # it has no types
from botocore import xform_name
from botocore.validate import validate_parameters

State = dict[str, dict[str, Any]]
"""The account: `instances` and `snapshots`, each by its name, as RDS describes them."""


class RefusedByRds(Exception):
    """What RDS answers."""


def run(arguments: list[str], state: State) -> str:
    """Carry `aws` with these arguments out on `state`; return what it prints.

    Raises:
        RefusedByRds: RDS says why.
        botocore.exceptions.ParamValidationError: the service takes no such parameters.
    """
    service, verb, *rest = arguments
    if service != "rds":
        raise AssertionError(f"aws {service}: only rds is needed to restore a database")
    waits = verb == "wait"
    if waits:
        verb, *rest = rest
    given = dict(zip(rest[::2], rest[1::2], strict=True))
    query, output = given.pop("--query", None), given.pop("--output", "json")
    if waits:
        return _wait(verb, given, state)
    model = botocore.session.Session().get_service_model("rds")
    [name] = [each for each in model.operation_names if xform_name(each, "-") == verb]
    operation = model.operation_model(name)
    options = {f"--{xform_name(member, '-')}": member for member in operation.input_shape.members}
    parameters = {options.get(option, option): value for option, value in given.items()}
    validate_parameters(parameters, operation.input_shape)
    answer = OPERATIONS[name](parameters, state)
    validate_parameters(answer, operation.output_shape)
    found = jmespath.search(query, answer) if query else answer
    return _text(found) if output == "text" else json.dumps(found, default=str)


def _describe_instances(parameters: Mapping[str, str], state: State) -> dict[str, Any]:
    return {"DBInstances": [_named(state["instances"], parameters["DBInstanceIdentifier"], "DBInstanceNotFound")]}


def _describe_snapshots(parameters: Mapping[str, str], state: State) -> dict[str, Any]:
    of = parameters["DBInstanceIdentifier"]
    return {"DBSnapshots": [each for each in state["snapshots"].values() if each["DBInstanceIdentifier"] == of]}


def _restore(parameters: Mapping[str, str], state: State) -> dict[str, Any]:
    """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RestoreDBInstanceToPointInTime.html"""
    source = _named(state["instances"], parameters["SourceDBInstanceIdentifier"], "DBInstanceNotFound")
    target = parameters["TargetDBInstanceIdentifier"]
    if not source["BackupRetentionPeriod"]:
        raise RefusedByRds("PointInTimeRestoreNotEnabled")
    if target in state["instances"]:
        raise RefusedByRds("DBInstanceAlreadyExists")
    if parameters["RestoreTime"] > source["LatestRestorableTime"]:
        raise RefusedByRds("InvalidRestoreFault")
    # Without the group, it would be made in the default VPC.
    subnets = parameters.get("DBSubnetGroupName", "default")
    made = {**source, "DBInstanceIdentifier": target, "DBInstanceStatus": "creating", "DeletionProtection": False}
    state["instances"][target] = made | {"DBSubnetGroup": {"DBSubnetGroupName": subnets}}
    return {"DBInstance": state["instances"][target]}


def _create_snapshot(parameters: Mapping[str, str], state: State) -> dict[str, Any]:
    """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBSnapshot.html"""
    of = _named(state["instances"], parameters["DBInstanceIdentifier"], "DBInstanceNotFound")
    name = parameters["DBSnapshotIdentifier"]
    if of["DBInstanceStatus"] != "available":
        raise RefusedByRds("InvalidDBInstanceState")
    if name in state["snapshots"]:
        raise RefusedByRds("DBSnapshotAlreadyExists")
    copied = ("AllocatedStorage", "DBInstanceIdentifier", "Engine", "EngineVersion", "KmsKeyId")
    state["snapshots"][name] = {
        **{key: of[key] for key in copied},
        "DBSnapshotIdentifier": name,
        "Encrypted": of["StorageEncrypted"],
        "Status": "creating",
    }
    return {"DBSnapshot": state["snapshots"][name]}


OPERATIONS: dict[str, Callable[[Mapping[str, str], State], dict[str, Any]]] = {
    "CreateDBSnapshot": _create_snapshot,
    "DescribeDBInstances": _describe_instances,
    "DescribeDBSnapshots": _describe_snapshots,
    "RestoreDBInstanceToPointInTime": _restore,
}


def _wait(waiter: str, given: Mapping[str, str], state: State) -> str:
    """What RDS is at work on is finished by the time that a waiter returns."""
    kind, option, status = {
        "db-instance-available": ("instances", "--db-instance-identifier", "DBInstanceStatus"),
        "db-snapshot-available": ("snapshots", "--db-snapshot-identifier", "Status"),
    }[waiter]
    _named(state[kind], given[option], "not found")[status] = "available"
    return ""


def _named(found: Mapping[str, dict[str, Any]], name: str, otherwise: str) -> dict[str, Any]:
    if name not in found:
        raise RefusedByRds(f"{otherwise}: {name}")
    return found[name]


def _text(found: Any) -> str:
    """As --output text has it: a row for each list, tabs between its values."""
    if isinstance(found, list):
        return "\n".join("\t".join(map(str, row)) if isinstance(row, list) else str(row) for row in found)
    return "None" if found is None else str(found)


def main(file: Path, arguments: list[str]) -> None:
    """Carry the arguments out on the account in `file`, and end as the CLI does."""
    state: State = json.loads(file.read_text())
    try:
        sys.stdout.write(f"{run(arguments, state)}\n")
    except RefusedByRds as refused:
        sys.exit(f"An error occurred ({refused}) when calling the operation")
    file.write_text(json.dumps(state))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
