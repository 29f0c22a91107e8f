"""checkov finds nothing that is not accepted, and what is accepted is found somewhere and has its reason."""

import json
from pathlib import Path
from typing import Any

import pytest

from settings.environment import EnvironmentSettings
from tests.checkov_findings import Accepted, Finding, accepted, covers, findings, left
from tests.fixture import ENVIRONMENTS, VARIANTS, load_files

SETTINGS = ENVIRONMENTS | {each.name: each for each in load_files(VARIANTS)}
SKIP = {"id": "CKV_AWS_18"}
BUCKETS: dict[str, dict[str, Any]] = {
    "bare": {},
    "skipped": {"checkov": {"skip": [{**SKIP, "comment": "it is where the others log"}]}},
    "skipped-without-a-reason": {"checkov": {"skip": [SKIP]}},
}
"""Buckets without a log, with these metadata."""


@pytest.fixture(scope="module")
def found(assembly: Path, variants: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Finding]:
    """All findings, those about buckets, too: in one go, as it takes seconds to import the rules."""
    file = tmp_path_factory.mktemp("buckets") / "template.json"
    buckets = {
        name: {"Type": "AWS::S3::Bucket", "Metadata": {"aws:cdk:path": name, **metadata}}
        for name, metadata in BUCKETS.items()
    }
    file.write_text(json.dumps({"Resources": buckets}))
    return findings([file, *(each for app in (assembly, variants) for each in app.glob("assembly-*/*.template.json"))])


def test_nothing_is_found_that_is_not_accepted(found: list[Finding]) -> None:
    by_environment = {name: [each for each in found if _stage(each).partition("-")[0] == name] for name in SETTINGS}
    assert all(by_environment.values())
    assert [line for name, about in by_environment.items() for line in left(about, SETTINGS[name])] == []


def test_what_is_accepted_is_found_and_says_why(found: list[Finding]) -> None:
    for name, settings in SETTINGS.items():
        for one in accepted(settings):
            assert len(one.reason) > 20
            there = any(covers(one, each) for each in found if _stage(each) == name)
            assert there == _concerns(one, settings), (name, one)


def test_a_bucket_without_a_log_is_found_unless_its_metadata_says_why(found: list[Finding]) -> None:
    assert {each.path for each in found if each.rule == SKIP["id"]} == {"bare", "skipped-without-a-reason"}


def _concerns(one: Accepted, settings: EnvironmentSettings) -> bool:
    """Whether the environment has such a resource."""
    if "JobsSecret" in one.construct:
        return settings.database.auth == "secret"
    if one.construct.startswith(r"Jobs/Job-"):
        return bool(settings.jobs)
    return True


def _stage(finding: Finding) -> str:
    return finding.path.partition("/")[0]
