"""The network: no way out of ours, and a VPC that is there is taken as it is."""

from typing import Any

import pytest
from aws_cdk.assertions import Annotations, Match

from settings.environment import EnvironmentSettings
from stacks.environment import Environment
from tests.fixture import ENVIRONMENTS, PROJECT
from tests.quick_app import quick_app
from tests.stacks.templates import Resources, Synthesize, of_type, the

VPC = "vpc-0123456789abcdef0"
EXISTING = {"vpc_id": VPC, "cidr": None, "zones": ()}


def test_the_network_has_no_way_out(network: Resources) -> None:
    ways_out = {
        "AWS::EC2::InternetGateway",
        "AWS::EC2::NatGateway",
        "AWS::EC2::EgressOnlyInternetGateway",
        "AWS::EC2::TransitGatewayAttachment",
        "AWS::EC2::VPCPeeringConnection",
        "AWS::EC2::VPNGateway",
        "AWS::EC2::Route",
    }
    assert not {resource["Type"] for resource in network.values()} & ways_out


def test_the_subnets_are_in_the_zones_of_the_file(environment: str, network: Resources) -> None:
    zones = [each["Properties"]["AvailabilityZone"] for each in of_type(network, "AWS::EC2::Subnet").values()]
    stated = ENVIRONMENTS[environment]
    assert sorted(zones) == sorted(f"{stated.region}{letter}" for letter in stated.network.zones)


def test_all_traffic_is_recorded_for_as_long_as_the_file_says(environment: str, network: Resources) -> None:
    flow_log = the(network, "AWS::EC2::FlowLog")
    [vpc] = of_type(network, "AWS::EC2::VPC")
    assert (flow_log["ResourceId"], flow_log["TrafficType"]) == ({"Ref": vpc}, "ALL")
    group = network[flow_log["LogGroupName"]["Ref"]]
    assert group["Properties"]["RetentionInDays"] == ENVIRONMENTS[environment].network.flow_log_days


def test_only_this_accounts_flow_logs_may_be_written_with_their_role(environment: str, network: Resources) -> None:
    role = network[the(network, "AWS::EC2::FlowLog")["DeliverLogsPermissionArn"]["Fn::GetAtt"][0]]
    [trust] = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "vpc-flow-logs.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": ENVIRONMENTS[environment].account}}


def test_the_default_security_group_lets_nobody_in_or_out(network: Resources) -> None:
    [vpc] = of_type(network, "AWS::EC2::VPC")
    assert the(network, "Custom::VpcRestrictDefaultSG")["DefaultSecurityGroupId"] == {
        "Fn::GetAtt": [vpc, "DefaultSecurityGroup"]
    }


# A VPC that is there


@pytest.mark.parametrize(
    ("kinds", "used"),
    [
        pytest.param(("Public", "Private", "Isolated"), "Isolated", id="isolated ones"),
        pytest.param(("Public", "Private"), "Private", id="private ones, if there are no isolated ones"),
    ],
)
def test_everything_is_in_the_private_subnets_of_a_vpc_that_is_there(
    kinds: tuple[str, ...], used: str, synthesize: Synthesize
) -> None:
    stacks = synthesize(
        ENVIRONMENTS["large"], looked_up(ENVIRONMENTS["large"], *kinds), network=EXISTING, proxy={"enabled": True}
    )
    found = {
        (each["Type"], *sorted(subnets))
        for resources in stacks.values()
        for each in resources.values()
        if (subnets := subnets_of(each["Properties"]))
    }
    assert found == {
        (kind, f"subnet-{used.lower()}a", f"subnet-{used.lower()}b")
        for kind in ("AWS::RDS::DBSubnetGroup", "AWS::RDS::DBProxy", "AWS::EC2::VPCEndpoint", "AWS::Lambda::Function")
    }
    groups = [group for each in stacks.values() for group in of_type(each, "AWS::EC2::SecurityGroup").values()]
    assert {group["Properties"]["VpcId"] for group in groups} == {VPC}


def test_nothing_of_a_vpc_that_is_there_is_changed(synthesize: Synthesize) -> None:
    stacks = synthesize(ENVIRONMENTS["basic"], looked_up(ENVIRONMENTS["basic"], "Isolated"), network=EXISTING)
    assert not stacks["Network"]
    kinds = {resource["Type"] for resources in stacks.values() for resource in resources.values()}
    assert not kinds & {"AWS::EC2::FlowLog", "Custom::VpcRestrictDefaultSG", "AWS::EC2::VPC", "AWS::EC2::Subnet"}


@pytest.mark.synthesis
def test_a_vpc_that_nobody_looked_up_yet_is_an_error_that_says_what_to_do() -> None:
    message = f"cdk.context.json does not know {VPC}: run `npx cdk synth` .* credentials .* commit cdk.context.json"
    assert errors(ENVIRONMENTS["basic"], {}, message)


@pytest.mark.synthesis
def test_a_vpc_without_private_subnets_is_an_error() -> None:
    assert not errors(ENVIRONMENTS["basic"], looked_up(ENVIRONMENTS["basic"], "Private"), ".*")
    with pytest.raises(RuntimeError, match="no 'Private' subnet groups in this VPC"):
        errors(ENVIRONMENTS["basic"], looked_up(ENVIRONMENTS["basic"], "Public"), ".*")


def subnets_of(properties: dict[str, Any]) -> list[str]:
    within = {**properties, **properties.get("VpcConfig", {})}
    subnets: list[str] = within.get("SubnetIds") or within.get("VpcSubnetIds") or []
    return subnets


def errors(settings: EnvironmentSettings, context: dict[str, Any], message: str) -> list[Any]:
    network = settings.network.model_copy(update=EXISTING)
    flags: dict[str, Any] = {"aws:cdk:bundling-stacks": []}
    environment = Environment(
        quick_app(context={**flags, **context}),
        project=PROJECT,
        settings=settings.model_copy(update={"network": network}),
    )
    annotations = Annotations.from_stack(environment.network)
    return annotations.find_error("*", Match.string_like_regexp(message))


def looked_up(settings: EnvironmentSettings, *kinds: str) -> dict[str, Any]:
    """What the CLI writes into cdk.context.json about a VPC with subnets of these kinds in two zones."""
    groups = [
        {
            "name": kind,
            "type": kind,
            "subnets": [
                {
                    "subnetId": f"subnet-{kind.lower()}{zone}",
                    "cidr": f"10.0.{number}.0/24",
                    "availabilityZone": f"{settings.region}{zone}",
                    "routeTableId": f"rtb-{kind.lower()}{zone}",
                }
                for number, zone in enumerate("ab")
            ],
        }
        for kind in kinds
    ]
    key = f"vpc-provider:account={settings.account}:filter.vpc-id={VPC}:region={settings.region}"
    vpc = {"vpcId": VPC, "vpcCidrBlock": "10.0.0.0/16", "ownerAccountId": settings.account, "availabilityZones": []}
    return {f"{key}:returnAsymmetricSubnets=true": {**vpc, "subnetGroups": groups}}
