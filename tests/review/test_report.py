"""The report, word for word."""

from dataclasses import replace
from typing import Any

import pytest

from review.changes import compare
from review.cost import CostChange, prices_date
from review.danger import Danger
from review.next_runs import NextRuns
from review.report import EnvironmentReview, markdown
from review.templates import read_templates

LOSS = Danger(kind="data", code="data", resource="Database/Instance", text="would be deleted. Its data is lost")
ACCESS = Danger(kind="access", code="access", resource="Jobs/Role", text="it may now `s3:*` on `<environment>-bucket`")


def _review(name: str, before: dict[str, Any], after: dict[str, Any]) -> EnvironmentReview:
    old, new = (
        read_templates(name, "111111111111", "eu-central-1", {"Jobs": {"Resources": resources}}, {})
        for resources in (before, after)
    )
    return EnvironmentReview(name=name, changes=compare(old, new))


def _schedule(name: str, expression: str) -> dict[str, Any]:
    properties = {"Name": f"{name}-tally", "ScheduleExpression": expression}
    return {"Schedule": {"Type": "AWS::Scheduler::Schedule", "Properties": properties}}


def _function(key: str) -> dict[str, Any]:
    properties = {"FunctionName": "basic-tally", "Code": {"S3Bucket": "assets", "S3Key": key}}
    metadata = {"aws:asset:is-bundled": True, "aws:cdk:path": "basic/Jobs/Job-tally/Function/Resource"}
    return {"Function": {"Type": "AWS::Lambda::Function", "Properties": properties, "Metadata": metadata}}


def test_without_changes_it_is_one_sentence() -> None:
    nothing = [EnvironmentReview(name="basic"), EnvironmentReview(name="large")]
    assert markdown("Against main", nothing, ()) == "# Against main\n\nNothing changes in any environment.\n"


def test_environments_with_the_same_change_are_shown_once() -> None:
    def halved(name: str) -> EnvironmentReview:
        return _review(name, _schedule(name, "rate(5 minutes)"), _schedule(name, "rate(10 minutes)"))

    def renamed(name: str) -> EnvironmentReview:
        return _review(name, {}, _schedule(name, "rate(5 minutes)"))

    assert markdown("Against main", [halved("basic"), renamed("local"), halved("large")], ()) == (
        "# Against main\n\nNothing loses data, blocks writers, breaks jobs, widens access or takes protection away.\n\n"
        "## Everything that changes\n\n"
        "### `basic`, `large`\n\n<details><summary><code>Jobs</code>: 1</summary>\n\n"
        "- `Jobs/Schedule` (`AWS::Scheduler::Schedule`) changed: "
        "`ScheduleExpression` changes from `rate(5 minutes)` to `rate(10 minutes)`\n\n</details>\n\n"
        "### `local`\n\n<details><summary><code>Jobs</code>: 1</summary>\n\n"
        "- `Jobs/Schedule` (`AWS::Scheduler::Schedule`) added\n\n</details>\n"
    )


def test_changed_code_is_named_by_function_and_file_and_never_by_its_hash() -> None:
    one, other = "a" * 64, "b" * 64
    text = markdown("Against main", [_review("basic", _function(one), _function(other))], ["lambda/jobs/tally.py"])
    assert text.endswith(
        "<details><summary><code>Jobs</code>: 1</summary>\n\n"
        "- code of `tally` changed: `lambda/jobs/tally.py`\n\n</details>\n"
    )


def test_dangers_come_first_and_name_the_environment_where_there_is_one() -> None:
    basic = EnvironmentReview(name="basic", dangers=[LOSS])
    large = EnvironmentReview(name="large", dangers=[LOSS, ACCESS])
    assert markdown("Against main", [basic, large], ()) == (
        "# Against main\n\n"
        "**Not accepted yet: 2 decisions**, in `basic`, `large`. To say yes to one, write an `[[accept_change]]` "
        "with its `resource`, its `danger` and a `reason` into the environment's file; to all at once: "
        '`ACCEPT="reason"`.\n\n'
        "For `environments/basic.toml`, `environments/large.toml`:\n\n"
        '```toml\n[[accept_change]]\nresource = "Database/Instance"\ndanger = "data"\nreason = ""\n```\n\n'
        "For `environments/large.toml`:\n\n"
        '```toml\n[[accept_change]]\nresource = "Jobs/Role"\ndanger = "access"\nreason = ""\n```\n\n'
        "## Loses data\n\n"
        "- **`Database/Instance`** `data` in `basic`, `large`\n"
        "  - would be deleted. Its data is lost.\n"
        "  - **Not accepted**\n\n"
        "## Widens access\n\n"
        "- **`Jobs/Role`** `access` in `large`\n"
        "  - it may now `s3:*` on `large-bucket`.\n"
        "  - **Not accepted**\n"
    )


def test_each_kind_of_danger_has_a_heading_of_its_own_the_loss_of_data_first() -> None:
    bare = Danger(
        kind="protection",
        code="protection",
        resource="Database/Instance",
        text="`MultiAZ` changes from `true` to `false`",
    )
    text = markdown("Against main", [EnvironmentReview(name="basic", dangers=[bare, ACCESS, LOSS])], ())
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## Loses data",
        "## Widens access",
        "## Takes protection away",
    ]


def test_no_danger_is_left_out_because_its_kind_has_no_heading() -> None:
    strange = replace(LOSS, kind="strange")
    with pytest.raises(ValueError, match="strange"):
        markdown("Against main", [EnvironmentReview(name="basic", dangers=[strange])], ())


