"""Reading templates: what the tests of several stacks ask of them."""

from collections.abc import Callable
from typing import Any

from review.grants import grants
from review.templates import SynthesizedEnvironment

Resources = dict[str, dict[str, Any]]
"""A template's, by logical id."""
Stacks = dict[str, Resources]
"""An environment's, by name."""
Synthesize = Callable[..., Stacks]


def of_type(resources: Resources, kind: str) -> Resources:
    """Those of one type."""
    return {name: resource for name, resource in resources.items() if resource["Type"] == kind}


def the(resources: Resources, kind: str) -> dict[str, Any]:
    """The properties of the only one of a type."""
    [resource] = of_type(resources, kind).values()
    properties: dict[str, Any] = resource["Properties"]
    return properties


def groups(environment: SynthesizedEnvironment) -> dict[str, set[str]]:
    """The paths of all that is in a security group, whatever stack it is in, by the group's path."""
    found: dict[str, set[str]] = {}
    for grant in grants(environment):
        if grant.action == "be in the group":
            found.setdefault(grant.on.strip("{}").removesuffix(".GroupId"), set()).add(grant.holder)
    return found


def ways(stacks: Stacks) -> set[tuple[str, str]]:
    """The descriptions of the security groups: who is let into which."""
    return {
        (
            _description(stacks, stack, way["Properties"]["SourceSecurityGroupId"]),
            _description(stacks, stack, way["Properties"]["GroupId"]),
        )
        for stack, resources in stacks.items()
        for way in of_type(resources, "AWS::EC2::SecurityGroupIngress").values()
    }


def _description(stacks: Stacks, stack: str, reference: dict[str, Any]) -> str:
    """Of the security group that `reference`, in `stack`, means."""
    if "Fn::GetAtt" in reference:
        name = reference["Fn::GetAtt"][0]
    else:
        output = reference["Fn::GetStackOutput"]
        stack = output["StackName"].partition("-")[2]
        groups = of_type(stacks[stack], "AWS::EC2::SecurityGroup")
        [name] = [each for each in groups if f"GetAtt{each}GroupId" in output["OutputName"]]
    text: str = stacks[stack][name]["Properties"]["GroupDescription"]
    return text
