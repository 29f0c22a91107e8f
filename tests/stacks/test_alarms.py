"""What wakes people, and what doesn't: every alarm of every environment."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from aws_cdk.assertions import Template

from settings.environment import EnvironmentSettings, ProxySettings
from settings.instance_class import read_instance_class
from settings.missed_runs import most_lag
from settings.project import ROOT
from stacks.environment import Environment
from tests.fixture import ENVIRONMENTS, PROJECT, a_job, load
from tests.quick_app import quick_app

CONTEXT = json.loads((ROOT / "cdk.json").read_text())["context"] | {"aws:cdk:bundling-stacks": []}
Alarms = dict[str, dict[str, Any]]

JOB_ALARMS = {"errors", "dead-letters", "throttles", "near-timeout", "stuck", "missed", "lag", "catching-up"}
DATABASE_ALARMS = {"database-cpu", "database-storage", "database-memory", "database-connections"}
PROXY_ALARMS = {"proxy-pinned", "proxy-borrow-latency", "proxy-refused", "proxy-database-refused"}
LONGEST_TIMEOUT_SECONDS = 900
"""https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""


@pytest.fixture(params=ENVIRONMENTS)
def settings(request: pytest.FixtureRequest) -> EnvironmentSettings:
    return ENVIRONMENTS[request.param]


@pytest.fixture
def alarms(settings: EnvironmentSettings, templates: dict[str, Any]) -> Alarms:
    return _alarms(templates[settings.name]["Jobs"])


@pytest.fixture(scope="module")
def with_proxy() -> Alarms:
    """The alarms of large with a proxy, of which two runs may use a connection at once."""
    job = a_job(name="pulse", schedule="rate(7 days)", concurrency=2)
    settings = load("large").model_copy(
        update={"proxy": ProxySettings(enabled=True, borrow_timeout_seconds=4), "jobs": (job,)}
    )
    return _alarms(
        Template.from_stack(Environment(quick_app(context=CONTEXT), project=PROJECT, settings=settings).jobs).to_json()
    )


def test_every_job_and_the_database_have_every_alarm(settings: EnvironmentSettings, alarms: Alarms) -> None:
    expected = {f"{settings.name}-{job.name}-{what}" for job in settings.jobs for what in JOB_ALARMS}
    expected |= {f"{settings.name}-{what}" for what in (*DATABASE_ALARMS, "watch-missed")}
    if read_instance_class(settings.made_database.instance_class).burstable:
        expected.add(f"{settings.name}-database-cpu-credits")
    assert set(alarms) == expected


def test_every_alarm_goes_to_the_one_topic_and_so_does_its_end(alarms: Alarms) -> None:
    topics = {str(alarm[actions]) for alarm in alarms.values() for actions in ("AlarmActions", "OKActions")}
    assert len(topics) == 1
    assert "AlarmsTopic" in topics.pop()


def test_every_alarm_says_what_to_look_at_first(alarms: Alarms, with_proxy: Alarms) -> None:
    for alarm in [*alarms.values(), *with_proxy.values()]:
        assert "Look first " in alarm["AlarmDescription"]
        assert len(alarm["AlarmDescription"]) <= 1024


def test_cloudwatch_accepts_how_long_every_alarm_looks_back(alarms: Alarms) -> None:
    for alarm in alarms.values():
        [period] = {alarm["Period"]} if "Period" in alarm else {each["Period"] for each in _metrics(alarm)}
        seconds = period * alarm["EvaluationPeriods"]
        assert seconds <= (86_400 if period < 3600 else 604_800)


def test_what_one_retry_cures_wakes_nobody(settings: EnvironmentSettings, alarms: Alarms) -> None:
    for job in settings.jobs:
        errors = alarms[f"{settings.name}-{job.name}-errors"]
        assert (errors["MetricName"], errors["Statistic"], errors["Threshold"]) == ("Errors", "Sum", 3)
        assert errors["Period"] == 3600


