"""cfn-lint finds nothing in any template, in the environment's own region, and finds what is broken on purpose."""

import json
from pathlib import Path
from typing import Any

import pytest
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from review.templates import read_environments
from settings.environment import REGIONS
from tests.cfn_lint import IGNORED, findings, is_ignored
from tests.stacks.templates import of_type


@pytest.fixture(scope="module")
def found(assembly: Path, without_jobs: Path, variants: Path) -> list[str]:
    """What is found in all templates, each for its region."""
    by_region: dict[str, list[Path]] = {}
    for app in (assembly, without_jobs, variants):
        for name, environment in read_environments(app).items():
            templates = (app / f"assembly-{name}").glob("*.template.json")
            by_region.setdefault(environment.region, []).extend(templates)
    assert len(by_region) > 4
    return [line for region, templates in by_region.items() for line in findings(templates, [region])]


def test_nothing_is_found_but_what_is_ignored_and_all_of_that(found: list[str]) -> None:
    assert [line for line in found if not is_ignored(line)] == []
    assert all(any(f":{rule}:" in line for line in found) for rule in IGNORED)


def test_the_major_version_that_its_list_lacks_is_one_that_rds_has_versions_of(found: list[str]) -> None:
    unknown = [line.partition("EngineVersion: ")[2] for line in found if ":E3691:" in line]
    assert unknown
    for message in unknown:
        version, versions = message.split(" is not one of ")
        assert version.rstrip("'") + "." in versions


def test_what_is_broken_on_purpose_is_found(assembly: Path, tmp_path: Path) -> None:
    [file] = (assembly / "assembly-large").glob("largeDatabase*.template.json")
    template = json.loads(file.read_text())
    broken: dict[str, tuple[str, dict[str, Any]]] = {
        "E3002": ("AWS::RDS::DBInstance", {"StorageGb": 20}),  # there is no such property
        "E3003": ("AWS::EC2::VPCEndpoint", {"VpcId": None}),  # required
        "E3012": ("AWS::RDS::EventSubscription", {"Enabled": ["perhaps"]}),  # another type
        "E3025": ("AWS::RDS::DBInstance", {"DBInstanceClass": "db.m7g.large"}),  # Cape Town has none
        "E3030": ("AWS::EC2::VPCEndpoint", {"VpcEndpointType": "Door"}),  # one of a few
        "E3512": ("AWS::SNS::TopicPolicy", {"PolicyDocument": {"Version": "2012-10-18"}}),
        "E3031": ("AWS::RDS::DBInstance", {"MasterUsername": "0admin"}),  # a pattern
        "E3034": ("AWS::SQS::Queue", {"MessageRetentionPeriod": 59}),  # at least 60
        "I3011": ("AWS::SQS::Queue", {}),  # no DeletionPolicy
        "I3037": ("AWS::RDS::DBSubnetGroup", {"SubnetIds": ["subnet-01234567", "subnet-01234567"]}),
        "W3037": ("AWS::IAM::Role", {"Policies": [_policy("rds:Destroy", "*")]}),
    }
    template["Resources"]["Queue"] = {"Type": "AWS::SQS::Queue", "Properties": {}}
    for kind, changes in broken.values():
        for resource in of_type(template["Resources"], kind).values():
            resource["Properties"] = {
                name: value for name, value in {**resource["Properties"], **changes}.items() if value is not None
            }
    written = tmp_path / file.name
    written.write_text(json.dumps(template))
    lines = findings([written], ["af-south-1"])
    assert [rule for rule in broken if not any(f":{rule}:" in line for line in lines)] == [], "\n".join(lines)


def test_every_region_of_the_settings_has_every_resource_type(assembly: Path, variants: Path) -> None:
    kinds = {
        each.kind
        for app in (assembly, variants)
        for environment in read_environments(app).values()
        for each in environment.resources.values()
        if each.kind.startswith("AWS::")
    }
    for region in REGIONS:
        there = set(PROVIDER_SCHEMA_MANAGER.get_resource_types(region))
        assert kinds - there == set(), region


def _policy(action: str, resource: str) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return {"PolicyName": "broken", "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]}}
