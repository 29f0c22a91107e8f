"""Every property of every template is what the APIs of AWS take, by botocore's models of them."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from review.templates import read_environments
from tests.conftest import read_templates
from tests.service_models import Checked, check
from tests.service_operations import BY_TYPE, WITHOUT
from tests.stacks.templates import of_type

Template = dict[str, Any]


@pytest.fixture(scope="module")
def checked(assembly: Path, without_jobs: Path, variants: Path) -> list[Checked]:
    return [each for app in (assembly, without_jobs, variants) for each in _checked(app)]


def test_every_value_is_what_the_apis_take(checked: list[Checked]) -> None:
    assert [text for each in checked for text in each.wrong] == []


def test_every_property_is_a_member_of_an_api_or_has_its_reason(checked: list[Checked]) -> None:
    unmapped = {text for each in checked for text in each.unmapped}
    assert unmapped - WITHOUT.keys() == set(), "say in tests/service_operations.py what the API calls it"
    assert unmapped == WITHOUT.keys()


def test_no_type_is_described_that_no_template_has(assembly: Path, variants: Path) -> None:
    found = {
        resource["Type"]
        for app in (assembly, variants)
        for stacks in read_templates(app).values()
        for template in stacks.values()
        for resource in template.get("Resources", {}).values()
    }
    assert BY_TYPE.keys() <= found


def test_most_values_are_known_before_the_deploy(checked: list[Checked]) -> None:
    values, unknown = (sum(getattr(each, name) for each in checked) for name in ("values", "unknown"))
    assert values > 5000
    assert values > 4 * unknown


@pytest.mark.parametrize(
    ("kind", "change", "wrong"),
    [
        ("AWS::CloudWatch::Alarm", {"ComparisonOperator": "GreaterThan"}, "'GreaterThan' is not one of Greater"),
        ("AWS::CloudWatch::Alarm", {"EvaluationPeriods": 0}, "EvaluationPeriods: 0 is not from 1 to"),
        ("AWS::CloudWatch::Alarm", {"AlarmName": "a" * 256}, "AlarmName: 256 is not from 1 to 255"),
        ("AWS::Lambda::Function", {"Timeout": "soon"}, "Timeout: 'soon' is no integer"),
        ("AWS::Lambda::Function", {"Handler": "no handler"}, "Handler: 'no handler' is not like"),
        ("AWS::Lambda::Function", {"Architectures": ["arm64", "x86_64"]}, "Architectures: 2 is not from 1 to 1"),
        ("AWS::Lambda::Function", {"Environment": {"Variables": {"no-name": "x"}}}, "the key no-name: 'no-name'"),
        ("AWS::Lambda::EventInvokeConfig", {"MaximumEventAgeInSeconds": 59}, "59 is not from 60 to 21600"),
        ("AWS::Scheduler::Schedule", {"FlexibleTimeWindow": {}}, "FlexibleTimeWindow: Mode is required"),
        ("AWS::Scheduler::Schedule", {"FlexibleTimeWindow": {"Mode": "OFF", "Days": 1}}, "there is no Days"),
        ("AWS::Scheduler::Schedule", {"Name": "with spaces"}, "Name: 'with spaces' is not like"),
        ("AWS::SQS::Queue", {"KmsMasterKeyId": ["a", {"b": 1}]}, "is no text"),
        ("AWS::Logs::LogGroup", {"LogGroupName": "a b"}, "logGroupName: 'a b' is not like"),
        ("AWS::IAM::Role", {"Description": "a\u2028b"}, "Description: 'a\\u2028b' is not like"),
        ("AWS::IAM::Role", {"Tags": [{"Key": "project"}]}, "Tags[0]: Value is required"),
        ("AWS::EC2::SecurityGroupIngress", {"FromPort": "mysql"}, "FromPort: 'mysql' is no integer"),
    ],
    ids=lambda each: each if isinstance(each, str) and each.startswith("AWS") else "",
)
def test_what_is_broken_on_purpose_is_found(
    kind: str, change: Template, wrong: str, templates: dict[str, dict[str, Template]]
) -> None:
    template = copy.deepcopy(templates["large"]["Jobs"])
    resources = of_type(template["Resources"], kind)
    for resource in resources.values():
        resource["Properties"] |= change
    found = check(template, region="eu-central-1", account="333333333333").wrong
    assert [text for text in found if f"({kind})" in text and wrong in text]
    assert len(found) >= len(resources)


def test_an_unknown_property_is_one_without_a_member(templates: dict[str, dict[str, Template]]) -> None:
    template = copy.deepcopy(templates["large"]["Jobs"])
    name, function = next(iter(of_type(template["Resources"], "AWS::Lambda::Function").items()))
    function["Properties"]["MemoryMegabytes"] = 256
    template["Resources"][name] = function
    unmapped = check(template, region="eu-central-1", account="333333333333").unmapped
    assert [text for text in unmapped if text.endswith("(AWS::Lambda::Function): MemoryMegabytes")]


def _checked(app: Path) -> Iterator[Checked]:
    environments = read_environments(app)
    for name, stacks in read_templates(app).items():
        environment = environments[name]
        for template in stacks.values():
            yield check(template, region=environment.region, account=environment.account)
