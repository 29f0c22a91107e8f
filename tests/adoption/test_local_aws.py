"""make adopt against the local AWS: a database that is there is adopted, and the CDK would have found the same VPC."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adoption import __main__ as adoption
from delivery.aws import Aws
from local.emulator import Emulator
from settings.environment import AdoptedDatabaseSettings
from settings.project import ROOT
from tests.fixture import load_file

pytestmark = pytest.mark.deployment

REGION = "eu-central-1"
LOOKED_UP = """
import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2

app = cdk.App()
stack = cdk.Stack(app, "Looking", env=cdk.Environment(account="{account}", region="{region}"))
vpc = ec2.Vpc.from_lookup(stack, "Vpc", vpc_id="{vpc}")
cdk.CfnOutput(stack, "Id", value=vpc.vpc_id)
app.synth()
"""
"""Has the CLI look up what ours did."""


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    emulator = Emulator.start(tmp_path_factory.mktemp("emulator"), region=REGION)
    yield emulator
    emulator.stop()


@pytest.fixture(scope="module")
def vpc(aws: Emulator) -> str:
    """A network with a public subnet, and two that are isolated."""
    ec2 = aws.client("ec2")
    vpc: str = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{number}.0/24", AvailabilityZone=f"{REGION}{zone}")["Subnet"]
        for number, zone in enumerate("bac")
    ]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnets[2]["SubnetId"])
    group = ec2.create_security_group(GroupName="shop", Description="The shop", VpcId=vpc)["GroupId"]
    rds = aws.client("rds")
    rds.create_db_subnet_group(
        DBSubnetGroupName="shop",
        DBSubnetGroupDescription="The shop",
        SubnetIds=[each["SubnetId"] for each in subnets[:2]],
    )
    group_of_parameters = {"DBParameterGroupName": "shop", "DBParameterGroupFamily": "mysql8.4"}
    rds.create_db_parameter_group(**group_of_parameters, Description="The shop")
    rds.create_db_instance(
        DBParameterGroupName="shop",
        DBInstanceIdentifier="shop",
        DBInstanceClass="db.m7g.large",
        Engine="mysql",
        EngineVersion="8.4",
        DBName="shop",
        AllocatedStorage=20,
        MasterUsername="admin",
        MasterUserPassword="not-a-secret",
        DBSubnetGroupName="shop",
        VpcSecurityGroupIds=[group],
        EnableIAMDatabaseAuthentication=True,
    )
    return vpc


@pytest.fixture(scope="module")
def adopted(aws: Emulator, vpc: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder with the files that were written."""
    folder = tmp_path_factory.mktemp("adopted")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in aws.environment().items():
            patch.setenv(name, value)
        adoption.adopt(Aws(REGION), "shop", file=folder / "basic.toml", context=folder / "cdk.context.json")
        yield folder


def test_the_environment_is_right_but_for_what_only_its_owner_knows(adopted: Path, vpc: str) -> None:
    file = adopted / "basic.toml"
    text = file.read_text()
    login = "arn:aws:secretsmanager:eu-central-1:000000000000:secret:shop-abcdef"
    text = text.replace('# login = "…"', f'login = "{login}"')
    text = text.replace('"localhost"', f'"shop.abc123.{REGION}.rds.amazonaws.com"')  # the emulator's own
    file.write_text(text)
    settings = load_file(file)
    assert isinstance(settings.database, AdoptedDatabaseSettings)
    assert settings.database.existing.identifier == "shop"
    assert settings.network.vpc_id == vpc


def test_the_cdk_would_have_looked_up_the_same(adopted: Path, aws: Emulator, vpc: str, tmp_path: Path) -> None:
    [(key, ours)] = json.loads((adopted / "cdk.context.json").read_text()).items()
    account = ours["ownerAccountId"]
    (tmp_path / "app.py").write_text(LOOKED_UP.format(account=account, region=REGION, vpc=vpc))
    cdk = shutil.which("cdk", path=str(ROOT / "node_modules" / ".bin"))
    assert cdk is not None
    python = ROOT / ".venv" / "bin" / "python"
    subprocess.run(
        [cdk, "synth", "--quiet", "--app", f"{python} app.py"],
        cwd=tmp_path,
        env={**aws.environment(), "HOME": str(tmp_path), "PATH": f"{python.parent}:/usr/bin:/bin"},
        check=True,
        capture_output=True,
        timeout=300,
    )
    looked_up: dict[str, Any] = json.loads((tmp_path / "cdk.context.json").read_text())
    assert looked_up == {key: ours}
