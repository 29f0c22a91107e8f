"""What a reviewer sees of a schedule: when the job would have run next, and when it will."""

from datetime import UTC, datetime
from typing import Any

import pytest

from review.next_runs import NextRuns, changed_runs
from review.templates import SynthesizedEnvironment, read_templates

NOW = datetime(2026, 3, 27, 10, 40, tzinfo=UTC)  # a Friday; in Europe, the clocks change on Sunday


def environment(stack: str = "Jobs", **schedules: dict[str, Any]) -> SynthesizedEnvironment:
    resources = {
        name: {"Type": "AWS::Scheduler::Schedule", "Properties": properties} for name, properties in schedules.items()
    }
    return read_templates("basic", "111111111111", "eu-central-1", {stack: {"Resources": resources}}, {})


def told(**properties: Any) -> str:
    [found] = changed_runs(None, environment(Schedule=properties), now=NOW)
    assert found.before is None
    return found.after


def test_the_five_next_runs_are_shown_before_and_after() -> None:
    before = environment(Schedule={"ScheduleExpression": "cron(15 3 * * ? *)", "ScheduleExpressionTimezone": "UTC"})
    after = environment(
        Schedule={"ScheduleExpression": "cron(15 3 * * ? *)", "ScheduleExpressionTimezone": "Europe/Berlin"}
    )
    assert list(changed_runs(before, after, now=NOW)) == [
        NextRuns(
            path="Jobs/Schedule",
            before=(
                "`cron(15 3 * * ? *)`: Sat 2026-03-28 03:15, Sun 2026-03-29 03:15, Mon 2026-03-30 03:15, "
                "Tue 2026-03-31 03:15, Wed 2026-04-01 03:15"
            ),
            after=(
                "`cron(15 3 * * ? *)` in `Europe/Berlin`: Sat 2026-03-28 03:15 (02:15 UTC), "
                "Sun 2026-03-29 03:15 (01:15 UTC), Mon 2026-03-30 03:15 (01:15 UTC), "
                "Tue 2026-03-31 03:15 (01:15 UTC), Wed 2026-04-01 03:15 (01:15 UTC)"
            ),
        )
    ]


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        (
            {"ScheduleExpression": "rate(15 minutes)"},
            "`rate(15 minutes)`: Fri 2026-03-27 10:55, 11:10, 11:25, 11:40, 11:55",
        ),
        (
            {
                "ScheduleExpression": "rate(1 day)",
                "StartDate": "2026-03-01T06:00:00Z",
                "EndDate": "2026-03-29T06:00:00Z",
            },
            "`rate(1 day)`: Sat 2026-03-28 06:00, Sun 2026-03-29 06:00",
        ),
        (
            {
                "ScheduleExpression": "rate(1 day)",
                "StartDate": "2026-05-01T06:00:00Z",
                "EndDate": "2026-05-02T00:00:00Z",
            },
            "`rate(1 day)`: Fri 2026-05-01 06:00",
        ),
        (
            {
                "ScheduleExpression": "cron(0 0,12 * * ? *)",
                "StartDate": "2026-05-01",
                "EndDate": "2026-05-01T13:00:00Z",
            },
            "`cron(0 0,12 * * ? *)`: Fri 2026-05-01 00:00, 12:00",
        ),
        (
            {"ScheduleExpression": "at(2026-03-29T09:30:00)", "ScheduleExpressionTimezone": "Europe/Berlin"},
            "`at(2026-03-29T09:30:00)` in `Europe/Berlin`: Sun 2026-03-29 09:30 (07:30 UTC)",
        ),
        ({"ScheduleExpression": "at(2026-03-27T10:40:00)"}, "`at(2026-03-27T10:40:00)`: none, as it is over"),
        (
            {"ScheduleExpression": "at(2026-03-29T02:30:00)", "ScheduleExpressionTimezone": "Europe/Berlin"},
            "`at(2026-03-29T02:30:00)` in `Europe/Berlin`: none, as it is on no clock",
        ),
        (
            {"ScheduleExpression": "at(2026-03-29T09:30:00)", "State": "DISABLED"},
            "`at(2026-03-29T09:30:00)`: none, as it is disabled",
        ),
        ({"ScheduleExpression": "cron(0 0 1 1 ? 2025,2026)"}, "`cron(0 0 1 1 ? 2025,2026)`: none any more"),
        (
            {"ScheduleExpression": "rate(5 minutes)", "State": "DISABLED"},
            "`rate(5 minutes)`: none, as it is disabled",
        ),
    ],
)
def test_what_a_schedule_says_is_when_it_runs(properties: dict[str, str], expected: str) -> None:
    assert told(**properties) == expected


@pytest.mark.parametrize(
    "properties",
    [
        {"ScheduleExpression": "cron(`@team`)"},
        {"ScheduleExpression": "at(tomorrow)"},
        {"ScheduleExpression": "rate(999999 days)"},  # beyond what a date can be
        {"ScheduleExpression": "rate(1 day)", "StartDate": "soon"},
        {"ScheduleExpression": "cron(0 3 * * ? *)", "ScheduleExpressionTimezone": "Europe/Bärlin"},
        {"ScheduleExpression": "cron(0 3 * * ? *)", "ScheduleExpressionTimezone": "../../etc/passwd"},
        {},
    ],
)
def test_what_can_not_be_read_is_said(properties: dict[str, str]) -> None:
    assert ": not known here: `" in told(**properties)


def test_only_schedules_whose_runs_change_are_shown() -> None:
    one, other = {"ScheduleExpression": "rate(1 day)"}, {"ScheduleExpression": "rate(2 days)"}
    before = environment(Same={**one, "Description": "before"}, Gone=one, Stopped=one)
    after = environment(Same={**one, "Description": "after"}, Come=other, Stopped={**one, "State": "DISABLED"})
    found = {each.path: each for each in changed_runs(before, after, now=NOW)}
    assert set(found) == {"Jobs/Gone", "Jobs/Come", "Jobs/Stopped"}
    assert found["Jobs/Gone"].after == "none: the schedule is removed"
    assert found["Jobs/Come"].before is None


def test_a_job_in_another_stack_runs_as_before_and_a_stack_that_leaves_the_app_goes_on() -> None:
    schedule = {"ScheduleExpression": "rate(1 day)"}
    assert not list(changed_runs(environment("Jobs", S=schedule), environment("Jobs-2", S=schedule), now=NOW))
    assert not list(changed_runs(environment("Other", S=schedule), environment("Jobs"), now=NOW))
