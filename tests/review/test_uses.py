"""What make diff says of jobs that begin to use something besides their database, and of such that cease to."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path

import pytest

from documents.synthesis import synthesize
from local.made_once import made_once
from review.cost import changed_cost
from review.danger import Danger
from review.judgement import dangers
from review.templates import SynthesizedEnvironment, read_environments
from tests.fixture import VARIANTS, FilesIn

HOSTS = re.compile(r", hosts = \[[^]]*]")
SENDERS = re.compile(r", senders = \[[^]]*]")
Environments = dict[str, SynthesizedEnvironment]


@pytest.fixture(scope="module")
def environments(shared: Path) -> Environments:
    """The variant whose jobs use all kinds of things, and that with fewer of them, by what is left."""
    return read_environments(made_once(shared, "uses.out", _synthesize))


def _synthesize(folder: Path) -> None:
    everything = (VARIANTS / "reaching.toml").read_text()
    inside = HOSTS.sub("", everything)
    texts = {
        "everything": everything,
        "inside": inside,
        "isolated": inside.replace('egress = "nat"\n', ""),
        "unsent": SENDERS.sub("", everything),
        "nothing": re.sub(r"(?<=\n)(egress|prefix_lists|parameters).*\n", "", everything),
    }
    places = {"Jobs": ["pulse", "herald"], "Jobs-2": ["herald_outside"]}
    files = folder.parent / "uses"
    files.mkdir()
    for name, text in texts.items():
        (files / f"{name}.toml").write_text(text)
        (files / f"{name}.stacks.json").write_text(json.dumps(places))
    synthesize(FilesIn(files), folder, validated=False)


def _by_kind(before: SynthesizedEnvironment, after: SynthesizedEnvironment) -> dict[str, list[Danger]]:
    found: dict[str, list[Danger]] = defaultdict(list)
    for each in dangers(before, after):
        found[each.kind].append(each)
    return found


def test_all_that_jobs_begin_to_use_is_asked_about_as_access(environments: Environments) -> None:
    found = _by_kind(environments["nothing"], environments["everything"])
    assert found.keys() == {"access", "protection"}
    assert {(each.resource, each.code) for each in found["protection"]} == {
        ("Jobs-2/Job-herald_outside/Job/Function", "subnets")
    }
    asked = {each.resource: each.text for each in found["access"]}
    # The stacks of jobs are read as one, but for a group that the first has, too.
    ways = {each.partition("/Ways/")[::2] for each in asked if "/Ways/" in each}
    own = ("443", "8443", "dynamodb", "email", "s3", "secretsmanager", "sqs")
    assert ways == {*(("Jobs", way) for way in own), ("Jobs-2", "s3")}
    assert all("lets it reach" in asked[f"{stack}/Ways/{way}"] for stack, way in ways)
    for policy in (
        "Database/SecretsEndpoint/Endpoint",
        "Jobs/Endpoint-email/Endpoint",
        "Jobs/Endpoint-sqs/Endpoint",
        "Jobs/Job-herald/Job/Role",
        "Jobs/Job-herald_outside/Job/Role",
        "Network/Gateway-dynamodb",
        "Network/Gateway-s3",
    ):
        assert "may now" in asked[policy]
    for out in (
        "Network/Vpc/EgressSubnet1/DefaultRoute",
        "Network/Vpc/IGW",
        "Network/Vpc/PublicSubnet1/EIP",
        "Network/Vpc/PublicSubnet1/NATGateway",
        "Network/Vpc/VPCGW",
    ):
        assert out in asked


def test_what_the_ways_cost_is_said_and_a_gateway_costs_nothing(environments: Environments) -> None:
    cost = changed_cost(environments["nothing"], environments["everything"])
    assert cost
    assert cost.not_priced == ()
    assert {words: round(usd, 2) for words, usd in cost.items} == {
        "NAT gateway": 32.85,
        "interface endpoint (4 zones more)": 29.20,
        "public IPv4 address": 3.65,
    }


def test_subnets_that_a_job_of_a_later_stack_is_still_in_are_refused(environments: Environments) -> None:
    found = _by_kind(environments["everything"], environments["isolated"])
    refused = [each for each in found["refused"] if each.text == "its `Subnet` would be removed"]
    assert [each.resource for each in refused] == ["Network/Vpc/EgressSubnet1", "Network/Vpc/EgressSubnet2"]
    assert all("take those out first, by a deploy of their own" in each.then for each in refused)
    assert "data" not in found


def test_subnets_that_nothing_is_in_any_more_can_go_and_no_data_is_lost_with_them(environments: Environments) -> None:
    assert _by_kind(environments["everything"], environments["inside"]).keys() == {"protection"}
    found = _by_kind(environments["inside"], environments["isolated"])
    assert found.keys() == {"protection"}
    assert {each.resource for each in found["protection"]} == {
        "Network/Gateway-dynamodb",
        "Network/Gateway-s3",
        *(f"Network/Vpc/{kind}Subnet{number}" for kind in ("Egress", "Public") for number in (1, 2)),
    }


def test_the_group_of_an_endpoint_that_a_later_stack_has_rules_with_is_told_of(environments: Environments) -> None:
    found = _by_kind(environments["everything"], environments["unsent"])
    assert {each.resource for each in found["refused"]} == {"Jobs/Endpoint-email"}
    [group] = [each for each in found["refused"] if each.then]
    assert group.text == "its `SecurityGroup` would be removed"
    assert group.then.endswith("delete it by hand after the deploy")
    assert "data" not in found