@pytest.mark.synthesis
@pytest.mark.parametrize(
    ("schedule", "retry_minutes", "attempts", "failed"),
    [
        ("rate(1 minute)", None, 1, 3),  # of several runs
        ("rate(5 minutes)", None, 2, 3),  # 150 s have room for the retry after a minute, not for that after three
        ("rate(15 minutes)", None, 3, 3),
        ("rate(1 day)", None, 3, 3),
        ("rate(1 day)", 3, 2, 2),
        ("rate(1 day)", 1, 1, 1),
        ("rate(30 minutes)", 1, 1, 2),
    ],
)
def test_the_alarm_rings_when_a_run_fails_with_all_retries_that_its_window_has_room_for(
    schedule: str, retry_minutes: int | None, attempts: int, failed: int
) -> None:
    job = a_job(name="pulse", schedule=schedule, timeout_seconds=30, retry_minutes=retry_minutes)
    assert job.attempts == attempts
    settings = load("basic").model_copy(update={"jobs": (job,)})
    app = quick_app(context=CONTEXT)
    jobs = Template.from_stack(Environment(app, project=PROJECT, settings=settings).jobs).to_json()
    errors = _alarms(jobs)["basic-pulse-errors"]
    assert errors["Threshold"] == failed
    times = "once." if failed == 1 else f"{failed} times within an hour, retries included."
    assert f"basic-pulse failed {times}" in errors["AlarmDescription"]


def test_a_dead_letter_stays_an_alarm_until_somebody_deletes_it(settings: EnvironmentSettings, alarms: Alarms) -> None:
    for job in settings.jobs:
        letters = alarms[f"{settings.name}-{job.name}-dead-letters"]
        assert (letters["Threshold"], letters["Statistic"], letters["TreatMissingData"]) == (1, "Maximum", "ignore")


def test_a_run_near_its_timeout_is_an_alarm(settings: EnvironmentSettings, alarms: Alarms) -> None:
    for job in settings.jobs:
        near = alarms[f"{settings.name}-{job.name}-near-timeout"]
        [metric] = _metrics(near)
        assert metric["Metric"]["MetricName"] == "duration_ms"
        assert near["Threshold"] == 0.8 * job.timeout_seconds * 1000


def test_a_missed_run_is_an_alarm_while_the_watcher_says_so(settings: EnvironmentSettings, alarms: Alarms) -> None:
    for job in settings.jobs:
        for what in ("missed", "catching_up"):
            alarm = alarms[f"{settings.name}-{job.name}-{what.replace('_', '-')}"]
            [metric] = _metrics(alarm)
            assert (metric["Metric"]["MetricName"], metric["Stat"], alarm["Threshold"]) == (what, "Maximum", 1)
            # It says nothing where all is well.
            assert (alarm["TreatMissingData"], metric["Period"]) == ("notBreaching", 300)
            assert alarm["EvaluationPeriods"] - alarm["DatapointsToAlarm"] == 2  # in some period it may not have looked


def test_what_is_done_may_be_so_far_behind_as_the_schedule_says(settings: EnvironmentSettings, alarms: Alarms) -> None:
    for job in settings.jobs:
        lag = alarms[f"{settings.name}-{job.name}-lag"]
        [metric] = _metrics(lag)
        most = most_lag(job)
        assert most is not None
        assert (metric["Metric"]["MetricName"], lag["Threshold"]) == ("lag_seconds", most.total_seconds())
        assert lag["TreatMissingData"] == "ignore"  # it is written as long as the watcher runs, which has its own alarm


def test_work_that_is_left_and_that_no_run_goes_on_with_is_an_alarm_until_one_does(
    settings: EnvironmentSettings, alarms: Alarms
) -> None:
    for job in settings.jobs:
        stuck = alarms[f"{settings.name}-{job.name}-stuck"]
        [metric] = _metrics(stuck)
        assert (metric["Metric"]["MetricName"], stuck["Threshold"], stuck["TreatMissingData"]) == ("stuck", 1, "ignore")


def test_that_nobody_watches_the_jobs_is_an_alarm_although_it_has_no_data(
    settings: EnvironmentSettings, alarms: Alarms
) -> None:
    alarm = alarms[f"{settings.name}-watch-missed"]
    assert (alarm["TreatMissingData"], alarm["ComparisonOperator"]) == ("breaching", "LessThanThreshold")
    assert alarm["Metrics"][0]["Expression"] == "FILL(watched, 0)"
    [metric] = _metrics(alarm)
    assert metric["Stat"] == "SampleCount"  # of jobs it may watch none, if all are switched off
    assert (alarm["EvaluationPeriods"] * metric["Period"], alarm["Threshold"]) == (15 * 60, 1)


