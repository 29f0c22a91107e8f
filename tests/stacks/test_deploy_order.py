"""The order of a first deploy, as a graph: nothing needs what is made later."""

import json
import re
from collections.abc import Iterator

import pytest

from tests.fixture import ENVIRONMENTS
from tests.stacks.templates import Resources, Stacks, Synthesize, of_type

ORDER = ("Network", "Database", "Jobs")
"""The CDK CLI deploys a stack after those that it reads."""

NEEDS = (
    # What AWS does not state in a template: the second has to be there, and done, before the first is made.
    ("AWS::RDS::DBProxyTargetGroup", "Custom::Trigger", "its login is of the user that the migrations make"),
    ("AWS::RDS::DBProxyTargetGroup", "AWS::RDS::DBInstance", "it connects there"),
    ("AWS::Scheduler::Schedule", "Custom::Trigger", "a run works in the tables that the migrations make"),
    ("AWS::Scheduler::Schedule", "AWS::RDS::DBProxyTargetGroup", "a run connects there"),
    ("AWS::RDS::EventSubscription", "AWS::SNS::TopicPolicy", "RDS refuses a topic that it may not publish to"),
    ("Custom::Trigger", "AWS::RDS::DBInstance", "the migrations connect there"),
    ("Custom::Trigger", "AWS::EC2::VPCEndpoint", "the migrations read secrets through it"),
)


@pytest.fixture(scope="module", params=["iam", "secret"])
def stacks(request: pytest.FixtureRequest, synthesize: Synthesize) -> Stacks:
    database = {"auth": request.param, "snapshot": "before"}
    found: Stacks = synthesize(ENVIRONMENTS["large"], proxy={"enabled": True}, database=database)
    return found


@pytest.mark.parametrize(("later", "earlier", "why"), NEEDS)
def test_what_is_needed_is_made_before(later: str, earlier: str, why: str, stacks: Stacks) -> None:
    checked = 0
    for stack, name in _of(stacks, later):
        before = _before(stacks, stack, name)
        needed = [each for each in _of(stacks, earlier) if not _of_the_cdk(each[1])]
        assert needed
        assert set(needed) <= before, f"{name}: {why}"
        checked += 1
    assert checked


def test_no_stack_reads_one_that_is_deployed_after_it(stacks: Stacks) -> None:
    for number, stack in enumerate(ORDER):
        read = set(re.findall(r'"StackName": "large-(\w+)"', json.dumps(stacks[stack])))
        assert read <= set(ORDER[:number])


def test_a_proxy_in_the_databases_stack_would_be_found(stacks: Stacks) -> None:
    # As it was in 0.1.0: the target group a stack before the migrations.
    [(_, target)] = _of(stacks, "AWS::RDS::DBProxyTargetGroup")
    moved = {**stacks, "Database": {**stacks["Database"], target: {"Type": "AWS::RDS::DBProxyTargetGroup"}}}
    [(_, trigger)] = _of(stacks, "Custom::Trigger")
    assert ("Jobs", trigger) not in _before(moved, "Database", target)


def _of(stacks: Stacks, kind: str) -> list[tuple[str, str]]:
    return [(stack, name) for stack in ORDER for name in of_type(stacks[stack], kind)]


def _of_the_cdk(name: str) -> bool:
    return name.startswith(("AWSCDK", "Custom"))


def _before(stacks: Stacks, stack: str, name: str) -> set[tuple[str, str]]:
    """What is there for certain when `name` is made: all of the stacks before, and what it waits for in its own."""
    earlier = {(each, other) for each in ORDER[: ORDER.index(stack)] for other in stacks[each]}
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for each in _waits_for(stacks[stack], waiting.pop()):
            if each not in found:
                found.add(each)
                waiting.append(each)
    return earlier | {(stack, each) for each in found}


def _waits_for(resources: Resources, name: str) -> Iterator[str]:
    resource = resources[name]
    depends = resource.get("DependsOn", [])
    yield from [depends] if isinstance(depends, str) else depends
    text = json.dumps(resource.get("Properties", {}))
    referred = re.findall(r'"Ref": "(\w+)"|"Fn::GetAtt": \["(\w+)"', text)
    yield from (each for pair in referred for each in pair if each in resources)
