"""What make diff says of jobs that begin to use something besides their database, and of such that cease to."""

from __future__ import annotations

import copy
import json
import re
from collections import defaultdict
from dataclasses import replace
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

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
NAMES = {
    '"my-exports", q': '"<name>-exports", q',
    '"orders"': '"arn:aws:sqs:us-west-2:666666666666:orders"',
}
"""With the environment's name in it, or its account."""
Environments = dict[str, SynthesizedEnvironment]


@pytest.fixture(scope="module")
def environments(shared: Path) -> Environments:
    """The variant whose jobs use all kinds of things, and that with fewer of them, by what is left."""
    return read_environments(made_once(shared, "uses.out", _synthesize))


def _synthesize(folder: Path) -> None:
    everything = (VARIANTS / "reaching.toml").read_text()
    for one, other in NAMES.items():
        everything = everything.replace(one, other, 1)
    inside = HOSTS.sub("", everything)
    texts = {
        "everything": everything,
        "inside": inside,
        "isolated": inside.replace('egress = "nat"\n', ""),
        "unsent": SENDERS.sub("", everything),
        "onehost": HOSTS.sub(', hosts = ["a.example.com:443"]', everything),
        "twohosts": HOSTS.sub(', hosts = ["a.example.com:443", "b.example.com:443"]', everything),
        "nothing": re.sub(r"(?<=\n)(egress|prefix_lists|parameters).*\n", "", everything),
    }
    places = {"Jobs": ["pulse", "herald"], "Jobs-2": ["herald_outside"]}
    files = folder.parent / "uses"
    files.mkdir()
    for name, text in texts.items():
        (files / f"{name}.toml").write_text(text.replace("<name>", name))
        (files / f"{name}.stacks.json").write_text(json.dumps(places))
    synthesize(FilesIn(files), folder, validated=False)


def _by_kind(before: SynthesizedEnvironment, after: SynthesizedEnvironment) -> dict[str, list[Danger]]:
    found: dict[str, list[Danger]] = defaultdict(list)
    for each in dangers(before, after):
        found[each.kind].append(each)
    return found


def _lines(before: SynthesizedEnvironment, after: SynthesizedEnvironment) -> dict[str, list[str]]:
    """What is asked about, by the resource of the decision."""
    found: dict[str, list[str]] = defaultdict(list)
    for each in dangers(before, after):
        found[each.resource].append(each.text)
    return found


def _changed(environment: SynthesizedEnvironment, path: str, key: str, *more: Any) -> SynthesizedEnvironment:
    """`environment` with more in a list of the resource at `path`."""
    [(place, resource)] = [item for item in environment.resources.items() if item[1].path == path]
    properties = copy.deepcopy(dict(resource.properties))
    *above, last = key.split(".")
    reduce(getitem, above, properties).setdefault(last, []).extend(more)
    return replace(environment, resources={**environment.resources, place: replace(resource, properties=properties)})


def test_each_way_that_jobs_begin_to_use_is_one_decision_and_the_way_out_of_the_network_another(
    environments: Environments,
) -> None:
    found = dangers(environments["nothing"], environments["everything"])
    ways = {"443", "8443", "dynamodb", "email", "s3", "secretsmanager", "sqs"}
    assert {(each.kind, each.resource) for each in found} == {
        ("access", "Network/Vpc"),
        *(("access", f"Jobs/Ways/{way}") for way in ways),
    }
    assert len({(each.resource, each.code) for each in found}) == len(ways) + 1


