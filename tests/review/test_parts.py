"""What is one decision needs one yes: a proxy that comes, a job that goes."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from documents.synthesis import synthesize
from local.made_once import made_once
from review.judgement import dangers
from review.parts import ALARM
from review.templates import SynthesizedEnvironment, read_environments
from tests.fixture import PROJECT, FilesIn

TALLY = re.compile(r'\[\[jobs]]\nname = "tally"[^\[]*')
SCHEDULE = re.compile(r'(?<=name = "tally"\nschedule = ).*')
TIMES = {
    "nightly": '"cron(30 2 * * ? *)"\ntime_zone = "Europe/Berlin"',  # which the clocks leave out once a year
    "off": '"rate(15 minutes)"\nenabled = false',
    "single": '"at(2026-12-24T18:00:00)"',
}
"""Other schedules of tally, by the environments that have them."""


@pytest.fixture(scope="session")
def edited(shared: Path) -> Path:
    """One environment as it is, without a job, with a proxy, and with other schedules."""
    return made_once(shared, "edited.out", _synthesize)


def _synthesize(folder: Path) -> None:
    text = (PROJECT.environments / "middle.toml").read_text()
    text = re.sub(r"\[delivery][^\[]*", "", text)
    files = folder.parent / "edited"
    files.mkdir()
    (files / "one.toml").write_text(text)
    (files / "other.toml").write_text(f"proxy.enabled = true\n{text}")
    (files / "third.toml").write_text(TALLY.sub("", text))
    for name, schedule in TIMES.items():
        (files / f"{name}.toml").write_text(SCHEDULE.sub(schedule, text))
    synthesize(FilesIn(files), folder, validated=False)


@pytest.fixture(scope="session")
def environments(edited: Path) -> dict[str, SynthesizedEnvironment]:
    return read_environments(edited)


def test_a_proxy_that_is_turned_on_is_one_decision(environments: dict[str, SynthesizedEnvironment]) -> None:
    found = dangers(environments["one"], environments["other"])
    [(resource, code)] = {(each.resource, each.code) for each in found}
    assert (resource, code.partition("-")[0]) == ("Jobs/Proxy", "proxy")
    assert any("rds-db:connect" in each.text for each in found)
    assert any("DATABASE_HOST" in each.text for each in found)


def test_a_yes_to_a_proxy_is_none_to_one_that_is_open_wider(environments: dict[str, SynthesizedEnvironment]) -> None:
    one, other = environments["one"], environments["other"]
    [group] = [each for each in other.of("AWS::EC2::SecurityGroup") if each.path == "Jobs/Proxy/SecurityGroup"]
    rule = {"CidrIp": "10.0.0.0/8", "IpProtocol": "tcp", "FromPort": 3306, "ToPort": 3306}
    wider = replace(group, properties={**group.properties, "SecurityGroupIngress": [rule]})
    key = (group.stack, group.logical_id)
    [before] = {each.code for each in dangers(one, other)}
    [after] = {each.code for each in dangers(one, replace(other, resources={**other.resources, key: wider}))}
    assert before != after


def test_a_job_that_is_taken_out_is_one_decision_with_all_that_goes_with_it(
    environments: dict[str, SynthesizedEnvironment],
) -> None:
    found = dangers(environments["one"], environments["third"])
    assert {(each.resource, each.code) for each in found} == {("Jobs/Job-tally", "removed")}
    texts = [each.text for each in found]
    assert "its `Schedule` would be removed" in texts
    assert "its `DeadLetters` would be deleted" in texts
    assert "`Jobs/Alarms-tally/Missed` would be removed" in texts


def test_a_job_that_comes_is_asked_about_for_the_rows_that_it_may_change(
    environments: dict[str, SynthesizedEnvironment],
) -> None:
    [danger] = dangers(environments["third"], environments["one"])
    assert (danger.resource, danger.kind) == ("Jobs/Job-tally/Job/Function", "access")
    assert danger.text == "it may now `DELETE` on the table `event_hourly`"


@pytest.mark.parametrize("name", TIMES)
def test_what_of_the_alarms_follows_from_a_schedule_is_no_decision_of_its_own(
    name: str, environments: dict[str, SynthesizedEnvironment]
) -> None:
    one, other = environments["one"], environments[name]
    lag = "Jobs/Alarms-tally/Lag"
    assert [each.properties for each in one.of(ALARM) if each.path == lag] != [
        each.properties for each in other.of(ALARM) if each.path == lag
    ]
    for before, after in ((one, other), (other, one)):
        assert not [each for each in dangers(before, after) if "Alarms-tally" in each.resource]


def test_a_job_that_is_switched_off_is_one_decision(environments: dict[str, SynthesizedEnvironment]) -> None:
    found = dangers(environments["one"], environments["off"])
    assert [each.resource for each in found if each.code == "schedule-disabled"] == ["Jobs/Job-tally/Schedule"]


@pytest.mark.parametrize("threshold", [10**9, {"Ref": "Threshold"}])
def test_an_alarm_that_would_hardly_go_off_any_more_does_not_follow_from_a_schedule(
    threshold: object, environments: dict[str, SynthesizedEnvironment]
) -> None:
    one, nightly = environments["one"], environments["nightly"]
    [lag] = [each for each in nightly.of(ALARM) if each.path == "Jobs/Alarms-tally/Lag"]
    later = replace(lag, properties={**lag.properties, "Threshold": threshold})
    found = dangers(one, replace(nightly, resources={**nightly.resources, (lag.stack, lag.logical_id): later}))
    assert [each.resource for each in found if "Alarms-tally" in each.resource] == [lag.path]


def test_an_alarm_that_goes_with_a_schedule_that_stays_on_is_asked_about(
    environments: dict[str, SynthesizedEnvironment],
) -> None:
    one, nightly = environments["one"], environments["nightly"]
    without = {key: each for key, each in nightly.resources.items() if each.path != "Jobs/Alarms-tally/Missed"}
    found = dangers(one, replace(nightly, resources=without))
    assert ("Jobs/Alarms-tally/Missed", "alarm-removed") in {(each.resource, each.code) for each in found}
