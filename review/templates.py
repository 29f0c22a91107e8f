"""A synthesized app, read: the resources of each environment, in words that are the same in all of them.

A reference becomes the construct path of what it means, like {Database/Instance.Endpoint.Port}. The environment's name,
its account, and what the CDK derives from both are replaced: so the same change is the same text in every environment,
and logical ids with hashes in them are in no report.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from settings.values import partition_of

ENVIRONMENT = "<environment>"
"""Stands for the environment's name."""

IGNORED = ("AWS::CDK::Metadata", "AWS::Lambda::Version")
"""What follows from everything else: the CDK's statistics, and the number of a function's code."""

NO_VALUE = {"Ref": "AWS::NoValue"}
"""A property that is left out.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/pseudo-parameter-reference.html"""

REFERENCE = re.compile(r"\{([^{}\"\\]+)\}")
"""A reference in what was read."""

SNAPSHOT_BY_DEFAULT = ("AWS::RDS::DBCluster", "AWS::RDS::DBInstance")
"""Without a DeletionPolicy, of others nothing is kept.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html"""

KEPT = ("Retain", "RetainExceptOnCreate")
"""The policies with which CloudFormation leaves a resource where it is."""

SECTIONS = {"Parameters": "Parameter", "Conditions": "Condition", "Mappings": "Mapping", "Rules": "Rule"}
"""Parts of a template that are read as resources of a kind without colons, one for each of their entries."""
BOOTSTRAP = {"BootstrapVersion": "CDK parameter", "CheckBootstrapVersion": "CDK rule"}
"""What the CDK writes into every template, to check before a deploy what `cdk bootstrap` has made."""
SAID = ("AWSTemplateFormatVersion", "Description", "Metadata", "Outputs", "Resources", *SECTIONS)
"""Any other part may change everything: Transform names a macro that rewrites the template."""

UNIQUE = r"\1"
"""What is left of a name that the CDK made."""
WIRE = "PublishOutput"
"""The CDK's outputs that lead from stack to stack begin so; who uses one is read as using what it means."""


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A resource; or a stack, or what is in one beside resources: these have a `kind` without colons."""

    stack: str
    logical_id: str
    path: str
    """Of the construct, below the environment: Database/Instance."""
    kind: str
    """The resource type."""
    properties: Mapping[str, Any]
    on_replacement: str = "Delete"
    """UpdateReplacePolicy."""
    on_deletion: str = "Delete"
    """DeletionPolicy."""
    ours: bool = False
    """Whether its code is from lambda/, and not the CDK's own."""
    notes: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """Metadata."""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """What stands beside its properties: DependsOn as paths, Condition, CreationPolicy …"""


@dataclass(frozen=True, kw_only=True)
class SynthesizedEnvironment:
    """The stacks of one environment, or of another stage of it."""

    name: str
    """The stage's: dev, or dev-delivery."""
    account: str
    region: str
    resources: Mapping[tuple[str, str], Resource]
    """By stack and logical id."""

    @property
    def stacks(self) -> set[str]:
        """The names of its stacks."""
        return {stack for stack, _ in self.resources}

    def of(self, *kinds: str) -> list[Resource]:
        """The resources of these types, in the order of the templates."""
        return [each for each in self.resources.values() if each.kind in kinds]

    def has(self, *paths: str) -> bool:
        """Whether there is a resource with one of these paths."""
        return any(path in self._by_path for path in paths)

    def meant(self, value: Any) -> list[Resource]:
        """The resources that `value` refers to, wherever in it; a reference to something else means none."""
        text = value if isinstance(value, str) else json.dumps(value)
        found = (self._referred_to(reference) for reference in REFERENCE.findall(text))
        return list({each.path: each for each in found if each}.values())

    def _referred_to(self, reference: str) -> Resource | None:
        """The resource whose path `reference` is, or whose path and attribute."""
        while reference not in self._by_path and "." in reference:
            reference = reference.rpartition(".")[0]
        return self._by_path.get(reference)

    @cached_property
    def policies(self) -> str:
        """All of its policies, as one text."""
        kinds = ("::Role", "Policy", "::User", "::Group", "::Key", "::VPCEndpoint", "::Bucket", "::Topic", "::Queue")
        found = (each.properties for each in self.resources.values() if each.kind.endswith(kinds))
        return json.dumps(list(found))

    @cached_property
    def _by_path(self) -> dict[str, Resource]:
        return {each.path: each for each in self.resources.values() if "::" in each.kind}


def file_name(stage: str) -> str:
    """The environment's name, and its file's: dev, of the stages dev and dev-delivery."""
    return stage.partition("-")[0]


def read_environments(assembly: Path) -> dict[str, SynthesizedEnvironment]:
    """The environments in `assembly`, a synthesized app, by name."""
    manifests = sorted(assembly.glob("assembly-*/manifest.json"))
    return {environment.name: environment for environment in map(_read_environment, manifests)}


