"""The resources of an environment's templates, and what refers to what in them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


class ArchitectureError(Exception):
    """The templates hold something that the picture has no place for, or that can't be read."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Resource:
    """One resource of a template."""

    stack: str
    name: str
    """Its logical id."""
    kind: str
    properties: Mapping[str, Any]
    after: tuple[str, ...]
    """The logical ids of those that have to be there first."""


class Templates:
    """The templates of one environment."""

    def __init__(self, *, name: str, stacks: Mapping[str, Mapping[str, Any]]) -> None:
        """Read `stacks`, the templates by stack."""
        self.name = name
        self._outputs = {stack: template.get("Outputs", {}) for stack, template in stacks.items()}
        self._resources = {
            (stack, logical_id): Resource(
                stack=stack,
                name=logical_id,
                kind=each["Type"],
                properties=each.get("Properties", {}),
                after=tuple(listed(each.get("DependsOn", []))),
            )
            for stack, template in stacks.items()
            for logical_id, each in template["Resources"].items()
        }
        self._providers = {each for owner in self.all() for each in self.meant(owner, "ServiceToken")}

    def all(self) -> list[Resource]:
        """Every resource, in the order of the templates."""
        return list(self._resources.values())

    def of(self, kind: str) -> list[Resource]:
        """The resources of one type, without the CDK's own functions behind its custom resources."""
        return [each for each in self.all() if each.kind == kind and each not in self._providers]

    def meant(self, owner: Resource, *path: str) -> list[Resource]:
        """The resources that the properties of `owner` refer to, at `path` and below."""
        value: Any = owner.properties
        for key in path:
            value = value.get(key, {}) if isinstance(value, Mapping) else {}
        return list(self.referred_to(owner.stack, value))

    def referred_to(self, stack: str, value: Any) -> Iterator[Resource]:
        """The resources that `value`, in `stack`, refers to; none for one that no template has.

        Raises:
            ArchitectureError: it refers to another stack in a way that is not read here.
        """
        match value:
            case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), _]}:
                if found := self._resources.get((stack, name)):
                    yield found
            case {"Fn::GetStackOutput": {"StackName": str(other), "OutputName": str(output)}}:
                other = self.own(other)
                yield from self.referred_to(other, self._outputs.get(other, {}).get(output, {}).get("Value"))
            case {"Fn::ImportValue": export}:
                raise ArchitectureError(f"{stack}: can't read the export {export}")
            case dict():
                for part in value.values():
                    yield from self.referred_to(stack, part)
            case list():
                for part in value:
                    yield from self.referred_to(stack, part)

    def granted(self, function: Resource, action: str) -> list[Resource]:
        """The resources on which the role of `function` may do `action`."""
        roles = self.meant(function, "Role")
        return [
            each
            for policy in self.of("AWS::IAM::Policy")
            if set(self.meant(policy, "Roles")) & set(roles)
            for statement in policy.properties["PolicyDocument"]["Statement"]
            if statement["Effect"] == "Allow" and action in listed(statement["Action"])
            for each in self.referred_to(policy.stack, statement["Resource"])
        ]

    def port(self, rule: Resource) -> str:
        """The port and protocol that a rule of a security group opens.

        Raises:
            ArchitectureError: it is no single port.
        """
        first, last = rule.properties["FromPort"], rule.properties["ToPort"]
        if isinstance(first, dict):
            first = last = next((each.properties.get("Port") for each in self.referred_to(rule.stack, first)), None)
        if first is None or first != last:
            raise ArchitectureError(f"{rule.stack}/{rule.name}: can't read its port")
        return f"{first}/{rule.properties['IpProtocol']}"

    def own(self, name: str) -> str:
        """A name without the environment's."""
        return name.removeprefix(f"{self.name}-")


def listed(value: Any) -> list[Any]:
    """A value that may stand alone, as a list."""
    return value if isinstance(value, list) else [value]