def test_a_decision_about_a_way_says_all_that_it_opens(environments: Environments) -> None:
    lines = _lines(environments["nothing"], environments["everything"])
    role, function = "`Jobs/Job-herald/Job/Role`: ", "`Jobs/Job-herald/Job/Function`: "
    endpoint = "Jobs/Endpoint-sqs/"
    queue = "`sqs:SendMessage` on `arn:aws:sqs:us-west-2:<account>:orders`"
    assert sorted(lines["Jobs/Ways/sqs"]) == [
        f'`{endpoint}Endpoint`: `*` may now {queue}, if `{{"StringEquals": {{"aws:PrincipalAccount": "<account>"}}}}`',
        f"`{endpoint}Endpoint`: it may now `be in the group` on `{{{endpoint}SecurityGroup.GroupId}}`",
        f"`{endpoint}SecurityGroup`: lets `Jobs/Ways/sqs` in, on tcp `443`",
        f"{function}it may now `be in the group` on `{{Jobs/Ways/sqs.GroupId}}`",
        f"{role}it may now {queue}",
        f"lets it reach `{endpoint}SecurityGroup`, on tcp `443`",
    ]
    for way, holders in {
        "s3": ("Network/Gateway-s3", "Jobs/Job-herald/Job/Role", "Jobs/Job-herald_outside/Job/Role"),
        "dynamodb": ("Network/Gateway-dynamodb", "Jobs/Job-herald/Job/Role"),
        "email": ("Jobs/Endpoint-email/Endpoint", "Jobs/Job-herald_outside/Job/Role"),
        "secretsmanager": ("Database/SecretsEndpoint/Endpoint", "Jobs/Job-herald/Job/Role"),
    }.items():
        granted = [each for each in lines[f"Jobs/Ways/{way}"] if "may now" in each and ":" in each.split("`")[-2]]
        assert all(any(f"`{holder}`" in each for each in granted) for holder in holders), way
    called = " ".join(lines["Jobs/Ways/8443"])
    assert "`connect by run.http` on `files.example.com:8443`" in called
    assert "lets it reach `0.0.0.0/0`, on tcp `8443`" in called
    moved = [each for way in ("443", "8443") for each in lines[f"Jobs/Ways/{way}"] if "VpcConfig.SubnetIds" in each]
    assert len(moved) == 1, "the job that uses the internet is in other subnets, and that is no decision of its own"
    out = " ".join(lines["Network/Vpc"])
    for part in ("EgressSubnet1/DefaultRoute", "IGW", "PublicSubnet1/EIP", "PublicSubnet1/NATGateway", "VPCGW"):
        assert f"`Network/Vpc/{part}`" in out


def test_another_host_on_a_port_that_is_open_is_asked_about(environments: Environments) -> None:
    [danger] = dangers(environments["onehost"], environments["twohosts"])
    assert (danger.kind, danger.resource) == ("access", "Jobs/Job-herald_outside/Job/Function")
    assert danger.text == "it may now `connect by run.http` on `b.example.com:443`"
    assert dangers(environments["twohosts"], environments["onehost"]) == []


@pytest.mark.parametrize(
    ("path", "key", "more", "text"),
    [
        pytest.param(
            "Jobs/Job-herald/Job/Role",
            "Policies",
            {
                "PolicyName": "more",
                "PolicyDocument": {"Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]},
            },
            "it may now `s3:GetObject` on `*`",
            id="of the role",
        ),
        pytest.param(
            "Network/Gateway-s3",
            "PolicyDocument.Statement",
            {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "s3:*", "Resource": "*"},
            "`*` may now `s3:*` on `*`",
            id="of an endpoint",
        ),
        pytest.param(
            "Jobs/Endpoint-sqs/SecurityGroup",
            "SecurityGroupIngress",
            {"CidrIp": "10.0.0.0/8", "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443},
            "lets `10.0.0.0/8` in, on tcp `443`",
            id="of an endpoint's group",
        ),
        pytest.param(
            "Database/SecurityGroup",
            "SecurityGroupIngress",
            {
                "SourceSecurityGroupId": "{Jobs/Ways/443.GroupId}",
                "IpProtocol": "tcp",
                "FromPort": 3306,
                "ToPort": 3306,
            },
            "lets `Jobs/Ways/443` in, on tcp `3306`",
            id="of the database's group",
        ),
        pytest.param(
            "Jobs/Migrations/Migrate/Function",
            "VpcConfig.SecurityGroupIds",
            "{Jobs/Ways/s3.GroupId}",
            "it may now `be in the group` on `{Jobs/Ways/s3.GroupId}`",
            id="of a function that is no job's",
        ),
        pytest.param(
            "Jobs/Job-pulse/Job/Function",
            "VpcConfig.SecurityGroupIds",
            "{Jobs/Ways/s3.GroupId}",
            "it may now `be in the group` on `{Jobs/Ways/s3.GroupId}`",
            id="of a job that does not use it",
        ),
    ],
)
def test_what_no_job_states_is_a_decision_of_its_own(
    path: str, key: str, more: Any, text: str, environments: Environments
) -> None:
    after = _changed(environments["everything"], path, key, more)
    assert _lines(environments["nothing"], after)[path] == [text]


def test_a_yes_to_a_way_is_none_to_one_that_opens_more(environments: Environments) -> None:
    rule = {"CidrIp": "10.0.0.0/8", "IpProtocol": "tcp", "FromPort": 1, "ToPort": 65535}
    after = environments["everything"]
    wider = _changed(after, "Jobs-2/Ways/443", "SecurityGroupEgress", rule)
    codes = [
        {each.code for each in dangers(environments["nothing"], one) if each.resource == "Jobs/Ways/443"}
        for one in (after, wider)
    ]
    assert [len(each) for each in codes] == [1, 1]
    assert codes[0] != codes[1]


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