def _read_environment(manifest: Path) -> SynthesizedEnvironment:
    name = manifest.parent.name.removeprefix("assembly-")
    artifacts = json.loads(manifest.read_text())["artifacts"].values()
    stacks = [each for each in artifacts if each["type"] == "aws:cloudformation:stack"]
    account, region = stacks[0]["environment"].removeprefix("aws://").split("/")
    templates = {
        each["properties"]["stackName"].removeprefix(f"{name}-"): json.loads(
            (manifest.parent / each["properties"]["templateFile"]).read_text()
        )
        for each in stacks
    }
    protected = {
        each["properties"]["stackName"].removeprefix(f"{name}-"): each["properties"].get("terminationProtection", False)
        for each in stacks
    }
    return read_templates(name, account, region, templates, protected)


def read_templates(
    name: str, account: str, region: str, templates: Mapping[str, Any], protected: Mapping[str, bool]
) -> SynthesizedEnvironment:
    """The environment `name`, from its templates, and whether its stacks are protected from deletion, by stack."""
    reader = _Reader(name, account, region, templates)
    found: list[Resource] = []
    for stack, template in templates.items():
        properties = {"TerminationProtection": protected.get(stack, False)}
        found.append(Resource(stack=stack, logical_id="", path=stack, kind="Stack", properties=properties))
        for logical_id, resource in template.get("Resources", {}).items():
            if resource["Type"] not in IGNORED:
                found.append(reader.resource(stack, logical_id, resource))
        found += reader.sections(stack, template)
    resources = {(each.stack, each.logical_id): each for each in found}
    return SynthesizedEnvironment(name=name, account=account, region=region, resources=resources)


