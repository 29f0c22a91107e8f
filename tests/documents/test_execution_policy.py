"""docs/execution-policy.json: CloudFormation may make what the templates have, as its resource types say."""

import json
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from documents.execution_policy import needed
from review.templates import read_environments
from settings.project import ROOT

POLICY = json.loads((ROOT / "docs" / "execution-policy.json").read_text())


@pytest.fixture(scope="module")
def actions(assembly: Path, variants: Path) -> set[str]:
    """What the example's environments need, and those that have every setting."""
    environments = {**read_environments(assembly), **read_environments(variants)}
    return needed(each for name, each in environments.items() if not name.endswith("-delivery"))


def test_the_policy_covers_what_the_templates_need(actions: set[str]) -> None:
    allowed = [each for statement in POLICY["Statement"] for each in statement["Action"]]
    assert [each for each in sorted(actions) if not any(fnmatchcase(each, pattern) for pattern in allowed)] == []
    # Both were missing when a policy was written by hand.
    assert {"cloudformation:DescribeStacks", "ec2:DescribeNetworkInterfaces"} <= actions


def test_it_fits_into_a_managed_policy() -> None:
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    assert len(json.dumps(POLICY, separators=(",", ":"))) <= 6144


def test_it_gives_no_right_over_users_and_no_whole_service() -> None:
    allowed = [each for statement in POLICY["Statement"] for each in statement["Action"]]
    assert not [each for each in allowed if each.endswith(":*") or "User" in each or "AccessKey" in each]
