"""What wakes people, and what doesn't: every alarm of every environment, and a missed run by CloudWatch's own rule."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from aws_cdk.assertions import Template
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from settings.environment import EnvironmentSettings, JobSettings, ProxySettings
from settings.instance_class import read_instance_class
from settings.missed_runs import SPANS, Silence, allowance, longest_interval, missed_after
from settings.project import ROOT
from stacks.environment import Environment
from tests.fixture import ENVIRONMENTS, PROJECT, a_job, load
from tests.quick_app import quick_app

CONTEXT = json.loads((ROOT / "cdk.json").read_text())["context"] | {"aws:cdk:bundling-stacks": []}
Alarms = dict[str, dict[str, Any]]

JOB_ALARMS = {"errors", "dead-letters", "throttles", "near-timeout", "missed"}
DATABASE_ALARMS = {"database-cpu", "database-storage", "database-memory", "database-connections"}
PROXY_ALARMS = {"proxy-pinned", "proxy-borrow-latency", "proxy-refused", "proxy-database-refused"}

EVERY_DAY = frozenset(range(7))
BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"


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
    expected |= {f"{settings.name}-{what}" for what in DATABASE_ALARMS}
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
        assert metric["Metric"]["MetricName"] == "duration"
        assert near["Threshold"] == 0.8 * job.timeout_seconds * 1000


def test_silence_is_an_alarm_although_it_has_no_data(settings: EnvironmentSettings, alarms: Alarms) -> None:
    for job in settings.jobs:
        missed = alarms[f"{settings.name}-{job.name}-missed"]
        silence = missed_after(job)
        assert silence is not None
        assert (missed["TreatMissingData"], missed["ComparisonOperator"]) == ("breaching", "LessThanThreshold")
        assert missed["EvaluationPeriods"] == silence.periods
        assert missed["Metrics"][0]["Expression"] == "FILL(worked, 0)"
        [metric] = _metrics(missed)
        assert (metric["Metric"]["MetricName"], metric["Period"]) == ("worked", silence.period.total_seconds())


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


def test_a_schedule_too_rare_for_cloudwatch_has_no_missed_alarm_and_all_others(with_proxy: Alarms) -> None:
    whats = {name.removeprefix("large-pulse-") for name in with_proxy if name.startswith("large-pulse-")}
    assert whats == JOB_ALARMS - {"missed"}


@dataclass(frozen=True)
class Case:
    """A schedule, and independently of the code under test, when it starts runs."""

    schedule: str
    every: timedelta | None = None
    at: tuple[time, ...] = ()
    weekdays: frozenset[int] = EVERY_DAY
    zone: str = "UTC"

    @cached_property
    def job(self) -> JobSettings:
        return a_job(name="pulse", schedule=self.schedule, time_zone=self.zone, timeout_seconds=30)

    @cached_property
    def healthy(self) -> list[list[datetime]]:
        """Scheduled times of months in which clocks change; a few hours of them for a frequent rate."""
        span = timedelta(hours=3) if self.every and self.every < timedelta(hours=1) else timedelta(days=33)
        starts = [datetime(year, month, 1, tzinfo=UTC) for year, month in CLOCK_CHANGES]
        return [list(self.scheduled_times(start, start + span)) for start in starts]

    def scheduled_times(self, start: datetime, end: datetime) -> Iterator[datetime]:
        if self.every is not None:
            count = (end - start) // self.every
            yield from (start + number * self.every for number in range(count))
            return
        day = start.date()
        while day < end.date():
            if day.weekday() in self.weekdays:
                yield from self._times_on(day)
            day += timedelta(days=1)

    def _times_on(self, day: date) -> Iterator[datetime]:
        zone = ZoneInfo(self.zone)
        for each in sorted(self.at):
            local = datetime.combine(day, each, tzinfo=zone)  # of two that are the same, the first
            if local.astimezone(UTC).astimezone(zone).time() == each:  # else the clocks left it out
                yield local.astimezone(UTC)


WORKING_DAYS = frozenset(range(5))
CASES = [
    Case("rate(1 minute)", every=timedelta(minutes=1)),
    Case("rate(5 minutes)", every=timedelta(minutes=5)),
    Case("rate(1 hour)", every=timedelta(hours=1)),
    Case("rate(6 days)", every=timedelta(days=6)),
    Case("cron(15 3 * * ? *)", at=(time(3, 15),)),
    Case("cron(15 3 * * ? *)", at=(time(3, 15),), zone=BERLIN),
    Case("cron(30 2 * * ? *)", at=(time(2, 30),), zone=BERLIN),
    Case("cron(30 2 * * ? *)", at=(time(2, 30),), zone=NEW_YORK),
    Case("cron(15 2 * * ? *)", at=(time(2, 15),), zone=LORD_HOWE),
    Case("cron(0/20 * * * ? *)", at=tuple(time(h, m) for h in range(24) for m in (0, 20, 40)), zone=BERLIN),
    Case("cron(0 8 ? * MON-FRI *)", at=(time(8),), weekdays=WORKING_DAYS, zone=BERLIN),
]
TOO_RARE = ["rate(7 days)", "cron(0 8 ? * MON *)", "cron(0 8 1 * ? *)", "cron(0 8 L * ? *)"]
MOMENT = timedelta(microseconds=1)
CLOCK_CHANGES = [(2026, 3), (2026, 4), (2026, 10), (2026, 11)]
"""In Berlin, New York and on Lord Howe Island."""


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.schedule} {case.zone}")
@examples(max_examples=25, deadline=None)
@given(lateness=st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_no_healthy_job_is_ever_said_to_have_missed_a_run(case: Case, lateness: list[float]) -> None:
    silence, late = _silence(case.job), allowance(case.job)
    for times in case.healthy:
        seen = sorted(each + lateness[number % len(lateness)] * late for number, each in enumerate(times))
        # It is quietest just before a run is seen.
        assert not any(_in_alarm(earlier, later - MOMENT, silence) for earlier, later in pairwise(seen))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.schedule} {case.zone}")
@examples(max_examples=25, deadline=None)
@given(minutes=st.integers(0, 60 * 24 * 40))
def test_when_runs_stop_it_is_an_alarm_soon_after_the_next_was_due(case: Case, minutes: int) -> None:
    silence = _silence(case.job)
    last = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    latest = longest_interval(case.job) + allowance(case.job) + 3 * silence.period
    assert _in_alarm(last, last + latest, silence)
    assert 3 * silence.period <= max(timedelta(minutes=3), longest_interval(case.job) / 2)


@pytest.mark.parametrize(
    ("schedule", "minutes"),
    [
        ("rate(1 minute)", 9),
        ("rate(5 minutes)", 15),
        ("rate(1 hour)", 97),
        ("cron(15 3 * * ? *)", 27 * 60),
        ("cron(0 8 ? * MON-FRI *)", 75 * 60),
    ],
)
def test_how_long_a_job_may_be_silent(schedule: str, minutes: int) -> None:
    assert _silence(_job(schedule)).length == timedelta(minutes=minutes)


@pytest.mark.parametrize("schedule", TOO_RARE)
def test_a_schedule_that_cloudwatch_cannot_oversee_has_no_silence(schedule: str) -> None:
    assert missed_after(_job(schedule)) is None


@examples(max_examples=40, deadline=None)
@given(
    times=st.sets(st.tuples(st.integers(0, 23), st.sampled_from([0, 1, 15, 29, 30, 59])), min_size=1, max_size=4),
    zone=st.sampled_from(["UTC", BERLIN, NEW_YORK, LORD_HOWE, "Africa/Casablanca", "America/Santiago"]),
)
def test_no_interval_is_longer_than_the_longest_whatever_the_clocks_do(times: set[tuple[int, int]], zone: str) -> None:
    # The hours of a cron expression go with each of its minutes.
    hours, minutes = {hour for hour, _ in times}, {minute for _, minute in times}
    schedule = f"cron({','.join(map(str, minutes))} {','.join(map(str, hours))} * * ? 2027)"
    case = Case(schedule, at=tuple(time(hour, minute) for hour in hours for minute in minutes), zone=zone)
    scheduled = list(case.scheduled_times(datetime(2027, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)))
    assert max(later - earlier for earlier, later in pairwise(scheduled)) <= longest_interval(case.job)


@pytest.mark.parametrize("flexible_minutes", [0, 30])
def test_a_run_may_be_late_by_its_window_its_retries_and_its_timeout(flexible_minutes: int) -> None:
    job = a_job(
        name="pulse",
        schedule="rate(4 hours)",
        timeout_seconds=120,
        retry_minutes=20,
        flexible_minutes=flexible_minutes,
    )
    assert allowance(job) >= timedelta(minutes=flexible_minutes + 20 + 2)


def test_cloudwatch_accepts_every_span() -> None:
    for period, span in SPANS:
        assert span <= timedelta(days=7 if period >= timedelta(hours=1) else 1)


def _in_alarm(last: datetime, now: datetime, silence: Silence) -> bool:
    """CloudWatch's rule, where the last run was seen at `last`: no period has one, and the latest has only just begun.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
    """
    shortest = (silence.periods - 1) * silence.period
    return now - last > shortest


def _silence(job: JobSettings) -> Silence:
    silence = missed_after(job)
    assert silence is not None
    return silence


def _job(schedule: str) -> JobSettings:
    return a_job(name="pulse", schedule=schedule)


def _alarms(template: Mapping[str, Any]) -> Alarms:
    resources = template["Resources"].values()
    alarms = [each["Properties"] for each in resources if each["Type"] == "AWS::CloudWatch::Alarm"]
    return {alarm["AlarmName"]: alarm for alarm in alarms}


def _metrics(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    return [each["MetricStat"] for each in alarm["Metrics"] if "MetricStat" in each]