def test_another_stage_of_an_environment_speaks_of_the_environment_by_its_name() -> None:
    delivery = EnvironmentReview(name="basic-delivery", dangers=[ACCESS])
    report = markdown("Against main", [delivery], ())
    assert "- **`Jobs/Role`** `access` in `basic-delivery`\n  - it may now `s3:*` on `basic-bucket`.\n" in report
    assert "For `environments/basic.toml`:" in report


def test_an_accepted_danger_stays_in_the_report_with_its_reason() -> None:
    basic = EnvironmentReview(
        name="basic", dangers=[LOSS], accepted={("Database/Instance", "data"): "it moved to large"}
    )
    assert basic.open == []
    assert markdown("Against main", [basic], ()) == (
        "# Against main\n\nEverything that has to be accepted is.\n\n"
        "## Loses data\n\n"
        "- **`Database/Instance`** `data` in `basic`\n"
        "  - would be deleted. Its data is lost.\n"
        "  - Accepted: `it moved to large`\n"
    )


def test_what_belongs_to_one_yes_is_one_decision_with_its_consequence() -> None:
    lines = [
        Danger(kind="access", code="proxy", resource="Database/Proxy", text=text, then="the proxy reads the secret")
        for text in ("lets `one` in", "lets `other` in")
    ]
    accepted = {("Database/Proxy", "proxy"): "few connections"}
    basic, large, middle = (
        EnvironmentReview(name="basic", dangers=lines, accepted=accepted),
        EnvironmentReview(name="large", dangers=lines),
        EnvironmentReview(name="middle", dangers=lines),
    )
    report = markdown("Against main", [basic, large, middle], ())
    assert report.startswith("# Against main\n\n**Not accepted yet: 1 decision**, in `large`, `middle`.")
    assert report.endswith(
        "## Widens access\n\n"
        "- **`Database/Proxy`** `proxy` in `basic`, `large`, `middle`\n"
        "  - lets `one` in.\n"
        "  - lets `other` in.\n"
        "  - *If you say yes:* the proxy reads the secret.\n"
        "  - **Not accepted** in `large`, `middle`. Accepted in `basic`: `few connections`\n"
    )


def test_many_blocks_to_copy_are_folded() -> None:
    many = [Danger(kind="data", code=f"data-{number}", resource="Database", text="is gone") for number in range(3)]
    report = markdown("Against main", [EnvironmentReview(name="basic", dangers=many)], ())
    verdict = report.partition("\n## ")[0]
    assert verdict.count("\n[[accept_change]]\n") == 3
    assert verdict.count("```toml") == verdict.count("<details>") == verdict.count("</details>") == 1


def test_a_yes_is_for_one_danger_of_one_resource() -> None:
    fewer = replace(LOSS, code="fewer-backups")
    accepted = {(LOSS.resource, LOSS.code): "it moved", (ACCESS.resource, LOSS.code): "no such danger"}
    basic = EnvironmentReview(name="basic", dangers=[LOSS, fewer, ACCESS], accepted=accepted)
    assert basic.open == [fewer, ACCESS]
    assert replace(basic, accepted={}).open == [LOSS, fewer, ACCESS]


def test_an_environment_that_comes_or_goes_is_said() -> None:
    text = markdown("Against main", [EnvironmentReview(name="qa", note="is new: 3 resources")], ())
    assert text.endswith("## Everything that changes\n\n`qa` is new: 3 resources.\n")


def test_what_it_costs_and_when_jobs_run_next_is_said_once_for_all_environments_below_the_dangers() -> None:
    cost = CostChange(items=(("interface endpoint (2 zones)", 14.6),), elsewhere=(), not_priced=(), region="us-east-1")
    runs = NextRuns(path="Jobs/Schedule", before="`rate(1 day)`: soon", after="`rate(1 hour)`: sooner")
    new = NextRuns(path="Jobs/Other", before=None, after="`rate(1 day)`: soon")
    basic = EnvironmentReview(name="basic", dangers=[LOSS], cost=cost, runs=(runs, new))
    large = EnvironmentReview(name="large", cost=cost, runs=(runs,))
    report = markdown("Against main", [basic, large], ())
    assert report.endswith(
        "  - **Not accepted**\n\n"
        "## What it costs\n\n"
        "- `basic`, `large`: **+14.60 USD a month**\n"
        "  - +14.60: interface endpoint (2 zones)\n\n"
        f"Prices on demand of {prices_date():%-d %B %Y}, without what goes by use: see `docs/cost.md`.\n\n"
        "## When the jobs run next\n\n"
        "- `Jobs/Schedule` in `basic`, `large`\n"
        "  - before: `rate(1 day)`: soon\n"
        "  - after: `rate(1 hour)`: sooner\n"
        "- `Jobs/Other` in `basic`\n"
        "  - new: `rate(1 day)`: soon\n\n"
        "In the time zone of the schedule; a rate counts from its deploy, which here is now.\n"
    )


def test_many_schedules_are_folded() -> None:
    runs = [NextRuns(path=f"Jobs/Job-{number}", before=None, after="soon") for number in range(20)]
    report = markdown("Against main", [EnvironmentReview(name="basic", note="is new", runs=runs)], ())
    assert "## When the jobs run next\n\n<details><summary>20 schedules</summary>\n\n- `Jobs/Job-0`" in report
    assert report.count("<details>") == report.count("</details>") == 1
