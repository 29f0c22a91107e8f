"""What is one decision needs one yes: a proxy that comes, a job that goes."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from documents.synthesis import synthesize
from local.made_once import made_once
from review.judgement import dangers
from review.templates import SynthesizedEnvironment, read_environments
from tests.fixture import PROJECT, FilesIn

TALLY = re.compile(r'\[\[jobs]]\nname = "tally"[^\[]*')


@pytest.fixture(scope="session")
def edited(shared: Path) -> Path:
    """One environment as it is, without a job, and with a proxy."""
    return made_once(shared, "edited.out", _synthesize)


def _synthesize(folder: Path) -> None:
    text = (PROJECT.environments / "middle.toml").read_text()
    text = re.sub(r"\[delivery][^\[]*", "", text)
    files = folder.parent / "edited"
    files.mkdir()
    (files / "one.toml").write_text(text)
    (files / "other.toml").write_text(f"proxy.enabled = true\n{text}")
    (files / "third.toml").write_text(TALLY.sub("", text))
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
