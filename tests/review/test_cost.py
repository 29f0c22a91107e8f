"""What a change costs is counted in the templates, priced by a dated list; what has no price is named."""

import re
from pathlib import Path
from typing import Any

import pytest

from review.cost import FALLBACK, billed, changed_cost, prices, prices_date
from review.templates import SynthesizedEnvironment, read_environments, read_templates
from settings.project import ROOT

PAGE = (ROOT / "docs" / "cost.md").read_text()
ROWS = {
    "instance t4g.micro": 'database.instance_class = "t4g.micro"',
    "instance t4g.small": '… "t4g.small"',
    "instance t4g.medium": '… "t4g.medium"',
    "instance m7g.large": '… "m7g.large"',
    "instance m7g.xlarge": '… "m7g.xlarge"',
    "storage gp3": "database.storage_gb",
    "IOPS beyond 12,000": "database.storage_iops",
    "interface endpoint": "network.secrets_endpoint = true",
    "proxy": "proxy.enabled = true",
    "NAT gateway": 'network.egress = "nat": a NAT gateway',
    "public IPv4 address": "… and its public IPv4 address",
    "secret": 'the master\'s secret; with auth = "secret" one for each job, and one of version 0.1',
    "KMS key": "encryption_key",
    "alarm metrics": "alarms",
    "metrics": "metrics of the runs",
    "dashboard": "the dashboard",
}
"""Which row of docs/cost.md has the price."""

INSTANCE = {
    "DBInstanceClass": "db.m7g.large",
    "Engine": "mysql",
    "AllocatedStorage": "100",
    "StorageType": "gp3",
    "MultiAZ": True,
    "ManageMasterUserPassword": True,
}


def environment(region: str = "us-east-1", **resources: tuple[str, dict[str, Any]]) -> SynthesizedEnvironment:
    template = {name: {"Type": kind, "Properties": properties} for name, (kind, properties) in resources.items()}
    return read_templates("basic", "111111111111", region, {"Jobs": {"Resources": template}}, {})


def of(kind: str, **properties: Any) -> dict[str, float]:
    return billed(environment(Resource=(kind, properties)))


def test_the_page_says_the_same_prices() -> None:
    cells = [[cell.strip().replace("`", "") for cell in line.split("|")[1:-1]] for line in PAGE.splitlines()]
    rows = {row[0]: row for row in cells if len(row) == 5}
    assert set(prices()) == set(ROWS)
    for name, price in prices().items():
        _, per, usd, source, _ = rows[ROWS[name]]
        assert (float(usd), source) == (price[FALLBACK]["usd"], f"[{price[FALLBACK]['source']}]"), name
        assert ("hour" in per) == (price["per"] == "hour"), name
        assert re.search(rf"(?m)^{price[FALLBACK]['source']}\. ", PAGE), name
    [elsewhere] = re.findall(r"(?m)^In eu-central-1 (.*\n.*)$", PAGE)
    known = [price["eu-central-1"]["usd"] for price in prices().values() if "eu-central-1" in price]
    assert sorted(re.findall(r"\b0\.\d+", elsewhere)) == sorted(map(str, known))
    assert f"Looked up on {prices_date():%-d %B %Y}" in PAGE


def test_a_new_endpoint_is_counted_by_its_zones() -> None:
    endpoint = ("AWS::EC2::VPCEndpoint", {"VpcEndpointType": "Interface", "SubnetIds": ["one", "two"]})
    change = changed_cost(environment(), environment(Endpoint=endpoint))
    assert change is not None
    assert list(change.markdown()) == ["**+14.60 USD a month**", "+14.60: interface endpoint (2 zones)"]


def test_an_instance_is_billed_twice_with_a_standby_and_with_what_it_has() -> None:
    assert of("AWS::RDS::DBInstance", **INSTANCE) == {"instance m7g.large": 2, "storage gp3": 200, "secret": 1}
    assert of("AWS::RDS::DBInstance", **INSTANCE | {"MultiAZ": False, "Iops": 14_000, "StorageThroughput": 600}) == {
        "instance m7g.large": 1,
        "storage gp3": 100,
        "IOPS beyond 12,000": 2_000,
        "MB/s of storage beyond 500": 100,
        "secret": 1,
    }
    assert of("AWS::RDS::DBInstance", **INSTANCE | {"Iops": 12_000, "DatabaseInsightsMode": "advanced"}) == {
        "instance m7g.large": 2,
        "storage gp3": 200,
        "vCPUs with advanced insights": 4,
        "secret": 1,
    }


def test_another_class_is_the_difference_of_both_largest_first() -> None:
    before = environment(Database=("AWS::RDS::DBInstance", INSTANCE | {"DBInstanceClass": "db.t4g.micro"}))
    after = environment(Database=("AWS::RDS::DBInstance", INSTANCE | {"AllocatedStorage": "200"}))
    change = changed_cost(before, after)
    assert change is not None
    assert list(change.markdown()) == [
        "**+244.92 USD a month**",
        "+245.28: instance m7g.large (2)",
        "-23.36: instance t4g.micro (2 fewer)",
        "+23.00: storage gp3 (200 GB more)",
    ]


