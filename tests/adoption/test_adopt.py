"""make adopt: what AWS says is written down once, nothing is replaced silently, and nothing in AWS is changed."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from adoption import __main__ as adoption
from adoption.max_connections import least_connections
from delivery.refusal import Refused
from settings.environment import AdoptedDatabaseSettings
from tests.adoption.world import ACCOUNT, GREATEST, OWN_KEY, REGION, SECRET, VPC, World
from tests.fixture import load_file

JOB = """
[[jobs]]
name = "pulse"
schedule = "rate(5 minutes)"
"""


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "basic.toml"


def adopt(world: World, file: Path, identifier: str) -> dict[str, Any]:
    """The file as it is written, read."""
    adoption.adopt(world, identifier, file=file, context=file.with_name("cdk.context.json"))
    return tomllib.loads(file.read_text())


def test_an_instance_is_written_down_and_is_an_environment_as_it_is(world: World, file: Path) -> None:
    values = adopt(world, file, "shop")
    assert (values["account"], values["region"]) == (ACCOUNT, REGION)
    assert values["network"] == {"vpc_id": VPC, "secrets_endpoint": True}
    assert values["database"] == {
        "name": "shop",
        "existing": {
            "identifier": "shop",
            "engine": "mysql",
            "endpoint": "shop.abc123def456.eu-central-1.rds.amazonaws.com",
            "port": 3306,
            "resource_id": "db-ABCDEFGHIJKLMNOPQRSTUVWXYZ",
            "security_group": "sg-00000000000000001",
            "login": SECRET,
            "max_connections": 616,
        },
    }
    settings = load_file(file)
    assert isinstance(settings.database, AdoptedDatabaseSettings)


@pytest.mark.parametrize("identifier", ["orders", "orders-2"])
def test_of_a_cluster_its_writer_endpoint_is_written_whichever_name_is_said(
    identifier: str, world: World, file: Path
) -> None:
    values = adopt(world, file, identifier)
    existing = values["database"].pop("existing")
    assert values["database"] == {"name": "orders", "auth": "secret"}
    assert existing["engine"] == "aurora-mysql"
    assert existing["endpoint"] == "orders.cluster-abc123def456.eu-central-1.rds.amazonaws.com"
    assert (existing["port"], existing["resource_id"]) == (3307, "cluster-ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    assert "login" not in existing  # this cluster's password is its owner's affair


def test_after_a_failover_the_smallest_of_the_cluster_may_be_the_writer(world: World, file: Path) -> None:
    world.instances["orders-2"]["DBParameterGroups"] = [{"DBParameterGroupName": "small"}]
    world.parameters["small"] = "77"
    assert adopt(world, file, "orders")["database"]["existing"]["max_connections"] == 77


def test_it_only_looks(world: World, file: Path) -> None:
    adopt(world, file, "shop")
    adopt(world, file, "orders")
    assert {name for name in world.calls if not name.startswith(("Describe", "Get"))} == set()


def test_a_key_of_ones_own_is_written_and_not_awss(world: World, file: Path) -> None:
    assert "login_key" not in adopt(world, file, "shop")["database"]["existing"]
    world.instances["shop"]["MasterUserSecret"]["KmsKeyId"] = OWN_KEY
    assert adopt(world, file, "shop")["database"]["existing"]["login_key"] == OWN_KEY


def test_an_endpoint_of_secrets_manager_that_is_there_is_used(world: World, file: Path) -> None:
    world.endpoints = [{"PrivateDnsEnabled": True, "State": "available"}]
    assert adopt(world, file, "shop")["network"] == {"vpc_id": VPC, "secrets_endpoint": False}


def test_the_vpc_is_written_as_the_cdk_looks_it_up_and_what_was_there_stays(world: World, file: Path) -> None:
    context = file.with_name("cdk.context.json")
    context.write_text('{"another": 1}')
    adopt(world, file, "shop")
    written = json.loads(context.read_text())
    assert written.pop("another") == 1
    [(key, value)] = written.items()
    assert key == (f"vpc-provider:account={ACCOUNT}:filter.vpc-id={VPC}:region={REGION}:returnAsymmetricSubnets=true")
    assert (value["vpcId"], value["vpcCidrBlock"], value["ownerAccountId"]) == (VPC, "10.0.0.0/16", ACCOUNT)
    groups = {
        (each["type"], each["name"]): [one["subnetId"] for one in each["subnets"]] for each in value["subnetGroups"]
    }
    assert groups == {
        ("Isolated", "Isolated"): ["subnet-a", "subnet-b"],
        ("Public", "Public"): ["subnet-p"],
        ("Private", "Application"): ["subnet-n"],
    }
    tables = {one["subnetId"]: one["routeTableId"] for each in value["subnetGroups"] for one in each["subnets"]}
    assert tables == {"subnet-a": "rtb-main", "subnet-b": "rtb-main", "subnet-p": "rtb-public", "subnet-n": "rtb-nat"}


def test_what_is_replaced_in_a_file_is_shown_and_all_else_stays(
    world: World, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(
        f"""# Ours.
