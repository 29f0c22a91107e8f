"""Resources, held against what the APIs that make them take: botocore's models of AWS's services.

Each property becomes a member of a request (tests/service_operations.py). Then the request is checked: required
members, types, enums, patterns, lengths, ranges. What only CloudFormation knows, the id of a subnet or the ARN of a
role, is not checked, but counted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import botocore.session
import regex
from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape

from tests.service_operations import BY_TYPE, Operations

UNKNOWN = object()
"""A value that CloudFormation knows only when it deploys."""
NUMBERS = {"integer": int, "long": int, "float": float, "double": float}


@dataclass(kw_only=True)
class Checked:
    """What was found in resources."""

    values: int = 0
    """How many were checked."""
    unknown: int = 0
    """How many only CloudFormation knows."""
    wrong: list[str] = field(default_factory=list)
    """Values that an API refuses."""
    unmapped: list[str] = field(default_factory=list)
    """Properties and types of which tests/service_operations.py knows nothing."""


def check(template: Mapping[str, Any], *, region: str, account: str) -> Checked:
    """Check all resources of `template`, which is for `account` in `region`."""
    pseudo = {
        "AWS::AccountId": account,
        "AWS::Partition": "aws",
        "AWS::Region": region,
        "AWS::URLSuffix": "amazonaws.com",
    }
    found = Checked()
    for name, resource in template.get("Resources", {}).items():
        kind = resource["Type"]
        where = f"{resource.get('Metadata', {}).get('aws:cdk:path', name)} ({kind})"
        if kind in BY_TYPE:
            _check(BY_TYPE[kind], _resolved(resource.get("Properties", {}), pseudo), where, found)
        else:
            found.unmapped.append(kind)
    return found


def _check(operations: Operations, properties: Mapping[str, Any], where: str, found: Checked) -> None:
    requests: dict[str, dict[str, Any]] = {name: {} for name in operations.names}
    for name, value in properties.items():
        if name in operations.outside:
            continue
        if name in operations.parts:
            for part in value if isinstance(value, list) else [value]:
                _check(operations.parts[name], part, f"{where}, {name}", found)
        elif taker := _taker(operations, name):
            operation, places = taker
            _put(_input(operations.service, operation), requests[operation], places, value)
        else:
            found.unmapped.append(f"{where}: {name}")
    for name, request in requests.items():
        made = name == operations.names[0]
        shape = _input(operations.service, name)
        for problem in _problems(shape, request, name, found, operations.supplied if made else None):
            found.wrong.append(f"{where}: {problem}")


def _taker(operations: Operations, name: str) -> tuple[str, list[str]] | None:
    """The operation that takes the property `name`, and where in its request."""
    first, *rest = operations.members.get(name, name).split(".")
    for operation in operations.names:
        if member := _member(_input(operations.service, operation), first):
            return operation, [member, *rest]
    return None


def _member(shape: Shape, name: str) -> str | None:
    """What the structure `shape` calls its member `name`: some services begin them with a small letter."""
    if name in shape.members:
        return name
    return next((each for each in shape.members if each.lower() == name.lower()), None)


def _put(shape: Shape, into: dict[str, Any], places: list[str], value: Any) -> None:
    """Put `value` into the request `into`, at `places`."""
    place, *rest = places
    inner = shape.members[place] if isinstance(shape, StructureShape) else shape.value
    if not rest:
        into[place] = _converted(inner, value)
    elif isinstance(inner, ListShape):
        [first] = into.setdefault(place, [{}])
        _put(inner.member, first, rest, value)
    else:
        _put(inner, into.setdefault(place, {}), rest, value)


def _converted(shape: Shape, value: Any) -> Any:  # noqa: PLR0911 - one for each form
    """`value`, a property, in the form that the API takes."""
    match shape, value:
        case _, _ if value is UNKNOWN:
            return value
        case StructureShape(), dict():
            return {_member(shape, name) or name: _part(shape, name, part) for name, part in value.items()}
        case MapShape(), [*tags] if all(isinstance(tag, dict) and "Key" in tag for tag in tags):
            return {tag["Key"]: tag["Value"] for tag in tags}
        case MapShape(), dict():
            return {name: _converted(shape.value, part) for name, part in value.items()}
        case ListShape(), [*parts]:
            return [_converted(shape.member, part) for part in parts]
        case ListShape(), _:
            return [_converted(shape.member, value)]
        case StringShape(), dict() | bool():
            return json.dumps(value, default=lambda _: "unknown")
        case StringShape(), int() | float():
            return str(value)
    if shape.type_name in NUMBERS and isinstance(value, str) and re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value):
        return NUMBERS[shape.type_name](value)
    return value


def _part(shape: StructureShape, name: str, value: Any) -> Any:
    member = _member(shape, name)
    return _converted(shape.members[member], value) if member else value


def _problems(  # noqa: PLR0912 - one for each form
    shape: Shape, value: Any, path: str, found: Checked, supplied: frozenset[str] | None = frozenset()
) -> Iterator[str]:
    """What is wrong with `value`, and in it; `supplied` are members that need not be in it, None for all."""
    if value is UNKNOWN:
        found.unknown += 1
        return
    match shape, value:
        case StructureShape(), dict():
            for name in shape.required_members:
                if supplied is not None and name not in supplied and name not in value:
                    yield f"{path}: {name} is required"
            for name, part in value.items():
                if name in shape.members:
                    yield from _problems(shape.members[name], part, f"{path}.{name}", found)
                else:
                    yield f"{path}: there is no {name}"
        case MapShape(), dict():
            for name, part in value.items():
                yield from _problems(shape.key, name, f"{path}, the key {name}", found)
                yield from _problems(shape.value, part, f"{path}.{name}", found)
        case ListShape(), [*parts]:
            yield from _wrong_size(shape, len(parts), path)
            for number, part in enumerate(parts):
                yield from _problems(shape.member, part, f"{path}[{number}]", found)
        case StringShape(), [*parts]:  # roles of a policy: an operation is called for each
            for part in parts:
                yield from _problems(shape, part, path, found)
        case _:
            found.values += 1
            yield from _wrong_value(shape, value, path)


def _wrong_value(shape: Shape, value: Any, path: str) -> Iterator[str]:
    if isinstance(shape, StringShape):
        if not isinstance(value, str):
            yield f"{path}: {value!r} is no text"
            return
        if shape.enum and value not in shape.enum:
            yield f"{path}: {value!r} is not one of {', '.join(shape.enum)}"
        if (pattern := shape.metadata.get("pattern")) and not regex.fullmatch(pattern, value):
            yield f"{path}: {value!r} is not like {pattern}"
        yield from _wrong_size(shape, len(value), path)
    elif shape.type_name == "boolean":
        if value not in (True, False, "true", "false"):
            yield f"{path}: {value!r} is no truth value"
    elif shape.type_name in NUMBERS:
        cut = isinstance(value, float) and NUMBERS[shape.type_name] is int
        if isinstance(value, bool) or not isinstance(value, int | float) or cut:
            yield f"{path}: {value!r} is no {shape.type_name}"
        else:
            yield from _wrong_size(shape, value, path)
    else:
        yield f"{path}: {value!r} is no {shape.type_name}"


def _wrong_size(shape: Shape, size: float, path: str) -> Iterator[str]:
    """Of a number, its value; of a text or a list, its length."""
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if (least is not None and size < least) or (most is not None and size > most):
        yield f"{path}: {size} is not from {least} to {most}"


def _resolved(value: Any, pseudo: Mapping[str, str]) -> Any:  # noqa: PLR0911 - one for each form
    """`value` without functions of CloudFormation: what they give, as far as it is known."""
    match value:
        case {"Ref": str(name)} if len(value) == 1:
            return pseudo.get(name, UNKNOWN)
        case {"Fn::Join": [str(separator), list(parts)]}:
            texts = [_resolved(part, pseudo) for part in parts]
            return separator.join(texts) if all(isinstance(text, str) for text in texts) else UNKNOWN
        case {"Fn::Sub": str(text)}:
            for name, known in pseudo.items():
                text = text.replace(f"${{{name}}}", known)
            return UNKNOWN if "${" in text else text
        case dict() if len(value) == 1 and next(iter(value)).startswith("Fn::"):
            return UNKNOWN
        case dict():
            return {name: _resolved(part, pseudo) for name, part in value.items()}
        case list():
            return [_resolved(part, pseudo) for part in value]
        case _:
            return value


@cache
def _input(service: str, operation: str) -> StructureShape:
    """What `operation` takes."""
    return _service(service).operation_model(operation).input_shape


@cache
def _service(name: str) -> Any:
    return botocore.session.Session().get_service_model(name)
