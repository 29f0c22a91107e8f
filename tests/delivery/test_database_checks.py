"""What RDS would refuse of the database is refused before the deploy, by what RDS itself says of it."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from delivery import database_checks
from delivery.assembly import Assembly
from delivery.aws import Aws, DeployedStack
from delivery.refusal import Refused
from local.emulator import Emulator
from settings.environment import EnvironmentSettings
from settings.storage import growth_mistake, least_growth
from tests.fixture import ENVIRONMENTS

STACK, INSTANCE = "basic-Database", "basic-mysql-jobs"
KEY, OTHER_KEY = (
    f"arn:aws:kms:eu-central-1:111111111111:key/{digit * 8}-1234-1234-1234-123456789012" for digit in "12"
)

Refusals = Callable[..., list[str]]


def template(**properties: Any) -> dict[str, Any]:
    """The template of the stack of the database."""
    given = {
        "AllocatedStorage": "100",
        "DBInstanceClass": "db.t4g.micro",
        "DBInstanceIdentifier": INSTANCE,
        "Engine": "mysql",
        "EngineVersion": "8.4.10",
        "MasterUsername": "admin",
        "MasterUserPassword": "not-a-secret",
        **properties,
    }
    return {"Resources": {"Instance": {"Type": "AWS::RDS::DBInstance", "Properties": given}}}


@pytest.fixture
def aws(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Aws:
    for name, value in emulator.environment().items():
        monkeypatch.setenv(name, value)
    return Aws("eu-central-1")


@pytest.fixture
def refusals(aws: Aws, tmp_path: Path) -> Refusals:
    """What is refused of an environment whose instance has these properties."""

    def refusals(deployed: bool, settings: EnvironmentSettings = ENVIRONMENTS["basic"], **properties: Any) -> list[str]:
        folder = tmp_path / "assembly-basic"
        folder.mkdir(exist_ok=True)
        stack = {
            "stackName": STACK,
            "templateFile": "database.json",
            "terminationProtection": False,
            "bootstrapStackVersionSsmParameter": "",
            "requiresBootstrapStackVersion": 6,
        }
        artifacts = {"Database": {"type": "aws:cloudformation:stack", "properties": stack}}
        (folder / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
        (folder / "database.json").write_text(json.dumps(template(**properties)))
        there = DeployedStack(
            name=STACK, status="CREATE_COMPLETE", protected=False, changed=datetime(2026, 11, 24, tzinfo=UTC)
        )
        assembly = Assembly(folder=tmp_path, environment="basic")
        try:
            database_checks.acceptable(settings, assembly, aws, {STACK: there} if deployed else {})
        except Refused as refused:
            return [line.removeprefix("environments/basic.toml: ") for line in str(refused).splitlines()]
        return []

    return refusals


# Storage


@pytest.fixture
def grown(aws: Aws) -> Any:
    """An instance that began with 100 GB, and has grown to 150 by itself."""
    cloudformation, rds = aws.client("cloudformation"), aws.client("rds")
    cloudformation.create_stack(StackName=STACK, TemplateBody=json.dumps(template()))
    cloudformation.get_waiter("stack_create_complete").wait(StackName=STACK, WaiterConfig={"Delay": 1})
    rds.modify_db_instance(DBInstanceIdentifier=INSTANCE, AllocatedStorage=150, ApplyImmediately=True)
    yield
    cloudformation.delete_stack(StackName=STACK)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=STACK, WaiterConfig={"Delay": 1})


@pytest.mark.usefixtures("grown")
def test_storage_is_compared_with_what_the_instance_has_now(refusals: Refusals) -> None:
    assert refusals(True) == []  # the template asks for 100, as it did: CloudFormation leaves the 150
    for taken in ("150", "165", "1000"):
        assert refusals(True, AllocatedStorage=taken) == []
    now = f"AWS will refuse, as {INSTANCE} has 150 GB now, and "
    assert refusals(True, AllocatedStorage="164") == [
        f"database.storage_gb = 164: {now}RDS grows storage by 10 % or more: write 150, or 165 or more"
    ]
    for less in ("99", "120", "149"):
        assert refusals(True, AllocatedStorage=less) == [
            f"database.storage_gb = {less}: {now}RDS can't shrink storage: write 150, or 165 or more"
        ]


@pytest.mark.parametrize("gb", [20, 25, 100, 399, 59578])
def test_the_least_that_storage_grows_by_is_ten_percent(gb: int) -> None:
    least = least_growth(gb)
    assert 10 * (least - 1) < 11 * gb <= 10 * least
    assert [growth_mistake(gb, each) is None for each in (gb - 1, gb, gb + 1, least - 1, least)] == [
        False,
        True,
        gb + 1 == least,
        False,
        True,
    ]


# Snapshots


@pytest.fixture
def snapshot(aws: Aws) -> Any:
    """Makes a snapshot of an instance with these properties, and returns its name."""
    rds = aws.client("rds")

    def snapshot(**properties: Any) -> str:
        given = {
            "Engine": "mysql",
            "EngineVersion": "8.4.10",
            "AllocatedStorage": 100,
            "StorageEncrypted": True,
            "KmsKeyId": KEY,
            **properties,
        }
        rds.create_db_instance(
            DBInstanceIdentifier="source",
            DBInstanceClass="db.t4g.micro",
            MasterUsername="admin",
            MasterUserPassword="not-a-secret",
            **given,
        )
        rds.create_db_snapshot(DBInstanceIdentifier="source", DBSnapshotIdentifier="before")
        rds.delete_db_instance(DBInstanceIdentifier="source", SkipFinalSnapshot=True)
        return "before"

    yield snapshot
    rds.delete_db_snapshot(DBSnapshotIdentifier="before")


@pytest.mark.parametrize("version", ["8.4.3", "8.4.10"])
def test_an_encrypted_snapshot_of_our_version_or_an_older_one_is_restored(
    version: str, snapshot: Callable[..., str], refusals: Refusals
) -> None:
    name = snapshot(EngineVersion=version)
    assert refusals(False, DBSnapshotIdentifier=name) == []
    with_its_key = ENVIRONMENTS["basic"].model_copy(update={"encryption_key": KEY})
    assert refusals(False, with_its_key, DBSnapshotIdentifier=name) == []


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({"StorageEncrypted": False}, "it is not encrypted, and the database would not be, for ever: copy it with a "),
        ({"Engine": "mariadb", "EngineVersion": "11.4.4"}, "it is of mariadb: write one of mysql"),
        ({"EngineVersion": "8.4.11"}, "it is of MySQL 8.4.11, and 8.4.10 is deployed: RDS has no way back: "),
        ({"EngineVersion": "9.7.1"}, "it is of MySQL 9.7.1, and 8.4.10 is deployed: RDS has no way back: "),
        ({"EngineVersion": "8.0.43"}, "it is of MySQL 8.0.43, and 8.4.10 is deployed: upgrade it, `aws rds modify-"),
    ],
)
def test_a_snapshot_that_would_fail_or_go_unencrypted_is_refused(
    properties: dict[str, Any], reason: str, snapshot: Callable[..., str], refusals: Refusals
) -> None:
    [refusal] = refusals(False, DBSnapshotIdentifier=snapshot(**properties))
    assert refusal.startswith(f'database.snapshot = "before": {reason}')


def test_any_minor_version_is_restored_where_the_template_names_none(
    snapshot: Callable[..., str], refusals: Refusals
) -> None:
    assert refusals(False, DBSnapshotIdentifier=snapshot(EngineVersion="8.4.11"), EngineVersion="8.4") == []


def test_a_key_of_ours_does_not_give_way_to_the_snapshots_in_silence(
    snapshot: Callable[..., str], refusals: Refusals
) -> None:
    settings = ENVIRONMENTS["basic"].model_copy(update={"encryption_key": OTHER_KEY})
    [refusal] = refusals(False, settings, DBSnapshotIdentifier=snapshot())
    assert refusal.startswith(f'database.snapshot = "before": its key is {KEY}, and the database would keep that')
    assert f"--kms-key-id {OTHER_KEY}`" in refusal


def test_everything_that_is_wrong_with_a_snapshot_is_said_at_once(
    snapshot: Callable[..., str], refusals: Refusals
) -> None:
    name = snapshot(EngineVersion="8.0.43", StorageEncrypted=False, AllocatedStorage=200)
    found = refusals(False, DBSnapshotIdentifier=name)
    assert len(found) == 3
    assert found[-1] == (
        "database.storage_gb = 100: AWS will refuse, as the snapshot has 200 GB, and RDS can't shrink storage: "
        "write 200, or 220 or more"
    )


def test_a_snapshot_that_is_not_there_is_refused(refusals: Refusals) -> None:
    [refusal] = refusals(False, DBSnapshotIdentifier="no-such")
    assert refusal.startswith('database.snapshot = "no-such": there is no such snapshot of an instance in eu-central-1')


def test_once_it_is_restored_the_snapshot_may_be_gone(refusals: Refusals, grown: None) -> None:
    assert refusals(True, DBSnapshotIdentifier="no-such") == []
