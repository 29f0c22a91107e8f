"""A job's own variables are shown like its code, and asked about where they are none, secret, or may delete rows."""

from typing import Any

import pytest

from review.changes import compare
from review.danger import Danger
from review.judgement import dangers
from review.templates import SynthesizedEnvironment, read_templates
from settings.job_variables import TABLES_NOTE

READS = "INSERT, SELECT"
PULSE, MIGRATE = "Job-pulse/Job", "Migrate"


def _environment(variables: dict[str, Any], *, of: str = PULSE, rights: str = READS) -> SynthesizedEnvironment:
    function = {
        "Type": "AWS::Lambda::Function",
        "Properties": {"VpcConfig": {}, "Environment": {"Variables": {"JOB": "pulse", **variables}}},
        "Metadata": {"aws:cdk:path": f"basic/Jobs/{of}/Function/Resource", TABLES_NOTE: {"event": rights}},
    }
    return read_templates("basic", "111111111111", "eu-central-1", {"Jobs": {"Resources": {"F": function}}}, {})


def _asked(before: dict[str, Any], after: dict[str, Any], **of: str) -> list[Danger]:
    return dangers(_environment(before, **of), _environment(after, **of))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"LOG_LEVEL": "DEBUG"}),
        ({"LOG_LEVEL": "INFO"}, {"LOG_LEVEL": "DEBUG"}),
        ({"LOG_LEVEL": "INFO"}, {}),
        ({"KEEP_DAYS": "30"}, {"KEEP_DAYS": "7"}),
    ],
)
def test_what_a_job_that_deletes_nothing_reads_is_shown_and_not_asked_about(
    before: dict[str, str], after: dict[str, str]
) -> None:
    assert _asked(before, after) == []
    [change] = compare(_environment(before), _environment(after))
    [shown] = change.differences
    assert shown.place == ("Environment", "Variables", *(before | after))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"KEEP_DAYS": "7"}),
        ({"KEEP_DAYS": "30"}, {"KEEP_DAYS": "7"}),
        ({"KEEP_DAYS": "30"}, {}),
        ({"ROWS": "30"}, {"ROWS": "31"}),
    ],
)
def test_a_job_that_may_delete_rows_may_read_there_how_many(before: dict[str, str], after: dict[str, str]) -> None:
    [danger] = _asked(before, after, rights="DELETE, SELECT")
    assert (danger.kind, danger.resource) == ("data", "Jobs/Job-pulse/Job/Function")
    assert _asked({"KEEP_DAYS": "7"}, {"KEEP_DAYS": "30"}, rights="DELETE, SELECT") == []


def test_a_right_to_delete_that_is_new_counts_too() -> None:
    before, after = _environment({}), _environment({"KEEP_DAYS": "7"}, rights="DELETE, SELECT")
    assert "data" in {each.kind for each in dangers(before, after)}


def test_a_secret_that_no_environment_file_could_say_is_asked_about_and_not_quoted_in_the_question() -> None:
    [danger] = _asked({}, {"DB_PASSWORD": "hunter2"})
    assert (danger.kind, danger.text) == ("access", "`DB_PASSWORD`: by its name it is a secret")
    assert _asked({"DB_PASSWORD": "hunter2"}, {}) == []


@pytest.mark.parametrize(("name", "asked"), [("DB_PASSWORD", True), ("LD_PRELOAD", True), ("KEEP_DAYS", False)])
def test_a_new_job_is_asked_about_its_secrets_and_not_about_what_it_keeps(name: str, asked: bool) -> None:
    nothing = read_templates("basic", "111111111111", "eu-central-1", {"Jobs": {"Resources": {}}}, {})
    found = dangers(nothing, _environment({name: "7"}, rights="DELETE, SELECT"))
    assert (name in " ".join(each.text for each in found)) == asked


@pytest.mark.parametrize("name", ["LD_PRELOAD", "SSL_CERT_FILE", "AWS_ENDPOINT_URL", "PYTHONPATH"])
def test_what_no_job_can_have_is_asked_about(name: str) -> None:
    [danger] = _asked({}, {name: "/mnt/x"})
    assert danger.kind == "protection"
    assert "no job can have it" in danger.text


def test_of_another_function_nobody_knows_what_reads_it() -> None:
    [danger] = _asked({}, {"LOG_LEVEL": "DEBUG"}, of=MIGRATE)
    assert danger.kind == "unclassified"


def test_a_yes_to_a_variable_is_none_to_another_value() -> None:
    [one], [other] = (_asked({}, {"ROWS": rows}, rights="DELETE") for rows in ("1", "2"))
    assert one.code != other.code
