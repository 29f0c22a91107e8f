"""What the picture and the tables say in the same words."""

from __future__ import annotations

from review.rules import Rule
from review.templates import SynthesizedEnvironment, at


def ports(rule: Rule, environment: SynthesizedEnvironment) -> str:
    """What `rule` opens, like 443/tcp; of a reference to a resource's port, the number."""
    if rule.protocol == "-1":
        return "any"
    first, last = (_number(each, environment) for each in rule.ports)
    return f"{first}/{rule.protocol}" if first == last else f"{first} to {last}/{rule.protocol}"


def _number(value: int | str, environment: SynthesizedEnvironment) -> str:
    numbers = [at(each, "Port") for each in environment.meant(str(value))]
    return str(numbers[0] if numbers and numbers[0] is not None else value)
