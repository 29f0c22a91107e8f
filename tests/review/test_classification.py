"""What is known of resource types is right by their schemas, and says why; what nobody knows is asked about."""

from pathlib import Path

import pytest
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from documents.synthesis import synthesize
from local.made_once import made_once
from review.classification import ANY, Known, Rule, Type, applies, applies_to_new, classification
from review.difference import Difference, differences
from review.schemas import stateful
from review.templates import read_environments
from tests.fixture import VARIANTS, FilesIn

KNOWN = classification()
TYPES = {kind: known for kind, known in KNOWN.items() if kind.startswith("AWS::")}
OF_TEMPLATES = ("Condition", "CreationPolicy", "DependsOn", "UpdatePolicy")
"""What every resource has, beside its properties."""


@pytest.mark.parametrize("kind", TYPES)
def test_every_property_is_one_that_the_type_has(kind: str) -> None:
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("eu-central-1", kind).schema
    there = {*schema["properties"], *OF_TEMPLATES, "Tags", ANY}
    assert {place[0] for place in TYPES[kind].properties} - there == set()
    assert {*TYPES[kind].fixed, *TYPES[kind].defaults} <= there


@pytest.mark.parametrize("kind", KNOWN)
def test_it_is_said_what_it_means_that_a_resource_comes_goes_or_is_replaced(kind: str) -> None:
    needed = {"created", "removed", "replaced"} if "::" in kind else {"created", "removed"}
    if kind in stateful():
        needed -= {"removed"}  # judged by what becomes of its data
    if kind == "Stack":
        needed = {"created", "removed"}
    assert needed - KNOWN[kind].events.keys() == set()


def test_nothing_that_this_project_makes_is_unclassified(assembly: Path, shared: Path) -> None:
    variants = made_once(shared, "variants.out", lambda folder: synthesize(FilesIn(VARIANTS), folder))
    found = set()
    for environment in (*read_environments(assembly).values(), *read_environments(variants).values()):
        for resource in environment.resources.values():
            known = KNOWN[resource.kind]
            places = [each.place for each in differences({}, dict(resource.properties))]
            found |= {(resource.kind, place) for place in places if known.of(place) is None}
    assert found == set()


def test_every_reason_and_every_consequence_is_a_sentence() -> None:
    for kind, known in KNOWN.items():
        for said in (*known.events.values(), *known.properties.values()):
            for text in _texts(said):
                assert len(text) > 8, (kind, text)
                assert not text.endswith("."), (kind, text)


def _texts(said: Known) -> list[str]:
    return [said] if isinstance(said, str) else [rule.then for rule in said]


def test_what_a_place_has_nothing_of_its_own_for_is_known_by_what_contains_it() -> None:
    known = Type(events={}, properties={("A",): "a", ("A", "B"): "b"})
    assert [known.of(place) for place in (("A", "C"), ("A", "B", "C"), ("D",))] == ["a", "b", None]


def _rule(**values: object) -> Rule:
    return Rule.model_validate({"danger": "it", "then": "It happens", **values})


@pytest.mark.parametrize(
    ("rule", "before", "after", "asked"),
    [
        ({"off": ["false", "none"]}, True, False, True),
        ({"off": ["false", "none"]}, True, None, True),
        ({"off": ["false", "none"]}, None, False, False),
        ({"off": ["false"]}, True, {"Fn::If": ["C", True, False]}, True),
        ({"off": ["false"]}, True, "{Jobs/Parameter}", True),
        ({"unless": ["ALL"]}, "ALL", "REJECT", True),
        ({"unless": ["ALL"]}, "REJECT", "ALL", False),
        ({"lower": True}, 30, "7", True),
        ({"lower": True}, "7", 30, False),
        ({"lower": True, "default": 1}, 7, None, True),
        ({"lower": True, "default": "inf"}, None, 30, True),
        ({"lower": True}, "python3.14", "python3.13", True),
        ({"lower": True}, "python3.9", "python3.10", False),
        ({"lower": True}, "python3.14", "nodejs24.x", True),
        ({"lower": True}, "8.4.10", "8.4.9", True),
        ({"lower": True}, "8.4", "8.4.9", True),
        ({"higher": True, "parts": 2}, "8.4.9", "8.4.10", False),
        ({"higher": True, "parts": 2}, "8.4.9", "9.7.0", True),
        ({"lower": True}, "db.r8g.2xlarge", "db.r8g.xlarge", True),
        ({"lower": True}, "db.t4g.small", "db.m7g.large", False),
        ({"lower": True}, 30, {"Ref": "Days"}, True),
        ({"loses": True}, ["a", "b"], None, True),
        ({"gains": True}, None, ["a"], True),
        ({"alters": True}, None, "eu-west-1", False),
        ({"alters": True}, "eu-west-1", "eu-west-2", True),
        ({"foreign": True}, None, "com.amazonaws.eu-central-1.s3", False),
        ({"foreign": True}, None, "com.amazonaws.vpce.eu-central-1.vpce-svc-0", True),
        ({"like": "arn:*"}, None, "arn:aws:sqs:eu-central-1:1:q", True),
    ],
)
def test_a_change_is_asked_about_in_the_direction_that_the_rule_says(
    rule: dict[str, object], before: object, after: object, asked: bool
) -> None:
    assert applies(_rule(**rule), Difference(place=("It",), before=before, after=after)) == asked


@pytest.mark.parametrize(
    ("rule", "value", "asked"),
    [
        ({"off": ["false", "none"]}, None, True),
        ({"off": ["false", "none"]}, False, True),
        ({"off": ["false", "none"]}, True, False),
        ({"off": ["false", "none"], "new": False}, None, False),
        ({"changes": True, "needed": True}, None, True),
        ({"changes": True}, "x", False),
        ({"changes": True, "kind": "access"}, "x", True),
    ],
)
def test_a_new_resource_is_judged_by_what_it_is(rule: dict[str, object], value: object, asked: bool) -> None:
    assert applies_to_new(_rule(**rule), value) == asked
