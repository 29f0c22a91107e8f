"""An instance class that RDS has is known, with no more connections than it really accepts."""

import json
from importlib.resources import files

import pytest

from settings.instance_class import CLASSES, read_instance_class


def _offered() -> set[str]:
    """The classes that RDS offers for MySQL 8.4, as cfn-lint knows them, and this project means to know."""
    rules = json.loads(
        (files("cfnlint.data.schemas.extensions.aws_rds_dbinstance") / "db_instance_class.json").read_text()
    )
    found: set[str] = set()
    for rule in rules["allOf"]:
        condition = rule["if"]["properties"]
        if condition["Engine"].get("const") == "mysql" and "8\\.4" in condition["EngineVersion"]["pattern"]:
            found |= {name.removeprefix("db.") for name in rule["then"]["properties"]["DBInstanceClass"]["enum"]}
    return {name for name in found if name.partition(".")[0] not in ("c6gd", "serverless", "x2iedn")}


def test_the_known_classes_are_those_that_rds_offers() -> None:
    assert set(CLASSES) == _offered()


@pytest.mark.parametrize(
    ("name", "vcpus", "memory_gb", "burstable"),
    [
        # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Concepts.DBInstanceClass.Summary.html
        ("t4g.micro", 2, 1, True),
        ("t4g.small", 2, 2, True),
        ("t3.medium", 2, 4, True),
        ("t3.2xlarge", 8, 32, True),
        ("m6g.large", 2, 8, False),
        ("m7g.large", 2, 8, False),
        ("m8g.48xlarge", 192, 768, False),
        ("m6i.32xlarge", 128, 512, False),
        ("m7i.xlarge", 4, 16, False),
        ("r6g.large", 2, 16, False),
        ("r7g.16xlarge", 64, 512, False),
        ("r8g.12xlarge", 48, 384, False),
        ("r6i.24xlarge", 96, 768, False),
        ("r7i.2xlarge", 8, 64, False),
        ("x2g.large", 2, 32, False),
        ("x2g.16xlarge", 64, 1024, False),
    ],
)
def test_a_class_has_the_size_that_aws_lists(name: str, vcpus: int, memory_gb: int, burstable: bool) -> None:
    found = read_instance_class(name)
    assert (found.name, found.vcpus, found.memory_gb, found.burstable) == (name, vcpus, memory_gb, burstable)


@pytest.mark.parametrize(
    ("like", "seen"),
    [
        # What `show variables like 'max_connections'` said on older classes with as much memory:
        # https://serverfault.com/questions/862387/aws-rds-connection-limits
        ("t4g.micro", 66),  # t2.micro
        ("t4g.small", 150),  # t2.small
        ("t4g.medium", 312),  # t2.medium
        ("m7g.large", 648),  # m4.large
        ("m7g.xlarge", 1320),  # m4.xlarge
    ],
)
def test_no_class_is_said_to_accept_more_connections_than_were_seen(like: str, seen: int) -> None:
    stated = read_instance_class(like).max_connections
    assert 0.7 * seen < stated < seen


def test_rds_accepts_16000_connections_at_most() -> None:
    assert read_instance_class("x2g.16xlarge").max_connections == 16_000


def test_insights_are_missing_on_the_smallest_classes_only() -> None:
    assert {name for name, each in CLASSES.items() if not each.has_insights} == {
        "t3.micro",
        "t3.small",
        "t4g.micro",
        "t4g.small",
    }


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("m7g.lagre", r"did you mean m7g\.large\?"),
        ("db.t4g.micro", r"did you mean t4g\.micro\?"),
        ("x2g.24xlarge", r"did you mean x2g\.4xlarge\?"),
        ("", "write one of RDS for MySQL without the leading db., like t4g.small or m7g.large"),
    ],
)
def test_an_unknown_class_is_refused_with_a_near_one(name: str, hint: str) -> None:
    with pytest.raises(ValueError, match=f"^there is no such class: {hint}$"):
        read_instance_class(name)