account = "{ACCOUNT}"
region = "{REGION}"

[network]
cidr = "10.0.0.0/20"
zones = ["a", "b"]

[database]
instance_class = "t4g.micro"

[alarms]
email = "on-call@example.com"
{JOB}"""
    )
    values = adopt(world, file, "shop")
    assert values["alarms"] == {"email": "on-call@example.com"}
    assert values["jobs"][0]["name"] == "pulse"
    assert "instance_class" not in values["database"]
    assert file.read_text().startswith("# Ours.\n")
    said = capsys.readouterr().out
    assert '-instance_class = "t4g.micro"' in said
    assert '-cidr = "10.0.0.0/20"' in said
    assert '+identifier = "shop"' in said


def test_a_second_time_changes_nothing(world: World, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    adopt(world, file, "shop")
    before = file.read_text(), file.with_name("cdk.context.json").read_text()
    capsys.readouterr()
    adopt(world, file, "shop")
    assert (file.read_text(), file.with_name("cdk.context.json").read_text()) == before
    assert "basic.toml stays as it is.\ncdk.context.json stays as it is." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f'account = "{ACCOUNT}"\nregion = "eu-west-1"\n', "basic.toml is not of 222222222222, eu-central-1"),
        (f'account = "111111111111"\nregion = "{REGION}"\n', "basic.toml is not of 222222222222, eu-central-1"),
        (f'account = "{ACCOUNT}"\nregion = "{REGION}"\ndatabase.auth = "iam"\n', "not TOML"),
        ("account = [", "not TOML"),
    ],
)
def test_a_file_that_is_not_its_to_write_stays(text: str, why: str, world: World, file: Path) -> None:
    file.write_text(text)
    with pytest.raises(Refused, match=why):
        adopt(world, file, "shop")
    assert file.read_text() == text
    assert not file.with_name("cdk.context.json").exists()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"Engine": "mariadb"}, "shop is mariadb: the jobs work on mysql and aurora-mysql"),
        ({"Engine": "postgres"}, "shop is postgres"),
    ],
)
def test_a_server_that_jobs_cant_work_on_is_refused_by_name(
    change: dict[str, Any], why: str, world: World, file: Path
) -> None:
    world.instances["shop"].update(change)
    with pytest.raises(Refused, match=why):
        adopt(world, file, "shop")


def test_a_multi_az_cluster_and_what_is_not_there_are_refused(world: World, file: Path) -> None:
    world.clusters["orders"]["Engine"] = "mysql"
    with pytest.raises(Refused, match="orders is a Multi-AZ DB cluster"):
        adopt(world, file, "orders")
    with pytest.raises(Refused, match="There is no instance and no cluster nothing in eu-central-1"):
        adopt(world, file, "nothing")


def test_what_nobody_knows_is_left_open_and_said(world: World, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shop = world.instances["shop"]
    shop["IAMDatabaseAuthenticationEnabled"] = False
    shop["DBInstanceClass"] = "db.serverless"
    shop["CACertificateIdentifier"] = "company"
    for key in ("DBName", "MasterUserSecret"):
        del shop[key]
    values = adopt(world, file, "shop")
    assert values["database"].pop("existing").keys() == {
        "identifier",
        "engine",
        "endpoint",
        "port",
        "resource_id",
        "security_group",
    }
    assert values["database"] == {"auth": "secret"}
    left = capsys.readouterr().out.partition("Left for you to do:")[2]
    for key in ("database.name", "existing.login", "existing.max_connections", "existing.certificates", "IAM"):
        assert key in left, key


@pytest.mark.parametrize(
    ("value", "instance_class", "least"),
    [
        ("250", "unknown.large", 250),
        ("{DBInstanceClassMemory/12582880}", "m7g.large", 616),
        ("{DBInstanceClassMemory/25165760}", "m7g.large", 308),
        ("{DBInstanceClassMemory/12582880}", "serverless", None),
        ("", "m7g.large", None),
        ("LEAST({DBInstanceClassMemory/9531392},5000)", "m7g.large", None),
    ],
)
def test_a_limit_is_read_or_left_to_the_server(value: str, instance_class: str, least: int | None) -> None:
    assert least_connections(value, instance_class) == least


@pytest.mark.parametrize(
    ("instance_class", "documented"),
    [("t3.small", 45), ("t3.medium", 90), ("r6g.large", 1000), ("r6g.xlarge", 2000), ("r6g.2xlarge", 3000)],
)
def test_auroras_limit_is_what_aws_lists_for_the_class(instance_class: str, documented: int) -> None:
    assert least_connections(GREATEST, instance_class) == documented