@pytest.mark.parametrize(
    ("throttles", "invocations", "rings"),
    [
        # Per period of 20 minutes, the latest last; None where nothing is reported.
        ([None, None, None], [None, None, None], False),
        ([None, None, 5], [None, None, None], False),  # a single refusal, which Lambda tries again
        ([None, 5, 5], [None, None, None], True),
        ([5, 5, 5], [3, 3, None], False),  # a chain of runs, of which the last has not ended yet
        ([5, 5, 5], [3, None, None], True),  # it has come to an end, and still none begins
        ([5, 5, 5], [1, 1, 1], False),
        ([0, 0, 0], [None, None, None], False),
    ],
)
def test_refused_starts_are_an_alarm_only_if_no_run_begins(
    throttles: list[int | None], invocations: list[int | None], rings: bool, templates: dict[str, Any]
) -> None:
    alarm = _alarms(templates["basic"]["Jobs"])["basic-pulse-throttles"]
    assert alarm["Metrics"][0]["Expression"] == "IF(FILL(invocations, 0) > 0, 0, throttles)"
    told = {each["MetricStat"]["Metric"]["MetricName"]: each["Id"] for each in alarm["Metrics"][1:]}
    assert told == {"Throttles": "throttles", "Invocations": "invocations"}
    found = [0 if started else refused for refused, started in zip(throttles, invocations, strict=True)]
    breaching = [value for value in found if value is not None and value >= alarm["Threshold"]]
    assert (len(breaching) >= alarm["DatapointsToAlarm"]) is rings
    assert alarm["TreatMissingData"] == "notBreaching"


def test_a_period_of_refused_starts_is_longer_than_any_run(settings: EnvironmentSettings, alarms: Alarms) -> None:
    # So that in the period before the latest, every run that began has ended, and is counted.
    for job in settings.jobs:
        for metric in _metrics(alarms[f"{settings.name}-{job.name}-throttles"]):
            assert metric["Period"] > LONGEST_TIMEOUT_SECONDS


def test_the_database_is_measured_by_its_size(settings: EnvironmentSettings, alarms: Alarms) -> None:
    size = read_instance_class(settings.made_database.instance_class)
    thresholds = {what: alarms[f"{settings.name}-{what}"]["Threshold"] for what in DATABASE_ALARMS}
    assert thresholds["database-storage"] == pytest.approx(0.05 * settings.made_database.storage_gb * 2**30)
    assert thresholds["database-memory"] == pytest.approx(0.05 * size.memory_gb * 2**30)
    assert 0.75 < thresholds["database-connections"] / size.max_connections <= 0.8


def test_a_proxy_has_alarms_of_its_own(with_proxy: Alarms) -> None:
    assert set(with_proxy) >= {f"large-{what}" for what in PROXY_ALARMS}
    pinned, slow = with_proxy["large-proxy-pinned"], with_proxy["large-proxy-borrow-latency"]
    [metric] = _metrics(pinned)
    # Each run pins its connection: GET_LOCK does. So as many as may run are no trouble, and one more is.
    assert (pinned["Threshold"], metric["Period"], metric["Stat"]) == (3, 60, "Sum")
    assert slow["Threshold"] == 2_000_000  # µs: half of the borrow timeout


def test_without_a_proxy_nothing_watches_one(alarms: Alarms) -> None:
    assert not [name for name in alarms if "proxy" in name]


def test_a_rare_schedule_has_every_alarm(with_proxy: Alarms) -> None:
    whats = {name.removeprefix("large-pulse-") for name in with_proxy if name.startswith("large-pulse-")}
    assert whats == JOB_ALARMS


def _alarms(template: Mapping[str, Any]) -> Alarms:
    resources = template["Resources"].values()
    alarms = [each["Properties"] for each in resources if each["Type"] == "AWS::CloudWatch::Alarm"]
    return {alarm["AlarmName"]: alarm for alarm in alarms}


def _metrics(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    return [each["MetricStat"] for each in alarm["Metrics"] if "MetricStat" in each]
