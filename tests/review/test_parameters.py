"""Data retention is data: another parameter of a job that may delete rows needs a yes, unless it keeps them longer."""

import json
from typing import Any

import pytest

from review.judgement import dangers
from review.templates import SynthesizedEnvironment, read_templates
from settings.job_variables import TABLES_NOTE

ENTRY = {"table": "event", "column": "occurred_at", "retention_days": 400}
OTHER = {"table": "pulse", "column": "scheduled_time", "retention_days": 30}


def _environment(parameters: dict[str, Any], rights: str = "DELETE, SELECT") -> SynthesizedEnvironment:
    function = {
        "Type": "AWS::Lambda::Function",
        "Properties": {"VpcConfig": {}, "Environment": {"Variables": {"PARAMETERS": json.dumps(parameters)}}},
        "Metadata": {"aws:cdk:path": "basic/Jobs/Job-sweep/Job/Function/Resource", TABLES_NOTE: {"event": rights}},
    }
    return read_templates("basic", "111111111111", "eu-central-1", {"Jobs": {"Resources": {"F": function}}}, {})


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        ([ENTRY], [{**ENTRY, "retention_days": 4}], "retention_days` changes from `400` to `4`"),
        ([ENTRY], [ENTRY, OTHER], "is new: `"),
        ([ENTRY], [{**ENTRY, "column": "created_at"}], "is new: `"),
    ],
)
def test_what_may_delete_more_rows_needs_a_yes(before: list[Any], after: list[Any], text: str) -> None:
    [danger] = dangers(_environment({"tables": before}), _environment({"tables": after}))
    assert (danger.kind, danger.resource) == ("data", "Jobs/Job-sweep/Job/Function")
    assert text in danger.text


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([ENTRY], [{**ENTRY, "retention_days": 500}]),
        ([ENTRY, OTHER], [OTHER, ENTRY]),
        ([ENTRY, OTHER], [ENTRY]),
    ],
)
def test_what_keeps_rows_longer_or_says_the_same_does_not(before: list[Any], after: list[Any]) -> None:
    assert dangers(_environment({"tables": before}), _environment({"tables": after})) == []


def test_of_a_job_that_deletes_nothing_parameters_are_its_own() -> None:
    before, after = (_environment({"days": days}, rights="INSERT, SELECT") for days in (30, 7))
    assert dangers(before, after) == []


def test_of_another_number_nobody_knows_whether_more_is_kept() -> None:
    for one, other in ((100, 10), (10, 100)):
        assert len(dangers(_environment({"limit": one}), _environment({"limit": other}))) == 1