@pytest.mark.parametrize(
    ("kind", "properties", "expected"),
    [
        ("AWS::EC2::NatGateway", {}, {"NAT gateway": 1}),
        ("AWS::EC2::EIP", {}, {"public IPv4 address": 1}),
        ("AWS::KMS::Key", {}, {"KMS key": 1}),
        ("AWS::CloudWatch::Alarm", {"MetricName": "Errors"}, {"alarm metrics": 1}),
        (
            "AWS::CloudWatch::Alarm",
            {"Metrics": [{"MetricStat": {}}, {"MetricStat": {}}, {"Expression": "a + b"}]},
            {"alarm metrics": 2},
        ),
        (
            "AWS::Logs::MetricFilter",
            {"MetricTransformations": [{"Dimensions": [{"Key": "job"}, {"Key": "outcome"}]}]},
            {"metrics": 2},
        ),
        ("AWS::Logs::MetricFilter", {"MetricTransformations": [{}]}, {"metrics": 1}),
        ("AWS::EC2::VPCEndpoint", {"VpcEndpointType": "Gateway"}, {}),
        ("AWS::Lambda::Function", {}, {}),
        ("AWS::IAM::Role", {}, {}),
    ],
)
def test_what_is_billed_by_the_resource_is_counted(
    kind: str, properties: dict[str, Any], expected: dict[str, float]
) -> None:
    assert of(kind, **properties) == expected


def test_a_proxy_is_billed_by_the_vcpus_behind_it() -> None:
    group = {"DBProxyName": {"Ref": "Proxy"}, "DBInstanceIdentifiers": [{"Ref": "Database"}]}
    with_proxy = environment(
        Database=("AWS::RDS::DBInstance", INSTANCE | {"DBInstanceClass": "db.m7g.xlarge"}),
        Proxy=("AWS::RDS::DBProxy", {}),
        Group=("AWS::RDS::DBProxyTargetGroup", group),
    )
    assert billed(with_proxy)["proxy"] == 4
    assert of("AWS::RDS::DBProxy") == {"proxy of an unknown instance": 1}


@pytest.mark.parametrize(
    ("kind", "properties", "expected"),
    [
        ("AWS::ECS::Service", {}, "`AWS::ECS::Service`"),
        ("AWS::RDS::DBInstance", {"DBInstanceClass": "db.r7g.large"}, "instance r7g.large"),
        (
            "AWS::RDS::DBInstance",
            {"DBInstanceClass": "db.m7g.large", "Engine": "postgres"},
            "instance m7g.large of postgres",
        ),
        ("AWS::RDS::DBInstance", {"AllocatedStorage": {"Ref": "Size"}}, "storage gp2, of an unknown size"),
        ("AWS::RDS::DBInstance", {"AllocatedStorage": 10, "StorageType": "io2"}, "storage io2 (10)"),
    ],
)
def test_what_has_no_price_is_named(kind: str, properties: dict[str, Any], expected: str) -> None:
    change = changed_cost(environment(), environment(Resource=(kind, properties)))
    assert change is not None
    [said, *_] = change.markdown()
    assert said.startswith("**not known**, as here is no price of ")
    assert expected in said


def test_a_sum_that_lacks_a_price_is_no_total() -> None:
    before = environment(Database=("AWS::RDS::DBInstance", INSTANCE))
    after = environment(Database=("AWS::RDS::DBInstance", INSTANCE | {"DBInstanceClass": "db.m7g.16xlarge"}))
    change = changed_cost(before, after)
    assert change is not None
    assert list(change.markdown()) == [
        "**not known**, as here is no price of instance m7g.16xlarge (2); the rest is -245.28 USD a month",
        "-245.28: instance m7g.large (2 fewer)",
    ]


def test_the_price_of_another_region_is_named_as_such() -> None:
    change = changed_cost(None, environment("eu-central-1", Database=("AWS::RDS::DBInstance", INSTANCE)))
    assert change is not None
    assert change.elsewhere == ("instance m7g.large", "secret")
    said = list(change.markdown())
    assert "The price is that of us-east-1, as here is none of eu-central-1: instance m7g.large, secret" in said
    assert "+27.40: storage gp3 (200 GB)" in said


def test_what_stays_although_no_template_has_it_any_more_goes_on_costing() -> None:
    secret: dict[str, Any] = {"Type": "AWS::SecretsManager::Secret", "Properties": {}}
    gone = read_templates("basic", "1" * 12, "us-east-1", {"Jobs": {}, "Other": {"Resources": {"S": secret}}}, {})
    kept = read_templates(
        "basic", "1" * 12, "us-east-1", {"Jobs": {"Resources": {"S": {**secret, "DeletionPolicy": "Retain"}}}}, {}
    )
    after = read_templates("basic", "1" * 12, "us-east-1", {"Jobs": {}}, {})
    deleted = read_templates("basic", "1" * 12, "us-east-1", {"Jobs": {"Resources": {"S": secret}}}, {})
    assert changed_cost(gone, after) is None
    assert changed_cost(kept, after) is None
    assert changed_cost(deleted, after) is not None


def test_what_this_project_deploys_has_a_price_or_is_free(assembly: Path) -> None:
    for each in read_environments(assembly).values():
        assert set(billed(each)) <= set(prices()), each.name