class _Reader:
    """Reads values of one environment's templates."""

    def __init__(self, name: str, account: str, region: str, templates: Mapping[str, Any]) -> None:
        self._name = name
        self._templates = templates
        self._pseudo = {"AWS::AccountId": account, "AWS::Partition": partition_of(region), "AWS::Region": region}
        self._neutral = (
            (re.compile(rf"\b{account}\b"), "<account>"),
            # Not after a dot: an instance class ends in small, medium, large …, and so may an environment be named.
            (re.compile(rf"(?<![\w.-]){file_name(name)}(?=-|$)"), ENVIRONMENT),
            (re.compile(rf"\bjob_{file_name(name)}(?=_)"), f"job_{ENVIRONMENT}"),  # the jobs' database users
            # The CDK's unique ids: the whole path, without slashes, and a hash of it.
            (re.compile(rf"\b{name.replace('-', '')}([A-Z]\w*?)[0-9A-F]{{8}}(?![0-9A-Za-z])"), UNIQUE),
        )
        self._paths = self._all_paths()

    def resource(self, stack: str, logical_id: str, resource: Mapping[str, Any]) -> Resource:
        return Resource(
            stack=stack,
            logical_id=logical_id,
            path=self._path(stack, logical_id),
            kind=resource["Type"],
            properties=self.read(stack, resource.get("Properties", {})),
            on_replacement=str(resource.get("UpdateReplacePolicy", "Delete")),
            on_deletion=str(resource.get("DeletionPolicy", _unsaid_policy(resource))),
            ours=resource.get("Metadata", {}).get("aws:asset:is-bundled", False),
            notes=resource.get("Metadata", {}),
            attributes=self._attributes(stack, resource),
        )

    def _attributes(self, stack: str, resource: Mapping[str, Any]) -> dict[str, Any]:
        read = ("Type", "Properties", "Metadata", "UpdateReplacePolicy", "DeletionPolicy", "DependsOn")
        found = {key: self.read(stack, value) for key, value in resource.items() if key not in read}
        if order := [self._path(stack, each) for each in listed(resource.get("DependsOn", []))]:
            found["DependsOn"] = sorted(set(order))
        return found

    def sections(self, stack: str, template: Mapping[str, Any]) -> Iterator[Resource]:
        """What is in a template beside resources, as resources."""
        for section, kind in SECTIONS.items():
            for name, value in template.get(section, {}).items():
                read = self.read(stack, value)
                properties = read if section == "Parameters" else {"value": read}
                yield self._part(stack, f"{section}/{name}", BOOTSTRAP.get(name, kind), properties)
        for output, value in template.get("Outputs", {}).items():
            if not output.startswith(WIRE) or "Export" in value or "{{resolve:" in json.dumps(value):
                yield self._part(stack, output, "Output", self.read(stack, value))
        for section in template.keys() - set(SAID):
            yield self._part(stack, section, section, {"value": self.read(stack, template[section])})

    def _part(self, stack: str, name: str, kind: str, properties: Mapping[str, Any]) -> Resource:
        path = f"{stack}/{name}"
        return Resource(stack=stack, logical_id=path, path=path, kind=kind, properties=properties)

    def read(self, stack: str, value: Any) -> Any:  # noqa: PLR0911 - one for each form
        """`value`, in `stack`, without references: as text where it is one in the end."""
        match value:
            case {"Ref": str(name)}:
                return self._referred(stack, name)
            case {"Fn::GetAtt": [str(name), str(attribute)]}:
                return f"{{{self._path(stack, name)}.{attribute}}}"
            case {"Fn::GetAtt": str(whole)}:
                name, _, attribute = whole.partition(".")
                return f"{{{self._path(stack, name)}.{attribute}}}"
            case {"Fn::GetStackOutput": {"StackName": str(), "OutputName": str()} as wire}:
                return self._wired(wire)
            case {"Fn::Join": [str(separator), list(parts)]}:
                texts = [self.read(stack, part) for part in parts]
                return separator.join(text if isinstance(text, str) else json.dumps(text) for text in texts)
            case {"Fn::Sub": str(text)}:
                return self._substituted(stack, text, {})
            case {"Fn::Sub": [str(text), dict(values)]}:
                return self._substituted(stack, text, values)
            case dict():
                return {key: self.read(stack, part) for key, part in value.items() if part != NO_VALUE}
            case list():
                return [self.read(stack, part) for part in value if part != NO_VALUE]
            case str():
                return self._text(REFERENCE.sub(r"{literally: \1}", value) if "/" in value else value)
            case _:
                return value

    def _wired(self, wire: Mapping[str, str]) -> Any:
        """What a value of another stack means; of somebody else's, or one in another region, only its name is known."""
        name, output = wire["StackName"], wire["OutputName"]
        other = name.removeprefix(f"{self._name}-")
        outputs = self._templates.get(other, {}).get("Outputs", {})
        ours = name != other and wire.get("Region", self._pseudo["AWS::Region"]) == self._pseudo["AWS::Region"]
        if ours and output in outputs:
            return self.read(other, outputs[output]["Value"])
        return f"{{{wire.get('Region', '')} {name}: {output}}}"

    def _referred(self, stack: str, name: str) -> str:
        if name in self._templates[stack].get("Parameters", {}):
            return f"{{parameter {stack}/{name}}}"
        return self._text(self._pseudo[name]) if name in self._pseudo else f"{{{self._path(stack, name)}}}"

    def _substituted(self, stack: str, text: str, values: Mapping[str, Any]) -> str:
        def value(found: re.Match[str]) -> str:
            name, _, attribute = found[1].partition(".")
            if found[1].startswith("!"):
                return f"${{{found[1][1:]}}}"
            if name in values:
                read = self.read(stack, values[name])
                return read if isinstance(read, str) else json.dumps(read)
            return f"{{{self._path(stack, name)}.{attribute}}}" if attribute else self._referred(stack, name)

        return self._text(re.sub(r"\$\{([^}]+)\}", value, text))

    def _path(self, stack: str, logical_id: str) -> str:
        if logical_id.startswith("AWS::"):
            return logical_id
        resource = self._templates[stack].get("Resources", {}).get(logical_id, {})
        match resource:
            case {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": str(function)}}}:
                return f"{self._path(stack, function)}/Version"  # its own name has a hash of the code
        return self._paths.get((stack, logical_id)) or self._said_path(stack, logical_id)

    def _all_paths(self) -> dict[tuple[str, str], str]:
        """The paths of all resources. Two can say the same one, as it is metadata: then none of them is believed."""
        said = {
            (stack, logical_id): (self._said_path(stack, logical_id), resource["Type"])
            for stack, template in self._templates.items()
            for logical_id, resource in template.get("Resources", {}).items()
        }
        times = Counter(said.values())
        return {
            (stack, logical_id): path if times[path, kind] == 1 else f"{path} ({stack}, {logical_id})"
            for (stack, logical_id), (path, kind) in said.items()
        }

    def _said_path(self, stack: str, logical_id: str) -> str:
        resource = self._templates[stack].get("Resources", {}).get(logical_id, {})
        path = resource.get("Metadata", {}).get("aws:cdk:path", f"{self._name}/{stack}/{logical_id}")
        below = path.removeprefix(f"{self._name}/")
        if not below.startswith(f"{stack}/"):
            below = f"{stack}/{below}"  # a path in another stack is a forged one
        return self._text(re.sub(r"(/(Resource|Default))+$", "", below))

    def _text(self, text: str) -> str:
        for pattern, word in self._neutral:
            if word != UNIQUE or "arn:" not in text:  # an ARN names what was made by somebody else
                text = pattern.sub(word, text)
        return text


def _unsaid_policy(resource: Mapping[str, Any]) -> str:
    in_cluster = "DBClusterIdentifier" in resource.get("Properties", {})
    return "Snapshot" if resource["Type"] in SNAPSHOT_BY_DEFAULT and not in_cluster else "Delete"


def listed(value: Any) -> list[Any]:
    """A value that may stand alone, as a list."""
    return value if isinstance(value, list) else [value]


def at(resource: Resource, *place: str) -> Any:
    """The property at `place`; None where there is none."""
    value: Any = resource.properties
    for key in place:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
