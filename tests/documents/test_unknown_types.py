"""Whatever a team adds to a stack is in the picture and in the tables, and nothing fails on it."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from documents.access import NO_REASON, WIDE, tables
from documents.picture.arrows import architecture
from documents.picture.boxes import SHOWN
from documents.picture.drawing import svg
from review.templates import read_templates
from tests.documents.conftest import Stacks, read

ADDED: dict[str, dict[str, Any]] = {
    "AWS::DynamoDB::Table": {"SSESpecification": {"SSEEnabled": True}},
    "AWS::EC2::NatGateway": {"SubnetId": {"Ref": "Unknown"}},
    "AWS::EC2::VPCPeeringConnection": {"VpcId": {"Fn::ImportValue": "other"}, "PeerVpcId": "vpc-1"},
    "AWS::IAM::User": {"UserName": "somebody"},
    "AWS::KMS::Key": {"KeyPolicy": {"Statement": {"Effect": "Allow", "Principal": "*", "Action": "kms:*"}}},
    "AWS::Lambda::Permission": {"FunctionName": "f", "Action": "lambda:InvokeFunction", "Principal": "*"},
    "AWS::Lambda::Url": {"TargetFunctionArn": "f", "AuthType": "NONE"},
    "AWS::S3::Bucket": {"BucketEncryption": {"Fn::If": ["Production", {"a": 1}, {"Ref": "AWS::NoValue"}]}},
    "AWS::SecretsManager::RotationSchedule": {"SecretId": "s", "RotationRules": {"AutomaticallyAfterDays": 30}},
    "Custom::Anything": {"ServiceToken": {"Fn::GetAtt": ["Nothing", "Arn"]}, "Deep": [{"er": None}]},
}
IN_TABLES = ADDED.keys() - {"Custom::Anything"}
"""Those that bear on who can reach what."""


@pytest.mark.parametrize("stack", ["Network", "Database", "Jobs", "Storage"])
@pytest.mark.parametrize("kind", ADDED)
def test_an_added_type_is_shown(kind: str, stack: str, stacks: Stacks) -> None:
    resource = {"Type": kind, "Properties": ADDED[kind]}
    stacks.setdefault(stack, {"Resources": {}})["Resources"] |= {"AddedOne": resource, "AddedTwo": resource}
    environment = read(stacks)
    assert f">2 x {kind}<" in svg(architecture(environment))
    if kind in IN_TABLES:
        # A permission is the function's, whose ARN it names.
        assert ("| f |" if kind == "AWS::Lambda::Permission" else f"{stack}/AddedOne") in tables([environment])


@pytest.mark.parametrize("kind", ["AWS::SQS::Queue", "AWS::Lambda::Function", "AWS::SNS::Topic"])
def test_a_second_one_of_a_known_type_is_shown_by_its_path(kind: str, stacks: Stacks) -> None:
    stacks["Jobs"]["Resources"]["AddedOne"] = {"Type": kind}
    boxes = architecture(read(stacks)).boxes
    assert any("Jobs/AddedOne" in (box.title, *box.lines) for box in boxes)


def test_a_wide_right_without_a_reason_is_marked(stacks: Stacks) -> None:
    right = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    policy = {"PolicyDocument": {"Statement": [right]}, "Roles": [{"Ref": "AddedRole"}]}
    stacks["Jobs"]["Resources"] |= {"AddedPolicy": {"Type": "AWS::IAM::Policy", "Properties": policy}}
    lines = tables([read(stacks)]).splitlines()
    assert [line for line in lines if NO_REASON in line] == [
        f"- {WIDE} Jobs/AddedRole · s3:* {WIDE} · any resource {WIDE}: {NO_REASON}"
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just("*"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(("Ref", "Fn::GetAtt", "Fn::If", "Key")), inner, max_size=2)
    ),
    max_leaves=6,
)
NAMES = (
    "Name",
    "FunctionName",
    "QueueName",
    "KmsKeyId",
    "Target",
    "DashboardBody",
    "AvailabilityZone",
    "Engine",
    "Role",
    "MessageRetentionPeriod",
    "RetentionInDays",
    "VpcConfig",
    "Policies",
    "Environment",
    "LoggingConfig",
    "AlarmActions",
)
KINDS = (*SHOWN, "AWS::SQS::Queue", "AWS::Logs::LogGroup", "AWS::CloudWatch::Alarm", "Some::Unknown::Type")


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "Type": st.sampled_from(KINDS),
                "Properties": st.dictionaries(st.sampled_from(NAMES), JSON, max_size=4),
            }
        ),
        max_size=6,
    )
)
def test_no_value_of_any_property_fails(resources: list[dict[str, Any]]) -> None:
    template = {"Resources": {f"R{number}": each for number, each in enumerate(resources)}}
    environment = read_templates("any", "111111111111", "eu-central-1", {"Jobs": template, "Other": template}, {})
    drawn = architecture(environment)
    assert svg(drawn, [drawn, drawn]).startswith("<svg")
    assert tables([environment]).startswith("# Access")
