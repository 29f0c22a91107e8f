"""The differences of two values of a template, place by place, and in words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from review.templates import listed

Place = tuple[str, ...]
"""Where a property is: ("Code", "S3Key")."""

SHORT = 100
"""The longest value that is shown whole, in characters."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A property that differs; None is a missing value. Of a list, the elements that only one of the two has."""

    place: Place
    before: Any
    after: Any
    elements: bool = False
    """Whether `before` and `after` are elements of a list, and not the list."""
    order_only: bool = False
    """Whether a list has the same elements, in another order."""

    @property
    def text(self) -> str:
        """The difference in words; of two long values, the parts that differ."""
        return f"`{'.'.join(self.place)}` changes {_from_to(self.before, self.after)}"


def differences(before: Any, after: Any, place: Place = ()) -> Iterator[Difference]:
    """What differs between two values; what means the same to CloudFormation, like 3306 and "3306", doesn't."""
    if before == after and type(before) is type(after):  # almost always, and a thousand jobs have 20,000 resources
        return
    if _object(before, after) and _object(after, before):
        one, other = before or {}, after or {}
        for key in sorted(one.keys() | other.keys()):
            yield from differences(one.get(key), other.get(key), (*place, key))
    elif isinstance(before, list) or isinstance(after, list):
        yield from _of_lists(place, before, after)
    elif _canonical(before) != _canonical(after) and not _same_number(before, after):
        yield Difference(place=place, before=before, after=after)


def _same_number(before: Any, after: Any) -> bool:
    """Whether a number is written as a text, like "3.0"; of two texts nobody knows that they are numbers."""
    if not any(isinstance(each, int | float) and not isinstance(each, bool) for each in (before, after)):
        return False
    with suppress(TypeError, ValueError):
        return float(before) == float(after)
    return False


def _object(value: Any, other: Any) -> bool:
    """Whether the value is an object, or missing where the other is one; a function of CloudFormation is none."""
    if value is None:
        return isinstance(other, dict) and bool(other) and _object(other, other)
    return isinstance(value, dict) and not any(key.startswith("Fn::") for key in value)


def _of_lists(place: Place, before: Any, after: Any) -> Iterator[Difference]:
    if before is None or after is None:
        if before or after:  # an empty list is as good as none
            yield Difference(place=place, before=before, after=after)
        return
    one, other = listed(before), listed(after)  # a single element may stand alone
    gone, come = _without(one, other), _without(other, one)
    if gone or come:
        yield Difference(place=place, before=gone or None, after=come or None, elements=True)
    elif [json.dumps(each, sort_keys=True) for each in one] != [json.dumps(each, sort_keys=True) for each in other]:
        yield Difference(place=place, before=before, after=after, order_only=True)


def _without(some: list[Any], others: list[Any]) -> list[Any]:
    there = {_canonical(each) for each in others}
    return [each for each in some if _canonical(each) not in there]


def _canonical(value: Any, *, ordered: bool = False) -> str:
    """The same text for all that CloudFormation takes as the same: 1, 1.0 and "1"; true and "true"; a list's order.

    That of a function's arguments is one: Fn::If has a then and an else.
    """
    match value:
        case bool():
            return str(value).lower()
        case float() if value.is_integer():
            return str(int(value))
        case int() | float() | str():
            return str(value)
        case list():
            texts = [json.dumps(_canonical(each, ordered=ordered)) for each in value]
            return f"[{','.join(texts if ordered else sorted(texts))}]"
        case dict():
            parts = [
                f"{json.dumps(key)}:{_canonical(part, ordered=key.startswith('Fn::'))}" for key, part in value.items()
            ]
            return f"{{{','.join(sorted(parts))}}}"
        case _:
            return repr(value)


def _from_to(before: Any, after: Any) -> str:
    if before is None:
        return f"to `{_short(after)}`, from none"
    if after is None:
        return f"from `{_short(before)}` to none"
    one, other = _text(before), _text(after)
    if max(len(one), len(other)) > SHORT:
        one, other = _where_they_differ(one, other)
    return f"from `{one}` to `{other}`"


def _short(value: Any) -> str:
    text = _text(value)
    return text if len(text) <= SHORT else f"{text[:SHORT]}…"


def _text(value: Any) -> str:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    text = value if isinstance(value, str) else json.dumps(value)
    return text.replace("`", "'").replace("\n", " ")


def _where_they_differ(one: str, other: str) -> tuple[str, str]:
    """Return the part of each that the other does not have, with a few characters around it."""
    start = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    pairs = zip(reversed(one[start:]), reversed(other[start:]), strict=False)
    end = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)) - start)
    first = max(0, start - 20)
    return _cut(one, first, len(one) - end), _cut(other, first, len(other) - end)


def _cut(text: str, first: int, last: int) -> str:
    last = min(last + 20, len(text), first + SHORT)
    return f"{'…' if first else ''}{text[first:last]}{'…' if last < len(text) else ''}"
